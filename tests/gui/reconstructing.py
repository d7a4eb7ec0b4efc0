# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo becomes a head: progress without a stuttering window, what stands there, undo and redo."""

from __future__ import annotations

from collections.abc import Generator

import bpy

from . import driver
from .driver import Steps
from .scene import (
    contents,
    difference,
    extent_in_picture,
    looks_through_camera,
    part,
    plate_of,
)
from .stage import Stage

BLOCKED_MS = 50.0
SETTLED_S = 3.0


def head_stands(stage: Stage) -> Steps:
    """From an engine that must be started first to a head in the viewport."""
    yield from stage.choose(stage.photo)
    yield from _watched_job(stage, "cold engine")
    _check_person(stage)
    yield from stage.shoot("head")


def undo_is_one_step(stage: Stage) -> Steps:
    with_head = contents()
    yield from stage.undo()
    yield from stage.shoot("undone")
    names = ("objects", "meshes", "armatures", "collections", "images", "actions")
    added = [name for name in names if _is_ours(contents()[name], stage.photo.stem)]
    stage.checks.that("One undo takes everything back", not added, f"left in: {added}")
    stage.checks.that(
        "Undo leaves the photo in the field",
        bpy.context.scene.pixel3dmm.filepath == str(stage.photo),
    )
    yield from stage.redo()
    lacks = difference(with_head, contents())
    stage.checks.that("One redo brings everything again", not lacks, lacks)
    yield from stage.shoot("redone")
    yield from stage.undo()


def warm_engine_is_quick(stage: Stage) -> Steps:
    yield from _watched_job(stage, "warm engine")
    print(f"      From click to head, engine warm: {stage.watch.job_s():.1f} s", flush=True)
    _check_person(stage)
    yield from stage.undo()


def material(stage: Stage) -> Steps:
    """The head's material, as Material Preview shows it. Compiling shaders takes a while in software."""
    yield from stage.choose(stage.photo)
    yield from stage.press_button()
    yield from stage.job_ends()
    driver.viewport().spaces.active.shading.type = "MATERIAL"
    yield 8.0
    yield from stage.shoot("material")
    driver.viewport().spaces.active.shading.type = "SOLID"
    yield 0.5
    yield from stage.undo()


def _watched_job(stage: Stage, title: str) -> Steps:
    """Click, watch to the end and a little longer; print where the main thread was away the longest."""
    drawing_ms = yield from _drawing_ms(stage)
    stage.watch.start()
    yield from stage.press_button()
    yield from stage.job_ends()
    yield SETTLED_S
    stage.watch.stop()
    watch, checks = stage.watch, stage.checks
    if not watch.in_job():
        return
    checks.that(
        f"The job ends without a failure, {title}", stage.error() is None, str(stage.error())
    )
    stages = ", ".join(f"{name} ({fraction:.0%})" for name, fraction in watch.stages())
    print(f"      Stages: {stages}", flush=True)
    checks.that("The progress only rises", watch.only_rises())
    checks.that("The progress reaches 100 %", any(share >= 1.0 for _, share in watch.stages()))
    gaps = sorted(watch.in_job(), key=lambda gap: -gap.away_ms)
    quiet = next(gap for gap in gaps if not gap.is_drawing)
    drawing = next(gap for gap in gaps if gap.is_drawing)
    checks.that(f"The main thread's longest absence: {quiet}", quiet.away_ms <= BLOCKED_MS)
    checks.that(
        f"Where the panel is drawn, which costs up to {drawing_ms:.0f} ms anyway here: {drawing}",
        drawing.away_ms <= max(BLOCKED_MS, drawing_ms),
    )
    step = max(watch.in_job(), key=lambda gap: gap.own_ms)
    checks.that(f"Our longest step: {step}", step.own_ms - step.starved_ms <= BLOCKED_MS)
    print(f"      Building the rig, with its first drawing: {watch.building()}", flush=True)
    print(f"      The longest gap without a job: {watch.idle()}", flush=True)


def _drawing_ms(stage: Stage) -> Generator[float, None, float]:
    """What drawing this window costs without a job: much, where a processor has to do it."""
    stage.watch.start()
    yield from driver.redraw_everything()
    stage.watch.stop()
    idle = stage.watch.idle()
    return idle.away_ms if idle else 0.0


def _check_person(stage: Stage) -> None:
    checks = stage.checks
    rig, head, camera = part("rig"), part("head"), part("camera")
    if not checks.that("Rig, head and camera stand in the scene", all((rig, head, camera))):
        return
    keys = head.data.shape_keys.key_blocks
    checks.that(f"The head has its shape keys: {len(keys)}", len(keys) > 50)
    checks.that("The smile of the photo is on the sliders", keys["mouthSmileLeft"].value > 0.05)
    checks.that("The viewport looks through the solved camera", looks_through_camera())
    checks.that("The scene's camera is the solved one", bpy.context.scene.camera == camera)
    plate = plate_of(camera)
    checks.that("The photo stands behind the head", plate is not None and plate.size[0] > 0)
    left, right, bottom, top = extent_in_picture(head)
    checks.that(
        f"The head lies in the picture: {left:.2f} to {right:.2f}, {bottom:.2f} to {top:.2f}",
        left < 0.5 < right and right - left > 0.1 and top <= 1.2,
    )
    active = bpy.context.view_layer.objects.active
    checks.that("The head is selected, so the panel shows its result", active == head)


def _is_ours(names: object, stem: str) -> bool:
    return any(str(name).startswith(stem) for name in names)
