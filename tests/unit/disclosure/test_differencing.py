"""Differences of samples: exact against brute force on sets, and fast enough for thousands of samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchance.disclosure.differencing import close_combinations, close_samples, sample_difference_counts
from jobchance.errors import SpecError

SETS = st.lists(st.sets(st.integers(0, 12)), min_size=1, max_size=6)


@given(sets=SETS)
@settings(max_examples=150, deadline=None)
def test_difference_counts_are_those_of_python_sets(sets):
    counts = sample_difference_counts([sorted(one) for one in sets])
    assert counts.tolist() == [[len(a - b) for b in sets] for a in sets]


@given(sets=SETS, least=st.integers(0, 6))
@settings(max_examples=150, deadline=None)
def test_close_pairs_are_those_of_python_sets(sets, least):
    expected = [
        [i, j, len(a ^ b)]
        for i, a in enumerate(sets)
        for j, b in enumerate(sets)
        if i < j and 0 < len(a ^ b) < least
    ]
    assert close_samples([sorted(one) for one in sets], least=least).tolist() == expected


@given(sample=st.sets(st.integers(0, 9), min_size=1), sets=SETS, least=st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_close_combinations_are_those_of_python_sets(sample, sets, least):
    found = close_combinations(sorted(sample), [sorted(one) for one in sets], least=least)
    expected = set()
    for a in map(frozenset, sets):
        for b in map(frozenset, sets):
            if a and b and a.isdisjoint(b) and 0 < len((a | b) ^ sample) < least:
                expected.add((frozenset({a, b}), "sum", len((a | b) ^ sample)))
            if b and b < a and 0 < len((a - b) ^ sample) < least:
                expected.add((frozenset({a, b}), "rest", len((a - b) ^ sample)))
    named = set()
    for i, j, differ in found.tolist():
        a, b = frozenset(sets[i]), frozenset(sets[j])
        named.add((frozenset({a, b}), "sum" if a.isdisjoint(b) else "rest", differ))
    assert named == expected


def test_order_repeats_and_kind_of_code_do_not_matter():
    large = np.array([2**63 + 5, 7, 2**63 + 5], dtype=np.uint64)
    assert sample_difference_counts([large, np.array([7], dtype=np.uint64)]).tolist() == [[0, 1], [0, 0]]
    assert sample_difference_counts([[3, 1, 3], [1, 3]]).tolist() == [[0, 0], [0, 0]]
    assert sample_difference_counts([[], [1]]).tolist() == [[0, 0], [1, 0]]
    assert sample_difference_counts([[], []]).tolist() == [[0, 0], [0, 0]]
    assert sample_difference_counts([]).shape == (0, 0)


@pytest.mark.parametrize("wrong", [[True, False], ["a", "b"], [[1, 2], [3, 4]], [0.5, 1.0]])
def test_masks_and_identifiers_are_not_codes(wrong):
    with pytest.raises(SpecError, match="whole numbers"):
        sample_difference_counts([wrong])


def test_a_thousand_samples_at_once():
    rng = np.random.default_rng(5)
    base = [np.flatnonzero(rng.random(4000) < 0.7) for _ in range(40)]
    samples = [np.delete(base[i % 40], i // 40) for i in range(1000)]  # one citizen fewer, in turn
    counts = sample_difference_counts(samples)
    for i, j in [(0, 40), (3, 999), (517, 518)]:
        assert counts[i, j] == len(np.setdiff1d(samples[i], samples[j]))
    pairs = close_samples(samples, least=5)
    assert len(pairs) == 40 * (25 * 24 // 2)
    assert set(pairs[:, 2]) == {2}
