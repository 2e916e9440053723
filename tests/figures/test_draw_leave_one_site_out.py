import pickle

import numpy as np
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw

import jobchance as jc
from jobchance.disclosure.check import check
from jobchance.errors import SpecError
from jobchance.findings.leave_one_site_out import leave_one_out_frame

NAME = "leave_one_site_out"
POLICY = jc.DisclosurePolicy.preset("cautious_dk")


@pytest.fixture(scope="module")
def fit(bip_panel):
    return jc.fit_glm(
        "outcome ~ belief + C(jobcentre_id)",
        bip_panel.frame,
        family="gaussian",
        vcov=jc.Cluster("caseworker_id"),
    )


@pytest.fixture(scope="module")
def frames(fit, bip_study, bip_panel):
    def made(group):
        result = jc.leave_one_out(fit, group, term="belief")
        return leave_one_out_frame(result, fit, bip_study, bip_panel, policy=POLICY)

    return {group: made(group) for group in ("jobcentre_id", "caseworker_id", "citizen_id", "wave")}


@pytest.mark.parametrize("group", ["jobcentre_id", "caseworker_id", "citizen_id", "wave"])
def test_prints_well_and_passes_disclosure(frames, group):
    assert check(frames[group], POLICY, output=NAME) == []
    assert_prints_well(NAME, frames[group])
    assert_redraws_from_csv(NAME, frames[group])


def test_points_are_the_estimates_without_each_jobcentre(frames, fit, bip_panel):
    points = frames["jobcentre_id"].query("mark == 'point'")
    brute = sorted(
        jc.fit_glm(
            "outcome ~ belief + C(jobcentre_id)",
            bip_panel.frame[bip_panel.frame["jobcentre_id"] != left],
            family="gaussian",
        ).params["belief"]
        for left in bip_panel.frame["jobcentre_id"].dropna().unique()
    )
    np.testing.assert_allclose(points["estimate"], brute, rtol=1e-6)
    assert list(points["left_out"]) == [str(place) for place in range(1, len(brute) + 1)]


def test_persons_are_never_points(frames):
    for group in ("caseworker_id", "citizen_id"):
        bins = frames[group].query("mark != 'all'")
        assert set(bins["mark"]) == {"bin"}
        assert bins["N_levels"].min() >= POLICY.min_persons
        assert bins["level_share"].sum() == pytest.approx(1, abs=1e-5)
        inner = bins["estimate_to"].to_numpy()[:-1]
        np.testing.assert_allclose(inner, bins["estimate"].to_numpy()[1:])


def test_few_persons_left_out_are_hidden(frames):
    waves = frames["wave"].query("mark == 'point'")
    assert waves["suppressed"].any()
    assert waves.loc[waves["suppressed"], ["estimate", "conf_low", "N_citizens"]].isna().all(axis=None)
    assert list(waves["left_out"])[:3] == ["1", "2", "3"]


def test_a_lone_hidden_point_takes_company_and_its_rank_is_not_told(bip_study, bip_panel):
    data = bip_panel.frame.copy()
    few = data.index[data["jobcentre_id"].notna()][1000:1006]
    data.loc[few, "jobcentre_id"] = "Canaryborg"
    fit = jc.fit_glm("outcome ~ belief", data, family="gaussian", vcov=jc.Cluster("caseworker_id"))
    made = jc.leave_one_out(fit, "jobcentre_id")
    assert 0 < list(made.levels).index("Canaryborg") < len(made.frame) - 1
    frame = leave_one_out_frame(made, fit, bip_study, bip_panel, policy=POLICY)
    points = frame.query("mark == 'point'")
    assert points["suppressed"].tolist() == [False] * 9 + [True] * 2
    assert points["left_out"].tolist() == [str(place) for place in range(1, 12)]
    shown = points.loc[~points["suppressed"], "estimate"]
    assert shown.is_monotonic_increasing
    assert check(frame, POLICY, output=NAME) == []
    for lang in ("da", "en"):
        figure = draw(NAME, frame, lang)
        assert "Canary" not in frame.to_csv() + str(figure.description)
    assert_prints_well(NAME, frame)


def test_rounds_stay_points_though_one_has_a_single_citizen(bip_study, bip_panel):
    data = bip_panel.frame.assign(wave=lambda d: d["wave"].clip(upper=4))
    lone = data.index[data["outcome"].notna() & data["belief"].notna()][0]
    data.loc[lone, "wave"] = 9
    fit = jc.fit_glm("outcome ~ belief", data, family="gaussian", vcov=jc.Cluster("caseworker_id"))
    frame = leave_one_out_frame(
        jc.leave_one_out(fit, "wave"), fit, bip_study, bip_panel, policy=POLICY
    ).query("mark == 'point'")
    assert len(frame) == data.loc[data["outcome"].notna() & data["belief"].notna(), "wave"].nunique()
    assert frame["suppressed"].sum() == 2
    assert frame["suppressed"].iloc[-1]


def test_so_few_caseworkers_that_no_bin_can_be_shown(bip_study, bip_panel):
    known = bip_panel.frame.dropna(subset=["outcome", "belief"])
    some = known["caseworker_id"].value_counts().index[:4]
    part = known[known["caseworker_id"].isin(some)]
    fit = jc.fit_glm("outcome ~ belief", part, family="gaussian", vcov="model")
    frame = leave_one_out_frame(
        jc.leave_one_out(fit, "caseworker_id"), fit, bip_study, bip_panel, policy=POLICY
    )
    bins = frame.query("mark == 'bin'")
    assert bins["suppressed"].all()
    assert bins[["estimate", "estimate_to", "level_share"]].isna().all(axis=None)
    assert_prints_well(NAME, frame)


def test_the_headline_says_whether_the_sign_stays(frames):
    same = frames["jobcentre_id"]
    assert draw(NAME, same).description.headline.startswith("Sammenhængen beholder sit fortegn")
    turned = same.copy()
    points = turned["mark"] == "point"
    turned.loc[points, "estimate"] -= turned.loc[points, "estimate"].median()
    turned.loc[turned["mark"] == "all", "estimate"] = 0.001
    assert "changes sign at least once" in draw(NAME, turned, "en").description.headline


def test_what_it_cannot_draw_is_refused(fit, bip_study, bip_panel):
    made = jc.leave_one_out(fit, "jobcentre_id", term="belief")
    with pytest.raises(SpecError, match="in memory"):
        leave_one_out_frame(pickle.loads(pickle.dumps(made)), fit, bip_study, bip_panel, policy=POLICY)
    other = jc.fit_glm("outcome ~ belief", bip_panel.frame, family="gaussian")
    with pytest.raises(SpecError, match="was called with"):
        leave_one_out_frame(made, other, bip_study, bip_panel, policy=POLICY)
    combined = jc.leave_one_out(fit, ["jobcentre_id", "wave"], term="belief", method="update")
    with pytest.raises(SpecError, match="one column"):
        leave_one_out_frame(combined, fit, bip_study, bip_panel, policy=POLICY)
