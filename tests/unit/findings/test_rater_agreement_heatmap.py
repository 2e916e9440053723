import pytest
from small_study import OPEN, STRICT, make_study

from jobchance.findings import rater_agreement_heatmap


def study_of(pairs, item="self_efficacy"):
    """One citizen per pair (caseworker's answer, citizen's answer)."""
    forms = []
    for k, (rater, citizen) in enumerate(pairs):
        forms.append((f"c{k}", 1, "caseworker", f"s{k % 4 + 1}", {f"{item}_cw": rater}))
        forms.append((f"c{k}", 1, "citizen", None, {f"{item}_ci": citizen}))
    return make_study(forms)


PAIRS = [(1, 1)] * 3 + [(2, 2)] * 2 + [(1, 2)] * 3 + [(5, 3)] * 1 + [(3, None)] * 4


def test_cells_are_shares_of_pairs_and_dont_know_makes_none():
    frame = rater_agreement_heatmap.build(study_of(PAIRS), None, policy=OPEN).frame
    cells = frame[frame["quantity"] == "cell"].set_index(["level_caseworker", "level_citizen"])["estimate"]
    assert len(cells) == 25
    assert cells[("1", "2")] == pytest.approx(3 / 9)
    assert cells[("2", "1")] == 0
    assert cells.sum() == pytest.approx(1)


def test_agreement_beside_chance():
    frame = rater_agreement_heatmap.build(study_of(PAIRS), None, policy=OPEN).frame
    found = frame[frame["quantity"] != "cell"].set_index("quantity")["estimate"]
    assert found["agreement"] == pytest.approx(5 / 9)
    assert found["within_one"] == pytest.approx(8 / 9)
    assert found["chance"] == pytest.approx((6 / 9) * (3 / 9) + (2 / 9) * (5 / 9))


def test_small_cells_are_covered_within_their_distance_from_the_diagonal():
    pairs = [(1, 1)] * 20 + [(2, 2)] * 9 + [(3, 3)] * 2 + [(1, 2)] * 10
    frame = rater_agreement_heatmap.build(study_of(pairs), None, policy=STRICT).frame
    hidden = frame[frame["suppressed"]]
    assert set(zip(hidden["level_caseworker"], hidden["level_citizen"], strict=True)) == {
        ("2", "2"),
        ("3", "3"),
    }


def test_another_construct_where_the_preferred_one_was_not_asked():
    frame = rater_agreement_heatmap.build(study_of(PAIRS, item="cooperation"), None, policy=OPEN).frame
    assert set(frame["construct"]) == {"cooperation"}
    lonely = make_study([("a", 1, "citizen", None, {"cooperation_ci": 2})])
    assert rater_agreement_heatmap.needs(lonely, None) == ("need.same_question",)
