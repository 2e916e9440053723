"""Multiverse files that try to run code, leave their place, hide characters, or exhaust the machine."""

import builtins
import os
import time

import pytest

from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.read import MultiverseSpec

SMALL = {"exposure": "belief", "covariates": ["age"]}


def _never(*_, **__):
    raise AssertionError("a file made code run")


def _watched(content):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("eval", "exec", "compile"):
            patch.setattr(builtins, name, _never)
        patch.setattr(os, "system", _never)
        return MultiverseSpec.from_dict(content)


def refused(*, choices=None, **top):
    begin = time.perf_counter()
    with pytest.raises(SpecError) as caught:
        _watched({"choices": {**SMALL, **(choices or {})}, **top})
    assert time.perf_counter() - begin < 1
    text = str(caught.value)
    assert text.replace("\n", "").isprintable()
    assert len(text) < 2_000
    return text


TERMS = [
    "__import__('os').system('id')",
    "__import__('os')",
    "age.__class__",
    "age.mean",
    "().__class__.__bases__[0]",
    "lambda: 0",
    "eval('1')",
    "C(__import__('os'))",
    "I(age.real)",
    "I(age if 1 else 2)",
    "I([age for age in [1]])",
    "{age}",
    "age; import os",
    "age\nimport os",
    "age\r\nsex",
    "age\x00",
    "\x1b[31mage",
    "`age`",
    "`=cmd()`",
    "@age",
    "=1+1",
    "-age",
    "+age",
    "\tage",
    "age ~ sex",
    "age + sex",
    "age * sex",
    "(age + sex)^2",
    "age - 1",
    "0",
    "1",
    "offset(age)",
    "cbind(age, sex)",
    "[age ~ sex]",
    "(1 | age)",
    "C(age, ref=__import__)",
    "__age",
    "__class__",
    "age\u202e",
    "\u2066age",
    "age\u200b",
    "\u0430ge",  # Cyrillic a
    "\uff41ge",  # full-width a
    "a\u030ange",  # a and a combining ring
    "\u0251ge",  # Latin alpha
    "\ud800",
    "",
    "   ",
    "a" * 201,
    "(" * 60 + "age" + ")" * 60,
    "I(" * 45 + "age" + ")" * 45,
    "I(" + "age**" * 38 + "9)" * 1 + "(",
    "1e999",
    "I(1)",
    "../../etc/passwd",
    "C:\\windows",
    "file.csv",
    "age/sex",
    3,
    True,
    None,
    1.5,
    b"age",
    ["age"],
    {"age": 1},
]


@pytest.mark.parametrize("term", TERMS, ids=ascii)
def test_terms_outside_the_grammar(term):
    assert "choices.covariates[2]: " in refused(choices={"covariates": ["sex", term]})
    if term != "(1 | age)":
        assert "choices.random" in refused(choices={"random": [term]})
    assert "choices.exposure" in refused(choices={"exposure": [term]})
    assert "choices.absorb" in refused(choices={"absorb": [["sex", term]]})
    if term != "age + sex" and (isinstance(term, str) or term in (3, 1.5)):
        assert "choices.vcov" in refused(choices={"vcov": [f"cluster:{term}"]})
    assert "choices.vcov" in refused(choices={"vcov": [term]})


@pytest.mark.parametrize(
    "column",
    [
        *("outcome", "weeks_to_outcome", "event_observed", "censored", "window_start", "any_intervention"),
        *("citizen_id", "caseworker_id", "jobcentre_id", "measurement_id", "date", "belief", "expectation"),
    ],
)
@pytest.mark.parametrize(
    "form", ["{}", "C({})", "log({})", "I({}**2)", "age:{}", "spline({}, df=4)", "C(age):{}"]
)
def test_columns_that_leak_the_answer_are_no_covariates(column, form):
    assert column in refused(choices={"covariates": [form.format(column)]})


def test_the_between_part_may_stand_beside_the_within_part():
    choices = {"exposure": "expectation_within", "covariates": ["expectation_between", "optimism"]}
    assert MultiverseSpec.from_dict({"choices": choices}).count() == 8
    assert "another form of the exposure" in refused(choices={**choices, "covariates": ["expectation"]})


LABELS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "\uff0b1", "\uff20x"),
    *("a\x00b", "a\nb", "a\x1b[2Jb", "a\u202eb", "a\u2028b", "a\u200bb", "\ud800", "\ufeffa", "a" * 201, ""),
]


