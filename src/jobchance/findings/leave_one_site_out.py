"""F58: an estimate without each jobcentre, caseworker, wave or citizen, as a tidy frame."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.disclosure.check import export_frame, protect
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import SpecError
from jobchance.findings.context import add_context, counts
from jobchance.panel.model import AnalysisPanel
from jobchance.results.fit import Fit
from jobchance.sensitivity.leave_one_out import LeaveOneOut
from jobchance.study.model import Study

NAME = "leave_one_site_out"
MOST_POINTS = 30
MOST_BINS = 25
_LEVEL = 0.95
_NAMED = ("wave", "period")  # levels that are nobody, so that they keep their names
_PERSONS = ("citizen_id", "caseworker_id", "measurement_id")


def leave_one_out_frame(
    made: LeaveOneOut,
    fit: Fit,
    study: Study,
    panel: AnalysisPanel | None,
    *,
    policy: DisclosurePolicy,
    population: str = "all_at_risk",
) -> pd.DataFrame:
    """Estimates without each level, after disclosure control, as points (few levels) or as a distribution.

    What the estimate becomes without a level tells about the level itself: the difference from the estimate
    with everybody can be worked out. So the counts of a point are those of what was *left out*, and the rules
    on persons, events and caseworkers hold for them. To first order the changes add up to nothing, so that a
    single hidden point could be worked out from the others: it takes a second one with it, and hidden points
    are numbered after the shown ones, since the order by estimate would tell between which two they lie.
    Caseworkers and citizens are never points: with more than 30 levels, or levels that are persons, the
    estimates are counted in bins of at least as many levels as the policy asks persons or caseworkers for.

    Parameters
    ----------
    made : LeaveOneOut
        In memory, with its levels.
    fit : Fit
        The fit with everybody, with its rows; the outcome is zeros and ones.
    study, panel
        Where the rows come from.
    policy : DisclosurePolicy
        Rules for the left-out part.
    population : str
        Key of who these rows are.

    Returns
    -------
    DataFrame
        `mark left_out group estimate estimate_to conf_low conf_high level_share N_levels N_citizens N_events
        N_caseworkers` and the context; `mark` is `all` (with everybody), `point` (without one level) or `bin`
        (share of the levels whose estimate lies between `estimate` and `estimate_to`). Estimates are in
        shares per unit of the exposure; `left_out` is a running number by estimate, for waves and periods
        their name.

    Raises
    ------
    SpecError
        Not in memory any more; another fit; an outcome that is not zeros and ones.
    """
    rows = _rows(made, fit)
    whole = {
        "mark": "all",
        "left_out": "none",
        "estimate": made.estimate,
        **fit.conf_int(_LEVEL).loc[made.term].to_dict(),
    } | counts(rows, outcome="outcome")
    points = _points(made, rows)
    persons = made.group in _PERSONS or bool(
        points["N_citizens"].median() <= 1 or points["N_caseworkers"].eq(1).all()
    )
    marks = points if len(points) <= MOST_POINTS and not persons else _bins(made, rows, policy)
    frame = pd.concat([pd.DataFrame([whole]), marks], ignore_index=True)
    frame = frame.assign(
        group=made.group,
        exact="exact" if made.exact else "first_order",
        term=made.term,
        levels=f"{len(points)}",
    )
    frame = add_context(
        frame, study, panel, rows=rows, estimand="predictive", population=population, interval="none"
    )
    safe = protect(frame, policy, output=NAME, totals=("mark",))
    return export_frame(_hidden_last(safe) if made.group not in _NAMED else safe, policy)


def _hidden_last(frame: pd.DataFrame) -> pd.DataFrame:
    """Points that are hidden after those that are shown, numbered anew."""
    hidden = frame["suppressed"] & frame["mark"].eq("point")
    ordered = pd.concat([frame[~hidden], frame[hidden]], ignore_index=True)
    points = ordered["mark"].eq("point")
    ordered.loc[points, "left_out"] = [f"{place}" for place in range(1, int(points.sum()) + 1)]
    return ordered


def _rows(made: LeaveOneOut, fit: Fit) -> pd.DataFrame:
    """The rows of the fit, with the number of the level left out and the outcome."""
    if made.levels is None:
        raise SpecError("leave_one_out_frame needs the result in memory: levels are not stored with it.")
    behind = fit.need_rows("leave_one_out_frame")
    if float(fit.params.get(made.term, np.nan)) != made.estimate:
        raise SpecError("leave_one_out_frame takes the fit that leave_one_out was called with.")
    if not np.isin(behind.outcome, (0.0, 1.0)).all():
        raise SpecError("This figure is for outcomes of zeros and ones, whose coefficients are shares.")
    data = behind.frame.iloc[behind.used]
    if made.group not in data:
        raise SpecError("This figure takes levels of one column, not of combinations.")
    number = {level: place for place, level in made.levels.items()}
    wanted = [c for c in ("citizen_id", "caseworker_id", "jobcentre_id") if c in data]
    return data[wanted].assign(outcome=behind.outcome, number=data[made.group].map(number))


def _points(made: LeaveOneOut, rows: pd.DataFrame) -> pd.DataFrame:
    """One row per level, with the counts of what was left out."""
    behind = {number: counts(part, outcome="outcome") for number, part in rows.groupby("number")}
    shown = made.frame.sort_values("estimate", kind="stable")
    if made.group in _NAMED and made.levels is not None:
        named = made.levels.sort_values()
        shown = made.frame.set_index("left_out").loc[named.index].reset_index()
        names = [f"{level}" for level in named]
    else:
        names = [f"{place}" for place in range(1, len(shown) + 1)]
    return pd.DataFrame(
        [
            {
                "mark": "point",
                "left_out": name,
                "estimate": line["estimate"],
                "conf_low": line["conf_low"],
                "conf_high": line["conf_high"],
            }
            | behind[line["left_out"]]
            for name, (_, line) in zip(names, shown.iterrows(), strict=True)
        ]
    )


def _bins(made: LeaveOneOut, rows: pd.DataFrame, policy: DisclosurePolicy) -> pd.DataFrame:
    """Levels counted in bins that are merged until each holds enough of them."""
    known = made.frame.dropna(subset=["estimate"])
    found = known["estimate"].to_numpy(dtype=float)
    least = max(policy.min_persons, *policy.min_entities.values(), 3)
    too_few = len(known) < least
    edges = _edges(found)
    place = np.searchsorted(edges, found, side="right") - 1
    number_of = rows["number"].map(dict(zip(known["left_out"], place, strict=True)))
    lines = []
    for start, stop in _merged(np.bincount(place), least):
        inside = (place >= start) & (place < stop)
        part = rows[number_of.between(start, stop - 1)]
        lines.append(
            {
                "mark": "bin",
                "left_out": "one of these",
                "estimate": edges[start],
                "estimate_to": edges[stop],
                "level_share": inside.mean(),
                "N_levels": int(inside.sum()),
                "suppressed": too_few,
            }
            | counts(part)
        )
    return pd.DataFrame(lines)


def _edges(found: np.ndarray) -> np.ndarray:
    """Ends of equal bins, round numbers beyond the estimates, so that no end is an extreme."""
    width = (found.max() - found.min()) / (MOST_BINS - 2) or 1e-6
    step = 10.0 ** np.ceil(np.log10(width)) * np.array([0.1, 0.2, 0.5, 1.0])
    step = step[step >= width][0]
    first = np.floor(found.min() / step)
    return np.asarray(step * (first + np.arange(MOST_BINS + 1)))


def _merged(sizes: np.ndarray, least: int) -> list[tuple[int, int]]:
    """Runs of neighbouring bins with at least so many levels each."""
    runs, start, inside = [], 0, 0
    for place, size in enumerate(sizes, start=1):
        inside += int(size)
        if inside >= least:
            runs.append((start, place))
            start, inside = place, 0
    if start < len(sizes) and runs:
        runs[-1] = (runs[-1][0], len(sizes))
    return runs or [(0, len(sizes))]
