"""`mover_contrast`: what a change to a more optimistic caseworker does, among citizens who change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.cards import checks_frame
from jobchance.identification.leniency_tables import covariate_names
from jobchance.identification.switch_card import assumptions
from jobchance.identification.switch_checks import (
    balance_new_caseworker,
    loss_after_change,
    mover_pre_trend,
    symmetry,
)
from jobchance.identification.switch_moves import (
    CELL,
    CHANGE,
    VCOV,
    Moves,
    fit_moves,
    movers_table,
    of_citizens,
    read_moves,
)
from jobchance.identification.switch_rows import (
    EXOGENOUS,
    History,
    check_reasons,
    count_reasons,
    read_history,
)
from jobchance.identification.thresholds import Thresholds
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Vcov


def mover_contrast(
    panel: AnalysisPanel,
    *,
    reasons: str | Sequence[str] = "exogenous",
    exogenous: Sequence[str] = EXOGENOUS,
    covariates: Sequence[str] | None = None,
    reliability: float | None = None,
    vcov: Vcov = VCOV,
    thresholds: Thresholds | None = None,
) -> Fit:
    r"""Effect of a change to a caseworker one standard deviation more optimistic, among citizens who change.

    .. math:: y_{ic} = \beta\,(z^{new}_i - z^{old}_i) + \gamma\, z^{old}_i + \delta_c + e_{ic}

    One row per change: the first measurement with the new caseworker, whose 52 weeks are `y`; `c` is the
    jobcentre x period of that measurement, `z` leave-one-out optimism on the scale of the disposition
    (`scale_optimism`). Whom a citizen leaves is history and is held fixed by gamma; whom the citizen gets is
    compared within the cell, among citizens who all changed. What a change does by itself, alike for all,
    is in delta and not in beta.

    Parameters
    ----------
    panel : AnalysisPanel
        Needs `optimism`, `outcome` and citizens with several caseworkers.
    reasons : {"exogenous", "all"} or sequence of str
        Changes that count, by the reason that ended the spell before. Where the panel has no reasons,
        `"exogenous"` uses all changes, and the check `exogenous_timing` stays untested.
    exogenous : sequence of str
        Reasons that lie outside the citizen's case.
    covariates : sequence of str or None
        Columns that the new caseworker's optimism should not depend on, as they were in the row before the
        change (balance; they are not adjusted for). None = those of the panel and the citizen's own belief.
    reliability : float or None
        Share of the variance of optimism that is disposition, in place of the estimate from the beliefs.
    vcov : Cluster, Robust or "model"
        Standard errors, by default clustered by new caseworker and citizen.
    thresholds : Thresholds or None
        What counts as enough.

    Returns
    -------
    Fit
        Terms `optimism_change` (beta) and `optimism_before` (gamma), shares per standard deviation.
        `statistics`: `mover_slope mover_se base_rate relative n_movers n_shifts n_events disposition_sd
        reliability share_exogenous`. `diagnostics`: `movers` (all, exogenous, first change; up, down),
        `symmetry`, `balance`, `pre_trend`, `reasons`, `checks`.

    Raises
    ------
    IdentificationError
        One caseworker per citizen (`shifts`), too few citizens who change (`movers`) or new caseworkers
        (`clusters`), no caseworker ids (`caseworker_ids`), no citizen with two rows
        (`repeated_measurements`), no reasons where some are asked for (`shift_reason`), optimism that does
        not vary (`optimism`), an outcome that does not (`outcome`).
    SpecError
        Unknown reasons or covariates, a reliability outside (0, 1].

    Notes
    -----
    A citizen with several changes gives a row for each; windows may overlap, which clustering by citizen
    covers. Citizens who find a job between the change and the first measurement after it give no row.
    Standard errors take the scale of the disposition as known. Beta belongs to all that goes with a
    caseworker's optimism, not to optimism alone.

    References
    ----------
    Finkelstein, Gentzkow & Williams (2016), QJE 131, 1681-1726; Card, Heining & Kline (2013), QJE 128,
    967-1015 (symmetry); Chetty, Friedman & Rockoff (2014), AER 104, 2593-2632 (shrinkage).

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.identification.switch_movers import mover_contrast
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=1500))
    >>> fit = mover_contrast(panel)
    >>> fit.terms
    ('optimism_change', 'optimism_before')
    """
    chosen = check_reasons(reasons, exogenous)
    limits = thresholds or Thresholds()
    _check_reliability(reliability)
    history = read_history(require_panel(panel, "mover_contrast"))
    if chosen is not None and not isinstance(reasons, str) and not history.has_reasons:
        raise IdentificationError(
            "The panel has no reasons for changes of caseworker (shift_reason), so none can be singled out.",
            missing=("shift_reason",),
        )
    moves = read_moves(history, chosen, reliability=reliability)
    _require_movers(moves, limits)
    fit = of_citizens(fit_moves(moves.chosen, vcov), vcov)
    names = covariate_names(panel, covariates)
    balance = balance_new_caseworker(history, moves.chosen, names, vcov=vcov)
    trend = mover_pre_trend(history, moves.chosen, vcov=vcov)
    directions = symmetry(moves.chosen, vcov=vcov)
    checks = assumptions(
        moves, chosen=chosen, exogenous=exogenous, frame=history.frame, balance=balance,
        loss=loss_after_change(moves.asked, vcov=vcov), trend=trend, symmetric=directions, thresholds=limits,
    )  # fmt: skip
    return replace(
        fit,
        model="mover contrast (change to a more optimistic caseworker)",
        spec={"reasons": "all" if chosen is None else list(chosen), "absorbed": list(CELL)}
        | {"exogenous": list(exogenous), "reliability": reliability},
        statistics=_statistics(fit, moves, exogenous),
        conventions=_conventions(),
        remarks=(*fit.remarks, *_remarks(history, chosen)),
        diagnostics={
            "movers": movers_table(moves, exogenous, vcov=vcov, directions=directions),
            "symmetry": directions,
            "balance": balance.table,
            "pre_trend": trend,
            "reasons": count_reasons(history, exogenous),
            "checks": checks_frame(checks),
        },
        predictor=None,
    )


def _require_movers(moves: Moves, limits: Thresholds) -> None:
    """Enough citizens who change and new caseworkers, and an outcome that varies; all faults at once."""
    rows = moves.chosen
    citizens, workers = rows["citizen_id"].nunique(), rows["caseworker_id"].nunique()
    faults = {}
    if citizens < limits.min_movers:
        faults["movers"] = (
            f"{citizens} citizens change caseworker in a usable way; {limits.min_movers:g} needed"
        )
    if workers < limits.min_clusters:
        faults["clusters"] = f"{workers} new caseworkers; {limits.min_clusters:g} needed"
    if rows["outcome"].nunique() < 2:
        faults["outcome"] = "the outcome is the same after every change"
    if faults:
        raise IdentificationError(
            f"The mover contrast has too little to rest on: {'; '.join(faults.values())}. A change is usable "
            "with both caseworkers' optimism and the outcome known; reasons='all' counts most.",
            missing=tuple(faults),
        )


def _check_reliability(reliability: float | None) -> None:
    if reliability is not None and not 0 < reliability <= 1:
        raise SpecError(f"reliability={reliability!r} must lie above 0 and be at most 1.")


def _statistics(fit: Fit, moves: Moves, exogenous: Sequence[str]) -> dict[str, float]:
    """Headline numbers of the contrast; see `mover_contrast`."""
    rows, slope = moves.chosen, float(fit.params[CHANGE])
    base = float(rows["outcome"].mean())
    return dict(fit.statistics) | {
        "mover_slope": slope,
        "mover_se": float(fit.std_errors[CHANGE]),
        "base_rate": base,
        "relative": slope / base,
        "n_movers": float(rows["citizen_id"].nunique()),
        "n_shifts": float(len(rows)),
        "n_events": float(rows["outcome"].sum()),
        "disposition_sd": moves.scale.sd,
        "reliability": float(moves.scale.reliability[rows.index].mean()),
        "share_exogenous": float(moves.all["reason"].isin(list(exogenous)).mean()),
    }


def _conventions() -> dict[str, str]:
    return {
        "row": "one per change: the first measurement with the new caseworker, the outcome after it",
        "optimism": "leave-one-out, shrunken, in standard deviations of the disposition",
        "comparison": "citizens who change, within jobcentre x period, given the former's optimism",
    }


def _remarks(history: History, chosen: Sequence[str] | None) -> list[str]:
    """What a reader of the contrast must know."""
    said = []
    if not history.has_reasons:
        said.append("The panel has no reasons for changes of caseworker: all changes count.")
    elif chosen is None:
        said.append("Changes for all reasons count, also those that may have to do with the case.")
    return said
