# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine without Blender: files in, meshes, overlay and track out. ``python -m server.batch FILE... --output DIR``.

Every input gets its own folder DIR/<stem>. One that fails is named with its reason and does not stop the others.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixel3dmm_blender.wire import (
    Defect,
    Footage,
    FootageUnreadable,
    OutOfMemory,
    Pixel3dmmError,
    Progress,
    Tracked,
    TrackFace,
)

from .engine import Engine
from .job import Job
from .output import Extras, write_results
from .pipeline import track_face, track_photos
from .sight import Sighting, is_clip_footage, sight_photo

MODELS_VARIABLE = "PIXEL3DMM_MODELS"
_STOPPED = 130
"""Exit code of a command that Ctrl-C ended, as shells have it."""


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    files: tuple[Path, ...]
    output: Path
    request: TrackFace
    same_person: bool
    extras: Extras
    models: Path

    def folder(self, file: Path) -> Path:
        """The input's own folder; inputs of one stem are told apart by their place in the command."""
        twins = [other for other in self.files if _stem(other) == _stem(file)]
        suffix = f"-{twins.index(file) + 1}" if len(twins) > 1 else ""
        taken = {_stem(other) for other in self.files} if suffix else set[str]()
        while _stem(file) + suffix in taken:  # "a.jpg a.png a-1.jpg"
            suffix += "-"
        return self.output / (_stem(file) + suffix)


def _stem(file: Path) -> str:
    """The file's name without its suffix; a name of dots alone would lead out of the output folder."""
    return file.stem if file.stem.strip(". ") else "footage"


def main() -> int:
    """Reconstruct every file; 0 only if all of them succeeded."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name may have what a console has not
            stream.reconfigure(errors="backslashreplace")
    order = read_order(sys.argv[1:])
    engine = Engine(order.models)
    try:
        failed = run_together(order, engine) if order.same_person else run_apart(order, engine)
    except KeyboardInterrupt:
        print("Stopped. What was finished before is kept.", file=sys.stderr)
        return _STOPPED
    if failed:
        print(f"{failed} of {len(order.files)} inputs failed.", file=sys.stderr)
    return 1 if failed else 0


def run_apart(order: Order, engine: Engine) -> int:
    """Reconstruct every file for itself; returns how many failed."""
    failed = 0
    for file in order.files:
        try:
            with _in_sentences():
                tracked = track_face(_request(order, file), engine, Job(_show))
                _finish(order, file, tracked, engine)
        except Pixel3dmmError as error:
            failed += _complain(file, error)
    return failed


def run_together(order: Order, engine: Engine) -> int:
    """Reconstruct photos of one person with one identity; returns how many failed."""
    found: list[tuple[Path, Sighting]] = []
    job, failed = Job(_show), 0
    for file in order.files:
        try:
            with _in_sentences():
                found.append((file, _sight(_request(order, file).footage, engine, job)))
        except Pixel3dmmError as error:
            failed += _complain(file, error)
    if not found:
        return failed
    try:
        with _in_sentences():
            sightings = tuple(sighting for _, sighting in found)
            results = track_photos(order.request, sightings, engine, job)
    except Pixel3dmmError as error:
        return failed + sum(_complain(file, error) for file, _ in found)
    for (file, _), tracked in zip(found, results, strict=True):
        try:
            with _in_sentences():
                _finish(order, file, tracked, engine)
        except Pixel3dmmError as error:
            failed += _complain(file, error)
    return failed


def read_order(arguments: list[str]) -> Order:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="reconstruct", description="Faces in photos and clips become heads."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR")
    parser.add_argument("--head", default="", metavar="NAME")
    parser.add_argument("--focal-35mm", type=float, default=0.0, metavar="MM")
    parser.add_argument("--same-person", action="store_true", help="all photos show one person")
    parser.add_argument("--meshes", action="store_true", help="for a clip: one OBJ for each frame")
    parser.add_argument("--overlays", action="store_true", help="for a clip: a movie of the head")
    parser.add_argument(
        "--models", type=Path, default=os.environ.get(MODELS_VARIABLE, ".environments/models")
    )
    options = parser.parse_args(arguments)
    request = TrackFace(footage=Footage(focal_35mm=options.focal_35mm), head=options.head)
    files = tuple(options.files)
    extras = Extras(options.meshes, options.overlays)
    return Order(files, options.output, request, options.same_person, extras, Path(options.models))


@contextmanager
def _in_sentences() -> Generator[None]:
    """Turn what nobody foresaw into a Pixel3dmmError, so that the other files are still done."""
    try:
        yield
    except MemoryError as error:
        raise OutOfMemory("The memory is not enough.", "Use a smaller picture.") from error
    except (OSError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        last = traceback.format_exc().strip().splitlines()[-1]
        raise Defect(f"The engine made a mistake: {last}.", "Report it.") from error


def _request(order: Order, file: Path) -> TrackFace:
    footage = Footage(path=str(file), focal_35mm=order.request.footage.focal_35mm)
    return TrackFace(footage=footage, head=order.request.head)


def _sight(photo: Footage, engine: Engine, job: Job) -> Sighting:
    if is_clip_footage(photo):
        raise FootageUnreadable(
            "It is a clip, and --same-person takes photos.", "Reconstruct clips on their own."
        )
    job.report(0.1, "Finding the face")
    return sight_photo(photo, engine.detector, job)


def _finish(order: Order, file: Path, tracked: Tracked, engine: Engine) -> None:
    folder = order.folder(file)
    write_results(
        folder, Footage(path=str(file)), tracked, engine.head(order.request.head), order.extras
    )
    track = tracked.track
    error = f"{track.mean_error_px():.2f} px ({track.mean_error_percent():.2f} % of the face)"
    print(f"{file.name}: {error} -> {folder}", flush=True)
    for note in tracked.notes:
        print(f"  {note}", flush=True)


def _complain(file: Path, error: Pixel3dmmError) -> int:
    print(f"{file.name}: {error}", file=sys.stderr, flush=True)
    return 1


def _show(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(
            f"\r{progress.fraction:4.0%} {progress.stage:<40}",
            end="\r",
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
