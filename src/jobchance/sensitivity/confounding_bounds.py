"""`confounder_bounds`: a confounder so many times as strong as covariates that were observed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TypeAlias

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.inference.again import known_term
from jobchance.numerics.partial_r2 import benchmark_bound, set_partial_r2
from jobchance.results.fit import Fit
from jobchance.sensitivity.confounding import check_alpha
from jobchance.sensitivity.confounding_adjusted import adjust
from jobchance.sensitivity.confounding_rows import LinearRows, classical, linear_rows

Benchmark: TypeAlias = str | Sequence[str]
COLUMNS = (
    "benchmark", "kd", "ky", "r2dx", "r2yx", "r2dz_x", "r2yz_dx", "adjusted_estimate", "adjusted_se",
    "adjusted_t", "conf_low", "conf_high", "impossible",
)  # fmt: skip


def confounder_bounds(
    fit: Fit,
    term: str,
    *,
    benchmarks: Sequence[Benchmark],
    kd: float | Sequence[float] = (1.0, 2.0, 3.0),
    ky: float | Sequence[float] | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Where the estimate would be with a confounder `kd` times as strong as an observed covariate.

    Parameters
    ----------
    fit : Fit
        Least squares with its rows; see `robustness_value`.
    term : str
        The coefficient of the exposure.
    benchmarks : sequence of str or of groups
        Each a column of the data, a coefficient, a term, or a group of these such as `["age", "education"]`.
        A categorical column, and a group, counts with all its dummy variables together. Covariates that the
        fit absorbs cannot be benchmarks: write them into the formula.
    kd : number or sequence
        How many times as strong as the benchmark the confounder is in explaining the exposure.
    ky : number, sequence or None
        The same for the outcome; `None` is `kd`. With sequences, `ky` goes along with `kd` pair by pair.
    alpha : float
        The interval covers 1 - alpha.

    Returns
    -------
    DataFrame
        One row per benchmark and strength: `benchmark kd ky`; `r2dx r2yx`, partial R2 of the benchmark with
        exposure and outcome; `r2dz_x r2yz_dx`, the confounder's (upper bounds on what it can have, given kd
        and ky); `adjusted_estimate` (towards zero), `adjusted_se adjusted_t conf_low conf_high` with df - 1
        degrees of freedom and classical errors; `impossible`: `"exposure"` or `"outcome"` where so strong a
        confounder cannot exist because it would have to explain more than all of that variable; where it is
        `"outcome"`, the numbers are those with `r2yz_dx` = 1, the most that there can be.

    Raises
    ------
    SpecError
        No benchmark, unknown names, strengths that are not positive, or a fit that is not least squares
        or without rows.

    Notes
    -----
    The bound rests on a confounder that is independent of the covariates (or the part of it that is). "As
    strong as" compares partial R2 given the other covariates. Standard errors are the classical ones: with
    clusters, read the estimate rather than the t-value.

    References
    ----------
    Cinelli & Hazlett (2020), section 4.4 and supplement B.

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.sensitivity.confounding_bounds import confounder_bounds
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=500), covariates=["sex", "birth_year"])
    >>> fit = jc.fit_glm("outcome ~ expectation + sex + birth_year", panel.frame, family="gaussian")
    >>> found = confounder_bounds(fit, "expectation", benchmarks=["sex", ["sex", "birth_year"]], kd=1)
    >>> found["benchmark"].tolist()
    ['sex', 'sex + birth_year']
    """
    check_alpha(alpha)
    strengths = _strengths(kd, ky)
    if isinstance(benchmarks, str) or not len(benchmarks):
        raise SpecError('benchmarks takes one or more columns or groups: benchmarks=["education"].')
    known_term(fit, term)
    rows = linear_rows(fit, "confounder_bounds").weighted()
    point = classical(fit, term, "confounder_bounds")
    records = []
    for benchmark, (d, y) in product(benchmarks, strengths):
        r2dx, r2yx = benchmark_r2(rows, term, benchmark)
        r2dz, r2yz = benchmark_bound(r2dx, r2yx, kd=d, ky=y)
        impossible = "exposure" if np.isnan(r2dz) else "outcome" if not r2yz <= 1 else ""
        used = 1.0 if impossible == "outcome" else r2yz
        adjusted = adjust(point, r2dz, used, alpha=alpha, reduce=True)
        records.append(
            {"benchmark": name_of(benchmark), "kd": d, "ky": y, "r2dx": r2dx, "r2yx": r2yx}
            | {"r2dz_x": r2dz, "r2yz_dx": used}
            | {key: float(value) for key, value in adjusted.items()}
            | {"impossible": impossible}
        )
    return pd.DataFrame(records, columns=list(COLUMNS))


def benchmark_r2(rows: LinearRows, term: str, benchmark: Benchmark) -> tuple[float, float]:
    """Partial R2 of a benchmark with the exposure, and with the outcome given the exposure."""
    mine = rows.places(benchmark, exposure=term)
    exposure = rows.names.index(term)
    others = [i for i in range(len(rows.names)) if i not in mine and i != exposure]
    chosen = rows.X[:, mine]
    with_exposure = set_partial_r2(rows.X[:, exposure], rows.X[:, others], chosen)
    with_outcome = set_partial_r2(rows.y, rows.X[:, [*others, exposure]], chosen)
    return with_exposure, with_outcome


def name_of(benchmark: Benchmark) -> str:
    """A benchmark's name; a group's names joined by ` + `."""
    return benchmark if isinstance(benchmark, str) else " + ".join(benchmark)


def _strengths(kd: float | Sequence[float], ky: float | Sequence[float] | None) -> list[tuple[float, float]]:
    """Pairs of strengths with the exposure and with the outcome."""
    first = [float(k) for k in np.atleast_1d(np.asarray(kd, dtype=float))]
    other = first if ky is None else [float(k) for k in np.atleast_1d(np.asarray(ky, dtype=float))]
    if len(other) == 1:
        other = other * len(first)
    if len(first) == 1:
        first = first * len(other)
    if not first or len(first) != len(other) or not all(0 < k < np.inf for k in [*first, *other]):
        raise SpecError(
            "kd and ky are positive numbers: how many times as strong as the benchmark; with several of "
            f"both, as many of each (here {len(first)} and {len(other)})."
        )
    return list(zip(first, other, strict=True))
