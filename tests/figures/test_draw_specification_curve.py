"""F83, the specification curve: few, many and very many specifications, and what its words may claim."""

import numpy as np
import pandas as pd
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw
from matplotlib.collections import PathCollection

from jobchance.errors import SpecError
from jobchance.figures import _spec_curve_words as say
from jobchance.figures import _spec_grid as grid
from jobchance.figures import _spec_words as words
from jobchance.figures.specification_curve import REQUIRED
from jobchance.labels.load import label_table

NAME = "specification_curve"
DIMENSIONS = (
    "outcome", "horizon_weeks", "at_risk", "exposure", "covariates", "sample", "waves", "estimator", "absorb",
    "random", "vcov", "missing",
)  # fmt: skip
TERMS = ("C(education)", "age", "health", "sex")


def made(n, *, shift=1.5, seed=0, main=None, **constants):
    """A frame as `specification_frame` makes it, with n specifications."""
    rng = np.random.default_rng(seed)
    estimator = rng.choice(["pooled", "within", "logit"], n)
    sets = [" + ".join(t for t in TERMS if rng.random() < 0.5) for _ in range(n)]
    estimate = shift - 1.2 * (estimator == "within") + rng.normal(0, 0.3, n)
    half = 1.0 + 0.8 * (estimator == "within")
    choices = {name: np.full(n, "all", dtype=object) for name in DIMENSIONS} | {
        "outcome": "job", "horizon_weeks": "52", "at_risk": "not_in_job", "exposure": "belief",
        "covariates": sets, "estimator": estimator, "absorb": "", "random": "", "missing": "complete",
        "vcov": rng.choice(["robust", "cluster:caseworker_id+citizen_id"], n),
    }  # fmt: skip
    frame = pd.DataFrame({f"choice_{name}": values for name, values in choices.items()})
    frame = frame.assign(
        estimate=estimate, std_error=half / 1.96, conf_low=estimate - half, conf_high=estimate + half,
        p_value=0.04, status="ok", verdict="", N_citizens=2000.0, N_events=500.0,
    ).sort_values("estimate", ignore_index=True)  # fmt: skip
    place = n // 2 if main is None else main
    shares = {f"explained_{name}": np.nan for name in DIMENSIONS}
    shares |= {"explained_estimator": 0.7, "explained_covariates": 0.1, "explained_vcov": 0.0}
    context = {
        "unit": "pp per sd of belief", "conf_level": 0.95, "specifications": n + 3, "failed": 3,
        "in_other_unit": 0, "typical_estimate": float(frame["estimate"].median()), "reference": "main",
        "same_sign": 0.97, "same_both": 0.8, "p_typical": 0.002, "p_significant": 0.013, "p_average": 0.0004,
        "joint_method": "sign_flip", "joint_clusters": 300, "estimand": "predictive", "outcome": "job",
        "horizon_weeks": 52, "respondent": "caseworker", "population": "all_at_risk", "interval": "none",
        "N_citizens_total": 4000, "N_caseworkers_total": 300, "N_jobcentres_total": 10, "study_name": "x",
        "study_source": "x", "data_kind": "simulated", "suppressed": False,
    }  # fmt: skip
    return frame.assign(
        rank=np.arange(1, n + 1), is_main=frame.index == place, **shares | context | constants
    )


@pytest.fixture(scope="module")
def few():
    return made(24)


@pytest.fixture(scope="module")
def many():
    return made(1000)


@pytest.mark.parametrize("n", [1, 24, 1000])
def test_prints_well_in_both_languages(n):
    assert_prints_well(NAME, made(n))


def test_redraws_from_csv(few):
    assert set(REQUIRED) <= set(few.columns)
    assert_redraws_from_csv(NAME, few)


def test_points_and_intervals_are_those_of_the_frame(few):
    curve, _ = draw(NAME, few).axes
    points = [one for one in curve.collections if isinstance(one, PathCollection)]
    drawn = np.concatenate([one.get_offsets() for one in points[:2]])
    drawn = drawn[np.argsort(drawn[:, 0])]
    np.testing.assert_allclose(drawn[:, 1], few["estimate"])
    main = points[2].get_offsets()
    np.testing.assert_allclose(main, [[12, few["estimate"].iloc[12]]])
    assert len(points[0].get_offsets()) == ((few["conf_low"] > 0) | (few["conf_high"] < 0)).sum()


def test_the_grid_marks_what_was_chosen(few):
    found = grid.dimensions(few, "en")
    assert [one.text for one in found] == ["Model", "Adjusted for", "Uncertainty computed"]
    model = {row.text: row.used for row in found[0].rows}
    assert set(model) == {"linear", "logit", "same citizen over time"}
    assert (model["logit"] == (few["choice_estimator"] == "logit")).all()
    assert sum(model.values()).tolist() == [1] * 24
    adjusted = {row.text: row.used for row in found[1].rows}
    assert (adjusted["age"] == few["choice_covariates"].str.contains("age")).all()


