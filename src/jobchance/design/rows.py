"""Which rows a design uses: those without a missing value, and what to say about the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from jobchance.design.columns import Mask, infinite_masks, missing_masks


def complete_rows(names: Sequence[str], data: pd.DataFrame) -> tuple[Mask, dict[str, int], dict[str, int]]:
    """Rows without a missing value, rows dropped by reason, and missing values by column."""
    keep = np.ones(len(data), dtype=bool)
    dropped, missing = {}, {}
    for name, mask in missing_masks(names, data).items():
        if mask.any():
            missing[name] = int(mask.sum())
        new = int((mask & keep).sum())
        if new:
            dropped[f"{name} is missing"] = new
        keep &= ~mask
    return keep, dropped, missing


def kept_rows(names: Sequence[str], data: pd.DataFrame, keep: Mask) -> pd.DataFrame:
    """The rows to keep; nothing is copied when these are all."""
    return data if keep.all() else data.loc[keep, list(names)]


def finite_rows(names: Sequence[str], data: pd.DataFrame, keep: Mask) -> pd.DataFrame:
    """Complete and finite rows, on which the search for further problems goes on."""
    for mask in infinite_masks(names, data).values():
        keep = keep & ~mask
    return kept_rows(names, data, keep)


def no_rows(n: int, missing: Mapping[str, int]) -> str:
    """Why no row is left."""
    counts = ", ".join(f"{name} is missing in {count}" for name, count in missing.items())
    return f"No complete row among {n}" + (f": {counts}." if counts else ".")
