"""The workbench against the estimators themselves, called as a user would call them."""

import warnings

import numpy as np
import pandas as pd
import pytest
from multiverse_engine_cases import TERMS, WHOLE, gappy_panel, random_specifications, vcov_of, workbench

from jobchance import build_panel, comparisons, evidence_ladder, fit_glm, fit_mixed, fit_panel, simulate_study
from jobchance.errors import JobchanceError
from jobchance.panel.model import AnalysisPanel
from jobchance.results.vcov import Cluster
from jobchance.sensitivity.multiverse import linear, linear_ground
from jobchance.sensitivity.multiverse.rows import ROW_COLUMNS
from jobchance.sensitivity.multiverse.specification import Specification


@pytest.fixture(scope="module")
def panel():
    return gappy_panel()


def by_hand(spec, panel):
    """The fit of a specification, written down without the workbench; rows are left to the estimators."""
    frame = panel.frame
    for column, _, value in spec.conditions:
        frame = frame[frame[column] == value]
    if spec.waves[1] is not None:
        frame = frame[frame["wave"] <= spec.waves[1]]
    terms = list(spec.covariates)
    if spec.missing == "common":
        frame = frame.dropna(subset=["score", "colour"])
    if spec.missing == "indicator":
        frame = frame.dropna(subset=[spec.exposure, "outcome", *spec.clusters])
        if "score" in terms:
            frame = frame.assign(
                score_missing=frame["score"].isna().astype(float), score=frame["score"].fillna(0)
            )
            terms.append("score_missing")
        if "colour" in terms:
            frame = frame.assign(colour=frame["colour"].fillna("zz"))
    formula = "outcome ~ " + " + ".join([spec.exposure, *terms])
    if spec.estimator == "within":
        return fit_panel(formula, frame, absorb=spec.absorb, vcov=vcov_of(spec))
    if spec.absorb:
        first, *others = spec.absorb
        return fit_panel(formula, frame, entity=first, time=None, absorb=others, vcov=vcov_of(spec))
    return fit_glm(formula, frame, family="gaussian", vcov=vcov_of(spec))


def agrees(row, spec, panel):
    """Compare a row with the fit by hand, or a failure with an error."""
    try:
        fit = by_hand(spec, panel)
        assert spec.exposure in fit.terms
    except (JobchanceError, AssertionError):
        assert row["status"] == "failed", spec
        assert row["reason"]
        return
    assert row["status"] != "failed", (row["reason"], spec)
    assert row["estimate"] == pytest.approx(100 * fit.params[spec.exposure], rel=1e-10, abs=1e-12)
    assert row["df"] == fit.df[spec.exposure]
    # negative eigenvalues are set to zero in the fit's own parameters, which another filling value changes
    if not (spec.missing == "indicator" and any("semi-definite" in note for note in fit.inference.notes)):
        assert row["std_error"] == pytest.approx(100 * fit.std_errors[spec.exposure], rel=1e-9)
        assert row["p_value"] == pytest.approx(fit.pvalues[spec.exposure], rel=1e-7)
        low, high = 100 * fit.conf_int().loc[spec.exposure]
        reach = high - low  # an end may be near zero: what the standard error may be wrong by counts
        assert (row["conf_low"], row["conf_high"]) == pytest.approx((low, high), abs=1e-9 * reach)
    assert row["n_rows"] == fit.nobs
    assert row["n_clusters"] == min(fit.inference.clusters.values(), default=None)
    rows = fit.rows.frame.iloc[fit.rows.used]
    assert row["n_citizens"] == rows["citizen_id"].nunique()
    assert row["n_caseworkers"] == rows["caseworker_id"].nunique()
    assert row["n_jobcentres"] == rows["jobcentre_id"].nunique()
    assert row["n_events"] == rows["outcome"].sum()
    # by hand a filled category has another name, and levels that only lone rows have are left out by name
    if spec.missing != "indicator" and not fit.sample.n_singletons:
        for term in fit.sample.dropped_terms:
            assert term in row["note"]
        assert ("Left out" in row["note"]) == bool(fit.sample.dropped_terms)
    few = min(fit.inference.clusters.values(), default=99) < 30
    for note in fit.inference.notes:
        assert note in row["note"] or (few and note.startswith("Only "))
    assert ("Only " in row["note"]) == few


