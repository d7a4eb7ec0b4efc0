# SPDX-License-Identifier: GPL-3.0-or-later
"""Records refuse nonsense in construction, and cannot be changed afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pytest

from pixel3dmm_blender.wire import Bools, Floats, Record, RecordError


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Take(Record):
    values: Annotated[Floats, "T 3"]
    valid: Annotated[Bools, "T"]
    extra: Annotated[Floats, "2"] | None = None


def test_an_array_of_another_float_width_becomes_float32() -> None:
    take = Take(values=np.zeros((4, 3)), valid=np.ones(4, bool))

    assert take.values.dtype == np.float32


def test_a_wrong_fixed_axis_is_refused_by_name() -> None:
    with pytest.raises(RecordError, match=r"Take\.values: axis 3 is 4 long"):
        Take(values=np.zeros((4, 4)), valid=np.ones(4, bool))


def test_two_different_lengths_of_one_axis_are_refused() -> None:
    with pytest.raises(RecordError, match=r"Take\.valid: axis T is 5 long, but 4 by values"):
        Take(values=np.zeros((4, 3)), valid=np.ones(5, bool))


def test_a_missing_axis_is_refused() -> None:
    with pytest.raises(RecordError, match="shape"):
        Take(values=np.zeros(3), valid=np.ones(3, bool))


def test_floats_do_not_pass_for_bools() -> None:
    with pytest.raises(RecordError, match="cannot become bool"):
        Take(values=np.zeros((1, 3)), valid=np.zeros(1))


def test_a_record_cannot_be_changed_through_the_array_it_was_made_from() -> None:
    mine = np.zeros((2, 3), np.float32)
    take = Take(values=mine, valid=np.ones(2, bool))

    mine[0, 0] = 7

    assert take.values[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        take.values[0, 0] = 1


def test_an_optional_array_may_be_absent_and_replaced() -> None:
    take = Take(values=np.zeros((2, 3)), valid=np.ones(2, bool))

    assert take.extra is None
    assert replace(take, extra=np.ones(2)).extra is not None
