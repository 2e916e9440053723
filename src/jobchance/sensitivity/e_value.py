"""`e_value`: how strongly an unseen confounder would have to go with exposure and outcome, as risk ratios."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from jobchance.effects.comparisons import comparisons
from jobchance.errors import SpecError
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.options import check_option
from jobchance.results.fit import Fit

MEASURES = ("risk_ratio", "odds_ratio", "hazard_ratio", "risk_difference", "mean_difference")
_RATIOS = MEASURES[:3]
# Chinn's (2000) conversion of a standardised mean difference, and 1.96 times it as printed
_SLOPE, _REACH = 0.91, 1.78


@dataclass(frozen=True)
class EValue:
    """An E-value and the risk ratios that it comes from.

    Parameters
    ----------
    measure : str
        What the estimate is.
    estimate, conf_low, conf_high, null : float
        As given; limits that were not given are NaN.
    risk_ratio, risk_ratio_low, risk_ratio_high : float
        (Approximate) risk ratio that the estimate stands for, and its limits.
    value : float
        Smallest risk ratio that a confounder must have with the exposure and with the outcome to bring the
        estimate to `null`, at least 1.
    value_limit : float
        The same for the limit of the interval that is nearer to `null`: 1 if the interval holds it, NaN
        without an interval.
    conversion : str
        How the risk ratio came about.
    """

    measure: str
    estimate: float
    conf_low: float
    conf_high: float
    null: float
    risk_ratio: float
    risk_ratio_low: float
    risk_ratio_high: float
    value: float
    value_limit: float
    conversion: str

    @property
    def frame(self) -> pd.DataFrame:
        """One row with every number."""
        return pd.DataFrame([vars(self)])

    def text(self, lang: str = "da") -> str:
        """What the numbers say, in words (`lang` is `"da"` or `"en"`)."""
        said = Formatter(lang)
        parts = [label("confounding.e_value", lang, value=said.number(self.value, decimals=2))]
        if not math.isnan(self.value_limit):
            key = "confounding.e_value_limit" if self.value_limit > 1 else "confounding.e_value_within"
            parts.append(label(key, lang, value=said.number(self.value_limit, decimals=2)))
        return " ".join([*parts, label("confounding.caution", lang)])


def e_value(
    estimate: float | Fit,
    term: str | None = None,
    *,
    measure: str = "risk_ratio",
    conf_low: float | None = None,
    conf_high: float | None = None,
    std_error: float | None = None,
    null: float | None = None,
    rare: bool | None = None,
    baseline: float | None = None,
    contrast: float | tuple[float, float] | None = None,
    level: float = 0.95,
) -> EValue:
    r"""E-value of an estimate (VanderWeele & Ding 2017): :math:`RR + \sqrt{RR (RR - 1)}` for RR of 1 or more.

    The smallest risk ratio that an unseen confounder would need with *both* exposure and outcome, beyond the
    covariates, to explain the association away. Risk ratios below 1 are turned round first.

    Parameters
    ----------
    estimate : float or Fit
        The estimate; or a binomial fit, whose average risks at two values of `term` make the risk ratio.
    term : str or None
        With a fit: the column that is changed; see `comparisons`.
    measure : str
        What a number is. `"risk_ratio"`. `"odds_ratio"`, `"hazard_ratio"`: say whether the outcome is
        `rare` (under 15 per cent at the end); the ratio then stands for a risk ratio, else :math:`\sqrt{OR}`
        or :math:`(1 - .5^{\sqrt{HR}}) / (1 - .5^{\sqrt{1/HR}})` do. `"risk_difference"` (0.02 is two
        percentage points): needs `baseline`. `"mean_difference"` in standard deviations of the outcome:
        :math:`\exp(0.91 d)`.
    conf_low, conf_high : float or None
        Interval on the scale of the estimate; one limit alone is allowed.
    std_error : float or None
        Of a mean difference, in place of its interval (:math:`\exp(0.91 d \pm 1.78 s)`, as printed).
    null : float or None
        Value that the confounder is to bring the estimate to; `None` is no association.
    rare : bool or None
        See `measure`.
    baseline : float or None
        Risk of the unexposed, for a risk difference; it is taken as known.
    contrast, level
        With a fit: passed on to `comparisons`.

    Returns
    -------
    EValue

    Raises
    ------
    SpecError
        An unknown measure; a ratio that is not positive; an estimate outside its interval; what the measure
        needs is missing or not its own; a fit without `term`, or one that has no risks.

    Notes
    -----
    The E-value takes the worst kind of confounder, and one that is as common as needed; it says nothing about
    how likely one is. It grows with the size of the association however large the standard error: read it
    with the limit's. Of a fit the risk ratio is a marginal one, of average risks.

    References
    ----------
    VanderWeele, T. J. & Ding, P. (2017), Annals of Internal Medicine 167, 268-274, table 2; Ding, P. &
    VanderWeele, T. J. (2016), Epidemiology 27, 368-377.

    Examples
    --------
    >>> from jobchance.sensitivity.e_value import e_value
    >>> found = e_value(3.9, conf_low=1.8, conf_high=8.7)
    >>> round(found.value, 2), round(found.value_limit, 2)
    (7.26, 3.0)
    """
    if isinstance(estimate, Fit):
        return _of_fit(estimate, term, contrast=contrast, level=level, null=null)
    check_option("measure", measure, MEASURES)
    if std_error is not None and measure == "mean_difference":
        conf_low = estimate - _REACH / _SLOPE * std_error
        conf_high = estimate + _REACH / _SLOPE * std_error
    none = 1.0 if measure in _RATIOS else 0.0
    numbers = {
        "estimate": float(estimate),
        "conf_low": math.nan if conf_low is None else float(conf_low),
        "conf_high": math.nan if conf_high is None else float(conf_high),
        "null": none if null is None else float(null),
    }
    _check(numbers, measure, std_error=std_error, rare=rare, baseline=baseline, term=term)
    ratios = {name: _as_risk_ratio(value, measure, rare, baseline) for name, value in numbers.items()}
    return _assemble(measure, numbers, ratios, _conversion(measure, rare))


def _of_fit(
    fit: Fit,
    term: str | None,
    *,
    contrast: float | tuple[float, float] | None,
    level: float,
    null: float | None,
) -> EValue:
    """From the average risks of a binomial fit at two values of the term."""
    if term is None:
        raise SpecError(
            "e_value of a fit needs the column whose values are compared: e_value(fit, 'belief')."
        )
    made = comparisons(fit, term, contrast=contrast, level=level)
    row = made.iloc[0]
    if len(made) != 1 or row["measure"] != "average difference in probability":
        raise SpecError(
            "e_value needs a binomial fit and one contrast, and this gives "
            f"{len(made)} of measure {row['measure']!r}; give contrast=(low, high), or the ratio itself."
        )
    numbers = {
        "estimate": float(row["compared"] / row["baseline"]),
        "conf_low": 1 + float(row["relative_low"]),
        "conf_high": 1 + float(row["relative_high"]),
        "null": 1.0 if null is None else float(null),
    }
    return _assemble("risk_ratio", numbers, numbers, "average risks of the fit")


def _check(
    numbers: dict[str, float],
    measure: str,
    *,
    std_error: float | None,
    rare: bool | None,
    baseline: float | None,
    term: str | None,
) -> None:
    """Raise one error with everything that does not fit together."""
    wrong = []
    known = {name: value for name, value in numbers.items() if not math.isnan(value)}
    if not all(math.isfinite(value) for value in known.values()) or "estimate" not in known:
        wrong.append("estimate, limits and null must be finite numbers")
    if measure in _RATIOS and not all(value > 0 for value in known.values()):
        wrong.append(f"a {measure.replace('_', ' ')} and its limits must be positive")
    low, high = numbers["conf_low"], numbers["conf_high"]
    if low > numbers["estimate"] or high < numbers["estimate"]:
        wrong.append("the estimate must lie between its limits")
    if measure in ("odds_ratio", "hazard_ratio") and rare is None:
        wrong.append(f"{measure} needs rare=True or rare=False (rare: under 15 per cent have the outcome)")
    if measure == "risk_difference":
        wrong += _check_risks(known, baseline)
    elif baseline is not None:
        wrong.append("baseline belongs to measure='risk_difference'")
    if std_error is not None and measure != "mean_difference":
        wrong.append("std_error belongs to measure='mean_difference'; give conf_low and conf_high")
    if term is not None:
        wrong.append("term belongs to a fit, and the estimate is a number")
    if wrong:
        raise SpecError("e_value: " + "; ".join(wrong) + ".")


def _check_risks(known: dict[str, float], baseline: float | None) -> list[str]:
    """What is wrong with the risks behind a risk difference."""
    if baseline is None or not 0 < baseline < 1:
        return ["risk_difference needs baseline, the risk of the unexposed, between 0 and 1"]
    risks = [baseline + known[name] for name in ("estimate", "null") if name in known]
    if not all(0 < risk <= 1 for risk in risks):
        return ["baseline and difference together must be a risk, above 0 and at most 1"]
    return []


def _as_risk_ratio(value: float, measure: str, rare: bool | None, baseline: float | None) -> float:
    """The (approximate) risk ratio that a number stands for (VanderWeele & Ding 2017, table 2)."""
    if math.isnan(value) or measure == "risk_ratio":
        return value
    if measure == "mean_difference":
        return math.exp(_SLOPE * value)
    if measure == "risk_difference":
        assert baseline is not None, "checked before"
        return max(baseline + value, 0.0) / baseline
    if rare:
        return value
    if measure == "odds_ratio":
        return math.sqrt(value)
    return float((1 - 0.5 ** math.sqrt(value)) / (1 - 0.5 ** math.sqrt(1 / value)))


def _conversion(measure: str, rare: bool | None) -> str:
    """How the risk ratio came about, in words."""
    if measure in ("odds_ratio", "hazard_ratio"):
        kind = "rare outcome: taken as a risk ratio" if rare else "common outcome: approximate conversion"
        return f"{measure.replace('_', ' ')}, {kind}"
    return {
        "risk_ratio": "as given",
        "risk_difference": "over the baseline risk",
        "mean_difference": "exp(0.91 d)",
    }[measure]


def _assemble(measure: str, numbers: dict[str, float], ratios: dict[str, float], conversion: str) -> EValue:
    """E-values of the estimate and of the nearer limit."""
    point, null = ratios["estimate"], ratios["null"]
    low, high = ratios["conf_low"], ratios["conf_high"]
    nearer = low if point >= null else high
    if math.isnan(nearer):
        limit = math.nan
    else:
        holds = nearer <= null if point >= null else nearer >= null
        limit = 1.0 if holds else _value(nearer, null)
    return EValue(
        measure=measure,
        estimate=numbers["estimate"],
        conf_low=numbers["conf_low"],
        conf_high=numbers["conf_high"],
        null=numbers["null"],
        risk_ratio=point,
        risk_ratio_low=low,
        risk_ratio_high=high,
        value=_value(point, null),
        value_limit=limit,
        conversion=conversion,
    )


def _value(ratio: float, null: float) -> float:
    """The E-value of a risk ratio against another."""
    if ratio == 0:
        return math.inf
    apart = max(ratio / null, null / ratio)
    return apart + math.sqrt(apart * (apart - 1))
