"""`weighted_fit`: a regression on the rows still measured, weighted up for those who were lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jobchance.design.columns import Floats
from jobchance.errors import SpecError
from jobchance.models.glm import fit_glm
from jobchance.numerics.attrition import sum_before
from jobchance.numerics.links import get_link
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Rows
from jobchance.results.vcov import Cluster, Vcov
from jobchance.sensitivity.attrition import Dropout
from jobchance.sensitivity.attrition_weights import COLUMN, AttritionWeights, Parts


def weighted_fit(
    formula: str,
    weights: AttritionWeights,
    *,
    family: str = "gaussian",
    link: str | None = None,
    vcov: Vcov | None = None,
    stabilised: bool = True,
    estimated: bool = True,
) -> Fit:
    r"""Weighted regression on the panel's rows, with standard errors that know the weights are estimated.

    With :math:`\gamma` the parameters of the drop-out models, `g` their scores and H their inverse
    information, the score of the regression becomes

    .. math:: s_i^* = w_i s_i + A H g_i, \qquad A = \sum_i s_i\, \partial w_i / \partial\gamma'

    (both sets of estimating equations stacked). Rows moved by truncation do not react to gamma.

    Parameters
    ----------
    formula : str
        `"outcome ~ expectation"`, over the columns of `panel.frame`.
    weights : AttritionWeights
        From `attrition_weights`, in memory.
    family, link, vcov
        As in `fit_glm`; `vcov=None` is `Cluster("citizen_id")`, `Cluster(...)` or `Robust()` otherwise.
    stabilised : bool
        Which weights.
    estimated : bool
        `False` takes the weights as known, as most software does.

    Returns
    -------
    Fit
        `diagnostics["attrition"]` sets the estimates beside the unweighted ones.

    Raises
    ------
    SpecError
        `vcov="model"`, which weighted rows do not have; weights without rows.
    Others
        As in `fit_glm`.

    Notes
    -----
    With `estimated=True` the small-sample factor counts the rows of both models. The standard errors are
    often *smaller* than with weights taken as known (Robins, Rotnitzky & Zhao 1995).

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.sensitivity.attrition_weights import attrition_weights
    >>> panel = jc.build_panel(jc.simulate_study(n_citizens=600, seed=4))
    >>> fit = weighted_fit("outcome ~ expectation", attrition_weights(panel))
    >>> fit.diagnostics["attrition"].columns.tolist()
    ['term', 'estimate', 'std_error', 'unweighted', 'std_error_unweighted']
    """
    if vcov == "model":
        raise SpecError('vcov="model": weighted rows have no model for it; use Cluster(...) or Robust().')
    chosen = Cluster("citizen_id") if vcov is None else vcov
    data = weights.apply(stabilised=stabilised)
    plain = fit_glm(formula, data.dropna(subset=[COLUMN]), family=family, link=link, vcov=chosen)
    fit = fit_glm(formula, data, family=family, link=link, vcov=chosen, weights=COLUMN)
    if estimated:
        parts = weights.parts
        assert parts is not None, "weights in memory have their models"
        rows = _stacked(fit.need_rows("weighted_fit"), parts, len(data), stabilised=stabilised)
        cov, inference = covariance(rows, chosen)
        remarks = [
            text.split("; the standard errors")[0] + "." if "weights as known" in text else text
            for text in fit.remarks
        ]
        fit = replace(
            fit,
            covariance=cov,
            inference=inference,
            rows=rows,
            remarks=(*remarks, "The standard errors count that the weights were estimated."),
        )
    table = fit.tidy()[["term", "estimate", "std_error"]].assign(
        unweighted=plain.estimates, std_error_unweighted=plain.std_errors.to_numpy()
    )
    rule = f"{'stabilised' if stabilised else 'unstabilised'} weights against attrition"
    return replace(fit, model=f"{fit.model}, {rule}", diagnostics={"attrition": table})


def _stacked(rows: Rows, parts: Parts, n: int, *, stabilised: bool) -> Rows:
    """Scores of the regression and of the drop-out models on the rows of the panel that are in either."""
    scores = np.zeros((n, rows.k))
    scores[rows.used] = rows.row_scores
    frozen = parts.moved[stabilised]
    models = [(parts.full, 1.0), (parts.base, -1.0)] if stabilised else [(parts.full, 1.0)]
    inside = np.zeros(n, dtype=bool)
    inside[rows.used] = True
    extra = np.zeros_like(scores)
    for model, sign in models:
        slope = np.empty((n, len(model.fit.terms)))
        slope[parts.order] = sum_before(-sign * _log_stay_slope(model)[parts.order], parts.first)
        slope[frozen] = 0.0
        A = scores.T @ slope
        own = model.fit.need_rows("weighted_fit")
        positions = np.flatnonzero(model.usable.to_numpy())[own.used]
        extra[positions] += own.row_scores @ own.bread @ A.T
        inside[positions] = True
    used = np.flatnonzero(inside)

    def spread(values: Floats) -> Floats:
        full = np.full(n, np.nan)
        full[rows.used] = values
        return full[used]

    return replace(
        rows,
        used=used,
        outcome=spread(rows.outcome),
        fitted=spread(rows.fitted),
        fitted_fixed=spread(rows.fitted_fixed),
        scores=(scores + extra)[used],
        # The stacked equations are those of three regressions: none has the leverage of these scores.
        regressors=None,
    )


def _log_stay_slope(model: Dropout) -> Floats:
    """Derivative of the log probability of staying in the parameters, row by row (n, q)."""
    predictor = model.fit.predictor
    assert predictor is not None, "a fit of our own has its coding"
    X = predictor.matrix(model.rows)
    link = get_link(str(model.fit.spec["link"]))
    eta = X @ model.fit.estimates
    slope: Floats = -X * (link.derivative(eta) / (1 - link.inverse(eta)))[:, None]
    return slope
