# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure where the landmarks of the face-mesh network lie on the MakeHuman head."""
