# SPDX-License-Identifier: GPL-3.0-or-later
"""Record: a frozen dataclass whose arrays are checked once, in construction, and read-only ever after.

An array field says its kind and its axes: ``expression: Annotated[Floats, "T E"]``. A letter is a length that must be
the same in every field of the record; a number is a length that must be exactly that. Nobody checks again afterwards.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int32]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Bools: TypeAlias = npt.NDArray[np.bool_]

# Not read out of the aliases: numpy versions build them differently.
_SCALARS: dict[Any, type[np.generic]] = {
    Floats: np.float32,
    Doubles: np.float64,
    Ints: np.int32,
    Bytes: np.uint8,
    Bools: np.bool_,
}


class RecordError(ValueError):
    """A record was given a value that its declaration does not allow."""


@dataclass(frozen=True)
class Axes:
    """What one array field declares."""

    dtype: np.dtype[Any]
    names: tuple[str, ...]
    optional: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Record:
    """Base of everything that crosses the wire. Subclasses are declarations; construction checks them."""

    def __post_init__(self) -> None:
        lengths: dict[str, tuple[int, str]] = {}
        for name, axes in array_fields(type(self)).items():
            value = getattr(self, name)
            if value is None and axes.optional:
                continue
            array = _checked(type(self).__name__, name, value, axes)
            _measure(type(self).__name__, name, array, axes, lengths)
            object.__setattr__(self, name, array)


@cache
def array_fields(record_type: type[Record]) -> dict[str, Axes]:
    """Find the array fields of a record type and what they declare."""
    hints = field_types(record_type)
    found = ((field.name, axes_of(hints[field.name])) for field in fields(record_type))
    return {name: axes for name, axes in found if axes is not None}


@cache
def field_types(record_type: type[Record]) -> dict[str, Any]:
    """Resolve the declared type of every field, ``Annotated`` kept."""
    return typing.get_type_hints(record_type, include_extras=True)


def axes_of(hint: Any) -> Axes | None:
    """Read ``Annotated[Floats, "T E"]`` or the same with ``| None``; None for a field that is no array."""
    inner, optional = strip_optional(hint)
    if get_origin(inner) is not Annotated:
        return None
    array, names = get_args(inner)
    return Axes(np.dtype(_SCALARS[array]), tuple(str(names).split()), optional)


def strip_optional(hint: Any) -> tuple[Any, bool]:
    """Split ``X | None`` into X and whether None is allowed."""
    if get_origin(hint) in (Union, types.UnionType):
        others = [part for part in get_args(hint) if part is not type(None)]
        if len(others) == 1:
            return others[0], True
    return hint, False


def _checked(owner: str, name: str, value: Any, axes: Axes) -> npt.NDArray[Any]:
    array = np.asarray(value)
    if array.dtype != axes.dtype:
        if not np.can_cast(array.dtype, axes.dtype, casting="same_kind"):
            raise RecordError(f"{owner}.{name}: {array.dtype} cannot become {axes.dtype}")
        array = array.astype(axes.dtype)
    array = np.ascontiguousarray(array) if array.ndim else array
    if array.flags.writeable:
        array = array.copy() if array is value or array.base is not None else array
        array.setflags(write=False)
    return array


def _measure(
    owner: str, name: str, array: npt.NDArray[Any], axes: Axes, lengths: dict[str, tuple[int, str]]
) -> None:
    if array.ndim != len(axes.names):
        raise RecordError(
            f"{owner}.{name}: shape {array.shape} where axes {' '.join(axes.names)!r} are due"
        )
    for axis, length in zip(axes.names, array.shape, strict=True):
        due, source = (
            (int(axis), "declared") if axis.isdigit() else lengths.setdefault(axis, (length, name))
        )
        if length != due:
            raise RecordError(
                f"{owner}.{name}: axis {axis} is {length} long, but {due} by {source}"
            )
