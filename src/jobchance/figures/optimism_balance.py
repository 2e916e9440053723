"""F19: forest of citizens' traits on the caseworker's optimism, with the joint test in words."""

from __future__ import annotations

import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import capitalised, note
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "optimism_balance"
REQUIRED = (
    "mark", "level", "label_da", "label_en", "estimate", "conf_low", "conf_high", "p_value", "df_traits",
    "df_clusters", "cells", "estimand", "outcome", "horizon_weeks", "respondent", "population", "interval",
    "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"
_ALPHA = 0.05


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One row per trait, in the order of the citizen table; filled where the interval excludes zero."""
    rows = frame[frame["mark"] == "coefficient"].reset_index(drop=True)
    figure, (ax,) = new_figure(height_cm=1.4 + 0.5 * len(rows))
    marks.reference_line(ax, 0.0)
    marks.interval_points(
        ax,
        [_trait(row, lang) for _, row in rows.iterrows()],
        rows["estimate"],
        low=rows["conf_low"],
        high=rows["conf_high"],
        colours=[
            style.CITIZEN if phrase.outside_zero(row) else style.CASEWORKER for _, row in rows.iterrows()
        ],
        markers=["D" if phrase.outside_zero(row) else "o" for _, row in rows.iterrows()],
    )
    ends = [abs(float(end)) for end in [*rows["conf_low"], *rows["conf_high"]] if pd.notna(end)]
    reach = 1.25 * max([0.08, *ends])
    ax.set_xlim(-reach, reach)
    marks.number_axis(ax, axis="x", lang=lang)
    marks.grid_lines(ax, axis="x")
    ax.set_xlabel(label(f"{_KEY}.axis", lang))
    return finish(figure, _describe(frame, rows, lang))


def _trait(row: pd.Series, lang: str) -> str:
    return capitalised(str(row["label_da" if lang == "da" else "label_en"]))


def _describe(frame: pd.DataFrame, rows: pd.DataFrame, lang: str) -> Description:
    text, joint = Formatter(lang), _joint_words(frame, lang)
    outside = [_trait(row, lang) for _, row in rows.iterrows() if phrase.outside_zero(row)]
    some = label(f"{_KEY}.outside.some", lang, traits=text.listing(outside)) if outside else ""
    return Description(
        id="F19",
        name=NAME,
        lang=lang,
        headline=_headline(frame, lang),
        subtitle=label(f"{_KEY}.subtitle", lang),
        note=note(
            frame,
            lang,
            label(f"{_KEY}.method", lang, cells=text.count(phrase.whole(frame, "cells"))),
            joint,
            cautions=(f"{_KEY}.reading",),
        ),
        source=phrase.source(frame, lang),
        alt=label(
            f"{_KEY}.alt",
            lang,
            n=text.count(len(rows)),
            joint=joint,
            outside=some or label(f"{_KEY}.outside.none", lang),
        ),
        units={"estimate": "standard deviations of the trait per standard deviation of optimism"},
    )


def _joint(frame: pd.DataFrame) -> pd.Series | None:
    found = frame[(frame["mark"] == "joint") & frame["p_value"].notna()]
    return None if found.empty else found.iloc[0]


def _joint_words(frame: pd.DataFrame, lang: str) -> str:
    text, joint = Formatter(lang), _joint(frame)
    if joint is None:
        return label(f"{_KEY}.no_joint", lang)
    p = text.p_value(joint["p_value"])
    return label(
        f"{_KEY}.joint_small" if p.startswith("<") else f"{_KEY}.joint",
        lang,
        traits=text.count(int(joint["df_traits"])),
        df=text.count(int(joint["df_clusters"])),
        f=text.number(joint["estimate"], decimals=2),
        p=p,
    )


def _headline(frame: pd.DataFrame, lang: str) -> str:
    """By the joint test at the 5 per cent level."""
    joint = _joint(frame)
    if joint is None:
        return label(f"{_KEY}.headline.neutral", lang)
    return label(f"{_KEY}.headline.{'unbalanced' if joint['p_value'] < _ALPHA else 'balanced'}", lang)
