# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the layers of a parsed .tflite network in torch, batched. Activations are NCHW here, NHWC in the file.

Everything that depends on the file alone (unpacking of half-precision weights, turning them to torch's order, padding)
is done once, in construction; running is then a plain loop over functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pixel3dmm_blender.wire import WeightsCorrupt
from server.device import single_thread

from .attention import landmarks_to_matrix, transform_landmarks, transform_tensor
from .tflite import Activation, Graph, Joining, Layer, LayerKind, Patch, Window, parse_tflite
from .weights import REINSTALL

Operator = Callable[[list[Tensor]], Tensor]
Padding = tuple[int, int, int, int]
_TO_NHWC = (0, 2, 3, 1)
_TO_NCHW = (0, 3, 1, 2)


@dataclass(frozen=True, eq=False)
class _Step:
    """One layer, ready to run: values[output] = operator(values of the inputs)."""

    operator: Operator
    inputs: tuple[int, ...]
    output: int


class Network:
    """A network from a .tflite file. ``side`` is the width and height of the picture it takes."""

    def __init__(self, content: bytes, device: torch.device) -> None:
        graph = parse_tflite(content)
        self.device = device
        self.side = graph.tensors[graph.inputs[0]].shape[1]
        self._input = graph.inputs[0]
        self._outputs = graph.outputs
        self._count = len(graph.tensors)
        try:
            self._steps = _build_steps(graph, device)
        except (ValueError, IndexError, KeyError, RuntimeError) as error:
            raise WeightsCorrupt(
                "A network file cannot be run.", REINSTALL, detail=str(error)
            ) from error

    def run(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Run on pictures [B, 3, side, side]; the outputs in the file's order, [B, n] or [B, n, m] (NHWC flattened)."""
        values: list[Tensor | None] = [None] * self._count
        values[self._input] = pictures.to(self.device)
        with torch.inference_mode(), single_thread():
            for step in self._steps:
                values[step.output] = step.operator([_present(values[i]) for i in step.inputs])
            return tuple(_flatten(_present(values[i])) for i in self._outputs)


def _present(value: Tensor | None) -> Tensor:
    assert value is not None, "a layer runs before its input is there"
    return value


def _flatten(value: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, H*W*C]; other ranks stay."""
    return value.permute(_TO_NHWC).flatten(1) if value.ndim == 4 else value


def _build_steps(graph: Graph, device: torch.device) -> tuple[_Step, ...]:
    """Fold what is constant and bind every remaining layer to its weights."""
    constants: dict[int, Tensor] = {
        i: torch.as_tensor(entry.values.copy()).to(device)
        for i, entry in enumerate(graph.tensors)
        if entry.values is not None
    }
    steps: list[_Step] = []
    for layer in graph.layers:
        if layer.kind is LayerKind.DEQUANTIZE:
            constants[layer.outputs[0]] = constants[layer.inputs[0]].float().to(device)
            continue
        flowing = tuple(i for i in layer.inputs if i not in constants)
        fixed = [constants[i] for i in layer.inputs if i in constants]
        steps.append(_Step(_build_operator(graph, layer, fixed), flowing, layer.outputs[0]))
    return tuple(steps)


def _build_operator(graph: Graph, layer: Layer, fixed: list[Tensor]) -> Operator:
    """Make the function of one layer; ``fixed`` are its constant inputs, in order."""
    match layer.options:
        case Window() as window if layer.kind is LayerKind.MAX_POOL_2D:
            return _build_pooling(graph, layer, window)
        case Window() as window:
            return _build_convolution(graph, layer, window, fixed[0], fixed[1])
        case Joining(axis=axis):
            return lambda values: torch.cat(values, axis)
        case Patch() as patch if layer.kind is LayerKind.LANDMARKS_TO_MATRIX:
            return lambda values: landmarks_to_matrix(values[0], patch)
        case Patch() as patch:
            return lambda values: transform_tensor(values[0], values[1], patch)
        case None:
            return _build_plain(graph, layer, fixed)


def _build_plain(graph: Graph, layer: Layer, fixed: list[Tensor]) -> Operator:
    """Make the function of a layer that has no options."""
    if layer.kind is LayerKind.RESHAPE:
        return _build_reshape(graph.tensors[layer.outputs[0]].shape)
    if layer.kind is LayerKind.STRIDED_SLICE:
        return _build_whole_slice(graph, layer, fixed)
    if fixed:
        return _WITH_CONSTANT[layer.kind](fixed[0])
    return _PLAIN[layer.kind]


def _build_slope(slope: Tensor) -> Operator:
    channels = slope.flatten()
    return lambda values: functional.prelu(values[0], channels)


def _build_factor(factor: Tensor) -> Operator:
    return lambda values: values[0] * factor


def _build_padding(amounts: Tensor) -> Operator:
    _, _, top, bottom, left, right, first, last = _whole_numbers(amounts)
    padding = (left, right, top, bottom, first, last)
    return lambda values: functional.pad(values[0], padding)


_PLAIN: dict[LayerKind, Operator] = {
    LayerKind.ADD: lambda values: values[0] + values[1],
    LayerKind.RELU: lambda values: functional.relu(values[0]),
    LayerKind.TRANSFORM_LANDMARKS: lambda values: transform_landmarks(values[0], values[1]),
}
_WITH_CONSTANT: dict[LayerKind, Callable[[Tensor], Operator]] = {
    LayerKind.PRELU: _build_slope,
    LayerKind.MUL: _build_factor,
    LayerKind.PAD: _build_padding,
}


def _build_convolution(
    graph: Graph, layer: Layer, window: Window, weights: Tensor, bias: Tensor
) -> Operator:
    depthwise = layer.kind is LayerKind.DEPTHWISE_CONV_2D
    # The file has [out, H, W, in], and [1, H, W, out] where each channel is convolved alone.
    kernel = weights.permute((3, 0, 1, 2) if depthwise else _TO_NCHW).contiguous()
    padding = _padding(graph, layer, window, (kernel.shape[2], kernel.shape[3]))
    groups = kernel.shape[0] if depthwise else 1
    left, right, top, bottom = padding
    even = left == right and top == bottom
    built_in = (top, left) if even else (0, 0)

    def convolve(values: list[Tensor]) -> Tensor:
        picture = values[0] if even else functional.pad(values[0], padding)
        result = functional.conv2d(picture, kernel, bias, window.stride, built_in, 1, groups)
        return _activate(result, window.activation)

    return convolve


def _activate(value: Tensor, activation: Activation) -> Tensor:
    if activation is Activation.RELU:
        return functional.relu(value)
    return functional.relu6(value) if activation is Activation.RELU6 else value


def _build_pooling(graph: Graph, layer: Layer, window: Window) -> Operator:
    padding = _padding(graph, layer, window, window.size)

    def pool(values: list[Tensor]) -> Tensor:
        picture = (
            functional.pad(values[0], padding, value=-torch.inf) if any(padding) else values[0]
        )
        return functional.max_pool2d(picture, window.size, window.stride)

    return pool


def _padding(graph: Graph, layer: Layer, window: Window, size: tuple[int, int]) -> Padding:
    """Left, right, top, bottom. An odd pixel goes to the right and bottom, as TensorFlow has it."""
    if not window.same:
        return (0, 0, 0, 0)
    _, height, width, _ = graph.tensors[layer.inputs[0]].shape
    top, bottom = _padding_along(height, size[0], window.stride[0])
    left, right = _padding_along(width, size[1], window.stride[1])
    return (left, right, top, bottom)


def _padding_along(length: int, size: int, stride: int) -> tuple[int, int]:
    steps = -(-length // stride)
    total = max((steps - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


def _build_reshape(shape: tuple[int, ...]) -> Operator:
    """Only the first axis is free (the batch). The order of the elements is the file's NHWC."""

    def reshape(values: list[Tensor]) -> Tensor:
        value = values[0].permute(_TO_NHWC) if values[0].ndim == 4 else values[0]
        value = value.reshape(-1, *shape[1:])
        return value.permute(_TO_NCHW) if value.ndim == 4 else value

    return reshape


def _build_whole_slice(graph: Graph, layer: Layer, fixed: list[Tensor]) -> Operator:
    """Build the one slice there is: it takes everything and only gives an output its name."""
    begin, end, step = (_whole_numbers(part) for part in fixed)
    if any(begin) or tuple(end) != graph.tensors[layer.inputs[0]].shape or set(step) != {1}:
        raise ValueError("a slice that is not the whole tensor is not expected")
    return lambda values: values[0]


def _whole_numbers(values: Tensor) -> list[int]:
    return [int(value) for value in values.flatten()]
