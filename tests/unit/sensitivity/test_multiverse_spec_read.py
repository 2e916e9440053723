"""Reading a multiverse file: the forms that are allowed, and everything wrong said at once with its place."""

import datetime
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.choices import ESTIMATORS
from jobchance.sensitivity.multiverse.read import MultiverseSpec

SMALL = {"exposure": "belief", "covariates": ["age", "sex"]}
FILE = """
# a comment
name = "belief-and-job"
title = { da = "Tro og job", en = "Belief and job" }
scale = "unit"
level = 0.9

[choices]
outcome = ["job", "job_or_education"]
horizon_weeks = [26, 52]
exposure = ["belief", "expectation"]
estimator = ["pooled", "within", "mixed"]
absorb = ["none", "jobcentre_id", ["jobcentre_id", "period"]]
random = ["(1 | caseworker_id)", "(1 | caseworker_id) + (1 | citizen_id)"]
vcov = ["cluster:caseworker_id", "cluster:jobcentre_id"]
waves = ["all", "1-2"]

[choices.covariates]
subsets = ["age", "sex", "C(education)"]
always = ["C(wave)"]

[choices.sample]
all = []
young = [["age", "<", 30], ["status", "in", ["b", "a"]]]

[[exclude]]
estimator = "mixed"
vcov = "cluster:jobcentre_id"
reason = "too few jobcentres"

[[require]]
when = { sample = "young" }
then = { without_covariates = "age" }

[main]
outcome = "job"
horizon_weeks = 52
exposure = "belief"
covariates = "all"
sample = "all"
waves = "all"
estimator = "pooled"
absorb = "jobcentre_id"
vcov = "cluster:caseworker_id"
"""


def read(text, tmp_path, name="file.toml"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return MultiverseSpec.read(path)


def refusal(*, choices=None, **top):
    with pytest.raises(SpecError) as caught:
        MultiverseSpec.from_dict({"choices": {**SMALL, **(choices or {})}, **top})
    return str(caught.value)


def test_a_whole_file(tmp_path):
    spec = read(FILE, tmp_path)
    assert (spec.name, spec.title_da, spec.title_en) == ("belief-and-job", "Tro og job", "Belief and job")
    assert (spec.scale, spec.level, spec.joint_cluster) == ("unit", 0.9, "caseworker_id")
    found = spec.expand()
    # 2 rules x 2 horizons x 2 exposures x windows x (8 sets, 4 for the young) x errors x absorbed or random
    assert len(found) == 8 * 2 * (8 + 4) * (2 * 2 * 3 + 1 * 2)
    main = found.specifications[found.main]
    assert main == spec.main
    assert main.covariates == ("C(education)", "C(wave)", "age", "sex")
    assert main.absorb == ("jobcentre_id",)
    young = next(s for s in found.specifications if s.sample == "young")
    assert young.conditions == (("age", "<", 30.0), ("status", "in", ("a", "b")))


def test_the_order_of_writing_comments_and_spaces_do_not_matter(tmp_path):
    head, *tables = FILE.split("\n\n")
    turned = "\n\n".join([head, *reversed(tables)]).replace(" = ", "   =  ") + "\n# the end\n"
    turned = turned.replace('["job", "job_or_education"]', '["job_or_education",\n  "job"]')
    one, other = read(FILE, tmp_path).expand(), read(turned, tmp_path).expand()
    assert one.specifications == other.specifications
    assert (one.fingerprint, one.main) == (other.fingerprint, other.main)
    assert one.dropped.equals(other.dropped)


def test_a_file_and_a_mapping_are_the_same(tmp_path):
    text = "[choices]\nexposure = 'belief'\ncovariates = ['age', 'sex']"
    assert read(text, tmp_path) == MultiverseSpec.from_dict({"choices": SMALL})
    assert read(b"\xef\xbb\xbf" + text.encode(), tmp_path) == MultiverseSpec.from_dict({"choices": SMALL})


def test_numbers_of_numpy_and_tuples_are_taken():
    one = MultiverseSpec.from_dict({"choices": {**SMALL, "horizon_weeks": (np.int64(26), 52)}})
    assert one == MultiverseSpec.from_dict({"choices": {**SMALL, "horizon_weeks": [52, 26]}})


def test_a_spec_can_travel():
    spec = MultiverseSpec.from_dict({"choices": SMALL, "exclude": [{"covariates": "none"}]})
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert pickle.loads(pickle.dumps(spec)).expand().fingerprint == spec.fingerprint


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("C( education )", "C(education)"),
        ("(age)", "age"),
        ("sex:age", "age:sex"),
        ("I(age ** 2)", "I(age ** 2)"),
        ("I( age**2 )", "I(age ** 2)"),
        ("log(pay+1)", "log(pay + 1)"),
        ("poly(age, 2)", "poly(age, 2)"),
        ("spline(age, df=4)", "spline(age, df=4)"),
        ("C(education, ref='long')", 'C(education, ref="long")'),
        ("uddannelseslængde", "uddannelseslængde"),
    ],
)
def test_terms_have_one_way_of_writing(written, canonical):
    spec = MultiverseSpec.from_dict({"choices": {**SMALL, "covariates": [written]}})
    assert spec.choices.covariates.terms == (canonical,)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("(1|caseworker_id)", ("(1 | caseworker_id)",)),
        ("(1 | b) + (1 | a)", ("(1 | a)", "(1 | b)")),
        ("(1 + belief || a)", ("(1 + belief || a)",)),
        ("(0 + belief | a)", ("(0 + belief | a)",)),
        ("(1 | jobcentre_id/caseworker_id)", ("(1 | jobcentre_id)", "(1 | jobcentre_id:caseworker_id)")),
    ],
)
def test_random_structures_are_those_of_the_formula_grammar(written, canonical):
    spec = MultiverseSpec.from_dict({"choices": {**SMALL, "random": [written]}})
    assert spec.choices.random == (canonical,)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("all", (None, None)),
        (2, (2, 2)),
        ("2", (2, 2)),
        ("1 - 3", (1, 3)),
        ("2-", (2, None)),
        ("-3", (None, 3)),
    ],
)
def test_wave_windows(written, canonical):
    assert MultiverseSpec.from_dict({"choices": {**SMALL, "waves": written}}).choices.waves == (canonical,)


