"""Sandwich covariances: sums of scores by cluster, their small-sample factors, and a record of both.

Letters: `bread` = inverse information (k, k); `scores` = derivative of the log-likelihood per row (n, k);
G = number of clusters. Cameron, Gelbach & Miller (2011), J. Bus. Econ. Statist. 29, 238-249; Thompson (2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from jobchance.errors import DesignError
from jobchance.options import check_option

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

ROBUST_KINDS = ("HC0", "HC1")


@dataclass(frozen=True)
class SandwichRecord:
    """What a sandwich covariance was made of, so that a result can state its convention.

    Parameters
    ----------
    kind : str
        `HC0`, `HC1` or `cluster`.
    n_clusters : tuple of int
        Clusters per dimension, in the order given; empty for HC0 and HC1.
    terms : tuple of tuple of int
        Dimensions of each term of the inclusion-exclusion sum: `(0,)`, `(1,)`, `(0, 1)`.
    factors : tuple of float
        Small-sample factor of each term (1 = none); one number for HC0 and HC1.
    df : int or None
        Smallest number of clusters less one; `None` without clusters.
    n_raised_eigenvalues : int
        Negative eigenvalues that were set to zero because the sum of a multi-way covariance was not
        positive semi-definite; 0 otherwise.
    """

    kind: str
    n_clusters: tuple[int, ...]
    terms: tuple[tuple[int, ...], ...]
    factors: tuple[float, ...]
    df: int | None
    n_raised_eigenvalues: int = 0


@dataclass(frozen=True, eq=False)
class Sandwich:
    """A covariance matrix (k, k) and the record of its conventions."""

    cov: Floats
    record: SandwichRecord


def cluster_covariance(
    bread: Floats,
    scores: Floats,
    codes_list: Sequence[Codes],
    *,
    n: int,
    k: int,
    names: Sequence[str] | None = None,
) -> Sandwich:
    """Covariance that allows dependence within clusters, in one or several crossed dimensions.

    One dimension: `G/(G-1) * (n-1)/(n-k) * bread @ (sum_g s_g s_g') @ bread` with `s_g` the scores summed
    over cluster g. Several dimensions: inclusion-exclusion over all their intersections; each term has its
    own factor except the intersection of *all* dimensions, which has none. Where every cell of that
    intersection holds one row this is HC0, and the result equals `vcovCL(..., multi0 = TRUE)` of R's
    sandwich; where cells hold several rows, the scores are summed within the cell first.

    Parameters
    ----------
    bread : array (k, k)
        Inverse information of the parameters.
    scores : array (n, k)
        One row per observation.
    codes_list : sequence of integer arrays (n,)
        Cluster of each row, one array per dimension; any non-negative integers.
    n, k : int
        Rows and parameters that enter the small-sample factor (k may count absorbed effects).
    names : sequence of str, optional
        Names of the dimensions, for messages.

    Returns
    -------
    Sandwich
        The covariance and its `SandwichRecord` with `df` = smallest G less one.

    Raises
    ------
    DesignError
        A dimension has fewer than two clusters, or rows without a cluster; n <= k.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.ones((4, 1))
    >>> out = cluster_covariance(np.array([[0.25]]), x * [[1.0], [1.0], [-1.0], [-1.0]],
    ...                          [np.array([0, 0, 1, 1])], n=4, k=1)
    >>> float(out.cov[0, 0]), out.record.df
    (1.0, 1)
    """
    labels = list(names) if names is not None else [f"dimension {i + 1}" for i in range(len(codes_list))]
    dense = [dense_codes(codes) for codes in codes_list]
    check_clusters(dense, codes_list, labels, n=n, k=k)
    everything = tuple(range(len(dense)))
    meat = np.zeros_like(bread)
    terms, factors = [], []
    for term in dimension_sets(len(dense)):
        codes, count = intersection([dense[i] for i in term])
        whole = len(term) > 1 and term == everything
        factor = 1.0 if whole else count / (count - 1) * (n - 1) / (n - k)
        sums = cluster_sums(scores, codes, n_clusters=count)
        meat += (-1) ** (len(term) + 1) * factor * (sums.T @ sums)
        terms.append(term)
        factors.append(factor)
    cov, raised = symmetric(bread @ meat @ bread), 0
    if len(dense) > 1:
        cov, raised = without_negative(cov, np.sqrt(np.diag(bread)))
    counts = tuple(count for _, count in dense)
    record = SandwichRecord("cluster", counts, tuple(terms), tuple(factors), min(counts) - 1, raised)
    return Sandwich(symmetric(cov), record)


def robust_covariance(bread: Floats, scores: Floats, *, n: int, k: int, kind: str = "HC1") -> Sandwich:
    """Covariance that allows a different variance in every row: `bread @ scores'scores @ bread`.

    `HC0` has no small-sample factor; `HC1` multiplies by `n/(n-k)` (White 1980; MacKinnon & White 1985).
    """
    check_option("kind", kind, ROBUST_KINDS)
    if n <= k:
        raise DesignError(f"Robust standard errors need more rows ({n}) than parameters ({k}).")
    factor = n / (n - k) if kind == "HC1" else 1.0
    cov = factor * bread @ (scores.T @ scores) @ bread
    return Sandwich(symmetric(cov), SandwichRecord(kind, (), ((),), (factor,), None))


def cluster_sums(scores: Floats, codes: Codes, *, n_clusters: int, out: Floats | None = None) -> Floats:
    """Scores summed over clusters, shape (n_clusters, k), in one pass over the rows.

    With `out` the sums are added to it in place, so that blocks of rows can be taken one after another and
    a cluster may be spread over several blocks.
    """
    total = np.zeros((n_clusters, scores.shape[1])) if out is None else out
    for j in range(scores.shape[1]):
        total[:, j] += np.bincount(codes, weights=scores[:, j], minlength=n_clusters)
    return total


def symmetric(matrix: Floats) -> Floats:
    """The symmetric part, which removes rounding differences across the diagonal."""
    half: Floats = (matrix + matrix.T) / 2
    return half


def dense_codes(codes: Codes) -> tuple[Codes, int]:
    """Codes renumbered 0..G-1 without gaps, and G; gaps would count as clusters."""
    levels, dense = np.unique(codes, return_inverse=True)
    return dense.astype(np.int64), len(levels)


def intersection(parts: Sequence[tuple[Codes, int]]) -> tuple[Codes, int]:
    """Codes of the cells in which all dimensions agree, renumbered after each step against overflow."""
    codes, count = parts[0]
    for other, n_other in parts[1:]:
        codes, count = dense_codes(codes * n_other + other)
    return codes, count


def dimension_sets(n_dimensions: int) -> list[tuple[int, ...]]:
    """All non-empty sets of dimensions, singles first."""
    return [s for size in range(1, n_dimensions + 1) for s in combinations(range(n_dimensions), size)]


def without_negative(cov: Floats, scale: Floats) -> tuple[Floats, int]:
    """`cov` with negative eigenvalues at zero, and how many there were (Cameron et al. 2011, section 2.3).

    The eigenvalues are those of the covariance of the parameters divided by `scale`, so that measuring a
    covariate in other units does not change the result.
    """
    values, vectors = np.linalg.eigh(cov / np.outer(scale, scale))
    negative = values < -1e-12 * max(values.max(), 0.0)
    if not negative.any():
        return cov, 0
    raised: Floats = (vectors * np.where(negative, 0.0, values)) @ vectors.T * np.outer(scale, scale)
    return raised, int(negative.sum())


def check_clusters(
    dense: Sequence[tuple[Codes, int]],
    given: Sequence[Codes],
    names: Sequence[str],
    *,
    n: int,
    k: int,
) -> None:
    """Raise one error with everything that makes the clusters unusable."""
    problems = [] if dense else ["no cluster column was given"]
    if n <= k:
        problems.append(f"{n} rows cannot carry {k} parameters")
    for name, codes, (_, count) in zip(names, given, dense, strict=True):
        missing = int(np.sum(codes < 0))
        if missing:
            problems.append(f"{name}: {missing} rows have no cluster")
        if count < 2:
            problems.append(f"{name}: {count} cluster, at least 2 are needed")
    if problems:
        raise DesignError("Clustered standard errors cannot be computed: " + "; ".join(problems) + ".")
