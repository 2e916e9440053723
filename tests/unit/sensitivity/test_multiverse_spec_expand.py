"""Expansion of a multiverse file, against a plain loop over the whole grid that knows nothing of classes."""

import hashlib
import json
import pickle
import subprocess
import sys
import time
from itertools import chain, combinations, product

import pytest

from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.choices import ESTIMATORS, unused, waves_text
from jobchance.sensitivity.multiverse.read import MultiverseSpec
from jobchance.sensitivity.multiverse.specification import Specification

SMALL = {"exposure": "belief", "covariates": ["age", "C(education)"]}


def spec_of(*, choices=None, **top):
    return MultiverseSpec.from_dict({"choices": {**SMALL, **(choices or {})}, **top})


def expanded(**kwargs):
    return spec_of(**kwargs).expand()


def subsets(terms):
    return chain.from_iterable(combinations(terms, k) for k in range(len(terms) + 1))


def test_a_file_with_exposure_and_covariates_is_enough():
    one, *_ = found = expanded().specifications
    assert {s.estimator for s in found} == {"pooled", "logit"}
    assert {s.covariates for s in found} == {(), ("age",), ("C(education)",), ("C(education)", "age")}
    assert (one.outcome, one.horizon_weeks, one.at_risk) == ("job", 52, "not_in_job")
    assert {s.vcov for s in found} == {"cluster:caseworker_id"}


def test_a_list_of_covariates_is_none_each_all_but_each_and_all():
    found = expanded(choices={"covariates": ["a", "b", "c", "d"], "estimator": "pooled"}).specifications
    sizes = [len(s.covariates) for s in found]
    assert sizes == [0, 1, 1, 1, 1, 3, 3, 3, 3, 4]


def test_no_covariates_at_all():
    (one,) = expanded(choices={"covariates": [], "estimator": "pooled"}).specifications
    assert one.covariates == ()


def test_named_sets_subsets_and_what_is_always_in():
    table = {"sets": {"long": ["a", "b", "z"]}, "subsets": ["a", "b", "c"], "max_size": 2, "always": ["sex"]}
    found = expanded(choices={"covariates": table, "estimator": "pooled"}).specifications
    wanted = {tuple(sorted({*s, "sex"})) for s in subsets("abc") if len(s) <= 2} | {("a", "b", "sex", "z")}
    assert {s.covariates for s in found} == wanted
    assert len(found) == len(wanted)


@pytest.mark.parametrize(
    ("estimator", "kept"),
    [
        ("pooled", {"absorb": 2, "random": 1, "vcov": 2}),
        ("within", {"absorb": 2, "random": 1, "vcov": 2}),
        ("logit", {"absorb": 1, "random": 1, "vcov": 2}),
        ("mixed", {"absorb": 1, "random": 2, "vcov": 1}),
        ("mixed_logit", {"absorb": 1, "random": 2, "vcov": 1}),
        ("rung:adjusted", {"absorb": 1, "random": 1, "vcov": 1}),
    ],
)
def test_what_an_estimator_does_not_use_is_merged(estimator, kept):
    several = {
        "absorb": ["none", "jobcentre_id"],
        "random": ["(1 | caseworker_id)", "(1 | jobcentre_id)"],
        "vcov": ["model", "robust"],
    }
    found = expanded(choices={**several, "estimator": estimator, "covariates": []})
    for dimension, n in kept.items():
        assert len({getattr(s, dimension) for s in found.specifications}) == n
    assert len(found) + found.dropped["n"].sum() == 8
    assert all("does not use" in reason for reason in found.dropped["reason"])


def test_a_rung_has_its_own_exposure_and_errors_and_adjusts_for_columns():
    found = expanded(
        choices={
            "exposure": ["optimism", "expectation"],
            "covariates": {
                "sets": {"coded": ["C(age)", "sex"], "plain": ["age", "sex"], "log": ["log(pay)"]}
            },
            "estimator": ["rung:adjusted", "rung:within_citizen"],
        }
    )
    by_rung = {
        name: [s for s in found.specifications if s.rung == name] for name in ("adjusted", "within_citizen")
    }
    assert {s.covariates for s in by_rung["adjusted"]} == {("age", "sex"), ("pay",)}
    assert [s.covariates for s in by_rung["within_citizen"]] == [()]
    assert {(s.exposure, s.vcov, s.clusters) for s in found.specifications} == {("belief", "own", ())}
    assert len(found) + found.dropped["n"].sum() == 2 * 3 * 2


