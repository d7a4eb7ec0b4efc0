# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the bench of the solver: a table on the screen, out/bench/fit.json and out/bench/fit.png.

One thread throughout: solver and rivals alike, in turn, in one process.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tests.bench.table import FOLDER, Figure, keep

from .backends import report_backends
from .basin import report_basin
from .cases import Studio, make_studio
from .clip import report_clips
from .outliers import report_outliers
from .photo import report_original, report_photos, report_scipy
from .plot import draw_plot
from .race import report_adam

ANSWERS = FOLDER / "fit.json"
PICTURE = FOLDER / "fit.png"


def main() -> None:
    """Print the table."""
    options = _command_line().parse_args()
    torch.set_num_threads(1)
    models = Path(os.environ["PIXEL3DMM_MODELS"])
    began = time.perf_counter()
    if not options.only:
        ANSWERS.unlink(missing_ok=True)
    print(
        f"One thread of {os.cpu_count()} cores ({platform.machine()}), torch {torch.__version__}. "
        "Medians, extremes in brackets. Cases of seeds 1000 and above; tuned was on seeds below 100.\n",
        flush=True,
    )
    _report(make_studio(models), models, options.quick, options.only)
    _keep("bench: whole run", Figure(value=time.perf_counter() - began, unit="s"))
    print(f"\n{ANSWERS}\n{PICTURE}")


def _report(studio: Studio, models: Path, quick: bool, only: str) -> None:
    """Every section, or the one that is wanted."""
    sections: dict[str, Callable[[], object]] = {
        "photo": lambda: report_photos(studio, quick, _keep),
        "outliers": lambda: report_outliers(studio, quick, _keep),
        "race": lambda: _race_and_basin(studio, quick),
        "original": lambda: report_original(studio, quick, _keep),
        "scipy": lambda: report_scipy(models, quick, _keep),
        "backends": lambda: report_backends(studio, quick, _keep),
        "clip": lambda: report_clips(studio, quick, _keep),
    }
    for name, section in sections.items():
        if only in ("", name):
            section()
            print(flush=True)


def _race_and_basin(studio: Studio, quick: bool) -> None:
    race = report_adam(studio, quick, _keep)
    draw_plot(PICTURE, race, report_basin(studio, quick, _keep))


def _keep(title: str, figure: Figure) -> None:
    keep(ANSWERS, title, figure)


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build.py bench fit", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few cases, no long clips")
    parser.add_argument(
        "--only",
        default="",
        metavar="SECTION",
        help="photo, outliers, race, original, scipy, backends or clip",
    )
    return parser


if __name__ == "__main__":
    main()