# ---- what is wrong -----------------------------------------------------------------------------------------


def test_everything_is_said_at_once():
    text = refusal(
        choices={
            "estimator": ["pooled", "wihtin"],
            "horizon_weeks": [52, 0],
            "colour": 1,
            "covariates": ["outcome"],
        },
        nmae="x",
        level=95,
    )
    assert text.startswith("This multiverse specification has 6 problems:")
    for line in (
        "file: the key 'nmae' is not known. Allowed: name, title",
        "Did you mean 'name'?",
        "level: a number from 0.5 to below 1",
        "choices: the key 'colour' is not known. Allowed: outcome, horizon_weeks",
        "choices.horizon_weeks[2]: a whole number from 1 to 5200 is needed, not 0",
        "choices.estimator[2]: 'wihtin' is not known. Allowed: pooled, within",
        "Did you mean 'within'?",
        "choices.covariates[1]: outcome cannot be adjusted for: it is the outcome",
    ):
        assert line in text


def test_constraints_are_checked_beside_broken_choices():
    text = refusal(
        choices={"estimator": ["poled"], "covariates": ["outcome"]},
        exclude=[
            {"estimator": "mixed", "covariates": "full", "with_covariates": ["x", "y.z"], "vcov": "robust"}
        ],
        main={"estimator": "ols", "covariates": ["x"]},
    )
    assert "5 problems" in text
    for line in (
        "choices.estimator[1]: 'poled' is not known",
        "choices.covariates[1]: outcome cannot be adjusted for",
        "exclude[1].with_covariates[2]: 'y.z' cannot be read",
        "exclude[1].vcov: robust is none of choices.vcov",
        "main.estimator: 'ols' is not known",
    ):
        assert line in text


