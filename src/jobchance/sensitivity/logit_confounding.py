"""`logit_confounding`: a logit refitted with an unseen binary confounder of given strength (Imbens 2003)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.errors import SpecError
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.numerics.confound_logit import LOGISTIC_VARIANCE, share_of
from jobchance.numerics.partial_r2 import residual
from jobchance.results.fit import Fit
from jobchance.sensitivity.confounding_bounds import Benchmark, name_of
from jobchance.sensitivity.confounding_logit import STRONGEST, ConfoundedLogit, read_logit

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3)
TARGETS = ("halved", "not significant")


@dataclass(frozen=True, eq=False)
class LogitConfounding:
    """A logit's coefficient under unseen binary confounders.

    Parameters
    ----------
    term, outcome : str
        The coefficient and its outcome.
    estimate, std_error : float
        Of the fit, without a confounder.
    exposure_kind : str
        `"binary"` or `"continuous"`.
    level : float
        Of the intervals.
    frame : DataFrame
        By strength: `r2_exposure r2_outcome alpha delta estimate std_error statistic conf_low conf_high
        loglik`.
    contour : DataFrame
        By `target` (`"halved"`, `"not significant"`) and `r2_exposure`: the `r2_outcome` (and `delta`) at
        which the target is met; NaN where none up to 0.9 meets it.
    benchmarks : DataFrame
        By `benchmark`: `r2_exposure r2_outcome` that observed covariates have on the same scales.
    """

    term: str
    outcome: str
    estimate: float
    std_error: float
    exposure_kind: str
    level: float
    frame: pd.DataFrame
    contour: pd.DataFrame
    benchmarks: pd.DataFrame

    def text(self, lang: str = "da") -> str:
        """What the contour says where the confounder is as strong in both, roughly (`"da"` or `"en"`)."""
        said = Formatter(lang)
        parts = []
        for target in TARGETS:
            rows = self.contour[self.contour["target"] == target].dropna(subset=["r2_outcome"])
            key = target.replace(" ", "_")
            if rows.empty:
                parts.append(label(f"confounding.logit.{key}.never", lang))
                continue
            near = rows.iloc[(rows["r2_outcome"] - rows["r2_exposure"]).abs().argmin()]
            exposure = said.percent(near["r2_exposure"], decimals=1)
            outcome = said.percent(near["r2_outcome"], decimals=1)
            parts.append(
                label(f"confounding.logit.{key}.at", lang, exposure=exposure, outcome=outcome, term=self.term)
            )
        return " ".join([*parts, label("confounding.caution", lang)])


def logit_confounding(
    fit: Fit,
    term: str,
    *,
    r2_exposure: Sequence[float] = SHARES,
    r2_outcome: Sequence[float] = SHARES,
    share: float = 0.5,
    benchmarks: Sequence[Benchmark] = (),
    level: float = 0.95,
) -> LogitConfounding:
    r"""Imbens' (2003) calibration for a logit: what would an unseen binary confounder make of a coefficient.

    :math:`U` is 0 or 1 with probability one half, independent of the covariates X. It moves the exposure by
    :math:`\alpha U` and the log odds of the outcome by :math:`\delta U`:

    .. math::
        L = \prod_i \tfrac12 \sum_{u=0,1} f(w_i \mid x_i, \alpha u)
        \Lambda(\tau w_i + x_i'\beta + \delta u)^{y_i} (1 - \Lambda(\cdot))^{1-y_i}

    is maximised over all but :math:`\alpha, \delta`, for a grid of them. The exposure has a logit if it is
    0/1, else a normal regression.

    Parameters
    ----------
    fit : Fit
        `fit_glm(..., family="binomial")` with the logit link, with its rows.
    term : str
        The exposure's coefficient: a numeric column that stands in no other term.
    r2_exposure, r2_outcome : sequence of float
        Strengths, 0 to below 1: shares that U explains of what the covariates leave of the exposure (of its
        latent variable if it is 0/1), and of the outcome's latent variable,
        :math:`(\delta^2/4) / (\delta^2/4 + \pi^2/3)`. U always biases the coefficient away from 0, so that
        taking it into account lowers it.
    share : float
        Share of the coefficient that is left on the first contour; a half by default.
    benchmarks : sequence of columns or groups
        Observed covariates to place on the same scales.
    level : float
        Of the intervals and of the second contour.

    Returns
    -------
    LogitConfounding

    Raises
    ------
    SpecError
        No logit with rows, the exposure in several terms, strengths out of range, unknown names; a weighted
        fit; standard errors of kind CR2, CR3 or jackknife.
    EstimationError
        A likelihood has no optimum that could be reached.

    Notes
    -----
    Standard errors are of the fit's own kind (clustered, if it is) with the confounder integrated out; those
    that adjust residuals for leverage (CR2, CR3, jackknife) do not exist for this likelihood.
    Odds ratios do not collapse: with alpha = 0 and delta > 0 the coefficient is *larger* than the fit's,
    since it is then about one person and not an average; only delta = 0 gives the fit back. Imbens reports
    the strengths as changes of R2 of the whole index; here they are shares of what the covariates leave.
    A continuous exposure is taken as normal given X and U: with an answer in five categories that is an
    approximation, and with a large alpha its distribution has something to say about U, too.

    References
    ----------
    Imbens, G. W. (2003), American Economic Review 93(2), 126-132; Rosenbaum & Rubin (1983), JRSS B 45,
    212-218.

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.sensitivity.logit_confounding import logit_confounding
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=500))
    >>> fit = jc.fit_glm("outcome ~ belief", panel.frame, family="binomial")
    >>> found = logit_confounding(fit, "belief", r2_exposure=[0.1], r2_outcome=[0.1])
    >>> bool(0 < found.frame["estimate"][0] < fit.params["belief"])
    True
    """
    first, other = _strengths("r2_exposure", r2_exposure), _strengths("r2_outcome", r2_outcome)
    if not 0 < share < 1 or not 0 < level < 1:
        raise SpecError("share and level must lie between 0 and 1.")
    model = read_logit(fit, term)
    records = [model.row(d, y, level) for d in first for y in other]
    critical = float(stats.norm.ppf((1 + level) / 2))
    sign = float(np.sign(model.estimate))
    goals: dict[str, Callable[[float, float], float]] = {
        TARGETS[0]: lambda tau, error: tau / model.estimate - share,
        TARGETS[1]: lambda tau, error: sign * tau / error - critical,
    }
    contour = [
        {"target": target, "r2_exposure": d} | model.crossing(d, goal)
        for target, goal in goals.items()
        for d in first
        if d > 0
    ]
    return LogitConfounding(
        term=term,
        outcome=fit.outcome,
        estimate=model.estimate,
        std_error=float(fit.std_errors[term]),
        exposure_kind="binary" if model.problem.binary else "continuous",
        level=level,
        frame=pd.DataFrame(records),
        contour=pd.DataFrame(contour, columns=["target", "r2_exposure", "r2_outcome", "delta"]),
        benchmarks=_benchmarks(model, benchmarks),
    )


def _strengths(name: str, given: Sequence[float]) -> list[float]:
    """Shares from 0 to 0.9."""
    values = [float(x) for x in np.atleast_1d(np.asarray(given, dtype=float))]
    if not values or not all(0 <= x <= STRONGEST for x in values):
        raise SpecError(f"{name}={given!r}: shares must lie from 0 to {STRONGEST}.")
    return values


def _benchmarks(model: ConfoundedLogit, benchmarks: Sequence[Benchmark]) -> pd.DataFrame:
    """Observed covariates on the confounder's scales, by the variance of their own part of the index."""
    if isinstance(benchmarks, str):
        raise SpecError(f'benchmarks takes several columns or groups: benchmarks=["{benchmarks}"].')
    beta = np.asarray(model.fit.estimates)
    records = []
    for benchmark in benchmarks:
        mine = model.rows.places(benchmark, exposure=model.term)
        others = [i for i in model.keep if i not in mine]
        left = residual(model.rows.X[:, mine], model.rows.X[:, others])
        with_outcome = float(np.var(left @ beta[mine]))
        with_exposure = float(np.var(left @ model.gamma[[model.keep.index(i) for i in mine]]))
        records.append(
            {
                "benchmark": name_of(benchmark),
                "r2_exposure": share_of(2 * np.sqrt(with_exposure), model.scale),
                "r2_outcome": share_of(2 * np.sqrt(with_outcome), LOGISTIC_VARIANCE),
            }
        )
    return pd.DataFrame(records, columns=["benchmark", "r2_exposure", "r2_outcome"])
