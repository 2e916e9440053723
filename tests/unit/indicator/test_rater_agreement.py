"""Pairs of citizen and caseworker, and how far they agree."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import DesignError, SpecError
from jobchance.indicator.agreement import rater_agreement, rater_pairs
from jobchance.numerics.agreement import icc_agreement, weighted_kappa
from jobchance.numerics.proportions import share
from jobchance.study.instrument import Construct, Instrument, Item
from jobchance.study.model import Study


def item(item_id, construct, side, *, reverse=False, high=5):
    return Item(item_id, construct, side, 1, high, {}, {}, reverse, True, "placeholder", "placeholder", "")


ITEMS = (
    item("cw", "both", "caseworker"),
    item("ci", "both", "citizen", reverse=True),
    item("only", "one_sided", "caseworker"),
    item("cw10", "ranges", "caseworker", high=10),
    item("ci5", "ranges", "citizen"),
)


def study_of(rows):
    """Make a study from rows (citizen, wave, respondent, item, value)."""
    table = pd.DataFrame(rows, columns=["citizen_id", "wave", "respondent", "item_id", "value"])
    table["measurement_id"] = [f"m{k}" for k in range(len(table))]
    table["date"] = pd.Timestamp("2014-01-01") + pd.to_timedelta(np.arange(len(table)), unit="D")
    constructs = tuple(
        Construct(c, k, {}, False, "placeholder", "") for k, c in enumerate(["both", "one_sided", "ranges"])
    )
    tables = {
        "measurement": table[["measurement_id", "citizen_id", "wave", "date", "respondent"]],
        "rating": table[["measurement_id", "item_id", "value"]].assign(missing_reason=None),
    }
    return Study(
        tables, Instrument("t", "1", constructs, ITEMS, ()), "t", "t", "simulated", "da", date(2016, 1, 1)
    )


def test_pairs_are_of_one_wave_turned_and_complete():
    rows = [
        ("a", 1, "caseworker", "cw", 4),
        ("a", 1, "citizen", "ci", 2),  # reversed: 4
        ("a", 2, "caseworker", "cw", 5),  # the citizen did not answer
        ("b", 1, "caseworker", "cw", np.nan),
        ("b", 1, "citizen", "ci", 1),
        ("c", 1, "caseworker", "cw", 1),
        ("c", 1, "caseworker", "cw", 5),  # a second form in the wave
        ("c", 1, "citizen", "ci", 1),
    ]
    pairs = rater_pairs(study_of(rows), "both")
    assert pairs.to_dict("records") == [
        {"citizen_id": "a", "wave": 1, "caseworker": 4.0, "citizen": 4.0},
        {"citizen_id": "c", "wave": 1, "caseworker": 1.0, "citizen": 5.0},
    ]


def random_rows(*, waves):
    rng = np.random.default_rng(7)
    rows = []
    for citizen in range(40):
        level = rng.integers(1, 6)
        for wave in range(waves):
            own, other = np.clip(level + rng.integers(-1, 2, 2), 1, 5)
            rows += [
                (str(citizen), wave, "caseworker", "cw", own),
                (str(citizen), wave, "citizen", "ci", 6 - other),
            ]
    return rows


def test_measures_are_those_of_the_pairs_with_citizens_as_clusters():
    study = study_of(random_rows(waves=3))
    found = rater_agreement(study, "both").set_index("measure")
    pairs = rater_pairs(study, "both")
    x, y, who = pairs["caseworker"], pairs["citizen"], pairs["citizen_id"]
    kappa = weighted_kappa(x, y, cluster=who)
    icc = icc_agreement(np.column_stack([x, y]), cluster=who)
    same = share(x == y, cluster=who)
    for measure, expected in {"observed": same, "kappa": kappa, "icc": icc}.items():
        row = found.loc[measure]
        assert (row["estimate"], row["conf_low"], row["conf_high"]) == (
            expected.estimate,
            expected.conf_low,
            expected.conf_high,
        )
    assert found["interval"].tolist() == ["wilson_effective", "delta_fisher_z", "delta_fisher_z"]
    assert (found["n_pairs"].unique().tolist(), found["n_citizens"].unique().tolist()) == ([120], [40])


def test_one_pair_per_citizen_gives_the_published_interval_of_the_icc():
    study = study_of(random_rows(waves=1))
    row = rater_agreement(study, "both").set_index("measure").loc["icc"]
    pairs = rater_pairs(study, "both")
    expected = icc_agreement(pairs[["caseworker", "citizen"]].to_numpy())
    assert row["interval"] == "mcgraw_wong"
    assert (row["conf_low"], row["conf_high"]) == (expected.conf_low, expected.conf_high)


@pytest.mark.parametrize(
    ("construct", "message"),
    [("one_sided", "0 items for the citizen"), ("ranges", "different ranges"), ("bohh", "bohh")],
)
def test_constructs_that_cannot_be_compared_are_refused(construct, message):
    with pytest.raises(SpecError, match=message):
        rater_pairs(study_of(random_rows(waves=1)), construct)


def test_too_few_pairs_are_refused():
    rows = [("a", 1, "caseworker", "cw", 4), ("a", 1, "citizen", "ci", 2)]
    with pytest.raises(DesignError, match="fewer than two"):
        rater_agreement(study_of(rows), "both")