def test_every_estimator_of_the_list_can_be_expanded():
    found = expanded(choices={"covariates": ["age"], "estimator": list(ESTIMATORS)}).specifications
    assert {s.estimator for s in found} == set(ESTIMATORS)
    assert [s.estimator for s in found if not s.covariates] == list(ESTIMATORS)


def test_within_needs_two_waves():
    found = expanded(
        choices={"estimator": ["pooled", "within"], "waves": ["all", 1, "2-3"], "covariates": []}
    )
    seen = {(s.estimator, waves_text(s.waves)) for s in found.specifications}
    assert seen == {
        ("pooled", "all"),
        ("pooled", "1"),
        ("pooled", "2-3"),
        ("within", "all"),
        ("within", "2-3"),
    }
    assert dict(found.dropped.values) == {"the within estimator needs two waves, the window holds one": 1}


def test_filling_in_without_covariates_is_the_same_as_complete_rows():
    both = expanded(choices={"missing": ["indicator", "complete"], "estimator": "pooled"})
    assert {s.missing for s in both.specifications if not s.covariates} == {"complete"}
    alone = expanded(choices={"missing": "indicator", "estimator": "pooled"})
    assert {s.missing for s in alone.specifications} == {"indicator"}


# ---- constraints, against a loop over everything -----------------------------------------------------------

GRID = {
    "outcome": ["job", "education"],
    "exposure": ["belief_a", "belief_b"],
    "covariates": {"subsets": ["a", "b", "c"], "sets": {"ab": ["a", "b"], "abd": ["a", "b", "d"]}},
    "sample": {"all": [], "young": [["age", "<", 30]]},
    "estimator": ["pooled", "logit", "mixed"],
    "absorb": ["none", "jobcentre_id"],
}
EXCLUDE = [
    {"estimator": "pooled", "covariates": "ab", "reason": "one"},
    {"absorb": "none", "sample": "young", "reason": "two"},
    {"without_covariates": ["b", "c"], "outcome": "job", "reason": "three"},
]
REQUIRE = [
    {"when": {"sample": "young"}, "then": {"with_covariates": "a", "exposure": "belief_a"}, "reason": "four"},
    {"when": {"outcome": "education"}, "then": {"absorb": "jobcentre_id"}, "reason": "five"},
]


def naive():
    """Tuples of the choices that survive, by a loop that reads the rules above by hand."""
    sets = {frozenset(s) for s in subsets("abc")} | {frozenset("abd")}
    for estimator, outcome, exposure, covariates, sample in product(
        GRID["estimator"], GRID["outcome"], GRID["exposure"], sets, GRID["sample"]
    ):
        for absorb in GRID["absorb"] if estimator == "pooled" else ("none",):
            linear = estimator == "pooled"
            if linear and covariates == {"a", "b"}:
                continue
            if linear and absorb == "none" and sample == "young":
                continue
            if not covariates & {"b", "c"} and outcome == "job":
                continue
            if sample == "young" and not ("a" in covariates and exposure == "belief_a"):
                continue
            if outcome == "education" and linear and absorb != "jobcentre_id":
                continue
            yield estimator, outcome, exposure, tuple(sorted(covariates)), sample, absorb


def test_constraints_leave_what_a_plain_loop_leaves():
    found = expanded(choices=GRID, exclude=EXCLUDE, require=REQUIRE)
    seen = [
        (s.estimator, s.outcome, s.exposure, s.covariates, s.sample, " + ".join(s.absorb) or "none")
        for s in found.specifications
    ]
    assert len(set(seen)) == len(seen)
    assert set(seen) == set(naive())
    # every combination of the grid as written (10 sets, one of them twice) is either run or counted
    assert len(found) + found.dropped["n"].sum() == 2 * 2 * 10 * 2 * 3 * 2
    assert dict(found.dropped.values)["covariates: two choices give the same set"] == 2 * 2 * 2 * 3 * 2


