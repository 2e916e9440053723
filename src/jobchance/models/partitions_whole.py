"""Facts about all rows from those of the partitions, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jobchance.design.formula import INTERCEPT
from jobchance.design.layout import Layout, make_layout
from jobchance.errors import DesignError
from jobchance.models.mixed_options import MixedOptions
from jobchance.models.partitions_blocks import LaplaceScale
from jobchance.models.partitions_rows import Facts
from jobchance.models.partitions_survey import Whole
from jobchance.numerics.linalg import independent_columns
from jobchance.numerics.mixed.estimate_linear import LinearUnits
from jobchance.numerics.mixed.remote_moments import (
    carried,
    centred_triangle,
    join_triangles,
    linear_units,
    orthonormal_map,
)
from jobchance.results.parts import Floats


def join_facts(parts: Sequence[Facts | str]) -> Facts:
    """Facts of all rows.

    Raises
    ------
    DesignError
        What is wrong in the partitions, all at once.
    """
    problems = [part for part in parts if isinstance(part, str)]
    if problems:
        raise DesignError("\n".join(problems))
    found = [part for part in parts if isinstance(part, Facts)]
    return Facts(
        n=sum(one.n for one in found),
        plain=join_triangles([one.plain for one in found]),
        weighted=join_triangles([one.weighted for one in found]),
        means=np.sum([one.means for one in found], axis=0),
        effects=tuple(join_triangles(each) for each in zip(*(one.effects for one in found), strict=True)),
        simple=all(one.simple for one in found),
        constant=sum(one.constant for one in found),
        lowest=min(one.lowest for one in found),
        highest=max(one.highest for one in found),
        odd=sum(one.odd for one in found),
        largest=max(one.largest for one in found),
        pure={group: all(one.pure[group] for one in found) for group in found[0].pure},
        weighted_rows=any(one.weighted_rows for one in found),
        met=np.vstack([one.met for one in found]),
    )


def check_whole(whole: Whole, facts: Facts, options: MixedOptions, n_columns: int) -> None:
    """Refuse data from which the model cannot be estimated, as `check_design` does for rows in memory.

    Raises
    ------
    DesignError
        All problems at once, with counts.
    """
    problems = _outcome_problems(whole, facts, options)
    factors = dict(
        zip(dict.fromkeys(block.group for block in whole.template.random), facts.effects, strict=True)
    )
    for group, R in factors.items():
        problems += _level_problems(whole, facts, options, group, R)
    if options.family == "ordinal" and not whole.template.formula.intercept:
        problems.append(
            "The thresholds of an ordinal model are its intercepts: leave the 0 out of the formula."
        )
    if n_columns >= facts.n:
        problems.append(f"{n_columns} coefficients cannot be estimated from {facts.n} rows.")
    if problems:
        raise DesignError("\n".join(dict.fromkeys(problems)))


def _outcome_problems(whole: Whole, facts: Facts, options: MixedOptions) -> list[str]:
    """An outcome without variation, or no counts."""
    name = whole.template.outcome_name
    if options.family == "gaussian" and facts.lowest == facts.highest:
        return [f"The outcome {name} has one value in all rows used."]
    if options.family == "poisson" and facts.odd:
        return [f"{name} must hold counts 0, 1, 2, ...: {facts.odd} rows do not."]
    if options.family == "poisson" and facts.highest == 0:
        return [f"The counts {name} are 0 in all rows used."]
    return []


def _level_problems(whole: Whole, facts: Facts, options: MixedOptions, group: str, R: Floats) -> list[str]:
    """Too few or too many levels of a grouping, effects that are zero, a variance without bound."""
    n, q, width = facts.n, whole.levels[group], R.shape[1]
    if q < 2:
        return [f"Column {group} has {q} level in the rows used; at least 2 are needed."]
    if options.family == "gaussian" and q * width >= n:
        return [
            f"{q} levels of {group} with {width} random effects each cannot be told apart from the "
            f"residual in {n} "
            "rows: rows must outnumber random effects."
        ]
    trials = options.family == "poisson" or (options.family == "binomial" and facts.weighted_rows)
    if q == n and not trials and options.family != "gaussian":
        return [
            f"Every row has its own level of {group}: with one {options.family} row per level its variance "
            f"cannot "
            "be told apart from the scale of the link."
        ]
    if not np.any(R, axis=0).all():
        return [f"A random effect of {group} is 0 in all rows: leave it out."]
    if options.family in ("binomial", "ordinal") and facts.pure.get(group, False):
        return [
            f"The outcome does not vary within any of the {q} levels of {group}: the likelihood rises as the "
            f"variance of {group} grows, without end."
        ]
    return []


def kept_columns(everything: Layout, facts: Facts) -> tuple[Layout, tuple[str, ...]]:
    """Layout of full rank, and the columns left out since earlier ones determine them.

    Raises
    ------
    DesignError
        Every covariate is 0.
    """
    p = len(everything.columns)
    kept = independent_columns(join_triangles([facts.plain[:, 1 : 1 + p]])).tolist()
    if not kept:
        raise DesignError("Every covariate is 0 in all rows used.")
    gone = tuple(name for i, name in enumerate(everything.columns) if i not in kept)
    return make_layout(everything.formula, everything.codings, everything.full, kept), gone


def units_of(
    facts: Facts, everything: Layout, layout: Layout, options: MixedOptions
) -> LinearUnits | LaplaceScale:
    """Units of the search, as those of rows in memory.

    Parameters
    ----------
    facts : Facts
        Of all rows.
    everything, layout : Layout
        All columns, and those of the coefficients.
    options : MixedOptions
        Family.
    """
    p, columns = len(everything.columns), [everything.columns.index(name) for name in layout.columns]
    inside = [1 + i for i in columns]
    if options.family == "gaussian":
        return linear_units(
            join_triangles([facts.plain[:, [*inside, p + 1]]]),
            join_triangles([facts.weighted[:, [*columns, p]]]),
            facts.n,
        )
    ordinal = options.family == "ordinal"
    assert not ordinal or INTERCEPT not in layout.columns, "thresholds stand for it"
    centre = facts.means[inside] / facts.means[0] if ordinal else np.zeros(len(inside))
    R = centred_triangle(facts.plain[:, [0, *inside]], centre)
    found = np.zeros(len(inside) + ordinal)
    if facts.plain[:, p + 2].any():
        found = carried(join_triangles([facts.plain[:, [*([0] if ordinal else []), *inside, p + 2]]]))
    shift, slopes = (float(found[0]), found[1:]) if ordinal else (0.0, found)
    return LaplaceScale(orthonormal_map(R, facts.n), centre, shift, slopes)
