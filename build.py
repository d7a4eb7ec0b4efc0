# SPDX-License-Identifier: GPL-3.0-or-later
"""The one task runner: demo, test, check, zip, gui, reconstruct. Standard library only; never edits a tracked file.

Everything that it makes lies in ``.environments``, ``out`` and ``dist``; delete them to start afresh.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
import types
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("build.py needs Python 3.11 or newer: python3.11 build.py ...")

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

import tomllib  # noqa: E402  after the check of the version

# The vocabulary's package re-exports numpy records, and a bare Python has no numpy; set-up needs its faults alone.
_wire = types.ModuleType("pixel3dmm_blender.wire")
_wire.__path__ = [str(ROOT / "pixel3dmm_blender" / "wire")]
sys.modules[_wire.__name__] = _wire

from pixel3dmm_blender.client import setup, weights  # noqa: E402
from pixel3dmm_blender.client.launch import clean_environment  # noqa: E402
from pixel3dmm_blender.wire.faults import EngineNotInstalled, Pixel3dmmError  # noqa: E402
from tests.runner import ProgressLines, TestTotals, run, run_pytest  # noqa: E402

ENVIRONMENTS = ROOT / ".environments"
ENGINE = ENVIRONMENTS / "engine"
MODELS = ENVIRONMENTS / "models"
ENGINE_LOCK = ROOT / "server" / "engine.lock"
LOCKS = ROOT / "tests" / "locks"
OUT = ROOT / "out"

BLENDERS = {(3, 11): ("4.5", "5.0"), (3, 13): ("5.2",)}
"""The Blenders that PyPI has for a Python; the last one is what the demo uses."""
ENGINE_FOLDERS = ("house", "wire", "motion", "client", "server")
DEMO_LIMIT_S = 900.0
TEST_LIMIT_S = 1200.0


def main() -> int:
    """Read the command line and do what it says; every failure is a sentence."""
    options = _command_line().parse_args()
    try:
        return options.verb(options)
    except Pixel3dmmError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def demo(options: argparse.Namespace) -> int:
    """One photo becomes a rigged head: out/astronaut.blend, .glb and .png."""
    image = Path(options.image).resolve()
    _make_engine(options.torch_index)
    version = _blender_versions()[-1]
    blender = _make_blender(version)
    _fetch_models()
    scene = ["tests/demo/make_scene.py", "--image", str(image), "--output", str(OUT)]
    engine = ["--engine", str(setup.engine_python(ENGINE)), "--models", str(MODELS)]
    status = run([str(blender), *scene, *engine], _environment(version), DEMO_LIMIT_S)
    if status == 0:
        sheet = ["tests/demo/make_sheet.py", "--image", str(image), "--output", str(OUT)]
        status = run([str(setup.engine_python(ENGINE)), *sheet], _environment(), DEMO_LIMIT_S)
    return status


def test(options: argparse.Namespace) -> int:
    """Run the tests in every environment that this Python can have, and sum them up in one line."""
    selection = ["-k", options.keyword] if options.keyword else []
    folders = [name for name in ENGINE_FOLDERS if options.marker in ("", name, "gpu")]
    folders += ["gpu"] if options.marker == "gpu" else []
    totals = TestTotals()
    _make_engine(options.torch_index)
    _fetch_models()
    if folders:
        _install_check_tools()
        marked = ["-m", options.marker] if options.marker else []
        arguments = [f"tests/{name}" for name in folders if (ROOT / "tests" / name).is_dir()]
        python = setup.engine_python(ENGINE)
        totals += run_pytest(python, [*arguments, *marked, *selection], _environment(), TEST_LIMIT_S)
    if options.marker in ("", "blender"):
        pythons = {version: _make_blender(version) for version in _blender_versions()}
        for version, python in pythons.items():
            print(f"\nBlender {version}", flush=True)
            totals += run_pytest(python, ["tests/blender", *selection], _environment(version), TEST_LIMIT_S)
    print(f"\n{totals}")
    return 1 if totals.failed or not totals.passed else 0


def check(options: argparse.Namespace) -> int:
    """Format, lint, types, import arrows; all of them are run, whatever the first one says."""
    _make_engine(options.torch_index)
    _install_check_tools()
    python = setup.engine_python(ENGINE)
    commands = (
        [str(python), "-m", "ruff", "format", "--check", "."],
        [str(python), "-m", "ruff", "check", "."],
        [str(python), "-m", "pyright", "--pythonpath", str(python)],
        [str(python.with_name("lint-imports" + python.suffix))],
    )
    worst = 0
    for command in commands:
        print(f"\n$ {Path(command[0]).stem} {' '.join(command[1:])}", flush=True)
        worst = max(worst, abs(run(command, _environment(), TEST_LIMIT_S)))
    print("\nAll checks passed." if worst == 0 else "\nNot all checks passed.")
    return min(worst, 1)


def zip_extension(_options: argparse.Namespace) -> int:
    """Stage a copy of what the extension needs, then let Blender's own tool build and validate it."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    target = ROOT / "dist" / f"{manifest['id']}-{manifest['version']}.zip"
    target.parent.mkdir(exist_ok=True)
    tool = _extension_tool()
    with tempfile.TemporaryDirectory() as scratch:
        staged = Path(scratch) / manifest["id"]
        junk = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
        shutil.copytree(ROOT / "pixel3dmm_blender", staged, ignore=junk)
        shutil.copytree(ROOT / "server", staged / "server", ignore=junk)
        for name in ("blender_manifest.toml", "LICENSE"):
            shutil.copy2(ROOT / name, staged / name)
        build = [sys.executable, str(tool), "build", "--source-dir", str(staged), "--output-filepath", str(target)]
        status = run(build, _environment(), 60.0)
    return status or run([sys.executable, str(tool), "validate", str(target)], _environment(), 60.0)


