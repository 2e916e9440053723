"""First pass over partitions: counts, and the few rows that stand for all levels and ranges.

Whatever a design learns from rows (levels of categories and of small groupings, their order, the kind of the
outcome) depends on the set of values alone. Rows that hold every such value, put below those of any
partition, therefore give it the design of the whole data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.build import Design, build_design
from jobchance.design.columns import (
    Codes,
    column_kind,
    counted,
    is_categorical,
    level_text,
    numeric_values,
    value_codes,
)
from jobchance.design.groups import grouping
from jobchance.design.layout import infinite_problems
from jobchance.design.rows import complete_rows, no_rows
from jobchance.errors import DesignError, JobchanceError
from jobchance.models.partitions import Part, RowPartitions, read_part
from jobchance.models.partitions_question import Question

NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")


@dataclass(frozen=True, eq=False)
class Survey:
    """What one partition says of itself.

    Parameters
    ----------
    n : int
        Rows read.
    dropped, missing : mapping of str to int
        Rows left out by reason; missing values by column.
    rows : DataFrame
        Rows that stand for its levels and ranges.
    levels : mapping of str to int
        Number of levels of each grouping of the partitions' column.
    keys : integer array
        Hashes of the levels of that column: they tell whether two partitions share some.
    problems : tuple of str
        What is wrong.
    """

    n: int
    dropped: dict[str, int]
    missing: dict[str, int]
    rows: pd.DataFrame
    levels: dict[str, int]
    keys: NDArray[np.uint64]
    problems: tuple[str, ...]


def survey(question: Question, part: Part) -> Survey:
    """Read a partition and describe it."""
    frame = read_part(part, question.columns)
    keep, dropped, missing = complete_rows(question.columns, frame)
    rows = frame if keep.all() else frame[keep]
    problems = infinite_problems(question.columns, frame)
    levels: dict[str, int] = {}
    keys, places = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    try:
        if len(rows):
            places = _standing(question, rows)
            keys = _keys(question.by, rows)
        for term in question.parsed.random:
            if question.private(term.group):
                levels[term.label] = len(grouping(term.group, rows)[1]) if len(rows) else 0
    except JobchanceError as error:
        problems.append(str(error))
    marked = tuple(f"Partition {part.number}: {problem}" for problem in problems)
    return Survey(len(frame), dropped, missing, rows.iloc[places], levels, keys, marked)


def _standing(question: Question, rows: pd.DataFrame) -> Codes:
    """Places of rows that hold every level, and the smallest and largest value of every other number."""
    found: list[Codes] = []
    everything, modelled = question.level_columns, question.modelled
    for name in question.columns:
        if name not in modelled:
            found.append(np.array([0, len(rows) - 1]))
        elif name in everything or is_categorical(rows, name):
            found.append(_first_of_each(value_codes(rows, name)[0]))
        else:
            values = numeric_values(rows, name)
            found.append(np.array([values.argmin(), values.argmax()]))
    for term in question.parsed.random:
        if len(term.group) > 1 and not question.private(term.group):
            found.append(_first_of_each(grouping(term.group, rows)[0]))
    return np.unique(np.concatenate(found))


def _first_of_each(codes: Codes) -> Codes:
    """First place of every code."""
    return np.asarray(np.unique(codes, return_index=True)[1], dtype=np.int64)


def _keys(column: str, rows: pd.DataFrame) -> NDArray[np.uint64]:
    """Hash of the text of every level of a column."""
    values = pd.unique(rows[column])
    texts = np.array([level_text(value) for value in values], dtype=object)
    return np.asarray(pd.util.hash_array(texts, categorize=False), dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class Whole:
    """What the first pass knows of all rows.

    Parameters
    ----------
    template : Design
        Design of the rows that stand for all: its codings, levels and names are those of all data, its rows
        are not.
    rows : DataFrame
        These rows.
    dropped : mapping of str to int
        Rows left out, by reason.
    levels : mapping of str to int
        Number of levels of every grouping.
    first : mapping of str to tuple of int
        For groupings of the partitions' column: number of the first level of each partition.
    """

    template: Design
    rows: pd.DataFrame
    dropped: dict[str, int]
    levels: dict[str, int]
    first: dict[str, tuple[int, ...]]


def join_surveys(question: Question, surveys: Sequence[Survey], data: RowPartitions) -> Whole:
    """Levels and codings of all rows.

    Raises
    ------
    DesignError
        Levels spread over partitions, columns of different kinds, no complete rows, and what a design
        refuses; all problems at once, with counts.
    """
    problems = [problem for one in surveys for problem in one.problems]
    given = [one.rows for one in surveys if len(one.rows)]
    if not given and not problems:
        problems = [no_rows(sum(one.n for one in surveys), _added([one.missing for one in surveys]))]
    problems += _kind_problems(given)
    keys = np.concatenate([one.keys for one in surveys])
    shared = int((np.unique(keys, return_counts=True)[1] > 1).sum())
    if shared:
        problems.append(
            f"{counted(shared, 'level')} of {question.by} occur in more than one of the {len(data)} "
            f"partitions: all rows "
            "of a level must lie in one. write_partitions() makes such files."
        )
    if problems:
        raise DesignError("\n".join(dict.fromkeys(problems)))
    rows = pd.concat(given, ignore_index=True)
    template = build_standing(question, rows, sum(one.n for one in surveys))
    levels, first = {}, {}
    for block, term in zip(template.random, question.parsed.random, strict=True):
        levels[block.group] = block.n_levels
        if question.private(term.group):
            each = [one.levels[block.group] for one in surveys]
            levels[block.group] = sum(each)
            first[block.group] = tuple(np.cumsum([0, *each[:-1]]).tolist())
    order = {f"{name} is missing": i for i, name in enumerate(question.columns)}
    dropped = _added([one.dropped for one in surveys])
    return Whole(template, rows, dict(sorted(dropped.items(), key=lambda d: order[d[0]])), levels, first)


def build_standing(question: Question, rows: pd.DataFrame, n: int) -> Design:
    """Design of the rows that stand for all `n`."""
    try:
        return build_on(question, rows)
    except DesignError as error:
        raise DesignError(
            f"{error}\n(Counts are of {counted(len(rows), 'row')} that stand for the levels and ranges of "
            f"all {n} rows.)"
        ) from None


def build_on(question: Question, rows: pd.DataFrame) -> Design:
    """Design of some rows as the question has it."""
    return build_design(
        question.formula,
        rows,
        weights=question.weights,
        offset=question.offset,
        outcome=question.outcome,
        allow_offset=True,
    )


def _kind_problems(given: Sequence[pd.DataFrame]) -> list[str]:
    """Columns whose kind, or whose categories, differ between partitions."""
    problems = []
    for name in given[0].columns if given else ():
        kinds = {_kind(rows[name]) for rows in given}
        if len(kinds) > 1:
            what = "categories" if all(kind.startswith("categories") for kind in kinds) else "kinds of values"
            problems.append(f"Column {name} has different {what} in the partitions.")
    return problems


def _kind(column: pd.Series) -> str:
    """Kind of a column, with its categories in their order."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return f"categories {column.dtype.ordered} {list(column.dtype.categories)!r}"
    kind = column_kind(column)
    return "number" if kind in NUMBERS else kind


def _added(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    """Sums of counts by name."""
    made: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            made[name] = made.get(name, 0) + count
    return made
