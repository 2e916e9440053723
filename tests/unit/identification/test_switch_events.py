"""Stacked event studies, against the same regression with a dummy variable for everything."""

import numpy as np
import pandas as pd
import pytest
from switch_panel import chance_panel, panel_of, rows_of

from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.switch import switch_event_study
from jobchance.identification.switch_rows import EXOGENOUS, read_history
from jobchance.identification.switch_stack import build_stacks, quarter_outcome
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster, Robust

WINDOW = (-2, 2)


@pytest.fixture(scope="module")
def panel():
    return chance_panel(2, citizens=260, workers=20, centres=2, step=0.1)


def loops(panel, *, low, high, reasons=None, never=False):
    """Stacked rows from plain loops over citizens: who, stack, event time, changed, belief, quarter job."""
    histories = {c: rows.sort_values("wave") for c, rows in panel.frame.groupby("citizen_id")}
    own = {}
    for citizen, rows in histories.items():
        workers, waves = list(rows["caseworker_id"]), list(rows["wave"])
        moves = [k for k in range(1, len(rows)) if workers[k] != workers[k - 1]]
        own[citizen] = (moves[0] if moves else len(rows), waves, moves[1] if len(moves) > 1 else len(rows))
    found = []
    for citizen, rows in histories.items():
        first, waves, second = own[citizen]
        for k in range(1, min(first, len(rows) - 1) + 1):
            changed = k == first
            row = rows.iloc[k]
            if waves[k - 1] != waves[k] - 1:
                continue
            if changed and reasons is not None and row["shift_reason"] not in reasons:
                continue
            if never and not changed and first < len(rows):
                continue
            until = second if changed else first
            for m in range(until):
                e = waves[m] - waves[k]
                if low <= e <= high:
                    other = rows.iloc[m]
                    weeks = other["weeks_to_outcome"]
                    found.append(
                        {
                            "citizen": citizen,
                            "stack": (row["jobcentre_id"], row["period"], waves[k]),
                            "e": e,
                            "changed": changed,
                            "belief": other["belief"],
                            "job": float(weeks < 13),
                            "outcome": other["outcome"],
                        }
                    )
    frame = pd.DataFrame(found)
    kinds = frame[frame["e"] == 0].groupby("stack")["changed"].nunique()
    return frame[frame["stack"].map(kinds) == 2].reset_index(drop=True)


def least_squares(rows, y, columns, *factors):
    """Coefficients of `columns` beside a dummy for every level of the factors."""
    dummies = [
        pd.get_dummies(pd.factorize(pd.Series([str(v) for v in f]))[0], dtype=float).to_numpy()
        for f in factors
    ]
    X = np.column_stack([*columns, *dummies])
    return np.linalg.lstsq(X, rows[y].to_numpy(), rcond=None)[0][: len(columns)]


@pytest.mark.parametrize(("reasons", "control"), [("all", "not_yet"), ("exogenous", "never")])
def test_belief_path_is_that_of_dummies_for_citizens_and_times_of_every_stack(panel, reasons, control):
    fit = switch_event_study(panel, window=WINDOW, reasons=reasons, control=control)
    wanted = None if reasons == "all" else EXOGENOUS
    rows = loops(panel, low=-2, high=2, reasons=wanted, never=control == "never")
    times = [e for e in (-2, 0, 1, 2) if ((rows["e"] == e) & rows["changed"]).any()]
    columns = [((rows["e"] == e) & rows["changed"]).to_numpy(dtype=float) for e in times]
    unit = list(zip(rows["stack"], rows["citizen"], strict=True))
    when = list(zip(rows["stack"], rows["e"], strict=True))
    expected = least_squares(rows, "belief", columns, unit, when)
    assert fit.terms == tuple(f"shift[{e}]" for e in times)
    np.testing.assert_allclose(fit.estimates, expected, atol=1e-8)
    path = fit.diagnostics["event_study"].set_index("event_time")
    assert path.loc[-1, "estimate"] == 0
    assert path.loc[0, "n_citizens"] == rows[(rows["e"] == 0) & rows["changed"]]["citizen"].nunique()


