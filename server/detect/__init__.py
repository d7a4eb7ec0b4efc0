# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the faces are, and their landmarks."""
