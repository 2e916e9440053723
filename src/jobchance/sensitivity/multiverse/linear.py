"""A linear specification from the work that it shares with others; the numbers of `fit_glm` and `fit_panel`.

Only clear cases are answered. Where a column stands near the limit of collinearity, a covariance of crossed
clusters near the limit of being none, or anything would be refused, the answer is `None` and the fit itself
is made: so the shared way can neither decide otherwise nor word a refusal of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from jobchance.design.nodes import quoted
from jobchance.errors import DesignError
from jobchance.numerics.linalg import TOLERANCE
from jobchance.numerics.multiverse_scores import (
    influence_by_products,
    inner,
    product_sums,
    score_sums,
    weighted_columns,
)
from jobchance.numerics.multiverse_solve import Subset, solve_subset
from jobchance.results.parts import Codes, Floats, Inference
from jobchance.sensitivity.multiverse.linear_fit import about_inference, left_out
from jobchance.sensitivity.multiverse.linear_ground import Clusters, Ground
from jobchance.sensitivity.multiverse.rows import Answer
from jobchance.sensitivity.multiverse.samples import columns_of
from jobchance.sensitivity.multiverse.specification import CR1, Specification

CLEAR = 2.0
"""Factor around a limit within which the case is not clear."""
UNVARYING = 1e-8
"""Share of its length under which a cleaned column does not vary, as in `fit_panel`."""
PRECISE = 1e-4
"""Share of its length that every kept column has left; with less, the fit itself is made."""
CALM = 0.05
"""The same for sums by cross-products, which lose twice the digits that sums over rows lose."""


@dataclass(frozen=True, eq=False)
class Shared:
    """Least squares of one specification: coefficients with the exposure first."""

    ground: Ground
    solution: Subset
    dropped_terms: tuple[str, ...]

    @property
    def kept(self) -> Codes:
        """Columns of the ground with a coefficient."""
        return self.solution.kept

    @property
    def k(self) -> int:
        """Coefficients, the intercept among them where nothing is absorbed."""
        return len(self.kept) + (not self.ground.factors)

    @property
    def df(self) -> int:
        """Rows less coefficients and absorbed effects."""
        return self.ground.n - self.k - self.ground.extra_k

    def residual(self) -> Floats:
        """Residuals (n,)."""
        used = np.append(self.kept, self.ground.outcome)
        return weighted_columns(self.ground.Z, used, np.append(-self.solution.beta, 1.0))

    def exposure(self) -> Floats:
        """Exposure less what the other columns explain, over its sum of squares (n,)."""
        return weighted_columns(self.ground.Z, self.kept, self.solution.bread[0])


def solve(spec: Specification, ground: Ground) -> Shared | None:
    """Least squares of a specification; `None` where it is no clear case."""
    asked = _places(spec, ground)
    if asked is None:
        return None
    before = solve_subset(ground.raw, np.array([0, *(p + 1 for p in asked)]), ground.outcome + 1)
    if not _clear(before):
        return None
    independent = [int(p) - 1 for p in before.kept[1:]]
    if not independent or independent[0] != asked[0]:
        return None
    gone = [(p, "earlier columns determine it") for p in asked if p not in set(independent)]
    varying = independent
    if ground.factors:
        shares = ground.varies[independent]
        if np.any((shares > UNVARYING / CLEAR) & (shares < UNVARYING * CLEAR)):
            return None
        varying = [p for p, share in zip(independent, shares, strict=True) if share > UNVARYING]
        fixed = f"does not vary within {' and '.join(ground.factors)}"
        gone += [(p, fixed) for p in independent if p not in set(varying)]
    if not varying or varying[0] != asked[0]:
        return None
    after = solve_subset(ground.clean, np.array(varying), ground.outcome)
    lost = sorted(set(varying) - set(after.kept.tolist()))
    if not _clear(after) or after.least_kept < PRECISE or (lost and not ground.factors):
        return None
    gone += [(p, "earlier columns determine it") for p in lost]
    shared = Shared(ground, after, tuple(f"{ground.names[p]} ({why})" for p, why in gone))
    return shared if shared.df > 0 else None


def answer(spec: Specification, ground: Ground, *, step: float, unit: str) -> Answer | None:
    """The number of a linear specification; `None` where it is no clear case."""
    shared = solve(spec, ground)
    if shared is None:
        return None
    found = _variance(spec, shared)
    if found is None:
        return None
    variance, inference = found
    about = about_inference(inference)
    df = inference.df
    assert isinstance(df, float), "linear models have one number of degrees of freedom"
    return Answer(
        estimate=100 * step * float(shared.solution.beta[0]),
        std_error=100 * step * math.sqrt(variance),
        df=df,
        unit=unit,
        **about | {"notes": (*left_out(shared.dropped_terms), *about["notes"])},
    )


def _places(spec: Specification, ground: Ground) -> list[int] | None:
    """Columns of the exposure and the covariates, in the order of a design; `None` if some are not shared."""
    exposure = quoted(spec.exposure)
    terms = (exposure, *spec.covariates)
    if any(term not in ground.places for term in terms) or len(ground.places[exposure]) != 1:
        return None
    columns = [column for term in terms for column in columns_of((term,))]
    again = {column for column in columns if columns.count(column) > 1}
    if len(set(terms)) < len(terms) or again & (ground.coded | set(ground.marks)):
        return None
    marked = (ground.marks[column] for column in columns[1:] if column in ground.marks)
    return [*_flat(ground.places[term] for term in terms), *marked]


def _flat(parts: Iterable[tuple[int, ...]]) -> list[int]:
    return [place for part in parts for place in part]


def _clear(solution: Subset) -> bool:
    """Whether no column stands near the limit of collinearity."""
    return solution.least_kept > CLEAR * TOLERANCE and solution.most_dropped < TOLERANCE / CLEAR


def _variance(spec: Specification, shared: Shared) -> tuple[float, Inference] | None:
    """Variance of the exposure's coefficient and how it was computed."""
    n, df = shared.ground.n, shared.df
    if spec.vcov == "model":
        own_variance = shared.solution.ssr / df * float(shared.solution.bread[0, 0])
        return own_variance, Inference("model", "", df=float(df))
    if spec.vcov == "robust":
        own = shared.exposure() * shared.residual()
        return n / df * float(inner(own, own)), Inference("HC1", "", df=float(df))
    if not spec.clusters or spec.cluster_kind != CR1:  # leverages are not shared
        return None
    try:
        clusters = shared.ground.clusters(spec.clusters)
    except DesignError:  # the fit itself says what is wrong
        return None
    k = shared.k + clusters.absorbed_k
    if n <= k:
        return None
    if len(clusters.parts) == 1:
        return _one_way(shared, clusters, k), clusters.inference
    variance = _crossed(shared, clusters, k)
    return None if variance is None else (variance, clusters.inference)