def test_hundreds_of_random_specifications_agree_with_their_own_fit(panel, monkeypatch):
    specs = random_specifications(260, seed=1)
    bench = workbench(panel, specs)
    shared = []
    real = linear.answer
    monkeypatch.setattr(linear, "answer", lambda *a, **k: shared.append(answer := real(*a, **k)) or answer)
    for spec, row in zip(specs, bench.evaluate(specs), strict=True):
        agrees(row, spec, panel)
    assert sum(answer is not None for answer in shared) > 100  # the shared way was taken, not its fallback


def test_shared_numbers_are_right_in_extended_precision(panel):
    sets = [("birth_year",), ("I(birth_year**2)",), ("I(birth_year**2)", "birth_year"), ("sex",)]
    specs = [Specification(**WHOLE, covariates=one, vcov="cluster:citizen_id") for one in sets]
    bench = workbench(panel, specs)
    for spec, row in zip(specs, bench.evaluate(specs), strict=True):
        assert linear.solve(spec, bench.ground(spec)) is not None
        estimate, error = in_extended_precision(bench.prepared(spec).frame, spec.covariates)
        assert row["estimate"] == pytest.approx(estimate, rel=1e-12)
        assert row["std_error"] == pytest.approx(error, rel=1e-12)


def in_extended_precision(frame, terms):
    """Coefficient of belief and its standard error clustered by citizen, by projections in long double."""
    columns = {name: frame[name].to_numpy().astype(np.longdouble) for name in ("belief", "birth_year", "sex")}
    columns["I(birth_year**2)"] = columns["birth_year"] ** 2
    basis = []

    def rest(values):
        for _ in range(3):
            for q in basis:
                values = values - q * (q @ values)
        return values

    for values in (np.ones(len(frame), np.longdouble), *(columns[term] for term in terms)):
        left = rest(values)
        basis.append(left / np.sqrt(left @ left))
    x = rest(columns["belief"])
    y = rest(frame["outcome"].to_numpy().astype(np.longdouble))
    slope = (x @ y) / (x @ x)
    codes = pd.factorize(frame["citizen_id"])[0]
    psi = np.zeros(codes.max() + 1, np.longdouble)
    np.add.at(psi, codes, x * (y - slope * x) / (x @ x))
    n, G, k = len(x), len(psi), len(basis) + 1
    return 100 * slope, 100 * np.sqrt(psi @ psi * (G / np.longdouble(G - 1)) * (n - 1) / (n - k))


def test_without_sharing_the_numbers_are_those_of_the_fit(panel):
    specs = random_specifications(12, seed=2, per_sample=1)
    bench = workbench(panel, specs)
    assert all(bench.ground(spec) is None for spec in specs)
    for spec, row in zip(specs, bench.evaluate(specs), strict=True):
        agrees(row, spec, panel)


@pytest.mark.parametrize("estimator", ["pooled", "within"])
def test_columns_that_others_determine_go_as_in_the_fit(panel, estimator):
    base = {"estimator": estimator, "absorb": ("wave",)}
    sets = [
        ("birth_year", "twice"),
        ("C(wave)", "birth_year"),
        ("C(jobcentre_id)", "birth_year", "twice"),
        ("C(education)", "sex"),
    ]
    specs = [Specification(**WHOLE, covariates=one, **base) for one in sets]
    bench = workbench(panel, specs)
    for spec, row in zip(specs, bench.evaluate(specs), strict=True):
        assert linear.solve(spec, bench.ground(spec)) is not None
        assert "Left out" in row["note"] or spec.covariates == sets[3]
        agrees(row, spec, panel)


