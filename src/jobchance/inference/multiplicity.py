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
from jobchance.errors import DesignError, SpecError
from jobchance.numerics import step_down
from jobchance.numerics.step_down import step_down_max
from jobchance.options import check_option
from jobchance.results.fit import Fit

Floats = NDArray[np.float64]

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


def adjust_pvalues(p: Sequence[float] | pd.Series, *, method: str = "holm") -> pd.Series:
    """p-values adjusted for being several.

    Parameters
    ----------
    p : sequence or Series of float
        p-values between 0 and 1; missing ones stay missing and do not count as hypotheses.
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
        Unknown method; values outside 0 to 1.

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
    series = p if isinstance(p, pd.Series) else pd.Series(list(p), dtype=float)
    values = series.to_numpy(dtype=float, na_value=np.nan)
    known = ~np.isnan(values)
    outside = int(((values[known] < 0) | (values[known] > 1)).sum())
    if outside:
        raise SpecError(f"p holds {counted(outside, 'value')} outside 0 to 1: p-values are expected.")
    out = np.full(len(values), np.nan)
    if known.any():
        out[known] = rule(np.asarray(values[known], dtype=np.float64))
    return pd.Series(out, index=series.index, name=f"p_{method}")


def romano_wolf(
    fits: Mapping[str, Fit],
    terms: str | Mapping[str, str],
    *,
    cluster: str,
    draws: int = 9999,
    seed: int,
) -> Family:
    r"""Adjust p-values for being several, using how the estimates depend on each other.

    Every draw gives each cluster a random sign, the same in all models:

    .. math:: t^*_m = \frac{\sum_g w_g \psi_{mg}}{\sqrt{\sum_g \psi_{mg}^2}}, \qquad
              \psi_{mg} = \Big[ A_m \sum_{i \in g} s_{mi} \Big]_{term}

    with :math:`A_m` the bread and :math:`s_{mi}` the scores of model m (a score bootstrap, Kline & Santos
    2012). The observed statistics are estimate / standard error of the fits. Step by step, from the largest
    statistic down, each is compared with the draws' largest over the hypotheses not yet passed. The chance of
    any false rejection is bounded, with more power than Holm where the tests depend on each other.

    Parameters
    ----------
    fits : mapping of str to Fit
        Models by name, with their rows (not read back from a file); any estimator with scores.
    terms : str or mapping of str to str
        The coefficient tested: one name for all models, or one by model.
    cluster : str
        Column of the data whose clusters get the signs: a cluster is the same in all models. Usually that of
        the fits' standard errors.
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
        The cluster column is absent, or missing in rows used.

    Notes
    -----
    Signs are put on scores at the estimates, not at the null; with few clusters this rejects too often, and
    the family says so below 30.

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
    influence, n_clusters = _influence(fits, names, cluster)
    T, exact = _signed(influence, draws, seed)
    frame = pd.DataFrame([_line(model, fits[model], names[model]) for model in fits])
    statistic = frame["statistic"].to_numpy(dtype=float)
    known = ~np.isnan(statistic)
    adjusted = np.full(len(frame), np.nan)
    if known.any():
        adjusted[known] = step_down_max(statistic[known], T[:, known])
    for method in ("holm", "bh"):
        frame[f"p_{method}"] = adjust_pvalues(frame["p_value"], method=method)
    frame["p_romano_wolf"] = adjusted
    signs = f"all {len(T)} sign assignments" if exact else f"{len(T)} random sign assignments, seed {seed}"
    notes = (
        (f"Only {n_clusters} clusters of {cluster}: with fewer than {FEW_CLUSTERS} the adjusted p-values are "
         "usually too small.",)
        if n_clusters < FEW_CLUSTERS
        else ()
    )  # fmt: skip
    return Family(
        frame,
        {
            "Romano-Wolf": f"step-down over {counted(int(known.sum()), 'test')}; {signs}, "
            f"one sign per {cluster} ({n_clusters}); ties count",
            "Holm, Benjamini-Hochberg": "from the p-values of the fits",
        },
        notes,
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
            problems.append(f"{model!r} has no term {names[model]!r}; it has {', '.join(fit.terms)}")
        if fit.rows is None:
            problems.append(f"{model!r} has no rows (read back from a file or copied): fit it again")
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 99:
        problems.append("draws is a whole number of 99 or more")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        problems.append("seed is a whole number of 0 or more: without one the result could not be had again")
    if problems:
        raise SpecError("romano_wolf: " + "; ".join(problems) + ".")
    return {model: names[model] for model in fits}


def _influence(fits: Mapping[str, Fit], names: Mapping[str, str], cluster: str) -> tuple[Floats, int]:
    """Array psi (G, m) over the clusters of all models together, and G."""
    parts, problems = [], []
    for model, fit in fits.items():
        rows = fit.need_rows("romano_wolf")
        if cluster not in rows.frame:
            problems.append(f"{model!r} has no column {cluster}")
            continue
        levels = rows.column(cluster)
        missing = int(levels.isna().sum())
        if missing:
            problems.append(f"{model!r}: {cluster} is missing in {missing} of {len(levels)} rows used")
            continue
        j = fit.terms.index(names[model])
        parts.append(pd.Series(rows.row_scores @ rows.bread[:, j]).groupby(levels.to_numpy()).sum())
    if problems:
        raise DesignError("romano_wolf cannot form clusters: " + "; ".join(problems) + ".")
    table = pd.concat(parts, axis=1).fillna(0.0).sort_index()
    if len(table) < 2:
        raise DesignError(f"romano_wolf needs at least 2 clusters of {cluster}; the rows used have 1.")
    return table.to_numpy(dtype=float), len(table)


def _signed(influence: Floats, draws: int, seed: int) -> tuple[Floats, bool]:
    """t* (B, m), and whether all sign assignments were taken."""
    size = np.sqrt(np.sum(influence**2, axis=0))
    scaled = influence / np.where(size > 0, size, 1.0)
    n_clusters = len(scaled)
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
        blocks.append(signs @ scaled)
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
