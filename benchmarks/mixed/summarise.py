"""Tables of the timing as Markdown, and how time grows with rows: python summarise.py [results.csv].

Writes `scaling.csv` beside the results: the slope of log seconds on log rows for every engine that finished
two sizes or more. A ratio is a peer's seconds over the package's in the run beside it; above 1 the package is
the faster.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
OWN = "jobchance"
PANEL = ["model", "generator", "n_citizens"]
FINISHED = ("ok", "not_converged")


def pair_up(rows: pd.DataFrame) -> pd.DataFrame:
    """Runs of peers with the seconds and memory of the package in the run beside each.

    A peer that was stopped counts at its limit, against the package's runs on the same panel. A warm call is
    compared with a warm call only.
    """
    stopped = ~rows["status"].isin(FINISHED)
    rows = rows.assign(first=rows["seconds_first"].where(~stopped, rows["limit"]), warm=rows["seconds_warm"])
    own = rows[(rows["engine"] == OWN) & ~stopped]
    keys = [*PANEL, "repeat"]
    measured = ["first", "warm", "peak_mb"]
    beside = own.set_index([*keys, "beside"])[measured]
    typical = own.groupby(PANEL)[measured].median()
    peers = rows[rows["engine"] != OWN].reset_index(drop=True)
    near = beside.reindex(pd.MultiIndex.from_frame(peers[[*keys, "engine"]])).reset_index(drop=True)
    anywhere = typical.reindex(pd.MultiIndex.from_frame(peers[PANEL])).reset_index(drop=True)
    alone = ~peers["status"].isin(FINISHED)
    return peers.join(near.where(~alone, anywhere).add_prefix("own_"))


def best_loglik(rows: pd.DataFrame) -> pd.Series:
    """How far each run's log-likelihood lies below the best that any engine found on the panel."""
    return rows.groupby(PANEL)["loglik"].transform("max") - rows["loglik"]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per panel and engine: median times, memory, ratios, distance from the best log-likelihood."""
    rows = rows[rows["status"] != "failed"].assign(below_best=best_loglik)
    sizes = rows.groupby(PANEL)["n_rows"].transform("max")
    rows = rows.assign(n_rows=rows["n_rows"].fillna(sizes))
    peers = pair_up(rows)
    peers["ratio_first"] = peers["first"] / peers["own_first"]
    peers["ratio_warm"] = peers["warm"] / peers["own_warm"]
    peers["ratio_memory"] = peers["peak_mb"] / peers["own_peak_mb"]
    own = rows[rows["engine"] == OWN]
    lines = pd.concat([own, peers], ignore_index=True)
    values = ["n_rows", "seconds_first", "seconds_warm", "peak_mb", "below_best"]
    ratios = ["ratio_first", "ratio_warm", "ratio_memory"]
    grouped = lines.groupby([*PANEL, "engine"], sort=False)
    out = grouped[[*values, *[name for name in ratios if name in lines]]].median()
    out[["runs", "status", "limit"]] = grouped.agg(
        runs=("status", "size"), status=("status", lambda s: "/".join(sorted(set(s)))), limit=("limit", "max")
    )
    return out.reset_index().sort_values([*PANEL, "seconds_first"], kind="stable")


def markdown(lines: pd.DataFrame) -> str:
    """The lines as Markdown, one table per model and generator."""
    head = (
        "| citizens | rows | engine | first, s | warm, s | ratio first | ratio warm | peak, MB "
        "| ratio memory | below best log-likelihood | status |\n"
        "|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---|"
    )
    parts = []
    for (model, generator), block in lines.groupby(["model", "generator"], sort=False):
        body = "\n".join(line(row) for row in block.to_dict("records"))
        parts.append(f"### {model}, {generator}\n\n{head}\n{body}\n")
    return "\n".join(parts)


def line(row: dict[str, object]) -> str:
    """One engine on one panel; an engine that was stopped shows its limit and the least its ratio can be."""
    stopped = not any(status in FINISHED for status in str(row["status"]).split("/"))
    more = "> " if stopped else ""
    cells = [
        number(row["n_citizens"], ",.0f"),
        number(row["n_rows"], ",.0f"),
        str(row["engine"]),
        f"> {row['limit']:g}" if stopped else number(row["seconds_first"], ".3g"),
        number(row["seconds_warm"], ".3g"),
        number(row["ratio_first"], ".3g", more),
        number(row["ratio_warm"], ".3g"),
        number(row["peak_mb"], ",.0f"),
        number(row["ratio_memory"], ".2g"),
        number(row["below_best"], ".1e" if 0 < row["below_best"] < 0.01 else ".3f"),
        str(row["status"]),
    ]
    return "| " + " | ".join(cells) + " |"


def number(value: object, form: str, before: str = "") -> str:
    return "" if pd.isna(value) else before + format(value, form)


def scaling(lines: pd.DataFrame) -> pd.DataFrame:
    """Exponents of growth: least-squares slopes of log seconds and log memory on log rows.

    Seconds are those of the warm call where every size has one, else those of the first call.
    """
    finished = lines.dropna(subset=["seconds_first"])
    out = []
    for (model, generator, engine), block in finished.groupby(["model", "generator", "engine"], sort=False):
        if len(block) < 2:
            continue
        call = "first" if block["seconds_warm"].isna().any() else "warm"
        reach = (int(block["n_rows"].min()), int(block["n_rows"].max()))
        slopes = (slope(block["n_rows"], block[name]) for name in (f"seconds_{call}", "peak_mb"))
        out.append((model, generator, engine, len(block), *reach, call, *slopes))
    names = ["model", "generator", "engine", "sizes", "rows_from", "rows_to", "call"]
    return pd.DataFrame(out, columns=[*names, "time_exponent", "memory_exponent"])


def slope(x: pd.Series, y: pd.Series) -> float:
    """Least-squares slope of log y on log x."""
    return round(float(np.polyfit(np.log(x), np.log(y), 1)[0]), 3)


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "results.csv"
    rows = pd.read_csv(path, dtype={"beside": str}).fillna({"beside": ""})
    lines = table(rows)
    print(markdown(lines))
    growth = scaling(lines)
    growth.to_csv(path.with_name("scaling.csv"), index=False, lineterminator="\n")
    if len(growth):
        print("| " + " | ".join(growth.columns) + " |\n" + "|---" * growth.shape[1] + "|")
        print("\n".join("| " + " | ".join(map(str, row)) + " |" for row in growth.itertuples(index=False)))


if __name__ == "__main__":
    main()
