"""How many specifications agree with the main one, and with the typical one, in sign and significance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.result_frame import known, same_question, varying

ALL = "all"
COLUMNS = (
    "reference", "dimension", "option", "specifications", "same_sign", "same_significance", "same_both",
    "positive", "interval_above_zero", "interval_below_zero",
)  # fmt: skip


def agreement(frame: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Shares of the specifications that say the same as a reference, in all and by option of each dimension.

    Parameters
    ----------
    frame : DataFrame
        Of a multiverse.
    level : float
        A specification is significant where its p-value is below 1 - `level`.

    Returns
    -------
    DataFrame
        One row per reference and option. References: `"main"`, where the main specification has an
        estimate, and `"median"`, the one in the middle of the sorted estimates (the lower of two).
        `dimension` and `option` are `"all"` in the first row of each. `specifications` with that option,
        and the shares of them with the reference's sign (`same_sign`), significant or not as the reference
        is (`same_significance`), and both (`same_both`); `positive` estimates, and intervals wholly above
        or below zero. The reference counts itself.

    Raises
    ------
    SpecError
        No specification has an estimate.

    Notes
    -----
    Only specifications in the unit of the main one; failed ones agree with nobody and are not counted.
    Whether many agree by chance is a question for `Multiverse.joint_test`: specifications share their data.
    """
    rows = same_question(known(frame), frame)
    if rows.empty:
        raise SpecError(f"agreement: none of the {len(frame)} specifications has an estimate.")
    marks = pd.DataFrame(
        {
            "sign": np.sign(rows["estimate"]),
            "significant": rows["p_value"] < 1 - level,
            "positive": rows["estimate"] > 0,
            "interval_above_zero": rows["conf_low"] > 0,
            "interval_below_zero": rows["conf_high"] < 0,
        }
    )
    parts = [
        _shares(
            marks, place, rows[dimension] if dimension != ALL else pd.Series(ALL, index=rows.index)
        ).assign(reference=reference, dimension=dimension)
        for reference, place in _references(rows).items()
        for dimension in (ALL, *varying(rows))
    ]
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def _references(rows: pd.DataFrame) -> dict[str, int]:
    """Where the main and the middle specification stand in the index."""
    order = rows.sort_values(["estimate", "key"], kind="stable").index
    main = rows.index[rows["main"]]
    middle = {"median": int(order[(len(order) - 1) // 2])}
    return {"main": int(main[0])} | middle if len(main) else middle


def _shares(marks: pd.DataFrame, place: int, options: pd.Series) -> pd.DataFrame:
    """What the rows with each option have in common with the reference at `place`."""
    sign = marks["sign"].eq(marks["sign"].loc[place])
    significant = marks["significant"].eq(marks["significant"].loc[place])
    shared = marks.assign(same_sign=sign, same_significance=significant, same_both=sign & significant)
    by_option = shared[list(COLUMNS[4:])].astype(float).groupby(options, sort=True)
    found = by_option.mean().assign(specifications=by_option.size())
    found.insert(0, "option", found.index.astype(str))
    return found
