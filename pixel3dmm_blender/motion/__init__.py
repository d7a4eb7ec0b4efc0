# SPDX-License-Identifier: GPL-3.0-or-later
"""What we know about a finished head and track: pure numpy."""
