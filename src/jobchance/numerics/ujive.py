"""Jackknife instrumental variables: the exposure predicted without the row's own unit.

Letters: y outcome, d exposure; W controls, X = controls and instruments; H hat matrix, M = I - H; D diagonal
blocks, one for each unit that is left out: D_W of M_W, D_X of M_X, D_I of I - H_X + H_W; z = A d the
constructed instrument, b = z'y / z'd.

OLS A = M_W; TSLS A = H_X - H_W; JIVE1 A = M_W (I - D_X^{-1} M_X) and JIVE2 A = M_W (H_X - diag H_X) of
Angrist, Imbens & Krueger (1999), J. Appl. Econom. 14, 57-67; IJIVE A = M_W (M_W - D_I^{-1} M_X) of
Ackerberg & Devereux (2009), Rev. Econ. Stat. 91, 351-362; UJIVE of Kolesar (2013) A = D_W^{-1} M_W -
D_X^{-1} M_X; UJIVE weighted by D_W: A = M_W - D_W D_X^{-1} M_X.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.two_way_graph import recode
from jobchance.numerics.ujive_blocks import (
    BlockDiagonal,
    Projection,
    diagonal_blocks,
    unit_rows,
)
from jobchance.numerics.ujive_factors import Factors

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

METHODS = ("ols", "tsls", "jive1", "jive2", "ijive", "ujive_2013", "ujive")
NULL = 1e-8


@dataclass(frozen=True, eq=False)
class ManyInstruments:
    """The two projections of a design with many instruments and their blocks, on the rows that can be used.

    Parameters
    ----------
    used : integer array (n,)
        Positions of these rows among those given; the others have no prediction without their unit.
    W, X : Projection
        On the controls, and on controls and instruments.
    block_w, block_x : BlockDiagonal
        Blocks of the hat matrices H_W and H_X.
    rounds : int
        Rounds of dropping until every row left had a prediction.
    """

    used: Codes
    W: Projection
    X: Projection
    block_w: BlockDiagonal
    block_x: BlockDiagonal
    rounds: int

    @property
    def n_instruments(self) -> int:
        """Rank that the instruments add to the controls."""
        return self.X.rank - self.W.rank


@dataclass(frozen=True, eq=False)
class JackknifeEstimates:
    """Estimates and scores by method, in the order of `METHODS`.

    `estimates` (m,); `denominators` (m,) z'd; `robust` and `hte` (n, m) are contributions of the rows to z'e,
    with the instrument taken as known and with what the row adds to the instruments of others; `residuals`
    (n, m) e = M_W (y - d b); `first_stage_f` homoskedastic.
    """

    estimates: Floats
    denominators: Floats
    robust: Floats
    hte: Floats
    instruments: Floats
    residuals: Floats
    first_stage_f: float


def many_instruments(
    cells: Codes, groups: Codes | None, controls: Floats, instruments: Floats, units: Codes | None
) -> ManyInstruments:
    """Projections of `cells` and `controls` (W), and of these with `groups` and `instruments` (X).

    Rows whose prediction from X is not defined without the rows of their unit (leverage one, where a unit is
    one row) are dropped, and again until none is left; with units of one row one round is enough, since a row
    of leverage one tells the others nothing.

    Parameters
    ----------
    cells, groups : integer array (n,)
        Levels of the control factor and of the instrument factor; `groups=None` is none.
    controls, instruments : array (n, p)
        Further columns of each side.
    units : integer array (n,) or None
        Rows that are left out together; `None`: each row alone.
    """
    used = np.arange(len(cells))
    rounds = 0
    while True:
        cell, group = recode(cells[used]), None if groups is None else recode(groups[used])
        columns = np.column_stack([controls[used], instruments[used]])
        X = Projection(Factors(cell) if group is None else Factors(cell, group), columns)
        rows = unit_rows(recode(np.arange(len(used)) if units is None else units[used]))
        block_x = _blocks(X, rows)
        gone = block_x.complement().undefined_rows(NULL)
        if not gone.any():
            break
        rounds += 1
        used = used[~gone]
        if len(used) == 0:
            break
    if len(used) == 0:
        empty = BlockDiagonal((), ())
        return ManyInstruments(used, X, X, empty, empty, rounds)
    W = Projection(Factors(cell), controls[used])
    return ManyInstruments(used, W, X, _blocks(W, rows), block_x, rounds)


def jackknife(design: ManyInstruments, y: Floats, d: Floats) -> JackknifeEstimates:
    """All estimators of this module at the rows of `design`."""
    both_w = design.W.residuals(np.column_stack([y, d]))
    yw, dw = both_w.T
    dx = design.X.residuals(d[:, None])[:, 0]
    D_x, D_w = design.block_x.complement(), design.block_w.complement()
    D_i = D_x + design.block_w
    u = D_x.solve(dx)
    adjusted = np.column_stack([u, design.block_x.times(d), D_i.solve(dx)])
    centred = design.W.residuals(adjusted)
    z = np.column_stack(
        [
            dw,
            dw - dx,
            dw - centred[:, 0],
            dw - dx - centred[:, 1],
            dw - centred[:, 2],
            D_w.solve(dw) - u,
            dw - D_w.times(u),
        ]
    )
    denominators = d @ z
    with np.errstate(divide="ignore", invalid="ignore"):
        estimates = (y @ z) / denominators
    residuals = yw[:, None] - dw[:, None] * estimates
    robust = z * residuals
    back = _transposed(design, y[:, None] - d[:, None] * estimates, residuals, (D_x, D_w, D_i))
    n, k = len(y), design.n_instruments
    spread = float(np.sum((dw - dx) ** 2)) / max(k, 1)
    noise = float(dx @ dx) / max(n - design.X.rank, 1)
    f = spread / noise if noise > 0 else float("inf")
    return JackknifeEstimates(estimates, denominators, robust, robust + back * dx[:, None], z, residuals, f)


def _transposed(
    design: ManyInstruments,
    raw: Floats,
    e: Floats,
    blocks: tuple[BlockDiagonal, BlockDiagonal, BlockDiagonal],
) -> Floats:
    """A'(y - d b) by method, (n, m): what each row's exposure adds to z'e through the instruments of others.

    Zero for OLS, whose exposure is not predicted.
    """
    D_x, D_w, D_i = blocks
    at = {name: j for j, name in enumerate(METHODS)}
    weighted = {
        "tsls": raw[:, at["tsls"]],
        "jive1": D_x.solve(e[:, at["jive1"]]),
        "jive2": e[:, at["jive2"]],
        "ijive": D_i.solve(e[:, at["ijive"]]),
        "ujive_2013": D_x.solve(raw[:, at["ujive_2013"]]),
        "ujive": D_x.solve(D_w.times(raw[:, at["ujive"]])),
    }
    left = design.X.residuals(np.column_stack(list(weighted.values())))
    kolesar = design.W.residuals(D_w.solve(raw[:, at["ujive_2013"]])[:, None])[:, 0]
    out = np.zeros_like(e)
    for j, name in enumerate(weighted):
        first = kolesar if name == "ujive_2013" else e[:, at[name]]
        out[:, at[name]] = first - left[:, j]
    out[:, at["jive2"]] -= design.block_x.times(e[:, at["jive2"]])
    return out


def _blocks(projection: Projection, rows: tuple[Codes, ...]) -> BlockDiagonal:
    """Blocks of the hat matrix; leverages alone where every unit is one row."""
    if len(rows) == 1 and rows[0].shape[1] == 1:
        return BlockDiagonal(rows, (projection.leverages[rows[0][:, 0]][:, None, None],))
    return diagonal_blocks(projection, rows)
