"""`pool_fits`: fits of several completed data sets become one fit by Rubin's rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.numerics.rubin import Pooled, pool
from jobchance.results.fit import Fit
from jobchance.results.parts import Inference, Sample
from jobchance.results.provenance import provenance


def pool_fits(fits: Sequence[Fit]) -> Fit:
    r"""Pool fits of one model to several completed data sets.

    .. math:: \bar Q = \tfrac1m \sum Q_l, \qquad T = \bar U + (1 + \tfrac1m) B

    with :math:`\bar U` the mean covariance and B the covariance of the estimates between the data sets.

    Parameters
    ----------
    fits : sequence of Fit
        At least two, of the same model, outcome, terms and kind of standard error.

    Returns
    -------
    Fit
        `diagnostics["pooling"]`, one row per term: `ubar b t df riv lambda fmi` as in R's `mice::pool`
        (variances within, between, total; relative increase in variance; share of the variance due to
        what is missing; fraction of missing information). Degrees of freedom: Barnard and Rubin (1999),
        with those of the fits as the ones of complete data (clustered: clusters less one).

    Raises
    ------
    SpecError
        Fewer than two fits, or fits that differ in model, outcome, terms or kind of standard error.

    Notes
    -----
    Covariances within may be clustered. Likelihoods, R2 and the like are not pooled: they are means over
    the data sets where every fit has them (`statistics`), without any claim to a distribution.

    References
    ----------
    Rubin (1987), Multiple Imputation for Nonresponse in Surveys; Barnard & Rubin (1999), Biometrika 86,
    948-955; van Buuren (2018), Flexible Imputation of Missing Data, section 2.3.

    Examples
    --------
    >>> import jobchance as jc
    >>> data = pd.DataFrame({"y": [1.0, 2.0, 2.5, 4.0, 5.5, 6.0], "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    >>> sets = [data.assign(x=data["x"] + [0, 0, 0, 0, 0, shift]) for shift in (-0.5, 0.0, 0.5)]
    >>> fit = pool_fits([jc.fit_glm("y ~ x", one, family="gaussian", vcov="model") for one in sets])
    >>> fit.diagnostics["pooling"][["term", "riv"]].round(3).to_dict("list")
    {'term': ['(Intercept)', 'x'], 'riv': [0.414, 1.114]}
    """
    made = list(fits)
    _check(made)
    first = made[0]
    df = np.array([one.df.to_numpy() for one in made])
    pooled = pool(
        np.array([one.estimates for one in made]), np.array([one.covariance for one in made]), df.min(axis=0)
    )
    shared = [name for name in first.statistics if all(name in one.statistics for one in made)]
    return Fit(
        model=f"{first.model}, {len(made)} imputations",
        outcome=first.outcome,
        terms=first.terms,
        estimates=pooled.estimates,
        covariance=pooled.total,
        inference=_inference(first, pooled, len(made)),
        sample=Sample(max(one.nobs for one in made), first.sample.groups, first.sample.dropped),
        spec=dict(first.spec) | {"imputations": len(made)},
        converged=all(one.converged for one in made),
        is_singular=any(one.is_singular for one in made),
        statistics={
            "imputations": float(len(made)),
            "largest_fmi": float(np.nanmax(pooled.fmi)),
            **{name: float(np.mean([one.statistics[name] for one in made])) for name in shared},
        },
        conventions=dict(first.conventions)
        | {
            "pooling": "Rubin's rules; degrees of freedom of Barnard and Rubin",
            "statistics": "means over fits",
        },
        remarks=_remarks(made, pooled),
        diagnostics={"pooling": pooling_table(first.terms, pooled)},
        provenance=provenance(first.spec.get("formula")),
        predictor=first.predictor,
    )


def pooling_table(terms: Sequence[str], pooled: Pooled) -> pd.DataFrame:
    """One row per term, columns as in R's `mice::pool`."""
    return pd.DataFrame(
        {
            "term": list(terms),
            "ubar": np.diag(pooled.within),
            "b": np.diag(pooled.between),
            "t": np.diag(pooled.total),
            "df": pooled.df,
            "riv": pooled.increase,
            "lambda": pooled.share,
            "fmi": pooled.fmi,
        }
    )


def _check(fits: list[Fit]) -> None:
    """Raise one error with everything in which the fits differ."""
    if len(fits) < 2 or not all(isinstance(one, Fit) for one in fits):
        raise SpecError("pool_fits takes at least two fits, one per completed data set.")
    first = fits[0]
    parts: dict[str, list[object]] = {
        "models": [one.model for one in fits],
        "outcomes": [one.outcome for one in fits],
        "terms": [tuple(one.terms) for one in fits],
        "kinds of standard error": [one.inference.label for one in fits],
    }
    differ = [name for name, values in parts.items() if any(value != values[0] for value in values)]
    if differ:
        raise SpecError(
            f"pool_fits: the fits differ in {', '.join(differ)}. One model, fitted to every completed data "
            f"set in the same way, can be pooled ({first.model})."
        )


def _inference(first: Fit, pooled: Pooled, m: int) -> Inference:
    """The kind of standard error within, and that it was pooled."""
    return Inference(
        kind="imputation",
        label=f"Rubin's rules over {m} imputations; within each: {first.inference.label}",
        clusters=first.inference.clusters,
        factors=first.inference.factors,
        df=tuple(float(value) for value in pooled.df),
        notes=first.inference.notes,
    )


def _remarks(fits: list[Fit], pooled: Pooled) -> list[str]:
    """Remarks that every fit makes, and whether there are enough imputations."""
    remarks = [text for text in fits[0].remarks if all(text in one.remarks for one in fits)]
    worst = float(np.nanmax(pooled.fmi))
    if len(fits) < 100 * worst:
        remarks.append(
            f"Up to {worst:.0%} of the information is missing: {int(np.ceil(100 * worst))} imputations or "
            "more (one per per cent, White, Royston & Wood 2011) make the standard errors reproducible."
        )
    return remarks
