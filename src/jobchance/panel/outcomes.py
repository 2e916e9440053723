"""The named outcome rules: what counts, in which words, from where, and what being at risk means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class OutcomeRule:
    """One way to decide whether a citizen reached the outcome.

    Parameters
    ----------
    rule_id : str
        Code in the column `outcome` of the outcome table.
    label_da, label_en : str
        Short name.
    definition_da, definition_en : str
        What has to hold, and what does not count.
    source : str
        Where the rule comes from.
    unit : str
        Unit of the outcome in a panel.
    at_risk_da, at_risk_en : str
        Whom `at_risk="not_in_job"` leaves out.
    """

    rule_id: str
    label_da: str
    label_en: str
    definition_da: str
    definition_en: str
    source: str
    unit: str
    at_risk_da: str
    at_risk_en: str


_SUPPLIED = "supplied directly in the outcome table; the rule behind each value is the data owner's"
_UNIT = "0/1 per citizen and window"

_RULES = (
    OutcomeRule(
        rule_id="job",
        label_da="job",
        label_en="job",
        definition_da=(
            "I ordinær beskæftigelse mindst én dag i vinduet. Løntilskud, virksomhedspraktik, fleksjob og "
            "skånejob tæller ikke; at være uden ydelse er ikke i sig selv et job."
        ),
        definition_en=(
            "In ordinary employment on at least one day of the window. Wage subsidy, company internship, "
            "flex job and sheltered job do not count; being without benefit is not in itself a job."
        ),
        source=_SUPPLIED,
        unit=_UNIT,
        at_risk_da="Borgere, der er i job på måledagen, er ikke med.",
        at_risk_en="Citizens in a job on the day of the measurement are left out.",
    ),
    OutcomeRule(
        rule_id="education",
        label_da="uddannelse",
        label_en="education",
        definition_da=(
            "I ordinær uddannelse mindst én dag i vinduet. Kurser som led i en indsats tæller ikke med."
        ),
        definition_en=(
            "In ordinary education on at least one day of the window. Courses that are part of an "
            "intervention do not count."
        ),
        source=_SUPPLIED,
        unit=_UNIT,
        at_risk_da="Borgere, der er under uddannelse på måledagen, er ikke med.",
        at_risk_en="Citizens in education on the day of the measurement are left out.",
    ),
    OutcomeRule(
        rule_id="job_or_education",
        label_da="job eller uddannelse",
        label_en="job or education",
        definition_da="I ordinær beskæftigelse eller ordinær uddannelse mindst én dag i vinduet.",
        definition_en="In ordinary employment or ordinary education on at least one day of the window.",
        source=_SUPPLIED,
        unit=_UNIT,
        at_risk_da="Borgere, der er i job eller uddannelse på måledagen, er ikke med.",
        at_risk_en="Citizens in a job or in education on the day of the measurement are left out.",
    ),
    OutcomeRule(
        rule_id="self_support",
        label_da="selvforsørgelse",
        label_en="self-support",
        definition_da=(
            "Uden offentlig forsørgelse mindst én dag i vinduet. Omfatter også borgere uden løn, for "
            "eksempel forsørget af familien, og er derfor ikke det samme som job."
        ),
        definition_en=(
            "Without public income support on at least one day of the window. Includes citizens without pay, "
            "for example supported by family, and is therefore not the same as a job."
        ),
        source=_SUPPLIED,
        unit=_UNIT,
        at_risk_da="Borgere, der er selvforsørgende på måledagen, er ikke med.",
        at_risk_en="Citizens who support themselves on the day of the measurement are left out.",
    ),
)

OUTCOMES: Mapping[str, OutcomeRule] = MappingProxyType({rule.rule_id: rule for rule in _RULES})
"""Outcome rules by id; any other code in a study's outcome table can be asked for too."""
