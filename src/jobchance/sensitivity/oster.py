"""`oster_delta`: how much stronger than the observed controls would selection on unseen ones have to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.formula import INTERCEPT
from jobchance.errors import DesignError, SpecError
from jobchance.formatting import Formatter
from jobchance.inference.again import known_term
from jobchance.labels.load import label
from jobchance.numerics.confound_oster import Stability, betas_for, choose_beta, delta_for
from jobchance.numerics.partial_r2 import residual
from jobchance.results.fit import Fit
from jobchance.sensitivity.confounding_rows import LinearRows, linear_rows

R_MAX_FACTOR = 1.3


@dataclass(frozen=True)
class OsterDelta:
    """Coefficient stability, read under proportional selection.

    Parameters
    ----------
    term, outcome : str
        The coefficient and its outcome.
    controls : tuple of str
        Observed controls that selection on the unobserved is compared with.
    estimate_short, r2_short, estimate, r2 : float
        Coefficient and R2 without and with the controls, in the same rows.
    r_max : float
        R2 that the regression would have with the unobserved too.
    r_max_rule : str
        `"given"`, `"1.3 x R2"` or `"1.3 x R2, capped at 1"`.
    beta, delta : float
        `delta` is the relative selection at which the coefficient would be `beta`.
    delta_given, beta_adjusted : float
        `beta_adjusted` is the coefficient if the relative selection is `delta_given`.
    beta_others : tuple of float
        The other real roots of the same equation.
    follows_controls : bool
        Whether `beta_adjusted` moves on in the direction in which the controls moved the estimate (Oster's
        assumption 3).
    r2_kind : str
        `"whole"`, or `"within"` where the fit absorbs effects.
    """

    term: str
    outcome: str
    controls: tuple[str, ...]
    estimate_short: float
    r2_short: float
    estimate: float
    r2: float
    r_max: float
    r_max_rule: str
    beta: float
    delta: float
    delta_given: float
    beta_adjusted: float
    beta_others: tuple[float, ...]
    follows_controls: bool
    r2_kind: str

    @property
    def frame(self) -> pd.DataFrame:
        """One row with every number; lists as text."""
        flat = vars(self) | {"controls": " + ".join(self.controls), "n_roots": 1 + len(self.beta_others)}
        flat.pop("beta_others")
        return pd.DataFrame([flat])

    @property
    def bounds(self) -> tuple[float, float]:
        """The estimate and the adjusted one, the lower first: Oster's bounding set."""
        ends = sorted((self.estimate, self.beta_adjusted))
        return ends[0], ends[1]

    def text(self, lang: str = "da") -> str:
        """What the numbers say, in words (`lang` is `"da"` or `"en"`)."""
        said = Formatter(lang)
        fill = {
            "term": self.term,
            "outcome": self.outcome,
            "delta": said.number(self.delta, decimals=2),
            "beta": said.significant(self.beta),
            "given": said.number(self.delta_given, decimals=2),
            "adjusted": said.significant(self.beta_adjusted),
            "short": said.significant(self.estimate_short),
            "estimate": said.significant(self.estimate),
            "r_max": said.number(self.r_max, decimals=3),
        }
        parts = [label("confounding.oster", lang, **fill)]
        parts.append(label(f"confounding.oster_delta.{self._case()}", lang, **fill))
        if np.isfinite(self.beta_adjusted):
            parts.append(label("confounding.oster_beta", lang, **fill))
        if not self.follows_controls:
            parts.append(label("confounding.oster_direction", lang))
        return " ".join(parts)

    def _case(self) -> str:
        """Which sentence about delta applies."""
        if not np.isfinite(self.delta):
            return "none"
        return "positive" if self.delta > 0 else "negative"


