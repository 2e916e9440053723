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
    position = {level: i for i, level in enumerate(part.levels)}
    texts = _level_texts(part.group, data)
    codes = [-1 if text is None else position.get(text, -1) for text in texts]
    modes = np.vstack([part.modes, np.zeros(part.modes.shape[1])])[codes]
    columns = np.ones((len(data), 1)) if part.predictor is None else part.predictor.matrix(data)
    out: Floats = (modes * columns).sum(axis=1)
    return out


def _level_texts(group: str, data: pd.DataFrame) -> list[str | None]:
    """Text of each row's level; the levels of `a:b` are those of a and b joined. `None` where missing."""
    names = [group] if group in data.columns else group.split(":")
    absent = [name for name in names if name not in data.columns]
    if absent:
        raise SchemaError(f"predict(random=True) needs the column {', '.join(absent)}; or use random=False.")
    rows = zip(*(data[name] for name in names), strict=True)
    return [None if any(map(pd.isna, row)) else ":".join(map(_text, row)) for row in rows]


def _text(value: object) -> str:
    """As levels are written when a design is built: whole numbers without decimals."""
    return (
        str(int(value))
        if isinstance(value, float | np.floating) and float(value).is_integer()
        else str(value)
    )
