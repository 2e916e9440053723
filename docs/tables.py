"""Fill the tables of pages that come from code or from results: `python docs/tables.py`.

A place is marked `<!-- table: NAME -->` and ends at `<!-- end -->`; what stands between is replaced. NAME is
`thresholds`, a table of the truth study, or one of the sensitivity benchmarks. Where results are absent, the
place says how they are made.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from jobchance.identification.thresholds import Thresholds

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "benchmarks" / "truth"
SENSITIVITY = DOCS.parent / "benchmarks" / "sensitivity"
PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
ABSENT = "*Not measured yet; see [Run it again](#run-it-again).*"


def thresholds() -> str:
    """Every threshold of the verdicts with its default and its reason."""
    table = Thresholds().frame
    names = [f"`{name}`" for name in table["threshold"]]
    values = [f"{value:g}" for value in table["default"]]
    return _markdown(["threshold", "default", "reason"], zip(names, values, table["reason"], strict=True))


def coverage() -> str:
    """Estimates, truths and coverage where the assumptions of a rung hold."""
    table = _read("coverage").query("assumptions_hold")
    return _coverage(table)


def broken() -> str:
    """The same where they do not hold."""
    table = _read("coverage").query("not assumptions_hold and against == 'truth'")
    return _coverage(table)


def claims() -> str:
    """Share of ladders that claim an effect, by world; where by rung."""
    table = _read("claims")
    rungs = table[table["rung"] != "any"].query("claims > 0")
    by = {
        world: ", ".join(f"`{row.rung}` {_percent(row.share)}" for row in part.itertuples())
        for world, part in rungs.groupby("world")
    }
    rows = (
        (row.world, f"{row.studies:,}", _percent(row.share), by.get(row.world, "none"))
        for row in table[table["rung"] == "any"].itertuples()
    )
    return _markdown(["world", "studies", "claims an effect", "by which rung"], rows)


def verdicts() -> str:
    """How often each rung ends in each verdict, and what its card marks most often."""
    table = _read("warnings")
    shown = table[table["rung"].isin(["leniency", "leniency_iv", "shift", "within_citizen", "direction"])]
    rows = (
        (row["world"], f"`{row['rung']}`", *(_percent(row[name]) for name in VERDICTS), _marks(row["marked"]))
        for row in shown.to_dict("records")
    )
    return _markdown(
        ["world", "rung", "credible", "suggestive", "predicts only", "not identified", "marked"], rows
    )


VERDICTS = ("credible under stated assumptions", "suggestive", "predicts only", "not identified here")


def power() -> str:
    """How often the leniency rung excludes zero, against what its spread promises."""
    rows = (
        (
            row.world,
            f"{row.studies:,}",
            f"{row.citizens:,.0f}",
            _number(row.truth),
            _number(row.mean_std_error),
            _percent(row.found),
            _percent(row.theory),
            _percent(row.found_and_credible),
        )
        for row in _read("power").itertuples()
    )
    head = [
        "world",
        "studies",
        "citizens",
        "truth, pp",
        "mean std. error",
        "excludes zero",
        "expected",
        "and credible",
    ]
    return _markdown(head, rows)


def multiverse_speed() -> str:
    """Seconds of thousands of specifications, ours and those of other packages, with the machine's load."""
    rows = (
        (
            row.job,
            row.engine,
            row.processes,
            f"{row.rows:,}",
            f"{row.specifications:,}",
            f"{row.seconds:,.1f}",
            f"{row.cpu_seconds:,.1f}",
            f"{row.ms_per_specification:,.2f}",
            f"{row.cpu_ms_per_specification:,.2f}",
            row.failed,
            "" if pd.isna(row.largest_gap) else f"{row.largest_gap:.0e}",
            f"{row.load:.1f}",
        )
        for row in _read("multiverse_speed", SENSITIVITY).itertuples()
    )
    head = ["job", "package", "processes", "rows", "specifications", "seconds", "processor s"]
    return _markdown([*head, "ms each", "processor ms each", "failed", "largest gap", "load"], rows)


def multiverse_scaling() -> str:
    """The shortest seconds of one multiverse by place and number of workers."""
    table = _read("scaling", SENSITIVITY)
    best = table.loc[table.groupby(["place", "workers"], sort=False)["seconds"].idxmin()]
    alone = best[best["workers"] == 1].set_index("place")["seconds"]
    rows = (
        (
            row.place,
            row.workers,
            f"{row.specifications:,}",
            f"{row.rows:,}",
            f"{row.seconds:,.1f}",
            f"{alone[row.place] / row.seconds:.2f}",
            f"{row.load_before:.1f}",
        )
        for row in best.itertuples()
    )
    head = ["place", "workers", "specifications", "rows", "seconds", "times as fast as one", "load before"]
    return _markdown(head, rows)


def wild_bootstrap() -> str:
    """Seconds of one wild bootstrap, by model, package and number of clusters."""
    table = _read("wild_bootstrap", SENSITIVITY)
    table["model"] = pd.Categorical(table["model"], table["model"].unique())  # as they were measured
    rows = (
        (
            row.model,
            row.package,
            row.clusters,
            f"{row.draws:,}",
            f"{row.seconds:.2f}",
            f"{row.p_value:.5f}",
            f"{row.load:.1f}",
        )
        for row in table.sort_values(["clusters", "model", "package"], kind="stable").itertuples()
    )
    return _markdown(["model", "package", "clusters", "draws", "seconds", "p-value", "load"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "thresholds": thresholds,
    "coverage": coverage,
    "broken": broken,
    "claims": claims,
    "verdicts": verdicts,
    "power": power,
    "multiverse_speed": multiverse_speed,
    "multiverse_scaling": multiverse_scaling,
    "wild_bootstrap": wild_bootstrap,
}


def _coverage(table: pd.DataFrame) -> str:
    rows = (
        (
            f"`{row.rung}`",
            row.world,
            f"{row.studies:,}",
            _number(row.truth),
            _number(row.mean_estimate),
            f"{_number(row.bias)} ± {_number(row.bias_mc_error)}",
            _number(row.sd),
            _number(row.mean_std_error),
            f"{_percent(row.coverage)} ± {_percent(row.coverage_mc_error)}",
        )
        for row in table.sort_values("rung", kind="stable").itertuples()
    )
    head = ["rung", "world", "studies", "truth", "mean", "bias", "sd", "mean std. error", "covers"]
    return _markdown(head, rows)


def _read(name: str, folder: Path = RESULTS) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv")


def _number(value: float) -> str:
    """Two decimals, without a signed zero."""
    return f"{value:.2f}".replace("-", "−") if abs(value) >= 0.005 else "0.00"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _marks(marked: object) -> str:
    """The marks of a card as written in `warnings.csv` (`name:status share; ...`), with the name in code."""
    found = re.findall(r"(\w+):(\w+) ([\d.]+)", str(marked))
    return ", ".join(f"`{name}` {status} {_percent(float(share))}" for name, status, share in found)


def _markdown(head: list[str], rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def fill(text: str) -> str:
    """The page with its tables."""

    def made(place: re.Match[str]) -> str:
        try:
            table = TABLES[place[2]]()
        except FileNotFoundError:
            table = ABSENT
        return f"{place[1]}\n{table}\n\n{place[3]}"

    return PLACE.sub(made, text)


if __name__ == "__main__":
    for page in sorted(DOCS.rglob("*.md")):
        old = page.read_text(encoding="utf-8")
        if (new := fill(old)) != old:
            page.write_text(new, encoding="utf-8")
            print(page.relative_to(DOCS))
