"""`Finding`: the tidy frame behind one catalogue figure or table, and its class of disclosure risk."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Finding:
    """One catalogue entry computed from a study.

    Parameters
    ----------
    id : str
        Catalogue id, for example `"F15"`.
    name : str
        Catalogue name; the drawing function is `jobchance.figures.<name>`.
    frame : DataFrame
        Tidy; every row carries its counts (`N_citizens`, ...), constants of the context stand in columns.
    disclosure_class : str
        Word of the disclosure vocabulary (`"Frequencies"`, `"LinearAggregations"`, ...).
    """

    id: str
    name: str
    frame: pd.DataFrame
    disclosure_class: str
