"""`published_margins`: what BIP published, computed from a study's tables, beside the published numbers.

Written on its own, from the tables alone (`margin_rows.py`), so that it checks simulator and panel alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.indicator.optimism import THIRDS, leave_one_out_optimism, optimism_thirds
from jobchance.labels.published import published_values
from jobchance.simulate.margin_rows import day_numbers, margin_rows, year_after
from jobchance.study.model import Study

MIN_CASES = 20  # citizens of a caseworker whose share counts in the spread
NEEDED = ("citizen", "caseworker", "jobcentre", "assignment", "measurement", "rating", "outcome", "follow_up")
_Lines = Iterator[tuple[str, str, float, str]]


def published_margins(study: Study) -> pd.DataFrame:
    """Compute the published margins of a simulated study, or of any with the same tables.

    Rows are caseworker forms with an answer to `belief_job`. The outcome is at least one day in job (or in
    job or education) in the 52 weeks from the first Monday after the measurement; a window that is not
    complete counts only if it has the outcome. At risk: not in the outcome on the day of the measurement.

    Parameters
    ----------
    study : Study
        Simulated by `simulate_study`, or another with the same tables and columns, where every outcome that
        happened has its date.

    Returns
    -------
    DataFrame
        `key target achieved status definition`. `target` and `status` are those of
        `data/codelists/published_bip.csv` (the status is the published number's, so that an inferred target
        is seen as such); `achieved` is NaN where nobody is left to count; `definition` says what was counted.

    Raises
    ------
    SpecError
        A table is absent.

    Examples
    --------
    >>> from jobchance.simulate.bip import simulate_study
    >>> margins = published_margins(simulate_study(seed=1, n_citizens=500))
    >>> list(margins.columns)
    ['key', 'target', 'achieved', 'status', 'definition']
    """
    absent = sorted(set(NEEDED) - set(study.tables))
    if absent:
        raise SpecError(f"published_margins needs the tables {', '.join(absent)}.")
    rows = margin_rows(study)
    known = published_values()
    lines = [
        *_sizes(study, rows),
        *_belief(rows),
        *_thirds(rows),
        *_shifts(study, rows),
        *_spread(study, rows),
        *_traits(study),
    ]
    records = [
        {
            "key": name,
            "target": known[target].value,
            "achieved": float(achieved),
            "status": known[target].status,
            "definition": definition,
        }
        for name, target, achieved, definition in lines
    ]
    return pd.DataFrame(records)


def _first(rows: pd.DataFrame) -> pd.DataFrame:
    """Each citizen's first measurement at risk."""
    return rows[rows["job_at_risk"]].drop_duplicates("citizen_id")


def _sizes(study: Study, rows: pd.DataFrame) -> _Lines:
    """Counts, where they do not follow from `n_citizens` alone."""
    tables = study.tables
    citizens = len(tables["citizen"])
    yield "n_jobcentres", "n_jobcentres", len(tables["jobcentre"]), "rows of jobcentre"
    yield "n_caseworkers", "n_caseworkers", len(tables["caseworker"]), "rows of caseworker"
    yield "n_citizens", "n_citizens", citizens, "rows of citizen"
    yield "n_forms", "n_forms", len(tables["measurement"]), "rows of measurement, both respondents"
    lead = tables["assignment"]
    pairs = lead.loc[lead["role"] == "lead", ["citizen_id", "caseworker_id"]].drop_duplicates()
    yield "n_relationships", "n_relationships", len(pairs), "pairs of citizen and lead caseworker"
    waves = tables["measurement"].drop_duplicates(["citizen_id", "wave"])
    yield "mean_waves_per_client", "mean_waves_per_client", len(waves) / citizens, "waves with a form"
    yield "max_waves", "max_waves", float(waves["wave"].max()), "highest wave with a form"


def _belief(rows: pd.DataFrame) -> _Lines:
    """Shares and one-year job rates by answer, at first and at all measurements at risk."""
    at_risk = rows[rows["job_at_risk"]]
    for suffix, chosen, who in (
        ("", _first(rows), "first measurement at risk"),
        ("_all_waves", at_risk, "all measurements at risk"),
    ):
        given = chosen[chosen["belief"].notna()]
        step = given["belief"]
        for key, mask in (
            ("top", step == 5),
            ("second", step == 4),
            ("middle", step == 3),
            ("lowest_two", step <= 2),
        ):
            yield f"belief_share_{key}{suffix}", f"belief_share_{key}", mask.mean(), f"{who}; answers 1-5"
        yield f"p_job_1y{suffix}", "p_job_1y", chosen["job"].mean(), who
        low = given.loc[step == 1, "job"].mean()
        yield f"p_job_1y_belief_low{suffix}", "p_job_1y_belief_low", low, f"{who}; lowest answer"
        low = given.loc[step <= 2, "job"].mean()
        yield f"p_job_1y_belief_lowest_two{suffix}", "p_job_1y_belief_low", low, f"{who}; two lowest answers"
        high = given.loc[step == 5, "job"].mean()
        yield f"p_job_1y_belief_high{suffix}", "p_job_1y_belief_high", high, f"{who}; top answer"


