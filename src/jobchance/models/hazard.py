"""`fit_hazard`: discrete-time hazard models on person-period rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from jobchance.design.columns import require_columns
from jobchance.design.formula import Formula, parse_formula
from jobchance.errors import DesignError, FormulaError, SpecError
from jobchance.models.glm import fit_glm
from jobchance.models.hazard_baseline import check_baseline, with_baseline
from jobchance.models.hazard_causes import fit_causes
from jobchance.models.hazard_frailty import fit_frailty
from jobchance.models.hazard_rows import SpellRows, check_steps, read_spells, tabulate
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes
from jobchance.results.vcov import Vcov, check_vcov

LINKS = ("cloglog", "logit", "probit")
COMPETING = ("cause_specific", "multinomial")
DEFAULT_TIME = "quarter"
DEFAULT_ENTITY = "citizen_id"

_READS = {
    "cloglog": "log hazard ratios, those of the continuous-time proportional hazards behind the periods",
    "logit": "log odds ratios of the exit in a period, given no exit before",
    "probit": "steps on the probit scale of the exit in a period, given no exit before",
}


@dataclass(frozen=True)
class _Question:
    """What was asked for beside formula and data."""

    formula: str
    text: str
    link: str
    entity: str | None
    time: str | None
    baseline: str
    frailty: tuple[str, ...]
    competing: str | None
    no_event: str | None


def fit_hazard(
    formula: str,
    data: pd.DataFrame,
    *,
    link: str | None = None,
    entity: str | None = DEFAULT_ENTITY,
    time: str | None = None,
    baseline: str | None = None,
    cause: str | None = None,
    no_event: str | None = None,
    competing: str | None = None,
    entry: str | None = None,
    frailty: str | Sequence[str] | None = None,
    n_quad: int | None = None,
    vcov: Vcov | None = None,
) -> Fit:
    r"""Hazard of an exit in each period, given no exit before: `g(h_it) = alpha_t + x_it' beta`.

    One row per citizen and period at risk (`person_periods` makes them); covariates may change from row to
    row. The likelihood of the spells is that of a binary outcome per row, so citizens who are censored simply
    have no more rows, and rows before a late entry are absent (left truncation).

    Parameters
    ----------
    formula : str
        `"event ~ belief + sex"`, without the period. With `0 +` the baseline has one level per period
        (`quarter[0]`, `quarter[1]`, ...), else an intercept and differences from the first period.
    data : DataFrame
        Person-period rows. The outcome is 0/1, or codes of exits (`"none" "job" "education" "pension"`).
    link : {"cloglog", "logit", "probit"} or None
        `None` is `"cloglog"`, the grouped form of continuous-time proportional hazards (multinomial:
        `"logit"`).
    entity : str or None
        Column of the person; checked for at most one exit and no rows after it. `None`: not checked.
    time : str or None
        Column of the period. `None`: `quarter`, where the data have it.
    baseline : str or None
        `"steps"` (a level per period), `"linear"`, `"polynomial:2"`, `"spline:4"` or `"none"`. `None`:
        `"steps"` where the period is known, else `"none"`: the formula as it stands, which may hold the
        baseline itself (`"event ~ 0 + C(grade) + x"`).
    cause : str or None
        With codes of exits: the one exit to model; others end the time at risk.
    no_event : str or None
        Level of the outcome in rows without an exit. `None`: `"none"` or `"0"`.
    competing : {"cause_specific", "multinomial"} or None
        With several exits and no `cause`: a binary model per exit (the default), or one multinomial logit.
        Terms are then `"job: belief"`.
    entry : str or None
        Column of the first period at risk; rows before it are left out and counted.
    frailty : str, sequence of str or None
        Columns whose levels have a normal random intercept (unobserved heterogeneity), by `fit_mixed`.
    n_quad : int or None
        With frailty: points of adaptive quadrature over the column with most levels. `None`: 15, 31 and 61
        in turn until the log-likelihood changes by less than 0.1. With one exit per person few points, and
        Laplace above all, are not a little but badly wrong.
    vcov : Cluster, Robust, "model" or None
        `None`: clustered by `caseworker_id` where the data have it, as in `fit_glm`; with frailty the
        model's.

    Returns
    -------
    Fit
        Coefficients on the scale of the link. `diagnostics["life_table"]` has the rows at risk, events,
        hazards and survivors of every period. `hazard_incidence` and `hazard_contrast` turn the fit into
        probabilities.

    Raises
    ------
    FormulaError
        The formula cannot be read, has random effects, or names absent columns.
    SpecError
        Options that are not known or do not fit together.
    DesignError
        Rows that are no spells (several exits of a person, rows after one, two rows for a period); with
        `"steps"`, a period without exits; and what `fit_glm` or `fit_mixed` refuses.
    EstimationError
        Separation, or no convergence.

    Notes
    -----
    A hazard compares those who are still there. Coefficients are associations: who is still there differs
    between values of a covariate once people differ in ways that are not in the model, and a covariate that
    foresees the exit has a coefficient without having an effect.

    Cause-specific models count the rows of other exits as rows without the exit; incidences combine all.
    Not done: frailty shared between several causes, interval-censored periods of unequal length, weights.

    References
    ----------
    Prentice & Gloeckler (1978), Biometrics 34, 57-67; Singer & Willett (1993), J. Educ. Stat. 18, 155-195;
    Jenkins (1995), Oxford Bull. Econ. Stat. 57, 129-138; Tutz & Schmid (2016).

    Examples
    --------
    >>> rows = pd.DataFrame({"id": [1, 1, 2, 2, 3, 4, 4], "t": [0, 1, 0, 1, 0, 0, 1]})
    >>> rows["event"] = [0, 1, 0, 0, 1, 0, 1]
    >>> fit = fit_hazard("event ~ 0", rows, link="logit", entity="id", time="t", vcov="model")
    >>> (1 / (1 + np.exp(-fit.params))).round(3).to_dict()
    {'t[0]': 0.25, 't[1]': 0.667}
    """
    require_columns((), data)
    entity, notes = _entity(entity, data)
    question, parsed = _ask(
        formula, data, link, entity, time, baseline, frailty, cause, competing, no_event, vcov
    )
    spells = read_spells(
        parsed, data, entity=entity, time=question.time, entry=entry, cause=cause, no_event=no_event
    )
    several = len(spells.causes) > 1
    if competing is not None and not several:
        raise SpecError(f"competing= is for an outcome with several exits; here it is {spells.causes[0]}.")
    if several and question.frailty:
        raise SpecError("frailty= is for one exit: choose it with cause=.")
    if several and competing == "multinomial" and question.link != "logit":
        raise SpecError(
            f"competing='multinomial' is a logit; link={link!r} needs competing='cause_specific'."
        )
    check_steps(spells, question.baseline)
    if several:
        made = fit_causes(
            question.text,
            spells,
            link=question.link,
            multinomial=competing == "multinomial",
            vcov=vcov,
        )
    elif question.frailty:
        made = fit_frailty(
            question.text,
            spells.frame,
            link=question.link,
            columns=question.frailty,
            entity=entity,
            n_quad=n_quad,
            vcov=vcov,
        )
    else:
        made = fit_glm(question.text, spells.frame, family="binomial", link=question.link, vcov=vcov)
    dressed = _dressed(made, question, spells)
    return replace(dressed, remarks=(*dressed.remarks, *notes))


def _entity(entity: str | None, data: pd.DataFrame) -> tuple[str | None, tuple[str, ...]]:
    """The column of the person; without the usual one rows cannot be checked, which the fit says."""
    if entity != DEFAULT_ENTITY or DEFAULT_ENTITY in data.columns:
        return entity, ()
    return None, (f"No column {DEFAULT_ENTITY}: that each person has rows until one exit is not checked.",)


def _ask(
    formula: str,
    data: pd.DataFrame,
    link: str | None,
    entity: str | None,
    time: str | None,
    baseline: str | None,
    frailty: str | Sequence[str] | None,
    cause: str | None,
    competing: str | None,
    no_event: str | None,
    vcov: Vcov | None,
) -> tuple[_Question, Formula]:
    """The options, checked, and the parsed formula."""
    if competing is not None:
        check_option("competing", competing, COMPETING)
        if cause is not None:
            raise SpecError("cause= models one exit and competing= all of them: give one of the two.")
    default = "logit" if competing == "multinomial" else "cloglog"
    chosen = check_option("link", link or default, LINKS)
    if vcov is not None:
        check_vcov(vcov)
    parsed = parse_formula(formula)
    if parsed.random:
        raise FormulaError("fit_hazard has no random effects in the formula; use frailty='citizen_id'.")
    when = DEFAULT_TIME if time is None and DEFAULT_TIME in data.columns else time
    if baseline is None:
        baseline = "none" if when is None else "steps"
    check_baseline(baseline)
    if when is None and baseline != "none":
        raise SpecError(
            f"The data have no column {DEFAULT_TIME}: name the column of the period with time=, or choose "
            "baseline='none' for a hazard that does not change."
        )
    columns = (frailty,) if isinstance(frailty, str) else tuple(frailty or ())
    text = with_baseline(parsed, time=when, baseline=baseline)
    return _Question(formula, text, chosen, entity, when, baseline, columns, competing, no_event), parsed


def _dressed(made: Fit, question: _Question, spells: SpellRows) -> Fit:
    """The fit with its name, what the hazard is of, and its life table."""
    used = made.need_rows("fit_hazard").used
    table = tabulate(spells, used)
    kind = "frailty, " if question.frailty else ""
    kind += (question.competing or COMPETING[0]).replace("_", "-") + ", " if len(spells.causes) > 1 else ""
    people = {} if question.entity is None else {question.entity: _n_people(spells, used, question.entity)}
    dropped = dict(spells.dropped)
    for reason, count in made.sample.dropped.items():
        dropped[reason] = dropped.get(reason, 0) + count
    hazard = {
        "asked": question.formula,
        "baseline": question.baseline,
        "time": question.time,
        "entity": question.entity,
        "periods": list(spells.periods),
        "causes": list(spells.causes),
        "frailty": list(question.frailty),
        "multinomial": question.competing == "multinomial",
        "competing": question.competing,
        "no_event": question.no_event,
        "one_of_several": spells.one_of_several,
    }
    events = float(np.sum(spells.exits[used] > 0))
    if not events:
        raise DesignError("No exit is left in the rows used.")
    return replace(
        made,
        model=f"discrete-time hazard ({kind}{question.link})",
        sample=replace(made.sample, dropped=dropped, groups=people | dict(made.sample.groups)),
        spec=dict(made.spec) | {"hazard": dict(made.spec.get("hazard", {})) | hazard},
        statistics=dict(made.statistics) | {"events": events},
        conventions=dict(made.conventions) | {"coefficients": _READS[question.link]},
        remarks=(*spells.remarks, *made.remarks),
        diagnostics=dict(made.diagnostics) | ({} if table is None else {"life_table": table}),
    )


def _n_people(spells: SpellRows, used: Codes, entity: str) -> int:
    """Persons in the rows used."""
    return int(spells.frame[entity].iloc[used].nunique())
