"""`private_information`: how much caseworkers would have to see, beyond the data, to make the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from jobchance.design.formula import INTERCEPT
from jobchance.errors import SpecError
from jobchance.formatting import Formatter
from jobchance.inference.again import known_term
from jobchance.labels.load import label
from jobchance.numerics.confound_signal import foresight_coefficient, share_explained, share_seen
from jobchance.numerics.partial_r2 import residual, set_partial_r2
from jobchance.results.fit import Fit
from jobchance.sensitivity.confounding_bounds import Benchmark, name_of
from jobchance.sensitivity.confounding_rows import LinearRows, linear_rows

ALL = "all covariates"


@dataclass(frozen=True, eq=False)
class PrivateInformation:
    """How much private information would explain a gradient over beliefs.

    Parameters
    ----------
    term, outcome : str
        The belief and the outcome.
    estimate : float
        The gradient: outcome per unit of the belief, given the covariates.
    r2 : float
        Partial R2 of belief and outcome: the least that must be seen to explain all of the gradient.
    r2_covariates : float
        Share of the outcome's variance that the covariates explain without the belief.
    sd_outcome, sd_exposure : float
        Standard deviations of what the covariates leave of outcome and belief.
    frame : DataFrame
        By `explained` (share of the gradient) and `reliability`: `share_seen` of the outcome's remaining
        variance with `seen_low seen_high` (from the interval of the gradient), `share_of_total` of its whole
        variance, `correlation` of the private signal with the outcome, `sd_private` (standard deviation, in
        units of the outcome, of the chances that the signal tells apart), `times_covariates` (how many times
        what the covariates explain), with `foreseeable` also `skill`; `possible` (0 to 1 can be seen).
    benchmarks : DataFrame
        By `benchmark`: `r2` with the outcome given the others (the belief left out), and by `reliability` the
        share of the gradient `explained` if caseworkers saw, beyond the data, as much as that.
    """

    term: str
    outcome: str
    estimate: float
    r2: float
    r2_covariates: float
    sd_outcome: float
    sd_exposure: float
    frame: pd.DataFrame
    benchmarks: pd.DataFrame

    def curve(self, *, reliability: float = 1.0, seen: Sequence[float] | None = None) -> pd.DataFrame:
        """The gradient that foresight alone would make, by the share that is seen.

        Parameters
        ----------
        reliability : float
            As in `private_information`.
        seen : sequence of float or None
            Shares; `None` is from 0 to twice what explains all, at most 1.

        Returns
        -------
        DataFrame
            `share_seen`, `coefficient` of a belief without any effect, and `explained`, its share of the
            gradient (at most 1).
        """
        top = min(1.0, 2 * self.r2 / reliability)
        shares = np.linspace(0, top, 41) if seen is None else np.asarray(seen, dtype=float)
        made = foresight_coefficient(
            shares, reliability=reliability, sd_outcome=self.sd_outcome, sd_exposure=self.sd_exposure
        )
        part = share_explained(self.r2, seen=shares, reliability=reliability)
        return pd.DataFrame(
            {
                "share_seen": shares,
                "coefficient": np.sign(self.estimate) * made,
                "explained": np.minimum(part, 1.0),
            }
        )

    def text(self, lang: str = "da") -> str:
        """What the numbers say, in words (`lang` is `"da"` or `"en"`)."""
        said = Formatter(lang)
        whole = self.frame[self.frame["explained"] == self.frame["explained"].max()]
        least, most = whole.iloc[whole["share_seen"].argmin()], whole.iloc[whole["share_seen"].argmax()]
        fill = {
            "term": self.term,
            "outcome": self.outcome,
            "least": said.percent(least["share_seen"], decimals=1),
            "most": said.percent(most["share_seen"], decimals=1),
            "explained": said.percent(least["explained"]),
            "covariates": said.percent(self.r2_covariates, decimals=1),
            "low_reliability": said.number(most["reliability"], decimals=2),
            "high_reliability": said.number(least["reliability"], decimals=2),
        }
        key = "one" if len(whole) == 1 else "range"
        parts = [label(f"confounding.private.{key}", lang, **fill)]
        if not whole["possible"].all():
            parts.append(label("confounding.private.impossible", lang))
        if self.r2_covariates > 0:
            parts.append(label("confounding.private.covariates", lang, **fill))
        return " ".join([*parts, label("confounding.private.caution", lang)])


def private_information(
    fit: Fit,
    term: str,
    *,
    explained: Sequence[float] = (1.0, 0.5),
    reliability: float | Sequence[float] = (1.0, 0.75, 0.5),
    benchmarks: Sequence[Benchmark] = (),
    foreseeable: float | None = None,
    level: float = 0.95,
) -> PrivateInformation:
    r"""How much private information would explain the gradient, as a share of the outcome's variance.

    A caseworker who sees something about the citizen that the data do not hold, and answers by it, makes a
    gradient without any effect of the belief. If the belief is :math:`b = g S + e`, S the private signal, e
    disposition and noise that say nothing about the outcome, then

    .. math::
        c = \beta + \sqrt{r\, s}\, \frac{\sigma_{y_0}}{\sigma_b}, \qquad
        s = \frac{h^2 R^2}{r\,(1 - R^2 (1 - h^2))}

    with s the share of the outcome's remaining variance that S explains, r the share of the belief's
    remaining variance that S makes, :math:`R^2` the partial R2 of belief and outcome, h the share of the
    gradient c that is to be foresight and :math:`\beta = (1-h) c` the effect that is left. All of it
    (h = 1) needs :math:`s = R^2 / r`.

    Parameters
    ----------
    fit : Fit
        Least squares with its rows, such as `fit_glm(..., family="binomial", link="identity")`; the
        covariates are what the data know.
    term : str
        The belief: `"belief"`, `"expectation"`.
    explained : sequence of float
        Shares h of the gradient, above 0 to 1.
    reliability : float or sequence of float
        Shares r, above 0 to 1. 1 is a belief without noise and disposition, and gives the least that must
        be seen. `belief_reliability` estimates limits from repeated answers.
    benchmarks : sequence of columns or groups
        Covariates of the fit to hold the share against; all of them together are always there.
    foreseeable : float or None
        Share of the outcome's remaining variance that is a linear function of what could be foreseen at all.
        The needed forecasting skill is then :math:`\sqrt{s / foreseeable}`, the correlation of what
        caseworkers see with that (the dial `forecasting_skill` of `simulate_study`).
    level : float
        Of the interval of the gradient behind `seen_low seen_high`.

    Returns
    -------
    PrivateInformation

    Raises
    ------
    SpecError
        Shares outside their range, unknown names, a fit that is not least squares or has no rows.

    Notes
    -----
    What must be seen is a share of the variance of a 0/1 outcome, most of which is chance: with a rare
    outcome even everything that can be known in advance explains only a few per cent. Hold the share against
    what the covariates explain, not against 1. A share above 1 says that foresight cannot make that much.
    The relation is linear, and is about foresight alone; sorting of citizens to caseworkers, and what is
    shared between them, belong to e too, and break it where they go with the outcome. The number says how
    much would have to be seen, not how much is. Of a weighted fit all variances and R2 are weighted.

    References
    ----------
    Cinelli & Hazlett (2020) for the same quantities of a confounder: at r = 1, s is the extreme robustness
    value. Jussim (1991), Psychological Review 98, 54-73, for accuracy against self-fulfilment.

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.sensitivity.private_information import private_information
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=500), covariates=["sex", "birth_year"])
    >>> fit = jc.fit_glm("outcome ~ belief + sex + birth_year", panel.frame, family="gaussian")
    >>> found = private_information(fit, "belief", explained=[1], reliability=1)
    >>> bool(np.isclose(found.frame["share_seen"][0], found.r2))
    True
    """
    known_term(fit, term)
    shares = _shares("explained", explained)
    reliabilities = _shares("reliability", reliability)
    if foreseeable is not None:
        _shares("foreseeable", foreseeable)
    rows = linear_rows(fit, "private_information").weighted()
    place = rows.names.index(term)
    others = [i for i in range(len(rows.names)) if i != place]
    y, b = residual(np.column_stack([rows.y, rows.X[:, place]]), rows.X[:, others]).T
    sd_y, sd_b = float(np.sqrt(y @ y / rows.size)), float(np.sqrt(b @ b / rows.size))
    r2 = float((y @ b) ** 2 / ((y @ y) * (b @ b)))
    known = _covariates_r2(rows, others)
    ends = fit.conf_int(level).loc[term].to_numpy(dtype=float)
    r2_low, r2_high = _limits(ends * sd_b / sd_y)
    records = []
    for h, r in product(shares, reliabilities):
        seen, low, high = (float(share_seen(x, explained=h, reliability=r)) for x in (r2, r2_low, r2_high))
        record = {"explained": h, "reliability": r, "share_seen": seen, "seen_low": low, "seen_high": high}
        record |= {"share_of_total": seen * (1 - known), "correlation": np.sqrt(seen)}
        record |= {"sd_private": np.sqrt(seen) * sd_y}
        record |= {"times_covariates": seen * (1 - known) / known if known > 0 else np.nan}
        if foreseeable is not None:
            record["skill"] = float(np.sqrt(seen / foreseeable))
        records.append(record | {"possible": seen <= 1})
    return PrivateInformation(
        term=term,
        outcome=fit.outcome,
        estimate=float(fit.params[term]),
        r2=r2,
        r2_covariates=known,
        sd_outcome=sd_y,
        sd_exposure=sd_b,
        frame=pd.DataFrame(records),
        benchmarks=_benchmarks(rows, term, benchmarks, known, r2, reliabilities),
    )


def _shares(name: str, given: float | Sequence[float]) -> list[float]:
    """Shares above 0 to 1."""
    values = [float(x) for x in np.atleast_1d(np.asarray(given, dtype=float))]
    if not values or not all(0 < x <= 1 for x in values):
        raise SpecError(f"{name}={given!r}: shares must lie above 0 and not above 1.")
    return values


def _covariates_r2(rows: LinearRows, others: list[int]) -> float:
    """R2 of the outcome on the covariates without the belief, about the mean (or what is absorbed)."""
    constant = [i for i in others if rows.names[i] == INTERCEPT]
    covariates = [i for i in others if i not in constant]
    if not covariates:
        return 0.0
    return set_partial_r2(rows.y, rows.X[:, constant], rows.X[:, covariates])


def _limits(slopes: np.ndarray) -> tuple[float, float]:
    """R2 at the ends of an interval of the standardised slope; 0 where the interval holds no slope."""
    low, high = np.sort(np.abs(slopes))
    return (0.0 if slopes[0] * slopes[1] <= 0 else float(low**2)), float(min(high**2, 1.0))


def _benchmarks(
    rows: LinearRows,
    term: str,
    benchmarks: Sequence[Benchmark],
    known: float,
    r2: float,
    reliabilities: list[float],
) -> pd.DataFrame:
    """What covariates explain, and what private information of that size would make of the gradient."""
    if isinstance(benchmarks, str):
        raise SpecError(f'benchmarks takes several columns or groups: benchmarks=["{benchmarks}"].')
    place = rows.names.index(term)
    found: dict[str, float] = {ALL: known} if known > 0 else {}
    for benchmark in benchmarks:
        mine = rows.places(benchmark, exposure=term)
        others = [i for i in range(len(rows.names)) if i not in mine and i != place]
        found[name_of(benchmark)] = set_partial_r2(rows.y, rows.X[:, others], rows.X[:, mine])
    records = [
        {"benchmark": name, "r2": size, "reliability": r}
        | {"explained": min(float(share_explained(r2, seen=size, reliability=r)), 1.0)}
        for name, size in found.items()
        for r in reliabilities
    ]
    return pd.DataFrame(records, columns=["benchmark", "r2", "reliability", "explained"])
