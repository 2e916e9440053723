"""`meta_analysis`: pool estimates of separate studies, and explain their differences by moderators."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.design.build import Design, build_design
from jobchance.design.formula import INTERCEPT
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.meta import (
    METHODS,
    Floats,
    Weighted,
    estimate_tau2,
    heterogeneity,
    loglik,
    q_profile,
    weighted,
)
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Inference, RandomPart, Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.serialise import components_frame

LEVEL = 0.95
_LEAST = 1e-100  # a smaller variance makes a weight whose square cannot be held
_NAMES = {"reml": "REML", "ml": "ML", "dl": "DerSimonian-Laird", "ee": "equal effects"}


def meta_analysis(
    estimates: pd.Series | Floats,
    variances: pd.Series | Floats,
    *,
    moderators: pd.DataFrame | pd.Series | None = None,
    method: str = "reml",
    knapp_hartung: bool = False,
) -> Fit:
    r"""Random-effects meta-analysis or meta-regression: y_i = x_i' beta + u_i + e_i.

    u_i ~ N(0, tau2) differs between studies, e_i ~ N(0, v_i) is the known sampling error. Weights are
    1 / (v_i + tau2).

    Parameters
    ----------
    estimates : Series or array (k,)
        One estimate per study; the index of a Series names the studies.
    variances : Series or array (k,)
        Their sampling variances (squared standard errors), all above zero, in the same order.
    moderators : DataFrame or Series or None
        Study-level covariates; numbers enter as they are, texts by level. `None` pools all studies.
    method : str
        Estimator of tau2: `"reml"` (default), `"ml"`, `"dl"` (DerSimonian-Laird), `"ee"` (equal
        effects: tau2 is zero by assumption).
    knapp_hartung : bool
        Scale the covariance by the weighted residual variance and refer to t with k - p degrees of freedom
        (Knapp & Hartung 2003, without the truncation at one). Otherwise Wald with the normal.

    Returns
    -------
    Fit
        `statistics` holds `tau2 se_tau2 tau I2_pct H2 tau2_low tau2_high Q Q_df Q_p`; without moderators also
        `prediction_low prediction_high`; with them `QM QM_df QM_p R2_pct` (Q is then the residual QE).
        `random_effects("study")` are the empirical Bayes deviations of the studies from their fitted value.

    Raises
    ------
    SpecError
        Unknown method, lengths that differ, or a moderator without a usable name.
    DesignError
        Variances that are missing or not above zero, or too few studies.

    Notes
    -----
    Publication bias is not modelled; see `models.meta_checks`. Standard errors
    treat tau2 as known.

    References
    ----------
    Raudenbush (2009) in The Handbook of Research Synthesis and Meta-Analysis; Viechtbauer (2010), J. Stat.
    Softw. 36(3); Viechtbauer (2007) for the interval of tau2.

    Examples
    --------
    >>> fit = meta_analysis(np.array([0.3, 0.1, -0.2]), np.array([0.02, 0.01, 0.03]))
    >>> round(float(fit.params["(Intercept)"]), 3)
    0.083
    """
    check_option("method", method, METHODS)
    frame = _frame(estimates, variances, moderators)
    design = _design(frame)
    y, v, X = design.outcome, frame["variance"].to_numpy(dtype=float)[design.used], design.matrix
    k, p = X.shape
    if k <= p:
        raise DesignError(f"{k} studies cannot carry {p} coefficients and a variance between studies.")
    tau2, se_tau2 = estimate_tau2(y, v, X, method=method)
    at = weighted(y, v, X, tau2)
    scale = at.rss / (k - p) if knapp_hartung else 1.0
    df = float(k - p) if knapp_hartung else math.inf
    label = (
        "Knapp-Hartung, tau2 taken as known"
        if knapp_hartung
        else "from the model (Wald, tau2 taken as known)"
    )
    cov = scale * at.cov
    numbers = _heterogeneity(y, v, X, tau2, se_tau2, method=method)
    numbers |= _prediction(at, cov, tau2, df) if p == 1 and design.columns == (INTERCEPT,) else {}
    if design.columns[0] == INTERCEPT and p > 1:
        numbers |= _moderation(y, v, at.beta[1:], cov[1:, 1:], tau2, df, method=method)
    likelihood = None if method == "dl" else loglik(y, v, X, tau2, restricted=method == "reml")
    return Fit(
        model=f"meta-analysis ({_NAMES[method]})" if p == 1 else f"meta-regression ({_NAMES[method]})",
        outcome="estimate",
        terms=design.columns,
        estimates=at.beta,
        covariance=cov,
        inference=Inference("model", label, df=df),
        sample=Sample(nobs=k, groups={"study": k}, dropped=design.dropped, dropped_terms=_collinear(design)),
        spec={
            "formula": design.formula.text,
            "method": method,
            "knapp_hartung": knapp_hartung,
            "link": "identity",
        },
        loglik=likelihood,
        criterion=None if likelihood is None else -2 * likelihood,
        is_singular=method != "ee" and tau2 == 0,
        variance_components=None if method == "ee" else _components(tau2),
        statistics=numbers,
        conventions=_conventions(method, knapp_hartung=knapp_hartung),
        remarks=_remarks(numbers, method=method, tau2=tau2),
        provenance=provenance(design.formula.text),
        predictor=design.layout,
        random=() if method == "ee" else (_modes(y, v, X, at, tau2, frame.index[design.used]),),
        rows=_rows(frame, design, at, cov, v, tau2, df=df, label=label),
    )


def _frame(
    estimates: pd.Series | Floats, variances: pd.Series | Floats, moderators: pd.DataFrame | pd.Series | None
) -> pd.DataFrame:
    """Estimates, variances and moderators side by side, by position."""
    if any(np.ndim(each) > 1 for each in (estimates, variances)):
        raise SpecError("estimates and variances are one number per study, not tables.")
    values, spread = pd.Series(estimates), pd.Series(variances)
    extra = _moderator_frame(moderators, len(values))
    if not len(values) == len(spread) == len(extra):
        raise SpecError(
            f"Lengths differ: {len(values)} estimates, {len(spread)} variances, "
            f"{len(extra)} rows of moderators."
        )
    if not all(pd.api.types.is_numeric_dtype(each) and each.dtype.kind != "c" for each in (values, spread)):
        raise SpecError("estimates and variances must be numbers.")
    frame = pd.DataFrame({"estimate": values.to_numpy(dtype=float), "variance": spread.to_numpy(dtype=float)})
    frame = pd.concat([frame, extra], axis=1)
    frame.index = values.index
    unusable = int((~(frame["variance"] > 0) & frame["variance"].notna()).sum())
    if unusable:
        raise DesignError(f"{unusable} of {len(frame)} variances are not above zero.")
    extreme = int((~frame["variance"].between(_LEAST, 1 / _LEAST) & np.isfinite(frame["variance"])).sum())
    if extreme:
        raise DesignError(f"{extreme} of {len(frame)} variances are too small or too large to compute with.")
    return frame


def _moderator_frame(moderators: pd.DataFrame | pd.Series | None, k: int) -> pd.DataFrame:
    """Moderators as columns with usable names, by position."""
    if moderators is None:
        return pd.DataFrame(index=range(k))
    frame = pd.DataFrame(moderators).reset_index(drop=True)
    frame.columns = pd.Index([f"moderator {n + 1}" if isinstance(n, int) else str(n) for n in frame.columns])
    names = list(frame.columns)
    bad = [name for name in names if name in ("estimate", "variance") or "`" in name or "\n" in name]
    if bad or len(set(names)) < len(names):
        raise SpecError(
            "Moderators need different names, none of them estimate or variance, without backticks."
        )
    return frame


def _design(frame: pd.DataFrame) -> Design:
    """Moderators through the formula layer, so that levels are remembered for prediction."""
    names = [f"`{name}`" for name in frame.columns if name not in ("estimate", "variance")]
    return build_design(f"estimate ~ {' + '.join(['1', *names])}", frame, required=("variance",))


def _collinear(design: Design) -> tuple[str, ...]:
    return tuple(f"{name} (earlier columns determine it)" for name in design.collinear)


def _heterogeneity(
    y: Floats, v: Floats, X: Floats, tau2: float, se_tau2: float, *, method: str
) -> dict[str, float]:
    """Between-study variance, its interval, and Q of the model with tau2 = 0."""
    k, p = X.shape
    q = weighted(y, v, X, 0.0).rss
    i2, h2 = heterogeneity(v, X, tau2)
    if method == "ee":
        i2, h2 = 100 * max(0.0, 1 - (k - p) / q) if q > 0 else 0.0, q / (k - p)
    low, high = q_profile(y, v, X, level=LEVEL)
    return {
        "tau2": tau2,
        "se_tau2": se_tau2,
        "tau": math.sqrt(tau2),
        "tau2_low": low,
        "tau2_high": high,
        "I2_pct": i2,
        "H2": h2,
        "Q": q,
        "Q_df": float(k - p),
        "Q_p": float(stats.chi2.sf(q, k - p)),
    }


def _prediction(at: Weighted, cov: Floats, tau2: float, df: float) -> dict[str, float]:
    """Interval for the true effect of a new study: normal (Wald) or t with k - 1 df (Knapp-Hartung)."""
    reach = float(stats.t.ppf((1 + LEVEL) / 2, df)) * math.sqrt(tau2 + cov[0, 0])
    return {"prediction_low": float(at.beta[0]) - reach, "prediction_high": float(at.beta[0]) + reach}


def _moderation(
    y: Floats, v: Floats, slopes: Floats, cov: Floats, tau2: float, df: float, *, method: str
) -> dict[str, float]:
    """Joint test of the moderators (chi-squared; F with Knapp-Hartung), and the share of tau2 explained."""
    m = len(slopes)
    qm = float(slopes @ np.linalg.solve(cov, slopes))
    p_value = stats.chi2.sf(qm, m) if math.isinf(df) else stats.f.sf(qm / m, m, df)
    alone, _ = estimate_tau2(y, v, np.ones((len(y), 1)), method=method)
    explained = 100 * max(0.0, (alone - tau2) / alone) if alone > 0 else math.nan
    return {
        "QM": qm if math.isinf(df) else qm / m,
        "QM_df": float(m),
        "QM_p": float(p_value),
        "R2_pct": explained,
    }


def _modes(y: Floats, v: Floats, X: Floats, at: Weighted, tau2: float, labels: pd.Index) -> RandomPart:
    """Empirical Bayes deviations of the studies, with conditional standard deviations given tau2 and beta."""
    shrinkage = tau2 / (tau2 + v)
    return RandomPart(
        group="study",
        terms=(INTERCEPT,),
        levels=tuple(str(label) for label in labels),
        modes=(shrinkage * (y - X @ at.beta))[:, None],
        mode_sds=np.sqrt(shrinkage * v)[:, None],
    )


def _rows(
    frame: pd.DataFrame,
    design: Design,
    at: Weighted,
    cov: Floats,
    v: Floats,
    tau2: float,
    *,
    df: float,
    label: str,
) -> Rows:
    """The studies behind the fit."""
    y, X = design.outcome, design.matrix
    fixed = X @ at.beta
    shrinkage = tau2 / (tau2 + v)
    return Rows(
        frame=frame,
        used=design.used,
        outcome=y,
        fitted=fixed + shrinkage * (y - fixed),
        fitted_fixed=fixed,
        scores=X * (at.weights * (y - fixed))[:, None],
        bread=at.cov,
        model_cov=cov,
        df_resid=df,
        k=X.shape[1],
        model_label=label,
    )


def _components(tau2: float) -> pd.DataFrame:
    return components_frame(
        [{"group": "study", "term": INTERCEPT, "sd": math.sqrt(tau2), "variance": tau2, "correlation": None}]
    )


def _conventions(method: str, *, knapp_hartung: bool) -> Mapping[str, str]:
    """Choices that other software makes differently."""
    made = {
        "tau2 interval": "Q-profile, 95% (Viechtbauer 2007)",
        "I2 and H2": "from tau2 and the typical sampling variance (from Q for equal effects)",
        "prediction interval": "t with k - 1 degrees of freedom" if knapp_hartung else "normal quantiles",
    }
    if method == "reml":
        made["log-likelihood"] = "restricted, with the term log|X'X|/2 (as metafor)"
    if knapp_hartung:
        made["Knapp-Hartung"] = "the factor may fall below one (no truncation)"
    return made


def _remarks(numbers: Mapping[str, float], *, method: str, tau2: float) -> tuple[str, ...]:
    made = []
    if method != "ee" and tau2 == 0:
        made.append("tau2 is estimated at zero: the studies differ no more than their sampling errors allow.")
    if math.isnan(numbers["tau2_low"]):
        made.append("The Q-profile interval of tau2 is empty: the studies agree better than chance allows.")
    return tuple(made)
