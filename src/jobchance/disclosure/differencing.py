"""How few persons set two samples apart: the number that subtracting two published results would be about.

A, B: samples as sets of persons; A - B: persons of A who are not in B; differ: |A - B| + |B - A|.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jobchance.errors import SpecError

_EXACT_IN_SINGLE = 2**24  # whole numbers up to here are exact in single precision
_MANY_PAIRS = 1_500

Counts = NDArray[np.int64]


def sample_difference_counts(samples: Sequence[ArrayLike]) -> Counts:
    """Persons in each sample who are missing from each other sample: `|A_i - A_j|`, exact.

    Persons who are in exactly the same samples are counted together, so the cost grows with the number of
    *different* memberships: 2,000 different samples of 11,000 rows take a few seconds.

    Parameters
    ----------
    samples : sequence of array of int
        The persons of each sample as whole numbers (positions or codes common to all samples), in any order;
        a person named twice counts once. Boolean masks are not codes: pass `np.flatnonzero(mask)`.

    Returns
    -------
    array of int, shape (number of samples, number of samples)
        Row i, column j: persons in sample i who are not in sample j. The number of persons by which two
        samples differ is the sum of the entry and its mirror image.

    Raises
    ------
    SpecError
        A sample holds something else than whole numbers.

    Examples
    --------
    >>> sample_difference_counts([[1, 2, 3, 4], [2, 3, 4], [1, 2, 3, 4]]).tolist()
    [[0, 1, 0], [0, 0, 0], [0, 1, 0]]
    """
    codes = [_codes(sample) for sample in samples]
    if not codes:
        return np.zeros((0, 0), dtype=np.int64)
    distinct, place = _distinct(codes)
    common = _common(distinct)
    only = common.diagonal()[:, None] - common
    return only[np.ix_(place, place)]


def close_samples(samples: Sequence[ArrayLike], *, least: int) -> Counts:
    """Pairs of samples that differ by 1 to `least - 1` persons: their results should not both be shown.

    Subtracting the result of one sample from that of the other leaves a statement about the persons by whom
    they differ. Equal samples are no pair.

    Parameters
    ----------
    samples : sequence of array of int
        As for `sample_difference_counts`.
    least : int
        Smallest number of persons that a published number may be about (`policy.min_persons`).

    Returns
    -------
    array of int, shape (number of pairs, 3)
        Positions of the two samples (the earlier first) and the number of persons by which they differ;
        in the order of positions.

    Examples
    --------
    >>> close_samples([range(100), range(97), range(50)], least=5).tolist()
    [[0, 1, 3]]
    """
    only = sample_difference_counts(samples)
    differ = np.triu(only + only.T, k=1)
    first, second = np.nonzero((differ > 0) & (differ < least))
    return np.column_stack([first, second, differ[first, second]]).astype(np.int64)


def close_combinations(sample: ArrayLike, others: Sequence[ArrayLike], *, least: int) -> Counts:
    """Pairs of other samples whose sum or difference is nearly the sample.

    Totals of two disjoint samples add up to the total of both, and the total of a part can be taken from
    that of the whole; both give a number for a sample that was never shown itself.

    Parameters
    ----------
    sample : array of int
        The persons of one sample.
    others : sequence of array of int
        The samples to combine. Of more than 1,500 different ones only the first 1,500 are combined.
    least : int
        Smallest number of persons that a published number may be about.

    Returns
    -------
    array of int, shape (number of pairs, 3)
        Positions of the two others and by how many persons (1 to `least - 1`) `A + B` (`A` and `B` disjoint)
        or `A - B` (`B` a part of `A`) differs from the sample. Three or more are not combined, nor pairs
        that overlap in part, whose sum is a number about nobody in particular.

    Examples
    --------
    >>> close_combinations(range(99), [range(50), range(50, 100)], least=5).tolist()
    [[0, 1, 1]]
    """
    if not len(others):
        return np.zeros((0, 3), dtype=np.int64)
    distinct, place = _distinct([_codes(one) for one in others])
    common = _common([*distinct, _codes(sample)])
    found = near_combinations(common, len(distinct), np.arange(len(distinct)), least=least)
    first_place = np.array([int(np.flatnonzero(place == one)[0]) for one in range(len(distinct))])
    return np.column_stack([first_place[found[:, 0]], first_place[found[:, 1]], found[:, 2]])


def near_combinations(common: Counts, sample: int, others: Counts, *, least: int) -> Counts:
    """`close_combinations` from the matrix of shared persons; positions are those of the matrix."""
    others = others[:_MANY_PAIRS]
    size, shared = common.diagonal()[others], common[sample, others]
    within, whole = common[np.ix_(others, others)], common[sample, sample]
    added = whole + (size[:, None] + size) - 2 * (shared[:, None] + shared)
    taken = whole + (size[:, None] - size) - 2 * (shared[:, None] - shared)
    disjoint = np.triu(within == 0, k=1) & (size[:, None] > 0) & (size > 0)
    nested = (within == size) & (size > 0) & (size[:, None] > size)  # column is part of row
    near_sum = disjoint & (added > 0) & (added < least)
    near_rest = nested & (taken > 0) & (taken < least)
    rows = [
        np.column_stack([others[i], others[j], differ[i, j]])
        for near, differ in ((near_sum, added), (near_rest, taken))
        for i, j in [np.nonzero(near)]
    ]
    return np.concatenate(rows).astype(np.int64)


def shared_counts(samples: Sequence[ArrayLike]) -> Counts:
    """Persons that two samples share, for every pair; the samples' sizes on the diagonal."""
    return _common([_codes(sample) for sample in samples])


def _codes(sample: ArrayLike) -> Counts:
    """The persons of one sample, sorted, each once."""
    codes = np.asarray(sample)
    if codes.size == 0:
        return np.zeros(0, dtype=np.int64)
    if codes.ndim != 1 or not np.issubdtype(codes.dtype, np.integer):
        raise SpecError(
            "a sample must be one row of whole numbers that stand for persons; for a mask, pass "
            "np.flatnonzero(mask), for identifiers, pandas.factorize(ids)[0] over all samples at once."
        )
    return np.unique(codes.astype(np.int64))  # one type: mixed ones would be joined as inexact floats


def _distinct(samples: Sequence[Counts]) -> tuple[list[Counts], Counts]:
    """Every different sample once, and where each sample is found among them."""
    seen: dict[bytes, int] = {}
    distinct: list[Counts] = []
    place = np.empty(len(samples), dtype=np.int64)
    for number, codes in enumerate(samples):
        key = codes.dtype.str.encode() + codes.tobytes()
        if key not in seen:
            seen[key] = len(distinct)
            distinct.append(codes)
        place[number] = seen[key]
    return distinct, place


def _common(samples: Sequence[Counts]) -> Counts:
    """Persons that two samples share, for every pair."""
    everyone, position = np.unique(np.concatenate(list(samples)), return_inverse=True)
    member = np.zeros((len(samples), len(everyone)), dtype=bool)
    owner = np.repeat(np.arange(len(samples)), [len(one) for one in samples])
    member[owner, position] = True
    signature = np.ascontiguousarray(np.packbits(member, axis=0).T)
    if signature.size == 0:
        return np.zeros((len(samples), len(samples)), dtype=np.int64)
    rows = signature.view(np.dtype((np.void, signature.shape[1]))).ravel()
    _, first, persons = np.unique(rows, return_index=True, return_counts=True)
    kind = np.float32 if len(everyone) < _EXACT_IN_SINGLE else np.float64
    groups = member[:, first].astype(kind)
    return np.asarray((groups * persons.astype(kind)) @ groups.T).astype(np.int64)