def test_job_path_is_that_of_dummies_for_times_of_every_stack(panel):
    fit = switch_event_study(panel, outcome="outcome", window=WINDOW)
    rows = loops(panel, low=0, high=2)
    columns = [((rows["e"] == e) & rows["changed"]).to_numpy(dtype=float) for e in (0, 1, 2)]
    expected = least_squares(rows, "job", columns, list(zip(rows["stack"], rows["e"], strict=True)))
    assert fit.terms == ("shift[0]", "shift[1]", "shift[2]")
    np.testing.assert_allclose(fit.estimates, expected, atol=1e-10)
    assert fit.outcome == "job within 13 weeks"
    assert any("no estimates before the change" in note for note in fit.notes)
    contrast = least_squares(
        rows := rows[rows["e"] == 0], "outcome", [rows["changed"].to_numpy(dtype=float)], rows["stack"]
    )
    assert fit.statistics["shift_contrast"] == pytest.approx(contrast[0], abs=1e-10)
    shares = rows.groupby("changed")["outcome"].mean()
    assert fit.statistics["shift_base_rate"] == pytest.approx(shares[True] - contrast[0])


def test_directions_are_apart_and_opposite(panel):
    both = chance_panel(3, citizens=1200, workers=80)
    fit = switch_event_study(both, window=(-2, 1), direction="up_down")
    assert fit.terms == ("up[-2]", "up[0]", "up[1]", "down[-2]", "down[0]", "down[1]")
    low_high = fit.conf_int()
    assert low_high.loc["up[0]", "conf_low"] > 0
    assert low_high.loc["down[0]", "conf_high"] < 0
    assert abs(fit.params["up[-2]"]) < 3 * fit.std_errors["up[-2]"]


def test_clusters_are_the_former_and_the_new_caseworker(panel):
    fit = switch_event_study(panel, window=WINDOW)
    assert set(fit.inference.clusters) == {"former_caseworker_id", "new_caseworker_id"}
    robust = switch_event_study(panel, window=WINDOW, vcov=Robust())
    np.testing.assert_allclose(robust.estimates, fit.estimates)
    own = fit.with_vcov(Cluster("citizen_id"))
    assert own.std_errors["shift[0]"] > 0


def test_citizens_without_a_known_past_are_in_no_stack():
    rows = rows_of(a="ABB", b="AAA", c="A.A", d=".AA", e="A-A", f="A-B", g="AAB", h="ABA")
    stacks = build_stacks(read_history(panel_of(rows)), window=(-2, 2), wanted=None)
    found = stacks.rows.groupby(["stack", "citizen_id"])["wave"].apply(list).to_dict()
    # wave 2: a and h change, b and g stay; wave 3: g changes, b stays
    assert found == {
        (0, "a"): [1, 2, 3],
        (0, "b"): [1, 2, 3],
        (0, "g"): [1, 2],
        (0, "h"): [1, 2],
        (1, "b"): [1, 2, 3],
        (1, "g"): [1, 2, 3],
    }


def test_never_changing_needs_the_future():
    rows = rows_of(a="ABB", b="AAA", g="AAB")
    stacks = build_stacks(read_history(panel_of(rows)), window=(-2, 2), wanted=None, control="never")
    assert set(stacks.anchors.loc[stacks.anchors["group"].isna(), "citizen_id"]) == {"b"}


def test_nobody_to_compare_with_is_refused():
    rows = rows_of(a="AB", b="BA")
    with pytest.raises(IdentificationError) as error:
        build_stacks(read_history(panel_of(rows)), window=(-2, 2), wanted=None)
    assert error.value.missing == ("comparison",)


def test_a_quarter_is_known_if_it_ended_or_brought_a_job():
    rows = pd.DataFrame(
        {"weeks_to_outcome": [0, 12, 13, 52, 5, 20, np.nan], "event_observed": [1, 1, 1, 0, 0, 0, 1]}
    )
    np.testing.assert_array_equal(quarter_outcome(rows), [1, 1, 0, 0, np.nan, 0, np.nan])


