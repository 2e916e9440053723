"""The instrument file: what it says, how certain that is, and what a wrong file is told."""

import pytest

from jobchance.errors import SchemaError, SpecError
from jobchance.study.instrument import read_instrument

BIP = read_instrument("bip")

OWN = """
name = "own"
version = "1"

[categories.three]
1 = { en = "no" }
2 = { en = "perhaps" }
3 = { en = "yes" }

[[construct]]
id = "belief"
number = 1
label = { en = "belief" }

[[item]]
id = "q1"
construct = "belief"
respondent = "citizen"
text = { en = "Will you get a job?" }
scale = [1, 3]
categories = "three"

[[item]]
id = "q2"
construct = "belief"
respondent = "citizen"
text = { en = "How sure are you?" }
scale = [0, 100]

[[scale]]
id = "s"
label = { en = "score" }
items = ["q1"]
min_answered = 1
"""


def write(folder, text):
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_eleven_constructs_seven_core_nine_and_eleven_items():
    assert [c.number for c in BIP.constructs] == list(range(1, 12))
    assert sum(c.core7 for c in BIP.constructs) == 7
    assert [c.construct_id for c in BIP.constructs if c.core7] == [
        "caseworker_belief",
        "self_efficacy",
        "job_search",
        "labour_market_knowledge",
        "health_coping",
        "cooperation",
        "goal_orientation",
    ]
    respondents = [item.respondent for item in BIP.items]
    assert (respondents.count("caseworker"), respondents.count("citizen")) == (11, 9)


def test_only_the_belief_item_has_a_verified_wording():
    verified = [item.item_id for item in BIP.items if item.wording_status == "verified"]
    assert verified == ["belief_job"]
    belief = BIP.item("belief_job")
    assert belief.text["da"] == "Tror du, at borgeren kommer i job inden for det næste år?"
    assert belief.text_status == {"da": "source", "en": "own", "sv": "own"}


@pytest.mark.parametrize(
    ("language", "mark"), [("da", "[pladsholder]"), ("en", "[placeholder]"), ("sv", "[platshållare]")]
)
def test_every_unverified_wording_says_so_in_its_own_text(language, mark):
    for item in BIP.items:
        assert item.text[language].startswith(mark) == (item.wording_status == "placeholder")
    for construct in BIP.constructs:
        assert construct.label[language].startswith(mark) == (construct.status == "placeholder")


def test_nobody_has_published_the_scale_or_all_of_its_labels():
    belief = BIP.item("belief_job")
    assert belief.scale_status == "inferred"
    assert list(belief.categories) == [1, 2, 3, 4, 5]
    assert belief.category_status[3] == "placeholder"
    assert "verified" not in belief.category_status.values()
    assert set(BIP.item("network_cw").category_status.values()) == {"placeholder"}


def test_swedish_labels_are_the_sources_own_or_marked_as_ours():
    assert BIP.construct("cooperation").label["sv"] == "samarbetsförmåga"
    assert BIP.construct("cooperation").label_status["sv"] == "source"
    assert BIP.construct("everyday_coping").label_status["sv"] == "own"


def test_dont_know_is_an_answer_of_every_item_and_direction_is_low_to_high():
    assert all(item.has_dont_know and not item.reversed for item in BIP.items)
    assert BIP.dont_know_label["da"] == "ved ikke"


def test_scales_state_how_many_answers_they_need():
    assert BIP.scale("expectation").items == ("belief_job",)
    core = BIP.scale("core7_caseworker")
    assert (len(core.items), core.min_answered) == (7, 5)
    assert len(BIP.scale("core7_citizen").items) == 6
    assert all(BIP.item(i).respondent == "citizen" for i in BIP.scale("core7_citizen").items)


def test_item_table_is_the_study_table():
    table = BIP.item_table()
    assert list(table.columns) == [
        "item_id", "instrument_version", "respondent", "indicator", "text_da", "text_en", "scale_min",
        "scale_max", "anchors", "reversed", "has_dont_know", "core7", "source_status",
    ]  # fmt: skip
    assert table["item_id"].is_unique
    assert table["core7"].sum() == 7 + 6
    anchors = table.set_index("item_id").loc["belief_job", "anchors"]
    assert anchors.startswith("1 = tror ikke på det;")
    assert anchors.endswith("5 = ja")


def test_own_file_may_have_continuous_scales_and_claims_nothing(tmp_path):
    own = read_instrument(write(tmp_path, OWN))
    assert own.item("q1").categories[2] == {"en": "perhaps"}
    assert own.item("q2").categories == {}
    assert (own.item("q2").scale_min, own.item("q2").scale_max) == (0.0, 100.0)
    assert {item.wording_status for item in own.items} == {"placeholder"}
    assert own.item_table().set_index("item_id").loc["q1", "anchors"] == "1 = no; 2 = perhaps; 3 = yes"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "own"', "", "'name' is missing"),
        ('version = "1"', "version = 1", "'version' must be a text"),
        ('version = "1"', 'version = "1"\ntitel = "x"', "did you mean 'title'?"),
        ('id = "q2"', 'id = "q1"', "item 'q1' occurs 2 times"),
        ('construct = "belief"', 'construct = "belif"', "did you mean 'belief'?"),
        ('respondent = "citizen"', 'respondent = "nurse"', "respondent must be one of"),
        ("scale = [0, 100]", "scale = [100, 0]", "lowest value must be below"),
        ("scale = [0, 100]", "scale = [0, nan]", "two numbers"),
        ("scale = [1, 3]", "scale = [2, 3]", "categories outside the scale"),
        ('categories = "three"', 'categories = "thre"', "did you mean 'three'?"),
        ('items = ["q1"]', 'items = ["q9"]', "no item 'q9'"),
        ('items = ["q1"]', 'items = ["q1", "q2"]', "different ranges"),
        ("min_answered = 1", "min_answered = 2", "min_answered must be between 1 and 1"),
        ("min_answered = 1", "min_answered = true", "must be a whole number"),
        ('label = { en = "score" }', 'label = { xx = "score" }', "unknown language xx"),
        ('{ en = "yes" }', '{ en = "yes", status = "sure" }', "status 'sure' is not one of"),
        ("number = 1", 'number = 1\nstatus = "official"', "status 'official' is not one of"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(tmp_path, old, new, message):
    assert old in OWN
    with pytest.raises(SchemaError, match=r"Instrument file own\.toml is wrong") as caught:
        read_instrument(write(tmp_path, OWN.replace(old, new)))
    assert message in str(caught.value)


def test_all_faults_come_at_once(tmp_path):
    wrong = OWN.replace("min_answered = 1", "min_answered = 7").replace('"citizen"', '"nurse"')
    with pytest.raises(SchemaError) as caught:
        read_instrument(write(tmp_path, wrong))
    assert str(caught.value).count("\n- ") == 3


@pytest.mark.parametrize(
    "content", [b"", b"name = ", b"\xff\xfe\x00n", b"item = 3\nconstruct = 'x'", b"[item]"]
)
def test_unreadable_files_are_one_schema_error(tmp_path, content):
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    with pytest.raises(SchemaError, match=r"own\.toml"):
        read_instrument(path)


def test_absent_file_and_unknown_names(tmp_path):
    with pytest.raises(SchemaError, match="cannot be read"):
        read_instrument(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="Did you mean 'bip'"):
        read_instrument("bipp")
    with pytest.raises(SpecError, match="Did you mean 'belief_job'"):
        BIP.item("belief_jobb")
    with pytest.raises(SpecError, match="no scale"):
        BIP.scale("total")
