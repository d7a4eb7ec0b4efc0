# SPDX-License-Identifier: GPL-3.0-or-later
"""Prior maps: what a network says of every pixel of a face."""
