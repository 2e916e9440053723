"""Third pass over partitions: blocks that stay where they are built, in the units of the search."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from jobchance.design.columns import Codes, Floats
from jobchance.models.partitions import Part
from jobchance.models.partitions_rows import LocalPlan, local_rows
from jobchance.numerics.mixed import families
from jobchance.numerics.mixed.block import RowIndex, index_rows
from jobchance.numerics.mixed.estimate_linear import LinearUnits
from jobchance.numerics.mixed.problem import Arrangement
from jobchance.numerics.mixed.remote import Held, LaplacePart, LinearPart


@dataclass(frozen=True, eq=False)
class LaplaceScale:
    """Units where the model is not linear: columns (X - centre) K, offset less shift and X slopes."""

    K: Floats
    centre: Floats
    shift: float
    slopes: Floats


@dataclass(frozen=True, eq=False)
class BlockPlan:
    """All that a partition needs to build its blocks.

    Parameters
    ----------
    local : LocalPlan
        How its rows become a design, collinear columns left out.
    arrangement : Arrangement
        Order of the factors, places of their columns, scaling of their effects.
    units : LinearUnits or LaplaceScale
        Units of columns, outcome and weights.
    effects : bool
        Whether effects and texts of the levels of the partitions' column are wanted in the end.
    """

    local: LocalPlan
    arrangement: Arrangement
    units: LinearUnits | LaplaceScale
    effects: bool


def build_held(plan: BlockPlan, part: Part) -> Held:
    """Read a partition and build its blocks; linear ones hold sums and codes, others also columns."""
    rows = local_rows(plan.local, part)
    arrangement, units = plan.arrangement, plan.units
    mine = [rows.factors[i] for i in arrangement.order]
    codes = [factor.codes for factor in mine]
    made: list[LinearPart | LaplacePart] = []
    if isinstance(units, LinearUnits):
        Q, w = rows.X @ units.K, units.stretch * rows.w
        D = np.column_stack([Q, (rows.y - rows.offset - Q @ units.centre) / units.unit])
    else:
        Q = (rows.X - units.centre) @ units.K
        rows = replace(rows, offset=rows.offset - units.shift - rows.X @ units.slopes)
    T = linalg.block_diag(*arrangement.scaling)
    for index in index_rows(codes, arrangement.partition) if len(rows.y) else []:
        own = index.rows
        z = np.ones((1, len(mine))) if arrangement.simple else np.hstack([f.z[own] for f in mine]) @ T
        if isinstance(units, LinearUnits):
            linear = LinearPart(index, z, arrangement.slots, arrangement.partition, D=D[own], w=w[own])
            linear.own, linear.tells = own[:0], plan.effects
            made.append(linear)
        else:
            made.append(_laplace_part(plan, index, z, Q[own], (rows.y[own], rows.w[own], rows.offset[own])))
    return Held(made, dict(rows.labels) if plan.effects else {})


def _laplace_part(
    plan: BlockPlan, index: RowIndex, z: Floats, Q: Floats, columns: tuple[Floats, Floats, Floats]
) -> LaplacePart:
    """One block; `columns` are outcome, weights and offset."""
    options, (y, w, offset) = plan.local.options, columns
    made = LaplacePart(
        index,
        z,
        plan.arrangement.slots,
        plan.arrangement.partition.layout,
        family=families.family_code(options.family, options.link),
        X=np.ascontiguousarray(Q),
        y=y,
        w=w,
        offset=offset,
        n_quad=options.n_quad,
    )
    nothing: Codes = np.zeros(0, dtype=np.int64)
    made.given, made.tells = nothing, plan.effects
    return made
