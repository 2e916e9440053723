"""The named outcome rules: what counts, in which words, from where, and what being at risk means.

Ids, labels and sources come from the code list `outcome`; the definitions stand here. Outcomes are supplied
directly in the outcome table: the package reads the values, the data owner applied the rule.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jobchance.resources import read_data_text


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


# rule id: (definition da, definition en, state da, state en)
_DEFINITIONS: dict[str, tuple[str, str, str, str]] = {
    "job": (
        "I ordinær beskæftigelse mindst én dag i vinduet. Løntilskud, virksomhedspraktik, fleksjob og "
        "skånejob tæller ikke med; at være uden ydelse er ikke i sig selv et job.",
        "In ordinary employment on at least one day of the window. Wage subsidy, company internship, flex "
        "job and sheltered job do not count; being without benefit is not in itself a job.",
        "er i job",
        "are in a job",
    ),
    "job_at_follow_up": (
        "I job på det tidspunkt, hvor borgeren blev spurgt igen. Job, der både begyndte og sluttede før "
        "opfølgningen, tæller ikke med.",
        "In a job at the time of the follow-up interview. Jobs that both began and ended before the "
        "follow-up do not count.",
        "er i job",
        "are in a job",
    ),
    "job_or_education": (
        "I ordinær beskæftigelse eller ordinær uddannelse mindst én dag i vinduet.",
        "In ordinary employment or ordinary education on at least one day of the window.",
        "er i job eller under uddannelse",
        "are in a job or in education",
    ),
    "education": (
        "Under ordinær uddannelse med uddannelsesstøtte (eller som lærling) mindst én dag i vinduet. Kurser "
        "som led i en indsats tæller ikke med.",
        "In ordinary education with a study grant (or as an apprentice) on at least one day of the window. "
        "Courses that are part of an intervention do not count.",
        "er under uddannelse",
        "are in education",
    ),
    "self_support_week": (
        "Mindst én uge i vinduet uden offentlig forsørgelse. Omfatter også borgere uden løn, for eksempel "
        "forsørget af familien, og er derfor ikke det samme som job.",
        "At least one week of the window without public income support. Includes citizens without pay, for "
        "example supported by family, and is therefore not the same as a job.",
        "er uden offentlig forsørgelse",
        "are without public income support",
    ),
    "self_support_at_26w": (
        "Uden offentlig forsørgelse 26 uger efter, at et ydelsesforløb er slut.",
        "Without public income support 26 weeks after a benefit spell has ended.",
        "allerede har nået denne status",
        "have already reached this status",
    ),
    "job_4w_with_pay": (
        "Mindst fire uger i træk uden ydelse og med løn i de tilhørende måneder; kortere perioder tæller som "
        "fortsat ledighed.",
        "At least four consecutive weeks without benefit and with pay in the matching months; shorter "
        "periods count as still unemployed.",
        "er i en sådan periode",
        "are in such a period",
    ),
    "status_at_month": (
        "Status på én dag 1, 3, 6 eller 12 måneder efter, at et forløb er slut; et forløb slutter efter en "
        "hel kalendermåned uden udbetaling.",
        "Status on one day 1, 3, 6 or 12 months after a spell has ended; a spell ends after a full calendar "
        "month without payment.",
        "allerede har nået denne status",
        "have already reached this status",
    ),
    "hours_any": (
        "Lønnede timer i mindst én måned i vinduet. Støttet beskæftigelse og beregnede timer skal være holdt "
        "ude eller oplyst.",
        "Paid hours in at least one month of the window. Supported employment and imputed hours must have "
        "been left out or stated.",
        "har lønnede timer",
        "have paid hours",
    ),
    "hours_ge": (
        "Mindst et givet antal lønnede timer i en måned i vinduet; antallet skal oplyses.",
        "At least a given number of paid hours in a month of the window; the number must be stated.",
        "har så mange lønnede timer",
        "have that many paid hours",
    ),
    "hours_while_on_benefit": (
        "Ordinære lønnede timer ved siden af en ydelse.",
        "Ordinary paid hours beside a benefit.",
        "har lønnede timer ved siden af ydelsen",
        "have paid hours beside the benefit",
    ),
    "not_benefit_grouped": (
        "Ikke ydelsesmodtager i en opdeling i tre grupper: ikke ydelsesmodtager, helbredsrelateret ydelse og "
        "anden ydelse.",
        "Not a benefit recipient in a division into three groups: no benefit, health-related benefit and "
        "other benefit.",
        "ikke modtager ydelse",
        "receive no benefit",
    ),
}


def _rules() -> dict[str, OutcomeRule]:
    """One rule per code of the code list, in its order."""
    rows = csv.DictReader(read_data_text("codelists", "outcome.csv").splitlines())
    rules = {}
    for row in rows:
        definition_da, definition_en, state_da, state_en = _DEFINITIONS[row["code"]]
        rules[row["code"]] = OutcomeRule(
            rule_id=row["code"],
            label_da=row["label_da"],
            label_en=row["label_en"],
            definition_da=definition_da,
            definition_en=definition_en,
            source=row["source"],
            unit="0/1 per citizen and window",
            at_risk_da=f"Borgere, der {state_da} på måledagen, er ikke med.",
            at_risk_en=f"Citizens who {state_en} on the day of the measurement are left out.",
        )
    return rules


OUTCOMES: Mapping[str, OutcomeRule] = MappingProxyType(_rules())
"""Outcome rules by id; any other code in a study's outcome table can be asked for too."""
