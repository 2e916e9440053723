"""Parameters of a cross-lagged panel model: names, what each moves, and where the search starts.

Variables are x1..xT, y1..yT; the inside part follows v_t = B_t v_{t-1} + e_t, the random intercepts add
Lambda Phi Lambda'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from jobchance.numerics.sem import Structure, implied
from jobchance.numerics.sem_likelihood import loglik
from jobchance.numerics.sem_patterns import Patterns
from jobchance.results.parts import Floats

Place = tuple[str, int, int]


@dataclass(frozen=True)
class Names:
    """Names of the two variables, wave by wave, and without a wave."""

    x: tuple[str, ...]
    y: tuple[str, ...]
    stem_x: str
    stem_y: str

    @property
    def waves(self) -> int:
        """T."""
        return len(self.x)

    @property
    def all(self) -> tuple[str, ...]:
        """The 2T variables in the order of the moments."""
        return self.x + self.y


@dataclass(frozen=True)
class Choices:
    """What is free over the waves (`"free"`) and what is the same (`"equal"`)."""

    random_intercepts: bool
    lags: str
    means: str
    residuals: str


@dataclass(frozen=True, eq=False)
class Layout:
    """Terms in order and the places (matrix, row, column) that each moves."""

    names: Names
    choices: Choices
    places: dict[str, list[Place]] = field(default_factory=dict)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(self.places)

    @property
    def structure(self) -> Structure:
        """The parameters as arrays."""
        p, q = 2 * self.names.waves, len(self.places)
        r = 2 if self.choices.random_intercepts else 0
        loadings = np.repeat(np.eye(2), self.names.waves, axis=0)[:, :r]
        parts = {"B": np.zeros((q, p, p)), "Psi": np.zeros((q, p, p)), "Phi": np.zeros((q, r, r))}
        parts["mu"] = np.zeros((q, p, 1))
        for i, places in enumerate(self.places.values()):
            for matrix, row, column in places:
                parts[matrix][i, row, column] = 1
                if matrix in ("Psi", "Phi"):
                    parts[matrix][i, column, row] = 1
        return Structure(loadings, parts["B"], parts["Psi"], parts["Phi"], parts["mu"][:, :, 0])


def make_layout(names: Names, choices: Choices) -> Layout:
    """Terms: lagged effects, random intercepts, variances and covariances inside, means."""
    layout = Layout(names, choices)
    _lags(layout)
    if choices.random_intercepts:
        x, y = f"RI{names.stem_x}", f"RI{names.stem_y}"
        layout.places.update(
            {f"{x}~~{x}": [("Phi", 0, 0)], f"{y}~~{y}": [("Phi", 1, 1)], f"{x}~~{y}": [("Phi", 0, 1)]}
        )
    _residuals(layout)
    equal = choices.means == "equal"
    for stem, columns, first in ((names.stem_x, names.x, 0), (names.stem_y, names.y, names.waves)):
        for t, column in enumerate(columns):
            _add(layout, f"{stem if equal else column}~1", ("mu", first + t, 0))
    return layout


def inside(layout: Layout, name: str) -> str:
    """Name of the inside part of a variable: `wx1` with random intercepts, else `x1` itself."""
    return f"w{name}" if layout.choices.random_intercepts else name


def lag_places(names: Names) -> list[tuple[str, str, int, int, int]]:
    """Outcome and predictor stem, wave index of the outcome, row and column of B, of every lagged effect."""
    T = names.waves
    sides = ((names.stem_x, 0), (names.stem_y, T))
    return [
        (out, by, t, first + t, start + t - 1)
        for t in range(1, T)
        for out, first in sides
        for by, start in sides
    ]


def start_values(layout: Layout, patterns: Patterns, mu: Floats, sigma: Floats, share: float) -> Floats:
    """Moment estimates; `share` of the covariance at the longest lags is put into random intercepts."""
    T, structure = layout.names.waves, layout.structure
    phi = np.zeros((structure.loadings.shape[1],) * 2)
    W = sigma
    if layout.choices.random_intercepts:
        phi = share * _long_lag_covariance(sigma, T)
        while np.linalg.eigvalsh(W := sigma - structure.loadings @ phi @ structure.loadings.T)[0] <= 0:
            phi = phi / 2
    B, psi = _regressions(W, T)
    full = {"B": B, "Psi": psi, "Phi": phi, "mu": mu[:, None]}
    theta = np.array([np.mean([full[m][i, j] for m, i, j in at]) for at in layout.places.values()])
    lags = np.array([at[0][0] == "B" for at in layout.places.values()])
    while not np.isfinite(loglik(patterns, (made := implied(structure, theta)).mu, made.sigma)):
        # Averages over waves need not fit together; without lags the parts are covariances for certain.
        theta[lags] /= 2
    return theta


def _add(layout: Layout, term: str, *places: Place) -> None:
    """Let a term move these places too."""
    layout.places.setdefault(term, []).extend(places)


def _lags(layout: Layout) -> None:
    """`wy2~wx1` by wave, or `y~x` for all waves."""
    names = layout.names
    columns = names.all
    for out, by, _, row, column in lag_places(names):
        if layout.choices.lags == "equal":
            _add(layout, f"{out}~{by}", ("B", row, column))
        else:
            _add(
                layout,
                f"{inside(layout, columns[row])}~{inside(layout, columns[column])}",
                ("B", row, column),
            )


def _residuals(layout: Layout) -> None:
    """Variances and the covariance within each wave; the first wave's are always its own."""
    names, T = layout.names, layout.names.waves
    for t in range(T):
        if t and layout.choices.residuals == "equal":
            a, b = f"e{names.stem_x}", f"e{names.stem_y}"
        else:
            a, b = inside(layout, names.x[t]), inside(layout, names.y[t])
        _add(layout, f"{a}~~{a}", ("Psi", t, t))
        _add(layout, f"{b}~~{b}", ("Psi", T + t, T + t))
        _add(layout, f"{a}~~{b}", ("Psi", t, T + t))


def _long_lag_covariance(sigma: Floats, T: int) -> Floats:
    """Mean covariance of the longest half of the lags, made positive definite: near that of the levels."""
    lag = np.abs(np.subtract.outer(np.arange(T), np.arange(T)))
    far = lag >= max(1, T // 2)
    blocks = sigma.reshape(2, T, 2, T).transpose(0, 2, 1, 3)
    made = np.array([[blocks[i, j][far].mean() for j in range(2)] for i in range(2)])
    values, vectors = np.linalg.eigh((made + made.T) / 2)
    floor = 0.02 * np.diag(sigma).min()
    positive: Floats = (vectors * np.maximum(values, floor)) @ vectors.T
    return positive


def _regressions(W: Floats, T: int) -> tuple[Floats, Floats]:
    """B and the residual covariances of each wave on the wave before."""
    B, psi = np.zeros_like(W), np.zeros_like(W)
    for t in range(T):
        now = np.array([t, T + t])
        block = W[np.ix_(now, now)]
        if t:
            before = now - 1
            slopes = np.linalg.solve(W[np.ix_(before, before)], W[np.ix_(before, now)]).T
            B[np.ix_(now, before)] = slopes
            block = block - slopes @ W[np.ix_(before, now)]
        psi[np.ix_(now, now)] = block
    return B, psi


def free_of_waves(names: Sequence[str], fallback: str) -> str:
    """What the names share once digits at their end are taken off: `x1 x2 x3` gives `x`."""
    stems = {name.rstrip("0123456789").rstrip("_") for name in names}
    return stems.pop() if len(stems) == 1 and "" not in stems else fallback
