import pytest
from small_study import OPEN, STRICT, make_study, with_item

from jobchance.findings import indicator_distributions
from jobchance.study.instrument import read_instrument


def build(forms, policy=OPEN, **options):
    frame = indicator_distributions.build(make_study(forms, **options), None, policy=policy).frame
    return frame.set_index(["construct", "respondent", "base", "level"])


def test_steps_are_shares_of_steps_and_dont_know_of_all_answers():
    values = [1, 1, 2, 5, None]
    forms = [(f"c{k}", 1, "citizen", None, {"job_search_ci": value}) for k, value in enumerate(values)]
    frame = build(forms)
    shares = frame.loc[("job_search", "citizen")]["share"]
    assert shares.loc["steps"].to_dict() == pytest.approx({"1": 0.5, "2": 0.25, "3": 0, "4": 0, "5": 0.25})
    assert shares.loc[("answers", "dont_know")] == pytest.approx(0.2)
    assert shares.loc[("high", "4+5")] == pytest.approx(0.25)


def test_only_the_first_measurement_counts_and_the_instrument_gives_the_order():
    forms = [
        ("c0", 2, "caseworker", "s1", {"job_search_cw": 5}),
        ("c0", 1, "caseworker", "s1", {"job_search_cw": 1, "belief_job": 4}),
        ("c0", 1, "citizen", None, {"job_search_ci": 3}),
    ]
    frame = build(forms)
    assert frame.loc[("job_search", "caseworker", "steps", "1"), "share"] == 1
    assert list(dict.fromkeys(frame.index.get_level_values(0))) == ["caseworker_belief", "job_search"]


def test_reversed_items_are_turned():
    forms = [("c0", 1, "citizen", None, {"job_search_ci": 2})]
    frame = build(forms, instrument=with_item(read_instrument("bip"), "job_search_ci", reversed=True))
    assert frame.loc[("job_search", "citizen", "steps", "4"), "share"] == 1


def test_hidden_steps_take_their_sum_with_them():
    values = [1] * 20 + [2] * 20 + [3] * 10 + [4] * 8 + [5] * 2
    forms = [(f"c{k}", 1, "citizen", None, {"job_search_ci": value}) for k, value in enumerate(values)]
    frame = build(forms, policy=STRICT).loc[("job_search", "citizen")]
    assert set(frame.index[frame["suppressed"]]) == {("steps", "4"), ("steps", "5")}
    assert "high" not in frame.index.get_level_values(0)


def test_a_lone_hidden_dont_know_takes_two_steps_with_it():
    """One hidden step would be what is missing to 100 per cent of the steps."""
    values = [1] * 20 + [2] * 18 + [3] * 10 + [4] * 8 + [5] * 6 + [None] * 2
    forms = [(f"c{k}", 1, "citizen", None, {"job_search_ci": value}) for k, value in enumerate(values)]
    frame = build(forms, policy=STRICT).loc[("job_search", "citizen")]
    hidden = set(frame.index[frame["suppressed"]])
    assert hidden == {("answers", "dont_know"), ("steps", "5"), ("steps", "4")}


def test_needs_answers():
    assert indicator_distributions.needs(make_study([("a", 1, "citizen", None, {})]), None) == (
        "need.answers",
    )
