# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene building; one file is one kind of datablock."""
