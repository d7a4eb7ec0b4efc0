# SPDX-License-Identifier: GPL-3.0-or-later
"""What the solver reaches on heads whose truth is known, beside its rivals: `python3 build.py bench fit`."""
