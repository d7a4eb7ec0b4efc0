# SPDX-License-Identifier: GPL-3.0-or-later
"""The one task runner: demo, test, check, bench, zip, gui, reconstruct.

Standard library only; never edits a tracked file. Everything that it makes lies in
``.environments``, ``out`` and ``dist``; delete them to start afresh.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("build.py needs Python 3.11 or newer: python3.11 build.py ...")

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tests import environments
from tests.packaging import build_zip, zip_name
from tests.runner import ROOT, TestTotals, run, run_pytest

OUT = ROOT / "out"

ENGINE_FOLDERS = ("house", "wire", "motion", "client", "server")
CLIP_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif")
DEMO_LIMIT_S = 900.0
TEST_LIMIT_S = 1200.0
BENCH_LIMIT_S = 3600.0


def main() -> int:
    """Read the command line and do what it says; every failure is a sentence."""
    options = _command_line().parse_args()
    try:
        return options.verb(options)
    except environments.Pixel3dmmError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def demo(options: argparse.Namespace) -> int:
    """One photo becomes a rigged head: out/astronaut.blend, .glb and .png."""
    image = _photo(options.image)
    environments.make_engine(options.torch_index)
    version = environments.blender_versions()[-1]
    blender = environments.make_blender(version)
    environments.fetch_models()
    scene = ["tests/demo/make_scene.py", "--image", str(image), "--output", str(OUT)]
    engine = ["--engine", str(environments.ENGINE_PYTHON), "--models", str(environments.MODELS)]
    status = run(
        [str(blender), *scene, *engine], environments.child_environment(version), DEMO_LIMIT_S
    )
    if status == 0:
        sheet = ["tests/demo/make_sheet.py", "--image", str(image), "--output", str(OUT)]
        status = run(
            [str(environments.ENGINE_PYTHON), *sheet],
            environments.child_environment(),
            DEMO_LIMIT_S,
        )
    return status


def _photo(name: str) -> Path:
    """Refuse at once what the demo would refuse after minutes."""
    image = Path(name).resolve()
    if not image.is_file():
        raise environments.FootageUnreadable(f"There is no file {image}.", "Choose a photo.")
    if image.suffix.lower() in CLIP_SUFFIXES:
        raise environments.FootageUnreadable(
            f"{image.name} is a clip, and the demo shows a photo.", "Use build.py reconstruct."
        )
    if image == OUT / f"{image.stem}.png":
        raise environments.FootageUnreadable(
            f"The demo's sheet would take the place of {image}.", "Copy the photo elsewhere first."
        )
    return image


def test(options: argparse.Namespace) -> int:
    """Run the tests in every environment that this Python can have, and sum them up in one line."""
    selection = ["-k", options.keyword] if options.keyword else []
    folders = [name for name in ENGINE_FOLDERS if options.marker in ("", name)]
    totals = TestTotals()
    environments.make_engine(options.torch_index)
    environments.fetch_models()
    if folders:
        environments.install_check_tools()
        marked = ["-m", options.marker] if options.marker else []
        arguments = [f"tests/{name}" for name in folders if (ROOT / "tests" / name).is_dir()]
        python = environments.ENGINE_PYTHON
        totals += run_pytest(
            python,
            [*arguments, *marked, *selection],
            environments.child_environment(),
            TEST_LIMIT_S,
        )
    if options.marker in ("", "blender"):
        pythons = {
            version: environments.make_blender(version)
            for version in environments.blender_versions()
        }
        for version, python in pythons.items():
            print(f"\nBlender {version}", flush=True)
            totals += run_pytest(
                python,
                ["tests/blender", *selection],
                environments.child_environment(version),
                TEST_LIMIT_S,
            )
    print(f"\n{totals}")
    return 1 if totals.failed or not totals.passed else 0


def check(options: argparse.Namespace) -> int:
    """Format, lint, types, import arrows; all of them are run, whatever the first one says."""
    environments.make_engine(options.torch_index)
    environments.install_check_tools()
    python = environments.ENGINE_PYTHON
    commands = (
        [str(python), "-m", "ruff", "format", "--check", "."],
        [str(python), "-m", "ruff", "check", "."],
        [str(python), "-m", "pyright", "--pythonpath", str(python)],
        [str(python.with_name("lint-imports" + python.suffix))],
    )
    worst = 0
    for command in commands:
        print(f"\n$ {Path(command[0]).stem} {' '.join(command[1:])}", flush=True)
        worst = max(worst, abs(run(command, environments.child_environment(), TEST_LIMIT_S)))
    print("\nAll checks passed." if worst == 0 else "\nNot all checks passed.")
    return min(worst, 1)


def bench(options: argparse.Namespace) -> int:
    """Print how long the stages take here; "bench fit": what the solver reaches beside its rivals."""
    environments.make_engine(options.torch_index)
    environments.fetch_models()
    if options.what == "fit":
        command = [str(environments.ENGINE_PYTHON), "-m", "tests.bench.fit"]
        command += ["--quick"] if options.quick else []
        return run(command, environments.child_environment(), BENCH_LIMIT_S)
    (OUT / "bench" / "stages.json").unlink(missing_ok=True)
    version = environments.blender_versions()[-1]
    blender = environments.make_blender(version)
    engine = [str(environments.ENGINE_PYTHON), "-m", "tests.bench.engine"]
    status = run(engine, environments.child_environment(), DEMO_LIMIT_S)
    rig = [str(blender), "-m", "tests.bench.blender"]
    return status or run(rig, environments.child_environment(version), DEMO_LIMIT_S)


def zip_extension(_options: argparse.Namespace) -> int:
    """Stage a copy of what the extension needs, then let Blender's own tool build and validate it."""
    return build_zip(ROOT / "dist" / zip_name(), environments.extension_tool())


