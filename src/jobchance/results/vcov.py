"""The three kinds of standard error a user may ask for: `Cluster(...)`, `Robust()` and `"model"`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from jobchance.errors import SpecError


@dataclass(frozen=True, init=False)
class Cluster:
    """Standard errors that allow dependence within clusters, in one or several crossed dimensions.

    Parameters
    ----------
    *columns : str
        Columns of the data that name the cluster of each row.

    Raises
    ------
    SpecError
        No column, a column given twice, or something that is not a column name.

    Examples
    --------
    >>> Cluster("caseworker_id")
    Cluster('caseworker_id')
    """

    columns: tuple[str, ...]

    def __init__(self, *columns: str) -> None:
        if not columns or not all(isinstance(column, str) and column for column in columns):
            raise SpecError('Cluster(...) takes the names of one or more columns: Cluster("caseworker_id").')
        if len(set(columns)) < len(columns):
            raise SpecError("Cluster(...) names the same column twice.")
        object.__setattr__(self, "columns", tuple(columns))

    def __repr__(self) -> str:
        return f"Cluster({', '.join(map(repr, self.columns))})"


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
