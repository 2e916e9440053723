"""`JointTest`: what a whole specification curve says against there being no association at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.formatting import Formatter
from jobchance.numerics.joint_signs import STATISTICS

_TEXT = Formatter("en")


@dataclass(frozen=True, eq=False, repr=False)
class JointTest:
    """The three questions to a specification curve; made by `Multiverse.joint_test`.

    Parameters
    ----------
    frame : DataFrame
        One row per statistic: `statistic observed p_value null_low null_median null_high draws`. Statistics:
        `median_estimate` (in the unit of the estimates), `share_significant` (with the dominant sign) and
        `average_z`. The null columns are the 5, 50 and 95 per cent points of the curves under the null.
    null : DataFrame
        One row per curve under the null, with a column for each statistic.
    method : str
        `"sign_flip"` or `"permute"`.
    cluster : str
        Column whose clusters got a sign, or within whose cells exposures changed places (several joined by
        +).
    n_clusters : int
        Clusters, or cells.
    n_specifications : int
        Specifications in the curve.
    n_left_out : int
        Specifications of the multiverse that are not in it, by the reasons in `notes`.
    is_complete : bool
        Whether `null` holds every curve that there is.
    unit : str
        Of the estimates.
    notes : tuple of str
        What the reader must know.
    """

    frame: pd.DataFrame
    null: pd.DataFrame
    method: str
    cluster: str
    n_clusters: int
    n_specifications: int
    n_left_out: int
    is_complete: bool
    unit: str
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """The test in words."""
        words = {"sign_flip": "signs of clusters of", "permute": "places within"}[self.method]
        draws = f"{'all ' if self.is_complete else ''}{_TEXT.count(len(self.null))} curves"
        lines = [
            f"Joint test of {_TEXT.count(self.n_specifications)} specifications ({self.unit})",
            f"Random {words} {self.cluster} ({_TEXT.count(self.n_clusters)}); {draws} under the null",
        ]
        for row in self.frame.to_dict("records"):
            name = str(row["statistic"]).replace("_", " ")
            low, high = (_TEXT.number(row[end], decimals=2) for end in ("null_low", "null_high"))
            p = _TEXT.p_value(row["p_value"])
            lines.append(
                f"  {name:<20}{_TEXT.number(row['observed'], decimals=2):>8}   null {low} to {high}   p "
                f"{p if p[:1] in '<>' else f'= {p}'}"
            )
        return "\n".join([*lines, *self.notes]) + "\n"

    def __repr__(self) -> str:
        return f"JointTest({self.method}, {self.n_specifications} specifications, {len(self.null)} draws)"


def statistics_frame(
    observed: NDArray[np.float64], null: NDArray[np.float64], p: NDArray[np.float64]
) -> pd.DataFrame:
    """One row per statistic."""
    low, middle, high = np.quantile(null, [0.05, 0.5, 0.95], axis=0)
    return pd.DataFrame(
        {
            "statistic": list(STATISTICS),
            "observed": observed,
            "p_value": p,
            "null_low": low,
            "null_median": middle,
            "null_high": high,
            "draws": len(null),
        }
    )
