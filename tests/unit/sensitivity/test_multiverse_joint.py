"""The joint test over a specification curve: scores, draws, refusals, size and power."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from multiverse_panels import META, make_panel, run, spec

import jobchance as jc
from jobchance.errors import IdentificationError, SpecError
from jobchance.numerics.joint_restricted import draw_scores
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.multiverse.joint_permute import draw_donors, moved, plan_moves
from jobchance.sensitivity.multiverse.joint_scores import ClusterScores, coarsest_cluster

CHOICES = [
    spec(),
    spec(covariates=("z1",)),
    spec(covariates=("z1", "z2"), waves=(1, 1)),
    spec(covariates=("z2",), vcov="robust"),
    spec(estimator="within", covariates=("z2",), vcov="cluster:jobcentre_id"),
]


@pytest.fixture(scope="module")
def made():
    return run(make_panel(1, slope=0.2), CHOICES)


def replace_all(made, place):
    """The multiverse of one of its specifications."""
    return run(make_panel(1, slope=0.2), [CHOICES[place]])


def residual(y, X):
    return y - X @ np.linalg.lstsq(X, y, rcond=None)[0]


def test_scores_are_those_of_the_model_without_the_exposure(made):
    """By hand: x less what z explains, times the residual of y on z alone, summed by caseworker."""
    scores = ClusterScores(made.workbench, CHOICES, made.frame["estimate"].to_numpy(), "caseworker_id")
    values, sizes, _ = zip(*scores, strict=True)
    rows = next(iter(made.workbench.panels.values())).frame
    for place, names, kept in ((1, ["z1"], rows), (2, ["z1", "z2"], rows[rows["wave"] == 1])):
        Z = np.column_stack([np.ones(len(kept)), kept[names]])
        x = residual(kept["belief"].to_numpy(), Z)
        own = 100 * x * residual(kept["outcome"].to_numpy(), Z) / (x @ x)
        expected = pd.Series(own).groupby(kept["caseworker_id"].to_numpy(), sort=False).sum()
        np.testing.assert_allclose(values[place], expected, rtol=1e-8)
    np.testing.assert_allclose(np.sum(values, axis=1), made.frame["estimate"], rtol=1e-9)
    assert list(sizes) == [12] * 5


ABSORBING = [
    spec(covariates=("z1", "z2")),
    spec(covariates=("C(period)", "z1"), absorb=("jobcentre_id",)),
    spec(covariates=("z2",), absorb=("jobcentre_id", "period")),
    spec(covariates=("z1",), estimator="within"),
    spec(covariates=("z1",), estimator="within", absorb=("period",), waves=(1, 4)),
    spec(covariates=("z2",), absorb=("caseworker_id",)),
]


def crossing_panel():
    """Citizens who change caseworker, caseworkers who change jobcentre."""
    panel = make_panel(3, caseworkers=8, slope=0.1)
    rng = np.random.default_rng(3)
    frame = pd.concat([panel.frame, panel.frame.assign(wave=panel.frame["wave"] + 2)], ignore_index=True)
    n = len(frame)
    frame["measurement_id"] = [f"m{i}" for i in range(n)]
    moves = rng.random(n) < 0.2
    frame["caseworker_id"] = frame["caseworker_id"].mask(moves, rng.choice([f"w{i}" for i in range(8)], n))
    frame["period"] = [f"h{i}" for i in rng.integers(0, 5, n)]
    frame["belief"] += rng.normal(size=n)
    frame["outcome"] += rng.normal(size=n)
    return AnalysisPanel(frame, pd.DataFrame(), META)


@pytest.mark.parametrize("cluster", ["caseworker_id", "jobcentre_id"])
@pytest.mark.parametrize("shared", [True, False])
def test_draws_are_those_of_regressions_on_flipped_residuals(cluster, shared):
    """By dummy variables: the model without the exposure, its residuals flipped, everything fitted again."""
    panel = crossing_panel()
    specs = ABSORBING
    every = [
        replace(one, vcov=v) for one in specs for v in ("model", "robust", "cluster:citizen_id", one.vcov)
    ]
    bench = run(panel, every if shared else specs).workbench
    assert (bench.ground(specs[3]) is not None) == shared
    estimates = np.array([row["estimate"] for row in bench.evaluate(specs)])
    lines = list(ClusterScores(bench, specs, estimates, cluster))
    W = np.random.default_rng(0).choice([-1.0, 1.0], size=(len(lines[0][0]), 7))
    W[:, 0] = 1.0
    for one, (own, size, anew) in zip(specs, lines, strict=True):
        assert anew is not None, one
        b, t = draw_scores(own, W, anew, size)
        frame = panel.frame.iloc[bench.sample(one).positions]
        parts = [np.ones(len(frame))]
        for term in (*one.covariates, *one.absorb, *(["citizen_id"] if one.estimator == "within" else [])):
            column = frame[term.removeprefix("C(").removesuffix(")")]
            dummies = term.startswith("C(") or column.dtype.kind not in "fi"
            parts.append(pd.get_dummies(column).to_numpy(float) if dummies else column.to_numpy(float))
        Z = np.column_stack(parts)
        y, x = frame["outcome"].to_numpy(), frame["belief"].to_numpy()
        u, left = residual(y, Z), residual(x, Z)
        order = {level: place for place, level in enumerate(pd.unique(panel.frame[cluster]))}
        codes = frame[cluster].map(order).to_numpy()
        for draw in range(W.shape[1]):
            star = y - u + W[codes, draw] * u
            e = residual(star, np.column_stack([x, Z]))
            beta = 100 * left @ star / (left @ left)
            sums = 100 * np.bincount(codes, weights=left * e) / (left @ left)
            G = len(np.unique(codes))
            np.testing.assert_allclose(b[draw], beta, rtol=1e-7, atol=1e-9)
            expected = beta / np.sqrt(G / (G - 1) * (sums @ sums))
            np.testing.assert_allclose(t[draw], expected, rtol=1e-6, err_msg=str(one))


def test_the_common_cluster_is_the_coarsest_that_is_named(made):
    assert coarsest_cluster(CHOICES, made.workbench) == "jobcentre_id"
    assert coarsest_cluster(CHOICES[:4], made.workbench) == "caseworker_id"
    assert coarsest_cluster([CHOICES[3]], made.workbench) == "citizen_id"
    assert made.joint_test(seed=1).cluster == "jobcentre_id"


def test_few_clusters_are_enumerated_and_said(made):
    test = made.joint_test(seed=1)
    assert test.is_complete
    assert len(test.null) == 4
    assert "no p-value below 0.25" in " ".join(test.notes)
    assert test.frame["p_value"].min() >= 0.25
    again = made.joint_test(seed=99)
    pd.testing.assert_frame_equal(test.frame, again.frame)


def test_random_signs_follow_the_seed_and_p_values_their_rule(made):
    one, two = (made.joint_test(cluster="caseworker_id", draws=200, seed=s) for s in (1, 2))
    pd.testing.assert_frame_equal(one.null, made.joint_test(cluster="caseworker_id", draws=200, seed=1).null)
    assert not one.null.equals(two.null)
    row = one.frame.set_index("statistic").loc["median_estimate"]
    assert row["observed"] == pytest.approx(made.frame["estimate"].median(), rel=1e-9)
    z = one.frame.set_index("statistic").loc["average_z"]
    extreme = (one.null["average_z"].abs() >= abs(z["observed"]) * (1 - 1e-9)).sum()
    assert z["p_value"] == (1 + extreme) / 201


def test_a_single_specification_is_a_restricted_wild_bootstrap(made):
    """The median of one is its estimate, and its p that of the estimate's own t."""
    one = replace_all(made, 1).joint_test(cluster="caseworker_id", draws=4000, seed=3)
    fit = jc.fit_glm(
        "outcome ~ belief + z1", made.workbench.panels["job", 52, "not_in_job"].frame,
        family="gaussian", vcov=jc.Cluster("caseworker_id"),
    )  # fmt: skip
    known = jc.wild_bootstrap(fit, "belief", draws=4000, seed=1)
    p = one.frame["p_value"]
    assert p[0] == p[2]
    assert p[0] == pytest.approx(known.p_value, abs=0.03)


