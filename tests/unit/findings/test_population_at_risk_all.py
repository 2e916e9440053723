"""A panel that also holds citizens in the outcome is not described as citizens without it."""

import pytest

from jobchance import build_panel
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.figures import belief_gradient as draw
from jobchance.findings import belief_gradient, caseworker_spread, optimism_terciles


@pytest.mark.parametrize(
    ("module", "at_risk", "everyone"),
    [
        (belief_gradient, "first_at_risk", "first_measurement"),
        (optimism_terciles, "all_at_risk", "all_measurements"),
        (caseworker_spread, "first_with_caseworker", "any_with_caseworker"),
    ],
)
def test_the_population_follows_the_at_risk_rule(bip_study, bip_panel, module, at_risk, everyone):
    policy = DisclosurePolicy.preset("cautious_dk")
    both = build_panel(bip_study, at_risk="all")
    assert set(module.build(bip_study, bip_panel, policy=policy).frame["population"]) == {at_risk}
    assert set(module.build(bip_study, both, policy=policy).frame["population"]) == {everyone}


def test_the_note_says_so(bip_study, bip_panel):
    policy = DisclosurePolicy.preset("cautious_dk")
    both = build_panel(bip_study, at_risk="all")
    words = [
        draw(belief_gradient.build(bip_study, panel, policy=policy).frame, lang="en").description.note
        for panel in (bip_panel, both)
    ]
    assert "not in a job" in words[0]
    assert "not in a job" not in words[1]
