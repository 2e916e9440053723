"""`parametric_bootstrap`: what the estimates of a mixed model do when the model is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd

from jobchance.compute.base import Compute
from jobchance.compute.in_process import choose_compute
from jobchance.compute.tasks import TaskFailure
from jobchance.errors import EstimationError, SpecError
from jobchance.inference.parameters import values_of
from jobchance.inference.refit import rebuild, refitted
from jobchance.inference.simulated import check_drawable, draw_outcome
from jobchance.models.mixed_model import MixedModel
from jobchance.results.fit import Fit

Statistic = Callable[[Fit], Mapping[str, float]]
NOT_CONVERGED = "NotConverged"


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Statistics of simulated data sets.

    Parameters
    ----------
    draws : DataFrame
        One row per successful draw, by number of the draw; one column per statistic.
    estimates : Series
        The statistics of the fit itself.
    failures : mapping of str to int
        Draws without result, by kind of error; `NotConverged`: the optimum was not proved.
    """

    draws: pd.DataFrame
    estimates: pd.Series
    failures: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "failures", MappingProxyType(dict(self.failures)))

    def __reduce__(self) -> tuple[object, ...]:
        return (Bootstrap, (self.draws, self.estimates, dict(self.failures)))

    def intervals(self, *, level: float = 0.95) -> pd.DataFrame:
        """Table of all statistics with percentile and basic intervals.

        Parameters
        ----------
        level : float
            Confidence level.

        Returns
        -------
        DataFrame
            `parameter estimate bias std_error conf_low conf_high basic_low basic_high draws failed`.
            Percentile limits are quantiles of the draws; basic ones are twice the estimate less those.

        Raises
        ------
        SpecError
            A level outside (0, 1).
        """
        if not 0 < level < 1:
            raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
        low, high = self.draws.quantile((1 - level) / 2), self.draws.quantile((1 + level) / 2)
        return (
            pd.DataFrame(
                {
                    "estimate": self.estimates,
                    "bias": self.draws.mean() - self.estimates,
                    "std_error": self.draws.std(),
                    "conf_low": low,
                    "conf_high": high,
                    "basic_low": 2 * self.estimates - high,
                    "basic_high": 2 * self.estimates - low,
                    "draws": self.draws.notna().sum(),
                    "failed": sum(self.failures.values()),
                }
            )
            .rename_axis("parameter")
            .reset_index()
        )


def parametric_bootstrap(
    fit: Fit,
    data: pd.DataFrame | None = None,
    *,
    draws: int,
    seed: int | np.random.SeedSequence,
    statistic: Statistic | None = None,
    compute: Compute | None = None,
) -> Bootstrap:
    r"""Simulate from a mixed fit with new random effects, fit again, and collect what was found.

    .. math:: y^{(r)} \sim f(\cdot \mid \hat\theta), \qquad t^{(r)} = t(\text{fit of } y^{(r)})

    Parameters
    ----------
    fit : Fit
        Of `fit_mixed`, any family.
    data : DataFrame or None
        The data of the fit; `None` takes those in memory.
    draws : int
        Simulated data sets.
    seed : int or numpy.random.SeedSequence
        Draw r depends on the seed and r alone: the result is the same, bit for bit, for any `compute`.
    statistic : callable or None
        Fit without rows -> names and numbers, defined at the top of a module if `compute` is not `None`.
        `None`: coefficients, `sd[...]`, `cor[...]`, `sigma`, `loglik`.
    compute : LocalCompute, DaskCompute or None
        Where draws run; `None` is one after the other in this process.

    Returns
    -------
    Bootstrap
        Its `intervals()` is a tidy table.

    Raises
    ------
    SpecError
        Not a mixed fit, or not its data; draws below 1; no seed; weights under which no outcome can be drawn.
    EstimationError
        All draws failed.

    References
    ----------
    Davison & Hinkley (1997), Bootstrap Methods and their Application, chapters 2 and 5.

    Examples
    --------
    >>> from jobchance import fit_mixed
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 5, 9, 8], "g": ["a", "a", "b", "b", "c", "c"]})
    >>> made = parametric_bootstrap(fit_mixed("y ~ 1 + (1 | g)", data), draws=5, seed=1)
    >>> len(made.draws), dict(made.failures)
    (5, {})
    """
    check_draws(draws, seed)
    model = rebuild(fit, data, "parametric_bootstrap")
    check_drawable(model)
    rowless = Fit.from_dict(fit.to_dict())
    work = partial(_one_draw, model, rowless, statistic or default_statistic)
    outcomes = choose_compute(compute).map(work, range(draws), seed=seed, keep_going=True)
    kept, failures = sorted_out(outcomes)
    own = (statistic or default_statistic)(rowless)
    frame = pd.DataFrame.from_dict(kept, orient="index", columns=list(own), dtype=float)
    return Bootstrap(frame.rename_axis("draw"), pd.Series(dict(own), dtype=float), failures)


def default_statistic(fit: Fit) -> dict[str, float]:
    """Every estimate by name, and the log-likelihood."""
    assert fit.loglik is not None, "mixed fits have a likelihood"
    return values_of(fit) | {"loglik": fit.loglik}


def check_draws(draws: int, seed: object) -> None:
    """Refuse numbers of draws below 1 and a missing seed."""
    problems = []
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        problems.append("draws is a whole number of 1 or more")
    if seed is None:
        problems.append("seed is needed: without one the result could not be had again")
    if problems:
        raise SpecError("; ".join(problems) + ".")


def _one_draw(
    model: MixedModel, fit: Fit, statistic: Statistic, task: int, rng: np.random.Generator
) -> list[float] | str:
    """Statistics of one simulated data set."""
    again = refitted(model, draw_outcome(model, fit, rng))
    return list(statistic(again).values()) if again.converged else NOT_CONVERGED


def sorted_out(outcomes: Sequence[object]) -> tuple[dict[int, object], dict[str, int]]:
    """Results by number of the draw, and the failures by kind.

    Raises
    ------
    EstimationError
        Nothing but failures.
    """
    kinds = [o.kind if isinstance(o, TaskFailure) else o for o in outcomes]
    failures = Counter(k for k in kinds if isinstance(k, str))
    kept = {i: o for i, (o, k) in enumerate(zip(outcomes, kinds, strict=True)) if not isinstance(k, str)}
    if not kept:
        first = next((o.message for o in outcomes if isinstance(o, TaskFailure)), "no fit converged")
        raise EstimationError(f"All {len(outcomes)} draws failed; the first says: {first}")
    return kept, dict(failures)
