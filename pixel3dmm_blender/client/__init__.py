# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine process seen from Blender, still without bpy."""
