"""Attacks by subtraction on real outputs: totals, other tables, waves, other runs, other policies."""

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
import pytest
from outputs_under_attack import CAUTIOUS, LEAST, raw_frames, shown_frames, small_panel, small_study

from jobchance.disclosure.check import export_frame, protect
from jobchance.disclosure.differencing import close_samples
from jobchance.disclosure.ledger import DisclosureLedger
from jobchance.disclosure.overlap import cells_apart_by_few
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.release import Release
from jobchance.errors import DisclosureError
from jobchance.note.status_note import _manifest

GROUPS = ("mark", "quantity", "construct", "respondent", "series", "group")
NAMES = sorted(raw_frames())


def given_back_by_totals(raw, shown):
    """Rows whose hidden persons are the total shown beside them less the rows shown, and are too few."""
    if "N_citizens" not in raw or "suppressed" not in shown:
        return []
    found = []
    within = [c for c in GROUPS if c in raw]
    groups = raw.groupby(within, dropna=False).indices.values() if within else [range(len(raw))]
    for rows in map(list, groups):
        for total in ("N_answers", "N_citizens_total"):
            true = raw["N_citizens"].to_numpy(dtype=float)[rows]
            if total not in shown or true.sum() != raw[total].iloc[rows[0]]:
                continue
            seen = shown["N_citizens"].to_numpy(dtype=float)[rows]
            hidden = np.isnan(seen)
            rest = float(shown[total].iloc[rows[0]]) - np.nansum(seen)
            if (
                hidden.any()
                and true[hidden].sum() == rest
                and (0 < rest < LEAST or (hidden.sum() == 1 and rest < LEAST))
            ):
                found += [rows[i] for i in np.flatnonzero(hidden)]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_no_hidden_cell_is_a_total_less_what_is_shown(name):
    assert not given_back_by_totals(raw_frames()[name], shown_frames()[name][0])


def test_control_totals_give_a_lone_hidden_cell_back():
    raw = pd.DataFrame({"level": list("abc"), "N_citizens": [3, 40, 57], "N_answers": 100})
    naked = raw.assign(N_citizens=[np.nan, 40, 57], suppressed=[True, False, False])
    assert given_back_by_totals(raw, naked) == [0]
    assert not given_back_by_totals(raw, protect(raw, CAUTIOUS, output="t"))


@pytest.mark.parametrize("name", NAMES)
def test_no_row_shows_a_zero_a_full_or_a_small_cell(name):
    shown, _ = shown_frames()[name]
    if "N_citizens" not in shown:
        return
    n = shown["N_citizens"].dropna()
    assert not n.between(1, LEAST - 1).any()
    if {"N_events", "mark"} <= set(shown) or "N_events" in shown:
        rows = shown[shown["N_events"].notna() & shown["N_citizens"].notna()]
        step = rows["mark"].eq("curve") if "mark" in rows else pd.Series(False, index=rows.index)
        rates = rows[~step]
        assert not rates["N_events"].eq(0).any()
        if "estimate" in rates and "compared_with" in rates:
            plain = rates[rates["compared_with"].isna() & rates["estimate"].notna()]
            assert not plain["estimate"].isin([0.0, 1.0]).any()


def test_cells_of_two_outputs_of_one_note_do_not_differ_by_a_few():
    exact = [frame for frame, base in shown_frames().values() if base is None]
    for place, frame in enumerate(exact):
        assert not cells_apart_by_few(frame, exact[:place], CAUTIOUS).any()
    rounded = [frame for frame, base in shown_frames().values() if base is not None]
    assert rounded, "the attack has something to attack"
    for frame in rounded:
        counts = frame.filter(regex="^N_").to_numpy(dtype=float)
        assert (counts[~np.isnan(counts)] % 10 == 0).all()


def test_control_before_rounding_the_outputs_of_the_note_differ_by_a_few():
    naked = {k: export_frame(protect(f, CAUTIOUS, output=k), CAUTIOUS) for k, f in raw_frames().items()}
    assert cells_apart_by_few(naked["belief_gradient"], [naked["belief_distribution"]], CAUTIOUS).any()


def consistent_persons(row, raw_n):
    """All numbers of persons that fit a rounded share, the rounded counts, and whole numbers of events."""
    digits = 0 if row["estimate"] == 0 else int(np.floor(np.log10(abs(row["estimate"]))))
    text = f"{row['estimate']:.6g}".replace("0.", "").lstrip("0")
    half = 0.5 * 10.0 ** (digits - max(len(text), 1) + 1)
    around = range(int(raw_n) - 15, int(raw_n) + 16)
    return [
        n
        for n in around
        if 10 * int(n / 10 + 0.5) == row["N_citizens"]
        and any(abs(e / n - row["estimate"]) <= half + 1e-12 for e in range(n + 1))
    ]


def test_a_rounded_share_does_not_give_the_exact_persons_back():
    raw, shown = raw_frames()["belief_gradient"], shown_frames()["belief_gradient"][0]
    everyone = shown_frames()["belief_distribution"][0].set_index("level")["N_citizens"]
    checked = 0
    for place in np.flatnonzero(shown["mark"].eq("level") & shown["N_citizens"].notna()):
        true = raw["N_citizens"].iloc[place]
        if 0 < everyone[shown["level"].iloc[place]] - true < LEAST:
            fits = consistent_persons(shown.iloc[place], true)
            assert true in fits
            assert max(fits) - min(fits) >= LEAST - 1
            checked += 1
    assert checked, "the attack has something to attack"


def test_control_three_digits_would_give_the_exact_persons_back():
    row = pd.Series({"estimate": 0.0632, "N_citizens": 170.0})
    assert consistent_persons(row, 174) == [174]


