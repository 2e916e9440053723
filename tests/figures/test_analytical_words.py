"""No analytical figure says that one thing changes another: its estimands are predictions or descriptions."""

import re

import pytest

from jobchance.labels.load import label_table

NAMES = (
    "belief_gradient",
    "job_curve_by_belief",
    "optimism_terciles",
    "optimism_reduced_form",
    "optimism_balance",
    "caseworker_spread",
    "variance_decomposition",
)
CAUSAL = re.compile(
    r"\b(øger|øge|giver|give|fører til|medfører|skaber|forårsager|påvirker|bevirker|styrker|forbedrer|"
    r"raises?|increases?|leads? to|causes?|caused|creates?|improves?|boosts?|makes?|drives?|impacts?|"
    r"affects?)\b"
    r"|effekt af|effekten|virkning af|virkningen|effect of|effects of|the effect",
    re.IGNORECASE,
)
KEYS = sorted(
    key for key in label_table() if key.split(".")[:1] == ["caption"] or key.split(".")[1:2][0] in NAMES
)


@pytest.mark.parametrize("key", KEYS)
def test_no_causal_verb(key):
    for text in label_table()[key].values():
        assert not CAUSAL.search(text), text


def test_the_pattern_would_catch_one():
    assert CAUSAL.search("Optimisme øger jobchancen")
    assert CAUSAL.search("Belief raises the chance of a job")
    assert len(KEYS) > 80