def gui(options: argparse.Namespace) -> int:
    """Run the tests that need a window, in a Blender that the given command starts."""
    if not options.blender:
        print(
            "The window tests were not run: they need a command that starts a Blender with a window.\n"
            'For example: python3 build.py gui --blender "xvfb-run -a blender"',
            file=sys.stderr,
        )
        return 2
    environments.make_engine()
    environments.fetch_models()
    status = zip_extension(options)
    if status != 0:
        return status
    places = {
        "screenshots": OUT / "gui",
        "engine": environments.ENGINE_PYTHON,
        "models": environments.MODELS,
        "extension": ROOT / "dist" / zip_name(),
        "photo": ROOT / "tests" / "data" / "astronaut.png",
    }
    seen = Path(options.repository or ROOT)
    where = [
        word
        for name, place in places.items()
        for word in (f"--{name}", str(seen / place.relative_to(ROOT)))
    ]
    script = ["--background", "--python", str(seen / "tests" / "gui" / "run.py")]
    command = [*shlex.split(options.blender), *script, "--", *where]
    return run(command, dict(os.environ), TEST_LIMIT_S)


def reconstruct(options: argparse.Namespace) -> int:
    """Run the engine alone over files; exit code 0 only if every one of them succeeded."""
    environments.make_engine(options.torch_index)
    environments.fetch_models()
    command = [str(environments.ENGINE_PYTHON), "-m", "server.batch"]
    command += [str(Path(file).resolve()) for file in options.files]
    command += ["--output", str(Path(options.output).resolve())]
    command += ["--head", options.head] if options.head else []
    command += ["--same-person"] if options.same_person else []
    command += ["--meshes"] if options.meshes else []
    command += ["--overlays"] if options.overlays else []
    command += ["--focal-35mm", str(options.focal_35mm)] if options.focal_35mm else []
    return run(command, environments.child_environment(), None)


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build.py", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, function: object, needs_engine: bool = True) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        made.set_defaults(verb=function)
        if needs_engine:
            made.add_argument(
                "--torch-index",
                default="",
                metavar="URL",
                help="take torch from this package index",
            )
        return made

    verb("demo", demo).add_argument(
        "--image",
        default=str(ROOT / "tests" / "data" / "astronaut.png"),
        metavar="FILE",
        help="your own photo instead of the astronaut",
    )
    testing = verb("test", test)
    choices = ("", *ENGINE_FOLDERS, "blender")
    testing.add_argument(
        "marker",
        nargs="?",
        default="",
        choices=choices,
        metavar="MARKER",
        help=", ".join(choices[1:]),
    )
    testing.add_argument(
        "-k", dest="keyword", default="", metavar="EXPRESSION", help="as in pytest"
    )
    verb("check", check)
    benching = verb("bench", bench)
    benching.add_argument("what", nargs="?", default="", choices=("", "fit"), metavar="WHAT")
    benching.add_argument("--quick", action="store_true", help="bench fit with few cases")
    verb("zip", zip_extension, needs_engine=False)
    window = verb("gui", gui, needs_engine=False)
    window.add_argument(
        "--blender", default="", metavar="CMD", help="a command that starts a Blender with a window"
    )
    window.add_argument(
        "--repository", default="", metavar="DIR", help="this folder as that command sees it"
    )
    batch = verb("reconstruct", reconstruct)
    batch.add_argument("files", nargs="+", metavar="FILE")
    batch.add_argument("--output", required=True, metavar="DIR", help="a folder for each input")
    batch.add_argument("--head", default="", metavar="NAME", help="another head model")
    batch.add_argument(
        "--focal-35mm", type=float, default=0.0, metavar="MM", help="focal length, if you know it"
    )
    batch.add_argument("--same-person", action="store_true", help="all photos show one person")
    batch.add_argument("--meshes", action="store_true", help="for a clip: one OBJ per frame")
    batch.add_argument("--overlays", action="store_true", help="for a clip: a movie of the head")
    return parser


if __name__ == "__main__":
    sys.exit(main())
