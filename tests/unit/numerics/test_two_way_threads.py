import numpy as np
import pytest

from jobchance.numerics import two_way_threads
from jobchance.numerics.two_way import two_way_components
from jobchance.numerics.ujive import jackknife, many_instruments


def fill(out, low, high):
    out[low:high] = np.arange(low, high)


@pytest.mark.parametrize("worth", [0, 10**9])
@pytest.mark.parametrize("cut", [None, 0, 3, 11])
def test_both_parts_are_done_wherever_the_cut_lies(monkeypatch, worth, cut):
    monkeypatch.setattr(two_way_threads, "_WORTH", worth)
    out = np.full(11, -1)
    two_way_threads.in_two(fill, 11, out, cut=cut)
    assert out.tolist() == list(range(11))


@pytest.mark.parametrize("steps", [0, 10**9])
def test_results_come_in_the_order_of_what_is_given(steps):
    assert two_way_threads.each(lambda x: x**2, [3, 1, 2], steps=steps) == [9, 1, 4]


def test_an_error_in_the_other_thread_is_not_lost(monkeypatch):
    monkeypatch.setattr(two_way_threads, "_WORTH", 0)

    def refuse(low, high):
        if low == 0:
            raise ValueError("first part")

    with pytest.raises(ValueError, match="first part"):
        two_way_threads.in_two(refuse, 10)


@pytest.mark.parametrize("cells", [40, 4])
def test_crossed_projections_are_the_same_bits_with_one_thread_and_two(monkeypatch, cells):
    rng = np.random.default_rng(cells)
    n = 1_500
    cell, group, citizen = rng.integers(0, cells, n), rng.integers(0, 60, n), rng.integers(0, 500, n)
    y, d = rng.normal(size=(2, n))
    made = []
    for worth in (10**9, 0):
        monkeypatch.setattr(two_way_threads, "_WORTH", worth)
        design = many_instruments(cell, group, np.empty((n, 0)), np.empty((n, 0)), citizen)
        made.append(jackknife(design, y[design.used], d[design.used]))
    assert np.array_equal(made[0].estimates, made[1].estimates)
    assert np.array_equal(made[0].hte, made[1].hte)


def test_leave_out_variances_are_the_same_bits_with_one_thread_and_two(monkeypatch):
    rng = np.random.default_rng(3)
    citizen = np.repeat(np.arange(200), 4)
    caseworker, y = rng.integers(0, 12, 800), rng.normal(size=800)
    options = {"by_match": True, "n_projections": 30, "seed": 1, "std_errors": True}
    made = []
    for worth in (10**9, 0):
        monkeypatch.setattr(two_way_threads, "_WORTH", worth)
        made.append(two_way_components(y, citizen, caseworker, **options))
    assert np.array_equal(made[0].kss, made[1].kss)
    assert np.array_equal(made[0].covariance, made[1].covariance, equal_nan=True)
    assert np.array_equal(made[0].projection_se, made[1].projection_se)
