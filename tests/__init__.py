# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests, by folder: what a test needs is said by where it lies."""
