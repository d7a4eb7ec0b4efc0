# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves are smoothed where they hold noise alone, and the banded solution is the dense one."""

from __future__ import annotations

import numpy as np
import pytest

from pixel3dmm_blender.motion.whittaker import Clock, noise_of, smooth_curves, solve_whittaker
from pixel3dmm_blender.wire import Doubles

from .performance import jitter


def even(count: int, rate: float = 25.0) -> Clock:
    return Clock(np.arange(count, dtype=np.float64), rate)


def white(count: int, curves: int = 1, numbers: int = 1, seed: int = 0) -> Doubles:
    return np.random.default_rng(seed).standard_normal((count, curves, numbers))


def dense_matrix(places: Doubles, stiffness: Doubles) -> Doubles:
    matrix = np.eye(len(places))
    for t, strength in enumerate(stiffness):
        before, after = np.diff(places[t : t + 3])
        row = np.zeros(len(places))
        row[t : t + 3] = 2.0 * np.array(
            [
                1.0 / (before * (before + after)),
                -1.0 / (before * after),
                1.0 / (after * (before + after)),
            ]
        )
        matrix += 0.5 * (before + after) * strength * np.outer(row, row)
    return matrix


@pytest.mark.parametrize("count", [3, 4, 5, 40])
def test_the_banded_solution_is_that_of_the_whole_matrix(count: int) -> None:
    random = np.random.default_rng(count)
    curves = random.standard_normal((count, 3, 2))
    places = np.cumsum(random.integers(1, 4, count)).astype(np.float64)
    stiffness = np.exp(random.uniform(-6.0, 8.0, (count - 2, 3)))

    smooth = solve_whittaker(curves, places, stiffness)

    for g in range(3):
        expected = np.linalg.solve(dense_matrix(places, stiffness[:, g]), curves[:, g])
        np.testing.assert_allclose(smooth[:, g], expected, atol=1e-10)


def test_a_straight_line_stays_even_across_gaps() -> None:
    places = np.array([0.0, 1, 2, 5, 6, 11, 12, 13])
    line = (0.3 + 0.02 * places)[:, None, None]

    smooth = solve_whittaker(line, places, np.full((6, 1), 1e4))

    np.testing.assert_allclose(smooth, line, atol=1e-9)


@pytest.mark.parametrize(("freedom", "numbers"), [(1, 1), (2, 2), (3, 3)])
def test_the_noise_of_a_moving_curve_is_found(freedom: int, numbers: int) -> None:
    motion = np.sin(0.15 * np.arange(400.0))[:, None, None]

    noise = noise_of(motion + 0.02 * white(400, 1, numbers), even(400), freedom)

    np.testing.assert_allclose(noise, 0.02, rtol=0.1)


def test_a_curve_that_rests_at_its_bound_is_as_noisy_as_the_others() -> None:
    curves = 0.02 * white(200, 3)
    curves[:, 2] = 0.0
    curves[90:96, 2] = 0.7

    noise = noise_of(curves, even(200), 1)

    assert noise[2] == pytest.approx(np.median(noise[:2]))


def test_a_restless_curve_does_not_pass_for_a_noisy_one() -> None:
    curves = 0.02 * white(200, 3)
    curves[:, 2, 0] += 0.4 * np.sin(2.2 * np.arange(200.0))

    noise = noise_of(curves, even(200), 1)

    assert noise[2] == pytest.approx(1.25 * np.median(noise))


@pytest.mark.parametrize("count", [3, 4, 14])
def test_too_few_samples_show_no_noise(count: int) -> None:
    assert noise_of(white(count, 2), even(count), 1).tolist() == [0.0, 0.0]


def test_samples_beside_a_gap_show_no_noise() -> None:
    places = np.cumsum(np.tile([1.0, 1.0, 7.0], 30))

    assert noise_of(white(90), Clock(places, 25.0), 1).tolist() == [0.0]


def test_where_no_noise_is_known_nothing_is_taken_away() -> None:
    curves = white(14, 2)

    np.testing.assert_allclose(smooth_curves(curves, even(14), 2.0, 1), curves, atol=1e-6)


def test_what_is_taken_away_is_never_more_than_noise() -> None:
    steps = np.where(np.arange(300) % 40 < 20, 0.2, 0.7)[:, None, None]
    curves = steps + 0.02 * white(300)
    noise = float(noise_of(curves, even(300), 1)[0])

    smooth = smooth_curves(curves, even(300), 2.0, 1)

    assert np.abs(curves - smooth).max() <= 1.2 * 2.0 * noise
    left, before = (np.median(np.abs(np.diff(it, 2, axis=0))) for it in (smooth, curves))
    assert left < 0.3 * before


def test_a_curve_of_noise_alone_comes_to_rest() -> None:
    curves = 0.02 * white(500, 4)

    smooth = smooth_curves(curves, even(500), 2.0, 1)

    assert (jitter(smooth[:, :, 0]) < 0.2 * jitter(curves[:, :, 0])).all()


@pytest.mark.parametrize("rate", [12.5, 25.0, 60.0, 240.0])
def test_a_slow_motion_keeps_its_size_at_every_frame_rate(rate: float) -> None:
    count = int(6 * rate)
    motion = np.sin(np.pi * np.arange(count) / rate)[:, None, None]  # half a turn a second
    curves = motion + 0.02 * white(count)

    smooth = smooth_curves(curves, even(count, rate), 2.0, 1)

    assert np.sqrt(np.mean((smooth - motion) ** 2)) < 0.8 * 0.02


def test_time_may_run_backwards() -> None:
    curves = np.cumsum(0.02 * white(120, 2, 2), axis=0)
    places = np.cumsum(np.where(np.arange(120) % 31 == 0, 4.0, 1.0))
    mirrored = Clock(places[-1] - places[::-1], 25.0)

    forwards = smooth_curves(curves, Clock(places, 25.0), 2.0, 2)

    backwards = smooth_curves(curves[::-1], mirrored, 2.0, 2)[::-1]
    np.testing.assert_allclose(backwards, forwards, atol=1e-9)


def test_turning_a_vector_turns_its_smooth_curve() -> None:
    curves = np.cumsum(0.02 * white(120, 1, 3), axis=0)
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))

    smooth = smooth_curves(curves, even(120), 2.0, 3)

    np.testing.assert_allclose(
        smooth_curves(curves @ turn, even(120), 2.0, 3), smooth @ turn, atol=1e-9
    )
