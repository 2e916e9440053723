"""What linear specifications on the same rows and with the same absorbed factors share.

Columns of *all* terms of the multiverse, cleaned of the absorbed factors (or of their mean), two triangles of
their geometry (before and after cleaning), and cross-products by cluster. Which columns these are follows
from panel, rows and factors alone, never from what is asked together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from jobchance.design.codings import CategoricalCoding
from jobchance.design.matrices import all_columns, learn_codings
from jobchance.errors import JobchanceError
from jobchance.numerics.demean import demean, redundant_effects
from jobchance.numerics.joint_restricted import Effects, effects_of
from jobchance.numerics.multiverse_scores import cluster_products
from jobchance.numerics.multiverse_solve import triangle
from jobchance.results.covariance import covariance
from jobchance.results.parts import Codes, Floats, Inference, Rows
from jobchance.results.vcov import Cluster
from jobchance.sensitivity.multiverse.filled import prepare
from jobchance.sensitivity.multiverse.samples import ENTITY, TIME, codes_of, one_term

WIDEST_TERM = 40
"""Columns of one term beyond which it is not shared (a factor of many levels belongs in `absorb`)."""
MOST_COLUMNS = 200
UNCHANGING = 1e-10
"""Share of the outcome's length under which cleaning may have left rounding alone."""
PRODUCT_BYTES = 32_000_000
"""Largest array of cross-products by cluster; with more clusters one goes over the rows."""

FEWER_CLUSTERS = 5
"""Rows per cluster from which on sums by cluster are cheaper than sums over rows."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of a standard error on these rows.

    Parameters
    ----------
    inference : Inference
        Label, notes, degrees of freedom and numbers of clusters, from `results.covariance`.
    absorbed_k : int
        Absorbed effects that its small-sample factors count.
    parts : tuple of (sign, codes, count, has_factor)
        Terms of the inclusion-exclusion sum.
    products : array (G, P, P) or None
        Cross-products by cluster, for one dimension with not too many clusters.
    """

    inference: Inference
    absorbed_k: int
    parts: tuple[tuple[int, Codes, int, bool], ...]
    products: Floats | None

    @property
    def size(self) -> int:
        """Bytes held."""
        own = sum(codes.nbytes for _, codes, _, _ in self.parts)
        return own + (0 if self.products is None else self.products.nbytes)


