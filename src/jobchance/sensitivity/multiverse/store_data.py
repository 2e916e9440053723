"""One hash for the data of a run: values, names and row order, all that its numbers can depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study


def fingerprint_data(source: Study | AnalysisPanel) -> str:
    """SHA-256 of a study's tables and settings, or of a panel's rows and conventions.

    Unlike `Study.fingerprint` it sees the order of rows: sums in another order differ in their last digits.

    Examples
    --------
    >>> import jobchance as jc
    >>> one, two = (jc.simulate_study(seed=seed, n_citizens=60) for seed in (1, 2))
    >>> fingerprint_data(one) == fingerprint_data(two)
    False
    """
    if isinstance(source, AnalysisPanel):
        frames: Mapping[str, pd.DataFrame] = {"panel": source.frame}
        settings = repr(sorted(source.meta.items(), key=lambda item: item[0]))
    else:
        frames = source.tables
        settings = repr((source.analysis, source.data_through, source.dates_known, source.instrument))
    digest = hashlib.sha256(settings.encode())
    for name in sorted(frames):
        digest.update(f"frame {name} {len(frames[name])}\n".encode())
        for column in frames[name].columns:
            digest.update(f"column {column}\n".encode())
            digest.update(_content(frames[name][column]))
    return digest.hexdigest()


def _content(column: pd.Series) -> bytes:
    """Bytes of a column: numbers as they are, anything else as codes and texts."""
    kind = column.dtype
    if isinstance(kind, np.dtype) and kind.kind in "biufmM":
        return kind.str.encode() + np.ascontiguousarray(column.to_numpy()).tobytes()
    codes, values = pd.factorize(column)
    texts = "\x1f".join(f"{type(value).__name__}:{value}" for value in values)
    return texts.encode("utf-8", errors="surrogatepass") + np.asarray(codes, dtype="<i8").tobytes()
