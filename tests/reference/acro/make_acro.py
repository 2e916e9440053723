"""Verdicts of acro on small frames, as json; for an environment of its own (`acro`, `pandas<=2.3.3`).

acro's checks are asked one by one through its own functions; the frames are made here, so that both sides
read the same numbers: python make_acro.py > verdicts.json
"""

import contextlib
import io
import json
import logging
import os
import tempfile
from importlib.metadata import version

import numpy as np
import pandas as pd


def frames():
    """Rows by name: place, level, and an amount."""
    rng = np.random.default_rng(11)

    def rows(cells, amounts):
        parts = [
            pd.DataFrame({"place": place, "level": level, "amount": amounts(n, place, level)})
            for (place, level), n in cells.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def even(n, *_):
        return np.round(rng.uniform(90, 110, n), 2)

    def dominated(n, place, level):
        values = np.full(n, 1.0)
        if (place, level) == ("A", "x") and n:
            values[:2] = 5000.0
        return values

    def one_large(n, place, level):
        values = np.full(n, 0.5)
        if (place, level) == ("B", "y") and n:
            values[0] = 100.0
        return values

    safe = {("A", "x"): 30, ("A", "y"): 25, ("B", "x"): 40, ("B", "y"): 50}
    few = {**safe, ("A", "x"): 9}
    limit = {**safe, ("A", "x"): 10}
    single = {**safe, ("B", "y"): 1}
    return {
        "safe": rows(safe, even),
        "nine": rows(few, even),
        "ten": rows(limit, even),
        "one": rows(single, even),
        "two dominate": rows(safe, dominated),
        "one dominates": rows(safe, one_large),
    }


def verdicts():
    """By frame: the cells that acro's crosstab, mean and sum tables would hide, and models by residual df."""
    logging.disable(logging.CRITICAL)
    from acro import ACRO

    asked = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for name, frame in frames().items():
            session = ACRO(suppress=True)
            counts = session.crosstab(frame["place"], frame["level"])
            sums = session.crosstab(frame["place"], frame["level"], values=frame["amount"], aggfunc="sum")
            asked[name] = {
                "rows": frame.to_dict(orient="list"),
                "count": _hidden(counts),
                "sum": _hidden(sums),
            }
        models = []
        for n in (8, 11, 12, 13, 30):
            x = np.arange(n, dtype=float)
            y = np.sin(x)
            session = ACRO(suppress=False)
            session.ols(y, np.column_stack([np.ones(n), x]))
            models.append({"n": n, "df_resid": n - 2, "status": _status(session)})
    return {"acro": version("acro"), "pandas": pd.__version__, "tables": asked, "models": models}


def _hidden(table):
    """Cells without a number, as `place|level`."""
    return sorted(
        f"{i}|{j}"
        for i in table.index
        for j in table.columns
        if pd.isna(table.loc[i, j]) or table.loc[i, j] == 0
    )


def _status(session):
    """acro's word for the last output: pass, fail or review."""
    return list(session.results.results.values())[-1].status


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())
    print(json.dumps(verdicts(), indent=1))