def _factor(count: int, n: int, k: int) -> float:
    """Small-sample factor of a clustered covariance."""
    return count / (count - 1) * (n - 1) / (n - k)


def _one_way(shared: Shared, clusters: Clusters, k: int) -> float:
    """Clustered variance in one dimension: sum of squared influences of the clusters."""
    ground, solution = shared.ground, shared.solution
    _, codes, count, _ = clusters.parts[0]
    if clusters.products is not None and solution.least_kept > CALM:
        used = np.append(shared.kept, ground.outcome)
        a, c = np.append(solution.bread[0], 0.0), np.append(-solution.beta, 1.0)
        psi = influence_by_products(clusters.products, used, a, c)
    else:
        psi = product_sums(shared.exposure(), shared.residual(), codes, count)
    return _factor(count, ground.n, k) * float(inner(psi, psi))


def _crossed(shared: Shared, clusters: Clusters, k: int) -> float | None:
    """Clustered variance in several dimensions; `None` where their sum is hardly a covariance."""
    ground = shared.ground
    residual, bread = shared.residual(), _whole_bread(shared)
    meat = np.zeros_like(bread)
    for sign, codes, count, factored in clusters.parts:
        sums = score_sums(ground.Z, shared.kept, residual, codes, count)
        if ground.factors:
            scores = sums[:, :-1]
        else:  # of the columns as they are, and of the intercept
            scores = sums + np.append(ground.means[shared.kept], 0.0) * sums[:, -1:]
        meat += sign * (_factor(count, ground.n, k) if factored else 1.0) * (scores.T @ scores)
    cov = bread @ meat @ bread
    scale = np.sqrt(np.diag(bread))
    values = np.linalg.eigvalsh((cov + cov.T) / 2 / np.outer(scale, scale))
    if values[0] < 1e-9 * values[-1] or not cov[0, 0] > 0:
        return None
    return float(cov[0, 0])


def _whole_bread(shared: Shared) -> Floats:
    """(X'X)^{-1} of the model's own columns: with the intercept, last, where nothing is absorbed."""
    bread = shared.solution.bread
    if shared.ground.factors:
        return bread
    means = shared.ground.means[shared.kept]
    side = -(bread @ means)[:, None]
    corner = np.array([[1 / shared.ground.n + float(means @ bread @ means)]])
    return np.block([[bread, side], [side.T, corner]])
