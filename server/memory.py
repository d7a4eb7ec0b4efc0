# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory this process holds."""

import psutil


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(psutil.Process().memory_info().rss)
