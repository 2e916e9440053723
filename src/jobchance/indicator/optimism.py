"""Caseworker optimism: the mean standardised belief about other citizens, within jobcentre and period.

Letters: `i` citizen, `j` caseworker, `c` cell (jobcentre x period), `b` belief, `N` counts, `S` sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

THIRDS = ("low", "middle", "high")
_CHECKED = 3000
_ROUNDING = 1e-10  # standard deviations of belief


def leave_one_out_optimism(ratings: pd.DataFrame) -> pd.Series:
    r"""How positively the caseworker of each row rates *other* citizens than the row's own.

    .. math::
        o_{ij} = \frac{1}{\hat\sigma_{-i}\,N_{j,-i}} \sum_{r \in j,\; k(r) \ne i}
                 \left( b_r - \bar b_{c(r),-i} \right)

    summed over the ratings `r` that caseworker `j` gave of citizens `k` other than `i`. Everything on the
    right leaves out *every* rating of citizen `i`, whoever gave it and in whatever wave: the caseworker's
    mean, the mean of each jobcentre x period cell, and the standard deviation `sigma` (denominator n - 1)
    of all ratings. Changing any rating of a citizen therefore changes nothing in that citizen's own optimism
    (rule C14). The value is the same in all rows of one citizen with one caseworker; its unit is standard
    deviations of belief.

    Parameters
    ----------
    ratings : DataFrame
        One row per rating: `citizen_id caseworker_id jobcentre_id period belief`. `belief` runs from low to
        high and is NaN for "don't know"; such rows get an optimism but give none. Rows without a caseworker
        neither get nor give. A missing jobcentre is a cell of its own per period.

    Returns
    -------
    Series
        Named `optimism`, on the index of `ratings`. NaN where the caseworker is unknown or has rated no
        other citizen, or where the other citizens' ratings do not vary at all.

    Notes
    -----
    Ratings given after a row's own date count too: optimism describes the caseworker over the whole study.
    Cells hold the caseworker's own ratings of others; a caseworker alone in a cell has mean 0 there.
    Cost: group sums and sorts, O(n log n).

    References
    ----------
    Leave-out leniency as in Dahl, Kostøl & Mogstad (2014), QJE 129, eq. 1; rule C14 of the study tables.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "citizen_id": ["a", "b", "c", "d"], "caseworker_id": ["x", "x", "y", "y"],
    ...     "jobcentre_id": "1", "period": "2014H1", "belief": [1.0, 2.0, 4.0, 5.0]})
    >>> leave_one_out_optimism(rows).round(3).tolist()
    [-1.091, -1.121, 1.121, 1.091]
    """
    named = ratings["caseworker_id"].notna().to_numpy()
    belief = ratings["belief"].to_numpy(dtype=np.float64, na_value=np.nan)
    codes = _Codes(
        i=_codes(ratings["citizen_id"]),
        j=_codes(ratings["caseworker_id"]),
        c=_pair(_codes(ratings["jobcentre_id"]), _codes(ratings["period"])),
    )
    optimism = np.full(len(ratings), np.nan)
    given = named & ~np.isnan(belief)
    if given.any():
        optimism[named] = _optimism(codes.take(given), belief[given], wanted=codes.take(named))
        _assert_left_out(codes.take(given), belief[given])
    return pd.Series(optimism, index=ratings.index, name="optimism")


def optimism_thirds(panel_frame: pd.DataFrame) -> pd.Series:
    """Rows of a panel in equal thirds by `optimism`: `"low"`, `"middle"`, `"high"`.

    The cuts are the smallest values with at least one and two thirds of the rows at or below them. Rows with
    equal optimism always share a third: rows tied with a cut go to the third below it, so thirds differ in
    size by the ties. Rows without optimism have no third (None).

    Parameters
    ----------
    panel_frame : DataFrame
        Has the column `optimism`.

    Returns
    -------
    Series
        Text on the same index, named `optimism_third`.
    """
    optimism = panel_frame["optimism"].astype(float)
    third = pd.Series(None, index=panel_frame.index, dtype=object, name="optimism_third")
    known = optimism.notna()
    if known.any():
        cuts = np.quantile(optimism[known].to_numpy(), [1 / 3, 2 / 3], method="inverted_cdf")
        place = np.searchsorted(cuts, optimism[known].to_numpy(), side="left")
        third.loc[known] = np.array(THIRDS, dtype=object)[place]
    return third


@dataclass(frozen=True)
class _Codes:
    """Citizen, caseworker and cell of each rating as whole numbers from 0."""

    i: Ints
    j: Ints
    c: Ints

    def take(self, rows: NDArray[np.bool_]) -> _Codes:
        """The same for some of the ratings."""
        return _Codes(self.i[rows], self.j[rows], self.c[rows])


def _optimism(given: _Codes, b: Floats, *, wanted: _Codes) -> Floats:
    """Optimism of each wanted (citizen, caseworker) from the ratings given; arrays of the wanted rows."""
    pairs, back = np.unique(_key(wanted.i, wanted.j), return_inverse=True)
    i, j = pairs >> _SHIFT, pairs & _MASK
    own = _Sums.by(_key(given.i, given.j), b)
    worker = _Sums.by(given.j, b)
    n_other = worker.count(j) - own.count(pairs)
    total = worker.total(j) - own.total(pairs) - _cell_means(given, b, i=i, j=j)
    spread = _leave_out_sd(given.i, b, wanted=i)
    with np.errstate(divide="ignore", invalid="ignore"):
        optimism = np.where((n_other > 0) & (spread > 0), total / (n_other * spread), np.nan)
    # Alone in every cell, a caseworker has mean 0 up to rounding, which must not pass for variation.
    optimism = np.where(np.abs(optimism) < _ROUNDING, 0.0, optimism)
    found: Floats = optimism[back]
    return found


def _assert_left_out(given: _Codes, b: Floats) -> None:
    """Rule C14 on the citizen with most ratings: turning all of them round must change nothing.

    Checked on that citizen's ratings and the first few thousand others, so that it costs next to nothing.
    """
    own = given.i == np.bincount(given.i).argmax()
    some = own | (np.arange(len(b)) < _CHECKED)
    given, b, own = given.take(some), b[some], own[some]
    wanted = given.take(own)
    mirrored = np.where(own, b.min() + b.max() - b, b)
    before, after = _optimism(given, b, wanted=wanted), _optimism(given, mirrored, wanted=wanted)
    if not np.allclose(before, after, rtol=0, atol=1e-9, equal_nan=True):
        raise AssertionError("C14: optimism depends on the citizen's own ratings")


def _cell_means(given: _Codes, b: Floats, *, i: Ints, j: Ints) -> Floats:
    r"""`sum_c N_{jc,-i} mean_{c,-i}` per wanted pair: the sum over all cells, mended where `i` has ratings.

    Only cells that hold ratings of `i` differ from the plain sum `sum_c N_jc mean_c`, and a citizen has few.
    """
    cell = _Sums.by(given.c, b)
    citizen_cell = _Sums.by(_key(given.i, given.c), b)
    worker_cell = _Sums.by(_key(given.j, given.c), b)
    triple_key = _key(_key_index(given.i, given.c, citizen_cell.keys), given.j)
    triple = _Sums.by(triple_key, b)

    plain = worker_cell.n * cell.mean(worker_cell.keys & _MASK)
    sums = _Sums.by(worker_cell.keys >> _SHIFT, plain)
    means = sums.total(j)

    pair, place = _expand(i, citizen_cell.keys >> _SHIFT)
    c = citizen_cell.keys[place] & _MASK
    n_jc = worker_cell.count(_key(j[pair], c))
    n_ijc = triple.count(_key(place, j[pair]))
    n_left = cell.count(c) - citizen_cell.n[place]
    s_left = cell.total(c) - citizen_cell.s[place]
    left = np.divide(s_left, n_left, out=np.zeros(len(c)), where=n_left > 0)
    change = (n_jc - n_ijc) * left - n_jc * cell.mean(c)
    mended: Floats = means + np.bincount(pair, weights=change, minlength=len(i))
    return mended


def _leave_out_sd(citizen: Ints, b: Floats, *, wanted: Ints) -> Floats:
    """Standard deviation of all ratings but those of each wanted citizen; 0 where these do not vary."""
    own, squares = _Sums.by(citizen, b), _Sums.by(citizen, b**2)
    n = len(b) - own.count(wanted)
    s = b.sum() - own.total(wanted)
    q = (b**2).sum() - squares.total(wanted)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (q - s**2 / n) / (n - 1)
    # What cancellation leaves of a zero variance is of the order of the rounding of q.
    constant = (n < 2) | ~(variance * (n - 1) > 1e-12 * np.maximum(q, 1.0))
    return np.sqrt(np.where(constant, 0.0, variance))


_SHIFT = 32
_MASK = (1 << _SHIFT) - 1


def _key(first: Ints, second: Ints) -> Ints:
    """Two codes in one sortable whole number."""
    return (first << _SHIFT) | second


def _key_index(first: Ints, second: Ints, keys: Ints) -> Ints:
    """Place of each pair in the sorted `keys`."""
    return np.searchsorted(keys, _key(first, second)).astype(np.int64)


def _codes(values: pd.Series) -> Ints:
    """Whole numbers from 0 per distinct value; a missing value is a value of its own."""
    codes, _ = pd.factorize(values, use_na_sentinel=False)
    return codes.astype(np.int64)


def _pair(first: Ints, second: Ints) -> Ints:
    """One code from 0 per distinct pair of codes."""
    _, codes = np.unique(_key(first, second), return_inverse=True)
    return codes.astype(np.int64)


def _expand(wanted: Ints, sorted_keys: Ints) -> tuple[Ints, Ints]:
    """Every (position in `wanted`, position in `sorted_keys`) with equal value."""
    first = np.searchsorted(sorted_keys, wanted, side="left")
    size = np.searchsorted(sorted_keys, wanted, side="right") - first
    position = np.repeat(np.arange(len(wanted), dtype=np.int64), size)
    within = np.arange(size.sum(), dtype=np.int64) - np.repeat(np.cumsum(size) - size, size)
    return position, np.repeat(first, size).astype(np.int64) + within


@dataclass(frozen=True)
class _Sums:
    """Counts and sums by sorted key; keys that do not occur count 0."""

    keys: Ints
    n: Floats
    s: Floats

    @classmethod
    def by(cls, key: Ints, value: Floats) -> _Sums:
        """Sum `value` over equal keys."""
        keys, place, n = np.unique(key, return_inverse=True, return_counts=True)
        sums = np.bincount(place, weights=value, minlength=len(keys))
        return cls(keys, n.astype(np.float64), sums.astype(np.float64))

    def count(self, key: Ints) -> Floats:
        """Number of values under each key."""
        return self._at(self.n, key)

    def total(self, key: Ints) -> Floats:
        """Sum of the values under each key."""
        return self._at(self.s, key)

    def mean(self, key: Ints) -> Floats:
        """Mean of the values under each key; every key must occur."""
        return self.total(key) / self.count(key)

    def _at(self, values: Floats, key: Ints) -> Floats:
        place = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        found: Floats = np.where(self.keys[place] == key, values[place], 0.0)
        return found