def test_long_lists_of_problems_are_cut():
    text = refusal(**{f"key{i}": 1 for i in range(200)})
    assert "200 problems" in text
    assert "and 160 more" in text
    assert len(text.splitlines()) == 42


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"estimator": ["pooled", "pooled"]}, "choices.estimator[2]: says the same as choices.estimator[1]"),
        ({"random": ["(1|a)", "(1 | a)"]}, "choices.random[2]: says the same as choices.random[1]"),
        ({"waves": [1, "1"]}, "choices.waves[2]: says the same as choices.waves[1]"),
        ({"vcov": ["cluster:a+b", "cluster:b + a"]}, "choices.vcov[2]: says the same as choices.vcov[1]"),
        ({"estimator": []}, "choices.estimator: a list of 1 to 500 entries is needed, this one has 0"),
        ({"estimator": "rung:leniancy"}, "Did you mean 'rung:leniency'?"),
        ({"horizon_weeks": True}, "not true"),
        ({"horizon_weeks": 26.0}, "not 26.0"),
        ({"horizon_weeks": "26"}, "not '26'"),
        ({"at_risk": "everyone"}, "Allowed: not_in_job, all"),
        ({"waves": "3-1"}, "ends before it begins"),
        ({"waves": "first"}, "write 'all', '2', '1-3', '2-' or '-3'"),
        ({"vcov": "HC1"}, "Allowed: model, robust, cluster:<column>"),
        ({"vcov": "cluster:a:CR9"}, "kind 'CR9' is not known. Allowed: CR1, CR2, CR3, jackknife"),
        ({"vcov": "cluster:a:"}, "kind '' is not known"),
        ({"vcov": "cluster::CR2"}, "'' is no column name"),
        ({"vcov": "cluster:a+b:CR2"}, "CR2 is defined for one column of clusters, not 2"),
        ({"vcov": ["cluster:a:CR1", "cluster:a"]}, "choices.vcov[2]: says the same as choices.vcov[1]"),
        ({"absorb": "citizen_id"}, "the estimator 'within' removes the citizen's own level"),
        ({"absorb": [["a", "a"]]}, "a factor is named twice"),
        ({"missing": "drop"}, "Allowed: complete, common, indicator"),
        ({"exposure": "outcome"}, "outcome cannot stand here: it is the outcome"),
        ({"exposure": "C(belief)"}, "is no column name"),
        ({"covariates": {"subsets": ["a", "b"], "always": ["a"]}}, "a stands in always too"),
        ({"covariates": {"subsets": ["a"], "each": ["b"]}}, "each and subsets cannot stand together"),
        (
            {"covariates": {"subsets": ["a", "b"], "min_size": 2, "max_size": 1}},
            "min_size: is larger than max_size",
        ),
        ({"covariates": {"sets": {"x": []}, "max_size": 1}}, "there is no list subsets"),
        ({"covariates": {"subsets": ["a"], "sets": {"all": ["b"]}}}, "choose another name"),
        ({"covariates": {"always": ["a"]}}, "names no terms"),
        ({"covariates": {"setts": {}}}, "Did you mean 'sets'?"),
        ({"covariates": 3}, "a list of terms or a table is needed, not a whole number"),
        ({"covariates": [["a"]]}, "choices.covariates[1]: a term is a text, not a list"),
        ({"sample": {"all": [["age", "<", 3]]}}, "the rule 'all', and no other, has no conditions"),
        ({"sample": {"few": []}}, "the rule 'all', and no other, has no conditions"),
        ({"sample": {"a": [["x", "<", 1]], "b": [["x", "<", 1.0]]}}, "choices.sample.b: says the same as"),
        ({"sample": [["x", "<", 1]]}, "a table of named rules is needed"),
    ],
    ids=str,
)
def test_a_choice_that_cannot_be_is_refused_with_its_place(change, words):
    assert words in refusal(choices=change)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (["age", "<", "30"], "< compares with a number, not a text"),
        (["age", "<", True], "< compares with a number, not true/false"),
        (["age", "=", 30], "equality is '=='"),
        (["age", "<", float("nan")], "not finite"),
        (["age", "<", float("inf")], "not finite"),
        (["age", "<", 10**400], "too large"),
        (["age", "in", []], "'in' takes a list of 1 to 200 values"),
        (["age", "in", [1, "a"]], "all texts or all numbers"),
        (["age", "in", [1, True]], "all texts or all numbers"),
        (["age", "==", [1, 2]], "several stand after 'in'"),
        (["age", "==", datetime.date(2020, 1, 1)], "not a date or time"),
        (["age", "=="], "[column, comparison, value]"),
        ("age < 30", "[column, comparison, value]"),
        (["outcome", "==", 1], "it is the outcome"),
        (["weeks_to_outcome", "<", 4], "it follows from the outcome"),
        (["date", "==", "2016-01-01"], "use wave or period"),
    ],
    ids=str,
)
def test_a_condition_that_cannot_be_is_refused(condition, words):
    text = refusal(choices={"sample": {"some": [condition]}})
    assert "choices.sample.some[1]: " in text
    assert words in text


