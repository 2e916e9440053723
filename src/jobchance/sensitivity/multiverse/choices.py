"""The dimensions of a multiverse: their defaults, which estimator uses which, and the choices of one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from jobchance.identification.ladder import RUNGS
from jobchance.sensitivity.multiverse.specification import (
    LIKELIHOOD,
    LINEAR,
    MISSING,
    RUNG,
    Condition,
    Specification,
)

DIMENSIONS = (
    "outcome",
    "horizon_weeks",
    "at_risk",
    "exposure",
    "covariates",
    "sample",
    "waves",
    "estimator",
    "absorb",
    "random",
    "vcov",
    "missing",
)
"""In the order of the columns of a multiverse's frame."""

ESTIMATORS = (*LINEAR, *LIKELIHOOD, *(f"{RUNG}{name}" for name in RUNGS))
OF_THE_PANEL = ("outcome", "horizon_weeks", "at_risk")
"""Dimensions of the panel itself: a file that is silent about them means those of the panel it is run on."""

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "outcome": ("job",),
        "horizon_weeks": (52,),
        "at_risk": ("not_in_job",),
        "waves": ((None, None),),
        "estimator": ("pooled", "logit"),
        "absorb": ((),),
        "random": (("(1 | caseworker_id)",),),
        "vcov": ("cluster:caseworker_id",),
        "missing": (MISSING[0],),
    }
)
NEUTRAL: Mapping[str, Any] = MappingProxyType(
    {
        "exposure": "belief",
        "covariates": (),
        "absorb": (),
        "random": (),
        "missing": MISSING[0],
    }
)
"""Value of a dimension that an estimator does not use; that of `vcov` is in `neutral`."""

OWN_ERRORS = "own"
_UNUSED = {
    "pooled": ("random",),
    "within": ("random",),
    "logit": ("absorb", "random"),
    "mixed": ("absorb", "vcov"),
    "mixed_logit": ("absorb", "vcov"),
}
_OF_A_RUNG = ("exposure", "absorb", "random", "vcov")
_WITHOUT_COVARIATES = ("covariates", "missing")
_ADJUSTING = ("adjusted", "hazard", "leniency", "leniency_iv", "shift", "value_added")


def unused(estimator: str) -> tuple[str, ...]:
    """Dimensions that an estimator does not use, in the order of `DIMENSIONS`.

    A rung of the ladder has its own exposure, effects and standard errors; the raw gradient and the rungs
    that compare a citizen with themselves adjust for nothing, and so have no missing covariates either.
    """
    if not estimator.startswith(RUNG):
        return _UNUSED[estimator]
    own: tuple[str, ...] = _OF_A_RUNG
    if estimator.removeprefix(RUNG) not in _ADJUSTING:
        own += _WITHOUT_COVARIATES
    return tuple(name for name in DIMENSIONS if name in own)


def neutral(dimension: str, estimator: str) -> Any:
    """Value that stands for "does not apply": mixed models have the model's errors, a rung its own."""
    if dimension == "vcov":
        return OWN_ERRORS if estimator.startswith(RUNG) else "model"
    return NEUTRAL[dimension]


def waves_text(waves: tuple[int | None, int | None]) -> str:
    """A wave window as a file writes it: `all`, `2`, `1-3`, `2-` or `-3`."""
    first, last = waves
    if first is None and last is None:
        return "all"
    if first == last:
        return str(first)
    return f"{'' if first is None else first}-{'' if last is None else last}"


@dataclass(frozen=True)
class CovariateChoices:
    """Which sets of terms are adjusted for; terms are canonical and sorted.

    Parameters
    ----------
    always : tuple of str
        In every set.
    each : tuple of str
        Gives four kinds of sets: none of them, each alone, all but one, all.
    subsets : tuple of str
        Gives every subset that has `min_size` to `max_size` of them.
    min_size, max_size : int
        Of the subsets, not counting `always`.
    sets : tuple of (str, tuple of str)
        Named sets, without `always`.
    columns : mapping of str to tuple of str
        The columns that each term names.
    """

    always: tuple[str, ...] = ()
    each: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    min_size: int = 0
    max_size: int = 0
    sets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def terms(self) -> tuple[str, ...]:
        """Every term that occurs, sorted."""
        named = (term for _, terms in self.sets for term in terms)
        return tuple(sorted({*self.always, *self.each, *self.subsets, *named}))


@dataclass(frozen=True)
class SampleChoice:
    """A named sample rule: the conditions that a row must fulfil, all of them."""

    name: str = "all"
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Choices:
    """What may be chosen on each dimension; the order of writing does not matter, so all are sorted.

    Parameters
    ----------
    outcome, at_risk, exposure, estimator, vcov, missing : tuple of str
        As in `Specification`.
    horizon_weeks : tuple of int
        As in `Specification`.
    covariates : CovariateChoices
        The sets, or how to make them.
    sample : tuple of SampleChoice
        Named rules.
    waves : tuple of (int or None, int or None)
        Windows, first and last wave included.
    absorb, random : tuple of tuple of str
        Several factors, or several random-effects terms, are one choice.
    """

    exposure: tuple[str, ...]
    covariates: CovariateChoices
    outcome: tuple[str, ...] = DEFAULTS["outcome"]
    horizon_weeks: tuple[int, ...] = DEFAULTS["horizon_weeks"]
    at_risk: tuple[str, ...] = DEFAULTS["at_risk"]
    sample: tuple[SampleChoice, ...] = (SampleChoice(),)
    waves: tuple[tuple[int | None, int | None], ...] = DEFAULTS["waves"]
    estimator: tuple[str, ...] = DEFAULTS["estimator"]
    absorb: tuple[tuple[str, ...], ...] = DEFAULTS["absorb"]
    random: tuple[tuple[str, ...], ...] = DEFAULTS["random"]
    vcov: tuple[str, ...] = DEFAULTS["vcov"]
    missing: tuple[str, ...] = DEFAULTS["missing"]

    def of(self, dimension: str) -> tuple[Any, ...]:
        """The choices of a dimension other than the covariates."""
        values: tuple[Any, ...] = getattr(self, dimension)
        return values


def specification(combination: dict[str, Any], columns: dict[str, tuple[str, ...]]) -> Specification:
    """The canonical specification of one choice on every dimension.

    What the estimator does not use gets its neutral value. A rung of the ladder adjusts for columns, not for
    terms: `columns` gives those of each term.
    """
    estimator = combination["estimator"]
    chosen = combination | {name: neutral(name, estimator) for name in unused(estimator)}
    sample: SampleChoice = chosen.pop("sample")
    if estimator.startswith(RUNG):
        named = {column for term in chosen["covariates"] for column in columns[term]}
        chosen["covariates"] = tuple(sorted(named))
    return Specification(**chosen, sample=sample.name, conditions=sample.conditions)
