from dataclasses import replace

import pytest
from small_study import STRICT, make_study

from jobchance.findings import wave_flow


def waves_of(sizes, respondents=("caseworker",)):
    """A study in which citizen k has the waves whose size is above k."""
    forms = [
        (f"c{k}", wave, respondent, "s1", {})
        for wave, size in enumerate(sizes, start=1)
        for k in range(size)
        for respondent in respondents
    ]
    return make_study(forms)


def counts(study, series="any"):
    frame = wave_flow.build(study, None, policy=STRICT).frame
    rows = frame[(frame["quantity"] == "wave") & (frame["series"] == series)]
    return dict(zip(rows["level"], rows["N_citizens"], strict=True))


def test_tail_is_pooled_until_every_step_is_nobody_or_enough():
    assert counts(waves_of([40, 30, 30, 20])) == {"1": 40, "2": 30, "3": 30, "4": 20}
    # 20 - 17 = 3 drop out between waves 3 and 4: only the pooled wave "3+" may be shown
    assert counts(waves_of([40, 30, 20, 17])) == {"1": 40, "2": 30, "3+": 20}
    assert counts(waves_of([40, 30, 2])) == {"1": 40, "2+": 30}
    assert counts(waves_of([40, 38])) == {"1+": 40}


def test_at_most_ten_waves():
    found = counts(waves_of([200 - 10 * wave for wave in range(14)]))
    assert list(found)[-1] == "10+"


def test_shares_at_least_and_mean():
    frame = wave_flow.build(waves_of([40, 30, 20]), None, policy=STRICT).frame
    at_least = frame[frame["quantity"] == "at_least"].set_index("level")["share"]
    assert at_least.to_dict() == pytest.approx({"2": 0.75, "3": 0.5})
    assert frame.loc[frame["quantity"] == "mean_waves", "value"].item() == pytest.approx(
        2.3
    )  # 90 / 40, half up


def test_respondent_count_that_gives_away_a_few_is_hidden():
    study = waves_of([40, 20], respondents=("caseworker", "citizen"))
    table = study.tables["measurement"]
    lost = table.index[(table["wave"] == 2) & (table["respondent"] == "citizen")][:3]
    study = replace(study, tables=dict(study.tables) | {"measurement": table.drop(index=lost)})
    frame = wave_flow.build(study, None, policy=STRICT).frame
    row = frame[(frame["series"] == "citizen") & (frame["level"] == "2")].iloc[0]
    assert bool(row["suppressed"])
    assert row[["N_citizens", "share"]].isna().all()
    assert counts(study)["2"] == 20


def test_needs_two_waves():
    assert wave_flow.needs(waves_of([10]), None) == ("need.two_waves",)
    assert wave_flow.needs(waves_of([10, 10]), None) == ()
