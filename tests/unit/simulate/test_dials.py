"""Dials: everything wrong at once, nothing silently mended."""

import numpy as np
import pytest

from jobchance.errors import SpecError
from jobchance.simulate.bip import simulate_study
from jobchance.simulate.dials import read_dials


def test_unknown_dial_has_a_hint():
    with pytest.raises(SpecError, match="Did you mean 'belief_effect'"):
        simulate_study(seed=1, belief_efect=0.1)


def test_unknown_preset():
    with pytest.raises(SpecError, match="bip"):
        simulate_study("bib", seed=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_citizens", 0),
        ("n_citizens", -5),
        ("n_citizens", 10.0),
        ("n_citizens", 10**400),
        ("n_citizens", True),
        ("n_citizens", float("nan")),
        ("n_caseworkers", 1),
        ("n_jobcentres", 0),
        ("n_jobcentres", 81),
        ("belief_effect", float("nan")),
        ("optimism_effect", float("inf")),
        ("shift_effect", "-0.2"),
        ("forecasting_skill", 1.01),
        ("forecasting_skill", -0.01),
        ("sorting", 2),
        ("attrition", -0.1),
        ("scale_use", 10**400),
        ("dont_know_share", 1.0),
    ],
)
def test_impossible_value_names_the_dial(name, value):
    with pytest.raises(SpecError, match=f"- {name} must be"):
        simulate_study(seed=1, **{name: value})


def test_all_faults_in_one_error():
    with pytest.raises(SpecError) as caught:
        simulate_study(seed=1, n_citizens=-1, sorting=9, attrition=float("nan"), skill=0.5)
    assert str(caught.value).count("\n- ") == 4


@pytest.mark.parametrize("seed", [-1, 1.0, True, "1", None])
def test_seed_is_a_whole_number(seed):
    with pytest.raises(SpecError, match="seed"):
        simulate_study(seed=seed)


def test_caseworkers_follow_citizens_unless_given():
    assert read_dials(None, {}).n_caseworkers == 300
    assert read_dials(8000, {}).n_caseworkers == 600
    assert read_dials(8000, {"n_caseworkers": 50}).n_caseworkers == 50
    assert read_dials(10, {}).n_caseworkers == 20


def test_two_caseworkers_in_each_jobcentre():
    with pytest.raises(SpecError, match="at least two per jobcentre, here 20"):
        read_dials(None, {"n_caseworkers": 19})


def test_effects_that_no_gradient_can_hold():
    with pytest.raises(SpecError, match="too far from zero"):
        simulate_study(seed=1, n_citizens=10, belief_effect=-0.5, optimism_effect=-1.0)


def test_numpy_numbers_become_plain():
    dials = read_dials(np.int64(50), {"sorting": np.float32(0.5), "attrition": 2})
    assert type(dials.n_citizens) is int
    assert type(dials.sorting) is float
    assert type(dials.attrition) is float
