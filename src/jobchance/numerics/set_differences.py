"""Who stands in one sample and not in another, for every pair of many samples of the same rows.

D samples, R rows, P patterns: rows that stand in exactly the same samples are one pattern with a weight, so
that the work grows with the number of different rules rather than with the number of persons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_BLOCK = 512  # samples compared with all others at once


@dataclass(frozen=True, eq=False, repr=False)
class Patterns:
    """Rows gathered by the samples that hold them.

    Parameters
    ----------
    member : array of bool, shape (D, P)
        Whether the rows of a pattern stand in a sample.
    weight : array of int, shape (P,)
        Rows of each pattern.
    rows : tuple of P arrays
        Which rows these are.
    """

    member: Mask
    weight: Ints
    rows: tuple[Ints, ...]


@dataclass(frozen=True)
class Apart:
    """Two samples, and how many persons are behind the rows of the first that the second lacks, and back."""

    first: int
    second: int
    only_first: int
    only_second: int


def gather(samples: Sequence[Ints], n_rows: int) -> Patterns:
    """Patterns of rows; `samples` hold row numbers below `n_rows`."""
    member = np.zeros((len(samples), n_rows), dtype=bool)
    for place, rows in enumerate(samples):
        member[place, rows] = True
    used = np.flatnonzero(member.any(axis=0))
    packed = np.ascontiguousarray(np.packbits(member[:, used], axis=0).T)
    as_one = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, code, count = np.unique(as_one, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(code, kind="stable")
    own = np.split(used[order].astype(np.int64), np.cumsum(count)[:-1])
    return Patterns(member[:, used[first]], count.astype(np.int64), tuple(own))


def close_pairs(
    patterns: Patterns, person: Ints, *, fewer_than: int, among: Mask | None = None
) -> Iterator[Apart]:
    """Pairs of samples where few persons are behind the rows that only one of them has.

    Persons are at least rows divided by the most rows that one person has, which rules out most pairs before
    anybody is counted.

    Parameters
    ----------
    patterns : Patterns
        Of the samples.
    person : array of int, shape (R,)
        Person behind each row.
    fewer_than : int
        A difference of 1 to `fewer_than` - 1 persons is small.
    among : array of bool, shape (R,), optional
        Count only persons with such a row in the difference; then 0 is small as well, if the difference has
        rows at all.
    """
    if not patterns.rows:
        return
    rows = [own if among is None else own[among[own]] for own in patterns.rows]
    members = [np.unique(person[own]) for own in rows]
    most = int(np.bincount(person).max())
    least = 1 if among is None else 0
    counted = np.array([own.size for own in rows], dtype=float)
    whole = patterns.weight.astype(float)
    for start in range(0, len(patterns.member), _BLOCK):
        part = patterns.member[start : start + _BLOCK]
        there, back = _lacking(part, patterns.member, whole)
        first, second = (there, back) if among is None else _lacking(part, patterns.member, counted)
        limit = (fewer_than - 1) * most
        near = ((there > 0) & (first <= limit)) | ((back > 0) & (second <= limit))
        for i, j in zip(*np.nonzero(near), strict=True):
            if start + i >= j:
                continue
            a, b = patterns.member[start + i], patterns.member[j]
            pair = Apart(int(start + i), int(j), _persons(a & ~b, members), _persons(b & ~a, members))
            small = (least <= pair.only_first < fewer_than and there[i, j] > 0) or (
                least <= pair.only_second < fewer_than and back[i, j] > 0
            )
            if small:
                yield pair


def _lacking(part: Mask, member: Mask, weight: Floats) -> tuple[Floats, Floats]:
    """Rows of each sample in `part` that each of all samples lacks, and the reverse."""
    weighted, every = part * weight, member.astype(float)
    common = weighted @ every.T
    there: Floats = np.rint(weighted.sum(axis=1)[:, None] - common)
    back: Floats = np.rint((every @ weight)[None, :] - common)
    return there, back


def connected(n: int, pairs: Sequence[tuple[int, int]]) -> Ints:
    """Group of each of `n` things where pairs join, numbered by first appearance. Shape (n,)."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in pairs:
        a, b = sorted((root(i), root(j)))
        parent[b] = a
    roots = [root(i) for i in range(n)]
    numbers = {r: k for k, r in enumerate(dict.fromkeys(roots))}
    return np.array([numbers[r] for r in roots], dtype=np.int64)


def _persons(chosen: Mask, members: Sequence[Ints]) -> int:
    """Persons behind the rows of the chosen patterns."""
    places = np.flatnonzero(chosen)
    if places.size == 0:
        return 0
    return int(np.unique(np.concatenate([members[int(p)] for p in places])).size)
