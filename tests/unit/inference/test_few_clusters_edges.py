"""Kinds of cluster adjustment are taken or refused, never dropped; draws do not know the order of rows."""

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.errors import DesignError, SpecError
from jobchance.identification.hazard_checks import check_hazard

KINDS = ("CR2", "CR3", "jackknife")


@pytest.fixture(scope="module")
def panel():
    return jc.build_panel(jc.simulate_study(seed=1, n_citizens=700), covariates=["sex"])


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=160), "label": rng.integers(0, 14, 160)})
    frame["site"] = "s" + frame["label"].astype(str)
    return frame.assign(y=0.2 * frame["x"] + rng.normal(size=14)[frame["label"]] + rng.normal(size=160))


def fitted(frame, cluster="site"):
    return jc.fit_glm("y ~ x", frame, family="gaussian", vcov=jc.Cluster(cluster))


@pytest.mark.parametrize("weights", ["rademacher", "webb", "mammen", "normal"])
def test_random_draws_do_not_depend_on_the_order_of_the_rows(data, weights):
    other = data.sample(frac=1, random_state=3)
    one, two = (jc.wild_bootstrap(fitted(d), "x", draws=499, weights=weights, seed=4) for d in (data, other))
    assert one.p_value == two.p_value
    assert one.conf_low == pytest.approx(two.conf_low, rel=1e-6)
    np.testing.assert_allclose(one.distribution["t"], two.distribution["t"], rtol=1e-9)


def test_labels_of_several_kinds_have_clusters_too(data):
    labels = data["label"].astype(object)
    mixed = labels.map({0: 0, 1: "one", 2: pd.Timestamp("2020-01-01")}).where(data["label"] < 3, labels)
    found = fitted(data.assign(mixed=mixed), "mixed")
    np.testing.assert_allclose(found.std_errors, fitted(data).std_errors, rtol=1e-12)


@pytest.mark.parametrize("seed", [1.5, -1, True, "1", np.random.default_rng(1)])
def test_a_seed_that_cannot_give_the_draws_again_is_refused(data, seed):
    with pytest.raises(SpecError, match="seed is a whole number"):
        jc.wild_bootstrap(fitted(data), "x", draws=99, seed=seed)


def test_few_clusters_do_not_advise_what_was_done(data):
    plain, adjusted = (fitted(data).with_vcov(jc.Cluster("site", kind=k)) for k in ("CR1", "CR2"))
    assert "kind='CR2'" in plain.inference.notes[0]
    assert "kind=" not in adjusted.inference.notes[0]
    assert "wild_bootstrap" in adjusted.inference.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_dummies_of_caseworkers_refuse_a_kind_that_they_do_not_have(panel, kind):
    with pytest.raises(DesignError, match=f"kind='{kind}' is not defined"):
        jc.fit_leniency(panel, outcome="outcome", method="ujive", vcov=jc.Cluster("caseworker_id", kind=kind))


def test_checks_of_a_hazard_use_the_kind_of_the_fit(panel):
    spells = jc.person_periods(panel, period_weeks=26)
    few = spells[spells["quarter"] < 3]
    found = {}
    for kind in ("CR1", "CR2"):
        fit = jc.fit_hazard("event ~ belief", few, link="logit", vcov=jc.Cluster("jobcentre_id", kind=kind))
        cards = {card.name: card for card in check_hazard(fit, few, variable="belief")}
        found[kind] = cards["proportionality"].statistic
    model = jc.fit_hazard("event ~ belief", few, link="logit", vcov="model")
    cards = {card.name: card for card in check_hazard(model, few, variable="belief")}
    assert found["CR2"] != pytest.approx(cards["proportionality"].statistic, rel=1e-6)
    assert found["CR2"] == pytest.approx(found["CR1"], rel=0.5)