@pytest.mark.parametrize("estimator", ["pooled", "within"])
def test_terms_that_cannot_be_shared_are_fitted(panel, estimator, monkeypatch):
    monkeypatch.setattr(linear_ground, "WIDEST_TERM", 20)
    sets = [
        ("C(caseworker_id)",),  # too wide
        ("birth_year:sex",),  # its coding depends on the terms beside it
        ("birth_year", "birth_year:sex", "sex"),
        ("log(children_at_home)",),  # undefined in some rows
        ("C(sex)", "sex"),  # one column in two forms
        ("belief", "sex"),  # the exposure again
        ("birth_year",),
        ("sex",),
    ]
    specs = [Specification(**WHOLE, covariates=s, estimator=estimator, absorb=("wave",)) for s in sets]
    bench = workbench(panel, specs)
    rows = bench.evaluate(specs)
    for spec, row in zip(specs, rows, strict=True):
        agrees(row, spec, panel)
    assert [linear.solve(one, bench.ground(one)) is not None for one in specs] == [False] * 6 + [True] * 2
    assert "undefined" in rows[3]["reason"]


def test_rows_that_no_panel_may_have_are_refused_in_the_words_of_the_fit(panel):
    twice = pd.concat([panel.frame, panel.frame.iloc[:7].assign(measurement_id="m")], ignore_index=True)
    specs = [
        Specification(**WHOLE, estimator="within", covariates=c)
        for c in ((), ("sex",), ("C(wave)",), ("twice",))
    ]
    doubled = workbench(AnalysisPanel(twice, panel.flow, panel.meta), specs)
    for row in doubled.evaluate(specs):
        assert "share citizen_id and wave" in row["reason"]


def test_crossed_clusters_that_give_no_covariance_are_mended_as_in_the_fit(panel):
    clusters = "cluster:jobcentre_id+wave"
    sets = [
        (),
        ("birth_year",),
        ("C(education)",),
        ("C(education)", "birth_year"),
        ("C(wave)", "C(education)"),
    ]
    specs = [Specification(**WHOLE, covariates=one, vcov=clusters) for one in sets]
    rows = workbench(panel, specs).evaluate(specs)
    assert any("positive semi-definite" in row["note"] for row in rows)
    for spec, row in zip(specs, rows, strict=True):
        assert row["status"] == "warned"
        agrees(row, spec, panel)


def test_logit_and_mixed_estimators(panel):
    common = {"covariates": ("birth_year", "score"), "vcov": "model"}
    specs = [
        Specification(**WHOLE, **common | {"vcov": "cluster:jobcentre_id"}, estimator="logit"),
        Specification(**WHOLE, **common, estimator="mixed", random=("(1 | citizen_id)",)),
        Specification(**WHOLE, **common, estimator="mixed_logit", random=("(1 | jobcentre_id)",)),
        Specification(
            **WHOLE,
            **common | {"vcov": "cluster:citizen_id"},
            estimator="mixed",
            random=("(1 | citizen_id)",),
        ),
    ]
    bench = workbench(panel, specs, scale="sd", level=0.9)
    logit, mixed, mixed_logit, clustered = bench.evaluate(specs)
    frame = panel.frame
    sd = float(frame.loc[frame["outcome"].notna(), "belief"].std())
    formula = "outcome ~ belief + birth_year + score"
    fit = fit_glm(formula, frame, family="binomial", vcov=vcov_of(specs[0]))
    below = fit.rows.frame.iloc[fit.rows.used].assign(belief=lambda d: d["belief"] - sd / 2)
    found = comparisons(fit, "belief", data=below, contrast=sd, level=0.9).iloc[0]
    assert logit["estimate"] == pytest.approx(found["estimate_pp"], rel=1e-9)
    assert (logit["conf_low"], logit["conf_high"]) == pytest.approx(
        (found["conf_low_pp"], found["conf_high_pp"])
    )
    assert logit["p_value"] == pytest.approx(found["p_value"])
    fit = fit_mixed(formula + " + (1 | citizen_id)", frame)
    assert mixed["estimate"] == pytest.approx(100 * sd * fit.params["belief"], rel=1e-9)
    assert mixed["std_error"] == pytest.approx(100 * sd * fit.std_errors["belief"], rel=1e-9)
    assert mixed["df"] == pytest.approx(fit.df["belief"])
    assert clustered["std_error"] == pytest.approx(
        100 * sd * fit.with_vcov(vcov_of(specs[3])).std_errors["belief"], rel=1e-9
    )
    fit = fit_mixed(formula + " + (1 | jobcentre_id)", frame, family="binomial")
    below = fit.rows.frame.iloc[fit.rows.used].assign(belief=lambda d: d["belief"] - sd / 2)
    found = comparisons(fit, "belief", data=below, contrast=sd, level=0.9).iloc[0]
    assert mixed_logit["estimate"] == pytest.approx(found["estimate_pp"], rel=1e-9)
    assert mixed_logit["std_error"] == pytest.approx(100 * found["std_error"], rel=1e-9)
    assert {row["unit"] for row in (logit, mixed, mixed_logit)} == {"pp per sd of belief"}


