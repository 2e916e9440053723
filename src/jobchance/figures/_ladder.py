"""What the figure and the table of the evidence ladder share: verdicts and rungs in words."""

from __future__ import annotations

import pandas as pd

from jobchance.formatting import Formatter
from jobchance.labels.load import label

# the values of the column `verdict`, from the strongest
SLUGS = {
    "credible under stated assumptions": "credible",
    "suggestive": "suggestive",
    "predicts only": "predicts_only",
    "not identified here": "not_identified",
}


def slug(verdict: str) -> str:
    """Key of a verdict's labels."""
    return SLUGS[verdict]


def name_of(rung: str, lang: str) -> str:
    """Name of a rung."""
    return label(f"rung.{rung}.name", lang)


def with_number(frame: pd.DataFrame) -> pd.DataFrame:
    """Rungs that have a number and may be drawn."""
    return frame[frame["estimate"].notna() & (frame["verdict"] != "not identified here")]


def best_verdict(frame: pd.DataFrame) -> str:
    """Key of the headline: what the strongest verdict is, and whether its interval excludes zero."""
    rows = with_number(frame)
    credible = rows[rows["verdict"].map(slug) == "credible"]
    if len(credible):
        clear = (credible["conf_low"] > 0) | (credible["conf_high"] < 0)
        return "effect" if clear.any() else "no_difference"
    return "suggestive" if (rows["verdict"].map(slug) == "suggestive").any() else "predicts"


def refused_sentence(frame: pd.DataFrame, lang: str) -> str:
    """Which rungs the study cannot carry, and what each lacks; "" if it carries all."""
    text = Formatter(lang)
    refused = frame[frame["verdict"] == "not identified here"]
    parts = []
    for _, row in refused.iterrows():
        keys = [key for key in str(row["missing"]).split("|") if key and key != "nan"]
        lacks = text.listing([label(f"missing.{key}", lang) for key in keys])
        name = name_of(str(row["rung"]), lang)
        parts.append(f"{name} ({lacks})" if lacks else name)
    return label("figure.grade_of_evidence.refused", lang, names="; ".join(parts)) if parts else ""
