"""`build_design`: a formula and a table become an outcome, a matrix and a record of what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.codings import CategoricalCoding, Coding, finite_values, learn_coding
from jobchance.design.columns import (
    Codes,
    Floats,
    Mask,
    level_codes,
    missing_masks,
    numeric_values,
    require_columns,
)
from jobchance.design.formula import Formula, RandomTerm, one_side, parse_formula
from jobchance.design.layout import Layout, assemble, factors_of, full_flags, infinite_problems, make_layout
from jobchance.design.nodes import Name, Node, render
from jobchance.errors import DesignError
from jobchance.numerics.linalg import independent_columns

MAX_BYTES = 4_000_000_000
LARGEST = 1e100


@dataclass(frozen=True, eq=False)
class RandomBlock:
    """One random-effects term on the rows used.

    Parameters
    ----------
    group : str
        Grouping column, or `a:b` for combinations.
    codes : integer array (n,)
        Level number of each row.
    levels : tuple of str
        Level texts (identifiers of persons or caseworkers: keep them in memory).
    matrix : array (n, q)
        Columns of the effects that vary.
    layout : Layout
        Their names and coding.
    correlated : bool
        `False` for `||`.
    """

    group: str
    codes: Codes
    levels: tuple[str, ...]
    matrix: Floats
    layout: Layout
    correlated: bool


@dataclass(frozen=True, eq=False)
class Design:
    """Everything an estimator needs from a formula and data.

    Parameters
    ----------
    formula : Formula
        The parsed formula.
    outcome_name : str
        Canonical text of the left side.
    outcome : array (n,)
        Its values on the rows used.
    matrix : array (n, k)
        Fixed part, of full column rank.
    layout : Layout
        Column names and remembered coding, for prediction.
    used : integer array (n,)
        Positions of the rows used in the data given.
    dropped : mapping of str to int
        Rows left out, by reason; a row with several missing columns counts at the first of them.
    missing : mapping of str to int
        Missing values of every column that has any, over all rows.
    collinear : tuple of str
        Columns left out because columns before them determine them.
    random : tuple of RandomBlock
        Random-effects terms.
    """

    formula: Formula
    outcome_name: str
    outcome: Floats
    matrix: Floats
    layout: Layout
    used: Codes
    dropped: Mapping[str, int]
    missing: Mapping[str, int]
    collinear: tuple[str, ...]
    random: tuple[RandomBlock, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `matrix`."""
        return self.layout.columns

    @property
    def groups(self) -> dict[str, int]:
        """Number of levels of every grouping of the random part."""
        return {block.group: len(block.levels) for block in self.random}


def build_design(formula: str, data: pd.DataFrame, *, required: Sequence[str] = ()) -> Design:
    """Build outcome and matrices from complete rows, and remember the coding.

    Rows with a missing value in a column that is used are left out and counted. Categorical columns (text,
    true/false, categories, `C()`) get a 0/1 column per level except the reference, the first level in
    order; columns are named `education[vocational]`. Columns that earlier ones determine are left out.

    Parameters
    ----------
    formula : str
        See `parse_formula`; the outcome is needed.
    data : DataFrame
        One row per observation.
    required : sequence of str
        Further columns that must not be missing, such as clusters.

    Returns
    -------
    Design

    Raises
    ------
    FormulaError
        The formula cannot be read, or names absent columns (all are listed).
    DesignError
        No complete rows, infinite values, a categorical column with one level, and the like; all problems
        at once, with counts.

    Examples
    --------
    >>> data = pd.DataFrame({"job": [0, 1, 1, 0], "sex": ["K", "M", "K", None]})
    >>> design = build_design("job ~ sex", data)
    >>> design.columns, dict(design.dropped)
    (('(Intercept)', 'sex[M]'), {'sex is missing': 1})
    """
    parsed = parse_formula(formula)
    if parsed.outcome is None:
        raise DesignError('The formula has no outcome before "~".')
    names = tuple(dict.fromkeys([*parsed.columns, *required]))
    require_columns(names, data)
    problems = infinite_problems(names, data)
    keep, dropped, missing = _complete_rows(names, data)
    if not keep.any():
        problems.append(_no_rows(len(data), missing))
    if problems:
        raise DesignError("\n".join(problems))
    rows = data.loc[keep, list(names)]
    outcome = _outcome(parsed.outcome, rows, problems)
    if not _computable(np.abs(outcome).max()):
        problems.append(_too_large([render(parsed.outcome)]))
    sides = [parsed.fixed, *(one_side(term.intercept, term.terms) for term in parsed.random)]
    codings = [_learn(side, rows, problems) for side in sides]
    if problems:
        raise DesignError("\n".join(dict.fromkeys(problems)))
    layout, matrix, collinear = _fixed_part(sides[0], codings[0], rows)
    blocks = zip(parsed.random, sides[1:], codings[1:], strict=True)
    return Design(
        formula=parsed,
        outcome_name=render(parsed.outcome),
        outcome=outcome,
        matrix=matrix,
        layout=layout,
        used=np.flatnonzero(keep),
        dropped=dropped,
        missing=missing,
        collinear=collinear,
        random=tuple(_random_block(term, side, coding, rows) for term, side, coding in blocks),
    )