@pytest.mark.parametrize("label", LABELS, ids=ascii)
def test_labels_that_would_act_in_another_program(label):
    assert "title" in refused(title=label)
    assert "title.da" in refused(title={"da": label})
    assert "reason" in refused(exclude=[{"estimator": "logit", "reason": label}])


def test_labels_of_readers_are_taken():
    spec = MultiverseSpec.from_dict(
        {"choices": SMALL, "title": {"da": "Tror på – æøå (52 uger): 10 %", "en": "β = 1"}}
    )
    assert spec.title_da.startswith("Tror")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../x",
            "a/b",
            "a\\b",
            ".",
            "..",
            "",
            "A",
            "å",
            "con",
            "nul",
            "com1",
            "-x",
            "=x",
            "a b",
            "a.toml",
            "a\n",
        ),
        *("x" * 61, "a\x00", "~", "$HOME", "%TEMP%", "a:b", 3, True, None, ["a"]),
    ],
    ids=ascii,
)
def test_names_that_could_leave_a_folder(name):
    assert "name" in refused(name=name)
    if isinstance(name, str):
        assert "choices.sample" in refused(choices={"sample": {name: [["age", "<", 3]]}})
        assert "choices.covariates.sets" in refused(choices={"covariates": {"sets": {name: ["age"]}}})


@pytest.mark.parametrize(
    "key", ["path", "file", "include", "data", "out", "__class__", "=x", "a\nb", "\u202e", 3, None]
)
def test_no_key_takes_a_path_and_unknown_keys_are_refused(key):
    refused(**({key: "/etc/passwd"} if isinstance(key, str) else {"main": {key: 1}}))
    refused(choices={key: "/etc/passwd"})
    refused(choices={"covariates": {key: "/etc/passwd"}})
    refused(exclude=[{key: "/etc/passwd"}])


def _read(tmp_path, content):
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    begin = time.perf_counter()
    try:
        with pytest.raises(SpecError) as caught:
            MultiverseSpec.read(path)
    finally:
        assert time.perf_counter() - begin < 10
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"#" * 100_001, "larger than 100000 bytes"),
        (b"a." * 40_000 + b"a=1", "at most 2000"),
        (b"a = " + b"[" * 1_900, "nested too deeply"),
        (b"a = " + b"{a=" * 600, "nested too deeply"),
        (b"level = " + b"9" * 1_990, "level: a number"),
        (b"name = 'a\x00'", "not TOML"),
        ("title = 'æ'".encode("latin-1"), "not UTF-8"),
        ("title = 'æ'".encode("utf-16"), "not UTF-8"),
        (b"name = 'a'\nname = 'b'", "not TOML"),
        (b"[choices]\n[choices]", "not TOML"),
        (b"name = ", "not TOML"),
        (b"PK\x03\x04", "not TOML"),
        (b"", "choices"),
        (
            b"[choices]\nexposure=2020-01-01\ncovariates=07:32:00\nhorizon_weeks=2020-01-01T00:00:00Z",
            "a date or time",
        ),
        (b"level = nan\n[choices]\nexposure='a'\ncovariates=[]\nhorizon_weeks=inf", "level"),
        (b"[[exclude]]\n" * 8_000 + b"[choices]", "at most 100 times"),
        (b"[choices]\nexposure='a'\ncovariates=[\n" + b"'x',\n" * 15_000 + b"]", "this one has 15000"),
    ],
    ids=lambda value: ascii(value[:30]),
)
def test_files_that_are_no_specification(tmp_path, content, words):
    assert words in _read(tmp_path, content)


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "absent.toml", tmp_path / "pipe", "/dev/zero", "a\x00b", "x" * 5_000):
        with pytest.raises(SpecError, match=r"no multiverse file|cannot be read"):
            MultiverseSpec.read(path)


def test_a_grid_of_any_size_costs_nothing():
    columns = [f"x{i}" for i in range(100)]
    choices = {
        "outcome": [f"o{i}" for i in range(500)],
        "exposure": [f"e{i}" for i in range(500)],
        "horizon_weeks": list(range(1, 501)),
        "covariates": {"subsets": columns, "sets": {f"s{i}": columns[i:] for i in range(100)}},
    }
    spec = MultiverseSpec.from_dict(
        {
            "choices": choices,
            "exclude": [{"with_covariates": columns[i : i + 2]} for i in range(0, 10, 2)],
            "require": [{"when": {"outcome": "o1"}, "then": {"exposure": [f"e{i}" for i in range(400)]}}],
        }
    )
    begin = time.perf_counter()
    with pytest.raises(SpecError, match="at most 20,000 are run"):
        spec.expand()
    assert time.perf_counter() - begin < 2