def test_the_count_is_that_of_the_expansion():
    spec = spec_of(choices=GRID, exclude=EXCLUDE, require=REQUIRE)
    assert spec.count() == len(spec.expand())


def test_a_constraint_on_what_an_estimator_does_not_use_never_stops_it():
    found = expanded(
        choices={"estimator": ["pooled", "logit"], "absorb": ["none", "jobcentre_id"], "covariates": []},
        exclude=[{"absorb": ["none", "jobcentre_id"]}],
    )
    assert [s.estimator for s in found.specifications] == ["logit"]


def test_a_constraint_without_effect_is_shown_with_zero():
    found = expanded(
        choices={"estimator": ["pooled", "logit"], "absorb": ["none", "jobcentre_id"]},
        exclude=[{"estimator": "logit", "absorb": "none", "reason": "never"}],
    )
    assert dict(found.dropped.values)["never"] == 0


def test_constraints_that_leave_nothing_say_so():
    with pytest.raises(SpecError, match=r"No specification is left: .*excluded: estimator = logit or pooled"):
        expanded(exclude=[{"estimator": ["pooled", "logit"]}])


# ---- size --------------------------------------------------------------------------------------------------

MILLION = {
    "outcome": [f"rule_{i}" for i in range(10)],
    "horizon_weeks": list(range(1, 11)),
    "exposure": [f"exposure_{i}" for i in range(10)],
    "absorb": [f"factor_{i}" for i in range(10)],
    "vcov": [f"cluster:factor_{i}" for i in range(10)],
    "waves": list(range(10)),
    "covariates": [],
    "estimator": "pooled",
}


def test_a_million_combinations_are_refused_at_once():
    begin = time.perf_counter()
    with pytest.raises(SpecError, match=r"1,000,000 specifications; at most 20,000 .*outcome 10"):
        expanded(choices=MILLION)
    assert time.perf_counter() - begin < 0.5


def test_two_to_the_fortieth_subsets_are_refused_at_once():
    begin = time.perf_counter()
    with pytest.raises(SpecError, match=r"1,099,511,627,776 .*set max_size"):
        expanded(choices={"covariates": {"subsets": [f"x{i}" for i in range(40)]}, "estimator": "pooled"})
    assert time.perf_counter() - begin < 0.5


def test_a_large_grid_with_few_left_by_constraints_is_made():
    columns = [f"x{i}" for i in range(40)]
    begin = time.perf_counter()
    found = expanded(
        choices={"covariates": {"subsets": columns, "max_size": 11}, "estimator": "pooled"},
        require=[{"when": {"exposure": "belief"}, "then": {"with_covariates": columns[:9]}}],
    )
    # nine are in; none, one or two of the other 31
    assert len(found) == 1 + 31 + 31 * 30 // 2
    assert time.perf_counter() - begin < 1
    few = [{"outcome": MILLION["outcome"][1:]}, {"exposure": MILLION["exposure"][1:]}]
    assert len(expanded(choices=MILLION, exclude=few)) == 10_000


def test_more_tested_terms_than_patterns_are_still_made_where_the_grid_is_small():
    columns = [f"x{i}" for i in range(12)]
    spec = spec_of(
        choices={"covariates": {"subsets": columns}, "estimator": "pooled"},
        require=[{"when": {"exposure": "belief"}, "then": {"with_covariates": columns[:11]}}],
    )
    assert [len(s.covariates) for s in spec.expand().specifications] == [11, 12]


def test_merging_rungs_are_made_before_they_are_counted_too_many():
    terms = ["a", "I(a**2)", "I(a**3)", "I(a**4)", "log(a)"]
    choices = {"covariates": {"subsets": terms}, "estimator": "rung:adjusted"}
    assert len(expanded(choices=choices, max_specifications=2)) == 2
    with pytest.raises(SpecError, match="32 specifications; at most 2 "):
        expanded(choices={**choices, "estimator": "pooled"}, max_specifications=2)


def test_the_limit_itself_is_allowed():
    assert len(expanded(max_specifications=8)) == 8
    with pytest.raises(SpecError, match="8 specifications; at most 7"):
        expanded(max_specifications=7)


# ---- main, keys, fingerprint -------------------------------------------------------------------------------