def test_many_options_become_at_most_nine_rows():
    frame = made(100).assign(choice_sample=[f"sample_{i % 15:02d}" for i in range(100)])
    (rows,) = [one.rows for one in grid.dimensions(frame, "da") if one.text == "Udsnit"]
    assert len(rows) == 9
    assert rows[-1].text == "andre (7)"
    assert sum(row.used.astype(int) for row in rows).tolist() == [1] * 100


def test_many_specifications_become_tones_and_a_band(many):
    figure = draw(NAME, many, "en")
    curve, strips = figure.axes
    meshes = [one for one in strips.collections if hasattr(one, "get_array") and one.get_array() is not None]
    rows = sum(len(one.rows) for one in grid.dimensions(many, "en"))
    assert len(meshes) == rows
    assert all(0 <= mesh.get_array().min() <= mesh.get_array().max() <= 1 for mesh in meshes)
    assert len(curve.get_lines()) < 10
    assert "The darker a strip" in figure.description.note


def test_no_text_claims_an_effect(few):
    for lang in ("da", "en"):
        text = draw(NAME, few, lang).description
        rest = f"{text.headline} {text.subtitle} {text.note} {text.alt}".lower()
        for allowed in ("sammenhæng, ikke effekt", "association, not effect"):
            rest = rest.replace(allowed, "")
        assert "effe" not in rest
    for table in label_table():
        if table.startswith((f"figure.{NAME}.", "multiverse.")):
            assert all("effe" not in text.lower() for text in label_table()[table].values())
    credible = say.caution(few.assign(verdict="credible under stated assumptions"), "en")
    assert "Association, not effect" not in credible
    assert "credible under their stated assumptions" in credible
    one_is_not = few["verdict"].where(few.index != 5, "credible under stated assumptions")
    assert "Association, not effect" in say.caution(few.assign(verdict=one_is_not), "en")


@pytest.mark.parametrize(
    ("sign", "both", "main", "headline"),
    [
        (1.0, 1.0, 23, "The result holds across choices: 100% of the analyses say the same"),
        (1.0, 1.0, 0, "The association is uncertain, whichever choices are made"),
        (0.999, 0.5, 23, "The direction holds across choices, but the certainty depends on them"),
        (0.8, 0.5, 23, "80% of the analyses point the same way as the main analysis, but not all"),
        (0.4, 0.2, 23, "The result depends on the choices: only 40% point the same way as the main analysis"),
    ],
)
def test_headline_follows_the_agreement(sign, both, main, headline):
    frame = made(24, main=main, same_sign=sign, same_both=both)
    assert say.headline(frame, "en") == headline


def test_the_note_holds_what_was_run_agrees_and_matters(few):
    note = draw(NAME, few, "en").description.note
    for words_ in (
        "27 analyses were run. 3 gave no number.",
        "97% have the main analysis's sign, 80% also its answer",
        "the median p = 0.002",
        "the average z p < 0.001",
        "“Model” explains 70% and “Adjusted for” explains 10%",
        "share their data",
    ):
        assert words_ in note.replace("\N{NO-BREAK SPACE}", " ")
    assert say.joint(few.assign(p_typical=np.nan), "en") == ""


def test_all_but_one_is_never_rounded_up_to_all(few):
    assert "99% have" in say.agreeing(few.assign(same_sign=0.9996), "en")


def test_hidden_specifications_are_not_drawn_and_are_counted(few):
    frame = few.copy()
    gone = frame.index[[3, 5]]
    frame.loc[gone, ["estimate", "std_error", "conf_low", "conf_high", "p_value", "N_citizens"]] = np.nan
    frame.loc[gone, "suppressed"] = True
    figure = draw(NAME, frame, "en")
    points = [one for one in figure.axes[0].collections if isinstance(one, PathCollection)]
    assert sum(len(one.get_offsets()) for one in points[:2]) == 22
    assert "2 are hidden for confidentiality." in figure.description.note
    frame["estimate"] = np.nan
    with pytest.raises(SpecError, match="no specification has an estimate"):
        draw(NAME, frame)


def test_a_few_endless_intervals_do_not_flatten_the_curve():
    frame = made(200)
    frame.loc[3, "conf_high"] = 5000.0
    figure = draw(NAME, frame, "en")
    assert figure.axes[0].get_ylim()[1] < 20
    assert "Intervals that reach beyond the figure: 3." in figure.description.note


def test_names_of_options():
    assert words.option_name("absorb", "caseworker_id + wave", "da") == "sagsbehandler + målerunde"
    assert (
        words.option_name("random", "(1 | caseworker_id) + (1 | jobcentre_id)", "en")
        == "caseworker + jobcentre"
    )
    assert words.option_name("random", "(1 + belief | caseworker_id)", "en") == "caseworker (1 + belief)"
    assert words.option_name("estimator", "rung:leniency", "en") == "design: the caseworker's optimism"
    assert words.option_name("vcov", "cluster:caseworker_id+citizen_id", "da") == (
        "med klynger: sagsbehandler og borger"
    )
    assert words.option_name("horizon_weeks", "26", "en") == "26 weeks"
    assert words.option_name("covariates", "", "en") == "nothing"
    assert words.option_name("sample", "long_relation", "en") == "long relation"
    assert words.term_name("C(my_own_column)", "en") == "my own column"
