import pickle

import numpy as np
import pandas as pd
import pytest
from wild_brute_force import dummies, wild_iv, wild_ols

from jobchance import Cluster, Robust, fit_glm, fit_iv, fit_panel
from jobchance.errors import SpecError
from jobchance.inference.wild_bootstrap import wild_bootstrap


@pytest.fixture(scope="module")
def panel():
    """Citizens in offices of unequal size; some change office, and teams cross offices."""
    rng = np.random.default_rng(7)
    n_citizens = 40
    citizen = np.repeat(np.arange(n_citizens), 4)
    wave = np.tile(np.arange(4), n_citizens)
    office = np.sort(rng.integers(0, 7, n_citizens))[citizen]
    moved = (citizen % 6 == 0) & (wave > 1)
    frame = pd.DataFrame({"citizen_id": citizen, "wave": wave, "home": office})
    frame["office"] = np.where(moved, (office + 1) % 7, office)
    frame["team"] = rng.integers(0, 6, len(frame))
    frame["x"] = rng.normal(size=len(frame)) + 0.5 * rng.normal(size=7)[office]
    frame["w"] = rng.normal(size=len(frame))
    u = rng.normal(size=7)[office] + rng.normal(size=6)[frame["team"]] + rng.normal(size=len(frame))
    frame["z"] = rng.normal(size=len(frame))
    frame["z2"] = rng.normal(size=len(frame))
    frame["d"] = 0.7 * frame["z"] + 0.4 * frame["z2"] + 0.5 * u + rng.normal(size=len(frame))
    frame["y"] = 0.3 * frame["x"] + 0.2 * frame["d"] + u
    return frame


def terms_of(fit, codes):
    """Cluster codes with the signed factors that the fit states, one or two dimensions."""
    factors = list(fit.inference.factors.values())
    if len(codes) == 1:
        return [(codes[0], factors[0])]
    cells = pd.factorize(pd.Series(codes[0]) * 1000 + codes[1])[0]
    return [(codes[0], factors[0]), (codes[1], factors[1]), (cells, -factors[2])]


def compare(made, t, stars, *, share):
    """t, p-values and number of undefined draws of a bootstrap and of refitting."""
    known = stars[~np.isnan(stars)]
    assert made.t == pytest.approx(t, rel=1e-9)
    assert made.undefined == len(stars) - len(known)
    for value, hits in (
        (made.p_value, np.abs(known) >= abs(t) - 1e-9),
        (made.p_lower, known <= t + 1e-9),
        (made.p_upper, known >= t - 1e-9),
    ):
        assert value == pytest.approx(share(int(hits.sum()), len(known)), abs=1e-12)
    quantiles = np.quantile(known, made.distribution["probability"], method="higher")
    np.testing.assert_allclose(made.distribution["t"], quantiles, rtol=1e-8, atol=1e-9)


def drawn(count, draws):
    return (1 + count) / (1 + draws)


def enumerated(count, draws):
    return count / draws


@pytest.mark.parametrize("weights", ["rademacher", "webb", "mammen", "normal"])
@pytest.mark.parametrize("restricted", [True, False])
def test_random_draws_equal_refitting(panel, weights, restricted):
    fit = fit_glm("y ~ x + w + C(wave)", panel, family="gaussian", vcov=Cluster("home"))
    made = wild_bootstrap(fit, "x", draws=99, weights=weights, restricted=restricted, seed=3, null=0.1)
    X = np.column_stack([panel["x"], panel["w"], dummies(panel["wave"])])
    codes = panel["home"].to_numpy()
    asked = {"weights": weights, "draws": 99, "seed": 3, "null": 0.1, "restricted": restricted}
    t, stars = wild_ols(X, panel["y"].to_numpy(), 0, terms_of(fit, [codes]), codes, **asked)
    compare(made, t, stars, share=drawn)


@pytest.mark.parametrize(
    ("absorb", "cluster"), [((), "home"), (("wave",), "home"), ((), "office"), (("wave", "team"), "office")]
)
def test_full_enumeration_with_absorbed_effects_equals_dummy_variables(panel, absorb, cluster):
    """Effects within clusters, across all clusters, and of citizens who move between them."""
    fit = fit_panel("y ~ x + w", panel, absorb=absorb, vcov=Cluster(cluster))
    made = wild_bootstrap(fit, "x", draws=200, seed=1)
    X = np.column_stack([panel["x"], panel["w"], dummies(panel["citizen_id"], *(panel[a] for a in absorb))])
    codes = panel[cluster].to_numpy()
    t, stars = wild_ols(
        X, panel["y"].to_numpy(), 0, terms_of(fit, [codes]), codes, weights="rademacher", draws=200, seed=1
    )
    assert made.enumerated
    assert made.draws == len(stars) == 128
    compare(made, t, stars, share=enumerated)


