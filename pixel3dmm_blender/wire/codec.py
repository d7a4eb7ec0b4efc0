# SPDX-License-Identifier: GPL-3.0-or-later
"""Record <-> (JSON value, arrays), by walking the declared fields. An unknown or missing field is refused.

An array stands in the JSON as ``{"array": index}``; the arrays themselves travel raw behind the header.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from enum import Enum
from typing import Any, get_args, get_origin

import numpy as np
import numpy.typing as npt

from .faults import StreamCorrupt
from .record import Record, axes_of, field_types, strip_optional

Json = Any
Arrays = list[npt.NDArray[Any]]


def encode(record: Record, arrays: Arrays) -> Json:
    """Turn a record into a JSON value; its arrays are appended to ``arrays``."""
    hints = field_types(type(record))
    return {
        field.name: _encode_value(getattr(record, field.name), hints[field.name], arrays)
        for field in fields(record)
    }


def decode(record_type: type[Record], value: Json, arrays: Arrays) -> Record:
    """Rebuild a record of a known type; StreamCorrupt names the field that does not fit."""
    if not isinstance(value, dict):
        raise StreamCorrupt(f"{record_type.__name__}: an object was due")
    hints = field_types(record_type)
    unknown = set(value) - set(hints)
    if unknown:
        raise StreamCorrupt(f"{record_type.__name__}: unknown field {min(unknown)}")
    given = {
        name: _decode_value(value[name], hints[name], arrays, name)
        for name in hints
        if name in value
    }
    missing = [f.name for f in fields(record_type) if f.name not in given and f.default is MISSING]
    if missing:
        raise StreamCorrupt(f"{record_type.__name__}: field {missing[0]} is missing")
    try:
        return record_type(**given)
    except ValueError as error:
        raise StreamCorrupt(str(error)) from error


def _encode_value(value: Any, hint: Any, arrays: Arrays) -> Json:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, Record):
        return encode(value, arrays)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        inner = get_args(strip_optional(hint)[0])[0]
        return [_encode_value(part, inner, arrays) for part in value]
    raise TypeError(f"{type(value).__name__} cannot cross the wire")


def _decode_value(value: Json, hint: Any, arrays: Arrays, name: str) -> Any:
    inner, optional = strip_optional(hint)
    if value is None:
        if optional:
            return None
        raise StreamCorrupt(f"field {name} must not be empty")
    if axes_of(hint) is not None:
        return _decode_array(value, arrays, name)
    if get_origin(inner) is tuple:
        if not isinstance(value, list):
            raise StreamCorrupt(f"field {name}: a list was due")
        return tuple(_decode_value(part, get_args(inner)[0], arrays, name) for part in value)
    if isinstance(inner, type) and issubclass(inner, Record):
        return decode(inner, value, arrays)
    if isinstance(inner, type) and issubclass(inner, Enum):
        return _decode_enum(value, inner, name)
    return _decode_plain(value, inner, name)


def _decode_array(value: Json, arrays: Arrays, name: str) -> npt.NDArray[Any]:
    index = value.get("array") if isinstance(value, dict) else None
    if not isinstance(index, int) or not 0 <= index < len(arrays):
        raise StreamCorrupt(f"field {name}: an array was due")
    return arrays[index]


def _decode_enum(value: Json, kind: type[Enum], name: str) -> Enum:
    try:
        return kind(value)
    except ValueError as error:
        raise StreamCorrupt(f"field {name}: {value!r} is not known") from error


def _decode_plain(value: Json, kind: Any, name: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise StreamCorrupt(f"field {name}: {kind.__name__} was due, {type(value).__name__} came")
    return value
