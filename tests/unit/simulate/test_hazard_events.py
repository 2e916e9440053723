"""Hazards end to end on one axis: sums, first events, and no event borrowed from a neighbour."""

import numpy as np
import pytest

from jobchance.simulate import calendar as cal
from jobchance.simulate.events import CumulativeHazard

START = cal.FIRST_ENTRY


@pytest.fixture
def hazard():
    """Citizen 0: rate .1 for 10 days, then 0 for 10; citizen 1: rate .5 for 20 days."""
    citizen = np.array([0, 0, 1])
    start = np.array([START, START + 10, START])
    return CumulativeHazard(
        keys=cal.key(citizen, start),
        rates=np.array([0.1, 0.0, 0.5]),
        start=start,
        last=np.array([START + 10, START + 20, START + 20]),
        citizen=citizen,
    )


def between(hazard, citizen, begin, end):
    return hazard.between(np.array([citizen]), np.array([START + begin]), np.array([START + end]))[0]


def first(hazard, citizen, begin, threshold):
    return hazard.first_event(np.array([citizen]), np.array([START + begin]), np.array([threshold]))[0]


@pytest.mark.parametrize(
    ("citizen", "begin", "end", "total"), [(0, 0, 10, 1.0), (0, 5, 15, 0.5), (0, 10, 20, 0.0), (1, 4, 8, 2.0)]
)
def test_hazard_between_days(hazard, citizen, begin, end, total):
    assert between(hazard, citizen, begin, end) == pytest.approx(total)


def test_first_event_is_on_the_day_that_the_sum_passes_the_threshold(hazard):
    assert first(hazard, 0, 0, 0.35) == START + 3
    assert first(hazard, 0, 4, 0.35) == START + 7
    assert first(hazard, 1, 0, 0.1) == START


def test_no_event_is_taken_from_the_next_citizen(hazard):
    assert first(hazard, 0, 0, 1.5) == cal.NEVER
    assert first(hazard, 0, 9, 0.2) == cal.NEVER
    assert first(hazard, 1, 0, 10.5) == cal.NEVER


def test_times_have_the_law_of_the_hazard():
    size = 200_000
    citizen = np.arange(size)
    hazard = CumulativeHazard(
        keys=cal.key(citizen, np.full(size, START)),
        rates=np.full(size, 0.002),
        start=np.full(size, START),
        last=np.full(size, START + 1000),
        citizen=citizen,
    )
    draws = np.random.default_rng(1).exponential(size=size)
    day = hazard.first_event(citizen, np.full(size, START), draws)
    # 4.5 standard deviations of a share near one half
    assert np.mean(day < START + 364) == pytest.approx(1 - np.exp(-0.728), abs=0.005)
