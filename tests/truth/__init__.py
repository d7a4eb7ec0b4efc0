# SPDX-License-Identifier: GPL-3.0-or-later
"""Ground truth for the dense solver: heads, scenes and clips with known answers, their maps, noise and errors."""
