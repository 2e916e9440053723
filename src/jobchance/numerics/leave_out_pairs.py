"""Variance of raters from products over pairs of different persons, and the noise of leave-out means.

Letters: rating `b` of person `i` by rater `j` in cell `c`; b = mu_c + a_j + u_ij + e. `S`, `n` are sums and
counts, `P`, `N` sums of products and numbers of (ordered) pairs. Products of different persons' ratings hold
no noise, so their mean needs no correction for it (as in
Kline, Saggio & Sølvsten 2020, Econometrica 88, 1859-1898).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RatingParts:
    """Variance components of ratings within cells, and how much each rater moves them.

    Parameters
    ----------
    rater, lasting, passing : float
        Variance of `a`, of `u` and of `e`; `rater` may come out negative.
    influence : array (J, 3)
        Influence of each rater on the three; their sum over raters is zero.
    n_pairs : float
        Ordered pairs of different persons with one rater in one cell.
    """

    rater: float
    lasting: float
    passing: float
    influence: Floats
    n_pairs: float


def rating_parts(b: Floats, *, person: Codes, rater: Codes, cell: Codes) -> RatingParts:
    r"""Moments of pairs within a cell, each less that of pairs that share neither rater nor person.

    .. math:: \hat\sigma^2_a = \frac{\sum_c \{P_{1c} - N_{1c} P_{0c} / N_{0c}\}}{\sum_c N_{1c}}

    with pairs 1 = same rater, different persons; pairs 0 = different raters, different persons. Pairs of one
    person with one rater give `a + u`, squares give `a + u + e`. All three are unbiased whatever the cell
    means are. Where nobody is rated twice by one rater in a cell, all noise counts as lasting.

    Parameters
    ----------
    b : array (n,)
        Ratings, complete.
    person, rater, cell : integer arrays (n,)
        Codes from 0; raters without gaps.

    Returns
    -------
    RatingParts
        NaN throughout where no cell holds both kinds of pairs.

    Notes
    -----
    The influences are those of the infinitesimal jackknife over raters (Jaeckel 1972).

    Examples
    --------
    >>> parts = rating_parts(np.array([0.0, 0, 2, 2]), person=np.arange(4),
    ...                      rater=np.array([0, 0, 1, 1]), cell=np.zeros(4, dtype=int))
    >>> parts.rater
    2.0
    """
    J = int(rater.max()) + 1
    # Only distances from a common level enter the differences; a level far from zero would cost digits.
    centred, ones = b - b.mean(), np.ones(len(b))
    P, N = (_products(values, person=person, rater=rater, cell=cell) for values in (centred, ones))
    usable = (N.others > 0) & (N.mates > 0)
    if not usable.any():
        nan = float("nan")
        return RatingParts(nan, nan, nan, np.full((J, 3), nan), 0.0)
    level = np.divide(P.others, N.others, out=np.zeros_like(P.others), where=N.others > 0)
    made = [
        _excess(P, N, kind=kind, level=level, usable=usable, n_raters=J)
        for kind in ("mates", "repeats", "squares")
    ]
    (a, a_moves), (au, au_moves), (total, total_moves) = made
    if np.isnan(au):
        au, au_moves = total, total_moves
    influence = np.column_stack([a_moves, au_moves - a_moves, total_moves - au_moves])
    return RatingParts(a, au - a, total - au, influence, float(N.mates[usable].sum()))


def leave_out_loads(
    *, person: Codes, rater: Codes, at_person: Codes, at_rater: Codes
) -> tuple[Floats, Floats]:
    """How much of `u` and of `e` is in a rater's mean over all ratings but those of one person.

    With m_k ratings of person k and N = sum of m_k over k != i: `sum m_k^2 / N^2` and `1 / N`.

    Parameters
    ----------
    person, rater : integer arrays (n,)
        Of the ratings.
    at_person, at_rater : integer arrays (m,)
        The person left out and the rater, of each row wanted.

    Returns
    -------
    tuple of arrays (m,)
        Loads of the lasting and of the passing part; inf where nothing is left.
    """
    width = int(max(person.max(), at_person.max())) + 1
    keys, counts = np.unique(rater * width + person, return_counts=True)
    J = int(max(rater.max(), at_rater.max())) + 1
    owner = keys // width
    total = np.bincount(owner, weights=counts, minlength=J)
    squares = np.bincount(owner, weights=counts**2, minlength=J)
    wanted = at_rater * width + at_person
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    own = np.where(keys[place] == wanted, counts[place], 0)
    left = total[at_rater] - own
    with np.errstate(divide="ignore", invalid="ignore"):
        lasting = np.where(left > 0, (squares[at_rater] - own**2) / left**2, np.inf)
        passing = np.where(left > 0, 1 / left, np.inf)
    return lasting, passing


@dataclass(frozen=True, eq=False)
class _Products:
    """Sums of products over ordered pairs by cell (C,), and each rater's part in them (groups j x c)."""

    squares: Floats
    repeats: Floats
    mates: Floats
    others: Floats
    by_rater: dict[str, Floats]
    group_rater: Codes
    group_cell: Codes


def _products(b: Floats, *, person: Codes, rater: Codes, cell: Codes) -> _Products:
    """All four kinds of pairs from group sums."""
    C, width = int(cell.max()) + 1, int(person.max()) + 1
    groups, g = np.unique(rater * C + cell, return_inverse=True)
    group_rater, group_cell = groups // C, groups % C
    triples, t = np.unique(g * width + person, return_inverse=True)
    t_group, t_person = triples // width, triples % width
    _, pc = np.unique(t_person * C + group_cell[t_group], return_inverse=True)
    S_t = _sums(t, b)
    S_pc = _sums(pc, S_t)[pc]
    S_g = _sums(t_group, S_t)
    S_c = _sums(group_cell, S_g)[group_cell]
    squares, own = _sums(g, b**2), _sums(t_group, S_t**2)
    by_rater = {
        "squares": squares,
        "repeats": own - squares,
        "mates": S_g**2 - own,
        # with another rater's ratings of another person; each such pair belongs to both raters
        "others": S_g * (S_c - S_g) - _sums(t_group, S_t * (S_pc - S_t)),
    }
    by_cell = {kind: _sums(group_cell, part, C) for kind, part in by_rater.items()}
    return _Products(**by_cell, by_rater=by_rater, group_rater=group_rater, group_cell=group_cell)


def _sums(codes: Codes, values: Floats, size: int = 0) -> Floats:
    """Sum of the values by code."""
    sums: Floats = np.bincount(codes, weights=values, minlength=size).astype(np.float64)
    return sums


def _excess(
    P: _Products, N: _Products, *, kind: str, level: Floats, usable: NDArray[np.bool_], n_raters: int
) -> tuple[float, Floats]:
    """Mean product of one kind of pairs above that of unrelated pairs, and each rater's influence (J,)."""
    n_kind = np.where(usable, getattr(N, kind), 0.0)
    total = float(n_kind.sum())
    if total == 0:
        return float("nan"), np.full(n_raters, np.nan)
    above = np.where(usable, getattr(P, kind) - level * n_kind, 0.0)
    value = float(above.sum()) / total
    c, use = P.group_cell, usable[P.group_cell]
    weight = np.divide(n_kind, N.others, out=np.zeros_like(n_kind), where=N.others > 0)[c]
    direct = P.by_rater[kind] - (level[c] + value) * N.by_rater[kind]
    through_level = 2 * weight * (P.by_rater["others"] - level[c] * N.by_rater["others"])
    moves = np.where(use, direct - through_level, 0.0)
    return value, _sums(P.group_rater, moves, n_raters) / total
