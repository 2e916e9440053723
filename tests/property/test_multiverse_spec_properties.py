"""Multiverse files: order of writing is nothing, constraints hold, counts are exact, fuzz is only refused."""

import random
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from jobchance.errors import FormulaError, SpecError
from jobchance.sensitivity.multiverse.choices import unused, waves_text
from jobchance.sensitivity.multiverse.expand import SAME_COLUMNS
from jobchance.sensitivity.multiverse.read import MultiverseSpec
from jobchance.sensitivity.multiverse.spec_terms import read_random, read_term

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
FUZZ = settings(max_examples=300, deadline=None, derandomize=True)

TERMS = ["age", "C(age)", "I(age**2)", "sex"]
VALUES = {
    "outcome": ["job", "education"],
    "horizon_weeks": [13, 26, 52],
    "at_risk": ["all", "not_in_job"],
    "waves": ["all", "1", "1-2"],
    "estimator": ["pooled", "within", "logit", "mixed", "rung:adjusted", "rung:within_citizen"],
    "absorb": ["none", "jobcentre_id", ["jobcentre_id", "period"]],
    "random": ["(1 | caseworker_id)", "(1 | jobcentre_id)"],
    "vcov": ["model", "robust", "cluster:caseworker_id"],
    "missing": ["complete", "common", "indicator"],
}
SAMPLES = {"all": [], "young": [["age", "<", 30]], "late": [["wave", "in", [2, 3]]]}


def some(values, *, least=1, most=2):
    return st.lists(st.sampled_from(range(len(values))), unique=True, min_size=least, max_size=most).map(
        lambda places: [values[i] for i in places]
    )


term_lists = some(TERMS, least=0, most=3)
covariates = st.one_of(
    term_lists,
    st.builds(
        lambda terms, sets: {"subsets": terms, "sets": sets}, some(TERMS, most=3), st.just({"x": TERMS[:2]})
    ),
    st.builds(lambda a, b: {"sets": {"one": a, "two": b}}, term_lists, term_lists),
)
choices = st.fixed_dictionaries(
    {"exposure": st.just(["belief", "expectation"]), "covariates": covariates},
    optional={name: some(values) for name, values in VALUES.items()}
    | {"sample": some(sorted(SAMPLES), most=3).map(lambda names: {name: SAMPLES[name] for name in names})},
)


@st.composite
def a_table(draw, chosen):
    """A table of one or two tests of choices that are there."""
    table, names = {}, sorted(set(chosen) - {"covariates"})
    for name in draw(st.lists(st.sampled_from(names), unique=True, min_size=1, max_size=2)):
        values = list(chosen[name])
        table[name] = draw(st.lists(st.sampled_from(range(len(values))), unique=True, min_size=1))
        table[name] = [values[i] for i in table[name]]
    raw = chosen["covariates"]
    terms = raw if isinstance(raw, list) else raw.get("subsets", [])
    if terms and draw(st.booleans()):
        table[draw(st.sampled_from(["with_covariates", "without_covariates"]))] = draw(some(terms))
    return table


@st.composite
def files(draw):
    """A specification as a mapping."""
    chosen = draw(choices)
    return {
        "choices": chosen,
        "exclude": [draw(a_table(chosen)) | {"reason": f"rule {i}"} for i in range(draw(st.integers(0, 2)))],
        "require": [
            {"when": draw(a_table(chosen)), "then": draw(a_table(chosen))}
            for _ in range(draw(st.integers(0, 1)))
        ],
    }


def tried(action):
    """What an action gives, and the text of our own error instead; any other error fails the test."""
    try:
        return action(), ""
    except (SpecError, FormulaError) as error:
        return None, str(error)


def expanded(content):
    """The expansion, or `None` where constraints leave nothing or two constraints are the same."""
    made, refusal = tried(lambda: MultiverseSpec.from_dict(content).expand())
    assert made or "No specification is left" in refusal or "says the same as" in refusal
    return made


def shuffled(value, source):
    """The same content with every table and list in another order; terms of a condition stay."""
    if isinstance(value, dict):
        items = [(key, shuffled(inner, source)) for key, inner in value.items()]
        source.shuffle(items)
        return dict(items)
    if isinstance(value, list) and not (len(value) == 3 and value[1] in ("<", "in")):
        return source.sample([shuffled(inner, source) for inner in value], len(value))
    return value


@QUICK
@given(files(), st.integers(0, 10**6))
def test_the_order_of_writing_is_nothing(content, seed):
    one, other = expanded(content), expanded(shuffled(content, random.Random(seed)))
    assert (one is None) == (other is None)
    if one is not None:
        assert one.specifications == other.specifications
        assert one.fingerprint == other.fingerprint
        assert sorted(one.dropped["n"]) == sorted(other.dropped["n"])


def _value(spec, name):
    """A choice of a specification as the file writes it."""
    value = getattr(spec, name)
    if name == "waves":
        return waves_text(value)
    if isinstance(value, tuple):
        return " + ".join(value) or "none"
    return value


def _written(name, entry):
    return " + ".join(sorted(entry)) if isinstance(entry, list) else entry


