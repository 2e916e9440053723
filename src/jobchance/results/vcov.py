"""The three kinds of standard error a user may ask for: `Cluster(...)`, `Robust()` and `"model"`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from jobchance.errors import SpecError
from jobchance.options import check_option

CLUSTER_KINDS = ("CR1", "CR2", "CR3", "jackknife")


@dataclass(frozen=True, init=False)
class Cluster:
    r"""Standard errors that allow dependence within clusters, in one or several crossed dimensions.

    With B the bread, X_g and e_g the regressors and residuals of cluster g, and
    :math:`H_{gg} = X_g B X_g'`, the covariance is :math:`B \sum_g s_g s_g' B` times a factor:

    ===========  ======================================  ===============  =================================
    kind         :math:`s_g`                             factor           reference distribution
    ===========  ======================================  ===============  =================================
    `CR1`        :math:`X_g' e_g`                        see `covariance` t with G - 1 degrees of freedom
    `CR2`        :math:`X_g'(I - H_{gg})^{-1/2} e_g`     none             t, Satterthwaite's, term by term
    `CR3`        :math:`X_g'(I - H_{gg})^{-1} e_g`       none             t, Satterthwaite's, term by term
    `jackknife`  as `CR3`: estimates without cluster g   (G - 1) / G      t with G - 1 degrees of freedom
    ===========  ======================================  ===============  =================================

    Parameters
    ----------
    *columns : str
        Columns of the data that name the cluster of each row.
    kind : {"CR1", "CR2", "CR3", "jackknife"}
        `"CR1"` is defined for every estimator. `"CR2"` (Bell & McCaffrey's bias-reduced linearisation) and
        `"CR3"` are those of R's clubSandwich, for least squares (absorbed effects included), two-stage least
        squares, logit and Poisson, in one dimension. `"jackknife"` is CV3 of MacKinnon, Nielsen & Webb, for
        least squares; several dimensions by inclusion-exclusion.

    Raises
    ------
    SpecError
        No column, a column given twice, or something that is not a column name; an unknown kind.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky & Tipton (2018), J. Bus. Econ.
    Statist. 36, 672-683; MacKinnon, Nielsen & Webb (2023), J. Applied Econometrics 38, 671-694.

    Examples
    --------
    >>> Cluster("caseworker_id")
    Cluster('caseworker_id')
    >>> Cluster("jobcentre_id", kind="CR2")
    Cluster('jobcentre_id', kind='CR2')
    """

    columns: tuple[str, ...]
    kind: str

    def __init__(self, *columns: str, kind: str = "CR1") -> None:
        if not columns or not all(isinstance(column, str) and column for column in columns):
            raise SpecError('Cluster(...) takes the names of one or more columns: Cluster("caseworker_id").')
        if len(set(columns)) < len(columns):
            raise SpecError("Cluster(...) names the same column twice.")
        object.__setattr__(self, "columns", tuple(columns))
        object.__setattr__(self, "kind", check_option("kind", kind, CLUSTER_KINDS))

    def __repr__(self) -> str:
        kind = "" if self.kind == "CR1" else f", kind={self.kind!r}"
        return f"Cluster({', '.join(map(repr, self.columns))}{kind})"


@dataclass(frozen=True)
class Robust:
    """Standard errors that allow another variance in every row, but no dependence between rows.

    Parameters
    ----------
    kind : str
        `"HC1"` (default) multiplies by `n/(n-k)`; `"HC0"` does not.
    """

    kind: str = "HC1"

    def __post_init__(self) -> None:
        if self.kind not in ("HC0", "HC1"):
            raise SpecError(f"Robust(kind={self.kind!r}) is not known. Allowed: HC0, HC1.")


Vcov: TypeAlias = Cluster | Robust | Literal["model"]


def check_vcov(value: object) -> Vcov:
    """Return `value` if it is a kind of standard error, else raise one error that shows the three forms.

    Raises
    ------
    SpecError
        `value` is none of them; a text such as `"cluster"` is answered with the form to write.
    """
    if isinstance(value, Cluster | Robust):
        return value
    if value == "model":
        return "model"
    raise SpecError(
        f"vcov={value!r} is not known. Allowed: Cluster(column, ...) such as Cluster('caseworker_id'), "
        "Robust(), 'model'."
    )


def vcov_columns(vcov: Vcov) -> tuple[str, ...]:
    """Columns of the data that this kind of standard error reads."""
    return vcov.columns if isinstance(vcov, Cluster) else ()
