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
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..wire.faults import EngineNotInstalled
from .download import disk_fault
from .pip import CancelFlag, PipLines, Progress, ask_python, run_logged, site_packages

ENGINE_IMPORTS = ("numpy", "scipy.sparse", "PIL.Image", "av", "torch")
OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 13)

_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==", re.MULTILINE)
_LIBRARIES = re.compile(r"^(nvidia-|cuda-|triton)")
_LIBRARIES_ASKED = """
import importlib.metadata, re, sys
asked = importlib.metadata.requires("torch") or []
sys.exit(any(re.match(r"(nvidia|cuda|triton)", name) and "extra ==" not in name for name in asked))
"""
_SUITABLE = "import ensurepip, ssl, sys, venv; print('%d.%d' % sys.version_info[:2])"


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


def make_engine(  # noqa: PLR0913  the last two have defaults that nearly everyone keeps
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
    make_environment(Recipe(environment, lock, ENGINE_IMPORTS, torch_index), progress, cancelled, python)


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
        [str(python), "-I", "-m", "venv", str(recipe.environment)], _log(recipe), _unheard, cancelled
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
    rest = {name: block for name, block in blocks.items() if name not in libraries}
    if recipe.torch_index:
        rest.pop("torch", None)
    share = 0.4 if libraries else 0.9
    _pip_locked(recipe, rest, lambda part, text: progress(share * part, text), cancelled)
    if recipe.torch_index:
        _pip_torch(recipe, lambda part, text: progress(share + (0.9 - share) * part, text), cancelled)
    elif libraries and _asks_for_libraries(recipe):
        _pip_locked(recipe, libraries, lambda part, text: progress(share + (0.9 - share) * part, text), cancelled)
    progress(0.92, "Checking that everything works together")
    python = str(engine_python(recipe.environment))
    run_logged([python, "-I", "-m", "pip", "check"], _log(recipe), _unheard, cancelled)
    imports = "; ".join(f"import {name}" for name in recipe.imports) or "pass"
    run_logged([python, "-I", "-c", imports], _log(recipe), _unheard, cancelled)
    try:
        stamp.write_text(_stamp_text(recipe), encoding="utf-8")
    except OSError as error:
        raise disk_fault(error, recipe.environment) from error
    progress(1.0, "Ready")


def find_python(
    chosen: Path | None = None,
    oldest: tuple[int, int] = OLDEST_PYTHON,
    newest: tuple[int, int] = NEWEST_PYTHON,
) -> Path:
    """Find a Python that can make environments: the chosen one, or this one, or one of the search path.

    Raises EngineNotInstalled, which says why the chosen one, or else this one, does not do.
    """
    names = [f"python{major}.{minor}" for major, minor in ((3, 13), (3, 11), (3, 12))] + ["python3"]
    found = [Path(path) for name in names if (path := shutil.which(name))]
    candidates = [chosen] if chosen else [Path(sys.executable), *found] if sys.executable else found
    problems: list[str] = []
    for candidate in dict.fromkeys(candidates):
        problem = _unsuitable(candidate, oldest, newest)
        if not problem:
            return candidate
        problems.append(problem)
    wanted = " to ".join(f"{major}.{minor}" for major, minor in dict.fromkeys((oldest, newest)))
    raise EngineNotInstalled(
        problems[0] if problems else "No Python was found.",
        f"Install Python {wanted} with venv (Debian and Ubuntu: apt install python3-venv), or choose one.",
        "\n".join(problems),
    )


def _clear(recipe: Recipe) -> None:
    """Make an empty folder for the environment; only one that we filled ourselves is ever emptied."""
    folder = recipe.environment
    try:
        if folder.exists() and any(folder.iterdir()):
            if not _log(recipe).is_file():
                raise EngineNotInstalled(
                    f"{folder} holds files that are not ours.", "Choose an empty folder for the environment."
                )
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_fault(error, folder) from error


def _unsuitable(python: Path, oldest: tuple[int, int], newest: tuple[int, int]) -> str:
    """Say what is wrong with a Python, or nothing."""
    try:
        answer = ask_python(python, "-c", _SUITABLE, timeout_s=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{python} does not run: {error}."
    if answer.returncode != 0:
        missing = re.search(r"No module named '?(\w+)", answer.stderr)
        return f"{python} lacks {missing[1] if missing else 'what it takes to make environments'}."
    major, minor = (int(part) for part in answer.stdout.split("."))
    if not oldest <= (major, minor) <= newest:
        return f"{python} is Python {major}.{minor}, which does not fit."
    return ""


def _lock_blocks(text: str) -> dict[str, str]:
    """Split a lock into its entries: name -> the requirement with its hashes."""
    starts = [*_ENTRY.finditer(text)]
    ends = [*(start.start() for start in starts[1:]), len(text)]
    return {
        start["name"].lower(): text[start.start() : end] for start, end in zip(starts, ends, strict=True)
    }


def _pip_locked(recipe: Recipe, blocks: dict[str, str], progress: Progress, cancelled: CancelFlag) -> None:
    requirements = recipe.environment / f"{recipe.lock.stem}.part"
    requirements.write_text("".join(blocks.values()), encoding="utf-8")
    arguments = ["--no-deps", "--require-hashes", "-r", str(requirements)]
    _pip_install(recipe, arguments, PipLines(progress, len(blocks)), cancelled)
    requirements.unlink()


def _pip_torch(recipe: Recipe, progress: Progress, cancelled: CancelFlag) -> None:
    pin = re.search(r"^torch==[^ \\\n]+", recipe.lock.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = pin[0] if pin else "torch"
    _pip_install(recipe, ["--index-url", recipe.torch_index, wanted], PipLines(progress, 20), cancelled)


def _pip_install(recipe: Recipe, arguments: list[str], lines: PipLines, cancelled: CancelFlag) -> None:
    python = str(engine_python(recipe.environment))
    bar = "raw" if _pip_is_new(recipe.environment) else "off"
    install = [python, "-I", "-m", "pip", "install", "--only-binary", ":all:", "--progress-bar", bar]
    run_logged([*install, *arguments], _log(recipe), lines.read, cancelled)


def _pip_is_new(environment: Path) -> bool:
    """Whether pip knows ``--progress-bar raw`` (24.1 and later)."""
    packages = site_packages(environment)
    versions = [path.name.split("-")[1] for path in packages.glob("pip-*.dist-info")] if packages else []
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


def _silent(_fraction: float, _text: str) -> None:
    """Take progress and do nothing with it."""
