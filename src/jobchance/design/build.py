"""`build_design`: a formula and a table become an outcome, matrices and a record of what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.codings import Coding, finite_values
from jobchance.design.columns import Codes, Floats, numeric_values, require_columns
from jobchance.design.formula import Formula, RandomTerm, one_side, parse_formula
from jobchance.design.groups import Levels, group_codes, grouping
from jobchance.design.instruments import Instruments, instrument_part
from jobchance.design.layout import Layout, infinite_problems
from jobchance.design.matrices import all_columns, computable, fixed_part, learn_codings, too_large
from jobchance.design.nodes import Name, Node, columns_of, render
from jobchance.design.outcomes import KINDS, Outcome, read_outcome
from jobchance.design.rows import complete_rows, finite_rows, kept_rows, no_rows
from jobchance.errors import DesignError, FormulaError, SpecError
from jobchance.options import check_option

__all__ = ["Design", "RandomBlock", "build_design", "group_codes"]


@dataclass(frozen=True, eq=False)
class RandomBlock:
    """One random-effects term on the rows used.

    Parameters
    ----------
    group : str
        Grouping column, or `a:b` for combinations.
    codes : integer array (n,)
        Level number of each row.
    labels : sequence of str
        Level texts (identifiers of persons or caseworkers: keep them in memory), made at first use.
    matrix : array (n, q)
        Columns of the effects that vary.
    layout : Layout
        Their names and coding.
    correlated : bool
        `False` for `||`.
    """

    group: str
    codes: Codes
    labels: Sequence[str]
    matrix: Floats
    layout: Layout
    correlated: bool

    @property
    def levels(self) -> tuple[str, ...]:
        """All level texts; for their number alone use `n_levels`, which makes no texts."""
        return self.labels.texts if isinstance(self.labels, Levels) else tuple(self.labels)

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return len(self.labels)


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
        Its values on the rows used: numbers, shares of trials (binomial) or codes from 0 (ordinal).
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
    weights : array (n,) or None
        Prior weights, above 0; for a binomial outcome the number of trials. `None`: all are 1.
    offset : array (n,) or None
        Known part of the linear predictor: the sum of `offset()` and `offset=`.
    outcome_levels : tuple of str or None
        Texts of the outcome's levels, by code; for a binomial outcome (failure, success).
    notes : tuple of str
        What was decided for the user about the outcome.
    instruments : Instruments or None
        Excluded instruments, and which columns of `matrix` are endogenous.
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
    weights: Floats | None = None
    offset: Floats | None = None
    outcome_levels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    instruments: Instruments | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `matrix`."""
        return self.layout.columns

    @property
    def groups(self) -> dict[str, int]:
        """Number of levels of every grouping of the random part."""
        return {block.group: block.n_levels for block in self.random}