def test_first_differences_equal_refitting(panel):
    fit = fit_panel("y ~ x + w", panel, estimator="first_difference", vcov=Cluster("office"))
    made = wild_bootstrap(fit, "x", draws=200, seed=1)
    later = panel["wave"].to_numpy() > 0
    change = panel[["y", "x", "w"]].diff()[later].to_numpy()
    codes = panel["office"].to_numpy()[later]
    t, stars = wild_ols(
        change[:, 1:], change[:, 0], 0, terms_of(fit, [codes]), codes, weights="rademacher", draws=200, seed=1
    )
    compare(made, t, stars, share=enumerated)


def test_weights_equal_refitting(panel):
    weighted = panel.assign(weight=np.exp(panel["z"]))
    fit = fit_glm("y ~ x + w", weighted, family="gaussian", vcov=Cluster("home"), weights="weight")
    made = wild_bootstrap(fit, "x", draws=200, seed=1)
    root = np.sqrt(weighted["weight"].to_numpy())
    X = np.column_stack([panel["x"], panel["w"], np.ones(len(panel))]) * root[:, None]
    codes = panel["home"].to_numpy()
    t, stars = wild_ols(
        X,
        panel["y"].to_numpy() * root,
        0,
        terms_of(fit, [codes]),
        codes,
        weights="rademacher",
        draws=200,
        seed=1,
    )
    compare(made, t, stars, share=enumerated)


@pytest.mark.parametrize("by", ["home", "team", "intersection"])
def test_two_way_clusters_equal_refitting(panel, by):
    fit = fit_glm("y ~ x + w", panel, family="gaussian", vcov=Cluster("home", "team"))
    made = wild_bootstrap(fit, "x", draws=150, seed=5, bootstrap_cluster=by)
    X = np.column_stack([panel["x"], panel["w"], np.ones(len(panel))])
    codes = [pd.factorize(panel[name], sort=True)[0] for name in ("home", "team")]
    cells = np.unique(codes[0] * 1000 + codes[1], return_inverse=True)[1]
    outer = {"home": codes[0], "team": codes[1], "intersection": cells}[by]
    t, stars = wild_ols(
        X, panel["y"].to_numpy(), 0, terms_of(fit, codes), outer, weights="rademacher", draws=150, seed=5
    )
    compare(made, t, stars, share=drawn if by == "intersection" else enumerated)


def test_two_way_draws_share_a_multiplier_in_the_smaller_dimension(panel):
    fit = fit_glm("y ~ x", panel, family="gaussian", vcov=Cluster("home", "team"))
    assert wild_bootstrap(fit, "x", draws=99, seed=1).bootstrap_cluster == "team"


@pytest.mark.parametrize("instruments", ["z", "z + z2"])
@pytest.mark.parametrize("null", [0.0, 0.3])
def test_instruments_equal_refitting(panel, instruments, null):
    fit = fit_iv(f"y ~ w + [d ~ {instruments}]", panel, vcov=Cluster("home"))
    made = wild_bootstrap(fit, "d", draws=200, seed=2, null=null)
    W = np.column_stack([np.ones(len(panel)), panel["w"]])
    Z = panel[instruments.split(" + ")].to_numpy()
    codes = panel["home"].to_numpy()
    t, stars = wild_iv(
        W, panel["d"].to_numpy(), Z, panel["y"].to_numpy(), terms_of(fit, [codes]), codes,
        weights="rademacher", draws=200, seed=2, null=null,
    )  # fmt: skip
    compare(made, t, stars, share=enumerated)


def test_instruments_with_effects_that_span_clusters_equal_refitting(panel):
    fit = fit_iv("y ~ w + [d ~ z + z2]", panel, absorb=("citizen_id", "wave"), vcov=Cluster("office"))
    made = wild_bootstrap(fit, "d", draws=60, weights="webb", seed=2)
    W = np.column_stack([panel["w"], dummies(panel["citizen_id"], panel["wave"])])
    codes = panel["office"].to_numpy()
    t, stars = wild_iv(
        W, panel["d"].to_numpy(), panel[["z", "z2"]].to_numpy(), panel["y"].to_numpy(),
        terms_of(fit, [codes]), codes, weights="webb", draws=60, seed=2,
    )  # fmt: skip
    compare(made, t, stars, share=drawn)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("weights", ["rademacher", "webb"])
def test_interval_holds_exactly_what_is_not_rejected(panel, restricted, weights):
    fit = fit_glm("y ~ x + w", panel, family="gaussian", vcov=Cluster("home"))
    asked = {"draws": 399, "weights": weights, "restricted": restricted, "seed": 4, "level": 0.9}
    made = wild_bootstrap(fit, "x", **asked)
    assert made.interval == "closed"
    step = 1e-6 * made.std_error
    for limit, inward in ((made.conf_low, 1), (made.conf_high, -1)):
        kept = wild_bootstrap(fit, "x", null=limit + inward * step, **asked)
        out = wild_bootstrap(fit, "x", null=limit - inward * step, **asked)
        assert out.p_value <= 0.1 + 1e-12 < kept.p_value


