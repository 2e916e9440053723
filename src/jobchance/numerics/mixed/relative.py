"""Relative covariance factors: from the free parameters theta to Lambda and back.

Letters of Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1): random effects b = Lambda u with
spherical u; for one factor Lambda repeats the lower-triangular m x m matrix Lambda_f at every level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Template:
    """Where the free parameters of one factor stand in its Lambda_f.

    Parameters
    ----------
    sizes : tuple of int
        Sizes of the correlated sets of effects along the diagonal: `(2,)` is a correlated pair, `(1, 1)` two
        uncorrelated effects.
    """

    sizes: tuple[int, ...]

    @property
    def m(self) -> int:
        """Number of effects."""
        return sum(self.sizes)

    @property
    def places(self) -> tuple[Codes, Codes]:
        """Row and column of every parameter, column by column within a set as lme4 orders them."""
        rows, columns, start = [], [], 0
        for size in self.sizes:
            for column in range(size):
                rows += list(range(start + column, start + size))
                columns += [start + column] * (size - column)
            start += size
        return np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64)

    @property
    def n_theta(self) -> int:
        """Number of free parameters."""
        return sum(size * (size + 1) // 2 for size in self.sizes)

    @property
    def diagonal(self) -> NDArray[np.bool_]:
        """Which parameters stand on the diagonal of Lambda_f."""
        rows, columns = self.places
        out: NDArray[np.bool_] = rows == columns
        return out

    def factor(self, theta: Floats) -> Floats:
        """Lambda_f (m, m)."""
        made = np.zeros((self.m, self.m))
        made[self.places] = theta
        return made

    def gather(self, derivative: Floats) -> Floats:
        """Derivative by theta from the derivative by every element of Lambda_f (m, m)."""
        out: Floats = derivative[self.places]
        return out

    def canonical(self, theta: Floats) -> tuple[Floats, Floats]:
        """Theta with non-negative diagonal, and the sign (m,) by which each effect of u was turned.

        The covariance Lambda_f Lambda_f' is the same.
        """
        made = self.factor(theta)
        signs = np.where(np.diag(made) < 0, -1.0, 1.0)
        return self.gather(made * signs), signs


def split_theta(templates: tuple[Template, ...], theta: Floats) -> list[Floats]:
    """Theta of each factor."""
    ends = np.cumsum([t.n_theta for t in templates])[:-1]
    return list(np.split(theta, ends))


def relative_factors(templates: tuple[Template, ...], theta: Floats) -> list[Floats]:
    """Lambda_f of each factor."""
    parts = split_theta(templates, theta)
    return [template.factor(part) for template, part in zip(templates, parts, strict=True)]
