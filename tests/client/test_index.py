# SPDX-License-Identifier: GPL-3.0-or-later
"""What pip says of its settings is a Python string, and is read as one."""

from __future__ import annotations

import pytest

from pixel3dmm_blender.client.index import _unquoted


@pytest.mark.parametrize(
    ("printed", "meant"),
    [
        (r"C:\\certs\\netskope.pem", r"C:\certs\netskope.pem"),
        (r"\nhttps://one/simple\nhttps://two/simple", "https://one/simple https://two/simple"),
        ("/opt/my wheels", "/opt/my wheels"),
    ],
)
def test_a_printed_setting_is_read_as_it_was_meant(printed: str, meant: str) -> None:
    assert _unquoted("'", printed) == meant