@dataclass(eq=False, repr=False)
class Ground:
    """Shared work of linear specifications (microdata: memory only).

    Parameters
    ----------
    frame : DataFrame
        The panel's rows (a reference, not a copy).
    positions : integer array (n,)
        Those of the sample.
    factors : mapping of str to integer array (n,)
        Absorbed factors, the entity first.
    places : mapping of str to tuple of int
        Columns of each term; a term that is not there is not shared.
    names : tuple of str
        Names of the columns as a design gives them.
    coded, marks : sets and mappings
        Columns of the data that a term makes categories of; columns that mark filled values, by data column.
    Z : array (P + 1, n)
        Cleaned columns; the outcome last.
    means : array (P + 1,)
        Means taken off (zero where factors are absorbed).
    raw, clean : arrays
        Triangles: of the intercept and the raw columns; of the cleaned columns and outcome.
    varies : array (P + 1,)
        Share of its length that cleaning leaves to a column.
    extra_k : int
        Absorbed effects that count in the model's degrees of freedom.
    """

    frame: pd.DataFrame
    positions: Codes
    factors: Mapping[str, Codes]
    places: Mapping[str, tuple[int, ...]]
    names: tuple[str, ...]
    coded: frozenset[str]
    marks: Mapping[str, int]
    Z: Floats
    means: Floats
    raw: Floats
    clean: Floats
    varies: Floats
    extra_k: int
    _clusters: dict[tuple[str, ...], Clusters] = field(default_factory=dict, init=False)
    _effects: dict[str, Effects | None] = field(default_factory=dict, init=False)

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.Z.shape[1])

    @property
    def outcome(self) -> int:
        """Place of the outcome among the columns."""
        return len(self.Z) - 1

    @property
    def size(self) -> int:
        """Bytes held, without the frame."""
        held = sum(made.size for made in self._clusters.values())
        held += sum(made.held for made in self._effects.values() if made)
        return held + int(self.Z.nbytes + self.raw.nbytes + self.clean.nbytes)

    def clusters(self, columns: tuple[str, ...]) -> Clusters:
        """Clusters of a standard error.

        Raises
        ------
        DesignError
            They cannot be used; see `results.covariance`.
        """
        if columns not in self._clusters:
            self._clusters[columns] = self._learn(columns)
        return self._clusters[columns]

    def effects(self, cluster: str, codes: Codes, n_clusters: int) -> Effects | None:
        """Absorbed effects as seen from the clusters `codes` (n,) of the joint test; see `effects_of`."""
        if cluster not in self._effects:
            self._effects[cluster] = effects_of(list(self.factors.values()), codes, n_clusters)
        return self._effects[cluster]

    def _learn(self, columns: tuple[str, ...]) -> Clusters:
        """Ask `results.covariance` what it makes of these clusters, once for all specifications."""
        n = self.n
        rows = Rows(
            frame=self.frame,
            used=self.positions,
            outcome=np.zeros(n),
            fitted=np.zeros(n),
            fitted_fixed=np.zeros(n),
            scores=np.zeros((n, 1)),
            bread=np.eye(1),
            model_cov=np.eye(1),
            df_resid=float(n - 1),
            k=0,
            absorbed=self.factors,
            unit=next(iter(self.factors.items()), None),
        )
        inference = covariance(rows, Cluster(*columns))[1]
        codes = [codes_of(self.frame[column].iloc[self.positions]) for column in columns]
        parts = _parts(codes)
        count = parts[0][2]
        factor = next(iter(inference.factors.values()))
        # the factor is G/(G-1) * (n-1)/(n-k): k is read back, so that its rule stands in one place only
        absorbed_k = round(n - count / (count - 1) * (n - 1) / factor)
        fits = count * self.Z.shape[0] ** 2 * 8 <= PRODUCT_BYTES
        small = len(columns) == 1 and fits and count * FEWER_CLUSTERS <= n
        products = cluster_products(self.Z, parts[0][1], count) if small else None
        return Clusters(inference, absorbed_k, parts, products)


@dataclass(frozen=True, eq=False, repr=False)
class Held:
    """A ground, or that there is none, as a cache keeps it."""

    ground: Ground | None

    @property
    def size(self) -> int:
        """Bytes held."""
        return 0 if self.ground is None else self.ground.size


def build_ground(
    panel: pd.DataFrame, positions: Codes, terms: Sequence[str], factors: Sequence[str], *, fill: bool
) -> Ground | None:
    """Shared work on some rows of a panel, or `None` where these rows need a look of their own.

    Parameters
    ----------
    panel : DataFrame
        Rows of the panel.
    positions : integer array (n,)
        Those of the sample, with a known outcome.
    terms : sequence of str
        All exposures and covariates of the multiverse; those with missing values here are left out unless
        `fill`, those that cannot be coded here always.
    factors : sequence of str
        Absorbed factors.
    fill : bool
        Missing covariates are filled and marked.
    """
    frame = panel.take(positions)
    if not _sound(frame, factors):
        return None
    blocks = _Blocks(frame, fill)
    for term in terms:
        blocks.add(term)
    outcome = frame["outcome"].to_numpy(dtype=float)
    raw = np.column_stack([*blocks.columns, outcome])
    codes = {name: np.asarray(codes_of(frame[name])) for name in factors}
    absorbed = list(codes.values())
    means = np.zeros(raw.shape[1]) if absorbed else raw.mean(axis=0)
    cleaned = demean(raw, absorbed) if absorbed else raw - means
    lengths = np.linalg.norm(raw, axis=0)
    levels = sum(int(one.max()) + 1 for one in absorbed)
    varies = np.linalg.norm(cleaned, axis=0) / np.where(lengths > 0, lengths, 1.0)
    if not varies[-1] > UNCHANGING:
        return None
    return Ground(
        frame=panel,
        positions=positions,
        factors=codes,
        places=blocks.places,
        names=tuple(blocks.names),
        coded=frozenset(blocks.coded),
        marks=blocks.marks,
        Z=np.ascontiguousarray(cleaned.T),
        means=means,
        raw=triangle(np.column_stack([np.ones(len(raw)), raw])),
        clean=triangle(cleaned),
        varies=varies,
        extra_k=levels - redundant_effects(absorbed) if absorbed else 0,
    )


