"""`Output`: one catalogue entry after disclosure control, with its picture and its words."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Output:
    """What the report needs of one drawn entry; statistics and drawing are done elsewhere.

    Parameters
    ----------
    id, name : str
        Catalogue id (`"F15"`) and name (`"belief_gradient"`).
    frame : DataFrame
        Exactly the frame that was drawn.
    png : bytes
        The picture.
    headline, note, source, alt : str
        The figure's own words in the language of the report.
    disclosure_class : str
        Word of the disclosure vocabulary.
    estimand : str
        `"descriptive"`, `"predictive"` or `"dispositional"`.
    round_base : int or None
        What its counts are rounded to multiples of.
    """

    id: str
    name: str
    frame: pd.DataFrame
    png: bytes
    headline: str
    note: str
    source: str
    alt: str
    disclosure_class: str
    estimand: str
    round_base: int | None = None

    @property
    def stem(self) -> str:
        """File name without ending, ASCII: `F15_belief_gradient`."""
        return f"{self.id}_{self.name}"
