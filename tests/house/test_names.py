# SPDX-License-Identifier: GPL-3.0-or-later
"""Names as Blender and this house want them, and words that have no place in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from .source import PACKAGES, ROOT, name_of, python_files, tree_of

KINDS = ("OT", "PT", "PG", "AP", "UL", "MT", "FH", "HT")
CLASS_NAME = re.compile(rf"^PIXEL3DMM_(?:{'|'.join(KINDS)})_[a-z][a-z0-9_]*$")
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "data", "info"}
TALKERS = {"server/batch.py"}
"""Files of the packages that are command lines, and so may print."""
BROAD = {"server/serve.py", "pixel3dmm_blender/ui/jobs.py", "pixel3dmm_blender/addon.py"}
"""The three places that may catch everything."""


def blender_classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for path in python_files("pixel3dmm_blender"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and node.name.upper().startswith("PIXEL3DMM_"):
                yield name_of(path), node


def text_of(node: ast.ClassDef, name: str) -> str | None:
    for line in node.body:
        match line:
            case ast.Assign(targets=[ast.Name(id=found)], value=ast.Constant(value=str(text))):
                if found == name:
                    return text
            case _:
                continue
    return None


def test_classes_of_blender_say_what_kind_they_are() -> None:
    assert [node.name for _, node in blender_classes() if not CLASS_NAME.match(node.name)] == []


def test_the_name_of_a_class_is_its_idname() -> None:
    wrong = [
        f"{file}:{node.lineno} {node.name} has bl_idname {idname}"
        for file, node in blender_classes()
        if (idname := text_of(node, "bl_idname")) is not None and idname != _expected(node.name)
    ]

    assert wrong == []


def _expected(class_name: str) -> str:
    """An operator's idname is dotted and without its kind; all others are called like their class."""
    prefix, kind, tail = class_name.split("_", 2)
    return f"{prefix.lower()}.{tail}" if kind == "OT" else class_name


def test_every_file_names_its_licence_first() -> None:
    files = (*python_files(*PACKAGES, "tests"), ROOT / "build.py")
    line = "# SPDX-License-Identifier: GPL-3.0-or-later\n"

    assert [name_of(it) for it in files if not it.read_text("utf-8").startswith(line)] == []


def test_every_file_says_what_it_owns() -> None:
    files = (*python_files(*PACKAGES, "tests"), ROOT / "build.py")

    assert [name_of(it) for it in files if not ast.get_docstring(tree_of(it))] == []


def test_no_file_is_named_after_nothing() -> None:
    assert [name_of(it) for it in python_files(*PACKAGES) if it.stem in EMPTY_WORDS] == []


def test_library_code_does_not_print() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files(*PACKAGES)
        if name_of(path) not in TALKERS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]

    assert found == []


def test_everything_is_caught_in_three_places_only() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files(*PACKAGES)
        if name_of(path) not in BROAD
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    ]

    assert found == []


def _is_broad(node: ast.ExceptHandler) -> bool:
    """Whether a handler swallows everything; one that ends in a bare ``raise`` only tidies up."""
    broad = node.type is None or (
        isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
    )
    again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
    return broad and not again


@pytest.mark.parametrize("word", ["flame", "makehuman", "anny", "ict", "smpl"])
def test_blenders_side_knows_no_head_model(word: str) -> None:
    pattern = re.compile(rf"\b{word}\b", re.IGNORECASE)
    found = [
        f"{name_of(path)}:{number}"
        for path in python_files("pixel3dmm_blender")
        if name_of(path) != "pixel3dmm_blender/client/weights.py"
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]

    assert found == []
