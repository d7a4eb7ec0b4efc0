# SPDX-License-Identifier: GPL-3.0-or-later
"""A .tflite file -> its layers and weights, as plain data. No code of the file is executed, no schema package needed.

Field numbers are those of the public TensorFlow Lite schema. Tensors are NHWC, as in the file; the executor turns them.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from pixel3dmm_blender.wire import WeightsCorrupt

from .flatbuffer import Table, read_flex_map, root_table
from .weights import REINSTALL

_DTYPES = {0: "<f4", 1: "<f2", 2: "<i4"}


class LayerKind(Enum):
    """What a layer does. A number is the schema's operator code, a name that of a custom operator."""

    ADD = 0
    CONCATENATION = 2
    CONV_2D = 3
    DEPTHWISE_CONV_2D = 4
    DEQUANTIZE = 6
    MAX_POOL_2D = 17
    MUL = 18
    RELU = 19
    RESHAPE = 22
    PAD = 34
    STRIDED_SLICE = 45
    PRELU = 54
    LANDMARKS_TO_MATRIX = "Landmarks2TransformMatrix"
    TRANSFORM_TENSOR = "TransformTensorBilinear"
    TRANSFORM_LANDMARKS = "TransformLandmarks"


class Activation(Enum):
    """What is applied to a layer's result."""

    NONE = 0
    RELU = 1
    RELU6 = 3


@dataclass(frozen=True)
class Window:
    """How a convolution or pooling slides."""

    same: bool
    """Padded so that the result has ceil(input / stride) pixels; else only where the window fits."""
    stride: tuple[int, int]
    """Rows, columns."""
    size: tuple[int, int] = (0, 0)
    """Of a pooling window; a convolution's is in its weights."""
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Joining:
    """How tensors are concatenated."""

    axis: int


@dataclass(frozen=True)
class Patch:
    """The square that an attention head cuts out of the feature map."""

    size: tuple[int, int]
    """Rows, columns."""
    scale: tuple[float, float] = (1.0, 1.0)
    """x, y: how much larger than the landmarks' bounding box."""
    landmarks: tuple[int, ...] = ()
    """The landmarks whose bounding box is taken, in the order in which the head returns them."""
    horizon: tuple[int, int] = (0, 0)
    """The two landmarks that lie level in the patch."""
    target_rad: float = 0.0


Options = Window | Joining | Patch | None


@dataclass(frozen=True, eq=False)
class TensorEntry:
    """One tensor; ``values`` only where the file holds them."""

    name: str
    shape: tuple[int, ...]
    values: npt.NDArray[np.generic] | None


@dataclass(frozen=True)
class Layer:
    """One operator between tensors, which are given by index."""

    kind: LayerKind
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options


@dataclass(frozen=True, eq=False)
class Graph:
    """A whole network, layers in the order in which they run."""

    tensors: tuple[TensorEntry, ...]
    layers: tuple[Layer, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def parse_tflite(content: bytes) -> Graph:
    """Parse the bytes of a .tflite file. WeightsCorrupt for anything that is not a network we can run."""
    if content[4:8] != b"TFL3":
        raise WeightsCorrupt("A network file is not a TensorFlow Lite file.", REINSTALL)
    try:
        return _read_graph(root_table(content))
    except (struct.error, IndexError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise WeightsCorrupt("A network file is damaged.", REINSTALL, detail=str(error)) from error


def _read_graph(model: Table) -> Graph:
    kinds = tuple(_read_kind(code) for code in model.tables(1))
    subgraph = model.tables(2)[0]
    buffers = model.tables(4)
    tensors = tuple(_read_tensor(table, buffers) for table in subgraph.tables(0))
    layers = tuple(_read_layer(table, kinds) for table in subgraph.tables(3))
    graph = Graph(tensors, layers, subgraph.integers(1), subgraph.integers(2))
    used = {i for layer in layers for i in layer.inputs + layer.outputs}
    if not layers or not used <= set(range(len(tensors))):
        raise ValueError("a layer names a tensor that is not there")
    return graph


def _read_kind(code: Table) -> LayerKind:
    custom = code.raw(1)
    return LayerKind(custom.decode("ascii") if custom else max(code.byte(0), code.integer(3)))


def _read_tensor(table: Table, buffers: tuple[Table, ...]) -> TensorEntry:
    shape, stored = table.integers(0), buffers[table.integer(2)].raw(0)
    values = None
    if stored:
        values = np.frombuffer(stored, _DTYPES[table.byte(1)], math.prod(shape)).reshape(shape)
    return TensorEntry(table.raw(3).decode("utf-8"), shape, values)


def _read_layer(table: Table, kinds: tuple[LayerKind, ...]) -> Layer:
    kind = kinds[table.integer(0)]
    return Layer(kind, table.integers(1), table.integers(2), _read_options(kind, table))


def _read_options(kind: LayerKind, layer: Table) -> Options:
    table = layer.table(4)
    if kind in (LayerKind.LANDMARKS_TO_MATRIX, LayerKind.TRANSFORM_TENSOR):
        return _read_patch(layer.raw(5))
    if kind is LayerKind.CONCATENATION and table:
        return Joining(table.integer(0))
    if kind is LayerKind.CONV_2D and table:
        _refuse_dilation(table, 4)
        return _read_window(table, activation=3)
    if kind is LayerKind.DEPTHWISE_CONV_2D and table:
        _refuse_dilation(table, 5)
        return _read_window(table, activation=4)
    if kind is LayerKind.MAX_POOL_2D and table:
        return _read_window(table, activation=5, size=(table.integer(4), table.integer(3)))
    if kind in (LayerKind.ADD, LayerKind.MUL) and table and table.byte(0):
        raise ValueError("an activation behind a sum or product is not expected")
    return None


def _read_window(table: Table, activation: int, size: tuple[int, int] = (0, 0)) -> Window:
    stride = (table.integer(2), table.integer(1))
    return Window(table.byte(0) == 0, stride, size, Activation(table.byte(activation)))


def _refuse_dilation(table: Table, field: int) -> None:
    if table.integer(field, 1) != 1 or table.integer(field + 1, 1) != 1:
        raise ValueError("a dilated convolution is not expected")


def _read_patch(blob: bytes) -> Patch:
    values = read_flex_map(blob)
    size = (_whole(values["output_height"]), _whole(values["output_width"]))
    if "subset_idxs" not in values:
        return Patch(size)
    subset = values["subset_idxs"]
    if not isinstance(subset, tuple):
        raise TypeError("the landmarks of a patch are not a list")
    return Patch(
        size,
        scale=(_real(values["scale_x"]), _real(values["scale_y"])),
        landmarks=subset,
        horizon=(_whole(values["left_rotation_idx"]), _whole(values["right_rotation_idx"])),
        target_rad=_real(values["target_rotation_radians"]),
    )


def _whole(value: int | float | tuple[int, ...]) -> int:
    if not isinstance(value, int):
        raise TypeError("a whole number was due")
    return value


def _real(value: int | float | tuple[int, ...]) -> float:
    if isinstance(value, tuple):
        raise TypeError("a number was due")
    return float(value)