def test_a_logit_can_stand_beside_a_linear_model():
    """By hand: half a step to either side. One step upwards would say 8.5 where the slope is 5.7."""
    panel = build_panel(simulate_study(seed=1, n_citizens=1500))
    specs = [Specification(**WHOLE, estimator=one, vcov="robust") for one in ("pooled", "logit")]
    linear_row, logit = workbench(panel, specs, scale="sd").evaluate(specs)
    rows = panel.frame.dropna(subset=["outcome", "belief"])
    x, sd = rows["belief"].to_numpy(float), rows["belief"].std()
    fit = fit_glm("outcome ~ belief", rows, family="binomial")
    a, b = fit.params
    known = 100 * np.mean(1 / (1 + np.exp(-a - b * (x + sd / 2))) - 1 / (1 + np.exp(-a - b * (x - sd / 2))))
    assert logit["estimate"] == pytest.approx(known, rel=1e-8)
    assert logit["estimate"] == pytest.approx(linear_row["estimate"], rel=0.1)


@pytest.mark.parametrize("estimator", ["pooled", "within", "logit"])
@pytest.mark.parametrize("kind", ["CR2", "CR3", "jackknife"])
def test_kinds_of_clustered_standard_errors_are_those_of_the_fit(panel, estimator, kind):
    absorb = () if estimator == "logit" else ("wave",)
    base = WHOLE | {"estimator": estimator, "absorb": absorb, "covariates": ("relation_weeks",)}
    plain = [Specification(**base, vcov=v) for v in ("model", "robust", "cluster:jobcentre_id")]
    spec = Specification(**base, vcov=f"cluster:jobcentre_id:{kind}")
    assert (spec.clusters, spec.cluster_kind) == (("jobcentre_id",), kind)
    row = workbench(panel, [*plain, spec, spec]).evaluate([spec])[0]
    if (estimator, kind) == ("logit", "jackknife"):
        assert row["status"] == "failed"
        assert "exact for least squares only" in row["reason"]
        return
    fit = by_hand(spec, panel) if estimator != "logit" else None
    if fit is None:
        fit = fit_glm(
            "outcome ~ belief + relation_weeks",
            panel.frame,
            family="binomial",
            vcov=Cluster("jobcentre_id", kind=kind),
        )
        below = fit.rows.frame.iloc[fit.rows.used].assign(belief=lambda d: d["belief"] - 0.5)
        known = comparisons(fit, "belief", data=below, contrast=1.0).iloc[0]
        assert row["std_error"] == pytest.approx(100 * known["std_error"], rel=1e-9)
        assert row["df"] == pytest.approx(known["df"], rel=1e-9)
    else:
        assert row["std_error"] == pytest.approx(100 * fit.std_errors["belief"], rel=1e-9)
        assert row["df"] == pytest.approx(fit.df["belief"], rel=1e-9)
    assert row["status"] == "warned"
    assert "Only 10 clusters of jobcentre_id: run wild_bootstrap" in row["note"]


def test_few_clusters_are_told_alike_whether_work_is_shared_or_not(panel):
    specs = [
        Specification(**WHOLE, covariates=terms, vcov="cluster:jobcentre_id")
        for terms in ((), ("birth_year",), ("sex",), ("relation_weeks",))
    ]
    notes = {row["note"] for row in workbench(panel, specs).evaluate(specs)}
    notes |= {row["note"] for row in workbench(panel, specs[:1]).evaluate(specs[:1])}
    assert len(notes) == 1
    assert "Add 'cluster:jobcentre_id:CR2' to vcov" in notes.pop()


