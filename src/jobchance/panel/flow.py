"""`SampleFlow`: who is left after each step from all measurements to the panel, and why not the others."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class SampleFlow:
    """Steps in order; adding one gives a new flow.

    Parameters
    ----------
    lines : tuple of (str, int, int, str)
        `step n_citizens n_rows reason`. Steps of the sample say what is *left* after the step; the lines
        after `panel` (`of_which_...`) say how many of the panel's rows have something. `step` and `reason`
        are keys of the labels `panel.step.<step>` and `panel.reason.<reason>`.
    """

    lines: tuple[tuple[str, int, int, str], ...] = ()

    def add(self, step: str, rows: pd.DataFrame, *, reason: str) -> SampleFlow:
        """The flow with one more line: the citizens and rows in `rows`."""
        return SampleFlow((*self.lines, (step, int(rows["citizen_id"].nunique()), len(rows), reason)))

    @property
    def frame(self) -> pd.DataFrame:
        """`step n_citizens n_rows reason`, one row per line."""
        return pd.DataFrame(list(self.lines), columns=["step", "n_citizens", "n_rows", "reason"])
