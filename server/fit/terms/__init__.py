# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms of the energy: each file is one kind of residual, with its formula, its Jacobian and its cost."""