def test_integrated_differences_have_no_clustered_standard_errors(panel):
    kind = {"estimator": "mixed_logit", "random": ("(1 | jobcentre_id)",), "vcov": "cluster:jobcentre_id"}
    spec = Specification(**WHOLE, **kind)
    (row,) = workbench(panel, [spec]).evaluate([spec])
    assert row["status"] == "failed"
    assert "joint covariance" in row["reason"]


def test_the_step_is_one_number_for_a_panel_and_never_for_a_sample(panel):
    specs = [
        Specification(**WHOLE, waves=waves, vcov=vcov)
        for waves in ((None, None), (1, 1))
        for vcov in ("model", "cluster:jobcentre_id")
    ]
    per_sd = workbench(panel, specs, scale="sd").evaluate(specs)
    per_one = workbench(panel, specs, scale="unit").evaluate(specs)
    sd = float(panel.frame.loc[panel.frame["outcome"].notna(), "belief"].std())
    for scaled, plain in zip(per_sd, per_one, strict=True):
        assert scaled["estimate"] == pytest.approx(sd * plain["estimate"])
        assert scaled["std_error"] == pytest.approx(sd * plain["std_error"])
        assert scaled["p_value"] == pytest.approx(plain["p_value"])


def test_a_rung_of_the_ladder_is_its_line_with_its_verdict():
    panel = gappy_panel(n_citizens=900)
    spec = Specification(
        **WHOLE,
        covariates=("C(education)", "birth_year"),
        estimator="rung:adjusted",
        vcov="own",
        waves=(1, 3),
    )
    refused = Specification(
        **WHOLE,
        estimator="rung:two_raters",
        vcov="own",
        sample="none",
        conditions=(("wave", "==", 1.0), ("sex", "==", 1.0)),
    )
    row, no = workbench(panel, [spec, refused]).evaluate([spec, refused])
    restricted = AnalysisPanel(panel.frame[panel.frame["wave"] <= 3], panel.flow, panel.meta)
    line = evidence_ladder(restricted, covariates=["education", "birth_year"], rungs=["adjusted"]).frame.iloc[
        0
    ]
    assert [
        row[c] for c in ("estimate", "std_error", "p_value", "conf_low", "conf_high", "unit", "verdict")
    ] == [line[c] for c in ("estimate", "std_error", "p_value", "conf_low", "conf_high", "unit", "verdict")]
    assert (row["n_rows"], row["n_citizens"]) == (line["N_rows"], line["N_citizens"])
    assert row["n_events"] > 0
    assert no["status"] == "failed"
    assert no["verdict"] in ("not identified here", "")
    assert no["reason"]


BAD = {
    "does not vary within": {"exposure": "expectation_between", "estimator": "within"},
    "no number": {"exposure": "period"},
    "not known": {"vcov": "clustered"},
    "random-effects": {"estimator": "mixed", "vcov": "model"},
    "is not known": {"estimator": "magic"},
    "leave none": {"conditions": (("sex", "==", 9.0),)},
    "compares it with text": {"conditions": (("wave", "==", "one"),)},
    "has no order": {"conditions": (("education", "<", "primary"),)},
    "Comparison": {"conditions": (("wave", "~", 1.0),)},
    "alone in a level": {"estimator": "within", "absorb": ("measurement_id",)},
    "same value": {"conditions": (("outcome", "==", 0.0),)},
    "asks for column __class__": {"conditions": (("__class__", "==", 0.0),)},
    "are not in the data": {"covariates": ("C(education, ref='x')", "nothing")},
}


