"""Hazard models with normal random intercepts, with as many quadrature points as the likelihood needs.

With one exit per person the density of a frailty given the rows is far from normal, and adaptive quadrature
with few points can be wrong by hundreds in the log-likelihood; so points are doubled until it rests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.models.glm import fit_glm
from jobchance.models.mixed import fit_mixed
from jobchance.results.fit import Fit
from jobchance.results.vcov import Vcov

POINTS = (15, 31, 61)
STEADY = 0.1
"""Change of the log-likelihood by more points that no longer matters."""


def fit_frailty(
    text: str,
    frame: pd.DataFrame,
    *,
    link: str,
    columns: Sequence[str],
    entity: str | None,
    n_quad: int | None,
    vcov: Vcov | None,
) -> Fit:
    """A random intercept for every column, and the likelihood ratio against none of them."""
    terms = "".join(f" + (1 | {column})" for column in columns)
    made, moved = _steady(text + terms, frame, link, n_quad)
    if vcov is not None:
        made = made.with_vcov(vcov)
    used = frame.iloc[made.need_rows("fit_hazard").used]
    plain = fit_glm(text, used, family="binomial", link=link, vcov="model")
    ratio = max(2 * (_loglik(made) - _loglik(plain)), 0.0)
    found = {"likelihood_ratio_frailty": ratio}
    conventions = dict(made.conventions)
    if len(columns) == 1:
        found["p_frailty"] = 0.5 * float(stats.chi2.sf(ratio, 1)) if ratio > 0 else 1.0
        conventions["test of frailty"] = "likelihood ratio, half chi-square with 1 degree of freedom at zero"
    if moved is not None:
        found["loglik_change"] = moved
    return replace(
        made,
        statistics=dict(made.statistics) | found,
        conventions=conventions,
        remarks=(*made.remarks, *_remarks(columns, entity, n_quad, moved)),
    )


def _steady(text: str, frame: pd.DataFrame, link: str, n_quad: int | None) -> tuple[Fit, float | None]:
    """The fit once more points change nothing, and the last change; `None` where the points were given."""

    def fitted(points: int) -> Fit:
        return fit_mixed(text, frame, family="binomial", link=link, n_quad=points)

    if n_quad is not None:
        return fitted(n_quad), None
    made, moved = fitted(POINTS[0]), np.inf
    for points in POINTS[1:]:
        before, made = made, fitted(points)
        moved = _loglik(made) - _loglik(before)
        if abs(moved) < STEADY:
            break
    return made, moved


def _remarks(
    columns: Sequence[str], entity: str | None, n_quad: int | None, moved: float | None
) -> list[str]:
    """What a reader must know of a frailty."""
    made = []
    if entity in columns:
        made.append(
            f"{entity} has one exit at most: its frailty is known only through the form of the baseline and "
            "of the distribution, so read it as a check, not as a measurement."
        )
        if n_quad is not None:
            made.append(
                f"n_quad={n_quad} was given, so nothing shows that it is enough; n_quad=None finds out."
            )
    if moved is not None and abs(moved) >= STEADY:
        made.append(
            f"The last doubling of the quadrature points, to {POINTS[-1]}, still changed the log-likelihood "
            f"by {moved:.2g}: the frailty and its test are not to be relied on."
        )
    return made


def _loglik(fit: Fit) -> float:
    """Log-likelihood of a fit by maximum likelihood."""
    assert fit.loglik is not None, "a likelihood was maximised"
    return fit.loglik
