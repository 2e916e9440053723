import pytest
from small_study import OPEN, STRICT, make_panel, make_study, with_item

from jobchance.findings import belief_distribution
from jobchance.study.instrument import read_instrument

STUDY = make_study([("a", 1, "caseworker", "s1", {"belief_job": 3})])


def rows_of(**answers):
    """One citizen per answer: `rows_of(b1=6, b2=7, unsure=2)`."""
    values = [None if name == "unsure" else int(name[1:]) for name, n in answers.items() for _ in range(n)]
    return [(f"c{k}", f"s{k % 4}", 1, value, 0) for k, value in enumerate(values)]


def test_shares_are_of_all_answers_and_use_the_first_measurement():
    later = [("c0", "s0", 2, 5, 1)]
    panel = make_panel(rows_of(b1=4, b2=3, b3=2, unsure=1) + later)
    frame = belief_distribution.build(STUDY, panel, policy=OPEN).frame.set_index("level")
    assert frame["share"].to_dict() == pytest.approx(
        {"1": 0.4, "2": 0.3, "3": 0.2, "4": 0.0, "5": 0.0, "dont_know": 0.1}
    )
    assert frame.loc["1", "label_da"] == "tror ikke på det"
    assert set(frame["N_answers"]) == {10}
    assert set(frame["population"]) == {"first_at_risk"}


def test_a_small_answer_takes_another_with_it():
    panel = make_panel(rows_of(b1=40, b2=30, b3=20, b4=12, b5=3, unsure=9))
    frame = belief_distribution.build(STUDY, panel, policy=STRICT).frame.set_index("level")
    hidden = frame.index[frame["suppressed"]]
    assert set(hidden) == {"5", "dont_know"}  # 3 is too few; 9 is the smallest that covers it
    assert frame.loc[hidden, ["share", "conf_low", "N_citizens"]].isna().all(axis=None)
    assert frame.loc["1", "N_citizens"] == 40


def test_answers_between_steps_are_rounded_and_reversed_items_turned():
    panel = make_panel(rows_of(b1=3, b2=1).copy())
    panel.frame["belief"] = [1.0, 1.2, 1.5, 4.9]
    frame = belief_distribution.build(STUDY, panel, policy=OPEN).frame.set_index("level")
    assert frame["N_citizens"].to_dict() == {"1": 2, "2": 1, "3": 0, "4": 0, "5": 1, "dont_know": 0}
    assert bool(frame["rounded"].iloc[0])
    turned = make_study(
        [("a", 1, "caseworker", "s1", {"belief_job": 3})],
        instrument=with_item(read_instrument("bip"), "belief_job", reversed=True),
    )
    frame = belief_distribution.build(turned, panel, policy=OPEN).frame.set_index("level")
    assert frame.loc["5", "N_citizens"] == 3  # 5, 4.8 and 4.5 after turning
    assert frame.loc["5", "label_en"] == "does not believe it"  # the wording that was ticked


def test_needs():
    assert belief_distribution.needs(STUDY, None) == ("need.outcome",)
    assert belief_distribution.needs(STUDY, make_panel(rows_of(b1=1))) == ()