def group_codes(columns: Sequence[str], data: pd.DataFrame) -> tuple[Codes, tuple[str, ...]]:
    """Codes and level texts of a grouping by one column or by the combinations of several (`a:b`)."""
    codes, levels = level_codes(data, columns[0])
    for column in columns[1:]:
        other, other_levels = level_codes(data, column)
        pairs, codes = np.unique(codes * len(other_levels) + other, return_inverse=True)
        levels = tuple(
            f"{levels[p // len(other_levels)]}:{other_levels[p % len(other_levels)]}" for p in pairs
        )
    return codes, levels


def _complete_rows(names: Sequence[str], data: pd.DataFrame) -> tuple[Mask, dict[str, int], dict[str, int]]:
    """Rows without a missing value, rows dropped by reason, and missing values by column."""
    keep = np.ones(len(data), dtype=bool)
    dropped, missing = {}, {}
    for name, mask in missing_masks(names, data).items():
        if mask.any():
            missing[name] = int(mask.sum())
        new = int((mask & keep).sum())
        if new:
            dropped[f"{name} is missing"] = new
        keep &= ~mask
    return keep, dropped, missing


def _no_rows(n: int, missing: Mapping[str, int]) -> str:
    """Why no row is left."""
    counts = ", ".join(f"{name} is missing in {count}" for name, count in missing.items())
    return f"No complete row among {n}" + (f": {counts}." if counts else ".")


def _outcome(node: Node, rows: pd.DataFrame, problems: list[str]) -> Floats:
    """Values of the left side; adds to `problems` instead of raising."""
    try:
        return numeric_values(rows, node.name) if isinstance(node, Name) else finite_values(node, rows)
    except DesignError as error:
        problems.append(f"Outcome: {error}")
        return np.zeros(len(rows))


def _computable(largest: float) -> bool:
    """Whether squares and sums of squares of values up to this size can be held."""
    return bool(largest == 0 or 1 / LARGEST < largest < LARGEST)


def _too_large(names: Sequence[str]) -> str:
    return f"Values too large or too small to compute with in: {', '.join(names)}. Rescale them."


def _learn(side: Formula, rows: pd.DataFrame, problems: list[str]) -> dict[Node, Coding]:
    """Codings of all factors; adds to `problems` instead of raising."""
    codings: dict[Node, Coding] = {}
    for factor in factors_of(side):
        try:
            codings[factor] = learn_coding(factor, rows)
        except DesignError as error:
            problems.append(str(error))
    seen: dict[str, Node] = {}
    for factor, coding in codings.items():
        if isinstance(coding, CategoricalCoding) and seen.setdefault(coding.column, factor) != factor:
            problems.append(f"Column {coding.column} is coded in two ways: use one C() for it.")
    return codings


def _fixed_part(
    side: Formula, codings: Mapping[Node, Coding], rows: pd.DataFrame
) -> tuple[Layout, Floats, tuple[str, ...]]:
    """Layout, matrix of full rank, and names of the columns left out as collinear."""
    layout, matrix = _all_columns(side, codings, rows)
    if not layout.columns:
        raise DesignError("The formula has neither an intercept nor a covariate.")
    kept = independent_columns(matrix)
    if len(kept) == 0:
        raise DesignError("Every covariate is 0 in all rows used.")
    if len(kept) == matrix.shape[1]:
        return layout, matrix, ()
    gone = sorted(set(range(matrix.shape[1])) - set(kept.tolist()))
    collinear = tuple(layout.columns[i] for i in gone)
    return make_layout(side, codings, layout.full, kept.tolist()), matrix[:, kept], collinear


def _all_columns(side: Formula, codings: Mapping[Node, Coding], rows: pd.DataFrame) -> tuple[Layout, Floats]:
    """Layout and matrix with every column, refused if it cannot fit in memory or is not finite."""
    full = full_flags(side, codings)
    layout = make_layout(side, codings, full, None)
    size = len(layout.columns) * len(rows) * 8
    if size > MAX_BYTES:
        raise DesignError(
            f"The matrix would have {len(layout.columns)} columns and {len(rows)} rows ({size / 1e9:.0f} "
            "GB). A column with that many levels belongs in a random effect, (1 | column)."
        )
    blocks = {f: {flag: codings[f].encode(rows, full=flag) for flag in layout.needed(f)} for f in codings}
    matrix = assemble(side, full, blocks, len(rows))
    largest = np.abs(matrix).max(axis=0)
    bad = [name for name, size in zip(layout.columns, largest, strict=True) if not _computable(size)]
    if bad:
        raise DesignError(_too_large(bad))
    return layout, matrix


def _random_block(
    term: RandomTerm, side: Formula, codings: Mapping[Node, Coding], rows: pd.DataFrame
) -> RandomBlock:
    """Codes and matrix of one random-effects term."""
    codes, levels = group_codes(term.group, rows)
    layout, matrix = _all_columns(side, codings, rows)
    return RandomBlock(term.label, codes, levels, matrix, layout, term.correlated)
