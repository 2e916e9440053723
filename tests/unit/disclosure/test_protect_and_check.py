"""Hiding and checking: every rule, and attempts to read a hidden cell or to smuggle microdata out."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchance.disclosure.check import Breach, check, export_frame, protect, require
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.rules import contrasts_with_hidden
from jobchance.errors import DisclosureError, SpecError

CAUTIOUS = DisclosurePolicy.preset("cautious_dk")
SECRET = 0.4321


def shares(**columns):
    """Four safe rows of shares in a job; columns replace or add."""
    frame = pd.DataFrame(
        {
            "level": ["1", "2", "3", "4"],
            "share": [0.1, 0.2, 0.25, 0.3],
            "conf_low": [0.05, 0.15, 0.2, 0.25],
            "conf_high": [0.15, 0.25, 0.3, 0.35],
            "N_citizens": [100, 100, 100, 100],
            "N_events": [10, 20, 25, 30],
            "N_caseworkers": [9, 9, 9, 9],
            "N_citizens_total": 400,
            "horizon_weeks": 52,
        }
    )
    return frame.assign(**columns)


def rules(frame, policy=CAUTIOUS, **options):
    return {breach.rule for breach in check(frame, policy, output="F0 test", **options)}


def read_everything(frame):
    """All that a reader of the saved table sees."""
    text = io.StringIO()
    frame.to_csv(text)
    return text.getvalue()


def test_a_safe_frame_passes_and_is_not_changed():
    frame = shares()
    assert check(frame, CAUTIOUS, output="F0 test") == []
    protected = protect(frame, CAUTIOUS, output="F0 test")
    pd.testing.assert_frame_equal(protected.drop(columns="suppressed"), frame)
    assert not protected["suppressed"].any()


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("N_citizens", 4, "min_persons"),
        ("N_citizens", 0, "zeros_disclosive"),
        ("N_events", 4, "min_events"),
        ("N_events", 0, "min_events"),
        ("N_events", 96, "min_events"),
        ("N_events", 100, "zeros_disclosive: events"),
        ("N_caseworkers", 2, "min_entities: caseworker"),
        ("N_jobcentres", 2, "min_entities: jobcentre"),
        ("df_resid", 9, "min_dof"),
    ],
)
def test_each_cell_rule_hides_its_row_and_nothing_else(column, value, rule):
    frame = shares(df_resid=50, N_jobcentres=9).astype({"share": float})
    frame.loc[1, column] = value
    assert rule in rules(frame)
    protected = protect(frame, CAUTIOUS, output="F0 test")
    assert protected["suppressed"].tolist() == [False, True, False, False]
    hidden = protected.loc[1]
    for name in ("share", "conf_low", "conf_high", "N_citizens", "N_events", "N_caseworkers"):
        assert np.isnan(hidden[name]), name
    assert (hidden["level"], hidden["horizon_weeks"], hidden["N_citizens_total"]) == ("2", 52, 400)
    assert check(protected, CAUTIOUS, output="F0 test") == []


def test_dominance_rules_of_sacro():
    policy = DisclosurePolicy.preset("sacro")
    frame = shares(dominance_share=[0.5, 0.95, 0.5, 0.5], dominance_remainder=[0.5, 0.5, 0.05, 0.5])
    assert {"nk", "p_percent"} <= rules(frame, policy)
    assert protect(frame, policy, output="F0")["suppressed"].tolist() == [False, True, True, False]


def test_zero_and_full_cells_only_where_they_count_as_unsafe():
    frame = shares(N_answers=[100, 200, 200, 200]).drop(columns="N_events")
    assert rules(frame) == {"zeros_disclosive"}  # all 100 who answered
    lenient = replace(CAUTIOUS, zeros_disclosive=False)
    assert rules(frame, lenient) == set()
    empty = shares(N_citizens=[0, 100, 100, 100]).drop(columns="N_events")
    assert rules(empty, lenient) == set()


def test_no_caseworkers_known_is_not_a_small_group():
    assert rules(shares(N_caseworkers=0)) == set()


def test_curve_steps_have_their_own_threshold():
    frame = shares(mark="curve", week=[1, 2, 3, 4], N_events=[10, 4, 9, 8])
    assert rules(frame) == {"curve_min_events"}
    assert rules(frame, replace(CAUTIOUS, curve_min_events=3)) == set()
    protected = protect(frame, CAUTIOUS, output="F0")
    assert protected.loc[1, "week"] == 2  # where the mark stands says nothing about the hidden number


def test_small_side_counts_go_alone():
    frame = shares(N_censored=[3, 0, 12, 7])
    assert rules(frame) == {"min_persons"}
    protected = protect(frame, CAUTIOUS, output="F0")
    assert protected["N_censored"].isna().tolist() == [True, False, False, False]
    assert not protected["suppressed"].any()
    assert protected["share"].notna().all()


def test_too_small_a_study_is_refused_as_a_whole():
    assert "min_persons" in rules(protect(shares(N_citizens_total=4), CAUTIOUS, output="F0"))


# --- red team: reading what is hidden ---------------------------------------------------------------


def test_hidden_numbers_are_nowhere_in_the_table():
    frame = shares(median=[SECRET] * 4, other_result=[SECRET, 0.5, 0.6, 0.7])
    frame.loc[0, ["share", "conf_low", "conf_high"]] = SECRET
    frame.loc[0, "N_citizens"] = 4
    protected = protect(frame, CAUTIOUS, output="F0")
    assert str(SECRET) not in read_everything(protected)
    assert check(protected, CAUTIOUS, output="F0") == []


def test_marking_a_row_hidden_without_blanking_it_is_found():
    frame = shares(suppressed=[True, False, False, False])
    assert "hidden_but_readable" in rules(frame)
    assert "hidden_but_readable" not in rules(protect(frame, CAUTIOUS, output="F0"))


def test_one_hidden_cell_takes_a_second_one_where_cells_sum_to_a_total():
    frame = shares(N_citizens=[3, 50, 20, 27]).drop(columns="N_events")
    alone = protect(frame, CAUTIOUS, output="F0")
    assert alone["suppressed"].tolist() == [True, False, False, False]  # 100 - 97 would give it back
    together = protect(frame, CAUTIOUS, output="F0", totals=())
    assert together["suppressed"].tolist() == [True, False, True, False]
    switched_off = replace(CAUTIOUS, check_margins=False)
    assert protect(frame, switched_off, output="F0", totals=())["suppressed"].sum() == 1


def test_a_small_cell_cannot_be_subtracted_from_the_total_shown_beside_it():
    frame = shares(N_citizens=[3, 150, 120, 127], N_events=[1, 40, 40, 40])  # N_citizens_total is 400
    hidden = protect(frame, CAUTIOUS, output="F0")["suppressed"]
    assert hidden.tolist() == [True, False, True, False]
    few_events = shares(N_events=[2, 20, 25, 30])  # that 100 citizens are behind the cell may be known
    assert protect(few_events, CAUTIOUS, output="F0")["suppressed"].tolist() == [True, False, False, False]
    two_tables = pd.concat([frame.assign(mark="level"), shares(mark="other")], ignore_index=True)
    assert (
        protect(two_tables, CAUTIOUS, output="F0")["suppressed"].tolist() == [True, False, True] + [False] * 5
    )


def test_complement_works_by_group_and_needs_its_columns():
    frame = pd.concat([shares(part="a", N_citizens=[3, 50, 20, 27]), shares(part="b")], ignore_index=True)
    frame = frame.drop(columns="N_events")
    hidden = protect(frame, CAUTIOUS, output="F0", totals=("part",))["suppressed"]
    assert hidden.tolist() == [True, False, True, False, False, False, False, False]
    with pytest.raises(KeyError, match="absent"):
        protect(frame, CAUTIOUS, output="F0", totals=("nowhere",))


def test_two_hidden_cells_that_hold_too_few_together_take_a_third():
    frame = shares(N_citizens=[1, 2, 50, 47]).drop(columns="N_events")
    assert protect(frame, CAUTIOUS, output="F0", totals=())["suppressed"].sum() == 3


def test_group_with_nothing_left_to_hide_behind_is_hidden_whole():
    frame = shares(N_citizens=[3, 0, 0, 0]).drop(columns="N_events")
    lenient = replace(CAUTIOUS, zeros_disclosive=False)
    assert protect(frame, lenient, output="F0", totals=())["suppressed"].all()


@given(sizes=st.lists(st.integers(0, 30), min_size=2, max_size=7))
@settings(max_examples=200)
def test_hidden_cells_cannot_be_worked_out_from_the_total(sizes):
    n = len(sizes)
    frame = pd.DataFrame({"level": [f"l{i}" for i in range(n)], "share": 0.5, "N_citizens": sizes})
    hidden = protect(frame, CAUTIOUS, output="F0", totals=())["suppressed"].to_numpy()
    size = np.array(sizes)
    assert hidden[size < CAUTIOUS.min_persons].all()
    if hidden.any() and not hidden.all():
        assert hidden.sum() >= 2
        assert size[hidden].sum() >= CAUTIOUS.min_persons


def test_a_comparison_with_a_hidden_level_is_hidden_too():
    contrast = pd.DataFrame(
        {
            "level": ["4"], "compared_with": ["1"], "share": [0.2], "conf_low": [0.1], "conf_high": [0.3],
            "N_citizens": [200], "N_events": [40], "N_caseworkers": [9], "N_citizens_total": 400,
        }
    )  # fmt: skip
    frame = pd.concat([shares(compared_with=None, N_caseworkers=[2, 9, 9, 9]), contrast], ignore_index=True)
    protected = protect(frame, CAUTIOUS, output="F0")
    assert protected["suppressed"].tolist() == [True, False, False, False, True]
    frame.loc[0, ["share", "conf_low", "conf_high", "N_citizens", "N_events", "N_caseworkers"]] = np.nan
    frame["suppressed"] = [True, False, False, False, False]
    assert "compared_with_hidden" in rules(frame)


def test_an_output_with_nothing_left_to_show_is_refused():
    assert rules(protect(shares(N_citizens=3), CAUTIOUS, output="F0")) == {"nothing_left"}


@pytest.mark.parametrize("text", ["0.0123", "1,2 %", "12 pct.", "-.5", "3%"])
def test_a_hidden_result_written_as_a_text_is_found(text):
    frame = protect(shares(N_citizens=[3, 50, 20, 27]), CAUTIOUS, output="F0", totals=())
    spelled = frame.assign(remark=np.where(frame["suppressed"], text, "shown"))
    assert "hidden_but_readable" in rules(spelled)
    assert "hidden_but_readable" not in rules(frame.assign(remark=np.where(frame["suppressed"], "4", "5")))
    answers = frame.assign(label_en=np.where(frame["suppressed"], text, "shown"))
    assert "hidden_but_readable" not in rules(answers), "the words of an answer"


def test_protecting_twice_changes_nothing():
    frame = shares(N_citizens=[3, 50, 20, 27])
    once = protect(frame, CAUTIOUS, output="F0", totals=())
    pd.testing.assert_frame_equal(protect(once, CAUTIOUS, output="F0", totals=()), once)


# --- red team: smuggling microdata ------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    [
        {"citizen_id": ["a", "b", "c", "d"]},
        {"caseworker_id": ["x"] * 4},
        {"PNR": ["a", "b", "c", "d"]},
        {"name": ["0101701234", "x", "y", "z"]},
        {"label": ["010170-1234", "x", "y", "z"]},
        {"label": ["C00017", "C00018", "C00019", "C00020"]},
        {"label": ["0001", "0002", "0003", "0004"]},
        {"label": ["a8f3c01be77d2", "b8f3c01be77d2", "c8f3c01be77d2", "d8f3c01be77d2"]},
        {"label": ["123e4567-e89b-12d3-a456-426614174000", "x", "y", "z"]},
        {"code": [101701234, 101701235, 3101701236, 4]},
    ],
)
def test_identifiers_by_name_or_looks_are_refused(column):
    assert "key_column" in rules(shares(**column))


@pytest.mark.parametrize(
    "column",
    [
        {"period": ["2014H1", "2014H2", "2015H1", "2015H2"]},
        {"construct": ["placeholder10", "placeholder11", "network", "job_search"]},
        {"label_da": ["ja", "nej", "i tvivl", "ved ikke"]},
        {"study_source": "BIP 2013-2016, egne beregninger"},
        {"instrument": "bip-2013"},
        {"group": ["Silkeborg (N = 212)", "b", "c", "d"]},
        {"month": ["2014-01", "2014-02", "2014-03", "2014-04"]},
    ],
)
def test_ordinary_words_are_not_taken_for_identifiers(column):
    assert rules(shares(**column)) == set()


@pytest.mark.parametrize("values", [[0, 1, 0, 1], [0.0, 1.0, 0.0, 1.0], [7, 8, 9, 10]])
def test_numeric_codes_are_refused_in_favour_of_text_levels(values):
    assert rules(shares(exposure=values)) == {"numeric_key"}
    assert rules(shares(exposure=[f"level{v:g}" for v in values])) == set()


def test_numbers_hidden_among_texts_cannot_pass_unread():
    assert "number_as_text" in rules(shares(share=["0.1", "0.2", "0.25", "0.3"]))
    assert "number_as_text" in rules(shares(remark=["a", 3, "c", "d"]))
    objects = shares(share=pd.Series([0.123456789, None, 0.2, 0.3], dtype=object))
    assert "max_digits" in rules(objects)
    hidden = protect(objects.assign(N_citizens=[3, 100, 100, 100]), CAUTIOUS, output="F0")
    assert pd.isna(hidden.loc[0, "share"])


def test_small_counts_in_words_are_found():
    assert rules(shares(label=["ja (N = 3)", "b", "c", "d"])) == {"count_in_text"}


def test_estimates_without_counts_are_refused():
    assert rules(shares().drop(columns=["N_citizens", "N_events"])) == {"count_missing"}
    uncounted = shares(N_citizens=[np.nan, 100, 100, 100], N_events=[np.nan, 20, 25, 30])
    assert rules(uncounted) == {"count_missing"}


def test_extremes_and_quantiles():
    frame = shares(
        weeks_max=[1.5, 2.5, 3.5, 4.5], weeks_median=[1.5, 2.5, 3.5, 4.5], scale_min=1, scale_max=5
    )
    assert rules(frame) == {"allow_extremes", "allow_quantiles"}
    assert rules(protect(frame, CAUTIOUS, output="F0")) == set()
    open_policy = replace(CAUTIOUS, allow_extremes=True, allow_quantiles=True)
    assert rules(frame, open_policy) == set()
    rows = shares(statistic=["mean", "max", "median", "mean"])
    assert rules(rows) == {"allow_extremes", "allow_quantiles"}
    assert protect(rows, CAUTIOUS, output="F0")["suppressed"].tolist() == [False, True, True, False]


def test_output_classes():
    assert rules(shares(), disclosure_class="Frequencies") == set()
    assert rules(shares(), disclosure_class="Endpoints") == {"allow_extremes"}
    assert rules(shares(), disclosure_class="Position") == {"allow_quantiles"}
    with pytest.raises(SpecError, match="Did you mean 'Frequencies'"):
        check(shares(), CAUTIOUS, output="F0", disclosure_class="Frequences")


# --- export ------------------------------------------------------------------------------------------


def test_export_rounds_to_digits_once_and_for_all():
    frame = shares(share=[1 / 3, 123456.789, -0.0, np.nan], N_citizens=[100, 100, 100, 12345678])
    assert "max_digits" in rules(frame)
    out = export_frame(frame, CAUTIOUS)
    assert out["share"].tolist()[:3] == [0.3333333, 123456.8, 0.0]
    assert str(out.loc[2, "share"]) == "0.0"
    assert out.loc[3, "N_citizens"] == 12345678
    assert "max_digits" not in rules(out)
    pd.testing.assert_frame_equal(export_frame(out, CAUTIOUS), out)


def test_rounded_counts_also_coarsen_the_shares_that_would_give_them_back():
    policy = DisclosurePolicy.preset("ssb")
    frame = shares(share=[10 / 101, 0.2, 0.25, 0.3], N_citizens=[101, 100, 100, 100])
    assert {"round_base", "max_digits"} <= rules(frame, policy)
    out = export_frame(protect(frame, policy, output="F0"), policy)
    assert out["N_citizens"].tolist() == [102, 99, 99, 99]
    assert out["N_citizens_total"].tolist() == [399] * 4
    assert out.loc[0, "share"] == 0.099
    assert check(out, policy, output="F0") == []


@given(
    events=st.integers(0, 60), persons=st.integers(0, 60), base=st.integers(2, 10), least=st.integers(0, 12)
)
@settings(max_examples=200)
def test_what_protect_leaves_always_passes_the_check(events, persons, base, least):
    policy = replace(CAUTIOUS, round_base=base, min_persons=least, min_events=min(least, 5))
    frame = shares(N_citizens=[max(persons, events), 99, 99, 99], N_events=[events, 40, 40, 40])
    out = export_frame(protect(frame, policy, output="F0"), policy)
    assert not [one for one in check(out, policy, output="F0") if one.rule != "nothing_left"]


def test_refusal_names_output_rule_and_rows_but_no_value():
    frame = shares(N_citizens=[3, 4, 100, 100], citizen_id=["0101701234", "b", "c", "d"])
    with pytest.raises(DisclosureError) as refused:
        require(frame, CAUTIOUS, output="F15 belief_gradient")
    message = str(refused.value)
    assert "F15 belief_gradient" in message
    assert "min_persons (2 rows)" in message
    assert "key_column (4 rows)" in message
    assert "0101701234" not in message
    assert "0.1" not in message
    require(shares(), CAUTIOUS, output="F15")


def test_breaches_are_plain_records():
    assert check(shares(N_citizens=[3, 100, 100, 100]), CAUTIOUS, output="F1") == [
        Breach("F1", "min_persons", 1),
        Breach("F1", "min_events", 1),
    ]


def test_index_and_order_of_rows_survive():
    frame = shares(N_citizens=[3, 100, 100, 100]).set_index(pd.Index([9, 4, 7, 1]))
    protected = protect(frame, CAUTIOUS, output="F0", totals=("level",))
    assert protected.index.tolist() == [9, 4, 7, 1]
    assert protected["suppressed"].tolist() == [True, False, False, False]


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA])
def test_a_comparison_with_a_hidden_row_is_found_where_texts_are_missing(nothing):
    frame = pd.DataFrame(
        {
            "respondent": [nothing, nothing, "citizen", "citizen"],
            "level": ["a", "b", "a", "b"],
            "compared_with": [nothing, "a", nothing, "a"],
        }
    )
    hidden = pd.Series([True, False, False, False])
    assert contrasts_with_hidden(frame, hidden).tolist() == [False, True, False, False]