def lost_from_sight(share, persons, events):
    """Numbers lost before the last event (0 to 4) that fit a share read off a curve, by its digits."""
    digits = len(f"{share:.7g}".partition(".")[2])
    return {
        lost[-1]
        for lost in combinations_with_replacement(range(LEAST), events)
        if round(1 - np.prod([1 - 1 / (persons - k - c) for k, c in enumerate(lost)]), digits) == share
    }


def test_a_curve_beside_the_answers_does_not_tell_how_many_were_lost():
    curves = shown_frames()["job_curve_by_belief"][0]
    everyone = shown_frames()["belief_distribution"][0].set_index("level")["N_citizens"]
    last = curves[curves["mark"].eq("curve")].groupby("level").last()
    assert len(last), "the attack has something to attack"
    raw = raw_frames()["job_curve_by_belief"]
    for level, row in last.iterrows():
        true = raw[raw["mark"].eq("curve") & raw["level"].eq(level)]["estimate"].iloc[-1]
        fits = lost_from_sight(round(true, 7), int(everyone[level]), int(row["N_events"]))
        assert len(fits) == 1, "control: seven digits tell"
        step = 0.005 if everyone[level] > 80 else 0.01
        near = {
            c
            for c in range(LEAST)
            if abs(row["N_events"] / (everyone[level] - c) - row["estimate"]) <= step / 2 + 1e-9
        }
        assert len(near) >= LEAST - 2


# --- the note's own counts -----------------------------------------------------------------------------


@pytest.mark.parametrize(("left_out", "shown"), [(0, True), (1, False), (LEAST - 1, False), (LEAST, True)])
def test_the_manifest_does_not_show_how_few_citizens_the_analysis_leaves_out(left_out, shown):
    study, panel = small_study(), small_panel()
    measured = study.tables["measurement"]["citizen_id"].unique()
    frame = panel.frame.iloc[: len(measured) - left_out].assign(citizen_id=measured[left_out:])
    panel = replace(panel, frame=frame)
    counts = _manifest(study, panel, [], [], [], lang="en", policy=CAUTIOUS)["counts"]
    assert ("N_panel_citizens" in counts) is shown
    assert ("N_panel_rows" in counts) is shown
    assert counts["N_citizen"] == len(study.tables["citizen"])


# --- waves ---------------------------------------------------------------------------------------------


def drop_outs(frame):
    """By series, how many are in one wave and not in the next, from the counts shown."""
    waves = frame[frame["quantity"].eq("wave") & frame["N_citizens"].notna()]
    return [
        float(before - after)
        for _, rows in waves.groupby("series")
        for before, after in zip(rows["N_citizens"], rows["N_citizens"].iloc[1:], strict=False)
    ]


def test_no_wave_less_the_next_is_a_few():
    assert all(lost == 0 or lost >= LEAST for lost in drop_outs(shown_frames()["wave_flow"][0]))


def test_control_waves_with_few_drop_outs_are_found():
    frame = pd.DataFrame({"quantity": "wave", "series": "any", "level": ["1", "2"], "N_citizens": [100, 98]})
    assert drop_outs(frame) == [2.0]


# --- two runs, two policies, many specifications ---------------------------------------------------------


def test_a_second_run_with_one_citizen_removed_is_refused(tmp_path):
    panel = small_panel().frame
    ledger = DisclosureLedger.create(tmp_path / "exports.ledger")
    ledger.record([Release("F15", panel["citizen_id"])], CAUTIOUS)
    without = panel[panel["citizen_id"] != panel["citizen_id"].iloc[0]]
    # Control: the mean less the mean is the removed citizen's own number.
    n, m = panel["citizen_id"].nunique(), without["citizen_id"].nunique()
    total = (
        panel.groupby("citizen_id")["belief"].first().sum()
        - without.groupby("citizen_id")["belief"].first().sum()
    )
    assert n - m == 1
    assert total == panel["belief"].iloc[0]
    with pytest.raises(DisclosureError, match="differencing"):
        ledger.record([Release("F15 again", without["citizen_id"])], CAUTIOUS)


def test_a_looser_policy_later_does_not_open_hidden_cells(tmp_path):
    raw = pd.DataFrame({"level": list("abc"), "N_citizens": [4, 60, 70], "share": [0.2, 0.3, 0.4]})
    strict, loose = CAUTIOUS, DisclosurePolicy.preset("dst")
    first, later = (export_frame(protect(raw, p, output="F9"), p) for p in (strict, loose))
    opened = first["N_citizens"].isna() & later["N_citizens"].notna()
    assert opened.any(), "the attack has something to attack"
    who = small_study().tables["measurement"]["citizen_id"]
    ledger = DisclosureLedger.create(tmp_path / "exports.ledger")
    ledger.record([Release("F9", who, first)], strict)
    with pytest.raises(DisclosureError, match="were hidden"):
        ledger.record([Release("F9", who, later)], loose)


def test_specifications_whose_samples_differ_by_a_few_are_found():
    panel = small_panel().frame
    codes, _ = pd.factorize(panel["citizen_id"])
    rules = {
        "all": np.ones(len(panel), bool),
        "complete": panel["expectation"].notna(),
        "first waves": panel["wave"] <= 3,
        "all but two": codes > 1,
    }
    samples = [np.unique(codes[np.asarray(mask)]) for mask in rules.values()]
    found = {(list(rules)[i], list(rules)[j]): n for i, j, n in close_samples(samples, least=LEAST).tolist()}
    assert found["all", "all but two"] == 2