def test_interval_of_instruments_is_inverted_too(panel):
    fit = fit_iv("y ~ w + [d ~ z + z2]", panel, vcov=Cluster("home"))
    made = wild_bootstrap(fit, "d", draws=200, seed=2, level=0.9)
    step = 1e-2 * made.std_error
    assert wild_bootstrap(fit, "d", draws=200, seed=2, null=made.conf_low - step).p_value <= 0.1
    assert wild_bootstrap(fit, "d", draws=200, seed=2, null=made.conf_low + step).p_value > 0.1


def test_four_clusters_cannot_reject_and_the_interval_says_so(panel):
    few = panel[panel["home"].isin([1, 2, 3, 4])]
    fit = fit_glm("y ~ x", few, family="gaussian", vcov=Cluster("home"))
    made = wild_bootstrap(fit, "x", draws=99, seed=1, null=100.0)
    assert made.p_value == pytest.approx(2 / 16)
    assert (made.conf_low, made.conf_high, made.interval) == (-np.inf, np.inf, "open")
    assert any("no end" in note for note in made.notes)
    assert any("webb" in note for note in made.notes)


def test_ties_count_as_extreme(panel):
    """The observed signs and their mirror image give |t| itself under full enumeration."""
    fit = fit_glm("y ~ x", panel, family="gaussian", vcov=Cluster("home"))
    assert wild_bootstrap(fit, "x", draws=128, seed=1).ties >= 2
    assert wild_bootstrap(fit, "x", draws=128, seed=1, null=1e6).p_value == pytest.approx(2 / 128)


def test_first_draws_and_seed(panel):
    fit = fit_glm("y ~ x", panel, family="gaussian", vcov=Cluster("citizen_id"))
    one, two = (wild_bootstrap(fit, "x", draws=99, seed=8) for _ in range(2))
    assert one.frame.equals(two.frame)
    assert not one.frame.equals(wild_bootstrap(fit, "x", draws=99, seed=9).frame)


def test_row_order_labels_and_units_do_not_matter(panel):
    fit = fit_glm("y ~ x + w", panel, family="gaussian", vcov=Cluster("home"))
    other = panel.sample(frac=1, random_state=1).assign(
        home=lambda d: "office " + (9 - d["home"]).astype(str)
    )
    other = other.assign(x=other["x"] * 1000)
    again = fit_glm("y ~ x + w", other, family="gaussian", vcov=Cluster("home"))
    one, two = (wild_bootstrap(f, "x", draws=200, seed=1) for f in (fit, again))
    assert one.p_value == two.p_value
    assert two.conf_low * 1000 == pytest.approx(one.conf_low, rel=1e-5)


def test_clusters_may_be_given_and_must_be_known(panel):
    fit = fit_glm("y ~ x", panel, family="gaussian", vcov=Robust())
    with pytest.raises(SpecError, match="needs clusters"):
        wild_bootstrap(fit, "x", draws=99, seed=1)
    given = wild_bootstrap(fit, "x", draws=99, seed=1, cluster="home")
    own = wild_bootstrap(fit.with_vcov(Cluster("home", kind="CR2")), "x", draws=99, seed=1)
    assert given.frame.equals(own.frame)
    with pytest.raises(SpecError, match="bootstrap_cluster"):
        wild_bootstrap(fit, "x", draws=99, seed=1, cluster="home", bootstrap_cluster="team")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"term": "xx"}, "Did you mean 'x'"),
        ({"weights": "webbs"}, "webb"),
        ({"draws": 0}, "draws"),
        ({"level": 1.0}, "level"),
        ({"null": np.nan}, "finite"),
    ],
)
def test_options_are_checked(panel, change, words):
    fit = fit_glm("y ~ x", panel, family="gaussian", vcov=Cluster("home"))
    asked = {"term": "x", "draws": 99, "seed": 1} | change
    with pytest.raises(SpecError, match=words):
        wild_bootstrap(fit, asked.pop("term"), **asked)


def test_other_models_are_refused_with_advice(panel):
    binary = panel.assign(b=(panel["y"] > 0).astype(int))
    logit = fit_glm("b ~ x", binary, family="binomial", vcov=Cluster("home"))
    with pytest.raises(SpecError, match="linear probability"):
        wild_bootstrap(logit, "x", draws=99, seed=1)
    random = fit_panel("y ~ x", panel, estimator="random", vcov=Cluster("home"))
    with pytest.raises(SpecError, match="parametric_bootstrap"):
        wild_bootstrap(random, "x", draws=99, seed=1)
    liml = fit_iv("y ~ [d ~ z + z2]", panel, method="liml", vcov=Cluster("home"))
    with pytest.raises(SpecError, match="two-stage least squares"):
        wild_bootstrap(liml, "d", draws=99, seed=1)


def test_result_shows_no_cluster_by_name(panel):
    named = panel.assign(home="O" + panel["home"].astype(str) + "secret")
    fit = fit_glm("y ~ x", named, family="gaussian", vcov=Cluster("home"))
    made = wild_bootstrap(fit, "x", draws=200, seed=1)
    assert "secret" not in made.summary() + repr(made) + str(made.frame)
    assert "95% set" in made.summary()
    assert len(made.distribution) == 11
    again = pickle.loads(pickle.dumps(made))
    assert again.frame.equals(made.frame)
    assert again.summary() == made.summary()
