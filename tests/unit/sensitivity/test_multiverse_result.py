"""The result of a multiverse as a value: frame, hash, words, and what it drops when it travels."""

import copy
import pickle
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from multiverse_frames import Key, StandIn, failed, grid, multiverse, row
from multiverse_panels import make_panel, run, spec

from jobchance.errors import SpecError
from jobchance.numerics.shapley import average_over_orders, dummies, subset_r_squared
from jobchance.sensitivity.multiverse.importance import REST
from jobchance.sensitivity.multiverse.result import Multiverse
from jobchance.sensitivity.multiverse.result_frame import (
    COLUMNS,
    build_frame,
    content_hash,
    known,
    same_question,
)


@pytest.fixture
def mixed():
    """Six specifications: four with numbers, one in another unit, one failed."""
    return multiverse(
        [
            row("a", 2.0, main=True, sample="all", covariates="age"),
            row("b", 1.5, sample="men"),
            row("c", -0.4, sample="women"),
            row("d", 0.2, sample="women", covariates="age", status="warned", reason="few clusters"),
            row("e", 40.0, sample="all", estimator="rung:shift", unit="pp per step", verdict="suggestive"),
            failed("f", "no rows left", sample="nobody"),
        ]
    )


def test_frame_has_fixed_columns_and_types(mixed):
    frame = mixed.frame
    assert tuple(frame.columns) == COLUMNS
    kinds = {c: frame[c].dtype.kind for c in frame}
    assert {kinds[c] for c in ("estimate", "df", "conf_high")} == {"f"}
    assert {kinds[c] for c in ("n_rows", "n_clusters", "horizon_weeks")} == {"i"}
    assert {kinds[c] for c in ("main", "converged", "is_singular")} == {"b"}
    assert frame["n_rows"].isna().tolist() == [False] * 5 + [True]
    only_failed = build_frame([failed("x", "reason")])
    assert {c: only_failed[c].dtype.kind for c in only_failed} == kinds


def test_frame_refuses_other_columns_twins_and_unknown_states():
    good = row("a", 1.0)
    with pytest.raises(SpecError, match=r"lacks note; has the unknown column extra"):
        build_frame([{k: v for k, v in good.items() if k != "note"} | {"extra": 1}])
    with pytest.raises(SpecError, match=r"1 rows whose status .* and 1 rows with a key"):
        build_frame([good, good | {"status": "fine"}])


def test_the_rows_must_be_those_of_the_expansion(mixed):
    other = StandIn((Key("z"), *mixed.expansion.specifications[1:]))
    with pytest.raises(SpecError, match="do not stand for the 6 specifications"):
        Multiverse(frame=mixed.frame, spec=other, expansion=other)


def test_hash_sees_every_value_and_nothing_else(mixed):
    frame = mixed.frame
    assert mixed.hash == content_hash(frame.copy())
    assert mixed.hash == content_hash(frame.set_index(np.arange(10, 16)))
    hashes = {mixed.hash}
    for column in frame.columns:
        changed = frame.copy()
        value = changed[column].iloc[0]
        new = {"f": 0.123, "i": 77, "b": not value}.get(changed[column].dtype.kind, f"{value}x")
        changed.loc[0, column] = new
        hashes.add(content_hash(changed))
    assert len(hashes) == len(COLUMNS) + 1
    assert content_hash(frame.iloc[::-1]) not in hashes
    # texts cannot slide from one row into the next
    pair = [row("k", 1.0, sample="ab", note="c"), row("l", 1.0, sample="c", note="")]
    moved = [row("k", 1.0, sample="a", note="c"), row("l", 1.0, sample="bc", note="")]
    assert content_hash(build_frame(pair)) != content_hash(build_frame(moved))


def test_copies_and_pickles_leave_the_rows_behind(mixed):
    with_rows = Multiverse(mixed.frame, mixed.spec, mixed.expansion, {"seed": 1}, workbench="rows of persons")
    for other in (pickle.loads(pickle.dumps(with_rows)), copy.copy(with_rows), copy.deepcopy(with_rows)):
        assert other.workbench is None
        assert other.hash == with_rows.hash
        assert other.meta["seed"] == 1
    assert b"rows of persons" not in pickle.dumps(with_rows)
    assert repr(with_rows) == "Multiverse(6 specifications, 1 failed)"
    with pytest.raises(SpecError, match="holds none"):
        mixed.need_workbench("the joint test")


