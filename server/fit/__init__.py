# SPDX-License-Identifier: GPL-3.0-or-later
"""From landmarks to identity, expression, pose and camera."""
