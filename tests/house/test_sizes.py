# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files, small functions, few parameters."""

from __future__ import annotations

import ast

from .source import PACKAGES, ROOT, name_of, python_files, tree_of

FILE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 6
FILES = (*python_files(*PACKAGES, "tests"), ROOT / "build.py")


def test_no_file_is_a_giant() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}

    assert {name: length for name, length in lengths.items() if length > FILE_LINES} == {}


def test_no_function_is_a_giant() -> None:
    found = [
        f"{name_of(path)}:{node.lineno} {node.name} has {length} lines"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    ]

    assert found == []


def test_no_function_of_the_packages_takes_too_many_parameters() -> None:
    found = [
        f"{name_of(path)}:{node.lineno} {node.name} takes {count}"
        for path in python_files(*PACKAGES)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and (count := len(_parameters(node))) > PARAMETERS
    ]

    assert found == []


def _parameters(node: ast.FunctionDef) -> list[str]:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [it.arg for it in arguments if it.arg not in ("self", "cls")]
