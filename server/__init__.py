# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: its own process with its own Python; of the extension it knows the wire alone."""
