"""`value_added`: identities, what it reports and refuses, and that no caseworker is singled out."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from value_added_panels import draw_panel

from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.cards import read_checks
from jobchance.identification.thresholds import Thresholds
from jobchance.identification.value_added import value_added
from jobchance.identification.value_added_effects import _without_citizen, row_deviations
from jobchance.identification.value_added_rows import value_added_rows
from jobchance.numerics.shrinkage import group_starts, noise_benchmark
from jobchance.panel.model import AnalysisPanel
from jobchance.results.fit import Fit


@pytest.fixture(scope="module")
def panel():
    return draw_panel(1, sd=0.08)[0]


@pytest.fixture(scope="module")
def fit(panel):
    return value_added(panel, permutations=199)


def changed(panel, **columns):
    """The panel with other columns."""
    return AnalysisPanel(panel.frame.assign(**columns), panel.flow, panel.meta)


def rows_of(panel, **options):
    options = {"outcome": None, "cells": ("jobcentre_id", "period"), "covariates": None} | options
    return value_added_rows(panel, rows=options.pop("rows", "first"), thresholds=Thresholds(), **options)


def test_variance_is_that_of_all_pairs_of_different_citizens_counted_one_by_one():
    small, _ = draw_panel(2, n_caseworkers=12, citizens=9, n_jobcentres=2)
    total = pairs = 0.0
    for rows in ("first", "relationships"):
        total = pairs = 0.0
        data = rows_of(small, rows=rows)
        for cell in np.unique(data.cell):
            inside = np.flatnonzero(data.cell == cell)
            same, other = [], []
            for i, k in itertools.permutations(inside, 2):
                if data.citizen[i] == data.citizen[k]:
                    continue
                kind = same if data.caseworker[i] == data.caseworker[k] else other
                kind.append((data.y[i] - data.y.mean()) * (data.y[k] - data.y.mean()))
            total += np.sum(same) - len(same) * np.mean(other)
            pairs += len(same)
        found = value_added(small, rows=rows, permutations=19)
        assert found.estimates[0] == pytest.approx(total / pairs, abs=1e-12)
        assert found.statistics["n_pairs"] == pairs


def test_deviation_is_from_the_other_caseworkers_of_the_cell(panel):
    data = rows_of(panel)
    deviation, others = row_deviations(data)
    for i in (0, 77, 500):
        rest = (data.cell == data.cell[i]) & (data.caseworker != data.caseworker[i])
        assert deviation[i] == pytest.approx(data.y[i] - data.y[rest].mean(), abs=1e-12)
        assert others[i] == rest.sum()


@pytest.mark.parametrize("rows", ["first", "relationships"])
def test_forecasts_leave_the_citizen_out_of_the_caseworker_and_of_the_comparison(panel, rows):
    data = rows_of(panel, rows=rows)
    later = data.later.head(8)
    at = pd.Index(data.levels).get_indexer(pd.Index(later["caseworker_id"])).astype(np.int64)
    found, left, _ = _without_citizen(data, later["citizen_id"], at)
    for k, citizen in enumerate(later["citizen_id"]):
        rest = panel.frame[panel.frame["citizen_id"] != citizen]
        other = rows_of(AnalysisPanel(rest, panel.flow, panel.meta), rows=rows)
        deviation, _ = row_deviations(other)
        mine = other.caseworker == other.levels.index(later["caseworker_id"].iloc[k])
        assert left[k] == mine.sum()
        # A caseworker in one cell here: exact; the citizen's own row changes no other weight.
        assert found[k] == pytest.approx(deviation[mine].mean(), abs=1e-12)


def test_covariates_enter_with_caseworkers_and_cells_held_constant(panel):
    data = rows_of(panel, covariates=["skill"])
    caseworkers = np.eye(len(data.levels))[data.caseworker]
    X = np.column_stack([data.frame["skill"], caseworkers])  # cells are sums of caseworkers here
    b = np.linalg.lstsq(X, data.y, rcond=None)[0][0]
    assert data.slopes[0] == pytest.approx(b, abs=1e-10)
    np.testing.assert_allclose(data.net, data.y - b * (data.frame["skill"] - data.frame["skill"].mean()))


def test_missing_covariates_keep_their_rows(panel):
    holes = panel.frame["skill"].where(np.arange(len(panel.frame)) % 7 > 0)
    found = value_added(changed(panel, skill=holes), covariates=["skill"], permutations=19)
    assert found.nobs == value_added(panel, permutations=19).nobs
    assert found.diagnostics["covariates"]["covariate"].tolist() == ["skill", "skill (missing)"]


def test_order_and_names_of_caseworkers_change_nothing(panel, fit):
    names = panel.frame["caseworker_id"].unique()
    other = dict(zip(names, np.random.default_rng(1).permutation(len(names)).astype(str), strict=True))
    moved = changed(panel, caseworker_id=panel.frame["caseworker_id"].map(other))
    shuffled = AnalysisPanel(moved.frame.sample(frac=1, random_state=2), moved.flow, moved.meta)
    found = value_added(shuffled, permutations=199)
    np.testing.assert_allclose(found.estimates, fit.estimates, atol=1e-14)
    np.testing.assert_allclose(found.covariance, fit.covariance, atol=1e-16)
    assert found.statistics["sd_pp_high"] == pytest.approx(fit.statistics["sd_pp_high"])


def test_numbers_that_belong_together(fit):
    found = fit.statistics
    assert found["sd_pp"] == pytest.approx(100 * np.sqrt(fit.estimates[0]))
    assert found["sd_pp_low"] <= found["sd_pp"] <= found["sd_pp_high"]
    assert found["p_value"] == pytest.approx(1 / 200)
    part = fit.random[0]
    assert part.modes.shape == (40, 1)
    assert np.abs(part.modes).max() < np.abs(part.modes).max() + part.mode_sds.max()


def test_outer_groups_show_raw_rates_noise_and_shrunken_rates(fit):
    table = fit.diagnostics["spread"].set_index(["group", "position"])
    assert set(table.index.get_level_values(0)) == {"third", "quarter", "tenth"}
    assert (table["n_caseworkers"] >= 3).all()
    for group in ("third", "quarter"):
        low, high = table.loc[(group, "lowest")], table.loc[(group, "highest")]
        assert low["raw"] < low["shrunken"] < high["shrunken"] < high["raw"]
        assert low["noise_low"] < low["noise"] < low["noise_high"]


@pytest.mark.parametrize(
    ("cases", "quarter", "third", "tenth"),
    [(33, (6.8, 21.8), (7.7, 20.6), (4.5, 25.2)), (60, (8.5, 19.8), (9.3, 19.0), (6.7, 22.2))],
)
def test_pure_noise_shows_the_published_spread(cases, quarter, third, tenth):
    # 300 caseworkers with one true rate of 14 per cent, ranked by their raw rate. The published numbers are
    # rounded and simulated (20.6 is 20.74 for endlessly many caseworkers), so the formula is the finer bar.
    for number, expected in ((4, quarter), (3, third), (10, tenth)):
        found = noise_benchmark([cases] * 300, 0.14, starts=group_starts(300, number), draws=2000, seed=1)
        np.testing.assert_allclose(100 * found.rates[[0, -1]], outer_means(cases, number), atol=0.06)
        np.testing.assert_allclose(100 * found.rates[[0, -1]], expected, atol=0.15)


def outer_means(cases, number):
    """Mean rates in per cent of the outer 1/number of a binomial law."""
    k = np.arange(cases + 1)
    mass = binom.pmf(k, cases, 0.14)
    made = []
    for values, chance in ((k, mass), (k[::-1], mass[::-1])):
        before = np.concatenate([[0.0], np.cumsum(chance)[:-1]])
        inside = np.clip(1 / number - before, 0, chance)
        made.append(100 * float(inside @ values) * number / cases)
    return made


def test_nothing_stored_or_printed_names_a_caseworker_or_a_citizen(fit):
    text = fit.summary() + str(fit.to_dict()) + repr(fit)
    assert "W1X" not in text
    assert "P1X" not in text
    again = Fit.from_dict(fit.to_dict())
    assert again.random == ()
    n_caseworkers = fit.sample.groups["caseworker_id"]
    assert all(len(table) < n_caseworkers for table in fit.diagnostics.values())


def test_checks_follow_the_data(panel, fit):
    status = {a.name: a.status for a in read_checks(fit.diagnostics["checks"])}
    assert status["random_assignment"] == "by_design"
    assert status["balance"] == "untested"
    assert status["enough_clusters"] == status["enough_per_caseworker"] == "holds"
    assert status["no_selection_into_rows"] == "by_design"
    later = value_added(panel, rows="relationships", permutations=19)
    assert (
        dict(later.diagnostics["checks"][["assumption", "status"]].to_numpy())["no_selection_into_rows"]
        == "doubtful"
    )
    for rule, expected in (("specialised_team", "fails"), (None, "untested")):
        found = value_added(changed(panel, assignment_rule=rule), permutations=19)
        assert found.diagnostics["checks"]["status"].iloc[0] == expected


def test_sorting_of_citizens_breaks_balance_and_adjustment_takes_it_out():
    panel, _ = draw_panel(5, sd=0.06, n_caseworkers=80, sorting=1.5)
    raw = value_added(panel, covariates=(), permutations=19)
    adjusted = value_added(panel, covariates=["skill"], permutations=19)
    checks = adjusted.diagnostics["checks"].set_index("assumption")
    assert checks.loc["balance", "status"] == "fails"
    assert raw.statistics["sd_pp"] > adjusted.statistics["sd_pp"] + 1
    fair, _ = draw_panel(7, sd=0.06, n_caseworkers=80)
    checks = value_added(fair, covariates=["skill"], permutations=19).diagnostics["checks"]
    assert checks.set_index("assumption").loc["balance", "status"] == "holds"


def test_effects_that_drift_fail_the_halves():
    steady, _ = draw_panel(6, sd=0.12, n_caseworkers=160)
    drifting, _ = draw_panel(6, sd=0.12, n_caseworkers=160, drift=1.0)
    # The date is part of the cell, so that pairs of one cell are of one half.
    cells = ("jobcentre_id", "date")
    for panel, expected in ((steady, "holds"), (drifting, "fails")):
        found = value_added(panel, cells=cells, permutations=199)
        checks = found.diagnostics["checks"].set_index("assumption")
        assert checks.loc["stable_over_time", "status"] == expected


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"caseworker_id": None}, "caseworkers"),
        ({"caseworker_id": "one"}, "assignment_within_cells"),
        ({"outcome": np.nan}, "rows"),
        ({"outcome": 1.0}, "outcome_variation"),
    ],
)
def test_what_the_data_cannot_carry_is_refused_with_its_key(panel, columns, key):
    with pytest.raises(IdentificationError) as caught:
        value_added(changed(panel, **columns))
    assert key in caught.value.missing


def test_all_that_is_missing_is_said_at_once(panel):
    few = panel.frame.groupby("caseworker_id").head(1).head(6).assign(jobcentre_id=0)
    with pytest.raises(IdentificationError) as caught:
        value_added(AnalysisPanel(few, panel.flow, panel.meta))
    assert {"clusters", "citizens", "citizens_per_caseworker"} <= set(caught.value.missing)
    assert "W" not in str(caught.value)


def test_arguments_are_checked(panel):
    for wrong in ({"rows": "all"}, {"level": 1.0}, {"permutations": 3}, {"cells": ()}, {"outcome": "wage"}):
        with pytest.raises(SpecError):
            value_added(panel, **wrong)


def test_outcomes_that_are_not_shares_have_no_noise_benchmark(panel):
    weeks = pd.Series(np.random.default_rng(1).normal(20, 5, len(panel.frame)))
    found = value_added(changed(panel, weeks=weeks), outcome="weeks", permutations=99)
    assert found.diagnostics["spread"].empty
    assert found.statistics["p_value"] > 0.01


def test_balance_of_a_covariate_that_says_nothing_is_untested():
    fair, _ = draw_panel(7, sd=0.06, n_caseworkers=80)
    noise = changed(fair, skill=np.random.default_rng(0).normal(size=len(fair.frame)))
    found = value_added(noise, covariates=["skill"], permutations=19).diagnostics["checks"]
    found = found.set_index("assumption")
    assert found.loc["informative_covariates", "status"] == "doubtful"
    assert found.loc["balance", "status"] == "untested"
    telling = value_added(fair, covariates=["skill"], permutations=19).diagnostics["checks"]
    assert telling.set_index("assumption").loc["informative_covariates", "status"] == "holds"


def test_something_else_than_a_panel_is_refused_by_name(panel):
    with pytest.raises(SpecError, match="AnalysisPanel"):
        value_added(panel.frame)
