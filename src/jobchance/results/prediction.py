"""Predictions of a fit: linear predictor, offset, random effects known, at zero or integrated, inverse link.

Integrated means E h(eta + e), e ~ N(0, v), with v = sum over random terms of z' Sigma z: the random part of
one row is one normal variable, however many terms there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.errors import DesignError, SchemaError, SpecError
from jobchance.numerics.marginal import marginal
from jobchance.options import check_option
from jobchance.results.offsets import offset_values
from jobchance.results.parts import Codes, Floats, RandomPart
from jobchance.results.variance import group_names, row_variance

if TYPE_CHECKING:
    from jobchance.results.fit import Fit

Random: TypeAlias = bool | Literal["integrated"]
NewLevels: TypeAlias = Literal["zero", "integrated", "error"]
NEW_LEVELS = ("zero", "integrated", "error")
Mask: TypeAlias = NDArray[np.bool_]


def predict(
    fit: Fit, data: pd.DataFrame | None, *, random: Random, new_levels: NewLevels
) -> pd.Series | pd.DataFrame:
    """Predictions on the scale of the outcome; see `Fit.predict`."""
    if not isinstance(random, bool) and random != "integrated":
        raise SpecError(f'random={random!r} is not known. Allowed: True, False, "integrated".')
    check_option("new_levels", new_levels, NEW_LEVELS)
    if data is None:
        rows = fit.need_rows("predict() without data")
        if not is_ordinal(fit) and not (random == "integrated" and integrates(fit)):
            values = rows.fitted if random is True else rows.fitted_fixed
            return pd.Series(values.copy(), index=rows.frame.index[rows.used], name="predicted")
        data = rows.frame.iloc[rows.used]
    _check(fit, random=random)
    eta, variance = linear_predictor(fit, data), np.zeros(len(data))
    if random == "integrated":
        variance = integrated_variance(fit, data)
    elif random:
        modes, variance = _known_effects(fit, data, new_levels)
        eta = eta + modes
    if is_ordinal(fit):
        made = probabilities(fit, eta, variance)
        return pd.DataFrame(made, index=data.index, columns=list(fit.spec["levels"]))
    return pd.Series(marginal(link_name(fit), eta, variance).mean, index=data.index, name="predicted")


def link_name(fit: Fit) -> str:
    """Name of the fit's link."""
    return str(fit.spec.get("link", "identity"))


def is_ordinal(fit: Fit) -> bool:
    """Whether the fit predicts a probability for each level of the outcome."""
    return fit.spec.get("family") == "ordinal"


def integrates(fit: Fit) -> bool:
    """Whether integrating over random effects changes the prediction: random effects behind a curved link."""
    return link_name(fit) != "identity" and bool(group_names(fit))


def n_thresholds(fit: Fit) -> int:
    """Number of terms that are thresholds; they come first."""
    return len(fit.spec["levels"]) - 1 if is_ordinal(fit) else 0


def level_scores(fit: Fit) -> Floats:
    """Scores of an ordinal outcome's levels: the numbers they are, if they are numbers, else 1, 2, 3, ..."""
    try:
        scores = np.array([float(level) for level in fit.spec["levels"]])
    except ValueError:
        scores = np.zeros(0)
    plain = len(scores) and np.isfinite(scores).all() and (np.diff(scores) > 0).all()
    return scores if plain else np.arange(1.0, len(fit.spec["levels"]) + 1)


def linear_predictor(fit: Fit, data: pd.DataFrame) -> Floats:
    """Design matrix of new rows times the coefficients, and the offset; NaN where a value is missing."""
    if fit.predictor is None:
        raise SpecError("This fit does not hold the coding of its design, so it cannot predict new rows.")
    eta: Floats = fit.predictor.matrix(data) @ fit.estimates[n_thresholds(fit) :]
    return eta + offset_values(fit, data)


def integrated_variance(fit: Fit, data: pd.DataFrame) -> Floats:
    """Variance of each row's random part; 0 where it does not matter."""
    if not integrates(fit):
        return np.zeros(len(data))
    check_structure(fit)
    return row_variance(fit, data).values


def check_structure(fit: Fit) -> None:
    """Raise unless the covariance of the random effects is at hand."""
    if not fit.structure:
        raise SpecError(
            f"This fit ({fit.model}) does not hold the covariance of its random effects, so they cannot be "
            "integrated over: use random=False, which puts them at zero."
        )


