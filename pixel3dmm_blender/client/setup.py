# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a Python environment from a lock file: the engine's above all.

An ordinary ``venv`` filled by plain pip; every file that pip installs has its exact hash in the lock. A stamp written
last says which lock the environment holds, so a finished one is recognised at once and a half-made or outdated one is
made again. Both the button in Blender and ``build.py`` come here.

torch is the one package with several builds of one version. On Linux the index's own build needs NVIDIA's libraries
(2 GB), which are in the lock as well; a CPU build does not need them. So they are installed only if the torch that was
installed asks for them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..wire.faults import DownloadFailed, EngineNotInstalled
from .download import disk_fault, file_sha256
from .pip import CancelFlag, PipLines, Progress, ask_python, run_logged, site_packages
from .pythons import find_python

_TORCH_NEEDS = 20  # packages, about: torch from another index brings its own
ENGINE_IMPORTS = ("numpy", "scipy.sparse", "PIL.Image", "av", "torch")

_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==", re.MULTILINE)
_LIBRARIES = re.compile(r"^(nvidia-|cuda-|triton)")
_LIBRARIES_ASKED = """
import importlib.metadata, re, sys
asked = importlib.metadata.requires("torch") or []
sys.exit(any(re.match(r"(nvidia|cuda|triton)", name) and "extra ==" not in name for name in asked))
"""


@dataclass(frozen=True)
class Recipe:
    """An environment to be made: where, from which lock, and what must import once it is there.

    ``torch_index`` names another package index for torch alone, which then comes without a hash.
    """

    environment: Path
    lock: Path
    imports: tuple[str, ...]
    torch_index: str = ""


def engine_python(environment: Path) -> Path:
    """Return the Python of an environment, made or not."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_engine_ready(environment: Path, lock: Path) -> bool:
    """Whether the environment is finished and holds exactly what the lock says."""
    return is_ready(Recipe(environment, lock, ()))


def make_engine(
    environment: Path,
    lock: Path,
    progress: Progress,
    cancelled: CancelFlag,
    torch_index: str = "",
    python: Path | None = None,
) -> None:
    """Make the engine's environment, or return at once if it is ready.

    Raises EngineNotInstalled, DownloadFailed, DiskFull, Cancelled; each time the environment then counts as not made.
    """
    make_environment(
        Recipe(environment, lock, ENGINE_IMPORTS, torch_index), progress, cancelled, python
    )


def is_ready(recipe: Recipe) -> bool:
    """Whether the recipe's lock is installed; with ``torch_index``, from that index."""
    try:
        stamped = _stamp(recipe).read_text(encoding="utf-8").split("\n")
    except OSError:
        return False
    digest, index = _stamp_text(recipe).split("\n")
    same = stamped == [digest, index] or (not index and stamped[:1] == [digest])
    return same and engine_python(recipe.environment).exists()


def make_environment(
    recipe: Recipe, progress: Progress, cancelled: CancelFlag, python: Path | None = None
) -> None:
    """Make the environment from nothing, unless it is ready; the errors are those of ``make_engine``."""
    if is_ready(recipe):
        return
    python = find_python(python)
    progress(0.0, f"Making an environment with {python}")
    _clear(recipe)
    run_logged(
        [str(python), "-I", "-m", "venv", str(recipe.environment)],
        _log(recipe),
        _unheard,
        cancelled,
    )
    install_lock(recipe, progress, cancelled)


def install_lock(recipe: Recipe, progress: Progress, cancelled: CancelFlag) -> None:
    """Install a lock into an environment that exists, check it, and stamp it; at once if it is ready."""
    if is_ready(recipe):
        return
    stamp = _stamp(recipe)
    stamp.unlink(missing_ok=True)
    blocks = _lock_blocks(recipe.lock.read_text(encoding="utf-8"))
    if "pip" in blocks:  # first of all: older ones cannot say how far they are
        _pip_locked(recipe, {"pip": blocks.pop("pip")}, _silent, cancelled)
    libraries = {name: block for name, block in blocks.items() if _LIBRARIES.match(name)}
    rest = {name: block for name, block in blocks.items() if name not in {*libraries, "torch"}}
    _pip_locked(recipe, rest, _part(progress, 0.0, 0.3 if "torch" in blocks else 0.9), cancelled)
    if "torch" in blocks:
        _install_torch(recipe, blocks["torch"], _part(progress, 0.3, 0.6), cancelled)
    if libraries and not recipe.torch_index and _asks_for_libraries(recipe):
        _pip_locked(recipe, libraries, _part(progress, 0.6, 0.9), cancelled)
    progress(0.92, "Checking that everything works together")
    python = str(engine_python(recipe.environment))
    if "torch" in blocks:  # the one package whose build is not known before
        run_logged([python, "-I", "-m", "pip", "check"], _log(recipe), _unheard, cancelled)
    imports = "; ".join(f"import {name}" for name in recipe.imports) or "pass"
    run_logged([python, "-I", "-c", imports], _log(recipe), _unheard, cancelled)
    try:
        stamp.write_text(_stamp_text(recipe), encoding="utf-8")
    except OSError as error:
        raise disk_fault(error, recipe.environment) from error
    progress(1.0, "Ready")


