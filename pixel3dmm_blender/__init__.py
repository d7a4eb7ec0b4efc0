# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixel3DMM for Blender: a photo or a clip of a face becomes a rigged, textured, animated head."""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from . import addon

    addon.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    from . import addon

    addon.unregister()