def oster_delta(
    fit: Fit,
    term: str,
    *,
    controls: Sequence[str] | None = None,
    r_max: float | None = None,
    beta: float = 0.0,
    delta: float = 1.0,
) -> OsterDelta:
    r"""Selection on unseen relative to observed controls that would bring a coefficient to `beta`.

    The coefficient moves when controls enter, and R2 rises. If selection on the unobserved is `delta` times
    that on the observed controls,
    :math:`\delta \, cov(W_1, X)/var(W_1) = cov(W_2, X)/var(W_2)`, and all together would reach R2 `r_max`,
    these movements determine the coefficient (Oster 2019, proposition 2), and a coefficient determines delta
    (proposition 3).

    Parameters
    ----------
    fit : Fit
        The long regression: least squares with its rows. The short one is made from the same rows.
    term : str
        The exposure's coefficient.
    controls : sequence of str or None
        The controls that stand for the unobserved (columns, terms, coefficients). `None` is all but the
        exposure. The rest, and absorbed effects, stay in both regressions (`mcontrol` of psacalc).
    r_max : float or None
        R2 with the unobserved too; from the R2 of the fit to 1. `None`: 1.3 times that R2, at most 1
        (Oster's proposal, from randomised studies); which it was stands in `r_max_rule`.
    beta : float
        Coefficient that `delta` brings about, 0 by default.
    delta : float
        Relative selection for which `beta_adjusted` is computed, 1 by default.

    Returns
    -------
    OsterDelta

    Raises
    ------
    SpecError
        Unknown names, `r_max` below the R2 of the fit or above 1, a fit that is not least squares or has
        no rows.
    DesignError
        The controls explain nothing of the outcome, so that there is nothing to compare with.

    Notes
    -----
    For delta = 1 the equation is a quadratic with two roots, else a cubic with up to three. As psacalc does,
    the root nearest to the controlled estimate is taken among those that move on in the direction in which
    the controls moved it; if none does, the nearest, and `follows_controls` is `False`.
    A negative delta says that the unobserved would have to work against the observed controls: the controls
    moved the estimate *away* from `beta`. With absorbed effects all R2 are those within, so 1.3 times is a
    smaller step than for the whole R2 (psacalc after `areg` takes the whole R2, after `xtreg, fe` this one).
    In a linear probability model R2 cannot come near 1 where events are rare: choose `r_max` from what could
    be foreseen at all, not 1.
    Of a weighted fit both regressions, and R2, are the weighted ones.
    Standard errors are not given; bootstrap over clusters if one is needed.

    References
    ----------
    Oster, E. (2019), Journal of Business & Economic Statistics 37, 187-204.

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.sensitivity.oster import oster_delta
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=500), covariates=["sex", "birth_year"])
    >>> fit = jc.fit_glm("outcome ~ expectation + sex + birth_year", panel.frame, family="gaussian")
    >>> found = oster_delta(fit, "expectation")
    >>> found.controls
    ('sex', 'birth_year')
    """
    known_term(fit, term)
    rows = linear_rows(fit, "oster_delta").weighted()
    chosen, names = _controls(rows, term, controls)
    found = _stability(rows, term, chosen)
    if found.r1 - found.r0 <= 1e-12:
        raise DesignError(
            "The controls explain nothing of the outcome: selection on the unobserved cannot be compared "
            "with selection on them."
        )
    limit, rule = _r_max(r_max, found.r1)
    if not np.isfinite([beta, delta]).all():
        raise SpecError(f"beta={beta!r} and delta={delta!r} must be finite numbers.")
    roots = betas_for(found, r_max=limit, delta=delta)
    adjusted, follows = choose_beta(found, roots)
    return OsterDelta(
        term=term,
        outcome=fit.outcome,
        controls=names,
        estimate_short=found.b0,
        r2_short=found.r0,
        estimate=found.b1,
        r2=found.r1,
        r_max=limit,
        r_max_rule=rule,
        beta=float(beta),
        delta=delta_for(found, r_max=limit, beta=beta),
        delta_given=float(delta),
        beta_adjusted=adjusted,
        beta_others=tuple(float(root) for root in roots if root != adjusted),
        follows_controls=follows,
        r2_kind="within" if fit.need_rows("oster_delta").absorbed else "whole",
    )


def _controls(
    rows: LinearRows, term: str, controls: Sequence[str] | None
) -> tuple[list[int], tuple[str, ...]]:
    """Positions of the controls and their names."""
    if controls is None:
        places = [i for i, name in enumerate(rows.names) if name not in (term, INTERCEPT)]
        names = tuple(dict.fromkeys(rows.terms[i] for i in places))
    else:
        if isinstance(controls, str):
            raise SpecError(f'controls takes several columns: controls=["{controls}"].')
        places, names = rows.places(controls, exposure=term), tuple(controls)
    if not places:
        raise SpecError("The fit has no controls to compare with: oster_delta needs a regression with some.")
    return places, names


def _stability(rows: LinearRows, term: str, controls: list[int]) -> Stability:
    """Short and long regression by what their other columns leave of outcome and exposure."""
    place = rows.names.index(term)
    kept = [i for i in range(len(rows.names)) if i != place and i not in controls]
    both = np.column_stack([rows.y, rows.X[:, place]])
    short = residual(both, rows.X[:, kept])
    long = residual(both, rows.X[:, [*kept, *controls]])
    constant = [i for i, name in enumerate(rows.names) if name == INTERCEPT]
    centred = residual(rows.y, rows.X[:, constant])
    total = float(centred @ centred)
    b0, left0 = _slope(short)
    b1, left1 = _slope(long)
    vx, tx = (float(part[:, 1] @ part[:, 1]) / rows.size for part in (short, long))
    return Stability(b0, 1 - left0 / total, b1, 1 - left1 / total, total / rows.size, vx, tx)


def _slope(cleaned: np.ndarray) -> tuple[float, float]:
    """Slope of the first column on the second, and the sum of squares that is left."""
    y, x = cleaned.T
    slope = float(y @ x) / float(x @ x)
    left = y - slope * x
    return slope, float(left @ left)


def _r_max(given: float | None, r2: float) -> tuple[float, str]:
    """R2 with the unobserved, and how it came about."""
    if given is None:
        proposed = R_MAX_FACTOR * r2
        return (proposed, "1.3 x R2") if proposed <= 1 else (1.0, "1.3 x R2, capped at 1")
    if not r2 < given <= 1:
        raise SpecError(
            f"r_max={given!r} must lie above the R2 of the fit ({r2:.4f}) and not above 1: the R2 that the "
            "regression would have with the unobserved variables too."
        )
    return float(given), "given"