def gui(options: argparse.Namespace) -> int:
    """Run the tests that need a window, in a Blender that the given command starts."""
    if not options.blender:
        print(
            "The window tests were not run: they need a command that starts a Blender with a window.\n"
            'For example: python3 build.py gui --blender "xvfb-run -a blender"',
            file=sys.stderr,
        )
        return 2
    _make_engine("")
    _fetch_models()
    (OUT / "gui").mkdir(parents=True, exist_ok=True)
    seen = Path(options.repository or ROOT)
    engine = setup.engine_python(seen / ENGINE.relative_to(ROOT))
    where = ["--screenshots", str(seen / "out" / "gui"), "--engine", str(engine)]
    where += ["--models", str(seen / MODELS.relative_to(ROOT))]
    command = [*shlex.split(options.blender), "--python", str(seen / "tests" / "gui" / "run.py")]
    return run([*command, "--", *where], dict(os.environ), TEST_LIMIT_S)


def reconstruct(options: argparse.Namespace) -> int:
    """Run the engine alone over files; exit code 0 only if every one of them succeeded."""
    _make_engine(options.torch_index)
    _fetch_models()
    command = [str(setup.engine_python(ENGINE)), "-m", "server.batch"]
    command += [str(Path(file).resolve()) for file in options.files]
    command += ["--output", str(Path(options.output).resolve())]
    command += ["--head", options.head] if options.head else []
    command += ["--same-person"] if options.same_person else []
    command += ["--meshes"] if options.meshes else []
    return run(command, _environment(), None)


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__.splitlines()[0] if __doc__ else "")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, function: object, needs_engine: bool = True) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        made.set_defaults(verb=function)
        if needs_engine:
            made.add_argument("--torch-index", default="", metavar="URL", help="take torch from this package index")
        return made

    verb("demo", demo).add_argument("--image", default=str(ROOT / "tests" / "data" / "astronaut.png"), metavar="FILE")
    testing = verb("test", test)
    choices = ("", *ENGINE_FOLDERS, "blender", "gpu")
    testing.add_argument("marker", nargs="?", default="", choices=choices, metavar="MARKER", help=", ".join(choices[1:]))
    testing.add_argument("-k", dest="keyword", default="", metavar="EXPRESSION", help="as in pytest")
    verb("check", check)
    verb("zip", zip_extension, needs_engine=False)
    window = verb("gui", gui, needs_engine=False)
    window.add_argument("--blender", default="", metavar="CMD", help="a command that starts a Blender with a window")
    window.add_argument("--repository", default="", metavar="DIR", help="this folder as that command sees it")
    batch = verb("reconstruct", reconstruct)
    batch.add_argument("files", nargs="+", metavar="FILE")
    batch.add_argument("--output", required=True, metavar="DIR")
    batch.add_argument("--head", default="", metavar="NAME")
    batch.add_argument("--same-person", action="store_true")
    batch.add_argument("--meshes", action="store_true", help="for a clip: one OBJ per frame")
    return parser


