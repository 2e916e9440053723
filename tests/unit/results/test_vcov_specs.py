import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, Robust, fit_glm, fit_mixed, fit_panel
from jobchance.errors import DesignError, SpecError
from jobchance.results.vcov import check_vcov


@pytest.mark.parametrize("columns", [(), ("",), ("a", "a"), (3,)])
def test_clusters_need_different_column_names(columns):
    with pytest.raises(SpecError):
        Cluster(*columns)


@pytest.mark.parametrize("value", ["cluster", "hc1", None, 3, Cluster])
def test_other_kinds_are_refused_with_the_forms_to_write(value):
    with pytest.raises(SpecError, match="Robust"):
        check_vcov(value)


def test_unknown_robust_kind():
    with pytest.raises(SpecError, match="HC0, HC1"):
        Robust("HC3")


@pytest.fixture(scope="module")
def moving():
    """Citizens who change caseworker half-way."""
    rng = np.random.default_rng(3)
    citizen = np.repeat(np.arange(120), 4)
    wave = np.tile(np.arange(4), 120)
    frame = pd.DataFrame({"citizen_id": citizen, "wave": wave, "x": rng.normal(size=480)})
    frame["caseworker_id"] = (citizen + (wave > 1)) % 35
    frame["y"] = frame["x"] + rng.normal(size=120)[citizen] + rng.normal(size=480)
    return frame


def test_missing_cluster_columns_are_named(moving):
    fit = fit_glm("y ~ x", moving, family="gaussian", vcov="model")
    with pytest.raises(DesignError, match="team_id, office"):
        fit.with_vcov(Cluster("team_id", "office"))


def test_missing_clusters_are_counted(moving):
    gaps = moving.assign(caseworker_id=moving["caseworker_id"].where(moving.index > 4))
    fit = fit_glm("y ~ x", gaps, family="gaussian", vcov="model")
    with pytest.raises(DesignError, match="5 rows have no cluster"):
        fit.with_vcov(Cluster("caseworker_id"))
    assert fit_panel("y ~ x", gaps).sample.dropped["caseworker_id is missing"] == 5


def test_persons_spread_over_clusters_get_a_note(moving):
    fit = fit_panel("y ~ x", moving)
    assert any("Cluster('caseworker_id', 'citizen_id') covers both" in note for note in fit.notes)
    both = fit.with_vcov(Cluster("caseworker_id", "citizen_id"))
    assert not any("covers both" in note for note in both.notes)


def test_random_effects_must_lie_within_a_cluster_dimension(moving):
    fit = fit_mixed("y ~ x + (1 | citizen_id)", moving)
    with pytest.raises(DesignError, match=r"Use Cluster\('caseworker_id', 'citizen_id'\)"):
        fit.with_vcov(Cluster("caseworker_id"))
    with pytest.raises(DesignError, match="not defined with random effects"):
        fit.with_vcov(Robust())
    assert fit.with_vcov(Cluster("caseworker_id", "citizen_id")).std_errors["x"] > 0


def test_absorbed_effects_count_only_when_not_nested(moving):
    n, citizens, waves = 480, 120, 4
    nested = fit_panel("y ~ x", moving, vcov=Cluster("citizen_id"))
    assert nested.inference.factors["citizen_id"] == pytest.approx(120 / 119 * (n - 1) / (n - 2))
    crossed = fit_panel("y ~ x", moving, vcov=Cluster("caseworker_id"))
    assert crossed.inference.factors["caseworker_id"] == pytest.approx(35 / 34 * (n - 1) / (n - 1 - citizens))
    two = fit_panel("y ~ x", moving, absorb=("wave",), vcov=Cluster("citizen_id"))
    assert two.inference.factors["citizen_id"] == pytest.approx(120 / 119 * (n - 1) / (n - 1 - waves))