def probabilities(fit: Fit, eta: Floats, variance: Floats) -> Floats:
    """Probability (n, levels) of each level of an ordinal outcome, e integrated over its variance."""
    cuts = fit.estimates[: n_thresholds(fit)]
    below = [marginal(link_name(fit), cut - eta, variance).mean for cut in cuts]
    bounded = np.column_stack([np.zeros(len(eta)), *below, np.ones(len(eta))])
    # Neighbouring thresholds may give equal shares, whose difference rounds to below zero.
    return np.maximum(np.diff(bounded, axis=1), 0.0)


def _check(fit: Fit, *, random: Random) -> None:
    """Raise where a prediction for new rows would have the wrong level or miss a part."""
    absorbed = fit.spec.get("absorbed") or ()
    if absorbed:
        raise SpecError(
            f"This fit has absorbed the effects of {', '.join(absorbed)}, so it knows no level for new rows. "
            "Use comparisons(), which need differences only, or the hybrid or random-effects estimator."
        )
    missing = [g for g in group_names(fit) if g not in {part.group for part in fit.random}]
    if random is True and missing:
        raise SpecError(
            f"The random effects of {', '.join(missing)} are not stored with this fit: use predict(data, "
            'random=False) or random="integrated", or fit the model again.'
        )


def _known_effects(fit: Fit, data: pd.DataFrame, new_levels: NewLevels) -> tuple[Floats, Floats]:
    """Contribution of conditional modes, and the variance of unseen levels where that is asked for."""
    total, variance = np.zeros(len(data)), np.zeros(len(data))
    codes = [_level_codes(part, data) for part in fit.random]
    unseen = [mine < 0 for mine in codes]
    if new_levels == "error":
        _refuse_unseen(fit.random, unseen, len(data))
    for part, mine in zip(fit.random, codes, strict=True):
        modes = np.vstack([part.modes, np.zeros(part.modes.shape[1])])[mine]
        columns = np.ones((len(data), 1)) if part.predictor is None else part.predictor.matrix(data)
        total += (modes * columns).sum(axis=1)
    if new_levels == "integrated" and integrates(fit) and any(mask.any() for mask in unseen):
        check_structure(fit)
        variance = row_variance(fit, data, only=unseen).values
    return total, variance


def _refuse_unseen(parts: Sequence[RandomPart], unseen: Sequence[Mask], n: int) -> None:
    """Raise with the number of rows of every grouping whose level is new or missing."""
    counts = {part.group: int(mask.sum()) for part, mask in zip(parts, unseen, strict=True) if mask.any()}
    if counts:
        listed = ", ".join(f"{group} in {count}" for group, count in counts.items())
        raise DesignError(
            f"Levels that the fit has not seen, or missing ones, among {n} rows: {listed}. Use "
            'new_levels="zero" (their effects are 0) or "integrated" (averaged over what they may be).'
        )


def _level_codes(part: RandomPart, data: pd.DataFrame) -> Codes:
    """Position of each row's level among those of the fit; -1 where it is new or missing."""
    numbers, texts = _level_texts(part.group, data)
    position = {level: i for i, level in enumerate(part.levels)}
    places = np.array([position.get(text, -1) for text in texts] + [-1], dtype=np.int64)
    return places[numbers]


def _level_texts(group: str, data: pd.DataFrame) -> tuple[Codes, list[str]]:
    """Number of each row's level (-1 = missing) and texts by number; those of `a:b` are joined by a colon."""
    names = [group] if group in data.columns else group.split(":")
    absent = [name for name in names if name not in data.columns]
    if absent:
        raise SchemaError(f"predict(random=True) needs the column {', '.join(absent)}; or use random=False.")
    numbers, texts = np.zeros(len(data), dtype=np.int64), list[str]()
    missing = np.zeros(len(data), dtype=bool)
    for place, name in enumerate(names):
        codes, values = pd.factorize(data[name])
        missing |= codes < 0
        pairs = numbers * max(len(values), 1) + np.maximum(codes, 0)
        found, numbers = np.unique(pairs, return_inverse=True)
        more = [_text(value) for value in values] or [""]
        texts = [
            f"{texts[pair // len(more)]}:{more[pair % len(more)]}" if place else more[pair]
            for pair in found.tolist()
        ]
    return np.where(missing, -1, numbers), texts


def _text(value: object) -> str:
    """As levels are written when a design is built: whole numbers without decimals."""
    return (
        str(int(value))
        if isinstance(value, float | np.floating) and float(value).is_integer()
        else str(value)
    )