def _thirds(rows: pd.DataFrame) -> _Lines:
    """One-year job rates in equal thirds of the rows at risk by leave-one-out optimism."""
    half = rows["date"].dt.year.astype(str) + np.where(rows["date"].dt.month > 6, "H2", "H1")
    optimism = leave_one_out_optimism(rows.assign(period=half))
    at_risk = rows.assign(optimism=optimism)[rows["job_at_risk"]]
    rates = at_risk["job"].groupby(optimism_thirds(at_risk)).mean().reindex(THIRDS)
    where = "all measurements at risk, thirds by leave-one-out optimism within jobcentre and half-year"
    for third in THIRDS:
        yield f"p_job_tercile_{third}", f"p_job_tercile_{third}", rates[third], where
    low, high = rates["low"], rates["high"]
    yield "optimism_difference", "optimism_difference", high - low, where
    yield "rr_optimism", "rr_optimism", high / low if low else np.nan, where


def _shifts(study: Study, rows: pd.DataFrame) -> _Lines:
    """Share that ever shifts, and the job rate after a shift against before or without one."""
    lead = study.tables["assignment"]
    lead = lead[lead["role"] == "lead"]
    shifts = lead.groupby("citizen_id").size() > 1
    yield "p_any_shift", "p_any_shift", shifts.mean(), "citizens with more than one lead caseworker spell"
    at_risk = rows[rows["job_at_risk"]]
    after = at_risk.loc[at_risk["shifted"], "job"].mean()
    before = at_risk.loc[~at_risk["shifted"], "job"].mean()
    what = "measurements at risk after a first shift against those before it or without one, one year on"
    yield "rr_shift", "rr_shift", after / before if before else np.nan, what
    yield "shift_difference", "shift_difference", after - before, what


def _spread(study: Study, rows: pd.DataFrame) -> _Lines:
    """Raw share in job or education of the worst and of the best quarter of caseworkers."""
    lead = study.tables["assignment"]
    lead = lead[lead["role"] == "lead"].rename(columns={"start": "date"})
    for suffix, cases, least, since in (
        ("", lead, MIN_CASES, "the day the citizen got that caseworker"),
        ("_measured", rows, MIN_CASES // 2, "the first measurement at risk with that caseworker"),
    ):
        worst, best = _quarters(_cases_of_caseworkers(study, cases), least=least)
        where = f"quarter of the caseworkers with at least {least} citizens by raw share; a year from {since}"
        yield f"p_jobedu_cw_worst{suffix}", "p_jobedu_cw_worst", worst, where
        yield f"p_jobedu_cw_best{suffix}", "p_jobedu_cw_best", best, where


def _cases_of_caseworkers(study: Study, cases: pd.DataFrame) -> pd.DataFrame:
    """First row at risk of every citizen with every caseworker: `caseworker_id share`."""
    cases = cases.sort_values(["citizen_id", "date"])
    people = pd.Index(study.tables["citizen"]["citizen_id"])
    citizen = people.get_indexer(pd.Index(cases["citizen_id"]))
    happened, at_risk = year_after(study, "job_or_education", people, citizen, day_numbers(cases["date"]))
    cases = cases.assign(share=happened)[at_risk & ~np.isnan(happened)]
    return cases.drop_duplicates(["citizen_id", "caseworker_id"])[["caseworker_id", "share"]]


def _quarters(cases: pd.DataFrame, *, least: int) -> tuple[float, float]:
    """Share of all cases of the worst and of the best quarter of caseworkers."""
    table = cases.groupby("caseworker_id")["share"].agg(["mean", "sum", "size"])
    ranked = table[table["size"] >= least].sort_values("mean")
    quarter = len(ranked) // 4
    if not quarter:
        return np.nan, np.nan
    worst, best = ranked.head(quarter), ranked.tail(quarter)
    return worst["sum"].sum() / worst["size"].sum(), best["sum"].sum() / best["size"].sum()


def _traits(study: Study) -> _Lines:
    """Who the citizens are."""
    citizen = study.tables["citizen"]
    unqualified = citizen["education"].isin(["primary", "upper_secondary"])
    men = citizen["sex"] == 1
    for key, share, definition in (
        ("share_time_job_edu_5y", citizen["job_education_share_5y"].mean(), "mean over citizens"),
        ("p_no_vocational", unqualified.mean(), "education primary or upper_secondary"),
        ("p_psychiatric", citizen["psychiatric_diagnosis"].mean(), "citizens"),
        ("p_musculoskeletal", citizen["musculoskeletal_diagnosis"].mean(), "citizens"),
        ("p_men_convicted", citizen.loc[men, "convicted"].mean(), "men"),
        ("p_no_intervention", 1 - citizen["any_intervention"].mean(), "citizens"),
    ):
        yield key, key, share, definition