def _holds(spec, table, *, idle):
    """Whether all tests of a table hold; `idle` is the answer for what the estimator does not use."""
    for name, entries in table.items():
        if name == "reason":
            continue
        axis = "covariates" if name.endswith("_covariates") else name
        if axis in unused(spec.estimator):
            passed = idle
        elif name == "with_covariates":
            passed = {_canonical(t) for t in entries} <= set(spec.covariates)
        elif name == "without_covariates":
            passed = not {_canonical(t) for t in entries} & set(spec.covariates)
        else:
            passed = _value(spec, name) in [_written(name, entry) for entry in entries]
        if not passed:
            return False
    return True


def _canonical(term):
    return read_term(term)[0]


@QUICK
@given(files())
def test_every_specification_fulfils_every_constraint(content):
    found = expanded(content)
    if found is None:
        return
    for spec in found.specifications:
        if spec.rung is not None and spec.covariates:
            continue  # terms have become columns
        for table in content["exclude"]:
            assert not _holds(spec, table, idle=False)
        for table in content["require"]:
            assert not _holds(spec, table["when"], idle=False) or _holds(spec, table["then"], idle=True)


@QUICK
@given(files())
def test_keys_are_unique_and_every_combination_is_run_or_counted(content):
    found = expanded(content)
    if found is None:
        return
    assert len({spec.key for spec in found.specifications}) == len(found)
    spec = MultiverseSpec.from_dict(content)
    whole = 2
    for name in (*VALUES, "sample"):
        whole *= len(spec.choices.of(name))
    raw = content["choices"]["covariates"]
    if isinstance(raw, dict):
        n_sets = 2 ** len(raw.get("subsets", [])) * bool(raw.get("subsets")) + len(raw["sets"])
    else:
        n_sets = {0: 1, 1: 2, 2: 4, 3: 8}[len(raw)]
    assert len(found) + found.dropped["n"].sum() == whole * n_sets
    merged = sum(n for reason, n in found.dropped.values if reason.endswith(SAME_COLUMNS[-20:]))
    assert spec.count() - merged == len(found)


# ---- fuzz --------------------------------------------------------------------------------------------------

nasty = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="()[]{}|:~+-*/^.,`'\"\\ C1ageI_=\n\x00\u202e", max_size=40),
    st.sampled_from(
        ["__import__('os')", "age.__class__", "C(age)", "(1 | g)", "cluster:", "rung:", "=1", "1-", "all"]
    ),
)
leaves = st.one_of(
    nasty, st.integers(), st.floats(), st.booleans(), st.none(), st.binary(max_size=5), st.dates()
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(nasty | st.integers(), inner, max_size=4)
    ),
    max_leaves=8,
)
NAMES = [*VALUES, "exposure", "covariates", "sample"]


def _is_readable(refusal):
    """A refusal shows nothing that a terminal would act on."""
    return refusal.replace("\n", "").isprintable()


def _is_harmless(spec):
    """What survived holds only printable text, and nothing that a spreadsheet would run."""
    texts = [spec.name, spec.title_da, spec.title_en, *spec.choices.covariates.terms, *spec.choices.exposure]
    return all(text.isprintable() and text[:1] not in "=+-@" for text in texts if text)


@FUZZ
@given(
    st.dictionaries(st.sampled_from(NAMES) | nasty, trees, max_size=5),
    st.dictionaries(nasty, trees, max_size=2),
)
def test_fuzz_is_refused_or_harmless(chosen, rest):
    content = {"choices": {"exposure": "belief", "covariates": []} | chosen, **rest}
    spec, refusal = tried(lambda: MultiverseSpec.from_dict(content))
    assert _is_harmless(spec) if spec else _is_readable(refusal)
    if spec:
        _, refusal = tried(spec.expand)
        assert _is_readable(refusal)


@FUZZ
@given(trees, trees, trees, trees, trees)
def test_fuzz_around_the_choices_is_refused_or_harmless(name, title, exclude, require, main):
    top = {"name": name, "title": title, "exclude": [exclude], "require": [require], "main": main}
    content = {"choices": {"exposure": "belief", "covariates": ["age"]}, **top}
    for keys in (top, ("name",), ("title",), ("exclude",), ("require",), ("main",)):
        part = {key: content[key] for key in ("choices", *keys)}
        spec, refusal = tried(lambda part=part: MultiverseSpec.from_dict(part))
        assert _is_harmless(spec) if spec else _is_readable(refusal)


@FUZZ
@given(nasty | st.text(alphabet=string.printable, max_size=60))
def test_a_term_is_refused_or_reads_back_as_itself(text):
    for read in (read_term, read_random):
        made, refusal = tried(lambda read=read: read(text)[0])
        if made is None:
            assert _is_readable(refusal)
            continue
        again = read(made if isinstance(made, str) else " + ".join(made))[0]
        assert again == made


def toml_bytes():
    lines = st.sampled_from(
        [
            "[choices]",
            "exposure = 'belief'",
            "covariates = []",
            "[[exclude]]",
            "[main]",
            "x = 1",
            "= ",
            "[",
            "'''",
        ]
    )
    return st.lists(lines | st.text(max_size=20), max_size=8).map(lambda parts: "\n".join(parts))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(toml_bytes() | st.binary(max_size=60))
def test_a_file_of_any_bytes_is_refused_or_read(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "multiverse.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    assert _is_readable(tried(lambda: MultiverseSpec.read(path))[1])
