"""`adjust_pvalues` and `romano_wolf`: several hypotheses at once.

Letters: m hypotheses, G clusters, B draws; psi_g the influence of cluster g on an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.columns import counted
from jobchance.design.layout import Layout
from jobchance.errors import DesignError, SpecError
from jobchance.inference.again import shown_terms
from jobchance.numerics import step_down
from jobchance.numerics.demean import demean
from jobchance.numerics.shared_signs import SignedModel, under_the_null
from jobchance.numerics.step_down import step_down_max
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Rows

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

METHODS = {
    "bonferroni": step_down.bonferroni,
    "holm": step_down.holm,
    "hochberg": step_down.hochberg,
    "bh": step_down.benjamini_hochberg,
    "by": step_down.benjamini_yekutieli,
}
FEW_CLUSTERS = 30
_MOST_SIGNS = 20  # 2**20 sign assignments are enumerated, not more
_BLOCK = 4096
_SAME = 1e-6  # relative: whether columns and residuals are those behind the scores


@dataclass(frozen=True, eq=False)
class Family:
    """Hypotheses that belong together, with their p-values alone and adjusted.

    Parameters
    ----------
    frame : DataFrame
        One row per hypothesis: `model outcome term estimate std_error statistic df p_value p_holm p_bh
        p_romano_wolf`.
    conventions : mapping of str to str
        How the draws were made, in words.
    notes : tuple of str
        What a reader must know.
    """

    frame: pd.DataFrame
    conventions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "conventions", MappingProxyType(dict(self.conventions)))

    def __reduce__(self) -> tuple[type[Family], tuple[object, ...]]:
        return (Family, (self.frame, dict(self.conventions), self.notes))

    def summary(self) -> str:
        """The table, its conventions and notes as text."""
        shown = self.frame.round(4).to_string(index=False)
        words = [f"{name}: {text}" for name, text in self.conventions.items()]
        return "\n".join([shown, "", *words, *self.notes])


def adjust_pvalues(
    p: Sequence[float] | Mapping[str, float] | pd.Series, *, method: str = "holm"
) -> pd.Series:
    """p-values adjusted for being several.

    Parameters
    ----------
    p : sequence, mapping or Series of float
        p-values between 0 and 1, by name in a mapping; missing ones stay missing and are not counted.
    method : {"holm", "hochberg", "bonferroni", "bh", "by"}
        The first three bound the chance of any false rejection (Hochberg's needs independent or positively
        dependent tests); `"bh"` and `"by"` bound the expected share of false ones among the rejected.

    Returns
    -------
    Series
        In the order and with the index of `p`; reject at level a where it is at most a.

    Raises
    ------
    SpecError
        Unknown method; not a list of numbers; values outside 0 to 1.

    References
    ----------
    Holm (1979), Scand. J. Statist. 6, 65-70; Hochberg (1988), Biometrika 75, 800-802; Benjamini & Hochberg
    (1995), J. R. Statist. Soc. B 57, 289-300; Benjamini & Yekutieli (2001), Ann. Statist. 29, 1165-1188.

    Examples
    --------
    >>> adjust_pvalues([0.01, 0.02, 0.5]).tolist()
    [0.03, 0.04, 0.5]
    """
    rule = METHODS[check_option("method", method, METHODS)]
    series, values = _numbers(p)
    known = ~np.isnan(values)
    outside = int(((values[known] < 0) | (values[known] > 1)).sum())
    if outside:
        raise SpecError(f"p holds {counted(outside, 'value')} outside 0 to 1: p-values are expected.")
    out = np.full(len(values), np.nan)
    if known.any():
        out[known] = rule(np.asarray(values[known], dtype=np.float64))
    return pd.Series(out, index=series.index, name=f"p_{method}")


def _numbers(p: object) -> tuple[pd.Series, Floats]:
    """p-values with their index, and as an array."""
    try:
        if isinstance(p, str | pd.DataFrame):
            raise TypeError
        if isinstance(p, pd.Series):
            series = p
        else:
            series = pd.Series(p if isinstance(p, Mapping) else list(p), dtype=object)  # type: ignore[call-overload]
        return series, series.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise SpecError(
            f"p is {type(p).__name__}; a list, mapping or Series of p-values (numbers) is expected."
        ) from None


def romano_wolf(
    fits: Mapping[str, Fit],
    terms: str | Mapping[str, str],
    *,
    cluster: str,
    draws: int = 9999,
    seed: int,
) -> Family:
    r"""Adjust p-values for being several, using how the estimates depend on each other.

    Every draw gives each cluster g a random sign :math:`w_g`, the same in all models, and each model m a
    statistic that is studentised as the observed one is:

    .. math:: t_m = \frac{\hat\beta_m}{\sqrt{\sum_g \psi_{mg}^2}}, \qquad
              \psi_{mg} = \Big[ A_m \sum_{i \in g} s_{mi} \Big]_{term}

    with :math:`A_m` the bread and :math:`s_{mi}` the scores of model m. For least squares :math:`t^*_m` is
    that of a restricted wild cluster bootstrap: signs on the residuals under the null, all coefficients
    estimated anew; for logit and Poisson the same in the weighted regression of the last step of their
    iteration. For other models signs are put on the influence itself (a score bootstrap, Kline & Santos
    2012):

    .. math:: t^*_m = \sum_g w_g \psi_{mg} \Big/
              \sqrt{\sum_g \psi_{mg}^2 - \Big(\sum_g w_g \psi_{mg}\Big)^2 \Big/ G}.

    Step by step, from the largest statistic down, each is compared with the draws' largest over the
    hypotheses not yet passed. The chance of any false rejection is bounded, with more power than Holm where
    the tests depend on each other.

    Parameters
    ----------
    fits : mapping of str to Fit
        Models by name, with their rows (not read back from a file); any estimator with scores.
    terms : str or mapping of str to str
        The coefficient tested: one name for all models, or one by model.
    cluster : str
        Column of the data whose clusters get the signs and make the statistics, whatever the standard errors
        of the fits: a cluster is the same in all models.
    draws : int
        Sign assignments; all `2**G` are used where there are no more than these.
    seed : int
        Of the draws.

    Returns
    -------
    Family

    Raises
    ------
    SpecError
        Something in `fits` is no fit, a term is not in its model, draws below 99, no rows, no seed.
    DesignError
        The cluster column is absent, missing in rows used, or of different kinds (texts, numbers) in two
        models.

    Notes
    -----
    `p_value` (and Holm and Benjamini-Hochberg from it) is that of the fits, with their own standard errors;
    the statistic of Romano-Wolf has no small-sample factor, which cancels against the draws. Signs on
    influence reject too often with few clusters, and the family says so below 30: with four true nulls, an
    exposure and errors that vary by cluster, and a level of 5 per cent, 14, 10 and 9 per cent of simulated
    samples with 6, 10 and 40 clusters had some rejection (20, 15 and 10 with unequal clusters). With the
    restricted bootstrap it was 3 to 6 per cent, for least squares and for a single logit.

    References
    ----------
    Romano & Wolf (2005), Econometrica 73, 1237-1282; (2016), Statistics & Probability Letters 113, 38-40;
    Kline & Santos (2012), J. Econometric Methods 1, 23-41.

    Examples
    --------
    >>> import numpy as np
    >>> from jobchance import Cluster, fit_glm
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame({"x": rng.normal(size=200), "g": np.repeat(np.arange(40), 5).astype(str)})
    >>> data["a"], data["b"] = data["x"] + rng.normal(size=200), rng.normal(size=200)
    >>> made = {y: fit_glm(f"{y} ~ x", data, family="gaussian", vcov=Cluster("g")) for y in ("a", "b")}
    >>> romano_wolf(made, "x", cluster="g", draws=999, seed=1).frame["p_romano_wolf"].lt(0.05).tolist()
    [True, False]
    """
    names = _check(fits, terms, draws, seed)
    levels = _levels(fits, cluster)
    n_clusters = int(max(codes.max() for codes in levels.values())) + 1
    if n_clusters < 2:
        raise DesignError(f"romano_wolf needs at least 2 clusters of {cluster}; the rows used have 1.")
    made = {m: _signed_model(fits[m], names[m], levels[m], n_clusters) for m in fits}
    frame = pd.DataFrame([_line(model, fits[model], names[model]) for model in fits])
    statistic = np.array([t for t, _ in made.values()])
    known = np.isfinite(statistic)
    models = [model for (_, model), stays in zip(made.values(), known, strict=True) if stays]
    adjusted = np.full(len(frame), np.nan)
    T, exact = _draws(models, n_clusters, draws, seed)
    if known.any():
        adjusted[known] = step_down_max(statistic[known], T)
    for method in ("holm", "bh"):
        frame[f"p_{method}"] = adjust_pvalues(frame["p_value"], method=method)
    frame["p_romano_wolf"] = adjusted
    signs = f"all {len(T)} sign assignments" if exact else f"{len(T)} random sign assignments, seed {seed}"
    rough = sum(model.scores is None for model in models)
    notes = []
    if n_clusters < FEW_CLUSTERS and rough:
        notes.append(
            f"Only {n_clusters} clusters of {cluster}: with fewer than {FEW_CLUSTERS} the Romano-Wolf "
            f"p-values of {counted(rough, 'model')} (signs on influence) are usually too "
            "small."
        )
    if n_clusters < FEW_CLUSTERS and not exact and 2**n_clusters < 1000 * draws:
        notes.append(
            f"There are {2**n_clusters} sign assignments; draws={2**n_clusters} would take them all."
        )
    if not known.all():
        notes.append(f"{counted(int((~known).sum()), 'model')} without variance over clusters is no test.")
    return Family(
        frame,
        {
            "Romano-Wolf": f"step-down over {counted(int(known.sum()), 'test')}; {signs}, "
            f"one sign per {cluster} ({n_clusters}), restricted in {len(models) - rough} and on influence in "
            f"{rough} of the models; ties count",
            "Holm, Benjamini-Hochberg": "from the p-values of the fits",
        },
        tuple(notes),
    )


def _check(
    fits: Mapping[str, Fit], terms: str | Mapping[str, str], draws: int, seed: object
) -> dict[str, str]:
    """Term of every model; one error with everything that is wrong."""
    problems = []
    if not isinstance(fits, Mapping) or not fits or not all(isinstance(f, Fit) for f in fits.values()):
        raise SpecError("romano_wolf takes models by name: romano_wolf({'job': fit, ...}, 'belief', ...).")
    names = dict.fromkeys(fits, terms) if isinstance(terms, str) else dict(terms)
    for model, fit in fits.items():
        if model not in names:
            problems.append(f"terms has no entry for {model!r}")
        elif names[model] not in fit.terms:
            problems.append(f"{model!r} has no term {names[model]!r}; it has {shown_terms(fit.terms)}")
        if fit.rows is None:
            problems.append(f"{model!r} has no rows (read back from a file or copied): fit it again")
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 99:
        problems.append("draws is a whole number of 99 or more")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        problems.append("seed is a whole number of 0 or more: without one the result could not be had again")
    if problems:
        raise SpecError("romano_wolf: " + "; ".join(problems) + ".")
    return {model: names[model] for model in fits}


def _levels(fits: Mapping[str, Fit], cluster: str) -> dict[str, Codes]:
    """Cluster of every row used, numbered alike in all models."""
    found: dict[str, pd.Series] = {}
    problems = []
    for model, fit in fits.items():
        rows = fit.need_rows("romano_wolf")
        if cluster not in rows.frame:
            problems.append(f"{model!r} has no column {cluster}")
            continue
        levels = rows.column(cluster)
        missing = int(levels.isna().sum())
        if missing:
            problems.append(f"{model!r}: {cluster} is missing in {missing} of {len(levels)} rows used")
        found[model] = levels.astype(object)
    kinds = {_kind(levels) for levels in found.values()}
    if len(kinds) > 1:
        problems.append(f"{cluster} holds {' in one model and '.join(sorted(kinds))} in another")
    if problems:
        raise DesignError("romano_wolf cannot form clusters: " + "; ".join(problems) + ".")
    every = pd.concat(list(found.values()), ignore_index=True)
    mixed = pd.api.types.infer_dtype(every).startswith("mixed")
    order = pd.Index(sorted(every.unique(), key=str if mixed else None))
    return {model: order.get_indexer(levels).astype(np.int64) for model, levels in found.items()}


def _kind(levels: pd.Series) -> str:
    """What the levels are, so that 7 and "7" are not taken for two clusters."""
    found = pd.api.types.infer_dtype(levels, skipna=True)
    return "numbers" if found in ("integer", "floating", "mixed-integer-float", "boolean") else f"{found}s"


def _signed_model(fit: Fit, term: str, codes: Codes, n_clusters: int) -> tuple[float, SignedModel]:
    """The observed statistic, NaN where it has no variance, and what the draws need."""
    rows, place = fit.need_rows("romano_wolf"), list(fit.terms).index(term)
    by_row = rows.row_scores @ rows.bread[:, place]
    influence = np.bincount(codes, weights=by_row, minlength=n_clusters).astype(np.float64)
    size, b = float(np.sqrt(np.sum(influence**2))), float(fit.params[term])
    statistic = b / size if size > 1e-12 * float(np.sum(np.abs(by_row))) else np.nan
    regression = _regression(fit, rows)
    if regression is None:
        return statistic, SignedModel(influence)
    X, e = regression
    return statistic, under_the_null(
        X, e, codes, n_clusters, place=place, b=b, factors=list(rows.absorbed.values())
    )


def _regression(fit: Fit, rows: Rows) -> tuple[Floats, Floats] | None:
    """Columns and residuals of least squares, or of the last step of a likelihood; `None` for others."""
    if rows.regressors is not None:
        return None if rows.regressors.kind == "two-stage least squares" else rows.regressors.scaled
    if not isinstance(fit.predictor, Layout) or rows.bound:
        return None
    X, e = fit.predictor.matrix(rows.frame.iloc[rows.used]), rows.outcome - rows.fitted
    if X.shape != rows.row_scores.shape:
        return None
    if rows.absorbed:
        X = demean(X, list(rows.absorbed.values()))
    scores = X * e[:, None]
    are_those = np.abs(scores - rows.row_scores).max() <= _SAME * np.abs(rows.row_scores).max()
    unit = X.T @ X @ rows.bread
    return (X, e) if are_those and np.abs(unit - np.eye(len(unit))).max() <= _SAME else None


def _draws(models: Sequence[SignedModel], n_clusters: int, draws: int, seed: int) -> tuple[Floats, bool]:
    """t* (B, m), and whether all sign assignments were taken."""
    exact = n_clusters <= _MOST_SIGNS and 2**n_clusters <= draws
    rng = np.random.default_rng(seed)
    total = 2**n_clusters if exact else draws
    blocks = []
    for start in range(0, total, _BLOCK):
        count = min(_BLOCK, total - start)
        if exact:
            numbers = np.arange(start, start + count)[:, None]
            signs = 1.0 - 2.0 * ((numbers >> np.arange(n_clusters)) & 1)
        else:
            signs = 1.0 - 2.0 * rng.integers(0, 2, size=(count, n_clusters))
        t = [model.t(np.asarray(signs, dtype=np.float64)) for model in models]
        blocks.append(np.column_stack(t) if t else np.empty((count, 0)))
    return np.vstack(blocks), exact


def _line(model: str, fit: Fit, term: str) -> dict[str, object]:
    """The hypothesis as the fit has it."""
    return {
        "model": model,
        "outcome": fit.outcome,
        "term": term,
        "estimate": float(fit.params[term]),
        "std_error": float(fit.std_errors[term]),
        "statistic": float(fit.statistic[term]),
        "df": float(fit.df[term]),
        "p_value": float(fit.pvalues[term]),
    }
