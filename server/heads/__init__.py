# SPDX-License-Identifier: GPL-3.0-or-later
"""Head models: where each comes from, and what every one offers."""