def test_checks_tell_of_selection_into_changing(panel):
    fit = switch_event_study(panel, window=WINDOW)
    checks = fit.diagnostics["checks"].set_index("assumption")
    assert checks.loc["exogenous_timing", "status"] == "doubtful"
    assert any("is an association" in note for note in fit.notes)
    assert checks.loc["no_selection_into_shift", "status"] in ("holds", "doubtful")
    # those who will change are rated lower by the former caseworker
    history = read_history(panel).frame
    first = history["breaks"].groupby(history["citizen_id"]).transform("max") > 0
    frame = history[panel.frame.columns].assign(
        belief=history["belief"] - 2.0 * (first & history["breaks"].eq(0))
    )
    worse = switch_event_study(panel_of(frame, ("age", "sex")), window=WINDOW)
    table = worse.diagnostics["selection"].set_index("term")
    assert table.loc["belief", "conf_high"] < 0
    assert worse.diagnostics["checks"].set_index("assumption").loc[
        "no_selection_into_shift", "status"
    ] == "fails"  # fmt: skip
    assert not any("is an association" in n for n in switch_event_study(panel, reasons="exogenous").notes)


def test_a_trend_before_the_change_fails():
    panel = chance_panel(4, citizens=900, workers=60, waves=8, shift=0.15)
    history = read_history(panel).frame
    first = history["wave"].where(history["change"] & history["breaks"].eq(1))
    first = first.groupby(history["citizen_id"]).transform("min")
    sinking = (history["wave"] - first).clip(upper=0).fillna(0)
    frame = history[panel.frame.columns].assign(belief=history["belief"] - sinking)
    checks = switch_event_study(panel_of(frame)).diagnostics["checks"].set_index("assumption")
    assert checks.loc["no_pre_trend_shift", "status"] == "fails"


def test_labels_and_row_order_do_not_matter(panel):
    mixed = panel.frame.sample(frac=1, random_state=3)
    for column in ("citizen_id", "caseworker_id", "jobcentre_id"):
        mixed[column] = column + mixed[column].str[::-1]
    for outcome in ("belief", "outcome"):
        one = switch_event_study(panel, outcome=outcome, window=WINDOW)
        other = switch_event_study(panel_of(mixed, ("age", "sex")), outcome=outcome, window=WINDOW)
        np.testing.assert_allclose(one.estimates, other.estimates, atol=1e-9)
        np.testing.assert_allclose(one.std_errors, other.std_errors, rtol=1e-7)
        left, right = one.diagnostics["selection"], other.diagnostics["selection"]
        pd.testing.assert_frame_equal(left, right, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": (0, 3)}, "window="),
        ({"window": (-1.5, 3)}, "window="),
        ({"outcome": "shoes"}, "outcome='shoes'"),
        ({"direction": "up"}, "direction='up'"),
        ({"control": "all"}, "control='all'"),
        ({"outcome": "outcome", "control": "never"}, "condition on the outcome"),
        ({"reasons": "some"}, "reasons='some'"),
    ],
)
def test_options_are_checked(panel, options, words):
    with pytest.raises(SpecError, match=words):
        switch_event_study(panel, **options)


def test_hostile_rows_do_not_stop_it(panel):
    rng = np.random.default_rng(1)
    frame = panel.frame.copy()
    frame.loc[rng.random(len(frame)) < 0.1, "caseworker_id"] = None
    frame.loc[rng.random(len(frame)) < 0.1, "belief"] = np.nan
    frame.loc[rng.random(len(frame)) < 0.1, ["outcome", "weeks_to_outcome"]] = np.nan
    frame.loc[frame["caseworker_id"].isna(), "optimism"] = np.nan
    frame = frame[rng.random(len(frame)) > 0.05]
    for options in ({}, {"outcome": "outcome"}, {"direction": "up_down"}):
        fit = switch_event_study(panel_of(frame, ("age", "sex")), window=WINDOW, **options)
        assert np.isfinite(fit.std_errors).all()


def test_the_fit_is_stored_and_printed_without_persons(panel):
    fit = switch_event_study(panel, window=WINDOW)
    back = Fit.from_dict(fit.to_dict())
    assert set(back.diagnostics) >= {"event_study", "movers", "symmetry", "pre_trend", "reasons", "selection"}
    words = fit.summary().split()
    assert not any(worker in words for worker in panel.frame["caseworker_id"].unique())


def test_columns_of_the_panel_may_have_the_names_of_stacks():
    panel = chance_panel(3)
    named = panel_of(panel.frame.assign(stack="s", unit=1, group="g", at=2), ("age", "sex"))
    one, other = (switch_event_study(p, window=(-2, 1)) for p in (panel, named))
    np.testing.assert_allclose(one.estimates, other.estimates)
    with pytest.raises(SpecError, match="AnalysisPanel"):
        switch_event_study(panel.frame)
