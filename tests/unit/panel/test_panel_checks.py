"""A panel that exists is one that analyses can rely on, wherever its frame came from."""

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import DesignError, SpecError
from jobchance.panel.model import AnalysisPanel, require_panel


def frame(**columns):
    day = pd.Timestamp("2014-03-05")
    plain = {"citizen_id": ["a", "b"], "date": [day, day], "belief": [1.0, 2.0], "outcome": [0.0, np.nan]}
    return pd.DataFrame(plain | columns)


def panel(data):
    return AnalysisPanel(data, pd.DataFrame(), {})


def test_a_frame_with_any_index_gets_a_plain_one():
    assert panel(frame().set_index(["citizen_id", "date"], drop=False)).frame.index.tolist() == [0, 1]


def test_everything_wrong_is_said_at_once_without_values():
    bad = frame(citizen_id=["a", None], belief=[np.inf, 1.0], outcome=["secret", "no"])
    bad["date"] = pd.to_datetime(bad["date"]).dt.tz_localize("UTC")
    with pytest.raises(DesignError) as caught:
        panel(bad)
    text = str(caught.value)
    for part in (
        "belief is infinite in 1",
        "outcome must be numeric",
        "citizen_id is missing in 1",
        "time zone",
    ):
        assert part in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"belief": pd.Categorical([1, 2], ordered=True)}, "belief must be numeric"),
        ({"date": [pd.Timestamp("2014-03-05"), pd.NaT]}, "date is missing in 1"),
        ({"date": ["2014", "2015"]}, "date must hold dates"),
    ],
)
def test_columns_of_the_wrong_kind(columns, fault):
    with pytest.raises(DesignError, match=fault):
        panel(frame(**columns))


def test_two_columns_of_one_name():
    with pytest.raises(DesignError, match="more than one column of the name belief"):
        panel(pd.concat([frame(), frame()[["belief"]]], axis=1))


def test_a_frame_is_no_panel():
    with pytest.raises(SpecError, match=r"fit_leniency takes an AnalysisPanel, not DataFrame"):
        require_panel(frame(), "fit_leniency")
