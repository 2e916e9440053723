"""Checks of a hazard model: each finds what it looks for, and leaves a true model alone."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from jobchance import fit_glm
from jobchance.errors import SpecError
from jobchance.identification.hazard_checks import check_hazard
from jobchance.models.hazard import fit_hazard


def _draw(seed, *, n=3000, curve=0.0, change=0.0, periods=6):
    """Spells with log hazard -2.5 + curve (t - 2)^2 + (0.4 + change t) x, independent persons."""
    rng = np.random.default_rng(seed)
    x, alive, made = rng.normal(size=n), np.ones(n, dtype=bool), []
    for t in range(periods):
        event = rng.random(n) < -np.expm1(-np.exp(-2.5 + curve * (t - 2) ** 2 + (0.4 + change * t) * x))
        part = pd.DataFrame({"citizen_id": np.arange(n), "quarter": t, "x": x, "event": event.astype(int)})
        made.append(part[alive])
        alive &= ~event
    return pd.concat(made, ignore_index=True)


def _by_name(fit, rows, **options):
    return {a.name: a for a in check_hazard(fit, rows, **options)}


def test_a_curved_baseline_and_a_fading_coefficient_are_found():
    curved = _draw(1, curve=0.12)
    found = _by_name(fit_hazard("event ~ x", curved, baseline="linear"), curved)
    assert found["baseline_form"].status == "fails"
    assert found["baseline_form"].df == 4
    fading = _draw(2, change=-0.12)
    found = _by_name(fit_hazard("event ~ x", fading), fading)
    assert found["proportionality"].status == "fails"
    assert found["baseline_form"].status == "by_design"


def test_p_values_are_uniform_under_a_true_model():
    p = {"baseline_form": [], "proportionality": []}
    for seed in range(60):
        rows = _draw(100 + seed, n=800)
        found = _by_name(fit_hazard("event ~ x", rows, baseline="linear"), rows)
        for name, values in p.items():
            values.append(found[name].p_value)
    for name, values in p.items():
        assert stats.kstest(values, "uniform").pvalue > 0.001, name


def test_a_period_without_exits_leaves_powers_to_test():
    rows = _draw(3)
    rows.loc[rows["quarter"] == 4, "event"] = 0
    found = _by_name(fit_hazard("event ~ x", rows, baseline="linear"), rows)["baseline_form"]
    assert found.test == "powers_against_form"
    assert found.df == 2


def test_what_cannot_be_tested_is_not_called_fine():
    rows = _draw(4)
    found = _by_name(fit_hazard("event ~ x", rows), rows)
    assert found["no_unobserved_heterogeneity"].status == "doubtful"
    assert found["no_foresight"].status == "doubtful"
    assert found["non_informative_dropout"].status == "untested"
    last = ~rows.duplicated("citizen_id", keep="last")
    ending = rows.assign(ending=np.where(last, np.where(rows["citizen_id"] < 300, "lost", "horizon"), None))
    found = _by_name(fit_hazard("event ~ x", ending), ending)["non_informative_dropout"]
    assert (found.status, found.value) == ("doubtful", pytest.approx(0.1))


def test_few_events_fail():
    rows = _draw(5, n=60)
    found = _by_name(fit_hazard("event ~ x", rows, baseline="none"), rows)["enough_events"]
    assert found.value == rows["event"].sum()
    few = rows[rows["citizen_id"] < 12]
    found = _by_name(fit_hazard("event ~ x", few, baseline="none"), few)["enough_events"]
    assert found.status == "fails"
    assert found.breaks == "not identified here"


def test_refusals():
    rows = _draw(6, n=500)
    with pytest.raises(SpecError, match="fit_hazard"):
        check_hazard(fit_glm("event ~ x", rows, family="binomial"), rows)
    with pytest.raises(SpecError, match="variable"):
        check_hazard(fit_hazard("event ~ x", rows), rows, variable="belief")
