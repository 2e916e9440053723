"""`simulate_outcomes`: new outcomes of a mixed fit, with new random effects."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.inference.refit import n_thresholds, rebuild
from jobchance.models.mixed_model import MixedModel
from jobchance.numerics.links import get_link
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats


def simulate_outcomes(fit: Fit, data: pd.DataFrame | None, rng: np.random.Generator) -> pd.Series:
    r"""Draw outcomes from a mixed fit, with new random effects.

    .. math:: b \sim N(0, \hat\Sigma), \qquad y \sim f(\cdot \mid o + X\hat\beta + Zb)

    Parameters
    ----------
    fit : Fit
        Of `fit_mixed`.
    data : DataFrame or None
        The data of the fit; `None` takes those in memory.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    Series
        By the index of the rows used: numbers; shares of trials (binomial); level texts as an ordered
        categorical (ordinal).

    Raises
    ------
    SpecError
        Not a mixed fit, or not its data; weights that are no numbers of trials (binomial), or rows that count
        several times (Poisson, ordinal), from which one outcome cannot be drawn.

    Examples
    --------
    >>> from jobchance import fit_mixed
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 5, 9, 8], "g": ["a", "a", "b", "b", "c", "c"]})
    >>> fit = fit_mixed("y ~ 1 + (1 | g)", data)
    >>> len(simulate_outcomes(fit, data, np.random.default_rng(1)))
    6
    """
    model = rebuild(fit, data, "simulate_outcomes")
    drawn = draw_outcome(model, fit, rng)
    frame = fit.need_rows("simulate_outcomes").frame if data is None else data
    index = frame.index[model.used]
    if model.n_levels:
        levels = list(model.levels or ())
        values = pd.Categorical.from_codes(drawn.astype(np.int64), pd.Index(levels), ordered=True)
        return pd.Series(values, index=index, name=fit.outcome)
    return pd.Series(drawn, index=index, name=fit.outcome)


def check_drawable(model: MixedModel) -> None:
    """Refuse weights under which an outcome cannot be drawn.

    Raises
    ------
    SpecError
        See `simulate_outcomes`.
    """
    family, w = model.options.family, model.w
    if family == "binomial" and not np.array_equal(w, np.round(w)):
        raise SpecError(
            "Outcomes cannot be drawn: the weights of a binomial model must be whole numbers of trials."
        )
    if family in ("poisson", "ordinal") and not (w == 1).all():
        raise SpecError(
            f"Outcomes cannot be drawn for rows that count several times (weights of a {family} model): give "
            "each row once."
        )


def draw_outcome(model: MixedModel, fit: Fit, rng: np.random.Generator) -> Floats:
    """One outcome (n,), in the engine's coding, from the parameters of the fit."""
    check_drawable(model)
    K = n_thresholds(fit)
    eta = model.offset + model.X @ fit.estimates[K:]
    scale = fit.statistics["sigma"] if model.options.family == "gaussian" else 1.0
    for term, structure in zip(model.terms, fit.structure, strict=True):
        u = rng.standard_normal((term.block.n_levels, term.width))
        b = scale * u @ structure.relative_factor().T
        eta += np.einsum("nm,nm->n", term.block.matrix, b[term.block.codes])
    link = get_link(model.options.link)
    if model.options.family == "gaussian":
        return eta + scale / np.sqrt(model.w) * rng.standard_normal(len(eta))
    if model.options.family == "poisson":
        return rng.poisson(link.inverse(eta)).astype(float)
    if model.options.family == "binomial":
        return rng.binomial(model.w.astype(np.int64), link.inverse(eta)) / model.w
    uniform, drawn = rng.random(len(eta)), np.zeros(len(eta))
    for cut in fit.estimates[:K]:
        drawn += uniform > link.inverse(cut - eta)
    return drawn
