"""The parts of a `Fit`: the sample, how uncertainty was computed, random parts, and the rows behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.numerics.mixed.relative import Template

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class Predictor(Protocol):
    """Remembered coding of a design: turns new data into the matrix that fits the parameters.

    `jobchance.design` provides it. It is row-free (levels and constants only), so it may be stored.
    """

    def matrix(self, data: pd.DataFrame) -> Floats:
        """Design matrix (n, k), columns in the order of the fit's terms; a row with a missing value is NaN.

        A level that the fit has not seen raises a `DesignError` naming the column.
        """
        ...

    def to_dict(self) -> dict[str, object]:
        """Content as plain JSON values, with a `kind` that `results.serialise` knows how to read back."""
        ...


@dataclass(frozen=True)
class Sample:
    """Which rows a fit rests on.

    Parameters
    ----------
    nobs : int
        Rows used.
    groups : mapping of str to int
        Number of levels of every grouping or entity column.
    dropped : mapping of str to int
        Rows left out, by reason in words.
    n_singletons : int
        Rows left out because they are alone in an absorbed group (also counted in `dropped`).
    dropped_terms : tuple of str
        Terms left out, each with its reason: `"sex (does not vary within citizen_id)"`.
    """

    nobs: int
    groups: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    n_singletons: int = 0
    dropped_terms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("groups", "dropped"):
            object.__setattr__(
                self, name, MappingProxyType({k: int(v) for k, v in getattr(self, name).items()})
            )


@dataclass(frozen=True)
class Inference:
    """How the covariance of the estimates was computed.

    Parameters
    ----------
    kind : str
        `"model"`, `"HC0"`, `"HC1"`, `"cluster"` (CR1), `"CR2"`, `"CR3"` or `"jackknife"`.
    label : str
        The kind in words, for the printed summary.
    clusters : mapping of str to int
        Number of clusters per dimension.
    factors : mapping of str to float
        Small-sample factor of each term of the covariance.
    df : float or tuple of float
        Degrees of freedom of the reference distribution, for all terms or one per term; `inf` is normal.
    notes : tuple of str
        What a reader of these standard errors must know (few clusters, ...).
    effective_clusters : tuple of float
        Effective number of clusters of each coefficient, in the order of the fit's terms, in the dimension
        with the fewest clusters: `effective_rho0` of `cluster_diagnostics`, or the smaller of both where the
        covariate varies mostly between clusters. NaN for an intercept; empty with 30 clusters or more.
    """

    kind: str
    label: str
    clusters: Mapping[str, int] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    df: float | tuple[float, ...] = float("inf")
    notes: tuple[str, ...] = ()
    effective_clusters: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("clusters", "factors"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        object.__setattr__(self, "effective_clusters", tuple(self.effective_clusters))


@dataclass(frozen=True, eq=False, repr=False)
class RandomPart:
    """Random effects of one grouping factor: conditional modes and their conditional standard deviations.

    Modes belong to persons or caseworkers, so they are part of the rows behind a fit and are not stored
    unless asked for.

    Parameters
    ----------
    group : str
        The grouping column.
    terms : tuple of str
        `"(Intercept)"` and the names of random slopes.
    levels : sequence of str
        Levels of the group as text.
    modes, mode_sds : array (n levels, n terms)
        Conditional modes and standard deviations.
    predictor : Predictor or None
        Coding of the slopes, for new data; `None` is an intercept alone.
    """

    group: str
    terms: tuple[str, ...]
    levels: Sequence[str]
    modes: Floats
    mode_sds: Floats
    predictor: Predictor | None = None

    def __repr__(self) -> str:
        # Levels are persons: they must not reach a log through a printed part.
        return f"RandomPart({self.group!r}, {len(self.levels)} levels, terms={self.terms!r})"


@dataclass(frozen=True, eq=False)
class RandomStructure:
    """Covariance of the random effects of one term; row-free, so it is stored with a fit.

    Sigma = scale^2 Lambda Lambda', scale the residual standard deviation of a linear model and 1 otherwise.

    Parameters
    ----------
    group : str
        The grouping column, or `a:b`.
    columns : tuple of str
        Effects that vary: `"(Intercept)"` and names of slopes.
    sizes : tuple of int
        Sizes of the correlated sets: `(2,)` a correlated pair, `(1, 1)` two uncorrelated effects.
    theta : tuple of float
        Lower triangle of Lambda, set by set and column by column (lme4's order).
    predictor : Predictor or None
        Coding of the columns; `None` is an intercept alone.
    """

    group: str
    columns: tuple[str, ...]
    sizes: tuple[int, ...]
    theta: tuple[float, ...]
    predictor: Predictor | None = None

    @property
    def places(self) -> tuple[Codes, Codes]:
        """Row and column of Lambda of every element of theta."""
        return Template(self.sizes).places

    def relative_factor(self) -> Floats:
        """Lambda (m, m)."""
        return Template(self.sizes).factor(np.array(self.theta))


@dataclass(frozen=True, eq=False)
class JointCovariance:
    """Covariance of everything that a mixed model estimates.

    Parameters
    ----------
    names : tuple of str
        Theta of every term (`theta[citizen_id.1]`, ...), `log(sigma)` if linear, then the fit's terms.
    estimates : array (k,)
        In that order.
    covariance : array (k, k)
        NaN where a parameter sits on its boundary.
    """

    names: tuple[str, ...]
    estimates: Floats
    covariance: Floats


@dataclass(frozen=True, eq=False, repr=False)
class Regressors:
    """The regression whose equations the scores are: what leverage-adjusted standard errors need beside them.

    Parameters
    ----------
    X : array (n, k)
        Columns of the equations X'e = 0, absorbed effects removed; a reference, not a copy. Two-stage least
        squares: projected on the instruments. Logit and Poisson: the covariates.
    residual : array (n,)
        e, so that `X * e` are the scores.
    kind : {"least squares", "two-stage least squares", "likelihood"}
        Least squares alone is solved again exactly without a cluster.
    variance : array (n,) or None
        Variance function at the fitted means (likelihood with the canonical link), `None` for 1.
    weighted : bool
        X and e are multiplied by the roots of weights: what the weights say about the variance is not known,
        so that no adjustment rests on it.
    """

    X: Floats
    residual: Floats
    kind: str = "least squares"
    variance: Floats | None = None
    weighted: bool = False

    def __repr__(self) -> str:
        return f"Regressors({self.kind!r}, {len(self.residual)} rows)"

    @property
    def scaled(self) -> tuple[Floats, Floats]:
        """X and e in units in which e has one variance: the cross-product of X is the inverse bread."""
        if self.variance is None:
            return self.X, self.residual
        root = np.sqrt(self.variance)
        return self.X * root[:, None], self.residual / root


@dataclass(frozen=True, eq=False, repr=False)
class Rows:
    """The rows behind a fit: microdata, held in memory only and dropped by pickling, copying and `to_dict`.

    Parameters
    ----------
    frame : DataFrame
        The data given to the estimator (a reference, not a copy).
    used : integer array (n,)
        Positions of the rows of `frame` that were used, in the order of the arrays below.
    outcome, fitted, fitted_fixed : array (n,)
        Outcome; fitted value on the scale of the outcome, with and without random or absorbed effects.
    scores : array (n, k), or a function that gives it
        Derivative of the log-likelihood (or of the half sum of squares) by row; a function where it costs
        memory that most users never need.
    bread : array (k, k)
        Inverse information that goes with `scores`.
    model_cov : array (k, k)
        Covariance that the model itself implies.
    model_label : str
        What that covariance rests on, in words.
    df_resid : float or tuple of float
        Degrees of freedom of the `"model"` and robust covariance, for all terms or one per term; `inf` for
        normal-theory models.
    k : int
        Parameters that enter small-sample factors, without absorbed effects.
    absorbed : mapping of str to integer array (n,)
        Absorbed factors, each counted in the small-sample factor unless nested in a cluster dimension.
    uses_t : bool
        Whether clustered covariances are referred to t with G - 1 degrees of freedom (else the normal).
    bound : mapping of str to integer array (n,)
        Groups whose rows share a random effect: one cluster dimension must hold whole groups, and `Robust()`
        is refused. Their scores are rows of V^{-1}X times the residual of the fixed part.
    unit : tuple of str and integer array (n,), or None
        Name and codes of the unit observed repeatedly; clusters that split its rows get a note.
    regressors : Regressors or None
        The regression behind the scores, where there is one; leverage-adjusted covariances need it.
    """

    frame: pd.DataFrame
    used: Codes
    outcome: Floats
    fitted: Floats
    fitted_fixed: Floats
    scores: Floats | Callable[[], Floats]
    bread: Floats
    model_cov: Floats
    df_resid: float | tuple[float, ...]
    k: int
    absorbed: Mapping[str, Codes] = field(default_factory=dict)
    uses_t: bool = True
    bound: Mapping[str, Codes] = field(default_factory=dict)
    unit: tuple[str, Codes] | None = None
    model_label: str = "from the model (independent errors with one variance)"
    regressors: Regressors | None = None

    def __repr__(self) -> str:
        return f"Rows({len(self.outcome)} rows)"

    @property
    def row_scores(self) -> Floats:
        """Scores (n, k)."""
        return self.scores() if callable(self.scores) else self.scores

    def column(self, name: str) -> pd.Series:
        """A column of the data at the rows used."""
        return self.frame[name].iloc[self.used]
