"""The linear regression behind a fit, in the rows in which it was solved: what partial R2 are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jobchance.design.formula import term_label
from jobchance.design.layout import Layout
from jobchance.design.nodes import columns_of
from jobchance.effects.weighting import fit_weights, row_weights
from jobchance.errors import SpecError
from jobchance.inference.again import known_term
from jobchance.numerics.demean import demean
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats

_LINEAR = ("linear regression", "linear probability", "pooled least squares", "within (fixed effects)")


@dataclass(frozen=True, eq=False, repr=False)
class LinearRows:
    """Outcome and design of a least-squares fit, absorbed effects removed; microdata, never stored.

    `names` are the columns of `X`; `terms` the term of the formula that each belongs to; `sources` the
    columns of the data that the term reads; `df` rows less coefficients and absorbed effects; `size` rows,
    or the sum of their weights. `weights` are those that `y` and `X` have still to be multiplied by.
    """

    y: Floats
    X: Floats
    names: tuple[str, ...]
    terms: tuple[str, ...]
    sources: tuple[frozenset[str], ...]
    df: float
    size: float
    weights: Floats | None = None

    def __repr__(self) -> str:
        return f"LinearRows({len(self.y)} rows, {len(self.names)} columns)"

    def weighted(self) -> LinearRows:
        """The regression that was solved: rows times the root of their weight (then in the intercept too).

        Sums of squares and products are then those of repeated rows, and so is every partial R2.
        """
        if self.weights is None:
            return self
        root = np.sqrt(self.weights)
        return replace(
            self, y=self.y * root, X=self.X * root[:, None], size=float(self.weights.sum()), weights=None
        )

    def places(self, names: str | Sequence[str], *, exposure: str) -> list[int]:
        """Positions of the columns that a name, or a group of names, stands for; not those of the exposure.

        A name is that of a coefficient, of a term (all dummy variables of a categorical column) or of a
        column of the data (all terms that read it, but those that read the exposure's columns).

        Raises
        ------
        SpecError
            A name stands for nothing, or for the exposure.
        """
        assert self.weights is None, "benchmarks are compared in weighted rows"
        wanted = [names] if isinstance(names, str) else list(names)
        own = self.sources[self.names.index(exposure)]
        found: list[int] = []
        for name in wanted:
            mine = self._places_of(name, own)
            if not mine:
                check_option("benchmark", name, self._known(exposure, own))
            found += [place for place in mine if place not in found]
        if self.names.index(exposure) in found:
            raise SpecError(f"{exposure} is the exposure; a benchmark is another column.")
        return found

    def _places_of(self, name: str, own: frozenset[str]) -> list[int]:
        """Positions by coefficient, else by term, else by column of the data."""
        if name in self.names:
            return [self.names.index(name)]
        if name in self.terms:
            return [i for i, term in enumerate(self.terms) if term == name]
        return [i for i, used in enumerate(self.sources) if name in used and not used & own]

    def _known(self, exposure: str, own: frozenset[str]) -> list[str]:
        """Names that could have been given."""
        terms = [t for t, used in zip(self.terms, self.sources, strict=True) if used and not used & own]
        columns = [n for n in self.names if n not in (exposure, "(Intercept)")]
        return list(dict.fromkeys([*terms, *columns]))


def linear_rows(fit: Fit, what: str) -> LinearRows:
    """Outcome and design of a least-squares fit that still has its rows, before weights.

    Raises
    ------
    SpecError
        The fit is not ordinary least squares, or has no rows.
    """
    check_linear(fit, what)
    layout = fit.predictor
    assert isinstance(layout, Layout), "least-squares fits remember their design"
    found = read_columns(fit, layout, what)
    absorbed = fit.need_rows(what).absorbed
    if not absorbed:
        return found
    cleaned = demean(np.column_stack([found.y, found.X]), list(absorbed.values()))
    return replace(found, y=cleaned[:, 0], X=cleaned[:, 1:])


def read_columns(fit: Fit, layout: Layout, what: str) -> LinearRows:
    """Outcome and design of a fit as they are in the data, with what each column reads."""
    rows = fit.need_rows(what)
    read = {
        term_label(term): frozenset(name.name for factor in term for name in columns_of(factor))
        for term in layout.formula.terms
    }
    used = rows.frame.iloc[rows.used]
    return LinearRows(
        y=np.asarray(rows.outcome, dtype=float),
        X=layout.matrix(used),
        names=tuple(fit.terms),
        terms=layout.terms,
        sources=tuple(read.get(term, frozenset()) for term in layout.terms),
        df=_one_df(rows.df_resid),
        size=float(len(used)),
        weights=row_weights(fit_weights(fit), used),
    )


def check_linear(fit: Fit, what: str) -> None:
    """Raise a `SpecError` unless the fit is ordinary least squares."""
    if fit.model not in _LINEAR:
        raise SpecError(
            f"{what} works on least squares: fit_glm with family='gaussian' or link='identity', fit_panel "
            f"with estimator='pooled' or 'within'. This fit is {fit.model}. A logit has logit_confounding."
        )


def _one_df(df: float | tuple[float, ...]) -> float:
    """Degrees of freedom of the whole regression."""
    return float(df[0]) if isinstance(df, tuple) else float(df)


@dataclass(frozen=True)
class Classical:
    """One coefficient with the standard error of independent errors with one variance, and its t and df."""

    estimate: float
    std_error: float
    df: float

    @property
    def t(self) -> float:
        """Estimate over standard error."""
        return self.estimate / self.std_error

    @property
    def f(self) -> float:
        """Partial Cohen's f, t / sqrt(df)."""
        return float(self.t / np.sqrt(self.df))


def classical(fit: Fit, term: str, what: str) -> Classical:
    """The classical t-value of a coefficient: partial R2 are defined by it, whatever errors the fit reports.

    Of a weighted fit t^2 / df is the one of repeated rows, whatever the weights add up to; `df` counts rows.

    Raises
    ------
    SpecError
        The fit is not least squares, has not the term, or has lost its rows and reports other errors.
    """
    check_linear(fit, what)
    place = list(fit.terms).index(known_term(fit, term))
    if fit.rows is None and fit.inference.kind == "model":
        error, df = float(fit.std_errors[term]), float(fit.df[term])
    else:
        rows = fit.need_rows(what)
        error, df = float(np.sqrt(rows.model_cov[place, place])), _one_df(rows.df_resid)
    return Classical(float(fit.params[term]), error, df)
