# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the engine: ``python -I server/__main__.py --models FOLDER``.

Run by its path from the repository or from an installed extension, so the two packages are made
importable by where they lie (the first folder upwards that holds them), without touching sys.path.
"""

import importlib.util
import os
import sys
from pathlib import Path


def make_importable(package: str) -> None:
    """Import a package from the first ancestor folder of this file that holds it."""
    here = Path(__file__).resolve()
    folder = next(
        parent / package for parent in here.parents if (parent / package / "__init__.py").is_file()
    )
    spec = importlib.util.spec_from_file_location(
        package, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(package)
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    spec.loader.exec_module(module)


def leave_deleted_folder() -> None:
    """Go where there is a folder: torch's libraries do not load from a working folder that is gone."""
    try:
        Path.cwd()
    except OSError:
        os.chdir(Path(__file__).resolve().parent)


if __name__ == "__main__":
    leave_deleted_folder()
    for name in ("pixel3dmm_blender", "server"):
        if name not in sys.modules:
            make_importable(name)
    if "--prepare" in sys.argv:
        from server.prepare import main
    else:
        from server.serve import main

    main()