def _clear(recipe: Recipe) -> None:
    """Make an empty folder for the environment; only one that we filled ourselves is ever emptied."""
    folder = recipe.environment
    try:
        if folder.exists() and any(folder.iterdir()):
            if not _log(recipe).is_file():
                raise EngineNotInstalled(
                    f"{folder} holds files that are not ours.",
                    "Choose an empty folder for the environment.",
                )
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_fault(error, folder) from error


def _lock_blocks(text: str) -> dict[str, str]:
    """Split a lock into its entries: name -> the requirement with its hashes."""
    starts = [*_ENTRY.finditer(text)]
    ends = [*(start.start() for start in starts[1:]), len(text)]
    return {
        start["name"].lower(): text[start.start() : end]
        for start, end in zip(starts, ends, strict=True)
    }


def _pip_locked(
    recipe: Recipe, blocks: dict[str, str], progress: Progress, cancelled: CancelFlag
) -> None:
    requirements = recipe.environment / f"{recipe.lock.stem}.part"
    requirements.write_text("".join(blocks.values()), encoding="utf-8")
    arguments = ["--no-deps", "--require-hashes", "-r", str(requirements)]
    _pip(recipe, "install", arguments, PipLines(progress, len(blocks)), cancelled)
    requirements.unlink()


def _install_torch(recipe: Recipe, block: str, progress: Progress, cancelled: CancelFlag) -> None:
    """Let pip choose the build, then hold it against the lock.

    pip's own check would never take a CPU build from a folder of wheels: among files that are
    allowed it prefers those whose hash an index announces.
    """
    pin = block.split()[0]
    if recipe.torch_index:
        arguments = ["--index-url", recipe.torch_index, pin]
        _pip(recipe, "install", arguments, PipLines(progress, _TORCH_NEEDS), cancelled)
        return
    folder = recipe.environment / "fetched"
    arguments = ["--no-deps", "--dest", str(folder), pin]
    _pip(recipe, "download", arguments, PipLines(progress, 1), cancelled)
    (wheel,) = folder.glob("*.whl")
    if file_sha256(wheel) not in block:
        raise DownloadFailed(
            f"{wheel.name} is not one of the builds that the lock file names.",
            "To use another build of torch, name the package index that it comes from.",
        )
    _pip(recipe, "install", ["--no-deps", str(wheel)], PipLines(progress, 1), cancelled)
    shutil.rmtree(folder)


def _pip(
    recipe: Recipe, verb: str, arguments: list[str], lines: PipLines, cancelled: CancelFlag
) -> None:
    python = str(engine_python(recipe.environment))
    bar = "raw" if _pip_is_new(recipe.environment) else "off"
    common = ["--only-binary", ":all:", "--progress-bar", bar]
    command = [python, "-I", "-m", "pip", verb, *common, *arguments]
    run_logged(command, _log(recipe), lines.read, cancelled)


def _pip_is_new(environment: Path) -> bool:
    """Whether pip knows ``--progress-bar raw`` (24.1 and later)."""
    packages = site_packages(environment)
    versions = (
        [path.name.split("-")[1] for path in packages.glob("pip-*.dist-info")] if packages else []
    )
    with contextlib.suppress(ValueError):
        return any(tuple(map(int, version.split(".")[:2])) >= (24, 1) for version in versions)
    return False


def _asks_for_libraries(recipe: Recipe) -> bool:
    """Whether the torch that is now installed declares NVIDIA's libraries."""
    return ask_python(engine_python(recipe.environment), "-c", _LIBRARIES_ASKED).returncode != 0


def _stamp(recipe: Recipe) -> Path:
    return recipe.environment / f"{recipe.lock.stem}.stamp"


def _stamp_text(recipe: Recipe) -> str:
    return f"{hashlib.sha256(recipe.lock.read_bytes()).hexdigest()}\n{recipe.torch_index}"


def _log(recipe: Recipe) -> Path:
    return recipe.environment / "pixel3dmm-install.log"


def _unheard(_line: str) -> None:
    """Take a line and do nothing with it; it is in the log."""


def _part(progress: Progress, start: float, end: float) -> Progress:
    """Give a step its share of the whole."""
    return lambda fraction, text: progress(start + (end - start) * fraction, text)


def _silent(_fraction: float, _text: str) -> None:
    """Take progress and do nothing with it."""
