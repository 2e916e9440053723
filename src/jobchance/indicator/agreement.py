"""Agreement of citizen and caseworker about one construct in the same wave."""

from __future__ import annotations

import pandas as pd

from jobchance.errors import DesignError, SpecError
from jobchance.indicator.scores import turned
from jobchance.numerics.agreement import icc_agreement, weighted_kappa
from jobchance.numerics.proportions import share
from jobchance.study.instrument import Item
from jobchance.study.model import Study

__all__ = ["icc_agreement", "rater_agreement", "rater_pairs", "weighted_kappa"]

_SIDES = ("caseworker", "citizen")


def rater_pairs(study: Study, construct_id: str) -> pd.DataFrame:
    """Both respondents' answers to one construct, one row per citizen and wave that both answered.

    Parameters
    ----------
    study : Study
        Needs `measurement` and `rating`.
    construct_id : str
        A construct with one item for the citizen and one for the caseworker, on the same range.

    Returns
    -------
    DataFrame
        `citizen_id wave caseworker citizen`: numbers on the scale, reversed items turned. "Don't know" and
        missing answers make no pair; of several forms of one respondent in a wave the first counts.

    Raises
    ------
    SpecError
        The construct is unknown, lacks an item for one of the two or has several, or the ranges differ.
    """
    items = [_item(study, construct_id, side) for side in _SIDES]
    if len({(item.scale_min, item.scale_max) for item in items}) > 1:
        raise SpecError(f"construct {construct_id!r}: citizen and caseworker answer on different ranges.")
    rating = study.tables["rating"]
    forms = study.tables["measurement"][["measurement_id", "citizen_id", "wave", "date", "respondent"]]
    own = rating[rating["item_id"].isin([item.item_id for item in items]) & rating["value"].notna()]
    answers = own[["measurement_id"]].assign(answer=turned(own["item_id"], own["value"], items))
    rows = forms.merge(answers, on="measurement_id").sort_values(
        ["citizen_id", "wave", "date"], kind="stable"
    )
    sides = {
        side: rows[rows["respondent"] == side]
        .drop_duplicates(["citizen_id", "wave"])[["citizen_id", "wave", "answer"]]
        .rename(columns={"answer": side})
        for side in _SIDES
    }
    return sides["caseworker"].merge(sides["citizen"], on=["citizen_id", "wave"])


def rater_agreement(study: Study, construct_id: str, *, level: float = 0.95) -> pd.DataFrame:
    """How far citizen and caseworker agree about one construct, with intervals over citizens.

    Parameters
    ----------
    study : Study
        As for `rater_pairs`.
    construct_id : str
        The construct.
    level : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        One row per `measure`: `observed` (share of identical answers), `kappa` (quadratic weights) and `icc`
        (ICC(A,1)); `estimate conf_low conf_high std_error interval n_pairs n_citizens`. A citizen with
        several waves is one cluster; `interval` names the method: `wilson_effective`, `delta_fisher_z` or,
        for the ICC when no citizen has several pairs, `mcgraw_wong`.

    Raises
    ------
    SpecError
        As for `rater_pairs`.
    DesignError
        Fewer than two pairs.

    References
    ----------
    See `jobchance.numerics.agreement`.

    Examples
    --------
    >>> import jobchance as jc
    >>> rater_agreement(jc.simulate_study(seed=1), "self_efficacy")  # doctest: +SKIP
    """
    pairs = rater_pairs(study, construct_id)
    if len(pairs) < 2:
        raise DesignError(f"construct {construct_id!r}: fewer than two measurements that both answered.")
    first, second = (pairs[side].to_numpy(dtype=float) for side in _SIDES)
    citizen = pairs["citizen_id"].to_numpy()
    repeated = bool(pairs["citizen_id"].duplicated().any())
    same = share(first == second, cluster=citizen if repeated else None, level=level)
    kappa = weighted_kappa(first, second, cluster=citizen, level=level)
    matrix = pairs[list(_SIDES)].to_numpy(dtype=float)
    icc = icc_agreement(matrix, cluster=citizen if repeated else None, level=level)
    found = (
        ("observed", same, "wilson_effective"),
        ("kappa", kappa, "delta_fisher_z"),
        ("icc", icc, "delta_fisher_z" if repeated else "mcgraw_wong"),
    )
    return pd.DataFrame(
        {
            "measure": measure,
            "estimate": value.estimate,
            "conf_low": value.conf_low,
            "conf_high": value.conf_high,
            "std_error": value.std_error,
            "interval": interval,
            "n_pairs": len(pairs),
            "n_citizens": pairs["citizen_id"].nunique(),
        }
        for measure, value, interval in found
    )


def _item(study: Study, construct_id: str, side: str) -> Item:
    """The one item of a construct for one respondent."""
    construct = study.instrument.construct(construct_id).construct_id
    items = [i for i in study.instrument.items if i.construct == construct and i.respondent == side]
    if len(items) != 1:
        raise SpecError(f"construct {construct_id!r} has {len(items)} items for the {side}; one is needed.")
    return items[0]