def test_main_is_found_in_canonical_form():
    found = expanded(
        choices={"absorb": ["none", "jobcentre_id"], "random": ["(1 | a)", "(1 | b)"]},
        main={"estimator": "logit", "covariates": ["C(education)", "age"]},
    )
    one = found.specifications[found.main]
    assert (one.estimator, one.covariates, one.absorb, one.random) == (
        "logit",
        ("C(education)", "age"),
        (),
        (),
    )


def test_without_main_there_is_none():
    assert expanded().main is None


def test_keys_are_those_of_the_content():
    """The key is the hash of the content as json; written out once so that stored runs stay readable."""
    one = Specification(
        "job", 52, "not_in_job", "belief", covariates=("age",), conditions=(("age", "<", 30.0),)
    )
    content = (
        '{"absorb":[],"at_risk":"not_in_job","conditions":[["age","<",30.0]],"covariates":["age"],'
        '"estimator":"pooled","exposure":"belief","horizon_weeks":52,"missing":"complete","outcome":"job",'
        '"random":[],"sample":"all","vcov":"cluster:caseworker_id","waves":[null,null]}'
    )
    assert one.key == hashlib.sha256(content.encode()).hexdigest()[:16]
    found = expanded(choices=GRID).specifications
    assert len({s.key for s in found}) == len(found)
    assert pickle.loads(pickle.dumps(one)).key == one.key


def test_the_fingerprint_is_the_same_in_another_process(tmp_path):
    content = {"choices": {**SMALL, **GRID}, "exclude": EXCLUDE, "require": REQUIRE}
    here = MultiverseSpec.from_dict(content).expand()
    (tmp_path / "content.json").write_text(json.dumps(content))
    code = (
        "import json, sys; from jobchance.sensitivity.multiverse.read import MultiverseSpec as M;"
        "e = M.from_dict(json.load(open(sys.argv[1]))).expand();"
        "print(e.fingerprint, *[s.key for s in e.specifications])"
    )
    made = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "content.json")],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "4711"},
    )
    assert made.stdout.split() == [here.fingerprint, *[s.key for s in here.specifications]]


@pytest.mark.parametrize(
    "change",
    [
        {"scale": "unit"},
        {"level": 0.9},
        {"joint_cluster": "jobcentre_id"},
        {"main": {"estimator": "pooled", "covariates": "all"}},
        {"main": {"estimator": "pooled", "covariates": "none"}},
        {"exclude": [{"estimator": "logit", "covariates": "none"}]},
        *(
            {"choices": change}
            for change in (
                {"outcome": "education"},
                {"horizon_weeks": 26},
                {"at_risk": "all"},
                {"exposure": "expectation"},
                {"covariates": ["age"]},
                {"sample": {"young": [["age", "<", 30]]}},
                {"sample": {"young": [["age", "<=", 30]]}},
                {"sample": {"young": [["age", "<", 31]]}},
                {"waves": "1-2"},
                {"estimator": "pooled"},
                {"absorb": "jobcentre_id"},
                {"vcov": "robust"},
                {"missing": "common"},
            )
        ),
    ],
    ids=str,
)
def test_the_fingerprint_changes_with_the_meaning(change):
    assert expanded(**change).fingerprint != expanded().fingerprint


def test_the_fingerprint_does_not_change_with_the_words():
    same = expanded(name="other", title={"da": "Æøå", "en": "Words"}, max_specifications=9)
    assert same.fingerprint == expanded().fingerprint


def test_a_silent_file_takes_the_panel_that_it_is_run_on():
    spec = spec_of(choices={"horizon_weeks": [26, 52]}).on_panel(
        outcome="education", horizon_weeks=13, at_risk="all"
    )
    found = spec.expand().specifications
    assert {(s.outcome, s.horizon_weeks, s.at_risk) for s in found} == {
        ("education", 26, "all"),
        ("education", 52, "all"),
    }
    with pytest.raises(SpecError, match=r"choices\.outcome"):
        spec_of().on_panel(outcome="=1", horizon_weeks=52, at_risk="all")


def test_what_is_unused_is_a_dimension_of_a_specification():
    for estimator in ESTIMATORS:
        assert set(unused(estimator)) <= set(Specification.__dataclass_fields__)
