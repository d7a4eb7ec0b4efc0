# SPDX-License-Identifier: GPL-3.0-or-later
"""Every message survives the wire; anything that is not a whole message gives a typed error."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import fields, replace

import numpy as np
import pytest

from pixel3dmm_blender.wire import (
    Camera,
    Cancel,
    FaceTrack,
    Fault,
    FaultCode,
    Footage,
    HeadRig,
    Hello,
    Locks,
    Mask,
    Material,
    Message,
    Pin,
    Progress,
    Ready,
    Record,
    RefineTrack,
    StreamCorrupt,
    StreamEnded,
    Texture,
    Tracked,
    TrackFace,
    read_message,
    write_message,
)


def make_camera() -> Camera:
    return Camera(
        width=64,
        height=48,
        focal_px=90.5,
        center_px=np.array([32.0, 24.0]),
        world_to_camera=np.eye(4),
        focal_source="exif",
    )


def make_track() -> FaceTrack:
    return FaceTrack(
        head="made",
        frames=np.arange(2, dtype=np.int32),
        camera=make_camera(),
        identity_names=("shape_000",),
        identity=np.array([0.5]),
        expression_names=("jawOpen", "mouthPucker"),
        expression=np.array([[0.1, 0.2], [0.3, 0.4]]),
        joint_names=("neck",),
        joint_rotation=np.zeros((2, 1, 3)),
        rotation=np.zeros((2, 3)),
        transl=np.zeros((2, 3)),
        valid=np.array([True, False]),
        error_px=np.array([0.5, np.nan]),
        raw_error_px=np.array([0.75, np.nan]),
        face_height_px=np.array([300.0, 300.0]),
        confidence=np.array([1.0, 0.0]),
        fps=25.0,
        scale_source="user",
        focal_std=0.125,
        identity_std=np.array([0.25]),
        expression_std=np.array([[0.1, 0.0], [np.nan, np.nan]]),
        rotation_std=np.array([[0.03, 0.0, 0.04], [np.nan] * 3]),
        transl_std=np.array([[0.001, 0.002, 0.05], [np.nan] * 3]),
    )


def make_rig() -> HeadRig:
    return HeadRig(
        head="made",
        licence="CC0",
        provenance="here",
        neutral=np.random.default_rng(1).normal(size=(4, 3)),
        face_sizes=np.array([4], np.int32),
        face_vertices=np.arange(4, dtype=np.int32),
        face_materials=np.zeros(1, np.int32),
        materials=(
            Material(name="skin", color=np.array([0.8, 0.6, 0.5])),
            Material(name="hair", alpha=True),
        ),
        uv_names=("head",),
        uv=np.zeros((1, 4, 2)),
        key_names=("jawOpen",),
        keys=np.ones((1, 4, 3)),
        key_min=np.zeros(1),
        key_max=np.ones(1),
        bone_names=("head",),
        bone_parents=np.array([-1], np.int32),
        bone_heads=np.zeros((1, 3)),
        bone_tails=np.ones((1, 3)),
        skin_weights=np.ones((1, 4)),
        group_names=("face",),
        groups=np.ones((1, 4)),
        mirror=np.array([1, 0, 3, 2], np.int32),
    )


def make_tracked() -> Tracked:
    return Tracked(
        track=make_track(),
        rig=make_rig(),
        texture=Texture(pixels=np.zeros((2, 2, 4), np.uint8), observed=np.eye(2, dtype=bool)),
        landmarks_px=np.zeros((2, 3, 2)),
        fitted_px=np.ones((2, 3, 2)),
        notes=("The focal length is assumed.",),
        stages=("Reading", "Fitting"),
        stage_s=np.array([0.1, 0.2]),
        memory_bytes=123,
        vertex_std_m=np.array([0.001, 0.002, 0.003, 0.006]),
        vertex_confidence=np.array([0.9, 0.5, 0.25, 0.0]),
    )


RECORDS: tuple[Record, ...] = (
    Hello(protocol=1, version="0.1.0"),
    TrackFace(footage=Footage(path="a/ß.jpg"), head="made"),
    TrackFace(footage=Footage(pixels=np.full((2, 3, 3), 9, np.uint8))),
    RefineTrack(
        pins=(
            Pin(
                frame=3,
                vertices=np.arange(2, dtype=np.int32),
                weights=np.array([0.5, 0.5]),
                px=np.array([7.5, 8.5]),
            ),
        ),
        masks=(Mask(frame=3, covered=np.eye(4, dtype=bool)),),
        locks=Locks(identity=True),
    ),
    Cancel(),
    Ready(
        protocol=1,
        version="1",
        device="cpu",
        heads=("a", "b"),
        priors=(),
        licences=(),
        memory_bytes=1,
    ),
    Progress(fraction=0.25, stage="Finding the face"),
    make_tracked(),
    Fault(code=FaultCode.NO_FACE_FOUND, message="No face.", hint="Another photo."),
)


def test_the_list_above_holds_every_message_type() -> None:
    from pixel3dmm_blender.wire import framing

    assert {type(record).__name__ for record in RECORDS} == set(framing._MESSAGES)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was_sent(record: Record) -> None:
    back = read_message(io.BytesIO(as_bytes(record, 42)))

    assert back.id == 42
    assert_same(back.record, record)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_message_cut_anywhere_is_refused(record: Record) -> None:
    whole = as_bytes(record)

    for length in {1, 3, 4, 15, 16, 17, len(whole) // 2, len(whole) - 1}:
        with pytest.raises(StreamCorrupt):
            read_message(io.BytesIO(whole[:length]))


def test_garbage_is_refused_with_a_typed_error() -> None:
    rng = np.random.default_rng(0)
    whole = as_bytes(RECORDS[1])

    for _ in range(300):
        broken = bytearray(whole)
        broken[int(rng.integers(len(broken)))] ^= int(rng.integers(1, 256))
        try:
            read_message(io.BytesIO(bytes(broken)))
        except StreamCorrupt:
            continue


def test_the_end_between_two_messages_is_an_ordinary_end() -> None:
    stream = io.BytesIO(as_bytes(RECORDS[0]))
    read_message(stream)

    with pytest.raises(StreamEnded):
        read_message(stream)


def test_a_message_that_claims_to_be_enormous_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(StreamCorrupt, match="bytes long"):
        read_message(io.BytesIO(struct.pack("<4sIQ", b"P3DM", 10, 2**60)))


HELLO = {"id": 2, "type": "Hello", "record": {"protocol": 1, "version": ""}, "arrays": []}


@pytest.mark.parametrize(
    "header",
    [
        [1, 2],
        {**HELLO, "type": []},
        {**HELLO, "id": "two"},
        {**HELLO, "record": 5},
        {**HELLO, "arrays": 5},
        {**HELLO, "arrays": [{"dtype": "<f4", "shape": [float("inf")]}]},
        {**HELLO, "arrays": [{"dtype": "<f4", "shape": [2**62, 2**62]}]},
        {**HELLO, "arrays": [{"dtype": [], "shape": [0]}]},
    ],
)
def test_a_header_that_makes_no_sense_gives_a_typed_error(header: object) -> None:
    words = json.dumps(header).encode()

    with pytest.raises(StreamCorrupt):
        read_message(io.BytesIO(struct.pack("<4sIQ", b"P3DM", len(words), 0) + words))


def test_a_header_nested_too_deep_gives_a_typed_error() -> None:
    words = b"[" * 200_000

    with pytest.raises(StreamCorrupt):
        read_message(io.BytesIO(struct.pack("<4sIQ", b"P3DM", len(words), 0) + words))


def test_an_unknown_field_is_refused_by_name() -> None:
    whole = as_bytes(RECORDS[0])
    length = struct.unpack("<I", whole[4:8])[0]
    header = json.loads(whole[16 : 16 + length])
    header["record"]["colour"] = "red"
    changed = json.dumps(header).encode()

    with pytest.raises(StreamCorrupt, match="unknown field colour"):
        read_message(io.BytesIO(struct.pack("<4sIQ", b"P3DM", len(changed), 0) + changed))


def test_doubts_are_summed_up_over_what_was_seen() -> None:
    tracked = make_tracked()
    silent = replace(tracked, vertex_std_m=None)
    unseen = replace(tracked.track, valid=np.zeros(2, bool))

    assert tracked.track.rotation_std_deg() == pytest.approx(np.degrees(0.05))
    assert tracked.face_std_mm() == pytest.approx(3.0)
    assert silent.face_std_mm() is None
    assert unseen.rotation_std_deg() is None


def test_an_engine_that_says_nothing_of_its_doubts_is_understood() -> None:
    doubts = ("focal_std", "identity_std", "expression_std", "rotation_std", "transl_std")
    track = replace(make_track(), **dict.fromkeys(doubts))
    tracked = replace(make_tracked(), track=track, vertex_std_m=None, vertex_confidence=None)

    back = read_message(io.BytesIO(as_bytes(tracked)))

    assert_same(back.record, tracked)


def as_bytes(record: Record, number: int = 1) -> bytes:
    stream = io.BytesIO()
    write_message(stream, Message(number, record))
    return stream.getvalue()


def assert_same(one: object, other: object) -> None:
    assert type(one) is type(other)
    if isinstance(one, Record):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, tuple):
        assert len(one) == len(other)  # type: ignore[arg-type]
        for mine, theirs in zip(one, other, strict=True):  # type: ignore[call-overload]
            assert_same(mine, theirs)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)  # type: ignore[arg-type]
    else:
        assert one == other