@pytest.mark.parametrize("scale", ["sd", "unit"])
def test_nothing_raises_and_no_reason_names_a_person(panel, scale):
    from jobchance.sensitivity.multiverse.workbench import Workbench

    specs = [Specification(**WHOLE | change) for change in BAD.values()]
    good = Specification(**WHOLE)
    bench = Workbench({("job", 52, "not_in_job"): panel}, scale=scale, level=0.95, common_covariates=TERMS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = bench.evaluate([*specs, good])
    assert rows[-1]["status"] in ("ok", "warned")
    persons = set(panel.frame["citizen_id"]) | set(panel.frame["measurement_id"])
    for row, words in zip(rows, BAD, strict=False):
        assert tuple(sorted(row)) == tuple(sorted(ROW_COLUMNS))
        assert row["status"] == "failed"
        assert np.isnan(row["estimate"])
        if scale == "sd" or words != "no number":
            assert words in row["reason"] or "no column nothing" in row["reason"], (words, row["reason"])
        assert not persons & set(row["reason"].replace(",", " ").split())


def test_of_a_foreign_error_only_type_and_place_are_told(panel, monkeypatch):
    spec = Specification(**WHOLE)
    bench = workbench(panel, [spec])

    def breaks(*_, **__):
        raise ZeroDivisionError("citizen 42 divided by zero")

    monkeypatch.setattr("jobchance.sensitivity.multiverse.workbench.fit_linear", breaks)
    (row,) = bench.evaluate([spec])
    assert row["reason"].startswith("ZeroDivisionError")
    assert "42" not in row["reason"].replace("line", "")


def test_the_hash_is_that_of_the_set_of_rows(panel):
    specs = [
        Specification(**WHOLE),
        Specification(**WHOLE, covariates=("birth_year",), estimator="logit"),
        Specification(**WHOLE, covariates=("score",)),
        Specification(**WHOLE, waves=(1, 3)),
        Specification(**WHOLE, sample="early", conditions=(("wave", "in", (1.0, 2.0, 3.0)),)),
        Specification(**WHOLE, sample="early", conditions=(("wave", "<=", 3.0), ("wave", "!=", 0.0))),
    ]
    hashes = [row["sample_hash"] for row in workbench(panel, specs).evaluate(specs)]
    assert hashes[0] == hashes[1]
    assert hashes[3] == hashes[4] == hashes[5]
    assert len({hashes[0], hashes[2], hashes[3]}) == 3
    mixed_up = AnalysisPanel(panel.frame.sample(frac=1, random_state=1), panel.flow, panel.meta)
    assert [row["sample_hash"] for row in workbench(mixed_up, specs).evaluate(specs)] == hashes
    other = panel.frame.assign(score=panel.frame["score"] + 1)  # rows alike, panel another: salted
    salted = workbench(AnalysisPanel(other, panel.flow, panel.meta), specs).evaluate(specs)
    assert not set(hashes) & {row["sample_hash"] for row in salted}


def test_missing_values_never_fulfil_a_condition(panel):
    specs = [
        Specification(**WHOLE, conditions=(("colour", "!=", "red"),)),
        Specification(**WHOLE, conditions=(("colour", "in", ("green", "blue")),)),
        Specification(**WHOLE, conditions=(("score", "<", 2.0),)),
    ]
    bench = workbench(panel, specs)
    frame = panel.frame
    known = frame[["outcome", "belief", "caseworker_id"]].notna().all(axis=1)
    expected = [frame["colour"].isin(["green", "blue"])] * 2 + [frame["score"] < 2]
    for spec, rule in zip(specs, expected, strict=True):
        assert bench.sample(spec).positions.tolist() == np.flatnonzero(known & rule).tolist()


def test_a_study_gives_every_panel_and_a_panel_only_itself(panel):
    study = simulate_study(seed=4, n_citizens=400)
    specs = [
        Specification(**WHOLE | {"horizon_weeks": weeks}, covariates=("birth_year",)) for weeks in (26, 52)
    ]
    bench = workbench(study, specs)
    short, long = bench.evaluate(specs)
    assert set(bench.panels) == {("job", 26, "not_in_job"), ("job", 52, "not_in_job")}
    assert short["n_events"] < long["n_events"]
    with pytest.raises(JobchanceError, match="Give the Study"):
        workbench(panel, specs)
    with pytest.raises(JobchanceError, match="no column shoe_size"):
        workbench(panel, [Specification(**WHOLE, covariates=("shoe_size",))])


def test_nothing_of_the_rows_is_printed(panel):
    spec = Specification(**WHOLE)
    bench = workbench(panel, [spec])
    drawn = bench.sample(spec)
    text = (
        repr(bench) + repr(drawn) + repr(bench.prepared(spec)) + repr(bench.influence([spec], "jobcentre_id"))
    )
    assert not any(citizen in text for citizen in panel.frame["citizen_id"].unique())
    assert len(text) < 2000
    assert isinstance(bench.panels[("job", 52, "not_in_job")].frame, pd.DataFrame)
