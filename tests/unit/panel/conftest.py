"""Studies written out by hand: a few citizens, every date visible."""

from datetime import date

import pandas as pd
import pytest

from jobchance.study.instrument import Construct, Instrument, Item, Scale
from jobchance.study.model import Analysis, Study


def item(item_id, respondent, *, reverse=False, construct="caseworker_belief"):
    return Item(
        item_id=item_id,
        construct=construct,
        respondent=respondent,
        scale_min=1,
        scale_max=5,
        categories={},
        text={"da": item_id, "en": item_id},
        reversed=reverse,
        has_dont_know=True,
        wording_status="placeholder",
        scale_status="placeholder",
        source="",
    )


def instrument(*, reverse=False, with_scale=True):
    return Instrument(
        name="test",
        version="1",
        constructs=(Construct("caseworker_belief", 1, {"da": "tro"}, True, "placeholder", ""),),
        items=(item("belief_job", "caseworker", reverse=reverse), item("belief_own", "citizen")),
        scales=(Scale("expectation", {"da": "forventning"}, ("belief_job",), 1),) if with_scale else (),
    )


def _dates(table, columns):
    return table.assign(**{c: pd.to_datetime(table[c]) for c in columns if c in table})


def build_study(
    measurements,
    outcomes,
    *,
    follow_up=None,
    data_through=date(2016, 12, 31),
    analysis=None,
    reverse=False,
    with_scale=True,
    citizen=None,
    **tables,
):
    """Make a study from lists of dicts; answers stand beside the forms as `value` or `missing_reason`."""
    forms = pd.DataFrame(measurements)
    forms["measurement_id"] = forms.get("measurement_id", pd.Series([f"m{k}" for k in range(len(forms))]))
    for column in ("wave", "respondent", "caseworker_id", "value", "missing_reason"):
        forms[column] = forms.get(column, None)
    forms["wave"] = pd.to_numeric(forms["wave"]).fillna(1).astype(int)
    forms["respondent"] = forms["respondent"].fillna("caseworker")
    rater = forms["respondent"] == "caseworker"
    forms["caseworker_id"] = forms["caseworker_id"].where(forms["caseworker_id"].notna() | ~rater, "w1")
    forms["value"] = (
        forms["value"].astype(float).where(forms["value"].notna() | forms["missing_reason"].notna(), 3)
    )
    rating = forms[["measurement_id", "value", "missing_reason"]].copy()
    rating["item_id"] = ["belief_job" if r == "caseworker" else "belief_own" for r in forms["respondent"]]
    found = {
        "citizen": citizen
        if citizen is not None
        else pd.DataFrame({"citizen_id": sorted(forms["citizen_id"].unique())}),
        "measurement": _dates(forms.drop(columns=["value", "missing_reason"]), ["date"]),
        "rating": rating,
        **tables,
    }
    if outcomes is not None:
        columns = ["window_start", "window_end", "event_date", "event_end"]
        table = pd.DataFrame(outcomes, columns=[*outcomes[0], *(c for c in columns if c not in outcomes[0])])
        table["outcome"] = table["outcome"].fillna("job") if "outcome" in table else "job"
        found["outcome"] = _dates(table, columns)
    if follow_up is not None:
        found["follow_up"] = _dates(pd.DataFrame(follow_up), ["observed_from", "observed_to"])
    return Study(
        found,
        instrument(reverse=reverse, with_scale=with_scale),
        "Test",
        "Test",
        "simulated",
        "da",
        data_through,
        analysis=analysis or Analysis(),
    )


@pytest.fixture
def make_study():
    return build_study
