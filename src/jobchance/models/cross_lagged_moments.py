"""Published means and covariances as the data of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.numerics.sem_patterns import Patterns, from_moments
from jobchance.options import check_option


@dataclass(frozen=True, eq=False)
class Moments:
    """Means and covariance of variables in a wide layout, where rows of persons are not at hand.

    Parameters
    ----------
    covariance : DataFrame (p, p)
        Covariance matrix with the variables as columns; rows in the same order.
    means : Series, mapping or DataFrame of one row
        Mean by variable.
    n : int
        Entities.
    divisor : {"n", "n-1"}
        What the covariance was divided by.

    Raises
    ------
    SpecError
        The covariance is not square, symmetric and positive definite, a mean is absent, `n` is too small or
        `divisor` is neither; all are listed.

    Examples
    --------
    >>> cov = pd.DataFrame([[1.0, 0.5], [0.5, 1.0]], columns=["x1", "x2"])
    >>> Moments(cov, {"x1": 0.0, "x2": 0.0}, n=100).names
    ('x1', 'x2')
    """

    covariance: pd.DataFrame
    means: pd.Series | pd.DataFrame | Mapping[str, float]
    n: int
    divisor: str = "n"

    def __post_init__(self) -> None:
        check_option("divisor", self.divisor, ("n", "n-1"))
        S, p = self.covariance.to_numpy(dtype=float), self.covariance.shape[1]
        absent = [name for name in self.names if name not in self._mean_by_name()]
        problems = [f"no mean of {', '.join(absent)}"] if absent else []
        if S.shape != (p, p):
            problems.append(f"the covariance has {len(S)} rows and {p} columns")
        elif not np.allclose(S, S.T, rtol=1e-6, atol=1e-8 * float(np.abs(S).max())):
            problems.append("the covariance is not symmetric")
        elif not np.isfinite(S).all() or np.linalg.eigvalsh(S)[0] <= 0:
            problems.append("the covariance is not positive definite")
        if self.n <= p:
            problems.append(f"n={self.n} does not exceed the {p} variables")
        if problems:
            raise SpecError("Moments cannot be used: " + "; ".join(problems) + ".")

    @property
    def names(self) -> tuple[str, ...]:
        """Variables in the order of the covariance."""
        return tuple(str(name) for name in self.covariance.columns)

    def __repr__(self) -> str:
        return f"Moments({len(self.names)} variables, n={self.n})"

    def of(self, names: Sequence[str]) -> Patterns:
        """These variables as one complete pattern, covariance with divisor n."""
        at = [self.names.index(name) for name in names]
        factor = (self.n - 1) / self.n if self.divisor == "n-1" else 1.0
        S = self.covariance.to_numpy(dtype=float)[np.ix_(at, at)] * factor
        means = self._mean_by_name()
        return from_moments((S + S.T) / 2, np.array([means[name] for name in names]), self.n)

    def _mean_by_name(self) -> dict[str, float]:
        means = self.means.iloc[0] if isinstance(self.means, pd.DataFrame) else self.means
        return {str(name): float(value) for name, value in means.items()}
