"""`switch_event_study`: what happens around a change of caseworker, beside citizens without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.identification.cards import Assumption, checks_frame, judge_p, read_checks
from jobchance.identification.leniency_tables import covariate_names
from jobchance.identification.switch_events import (
    BASE,
    JOB,
    event_path,
    fit_events,
    lead_tests,
    shift_table,
    stack_by_direction,
)
from jobchance.identification.switch_movers import mover_contrast
from jobchance.identification.switch_rows import EXOGENOUS, check_reasons, read_history
from jobchance.identification.switch_selection import compare_before
from jobchance.identification.switch_stack import CONTROLS, FORMER, NEW, QUARTER, build_stacks
from jobchance.identification.thresholds import Thresholds
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster, Vcov

EVENT_VCOV = Cluster(FORMER, NEW)


def switch_event_study(
    panel: AnalysisPanel,
    *,
    outcome: str = "belief",
    window: tuple[int, int] = (-4, 4),
    reasons: str | Sequence[str] = "all",
    exogenous: Sequence[str] = EXOGENOUS,
    direction: str | None = None,
    control: str = "not_yet",
    covariates: Sequence[str] | None = None,
    vcov: Vcov | None = None,
    thresholds: Thresholds | None = None,
) -> Fit:
    r"""Event study of the first change of caseworker, stacked by jobcentre x period x wave.

    Citizens whose caseworker changes in a wave are compared with citizens of the same jobcentre, measured in
    the same half-year and the same wave since entry, whose caseworker has not changed yet. For a belief

    .. math:: b_{ise} = \alpha_{is} + \delta_{se} + \sum_{e \ne -1} \beta_e\,[i\ \text{changes}] + u_{ise}

    with `s` the stack and `e` the waves since the change: every citizen against the last wave before.

    **Job.** Rows end with a job, so who has rows on both sides of a change had no job before it: within
    citizens nothing can be compared, and chances before the change are zero by construction. With
    `outcome="outcome"` the comparison is therefore between citizens at risk, from the change on: a job within
    13 weeks of the measurement, `y = delta_se + beta_e [i changes] + u`, e = 0, 1, ... What can be tested
    before the change is whether those who change differ: `selection`, and `pre_trend` of the beliefs.

    Parameters
    ----------
    panel : AnalysisPanel
        Citizens with several rows, some with several caseworkers.
    outcome : str
        `"belief"`, `"expectation"` or another numeric column that exists before and after a change;
        `"outcome"` is the job.
    window : tuple of int
        First and last wave around the change, such as (-4, 4); includes -1 and 0.
    reasons, exogenous, covariates, thresholds
        See `mover_contrast`.
    direction : {"up_down"} or None
        `"up_down"` splits changes by whether the new caseworker is more optimistic than the former.
    control : {"not_yet", "never"}
        Citizens who have not changed yet, whether or not they do later, until they do; or only those never
        seen changing. The second looks into the future, which for a job means: into survival; it is refused
        there.
    vcov : Cluster, Robust, "model" or None
        Of the event study and what belongs to it. None clusters by the former and by the new caseworker of
        each citizen in a stack (columns `former_caseworker_id new_caseworker_id`; the same for those who do
        not change). All rows of a citizen lie within one former caseworker.

    Returns
    -------
    Fit
        Terms `shift[e]`, or `up[e]` and `down[e]`. `statistics`: `shift_contrast shift_contrast_se
        shift_base_rate shift_relative` (52 weeks after the first measurement with the new caseworker, against
        no change), and of the mover contrast `mover_slope mover_se base_rate relative n_movers`.
        `diagnostics`: `event_study`, `shift`, `movers`, `symmetry`, `pre_trend`, `balance`, `selection`,
        `reasons`, `checks`.

    Raises
    ------
    IdentificationError
        As for `mover_contrast`; nobody to compare with (`comparison`).
    SpecError
        Unknown options or columns, a window without -1 and 0, `control="never"` for a job.

    Notes
    -----
    Rows after a second change are left out, and changes after a wave without a form, or with an unknown
    caseworker, whose time is not known. Whoever serves as a comparison may change within the 52 weeks, which
    draws the shift contrast towards zero.

    References
    ----------
    Cengiz, Dube, Lindner & Zipperer (2019), QJE 134, 1405-1454 (stacking); Callaway & Sant'Anna (2021),
    Journal of Econometrics 225, 200-230 (not yet treated); Singer & Willett (1993), J. Educ. Stat. 18.

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.identification.switch import switch_event_study
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=1500))
    >>> fit = switch_event_study(panel, window=(-2, 1))
    >>> fit.terms
    ('shift[-2]', 'shift[0]', 'shift[1]')
    """
    kind = EVENT_VCOV if vcov is None else vcov
    _check_question(require_panel(panel, "switch_event_study"), outcome, window, direction, control)
    chosen = check_reasons(reasons, exogenous)
    movers = mover_contrast(
        panel, reasons=reasons, exogenous=exogenous, covariates=covariates, thresholds=thresholds
    )
    history = read_history(panel)
    single = build_stacks(history, window=window, wanted=chosen, control=control)
    stacks = single
    if direction is not None:
        stacks = stack_by_direction(history, window=window, wanted=chosen, control=control)
    fit = fit_events(stacks, outcome, window, kind)
    kinds = {"chosen": chosen, "all": None, "exogenous": tuple(exogenous)}
    shift = shift_table(history, kinds, kind)
    ahead = lead_tests(single, window, kind)
    selection = compare_before(history, single, covariate_names(panel, covariates), vcov=kind)
    tables = {"event_study": event_path(fit, stacks, window), "shift": shift} | dict(movers.diagnostics)
    tables["pre_trend"] = pd.concat(
        [ahead.assign(comparison="stayers"), tables["pre_trend"].assign(comparison="coming_optimism")],
        ignore_index=True,
    )
    checks = _checks(movers, ahead, selection, thresholds or Thresholds())
    return replace(
        fit,
        spec={"outcome": outcome, "window": [int(e) for e in window], "direction": direction}
        | {"control": control}
        | dict(movers.spec)
        | {"absorbed": fit.spec["absorbed"]},
        statistics=dict(fit.statistics) | _statistics(movers, shift),
        conventions=_conventions(outcome),
        remarks=_remarks(outcome, movers),
        diagnostics=tables | {"selection": selection, "checks": checks_frame(checks)},
    )


def _check_question(
    panel: AnalysisPanel, outcome: str, window: tuple[int, int], direction: str | None, control: str
) -> None:
    """Options that make sense together."""
    numeric = [c for c in panel.frame.columns if pd.api.types.is_numeric_dtype(panel.frame[c])]
    check_option("outcome", outcome, numeric)
    if direction is not None:
        check_option("direction", direction, ("up_down",))
    check_option("control", control, CONTROLS)
    whole = len(window) == 2 and all(isinstance(e, int | np.integer) for e in window)
    if not (whole and window[0] <= BASE and window[1] >= 0):
        raise SpecError(f"window={window!r} must be two whole numbers around -1 and 0, such as (-4, 4).")
    if outcome == JOB and control == "never":
        raise SpecError(
            "control='never' compares with citizens who are known never to change, so to be measured long "
            "enough, or to leave early: for a job that is a condition on the outcome. Use 'not_yet'."
        )


def _checks(
    movers: Fit, ahead: pd.DataFrame, selection: pd.DataFrame, limits: Thresholds
) -> tuple[Assumption, ...]:
    """Checks of the mover contrast, and of the comparison with citizens without a change."""
    trend, chosen = (
        frame.loc[frame[column] == value, ["statistic", "df", "p_value"]].to_numpy(dtype=float)[0]
        for frame, column, value in ((ahead, "outcome", "belief"), (selection, "term", "joint"))
    )
    own = (
        Assumption("no_pre_trend_shift", judge_p(trend[2], limits), "pre_trend_belief", *trend),
        Assumption("no_selection_into_shift", judge_p(chosen[2], limits), "selection_joint", *chosen),
    )
    return (*read_checks(movers.diagnostics["checks"]), *own)


def _statistics(movers: Fit, shift: pd.DataFrame) -> dict[str, float]:
    """Headline numbers of the mover contrast and of a change against none."""
    names = ("mover_slope", "mover_se", "base_rate", "relative", "n_movers", "share_exogenous")
    found = {name: float(movers.statistics[name]) for name in names}
    line = shift[shift["group"] == "chosen"]
    columns = {"shift_contrast": "estimate", "shift_contrast_se": "std_error"}
    columns |= {"shift_base_rate": "base_rate", "shift_relative": "relative"}
    return found | {name: float(line[column].iloc[0]) for name, column in columns.items()}


def _conventions(outcome: str) -> dict[str, str]:
    made = {
        "stack": "jobcentre x period x wave; citizens measured in this wave and the one before",
        "comparison": "citizens whose caseworker has not changed yet; their rows end with their own change",
        "event time": "waves since the first one with the new caseworker",
    }
    if outcome == JOB:
        return made | {"job": f"within {QUARTER} weeks of the measurement, among those at risk in each wave"}
    return made | {"base": f"event time {BASE}, the last wave with the former caseworker"}


def _remarks(outcome: str, movers: Fit) -> list[str]:
    """What a reader must know of a comparison between those who change and those who do not."""
    said = list(movers.remarks)
    if outcome == JOB:
        said.append(
            "There are no estimates before the change: a citizen has rows up to a first job, so whoever "
            "changes caseworker had no job before."
        )
    checks = movers.diagnostics["checks"].set_index("assumption")["status"]
    if checks["exogenous_timing"] != "by_design":
        said.append(
            "The contrast of a change with none is an association: changes may have to do with the case."
        )
    return said
