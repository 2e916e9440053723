"""Predictions of a fit: linear predictor, random effects, inverse link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from jobchance.errors import SchemaError, SpecError
from jobchance.numerics.links import get_link
from jobchance.results.parts import Floats, RandomPart
from jobchance.results.tables import group_names

if TYPE_CHECKING:
    from jobchance.results.fit import Fit


def predict(fit: Fit, data: pd.DataFrame | None, *, random: bool) -> pd.Series:
    """Predictions on the scale of the outcome; see `Fit.predict`."""
    if data is None:
        rows = fit.need_rows("predict() without data")
        values = rows.fitted if random else rows.fitted_fixed
        return pd.Series(values.copy(), index=rows.frame.index[rows.used], name="predicted")
    _check(fit, random=random)
    eta = linear_predictor(fit, data)
    if random:
        for part in fit.random:
            eta = eta + _random_part(part, data)
    link = get_link(str(fit.spec.get("link", "identity")))
    return pd.Series(link.inverse(eta), index=data.index, name="predicted")


def linear_predictor(fit: Fit, data: pd.DataFrame) -> Floats:
    """Design matrix of new rows times the coefficients; NaN where a value is missing."""
    if fit.predictor is None:
        raise SpecError("This fit does not hold the coding of its design, so it cannot predict new rows.")
    eta: Floats = fit.predictor.matrix(data) @ fit.estimates
    return eta


def _check(fit: Fit, *, random: bool) -> None:
    """Raise where a prediction for new rows would have the wrong level or miss a part."""
    absorbed = fit.spec.get("absorbed") or ()
    if absorbed:
        raise SpecError(
            f"This fit has absorbed the effects of {', '.join(absorbed)}, so it knows no level for new rows. "
            "Use comparisons(), which need differences only, or the hybrid or random-effects estimator."
        )
    missing = [g for g in group_names(fit) if g not in {part.group for part in fit.random}]
    if random and missing:
        raise SpecError(
            f"The random effects of {', '.join(missing)} are not stored with this fit: use predict(data, "
            "random=False), or fit the model again."
        )


def _random_part(part: RandomPart, data: pd.DataFrame) -> Floats:
    """Contribution of one grouping factor; zero for levels that the fit has not seen."""
    if part.group not in data.columns:
        raise SchemaError(f"predict(random=True) needs the column {part.group}; use random=False without it.")
    position = {level: i for i, level in enumerate(part.levels)}
    codes = data[part.group].map(lambda value: position.get(str(value), -1), na_action="ignore")
    index = codes.fillna(-1).to_numpy(dtype=np.int64)
    modes = np.vstack([part.modes, np.zeros(part.modes.shape[1])])[index]
    columns = np.ones((len(data), 1)) if part.predictor is None else part.predictor.matrix(data)
    out: Floats = (modes * columns).sum(axis=1)
    return out
