# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo on the head: base colour for every texel, seen or not."""

from server.texture.atlas import Atlas, load_atlas
from server.texture.bake import bake_texture
from server.texture.shot import Shot

__all__ = ["Atlas", "Shot", "bake_texture", "load_atlas"]
