"""`Fit`: one frozen result object for every estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.errors import SpecError
from jobchance.results import prediction, serialise, summary, tables
from jobchance.results.covariance import covariance
from jobchance.results.parts import (
    Floats,
    Inference,
    JointCovariance,
    Predictor,
    RandomPart,
    RandomStructure,
    Rows,
    Sample,
)
from jobchance.results.vcov import Vcov, check_vcov


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """Estimates of one model, their covariance, and how both came about.

    A fit is a value: `with_vcov` and `replace` give new fits. Estimators fill in the fields; everything a
    reader needs is a property or method. `rows` and `random` hold microdata: they live in memory only and
    are absent after pickling, copying or `to_dict`.

    Parameters
    ----------
    model : str
        Name of the estimator in words: `"within"`, `"binomial logit"`, `"linear mixed (REML)"`.
    outcome : str
        The outcome's name.
    terms : sequence of str
        Names of the coefficients.
    estimates : array (k,)
        Coefficients on the scale of the linear predictor.
    covariance : array (k, k)
        Their covariance.
    inference : Inference
        Kind of standard error, clusters, small-sample factors, degrees of freedom.
    sample : Sample
        Rows used and dropped, groups, dropped terms.
    spec : mapping
        What was asked for, as JSON values: `formula`, `family`, `link`, `method`, ...
    loglik : float or None
        Log-likelihood (restricted for REML) at the estimates.
    criterion : float or None
        What was minimised: -2 log-likelihood or REML criterion, residual sum of squares, deviance.
    n_scale : int
        Scale parameters beside `terms` and `variance_components` that `aic` counts (a residual variance: 1).
    converged : bool
        The optimum was reached and checked; closed forms are `True`.
    is_singular : bool
        A variance is estimated at zero or a correlation at +-1.
    variance_components : DataFrame or None
        Columns `group term sd variance correlation`; the residual is group `"Residual"`.
    statistics : mapping of str to float
        Further numbers of this estimator (`r2_within`, `icc`, `tau2`, `Q`, ...).
    conventions : mapping of str to str
        Choices that other software makes differently, in words.
    remarks : sequence of str
        What a reader must know about this model; `notes` adds those about its standard errors.
    diagnostics : mapping of str to DataFrame
        Tables beside the estimates, by name: balance, first stage, checks, event-time paths. No rows of
        persons: they are stored with the fit.
    provenance : mapping
        Versions and formula; no data, no clock.
    predictor : Predictor or None
        Remembered coding of the design, for `predict(data)`.
    random : sequence of RandomPart
        Conditional modes by grouping factor.
    structure : sequence of RandomStructure
        Covariance of the random effects, term by term (mixed models).
    joint : JointCovariance or None
        Covariance of random-effect parameters and coefficients together (mixed models).
    rows : Rows or None
        The rows behind the fit.
    """

    model: str
    outcome: str
    terms: Sequence[str]
    estimates: Floats
    covariance: Floats
    inference: Inference
    sample: Sample
    spec: Mapping[str, Any] = field(default_factory=dict)
    loglik: float | None = None
    criterion: float | None = None
    n_scale: int = 0
    converged: bool = True
    is_singular: bool = False
    variance_components: pd.DataFrame | None = None
    statistics: Mapping[str, float] = field(default_factory=dict)
    conventions: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    diagnostics: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    predictor: Predictor | None = None
    random: Sequence[RandomPart] = ()
    structure: Sequence[RandomStructure] = ()
    joint: JointCovariance | None = None
    rows: Rows | None = None

    def __post_init__(self) -> None:
        for name in ("estimates", "covariance"):
            array = np.array(getattr(self, name), dtype=float)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        for name in ("spec", "statistics", "conventions", "diagnostics", "provenance"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        for name in ("terms", "remarks", "random", "structure"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        k = len(self.terms)
        assert self.estimates.shape == (k,), "one estimate per term"
        assert self.covariance.shape == (k, k), "a covariance of all terms"

    # ---- reading -------------------------------------------------------------------------------------

    @property
    def params(self) -> pd.Series:
        """Coefficients by term."""
        return pd.Series(self.estimates.copy(), index=list(self.terms), name="estimate")

    @property
    def cov(self) -> pd.DataFrame:
        """Covariance of the coefficients."""
        return pd.DataFrame(self.covariance.copy(), index=list(self.terms), columns=list(self.terms))

    @property
    def std_errors(self) -> pd.Series:
        """Standard errors by term; NaN where a multi-way covariance has no variance for the term."""
        variance = np.diag(self.covariance)
        values = np.sqrt(np.where(variance >= 0, variance, np.nan))
        return pd.Series(values, index=list(self.terms), name="std_error")

    @property
    def df(self) -> pd.Series:
        """Degrees of freedom of the reference distribution by term; `inf` is the normal distribution."""
        values = np.broadcast_to(np.asarray(self.inference.df, dtype=float), (len(self.terms),))
        return pd.Series(values.copy(), index=list(self.terms), name="df")

    @property
    def statistic(self) -> pd.Series:
        """Estimate divided by standard error."""
        return (self.params / self.std_errors).rename("statistic")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values against zero."""
        values = 2 * stats.t.sf(np.abs(self.statistic.to_numpy()), self.df.to_numpy())
        return pd.Series(values, index=list(self.terms), name="p_value")

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.sample.nobs

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: about the model, then about its standard errors."""
        return (*self.remarks, *self.inference.notes)

    def conf_int(self, level: float = 0.95) -> pd.DataFrame:
        """Confidence intervals, columns `conf_low conf_high`.

        Raises
        ------
        SpecError
            `level` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
        reach = stats.t.ppf((1 + level) / 2, self.df.to_numpy()) * self.std_errors
        return pd.DataFrame({"conf_low": self.params - reach, "conf_high": self.params + reach})

    def tidy(self, *, level: float = 0.95) -> pd.DataFrame:
        """One row per coefficient and variance component.

        Columns, always these: `model effect group level term estimate std_error statistic df p_value
        conf_low conf_high`. `effect` is `"fixed"` for coefficients and `"variance"` for the standard
        deviations (`sd__<term>`) and correlations (`cor__<term>.<term>`) of random effects: their standard
        errors are those of the delta method (missing at zero, at +-1 and where the fit has none), and their
        intervals are normal on the scale of the log and of Fisher's z.
        """
        return tables.tidy(self, level=level)

    def glance(self) -> pd.DataFrame:
        """One row about the whole fit, the same columns for every estimator, missing where undefined."""
        return tables.glance(self)

    def augment(self) -> pd.DataFrame:
        """Outcome, fitted values and residuals of the rows used, by the index of the data (microdata).

        Columns `outcome fitted fitted_fixed residual`; `fitted_fixed` leaves random or absorbed effects out.
        For an ordinal outcome these are scores, the numbers that its levels are (else 1, 2, 3, ...), and
        `fitted` is the expected score; `predict()` has the probability of each level.

        Raises
        ------
        SpecError
            The fit was read back from a file or copied and has no rows.
        """
        return tables.augment(self)

    def predict(
        self,
        data: pd.DataFrame | None = None,
        *,
        random: prediction.Random = True,
        new_levels: prediction.NewLevels = "zero",
    ) -> pd.Series | pd.DataFrame:
        r"""Predictions on the scale of the outcome.

        Parameters
        ----------
        data : DataFrame or None
            New rows; `None` is the rows used in the fit. Rows with a missing value are predicted as NaN.
        random : bool or "integrated"
            `True` adds the conditional modes of random effects: a prediction for this person and
            caseworker. `False` puts them at zero: a person and caseworker in the middle. `"integrated"`
            averages over them, :math:`E\,h(\eta + e),\ e \sim N(0, \sum z'\Sigma z)`: the mean, or share, of
            a population; it needs neither the groups nor their modes. With an identity link the last two are
            the same.
        new_levels : {"zero", "integrated", "error"}
            With `random=True`, a level that the fit has not seen or that is missing: its effects are 0
            (default), are integrated over, or are refused with a count.

        Returns
        -------
        Series, or for ordinal outcomes DataFrame
            Means; shares for binomial outcomes. Ordinal: the probability of each level, one column per level;
            rows sum to 1. Offsets of the model are added: their columns must be in `data`.

        Raises
        ------
        SpecError
            The rows, the random effects or the coding that this needs are not in the fit.
        FormulaError, SchemaError
            Columns of the design, of an offset, or of a grouping (`random=True`) are absent.
        DesignError
            A categorical column has a level that the fit has not seen; or
            `new_levels="error"` and there are some.
        """
        return prediction.predict(self, data, random=random, new_levels=new_levels)

    def random_effects(self, group: str) -> pd.DataFrame:
        """Conditional modes of one grouping factor: `group level term estimate std_error`.

        `std_error` is the conditional standard deviation given the estimated variances.

        Raises
        ------
        SpecError
            No such group, or the fit was read back without its random effects.
        """
        return tables.random_effects(self, group)

    def summary(self) -> str:
        """Deterministic text: estimates with intervals first, then how they were made."""
        return summary.render(self)

    # ---- new fits ------------------------------------------------------------------------------------

    def with_vcov(self, vcov: Vcov) -> Fit:
        """The same estimates with another kind of standard error.

        Raises
        ------
        SpecError
            The fit has no rows (after `from_dict`, copying or pickling), or `vcov` is not known.
        DesignError
            The cluster columns cannot be used; the message says why.
        """
        rows = self.need_rows("with_vcov")
        cov, inference = covariance(rows, check_vcov(vcov))
        return replace(self, covariance=cov, inference=inference)

    # ---- storing -------------------------------------------------------------------------------------

    def need_rows(self, what: str) -> Rows:
        """The rows behind the fit, or a `SpecError` that says why they are absent."""
        if self.rows is None:
            raise SpecError(
                f"{what} needs the rows behind the fit. They are microdata and are not stored with it: "
                "fit the model again on the data."
            )
        return self.rows

    def to_dict(self, *, random_effects: bool = False) -> dict[str, Any]:
        """Everything but the rows, as JSON values.

        Parameters
        ----------
        random_effects : bool
            Also store the conditional modes. They name the levels of the group (persons, caseworkers), so
            leave this off for anything that leaves a secure server.
        """
        return serialise.to_dict(self, random_effects=random_effects)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Fit:
        """Read back what `to_dict` stored.

        Raises
        ------
        SpecError
            `stored` is not a stored fit, or is of a format that this version does not read.
        """
        return cls(**serialise.parts(stored))

    def __reduce__(self) -> tuple[Callable[..., Fit], tuple[dict[str, Any]]]:
        # Pickling and copying go through the stored form, so that no row can travel with a fit.
        return (Fit.from_dict, (self.to_dict(),))

    def __repr__(self) -> str:
        return f"Fit({self.model!r}, outcome={self.outcome!r}, {len(self.terms)} terms, nobs={self.nobs})"
