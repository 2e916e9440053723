"""The leave-out connected set against its definition: remove each citizen and look."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jobchance.numerics.two_way_graph import leave_out_set, recode


def components(citizen, caseworker):
    """Connected components of the rows."""
    size = citizen.max() + caseworker.max() + 2
    edges = coo_array((np.ones(len(citizen)), (citizen, caseworker + citizen.max() + 1)), shape=(size, size))
    labels = connected_components(edges, directed=False)[1]
    return labels[citizen]


def by_definition(citizen, caseworker):
    """Rows kept when every citizen is removed in turn, round by round."""
    rows = np.arange(len(citizen))

    def largest(rows):
        if len(rows) == 0:
            return rows
        label = components(recode(citizen[rows]), recode(caseworker[rows]))
        sizes = [(len(set(caseworker[rows][label == k])), int((label == k).sum())) for k in set(label)]
        best = max(sizes)
        found = [k for k, size in zip(set(label), sizes, strict=True) if size == best]
        return rows[label == found[-1]] if len(found) == 1 else None

    rows = largest(rows)
    while rows is not None and len(rows):
        bad = []
        for c in np.unique(citizen[rows]):
            rest = rows[citizen[rows] != c]
            same = len(set(caseworker[rest])) == len(set(caseworker[rows]))
            lost_only_own = len(set(caseworker[rows][citizen[rows] == c])) == 1
            if not same and lost_only_own:
                continue
            if not same or len(set(components(recode(citizen[rest]), recode(caseworker[rest])))) > 1:
                bad.append(c)
        if not bad:
            counts = np.bincount(citizen[rows], minlength=citizen.max() + 1)
            return rows[counts[citizen[rows]] > 1]
        rows = largest(rows[~np.isin(citizen[rows], bad)])
    return rows


@pytest.mark.parametrize("seed", range(40))
def test_removing_every_citizen_in_turn_gives_the_same_rows(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 60))
    citizen, caseworker = recode(rng.integers(0, n // 3, n)), recode(rng.integers(0, n // 4, n))
    expected = by_definition(citizen, caseworker)
    if expected is None:
        pytest.skip("two components of one size: either may be kept")
    found = leave_out_set(citizen, caseworker)
    assert np.flatnonzero(found.rows).tolist() == expected.tolist()
    lost = found.n_outside + found.n_bridges + found.n_singletons
    assert lost + found.rows.sum() == n


def test_a_removal_may_make_another_citizen_a_bridge():
    # Citizen 0 alone reaches caseworker 2; without citizen 0, citizen 1 alone joins caseworkers 0 and 1.
    found = leave_out_set(np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 0, 1, 0, 0]))
    assert found.rounds == 2
    assert found.n_bridges == 5
    assert found.rows.tolist() == [False] * 5 + [True] * 2


def test_separate_parts_are_counted_and_the_one_with_most_caseworkers_is_kept():
    left = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 2], [3, 1], [3, 2]])
    right = np.array([[4, 3], [4, 4], [5, 3], [5, 4]] + [[6, 3]] * 9)
    both = np.vstack([left, right])
    found = leave_out_set(both[:, 0], both[:, 1])
    assert found.n_components == 2
    assert found.n_outside == len(right)
    assert found.rows.tolist() == [True] * len(left) + [False] * len(right)