def test_a_message_never_shows_what_rows_are_compared_with():
    text = refusal(
        choices={
            "sample": {
                "x": [
                    ["citizen_id", "==", "010180-1234"],
                    ["name", "<", "Jensen"],
                    ["n", "in", ["Hansen", 7]],
                ]
            }
        }
    )
    assert not any(secret in text for secret in ("010180", "Jensen", "Hansen"))
    assert "an identifier of a person has no place in a file" in text


@pytest.mark.parametrize(
    ("top", "words"),
    [
        ({"main": {"estimator": "pooled"}}, "main: does not say which choice it takes of: covariates"),
        (
            {"main": {"estimator": "within", "covariates": "all"}},
            "main.estimator: within is none of choices.estimator",
        ),
        ({"main": {"estimator": "pooled", "covariates": "al"}}, "Did you mean 'all'?"),
        ({"main": {"estimator": "pooled", "covariates": ["age", "x"]}}, "these terms are none of the sets"),
        ({"main": {"outcome": "job", "covariates": "all", "estimator": "logit"}}, "state it there first"),
        ({"main": []}, "main: a table is needed, not a list"),
        (
            {
                "main": {"estimator": "logit", "covariates": "all"},
                "exclude": [{"estimator": "logit", "reason": "slow"}],
            },
            "main: the main specification is left out by a constraint (slow)",
        ),
        ({"exclude": [{}]}, "exclude[1]: names no choice"),
        ({"exclude": [{"reason": "why"}]}, "exclude[1]: names no choice"),
        ({"exclude": {"estimator": "logit"}}, "[[exclude]] in double brackets"),
        ({"exclude": [{"estimatr": "logit"}]}, "Did you mean 'estimator'?"),
        (
            {"exclude": [{"estimator": "mixed"}]},
            "exclude[1].estimator: mixed is none of choices.estimator: pooled, logit",
        ),
        ({"exclude": [{"sample": "young"}]}, "exclude[1].sample: 'young' is not known. Allowed: all"),
        ({"exclude": [{"with_covariates": "agee"}]}, "Did you mean 'age'?"),
        ({"exclude": [{"at_risk": "all"}]}, "choices.at_risk is not given; state it there first"),
        ({"exclude": [{"estimator": "logit"}] * 2}, "exclude[2]: says the same as exclude[1]"),
        ({"require": [{"when": {"estimator": "logit"}}]}, "require[1].then: a table is needed"),
        ({"require": [{"then": {"estimator": "logit"}}]}, "require[1].when: a table is needed"),
        ({"scale": "SD"}, "scale: 'SD' is not known. Allowed: sd, unit"),
        ({"level": float("nan")}, "level: a number from 0.5"),
        ({"level": 10**400}, "level: a number from 0.5"),
        ({"level": True}, "level: a number from 0.5"),
        ({"joint_cluster": "outcome"}, "joint_cluster: outcome cannot stand here"),
        ({"max_specifications": 200_001}, "a whole number from 1 to 200000"),
        ({"max_specifications": True}, "not true"),
        ({"title": {"sv": "x"}}, "title: the key 'sv' is not known"),
        ({"title": 3}, "title: a text is needed here, not a whole number"),
    ],
    ids=str,
)
def test_the_rest_of_a_file_is_checked_too(top, words):
    assert words in refusal(**top)


def test_what_is_missing_is_asked_for():
    for content in ({}, {"choices": {}}, {"choices": None}):
        with pytest.raises(SpecError, match=r"exposure"):
            MultiverseSpec.from_dict(content)
    with pytest.raises(SpecError, match="is a mapping, not a list"):
        MultiverseSpec.from_dict([])


def test_the_list_of_estimators_is_shown_whole():
    assert ", ".join(ESTIMATORS) in refusal(choices={"estimator": "ols"})


def test_the_documented_examples_print_what_the_page_shows(capsys, monkeypatch):
    root = Path(__file__).parents[3]
    monkeypatch.chdir(root)
    page = (root / "docs/explanation/multiverse-spec.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    shown = "".join(re.findall(r"```text\n(.*?)```", page, re.DOTALL))
    assert capsys.readouterr().out == shown