def test_agreement_by_hand(mixed):
    table = mixed.agreement().set_index(["reference", "dimension", "option"])
    whole = table.loc[("main", "all", "all")]
    assert whole["specifications"] == 4
    assert whole["same_sign"] == 3 / 4  # 2.0, 1.5 and 0.2 are positive
    assert whole["same_significance"] == 2 / 4  # 2.0 and 1.5 are four and three standard errors from zero
    assert whole["same_both"] == 2 / 4
    assert whole["positive"] == 3 / 4
    assert whole["interval_above_zero"] == 2 / 4
    assert whole["interval_below_zero"] == 0
    women = table.loc[("main", "sample", "women")]
    assert women[["specifications", "same_sign", "same_both"]].tolist() == [2, 0.5, 0.0]
    middle = table.loc[("median", "all", "all")]  # 0.2: positive, not significant
    assert middle[["same_sign", "same_significance", "same_both"]].tolist() == [3 / 4, 2 / 4, 1 / 4]


def test_agreement_without_any_estimate():
    with pytest.raises(SpecError, match="none of the 1 specifications"):
        multiverse([failed("a", "no rows")]).agreement()


def test_importance_of_a_balanced_design_is_the_analysis_of_variance():
    a, b = np.array([0.0, 3.0, 4.0]), np.array([0.0, 1.0])
    crossed = multiverse(grid({"sample": 3, "missing": 2}, lambda i, j: 1 + a[i] + b[j] + 0.5 * i * j))
    found = crossed.importance()
    y = np.array([[1 + a[i] + b[j] + 0.5 * i * j for j in range(2)] for i in range(3)])
    total = ((y - y.mean()) ** 2).sum()
    by_hand = {
        "sample": 2 * ((y.mean(axis=1) - y.mean()) ** 2).sum() / total,
        "missing": 3 * ((y.mean(axis=0) - y.mean()) ** 2).sum() / total,
    }
    shares = found.shares.set_index("dimension")["share"]
    assert shares["sample"] == pytest.approx(by_hand["sample"], rel=1e-12)
    assert shares["missing"] == pytest.approx(by_hand["missing"], rel=1e-12)
    assert shares[REST] == pytest.approx(1 - sum(by_hand.values()), rel=1e-9)
    assert shares.sum() == pytest.approx(1, rel=1e-12)
    assert found.largest == "sample"
    medians = found.options.set_index(["dimension", "option"])["median"]
    assert medians["sample", "o2"] == np.median(y[2])


