"""How many specifications agree with the main one, and with the typical one, in sign and significance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.result_frame import known, same_unit, varying

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
    rows = same_unit(known(frame), frame)
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
    parts = [(ALL, ALL, rows.index)]
    parts += [
        (dimension, str(option), part.index)
        for dimension in varying(rows)
        for option, part in rows.groupby(dimension, sort=True)
    ]
    records = [
        {"reference": reference, "dimension": dimension, "option": option}
        | _shares(marks.loc[index], *marks.loc[place, ["sign", "significant"]])
        for reference, place in _references(rows).items()
        for dimension, option, index in parts
    ]
    return pd.DataFrame(records, columns=list(COLUMNS))


def _references(rows: pd.DataFrame) -> dict[str, int]:
    """Where the main and the middle specification stand in the index."""
    order = rows.sort_values(["estimate", "key"], kind="stable").index
    main = rows.index[rows["main"]]
    middle = {"median": int(order[(len(order) - 1) // 2])}
    return {"main": int(main[0])} | middle if len(main) else middle


def _shares(marks: pd.DataFrame, its_sign: float, is_significant: bool) -> dict[str, object]:
    """What the rows of `marks` have in common with a reference."""
    sign = marks["sign"].eq(its_sign)
    significant = marks["significant"].eq(is_significant)
    return {
        "specifications": len(marks),
        "same_sign": float(sign.mean()),
        "same_significance": float(significant.mean()),
        "same_both": float((sign & significant).mean()),
        "positive": float(marks["positive"].mean()),
        "interval_above_zero": float(marks["interval_above_zero"].mean()),
        "interval_below_zero": float(marks["interval_below_zero"].mean()),
    }
