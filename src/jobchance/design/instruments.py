"""The instrument side of a design: columns of the excluded instruments, as the first stage codes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from jobchance.design.codings import Coding
from jobchance.design.columns import Floats
from jobchance.design.formula import Formula, term_label
from jobchance.design.layout import make_layout
from jobchance.design.matrices import fixed_part
from jobchance.design.nodes import Node


@dataclass(frozen=True, eq=False)
class Instruments:
    """Excluded instruments on the rows used.

    Parameters
    ----------
    endogenous : frozenset of str
        Labels of the endogenous terms; the columns of `Design.matrix` that belong to them are endogenous.
    matrix : array (n, L)
        Columns of the excluded instruments, none of which the exogenous columns determine.
    columns : tuple of str
        Their names.
    collinear : tuple of str
        Instruments left out because columns before them determine them.
    """

    endogenous: frozenset[str]
    matrix: Floats
    columns: tuple[str, ...]
    collinear: tuple[str, ...]


def instrument_part(formula: Formula, codings: Mapping[Node, Coding], rows: pd.DataFrame) -> Instruments:
    """Columns of the excluded instruments of a formula with a bracket."""
    assert formula.instruments is not None, "a formula with a bracket"
    excluded = {term_label(term) for term in formula.instruments.excluded}
    layout, matrix, collinear = fixed_part(formula.first_stage, codings, rows)
    whole = make_layout(layout.formula, layout.codings, layout.full, None)
    named = zip(whole.columns, whole.terms, strict=True)
    mine = [i for i, term in enumerate(layout.terms) if term in excluded]
    return Instruments(
        endogenous=frozenset(term_label(term) for term in formula.instruments.endogenous),
        matrix=matrix[:, mine],
        columns=tuple(layout.columns[i] for i in mine),
        collinear=tuple(name for name, term in named if term in excluded and name in collinear),
    )