def test_likelihood_specifications_take_part_and_rungs_and_failures_do_not():
    specs = [spec(), spec(estimator="logit"), spec(estimator="rung:leniency"), spec(exposure="z3")]
    panel = make_panel(2, binary=True, slope=0.5)
    panel = AnalysisPanel(panel.frame.assign(z3=1.0), pd.DataFrame(), META)
    made = run(panel, specs)
    test = made.joint_test(cluster="caseworker_id", seed=1, draws=50)
    assert test.n_specifications == 2
    assert test.n_left_out == 2
    assert any("by likelihood" in note for note in test.notes)
    median = test.frame.set_index("statistic").loc["median_estimate", "observed"]
    assert median == pytest.approx(made.frame["estimate"].iloc[:2].mean(), rel=1e-6)


def test_options_are_checked(made):
    with pytest.raises(SpecError, match="'bootstrap' is not known"):
        made.joint_test(method="bootstrap", seed=1)
    with pytest.raises(SpecError, match="draws must be"):
        made.joint_test(draws=0, seed=1)
    with pytest.raises(SpecError, match="shoe_size"):
        made.joint_test(cluster="shoe_size", seed=1)
    with pytest.raises(SpecError, match="holds none"):
        replace(made, workbench=None).joint_test(seed=1)
    other = replace(made, frame=made.frame.assign(estimate=made.frame["estimate"] + 1.0))
    with pytest.raises(SpecError, match="do not give the estimates"):
        other.joint_test(seed=1)


def test_summary_and_repr(made):
    text = made.joint_test(seed=1).summary()
    assert "Joint test of 5 specifications (pp per unit of belief)" in text
    assert "all 4 curves under the null" in text
    assert repr(made.joint_test(seed=1)) == "JointTest(sign_flip, 5 specifications, 4 draws)"