def test_importance_of_an_unbalanced_nested_design_is_the_average_over_all_orders():
    """All orders one by one, each R2 by least squares; `random` is set only where the estimator is mixed."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(60):
        estimator = rng.choice(["pooled", "within", "mixed"])
        choices = {
            "estimator": estimator,
            "random": rng.choice(["(1 | a)", "(1 | b)"]) if estimator == "mixed" else "",
            "sample": rng.choice(["all", "men", "women"], p=[0.6, 0.3, 0.1]),
            "missing": rng.choice(["complete", "common"]),
        }
        value = {"pooled": 0, "within": 1, "mixed": 2}[estimator] + (choices["sample"] == "men")
        rows.append(row(f"k{i}", value + rng.normal(), **choices))
    found = multiverse(rows).importance()
    frame = pd.DataFrame(rows)
    names = ["sample", "estimator", "random", "missing"]
    y = frame["estimate"].to_numpy()

    def r_squared(subset):
        X = np.column_stack([np.ones(len(y)), *(pd.get_dummies(frame[c]).to_numpy(float) for c in subset)])
        residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
        return 1 - residual @ residual / ((y - y.mean()) ** 2).sum()

    expected = dict.fromkeys(names, 0.0)
    orders = list(permutations(names))
    for order in orders:
        for place, name in enumerate(order):
            expected[name] += (r_squared(order[: place + 1]) - r_squared(order[:place])) / len(orders)
    shares = found.shares.set_index("dimension")["share"]
    for name in names:
        assert shares[name] == pytest.approx(expected[name], abs=1e-10)
    assert shares.sum() == pytest.approx(1, rel=1e-12)


def test_importance_says_when_there_is_nothing_to_explain(mixed):
    found = mixed.importance()
    assert (found.n_specifications, found.n_left_out) == (4, 2)
    with pytest.raises(SpecError, match="the same estimate"):
        multiverse(grid({"sample": 3}, lambda i: 1.0)).importance()
    with pytest.raises(SpecError, match="1 specifications have an estimate"):
        multiverse([row("a", 1.0)]).importance()


def test_shares_add_up_to_r_squared_in_any_design():
    rng = np.random.default_rng(0)
    groups = [dummies(rng.integers(0, k, 40)) for k in (2, 3, 5, 2, 4)]
    r_squared = subset_r_squared(rng.normal(size=40), groups)
    assert average_over_orders(r_squared).sum() == pytest.approx(r_squared[-1], rel=1e-12)
    assert r_squared[0] == 0
    assert np.all((r_squared >= 0) & (r_squared <= 1))


def test_summary_says_what_ran_what_came_out_and_what_it_is(mixed):
    text = mixed.summary()
    assert text == pickle.loads(pickle.dumps(mixed)).summary()
    for line in (
        "6 specifications: 5 with a result (1 of them with a warning), 1 failed",
        "1 failed: no rows left",
        "main specification    2.00 (95% interval 1.02–2.98)",
        "median                0.85",
        "positive              75%",
        "agree with the main   sign 75%, sign and significance 50%",
        "1 on another question",
        "Variance of the estimates explained by the choice of",
    ):
        assert line in text
    assert "effects" in text  # said only to deny it
    assert text.count("effect") == 1


def test_summary_of_nothing_but_failures():
    text = multiverse([failed("a", "no rows"), failed("b", "no rows")]).summary()
    assert "2 failed: no rows" in text
    assert "No specification has an estimate." in text


def test_summary_names_the_verdicts_of_rungs():
    rows = [
        row("a", 1.0, estimator="rung:shift", verdict="suggestive"),
        row("b", 2.0, estimator="rung:leniency"),
    ]
    text = multiverse(rows).summary()
    assert "no verdict (1), suggestive (1)" in text


def test_summary_of_a_choice_with_many_options_names_the_ends():
    text = multiverse(grid({"sample": 20}, lambda i: float(i))).summary()
    assert "Median by sample: o0 0.00, o19 19.00\n" in text


def test_a_choice_of_hundreds_of_options():
    """All 512 subsets of nine covariates as one dimension, crossed with two others."""
    rows = grid({"covariates": 512, "waves": 2, "missing": 2}, lambda i, j, k: i % 7 + j + 0.1 * k)
    made = multiverse(rows)
    shares = made.importance().shares.set_index("dimension")["share"]
    assert shares["covariates"] == pytest.approx(4 / (4 + 0.25 + 0.0025), abs=0.01)
    assert len(made.agreement()) == 1 + 512 + 2 + 2  # no main specification: the median alone


def test_answers_to_different_questions_are_not_mixed():
    rows = [
        row("a", 2.0, main=True),
        row("b", 1.0, estimator="within"),
        row("c", 9.0, exposure="optimism", unit="pp per sd of optimism"),
        row("d", 9.0, estimator="rung:leniency", unit="pp per sd of optimism", verdict="suggestive"),
        row("e", 9.0, estimator="rung:leniency_iv", verdict="suggestive"),
        row("f", 3.0, estimator="rung:adjusted", verdict="predicts only"),
    ]
    frame = multiverse(rows).frame
    assert list(same_question(frame, frame)["key"]) == ["a", "b", "f"]
    other = frame.assign(main=frame["key"].eq("d"))
    assert list(same_question(other, other)["key"]) == ["c", "d"]


def test_the_hash_knows_flags_that_a_failed_row_does_not_have():
    rows = [row("a", 1.0, converged=True), row("b", 1.0, converged=None)]
    hashes = {content_hash(build_frame([rows[0], rows[1] | {"converged": c}])) for c in (None, False, True)}
    assert len(hashes) == 3


def test_a_main_specification_that_failed_still_says_what_is_asked():
    """Most rows are about dispositions, but the question was one of beliefs."""
    specs = [
        spec(conditions=(("z1", ">", 99.0),)),
        spec(),
        *(spec(exposure="optimism", covariates=terms) for terms in ((), ("z1",), ("z2",))),
    ]
    made = run(make_panel(1), specs)
    assert made.main["status"] == "failed"
    assert list(same_question(known(made.frame), made.frame)["exposure"]) == ["belief"]
    assert "Estimates in pp per unit of belief" in made.summary()
    assert made.joint_test(cluster="caseworker_id", draws=19, seed=1).unit == "pp per unit of belief"
