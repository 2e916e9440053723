"""`bootstrap_compare`: likelihood-ratio test of mixed models with a simulated reference distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd

from jobchance.compute.base import Compute
from jobchance.compute.in_process import choose_compute
from jobchance.inference.bootstrap import NOT_CONVERGED, check_draws, sorted_out
from jobchance.inference.compare import likelihood_ratio
from jobchance.inference.nesting import step_between
from jobchance.inference.refit import rebuild, refitted
from jobchance.inference.simulated import check_drawable, draw_outcome
from jobchance.models.mixed_model import MixedModel
from jobchance.results.fit import Fit


@dataclass(frozen=True, eq=False)
class BootstrapTest:
    """A likelihood-ratio test whose reference distribution is simulated.

    Parameters
    ----------
    table : DataFrame
        One row: `small large statistic draws failed p_value p_error`.
    null : Series
        Likelihood ratios under the smaller model, by number of the draw.
    failures : mapping of str to int
        Draws without result, by kind of error.
    """

    table: pd.DataFrame
    null: pd.Series
    failures: Mapping[str, int] = field(default_factory=dict)


def bootstrap_compare(
    small: Fit,
    large: Fit,
    data: pd.DataFrame | None = None,
    *,
    draws: int,
    seed: int | np.random.SeedSequence,
    compute: Compute | None = None,
) -> BootstrapTest:
    r"""Likelihood-ratio test of nested mixed models against data simulated from the smaller one.

    .. math:: p = \frac{1 + \#\{LR^{(r)} \ge LR\}}{R + 1}

    It needs no theory of the boundary, and is right also with few groups. Draws that fail count in neither R
    nor the numerator, and are reported.

    Parameters
    ----------
    small, large : Fit
        As for `compare_fits`.
    data, draws, seed, compute
        As for `parametric_bootstrap`.

    Returns
    -------
    BootstrapTest
        `p_error` is the simulation error of the p-value, :math:`\sqrt{p(1-p)/R}`.

    Raises
    ------
    SpecError, EstimationError
        As `compare_fits` and `parametric_bootstrap`.

    References
    ----------
    Davison & Hinkley (1997), section 4.2.5; Halekoh & Hojsgaard (2014), J. Stat. Softw. 59(9).

    Examples
    --------
    >>> from jobchance import fit_mixed
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 5, 9, 8, 3, 3], "g": list("aabbccdd"), "h": list("xyxyxyxy")})
    >>> small, large = fit_mixed("y ~ 1 + (1 | g)", data), fit_mixed("y ~ 1 + (1 | g) + (1 | h)", data)
    >>> bootstrap_compare(small, large, draws=9, seed=1).table["p_value"].item()
    1.0
    """
    check_draws(draws, seed)
    step_between(small, large, "bootstrap_compare")
    observed = likelihood_ratio(small, large)
    models = rebuild(small, data, "bootstrap_compare"), rebuild(large, data, "bootstrap_compare")
    check_drawable(models[0])
    work = partial(_one_ratio, models, Fit.from_dict(small.to_dict()))
    outcomes = choose_compute(compute).map(work, range(draws), seed=seed, keep_going=True)
    kept, failures = sorted_out(outcomes)
    null = pd.Series(kept, dtype=float, name="statistic").rename_axis("draw")
    p = (1 + int((null >= observed - 1e-8).sum())) / (len(null) + 1)
    table = pd.DataFrame(
        [
            {
                "small": small.spec["formula"],
                "large": large.spec["formula"],
                "statistic": observed,
                "draws": len(null),
                "failed": sum(failures.values()),
                "p_value": p,
                "p_error": float(np.sqrt(p * (1 - p) / len(null))),
            }
        ]
    )
    return BootstrapTest(table, null, MappingProxyType(failures))


def _one_ratio(
    models: tuple[MixedModel, MixedModel], fit: Fit, task: int, rng: np.random.Generator
) -> float | str:
    """Likelihood ratio of one simulated data set."""
    y = draw_outcome(models[0], fit, rng)
    small, large = (refitted(model, y) for model in models)
    return likelihood_ratio(small, large) if small.converged and large.converged else NOT_CONVERGED