def test_power_where_there_is_something_and_size_where_there_is_nothing():
    """Exposure and outcome both cluster by caseworker: signs of caseworkers keep 5 per cent."""
    strong = run(make_panel(5, slope=1.0), CHOICES).joint_test(cluster="caseworker_id", seed=1)
    p = strong.frame.set_index("statistic")["p_value"]
    assert p[["median_estimate", "average_z"]].max() <= 0.02
    # all five are significant, and so alike that under the null all five are in nearly one curve of twenty
    assert strong.frame["observed"][1] == 1.0
    assert p["share_significant"] <= 0.06
    rejected = np.zeros(3)
    for seed in range(40):
        made = run(make_panel(100 + seed), CHOICES[:3])
        test = made.joint_test(cluster="caseworker_id", draws=99, seed=seed)
        rejected += (test.frame["p_value"] <= 0.05).to_numpy()
    assert np.all(rejected / 40 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40))


def test_exposures_of_caseworkers_move_as_a_whole_within_their_cells(made):
    specs = [replace(one, exposure="optimism") for one in CHOICES[:3]]
    panel = make_panel(1)
    bench = run(panel, specs).workbench
    moves = plan_moves(bench, specs, ("jobcentre_id", "period"))
    assert (moves.kind, moves.cells, moves.n_cells) == ("caseworker_id", ("jobcentre_id",), 3)
    donor = draw_donors(moves, np.random.default_rng(0))
    assert sorted(donor) == list(range(12))
    assert (moves.cell[donor] == moves.cell).all()
    after = next(iter(moved(bench, ["optimism"], moves, donor).panels.values())).frame
    before = panel.frame
    assert after.groupby("caseworker_id")["optimism"].nunique().eq(1).all()
    assert not np.array_equal(after["optimism"], before["optimism"])
    for (_, one), (_, two) in zip(after.groupby("jobcentre_id"), before.groupby("jobcentre_id"), strict=True):
        assert sorted(one["optimism"]) == sorted(two["optimism"])
    untouched = [c for c in before if c != "optimism"]
    pd.testing.assert_frame_equal(after[untouched], before[untouched])
    assert np.array_equal(panel.frame["optimism"], before["optimism"])


def test_moved_exposures_give_the_same_curves_on_any_number_of_workers():
    specs = [replace(one, exposure="optimism") for one in CHOICES[:3]]
    made = run(make_panel(1), specs)
    here = made.joint_test(method="permute", draws=6, seed=3)
    there = made.joint_test(method="permute", draws=6, seed=3, compute=jc.LocalCompute(2))
    pd.testing.assert_frame_equal(here.null, there.null)
    assert here.n_clusters == 3
    assert here.cluster == "jobcentre_id"
    assert "Cells without period" in " ".join(here.notes)
    row = here.frame.set_index("statistic").loc["median_estimate"]
    assert row["observed"] == pytest.approx(made.frame["estimate"].median(), rel=1e-9)


def test_single_rows_move_with_a_warning_and_gaps_stay():
    panel = make_panel(1)
    frame = panel.frame.copy()
    frame.loc[frame.index[::7], "belief"] = np.nan
    specs = CHOICES[:2]
    bench = run(AnalysisPanel(frame, pd.DataFrame(), META), specs).workbench
    moves = plan_moves(bench, specs, ("jobcentre_id", "period"))
    assert moves.kind == "row"
    donor = draw_donors(moves, np.random.default_rng(0))
    after = next(iter(moved(bench, ["belief"], moves, donor).panels.values())).frame
    assert after["belief"].isna().equals(frame["belief"].isna())
    assert sorted(after["belief"].dropna()) == sorted(frame["belief"].dropna())
    test = run(panel, specs).joint_test(method="permute", draws=5, seed=1)
    assert any("Single rows change places" in note for note in test.notes)


def test_permuting_is_refused_where_nothing_is_exchangeable():
    def refuse(match, specs, frame=None, scale="unit", **options):
        panel = make_panel(1)
        panel = panel if frame is None else AnalysisPanel(frame(panel.frame), pd.DataFrame(), META)
        with pytest.raises(IdentificationError, match=match):
            run(panel, specs, scale=scale).joint_test(method="permute", draws=3, seed=1, **options)

    refuse("cannot move in one place", [spec(), spec(exposure="z1", covariates=("belief",))], scale="sd")
    refuse("read it as well", [spec(sample="low", conditions=(("belief", "<", 1.0),))])
    refuse(
        "lies between caseworkers",
        [spec()],
        frame=lambda f: f.assign(belief=f["optimism"] + 0.01 * f["z2"]),
    )
    refuse("nothing can change places", [spec(exposure="optimism")], within=("jobcentre_id", "caseworker_id"))
    with pytest.raises(SpecError, match="linear specifications"):
        run(make_panel(1, binary=True), [spec(estimator="logit")]).joint_test(method="permute", seed=1)
    with pytest.raises(SpecError, match="no column shoe_size"):
        run(make_panel(1), [spec()]).joint_test(method="permute", seed=1, within=("shoe_size",))
