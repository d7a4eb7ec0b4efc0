# SPDX-License-Identifier: GPL-3.0-or-later
"""Where networks run, chosen once, and with how many threads."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch


def choose_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe_device(device: torch.device) -> str:
    """Name a device as the user knows it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


@contextmanager
def single_thread() -> Generator[None]:
    """Run small networks on one thread.

    Their layers take microseconds; handing them to a pool costs more than it brings, and on a busy machine with two
    cores it was measured to be 40 times slower.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