def build_design(
    formula: str,
    data: pd.DataFrame,
    *,
    required: Sequence[str] = (),
    weights: str | None = None,
    offset: str | None = None,
    outcome: str = "numeric",
    allow_offset: bool = False,
    instruments: bool = False,
) -> Design:
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
    weights : str or None
        Column of prior weights, finite and above 0; for a binomial outcome the number of trials.
    offset : str or None
        Column added to the linear predictor with coefficient 1, on top of `offset()` in the formula.
    outcome : str
        What the left side must give. `"numeric"`: numbers. `"binomial"`: shares of trials, from 0/1,
        true/false, two levels (the second is 1), shares with `weights`, or `cbind(successes, failures)`.
        `"ordinal"`: codes 0, 1, ..., K from ordered categories, text or whole numbers.
    allow_offset : bool
        Whether the model has an offset; otherwise `offset()` in the formula is refused.
    instruments : bool
        Whether the model reads `[endogenous ~ excluded]`; otherwise it is refused.

    Returns
    -------
    Design

    Raises
    ------
    FormulaError
        The formula cannot be read, or names absent columns (all are listed).
    DesignError
        No complete rows, infinite values, weights not above 0, an outcome of another kind, a categorical
        column with one level, and the like; all problems at once, with counts.
    SpecError
        `outcome` is not one of the three, or `weights` or `offset` is not the name of a column.

    Examples
    --------
    >>> data = pd.DataFrame({"job": [0, 1, 1, 0], "sex": ["K", "M", "K", None]})
    >>> design = build_design("job ~ sex", data)
    >>> design.columns, dict(design.dropped)
    (('(Intercept)', 'sex[M]'), {'sex is missing': 1})
    """
    check_option("outcome", outcome, KINDS)
    parsed, left = _read(
        formula, weights=weights, offset=offset, allow_offset=allow_offset, instruments=instruments
    )
    further = [column for column in (weights, offset) if column is not None]
    names = tuple(dict.fromkeys([*parsed.columns, *further, *required]))
    require_columns(names, data)
    problems = infinite_problems(names, data)
    keep, dropped, missing = complete_rows(names, data)
    rows = finite_rows(names, data, keep) if problems else kept_rows(names, data, keep)
    if not len(rows):
        raise DesignError("\n".join(problems or [no_rows(len(data), missing)]))
    prior = None if weights is None else _weights(weights, rows, problems)
    made = _outcome(left, rows, outcome, prior, problems)
    shift = _offset(parsed, offset, rows, problems)
    sides = [parsed.fixed, *(one_side(term.intercept, term.terms) for term in parsed.random)]
    codings = [learn_codings(side, rows, problems) for side in sides]
    learned = learn_codings(parsed.first_stage, rows, problems) if parsed.instruments else {}
    groups = [_grouping(term, rows, problems) for term in parsed.random]
    if problems:
        raise DesignError("\n".join(dict.fromkeys(problems)))
    layout, matrix, collinear = fixed_part(sides[0], codings[0], rows)
    parts = zip(parsed.random, sides[1:], codings[1:], groups, strict=True)
    return Design(
        formula=parsed,
        outcome_name=render(left),
        outcome=_own(made.values),
        matrix=matrix,
        layout=layout,
        used=np.flatnonzero(keep),
        dropped=dropped,
        missing=missing,
        collinear=collinear,
        random=tuple(_random_block(*part, rows) for part in parts),
        weights=None if made.weights is None else _own(made.weights),
        offset=shift,
        outcome_levels=made.levels,
        notes=made.notes,
        instruments=instrument_part(parsed, learned, rows) if parsed.instruments else None,
    )


def _read(
    formula: str, *, weights: str | None, offset: str | None, allow_offset: bool, instruments: bool
) -> tuple[Formula, Node]:
    """The formula and its left side, once the arguments are of the right kind and fit together."""
    for argument, value in (("weights", weights), ("offset", offset)):
        if value is not None and not isinstance(value, str):
            raise SpecError(f"{argument}= is the name of a column or None, not a {type(value).__name__}.")
    parsed = parse_formula(formula, instruments=instruments)
    if parsed.outcome is None:
        raise DesignError('The formula has no outcome before "~".')
    if parsed.offsets and not allow_offset:
        raise FormulaError("This model has no offset: leave offset() out of the formula.")
    if weights is not None and parsed.outcome == Name(weights):
        raise DesignError(f"Column {weights} is both the outcome and the weights.")
    if offset in {name.name for name in columns_of(parsed.outcome)}:
        raise DesignError(f"Column {offset} is both part of the outcome and the offset.")
    return parsed, parsed.outcome


def _weights(name: str, rows: pd.DataFrame, problems: list[str]) -> Floats:
    """Prior weights; adds to `problems` instead of raising."""
    try:
        values = numeric_values(rows, name)
    except DesignError as error:
        problems.append(f"Weights: {error}")
        return np.ones(len(rows))
    zero, negative = int(np.sum(values == 0)), int(np.sum(values < 0))
    if zero or negative:
        problems.append(
            f"Weights: column {name} is zero in {zero} and negative in {negative} of {len(values)} rows; "
            "weights are above 0. Leave rows of weight zero out of the data."
        )
        return np.where(values > 0, values, 1.0)
    if not computable(values.max()) or not computable(values.min()):
        problems.append(too_large([name]))
    return values


def _outcome(
    node: Node, rows: pd.DataFrame, kind: str, weights: Floats | None, problems: list[str]
) -> Outcome:
    """The left side; adds to `problems` instead of raising."""
    try:
        made = read_outcome(node, rows, kind=kind, weights=weights)
    except DesignError as error:
        problems.append(f"Outcome: {error}")
        return Outcome(np.zeros(len(rows)))
    if not computable(np.abs(made.values).max()):
        problems.append(too_large([render(node)]))
    return made


def _offset(formula: Formula, column: str | None, rows: pd.DataFrame, problems: list[str]) -> Floats | None:
    """Sum of all offsets, `None` without any; adds to `problems` instead of raising."""
    nodes = [*formula.offsets, *([] if column is None else [Name(column)])]
    total = np.zeros(len(rows))
    for node in nodes:
        try:
            total += finite_values(node, rows)
        except DesignError as error:
            problems.append(f"Offset: {error}")
    if not computable(np.abs(total).max()):
        problems.append(too_large([render(node) for node in nodes]))
    return total if nodes else None


def _grouping(term: RandomTerm, rows: pd.DataFrame, problems: list[str]) -> tuple[Codes, Levels] | None:
    """Codes and levels of one grouping; adds to `problems` instead of raising."""
    try:
        codes, levels = grouping(term.group, rows)
    except DesignError as error:
        problems.append(str(error))
        return None
    if len(levels) < 2:
        problems.append(f"Column {term.label} has 1 level in the rows used; at least 2 are needed.")
    return codes, levels


def _random_block(
    term: RandomTerm,
    side: Formula,
    codings: Mapping[Node, Coding],
    groups: tuple[Codes, Levels] | None,
    rows: pd.DataFrame,
) -> RandomBlock:
    """Codes and matrix of one random-effects term."""
    assert groups is not None, "a grouping with problems has raised"
    layout, matrix = all_columns(side, codings, rows)
    return RandomBlock(term.label, *groups, matrix, layout, term.correlated)


def _own(values: Floats) -> Floats:
    """A contiguous copy, so that no array of the design is the user's own."""
    return np.array(values, dtype=np.float64, order="C")
