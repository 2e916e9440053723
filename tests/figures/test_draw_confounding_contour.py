"""F86: the lines go where the formulas say, benchmarks stand where they should, and the words follow."""

import numpy as np
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw

import jobchance as jc
from jobchance.disclosure.check import check
from jobchance.errors import DisclosureError, SpecError
from jobchance.findings.confounding_contour import COLUMNS, LEFT, confounding_contour_frame
from jobchance.sensitivity.confounding import robustness_value
from jobchance.sensitivity.confounding_adjusted import adjusted_estimate
from jobchance.sensitivity.confounding_bounds import confounder_bounds

POLICY = jc.DisclosurePolicy.preset("cautious_dk")
NAME = "confounding_contour"
BENCHMARKS = ["education", "job_education_share_5y", ["sex", "birth_year"]]
FORMULA = "outcome ~ belief + sex + birth_year + C(education) + job_education_share_5y"


@pytest.fixture(scope="module")
def made():
    study = jc.simulate_study(seed=3, n_citizens=1500)
    panel = jc.build_panel(study, covariates=["sex", "birth_year", "education", "job_education_share_5y"])
    return study, panel, jc.fit_glm(FORMULA, panel.frame, family="binomial", link="identity")


def framed(made, fit=None, **options):
    study, panel, own = made
    return confounding_contour_frame(fit or own, "belief", study, panel, policy=POLICY, **options)


@pytest.fixture(scope="module")
def frame(made):
    return framed(made, benchmarks=BENCHMARKS, exposure=("sagsbehandlerens tro", "the caseworker's belief"))


@pytest.fixture(scope="module")
def many(made):
    return framed(made, benchmarks=[*BENCHMARKS, "sex", "birth_year"], kd=(1, 3))


def test_prints_well_in_both_languages_with_many_marks_and_with_none(made, many):
    for one in (many, framed(made)):
        assert_prints_well(NAME, one)


def test_redraws_from_csv(made):
    assert_redraws_from_csv(NAME, framed(made, benchmarks=["education"]))


def test_lines_leave_what_they_say(made, frame):
    _, _, fit = made
    for line, left in LEFT.items():
        points = frame[frame["line"] == line]
        assert len(points) > 10
        found = adjusted_estimate(fit, "belief", r2dz_x=points["r2_exposure"], r2yz_dx=points["r2_outcome"])
        # the frame is rounded to its six significant digits
        np.testing.assert_allclose(
            found["adjusted_estimate"], left * fit.params["belief"], atol=1e-4 * fit.params["belief"]
        )


def test_line_of_significance(made, frame):
    _, _, fit = made
    plain = fit.with_vcov("model")
    points = framed(made, plain)
    points = points[points["line"] == "not_significant"]
    found = adjusted_estimate(plain, "belief", r2dz_x=points["r2_exposure"], r2yz_dx=points["r2_outcome"])
    np.testing.assert_allclose(found["conf_low"], 0, atol=1e-4 * plain.params["belief"])
    # clustered errors are larger here, so less is needed
    ratio = fit.std_errors["belief"] / plain.std_errors["belief"]
    own = frame.set_index("mark").loc["value_alpha", "r2_exposure"]
    assert (own < robustness_value(plain, "belief").value_alpha) == (ratio > 1)


def test_marks_are_the_robustness_value_and_the_bounds(made, frame):
    _, _, fit = made
    found = robustness_value(fit, "belief")
    value = frame.set_index("mark").loc["value"]
    assert value["r2_exposure"] == value["r2_outcome"] == pytest.approx(found.value, rel=1e-5)
    assert frame.set_index("mark").loc["value_alpha", "r2_exposure"] == pytest.approx(
        found.value_alpha_design, rel=1e-5
    )
    bounds = confounder_bounds(fit, "belief", benchmarks=BENCHMARKS, kd=1)
    rows = frame[frame["mark"] == "benchmark"]
    np.testing.assert_allclose(rows["r2_exposure"], bounds["r2dz_x"], rtol=1e-5)
    np.testing.assert_allclose(rows["estimate"], 100 * bounds["adjusted_estimate"], rtol=1e-5)


def test_what_is_drawn_is_the_frame_on_the_scale_of_the_root(frame):
    (ax,) = draw(NAME, frame, "en").axes
    diamonds = [line for line in ax.lines if line.get_marker() == "D"]
    rows = frame[frame["mark"] == "benchmark"]
    drawn = np.concatenate([np.column_stack(line.get_data()) for line in diamonds])
    np.testing.assert_allclose(drawn**2, rows[["r2_exposure", "r2_outcome"]], rtol=1e-9)
    nothing = frame[frame["line"] == "nothing"]
    curves = [
        np.column_stack(line.get_data()) ** 2 for line in ax.lines if len(line.get_xdata()) == len(nothing)
    ]
    expected = nothing[["r2_exposure", "r2_outcome"]].to_numpy(dtype=float)
    assert any(np.allclose(curve, expected) for curve in curves)
    words = [text.get_text() for text in ax.texts]
    assert {"A", "B", "C", "75%", "50%", "25%"} <= set(words)


def test_frame_passes_disclosure_control_and_holds_no_rows(frame):
    assert check(frame, POLICY, output=NAME) == []
    assert list(frame.columns[: len(COLUMNS)]) == list(COLUMNS)
    assert frame["N_citizens"].nunique() == 1


def test_too_few_are_hidden_altogether(made):
    study, panel, _ = made
    few = panel.frame[panel.frame["outcome"].notna()].drop_duplicates("citizen_id")
    jobs, others = few[few["outcome"] == 1].head(3), few[few["outcome"] == 0].head(200)
    fit = jc.fit_glm("outcome ~ belief", few.loc[[*jobs.index, *others.index]], family="gaussian")
    with pytest.raises(DisclosureError, match="too few"):
        confounding_contour_frame(fit, "belief", study, panel, policy=POLICY)


def test_headline_follows_the_strongest_benchmark(frame, made):
    def said(one):
        # words are those of the marks; without the lines a drawing takes half the time
        return draw(NAME, one[one["mark"] != "contour"], "en").description.headline

    assert "would still be left" in said(frame)
    assert "share of the last five years" in said(frame)
    turned = frame.copy()
    own = float(frame.loc[frame["mark"] == "estimate", "estimate"].iloc[0])
    turned.loc[turned["mark"] == "benchmark", "estimate"] = [0.3 * own, own, own]
    assert "only 30% of the association" in said(turned)
    assert "would have to explain" in said(framed(made))


def test_a_negative_or_uncertain_association(made):
    study, panel, _ = made
    turned = panel.frame.assign(belief=6 - panel.frame["belief"])
    fit = jc.fit_glm(FORMULA, turned, family="gaussian")
    one = confounding_contour_frame(fit, "belief", study, panel, policy=POLICY, benchmarks=["education"])
    assert "would still be left" in draw(NAME, one, "en").description.headline
    weak = jc.fit_glm("outcome ~ birth_year + belief", panel.frame, family="gaussian")
    frame = confounding_contour_frame(weak, "birth_year", study, panel, policy=POLICY)
    assert draw(NAME, frame, "en").description.headline


def test_refusals(made, frame):
    with pytest.raises(SpecError, match="several columns"):
        framed(made, benchmarks="education")
    with pytest.raises(SpecError, match="twice"):
        framed(made, benchmarks=["education", "education"])
    with pytest.raises(SpecError, match="hidden"):
        draw(NAME, frame.assign(estimate=np.nan))