class _Blocks:
    """Columns of terms, one term after another."""

    def __init__(self, frame: pd.DataFrame, fill: bool) -> None:
        self.frame, self.fill = frame, fill
        self.columns: list[Floats] = []
        self.names: list[str] = []
        self.places: dict[str, tuple[int, ...]] = {}
        self.coded: set[str] = set()
        self.marks: dict[str, int] = {}

    def add(self, term: str) -> None:
        """The columns of a term, if it has one factor and can be coded on these rows."""
        try:
            formula = one_term(term)
            data = [column for column in formula.columns if column != "outcome"]
            if term in self.places or len(formula.terms) != 1 or len(formula.terms[0]) != 1 or not data:
                return
            gone = bool(self.frame[data].isna().any(axis=None))
            if gone and (not self.fill or len(data) > 1):
                return
            prepared = prepare(self.frame, (term,), fill=gone)
            problems: list[str] = []
            codings = learn_codings(formula.fixed, prepared.frame, problems)
            if problems:
                return
            layout, matrix = all_columns(formula.fixed, codings, prepared.frame)
        except JobchanceError:  # a specification that asks for the term gets the message
            return
        if matrix.shape[1] - 1 > WIDEST_TERM or len(self.columns) + matrix.shape[1] > MOST_COLUMNS:
            return
        self.places[term] = self._store(matrix[:, 1:], layout.columns[1:])
        if any(isinstance(coding, CategoricalCoding) for coding in codings.values()):
            self.coded |= set(data)
        if len(prepared.terms) > 1 and data[0] not in self.marks:
            mark = self.frame[[data[0]]].isna().to_numpy().astype(np.float64)
            (self.marks[data[0]],) = self._store(mark, prepared.terms[1:])

    def _store(self, matrix: Floats, names: Sequence[str]) -> tuple[int, ...]:
        """Places of new columns."""
        first = len(self.columns)
        self.columns += list(matrix.T)
        self.names += list(names)
        return tuple(range(first, first + len(names)))


def _sound(frame: pd.DataFrame, factors: Sequence[str]) -> bool:
    """Whether `fit_glm` and `fit_panel` would take these rows; what they refuse they refuse in words."""
    if len(frame) < 3 or float(np.ptp(frame["outcome"].to_numpy(dtype=float))) == 0:
        return False
    if not factors:
        return True
    if frame[factors[0]].nunique() < 2:
        return False
    timed = factors[0] == ENTITY and TIME in frame
    return not (timed and bool(frame.duplicated([ENTITY, TIME]).any()))


def _parts(codes: Sequence[Codes]) -> tuple[tuple[int, Codes, int, bool], ...]:
    """Sign, codes, number of cells and whether there is a small-sample factor, of every set of dimensions."""
    parts = []
    for size in range(1, len(codes) + 1):
        for chosen in combinations(codes, size):
            cells = chosen[0]
            for other in chosen[1:]:
                joined = cells * (int(other.max()) + 1) + other
                cells = np.unique(joined, return_inverse=True)[1].astype(np.int64)
            factored = not (size > 1 and size == len(codes))
            parts.append(((-1) ** (size + 1), cells, int(cells.max()) + 1, factored))
    return tuple(parts)