def _environment(blender: str = "none") -> dict[str, str]:
    """What children get: nothing that leaks into their Python, where engine and models are, and no user's Blender."""
    places = {"PIXEL3DMM_ENGINE_PYTHON": str(setup.engine_python(ENGINE)), "PIXEL3DMM_MODELS": str(MODELS)}
    settings = {"BLENDER_USER_RESOURCES": str(ENVIRONMENTS / f"blender-{blender}-user"), "PYTHONUTF8": "1"}
    return {**clean_environment(os.environ), **places, **settings}


def _make_engine(torch_index: str) -> None:
    with ProgressLines("Engine") as progress:
        setup.make_engine(ENGINE, ENGINE_LOCK, progress, _never, torch_index)


def _install_check_tools() -> None:
    recipe = setup.Recipe(ENGINE, LOCKS / "check.lock", ("pytest",))
    with ProgressLines("Tools for the tests") as progress:
        setup.install_lock(recipe, progress, _never)


def _make_blender(version: str) -> Path:
    """Make the environment of a Blender; returns its Python."""
    recipe = setup.Recipe(ENVIRONMENTS / f"blender-{version}", LOCKS / f"blender-{version}.lock", ("bpy",))
    wanted = next(python for python, versions in BLENDERS.items() if version in versions)
    if not setup.is_ready(recipe):
        with ProgressLines(f"Blender {version}") as progress:
            setup.make_environment(recipe, progress, _never, setup.find_python(None, wanted, wanted))
    return setup.engine_python(recipe.environment)


def _blender_versions() -> tuple[str, ...]:
    """Which Blenders the Python at hand can have; another Python of the search path serves if this one has none."""
    here = (sys.version_info.major, sys.version_info.minor)
    for python in (here, *BLENDERS):
        try:
            if python in BLENDERS and (python == here or setup.find_python(None, python, python)):
                return BLENDERS[python]
        except EngineNotInstalled:
            continue
    raise EngineNotInstalled("Blender needs Python 3.11 or 3.13, and neither was found.", "Install one of them.")


def _fetch_models() -> None:
    missing = weights.missing_models(MODELS)
    if not missing:
        return
    print(f"Open models: {weights.download_size(missing) >> 20} MB to fetch")
    print("\n".join(f"  {line}" for line in weights.licence_lines(missing)))
    with ProgressLines("Open models") as progress:
        weights.fetch_models(MODELS, progress, _never, python=setup.engine_python(ENGINE))


def _extension_tool() -> Path:
    """Find the command line tool for extensions that comes with Blender; it needs no Blender to run."""
    python = _make_blender(_blender_versions()[-1])
    found = sorted(python.parent.parent.glob("[Ll]ib/**/bl_pkg/cli/blender_ext.py"))
    if not found:
        raise EngineNotInstalled("This Blender has no tool for extensions.", f"Delete {python.parent.parent}.")
    return found[0]


def _never() -> bool:
    """Nobody cancels here; Ctrl-C does."""
    return False


if __name__ == "__main__":
    sys.exit(main())
