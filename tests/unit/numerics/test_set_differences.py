"""Who is in one sample and not in the other, against sets."""

from itertools import combinations

import numpy as np
import pytest

from jobchance.numerics.set_differences import close_pairs, connected, gather

RNG = np.random.default_rng(1)
N, PERSONS = 300, 120
PERSON = RNG.integers(0, PERSONS, N)
EVENT = RNG.random(N) < 0.1


def samples(n=25):
    """Samples of which many differ by a few rows."""
    whole = np.arange(N)
    made = [whole, np.flatnonzero(PERSON % 2 == 0), np.flatnonzero(PERSON % 2 == 1)]
    while len(made) < n:
        base = made[RNG.integers(0, 3)]
        made.append(np.sort(RNG.choice(base, size=len(base) - RNG.integers(1, 14), replace=False)))
    return made


def by_sets(one, other, among=None):
    rows = set(one.tolist()) - set(other.tolist())
    counted = [r for r in rows if among is None or among[r]]
    return len(rows), len({PERSON[r] for r in counted})


@pytest.mark.parametrize("among", [None, EVENT, ~EVENT])
def test_close_pairs_are_those_of_sets(among, monkeypatch):
    monkeypatch.setattr("jobchance.numerics.set_differences._BLOCK", 7)
    sets = samples()
    least = 1 if among is None else 0
    expected = {}
    for i, j in combinations(range(len(sets)), 2):
        there, back = by_sets(sets[i], sets[j], among), by_sets(sets[j], sets[i], among)
        if any(rows > 0 and least <= persons < 5 for rows, persons in (there, back)):
            expected[i, j] = there[1], back[1]
    found = {
        (p.first, p.second): (p.only_first, p.only_second)
        for p in close_pairs(gather(sets, N), PERSON, fewer_than=5, among=among)
    }
    assert found == expected
    assert len(found) > 10
    assert len(found) < 300


def test_patterns_hold_every_row_once():
    sets = samples(12)
    patterns = gather(sets, N)
    assert sum(patterns.weight) == len(set(np.concatenate(sets).tolist()))
    for place, rows in enumerate(sets):
        inside = [patterns.rows[p] for p in np.flatnonzero(patterns.member[place])]
        assert np.sort(np.concatenate(inside)).tolist() == rows.tolist()


def test_connected_joins_chains():
    assert connected(6, [(0, 2), (2, 4), (3, 5)]).tolist() == [0, 1, 0, 2, 0, 2]
    assert connected(3, []).tolist() == [0, 1, 2]
