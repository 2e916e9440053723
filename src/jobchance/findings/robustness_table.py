"""The numbers of a robustness analysis in one tidy table."""

from __future__ import annotations

import pandas as pd

from jobchance.disclosure.check import export_frame, protect
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import SpecError
from jobchance.findings.context import add_context, counts
from jobchance.inference.wild_bootstrap_result import WildBootstrap
from jobchance.labels.load import label
from jobchance.panel.model import AnalysisPanel
from jobchance.results.fit import Fit
from jobchance.sensitivity.confounding import robustness_value
from jobchance.sensitivity.influential_set import most_influential_set
from jobchance.sensitivity.leave_one_out import LeaveOneOut
from jobchance.sensitivity.multiverse.joint_result import JointTest
from jobchance.sensitivity.multiverse.result import Multiverse
from jobchance.sensitivity.oster import oster_delta
from jobchance.sensitivity.private_information import private_information
from jobchance.study.model import Study

NAME = "robustness_table"
LEVEL = 0.95
Line = dict[str, object]


def robustness_table(
    fit: Fit,
    term: str,
    study: Study,
    panel: AnalysisPanel,
    *,
    multiverse: Multiverse,
    joint: JointTest,
    bootstrap: WildBootstrap,
    places: LeaveOneOut,
    policy: DisclosurePolicy,
) -> pd.DataFrame:
    """One row per check of one association, after disclosure control.

    Parameters
    ----------
    fit : Fit
        The main model: least squares on the panel's 0/1 outcome, with its rows.
    term : str
        The belief's coefficient.
    study, panel
        Where the rows come from.
    multiverse, joint
        Every specification, and the joint test over them.
    bootstrap : WildBootstrap
        Of the same coefficient, by few clusters.
    places : LeaveOneOut
        Of the same coefficient, without each place.
    policy : DisclosurePolicy
        What may be shown.

    Returns
    -------
    DataFrame
        `check label_da label_en unit estimate conf_low conf_high p_value interval_method conf_level
        N_citizens N_events N_caseworkers` and the context. `interval_method` says where an interval comes
        from (`none`: there is no interval). `unit` is `pp` (percentage points per step of the belief),
        `pp_sd` (per standard deviation), `share`, or `ratio`.

    Raises
    ------
    SpecError
        Not a least-squares fit with rows of a 0/1 outcome, or without the term.
    """
    behind = fit.need_rows(NAME)
    rows = behind.frame.iloc[behind.used].assign(outcome=behind.outcome)
    if not rows["outcome"].isin((0.0, 1.0)).all():
        raise SpecError(f"{NAME} is about an outcome of zeros and ones.")
    lines = [
        *_estimates(fit, term, bootstrap),
        *_choices(multiverse, joint),
        *_places(places),
        *_units(fit, term),
        *_unseen(fit, term),
    ]
    how = {"main": fit.inference.label, "wild_bootstrap": "wild cluster bootstrap"}
    method = [how.get(str(line["check"]), "none") for line in lines]
    frame = pd.DataFrame(lines).assign(
        interval_method=method, conf_level=LEVEL, **counts(rows, outcome="outcome")
    )
    for lang in ("en", "da"):
        words = [label(f"robustness_table.{line['check']}", lang) for line in lines]
        frame.insert(1, f"label_{lang}", words)
    frame = add_context(
        frame, study, panel, rows=rows, estimand="predictive", population="all_at_risk", interval="none"
    )
    return export_frame(protect(frame, policy, output=NAME), policy)


def _estimates(fit: Fit, term: str, bootstrap: WildBootstrap) -> list[Line]:
    """The main estimate and its uncertainty by few clusters."""
    low, high = fit.conf_int(LEVEL).loc[term].to_numpy(dtype=float)
    value = 100 * float(fit.params[term])
    wild = {"conf_low": 100 * bootstrap.conf_low, "conf_high": 100 * bootstrap.conf_high}
    return [
        _line(
            "main",
            "pp",
            value,
            conf_low=100 * float(low),
            conf_high=100 * float(high),
            p_value=float(fit.pvalues[term]),
        ),
        _line("wild_bootstrap", "pp", value, **wild, p_value=bootstrap.p_value),
    ]


def _choices(multiverse: Multiverse, joint: JointTest) -> list[Line]:
    """What the specifications say together."""
    rows = joint.frame.set_index("statistic")[["observed", "p_value"]].astype(float)
    middle, p_middle = map(float, rows.loc["median_estimate"])
    share, p_share = map(float, rows.loc["share_significant"])
    ran = multiverse.frame["estimate"].dropna()
    return [
        _line("median", "pp_sd", middle, p_value=p_middle),
        _line("same_sign", "share", float((ran * middle > 0).mean())),
        _line("significant", "share", share, p_value=p_share),
    ]


def _places(places: LeaveOneOut) -> list[Line]:
    """How often the sign stays without a place."""
    known = places.frame.dropna(subset=["estimate"])
    return [_line("places", "share", float(1 - known["flips_sign"].mean()))]


def _units(fit: Fit, term: str) -> list[Line]:
    """How many citizens carry the sign; missing where no fifth of them does."""
    made = most_influential_set(fit, "citizen_id", term=term)
    return [_line("influential", "share", made.share if made.found else float("nan"))]


def _unseen(fit: Fit, term: str) -> list[Line]:
    """How strong an unseen explanation would have to be."""
    value = robustness_value(fit, term)
    seen = private_information(fit, term)
    stable = oster_delta(fit, term)
    return [
        _line("robustness_value", "share", value.value),
        _line(
            "robustness_value_alpha",
            "share",
            float("nan") if value.value_alpha is None else value.value_alpha,
        ),
        _line("private_information", "share", seen.r2),
        _line("oster_delta", "ratio", stable.delta),
    ]


def _line(check: str, unit: str, estimate: float, **more: float) -> Line:
    return {"check": check, "unit": unit, "estimate": estimate, **more}
