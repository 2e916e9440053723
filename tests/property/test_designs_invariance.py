"""What must not change the designs of the evidence ladder, and what must change them in a known way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobchance.errors import JobchanceError
from jobchance.identification.leniency import fit_leniency
from jobchance.identification.switch_movers import mover_contrast
from jobchance.identification.thresholds import Thresholds
from jobchance.identification.two_rater import fit_two_rater
from jobchance.identification.two_way import two_way_variance
from jobchance.identification.value_added import value_added
from jobchance.indicator.optimism import leave_one_out_optimism
from jobchance.models.conditional_logit import fit_conditional_logit
from jobchance.models.cross_lagged import fit_cross_lagged
from jobchance.models.hazard import fit_hazard
from jobchance.models.hazard_curves import hazard_contrast
from jobchance.models.iv import fit_iv
from jobchance.models.iv_ujive import ujive
from jobchance.panel.model import AnalysisPanel

FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.generate),  # shrinking would take minutes and teach nothing
)
SEEDS = st.integers(0, 10_000)
LOOSE = Thresholds(min_clusters=5, min_citizens=50, min_events=5, min_movers=20, min_raters=40)
IDS = ("citizen_id", "caseworker_id", "jobcentre_id")


def made_frame(seed, *, citizens=220, caseworkers=24, centres=3, waves=4):
    """Citizens with one to four waves and changing caseworkers; the outcome is a number."""
    rng = np.random.default_rng(seed)
    alpha, home = rng.normal(size=caseworkers), rng.integers(0, centres, citizens)
    records = []
    for i in range(citizens):
        theta, team = rng.normal(), np.flatnonzero(np.arange(caseworkers) % centres == home[i])
        j, reason = rng.choice(team), None
        for wave in range(1, rng.integers(2, waves + 1) + 1):
            if wave > 1 and rng.random() < 0.4:
                j, reason = rng.choice(team[team != j]), "caseworker_left"
            belief = 3 + 0.7 * theta + 0.8 * alpha[j] + 0.5 * rng.normal()
            records.append(
                {
                    "citizen_id": i,
                    "caseworker_id": j,
                    "jobcentre_id": home[i],
                    "wave": wave,
                    "date": pd.Timestamp("2014-01-06") + pd.Timedelta(weeks=13 * wave),
                    "period": f"h{(wave + 1) // 2}",
                    "belief": belief,
                    "outcome": 0.3 * theta + 0.2 * alpha[j] + rng.normal(),
                    "action": float(rng.random() < 0.3 + 0.1 * (belief > 3)),
                    "citizen_score": theta + 0.5 * rng.normal(),
                    "age": 40 + 5 * theta + rng.normal(),
                    "assignment_rule": "next_free",
                    "shift_reason": reason,
                }
            )
            reason = None
    frame = pd.DataFrame(records)
    return frame.assign(optimism=leave_one_out_optimism(frame))


def panel_of(frame):
    return AnalysisPanel(frame, pd.DataFrame(), {"outcome": "job", "covariates": ("age",)})


def leniency(frame, **options):
    return fit_leniency(panel_of(frame), outcome="outcome", thresholds=LOOSE, **options)


def numbers(frame):
    """Estimates and standard errors of every design on a frame; a typed refusal is a number too."""
    panel = panel_of(frame)
    attempts = {
        "reduced": lambda: leniency(frame),
        "2sls": lambda: leniency(frame, method="2sls"),
        "ujive": lambda: leniency(frame, method="ujive"),
        "movers": lambda: mover_contrast(panel, thresholds=LOOSE),
        "two_rater": lambda: fit_two_rater(panel, thresholds=LOOSE),
        "value_added": lambda: value_added(panel, permutations=19, thresholds=LOOSE),
    }
    made = {}
    for name, attempt in attempts.items():
        try:
            fit = attempt()
            made[name] = np.concatenate([fit.estimates, fit.std_errors.to_numpy()])
        except JobchanceError as error:
            made[name] = type(error).__name__
    return made


def assert_same(found, expected, rtol=1e-6):
    assert set(found) == set(expected)
    for name, values in expected.items():
        if isinstance(values, str):
            assert found[name] == values, name
        else:
            np.testing.assert_allclose(found[name], values, rtol=rtol, atol=1e-9, err_msg=name)


@FEW
@given(seed=SEEDS)
def test_order_of_rows_index_and_ids_change_no_design(seed):
    frame = made_frame(seed)
    rng = np.random.default_rng(seed)
    other = frame.sample(frac=1, random_state=seed)
    for column, style in zip(IDS, ("Søren {}", "{}", "a.b {}"), strict=True):
        found = sorted(other[column].unique())
        names = dict(zip(found, rng.permutation(len(found)), strict=True))
        other[column] = [style.format(names[value]) for value in other[column]]
    other.index = rng.integers(0, 9, len(other))  # not even unique
    assert_same(numbers(other), numbers(frame))


@FEW
@given(seed=SEEDS, scale=st.floats(0.01, 1000), shift=st.floats(-1000, 1000))
def test_the_unit_of_the_outcome_scales_every_design(seed, scale, shift):
    frame = made_frame(seed)
    plain, other = numbers(frame), numbers(frame.assign(outcome=scale * frame["outcome"] + shift))
    # UJIVE does change with a constant (documented), so it gets the scale alone
    other["ujive"] = numbers(frame.assign(outcome=scale * frame["outcome"]))["ujive"]
    power = dict.fromkeys(plain, 1.0) | {"value_added": 2.0}
    expected = {k: v if isinstance(v, str) else v * scale ** power[k] for k, v in plain.items()}
    assert set(other) == set(expected)
    for name, values in expected.items():
        if isinstance(values, str):
            assert other[name] == values
        else:
            np.testing.assert_allclose(other[name] / scale ** power[name], plain[name], rtol=1e-5, atol=1e-7)


@FEW
@given(seed=SEEDS, scale=st.floats(0.05, 50), shift=st.floats(-100, 100))
def test_the_answer_scale_changes_effects_per_step_only(seed, scale, shift):
    frame = made_frame(seed)
    belief = scale * frame["belief"] + shift
    moved = frame.assign(belief=belief)
    moved["optimism"] = leave_one_out_optimism(moved)
    plain, other = numbers(frame), numbers(moved)
    # UJIVE changes slightly with a constant, so it gets the scale alone
    scaled = frame.assign(belief=scale * frame["belief"])
    other["ujive"] = numbers(scaled.assign(optimism=leave_one_out_optimism(scaled)))["ujive"]
    per_step = {"2sls", "ujive", "two_rater"}
    back = {k: v if isinstance(v, str) else v * (scale if k in per_step else 1.0) for k, v in other.items()}
    assert_same(back, plain, rtol=1e-5)


@FEW
@given(seed=SEEDS)
def test_pessimism_is_optimism_with_the_other_sign(seed):
    frame = made_frame(seed)
    turned = frame.assign(belief=-frame["belief"])
    turned["optimism"] = leave_one_out_optimism(turned)
    np.testing.assert_allclose(turned["optimism"], -frame["optimism"], atol=1e-9)
    plain, other = leniency(frame), leniency(turned)
    np.testing.assert_allclose(other.estimates, -plain.estimates, rtol=1e-8)
    np.testing.assert_allclose(other.std_errors, plain.std_errors, rtol=1e-8)
    assert other.statistics["thirds_low"] == pytest.approx(plain.statistics["thirds_high"], abs=0.25)
    status = "status"
    before, after = (f.diagnostics["checks"].set_index("assumption")[status] for f in (plain, other))
    assert before.drop("no_feedback").equals(after.drop("no_feedback"))


@FEW
@given(seed=SEEDS, step=st.integers(2, 10))
def test_gaps_between_wave_numbers_change_no_design(seed, step):
    frame = made_frame(seed)
    assert_same(numbers(frame.assign(wave=frame["wave"] * step)), numbers(frame))


@FEW
@given(seed=SEEDS)
def test_all_ratings_of_a_citizen_stay_out_of_their_own_optimism(seed):
    frame = made_frame(seed)
    rng = np.random.default_rng(seed)
    who = rng.choice(frame["citizen_id"].unique())
    own = frame["citizen_id"] == who
    wild = frame.assign(belief=frame["belief"].where(~own, 1000 * rng.normal(size=len(frame))))
    np.testing.assert_allclose(leave_one_out_optimism(wild)[own], frame["optimism"][own], atol=1e-9)
    repeated = pd.concat([frame, wild[own], wild[own]], ignore_index=True)
    again = leave_one_out_optimism(repeated)[: len(frame)][own.to_numpy()]
    np.testing.assert_allclose(again, frame["optimism"][own], atol=1e-9)
    assert not np.allclose(leave_one_out_optimism(wild)[~own], frame["optimism"][~own], atol=1e-3)


@FEW
@given(seed=SEEDS)
def test_ujive_predicts_from_the_rows_of_other_citizens_only(seed):
    frame = made_frame(seed, citizens=60, caseworkers=9)
    fit = ujive(
        frame["outcome"],
        frame["belief"],
        frame["caseworker_id"],
        cells=frame["jobcentre_id"],
        leave_out=frame["citizen_id"],
    )
    y, d = frame["outcome"].to_numpy(), frame["belief"].to_numpy()
    W = pd.get_dummies(frame["jobcentre_id"], dtype=float).to_numpy()
    X = np.column_stack([W, pd.get_dummies(frame["caseworker_id"], dtype=float)])
    z = np.empty(len(frame))
    for who in frame["citizen_id"].unique():
        out = (frame["citizen_id"] == who).to_numpy()
        # predictions of the citizen's rows by all others, through caseworkers less through cells alone
        by_x, by_w = (M[out] @ (np.linalg.pinv(M[~out]) @ d[~out]) for M in (X, W))
        MW = np.eye(len(frame)) - W @ np.linalg.pinv(W)
        z[out] = MW[np.ix_(out, out)] @ (by_x - by_w)
    assert fit.nobs == len(frame)
    np.testing.assert_allclose(fit.estimates, z @ y / (z @ d), rtol=1e-7)


@FEW
@given(seed=SEEDS, scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_two_way_variances_follow_the_unit_and_no_label(seed, scale, shift):
    frame = made_frame(seed, citizens=150, caseworkers=10, centres=1)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(frame))
    plain = two_way_variance(frame["outcome"], frame["citizen_id"], frame["caseworker_id"], std_errors=False)
    other = two_way_variance(
        (scale * frame["outcome"] + shift).to_numpy()[order],
        [f"p {i}" for i in frame["citizen_id"].to_numpy()[order]],
        (-frame["caseworker_id"]).to_numpy()[order],
        std_errors=False,
    )
    np.testing.assert_allclose(other.estimates / scale**2, plain.estimates, rtol=1e-6, atol=1e-9)
    assert other.sample.nobs == plain.sample.nobs


@FEW
@given(seed=SEEDS)
def test_a_column_twice_is_a_column_once(seed):
    frame = made_frame(seed).assign(copy=lambda d: 3 * d["age"] - 1)
    one = fit_iv("outcome ~ age + [belief ~ optimism]", frame, absorb=("jobcentre_id",))
    two = fit_iv("outcome ~ age + copy + [belief ~ optimism]", frame, absorb=("jobcentre_id",))
    for term in ("age", "belief"):
        assert two.params[term] == pytest.approx(one.params[term], rel=1e-6)
        assert two.std_errors[term] == pytest.approx(one.std_errors[term], rel=1e-6)
    with_copy = panel_of(frame)
    names = AnalysisPanel(frame, with_copy.flow, {"outcome": "job", "covariates": ("age", "copy")})
    plain = fit_leniency(with_copy, outcome="outcome", thresholds=LOOSE)
    doubled = fit_leniency(names, outcome="outcome", thresholds=LOOSE)
    joint = [
        f.diagnostics["checks"].set_index("assumption").loc["balance", "p_value"] for f in (plain, doubled)
    ]
    assert joint[0] == pytest.approx(joint[1], rel=1e-6)


@FEW
@given(seed=SEEDS, step=st.floats(0.1, 2))
def test_a_hazard_contrast_turns_its_sign_with_the_variable(seed, step):
    rng = np.random.default_rng(seed)
    n = 300
    x, quarter = rng.normal(size=n), rng.integers(1, 5, n)
    rows = pd.DataFrame({"citizen_id": np.repeat(np.arange(n), quarter), "x": np.repeat(x, quarter)})
    rows["quarter"] = rows.groupby("citizen_id").cumcount()
    last = rows["quarter"] == np.repeat(quarter, quarter) - 1
    rows["event"] = (last & (rng.random(len(rows)) < 0.5)).astype(int)
    rows["minus"], rows["ten"] = -rows["x"], 10 * rows["x"]
    made = {}
    for name, change in (("x", step), ("minus", -step), ("ten", 10 * step)):
        fit = fit_hazard(f"event ~ {name}", rows, vcov="model")
        made[name] = hazard_contrast(fit, name, step=change, horizon_periods=3).iloc[0]
    for name in ("minus", "ten"):
        for number in ("estimate", "std_error", "baseline", "compared"):
            assert made[name][number] == pytest.approx(made["x"][number], rel=1e-5, abs=1e-9)
    fit = fit_hazard("event ~ x", rows, vcov="model")
    down = hazard_contrast(fit, "x", step=-step, horizon_periods=3).iloc[0]
    assert np.sign(down["estimate"]) == -np.sign(made["x"]["estimate"])


@FEW
@given(seed=SEEDS, random=st.booleans())
def test_cross_lags_only_change_places_when_the_variables_do(seed, random):
    rng = np.random.default_rng(seed)
    n, level = 300, rng.normal(size=(300, 2))
    x, y = rng.normal(size=n), rng.normal(size=n)
    parts = []
    for wave in range(1, 5):
        parts.append(
            pd.DataFrame({"citizen_id": np.arange(n), "wave": wave}).assign(
                x=x + level[:, 0], y=y + level[:, 1]
            )
        )
        x, y = 0.3 * x + 0.1 * y + rng.normal(size=n), 0.3 * y + 0.2 * x + rng.normal(size=n)
    rows = pd.concat(parts).sample(frac=0.95, random_state=seed)
    one, other = (
        fit_cross_lagged(rows, x=a, y=b, lags="equal", random_intercepts=random)
        for a, b in (("x", "y"), ("y", "x"))
    )
    assert one.loglik == pytest.approx(other.loglik, abs=1e-5)
    for term in ("x~x", "x~y", "y~x", "y~y"):
        assert other.params[term] == pytest.approx(one.params[term], abs=1e-4)
        assert other.std_errors[term] == pytest.approx(one.std_errors[term], rel=1e-3)
    assert other.statistics["cross_lag_difference"] == pytest.approx(
        -one.statistics["cross_lag_difference"], abs=1e-4
    )


@FEW
@given(seed=SEEDS, scale=st.floats(0.1, 10))
def test_what_is_constant_in_a_citizen_cannot_move_a_conditional_logit(seed, scale):
    frame = made_frame(seed).assign(job=lambda d: (d["outcome"] > d["outcome"].median()).astype(int))
    plain = fit_conditional_logit("job ~ belief", frame, vcov="model")
    lift = frame["citizen_id"].map(pd.Series(np.random.default_rng(seed).normal(size=400)))
    other = fit_conditional_logit("job ~ b", frame.assign(b=scale * frame["belief"] + lift), vcov="model")
    assert other.params["b"] * scale == pytest.approx(plain.params["belief"], rel=1e-5)
    assert other.std_errors["b"] * scale == pytest.approx(plain.std_errors["belief"], rel=1e-5)
