"""`adjusted_estimate`: the estimate with a confounder of given strength, and many strengths at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from jobchance.errors import SpecError
from jobchance.numerics.partial_r2 import adjusted_std_error, bias
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats
from jobchance.sensitivity.confounding import check_alpha
from jobchance.sensitivity.confounding_rows import Classical, classical


def adjusted_estimate(
    fit: Fit,
    term: str,
    *,
    r2dz_x: ArrayLike,
    r2yz_dx: ArrayLike = 1.0,
    reduce: bool = True,
    alpha: float = 0.05,
) -> pd.DataFrame:
    r"""The estimate, its error and interval with a confounder of given strength in the regression.

    .. math::
        |bias| = se \sqrt{df} \sqrt{\frac{R^2_{YZ|DX} R^2_{DZ|X}}{1 - R^2_{DZ|X}}}, \qquad
        se_{adj} = se \sqrt{\frac{1 - R^2_{YZ|DX}}{1 - R^2_{DZ|X}} \frac{df}{df - 1}}

    Parameters
    ----------
    fit : Fit
        Least squares; see `robustness_value`.
    term : str
        The coefficient of the exposure.
    r2dz_x, r2yz_dx : number or array
        Partial R2 of the confounder with the exposure (0 to below 1) and with the outcome given exposure
        and covariates (0 to 1). They are combined as arrays of numpy are. `r2yz_dx=1`, the default, is the
        extreme scenario: the confounder explains all that is left of the outcome.
    reduce : bool
        Whether the confounder takes from the estimate (towards and past zero) or adds to it.
    alpha : float
        The interval covers 1 - alpha.

    Returns
    -------
    DataFrame
        One row per strength: `r2dz_x r2yz_dx adjusted_estimate adjusted_se adjusted_t conf_low conf_high`;
        classical errors, df - 1 degrees of freedom.

    Raises
    ------
    SpecError
        A partial R2 outside its range, unknown term, a fit that is not least squares.

    References
    ----------
    Cinelli & Hazlett (2020), equations 14 and 15, section 5.3 (extreme scenarios).

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.sensitivity.confounding_adjusted import adjusted_estimate
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=500))
    >>> fit = jc.fit_glm("outcome ~ expectation", panel.frame, family="gaussian")
    >>> found = adjusted_estimate(fit, "expectation", r2dz_x=[0.0, 0.1], r2yz_dx=0.1)
    >>> bool(np.isclose(found["adjusted_estimate"][0], fit.params["expectation"]))
    True
    """
    check_alpha(alpha)
    d, y = np.broadcast_arrays(np.asarray(r2dz_x, dtype=float), np.asarray(r2yz_dx, dtype=float))
    d, y = d.ravel(), y.ravel()
    if not (np.all((d >= 0) & (d < 1)) and np.all((y >= 0) & (y <= 1))):
        raise SpecError(
            "r2dz_x must lie from 0 to below 1 and r2yz_dx from 0 to 1: they are shares of variance."
        )
    point = classical(fit, term, "adjusted_estimate")
    return pd.DataFrame({"r2dz_x": d, "r2yz_dx": y} | adjust(point, d, y, alpha=alpha, reduce=reduce))


def adjust(
    point: Classical, r2dz: ArrayLike, r2yz: ArrayLike, *, alpha: float, reduce: bool
) -> dict[str, Floats]:
    """Adjusted estimate, standard error, t-value and interval; NaN for strengths that cannot be."""
    sign = np.sign(point.estimate) * (-1.0 if reduce else 1.0)
    estimate = point.estimate + sign * bias(point.std_error, point.df, r2dz, r2yz)
    error = adjusted_std_error(point.std_error, point.df, r2dz, r2yz)
    reach = stats.t.ppf(1 - alpha / 2, point.df - 1) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        t = estimate / error
    return {
        "adjusted_estimate": estimate,
        "adjusted_se": error,
        "adjusted_t": t,
        "conf_low": estimate - reach,
        "conf_high": estimate + reach,
    }
