# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: its own process with its own Python; of the extension it knows the wire alone.

Importing it has one effect, which must come before numpy is loaded: linear algebra gets one thread.
Our systems are small, and several threads on a busy machine wait for each other: the same solve
took 40 times longer (measured).
"""

import os

for _library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
