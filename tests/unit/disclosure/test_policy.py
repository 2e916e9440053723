"""Policies: presets as documented, nonsense refused, settings printed in both languages."""

from dataclasses import FrozenInstanceError, asdict, replace

import pytest

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import SpecError

PRESETS = ("cautious_dk", "dst", "sds", "sacro", "uk_llc", "ssb")


@pytest.mark.parametrize(
    ("name", "persons", "nk", "p_percent", "round_base"),
    [
        ("cautious_dk", 5, None, None, None),
        ("dst", 3, None, None, None),
        ("sds", 5, None, None, None),
        ("sacro", 10, (2, 0.90), 0.10, None),
        ("uk_llc", 10, None, None, None),
        ("ssb", 3, None, None, 3),
    ],
)
def test_presets_carry_the_published_numbers(name, persons, nk, p_percent, round_base):
    policy = DisclosurePolicy.preset(name)
    assert (policy.name, policy.min_persons, policy.nk) == (name, persons, nk)
    assert (policy.p_percent, policy.round_base) == (p_percent, round_base)


@pytest.mark.parametrize("name", PRESETS)
def test_open_fields_keep_the_cautious_default(name):
    policy, cautious = DisclosurePolicy.preset(name), DisclosurePolicy.preset("cautious_dk")
    for field in policy.open_fields:
        assert getattr(policy, field) == getattr(cautious, field), field


def test_cautious_default_events_entities_and_zeros():
    policy = DisclosurePolicy.preset("cautious_dk")
    assert (policy.min_events, policy.min_entities["caseworker"], policy.min_dof) == (5, 3, 10)
    assert policy.zeros_disclosive
    assert not policy.allow_extremes
    assert "svg" not in policy.formats


def test_unknown_preset_names_the_nearest():
    with pytest.raises(SpecError, match="Did you mean 'cautious_dk'"):
        DisclosurePolicy.preset("cautious_d")


def test_nonsense_is_refused_all_at_once():
    with pytest.raises(SpecError) as refused:
        DisclosurePolicy(
            min_persons=-1, min_events=True, max_digits=12, round_base=1, nk=(0, 2.0), p_percent=3.0,
            zeros_disclosive=1, formats=("gph",), min_entities={"caseworker": 1.5}, open_fields=("colour",),
        )  # fmt: skip
    for field in (
        "min_persons",
        "min_events",
        "max_digits",
        "round_base",
        "nk",
        "p_percent",
        "zeros_disclosive",
    ):
        assert field in str(refused.value)
    for word in ("formats", "caseworker", "open_fields"):
        assert word in str(refused.value)


def test_policy_is_frozen_and_copies_into_a_manifest():
    policy = DisclosurePolicy.preset("sacro")
    with pytest.raises(FrozenInstanceError):
        policy.min_persons = 1
    assert asdict(policy)["min_entities"] == {"caseworker": 3, "jobcentre": 3, "workplace": 3}
    assert hash(policy) == hash(DisclosurePolicy.preset("sacro"))
    assert replace(policy, min_persons=4).min_persons == 4


@pytest.mark.parametrize("name", [*PRESETS, "own"])
@pytest.mark.parametrize("lang", ["da", "en", "sv", "nb"])
def test_description_prints_settings_open_fields_and_the_caution(name, lang):
    policy = DisclosurePolicy() if name == "own" else DisclosurePolicy.preset(name)
    text = policy.describe(lang)
    if lang == "da":
        assert "Ikke juridisk rådgivning; den dataansvarliges regler går forud." in text
        assert f"Mindste antal personer bag et tal: {policy.min_persons}." in text
        assert text.count("Kilden angiver intet") == len(policy.open_fields)
    else:
        assert "Not legal advice; the data controller's rule wins." in text
        assert text.count("The source gives no rule") == len(policy.open_fields)
