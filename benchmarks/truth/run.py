"""Does the evidence ladder tell the truth? Simulated studies with known answers, a whole ladder on each.

    python benchmarks/truth/run.py run --worlds nothing case --replications 200 [--part 1/2] [--minutes 30]
    python benchmarks/truth/run.py summarise

`run` adds one line per rung to `draws_<part>.csv` (not kept in the repository) and goes on where it stopped;
two parts use two processors. `summarise` writes `coverage.csv`, `claims.csv`, `warnings.csv` and `power.csv`.
Replication r of a world is study seed `SEED + r`; the worlds are in `WORLDS`.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

import jobchance as jc

HERE = Path(__file__).resolve().parent
SEED = 410_000
COVARIATES = ("sex", "birth_year", "education", "psychiatric_diagnosis", "job_education_share_5y")
NOTHING = {"belief_effect": 0.0, "optimism_effect": 0.0}
WORLDS: dict[str, dict[str, float]] = {
    # belief only forecasts: neither belief nor optimism does anything
    "nothing": NOTHING,
    # a caseworker's general optimism acts, the single answer does not (the preset: 5.3 against 7.0 per cent)
    "disposition": {"belief_effect": 0.0, "optimism_effect": 0.29},
    # the single answer acts, optimism only through it
    "case": {"belief_effect": 0.20, "optimism_effect": 0.0},
    # the answer acts and knows nothing about the citizen: what the adjusted and hazard rungs assume
    "case_blind": {"belief_effect": 0.20, "optimism_effect": 0.0, "forecasting_skill": 0.0},
    # nothing acts, and citizens close to a job are given to optimists
    "sorting": NOTHING | {"sorting": 0.3},
    # nothing acts on jobs, and being in an activity raises the next answer
    "feedback": NOTHING | {"action_feedback": 0.5},
    # the preset with 10,000 relationships of citizen and caseworker
    "large": {"belief_effect": 0.0, "optimism_effect": 0.29, "n_citizens": 6_900},
}
# the whole ladder where claims are counted; elsewhere the rungs that the world is about
ONLY = {
    "disposition": ["raw_gradient", "leniency", "leniency_iv", "shift", "value_added"],
    "case": ["raw_gradient", "within_citizen", "two_raters", "leniency", "leniency_iv", "shift"],
    "case_blind": ["raw_gradient", "adjusted", "hazard"],
    "sorting": ["raw_gradient", "leniency", "leniency_iv", "shift"],
    "feedback": ["raw_gradient", "within_citizen", "direction"],
    "large": ["raw_gradient", "leniency"],
}
# what each rung estimates, by its name in the truth; None: a prediction, held against its own mean
TRUTHS = {
    "raw_gradient": None,
    "adjusted": None,
    "hazard": "belief_step_pp",
    "within_citizen": "belief_step_one_wave_pp",
    "two_raters": "belief_step_pp",
    "leniency": "relationship_optimism_slope_pp",
    "leniency_iv": "relationship_leniency_step_pp",
    "shift": "mover_slope_pp",
    "value_added": "caseworker_sd_within_pp",
    "direction": "belief_to_action_pp",
}
# worlds in which the assumptions of a rung hold, so that its interval must cover the truth
HOLDS = {
    "raw_gradient": tuple(WORLDS),
    "adjusted": ("nothing", "case_blind"),
    "hazard": ("case_blind",),
    "within_citizen": ("nothing",),  # where the answer acts, it acts on the windows of other waves too
    "two_raters": ("nothing",),
    "leniency": ("nothing", "disposition", "case", "large"),
    "leniency_iv": ("nothing", "case"),
    "shift": ("nothing", "disposition", "case"),
    "value_added": ("nothing", "disposition", "case"),
    "direction": (),  # activities have just begun when citizens enter: the process has not settled
}
FIELDS = (
    "world", "replication", "rung", "estimate", "std_error", "conf_low", "conf_high", "p_value", "n",
    "status", "verdict", "truth", "open", "seconds",
)  # fmt: skip


def climb(world: str, replication: int) -> list[dict[str, object]]:
    """One study and its ladder."""
    study = jc.simulate_study(seed=SEED + replication, **WORLDS[world])
    panel = jc.build_panel(study, covariates=COVARIATES)
    start = time.perf_counter()
    ladder = jc.evidence_ladder(panel, rungs=ONLY.get(world))
    seconds = time.perf_counter() - start
    effects = study.truth["effects"]
    lines = []
    for row in ladder.frame.to_dict("records"):
        card = ladder.cards[row["rung"]]
        key = TRUTHS[row["rung"]]
        lines.append(
            {
                c: row[c]
                for c in ("rung", "estimate", "std_error", "conf_low", "conf_high", "p_value", "n", "verdict")
            }
            | {"world": world, "replication": replication, "status": row["assumption_status"]}
            | {"truth": np.nan if key is None else effects[key], "seconds": round(seconds, 2)}
            | {
                "open": "|".join(
                    f"{a.name}:{a.status}" for a in card.assumptions if a.status in ("fails", "doubtful")
                )
            }
        )
    return lines


def run(worlds: list[str], replications: int, part: tuple[int, int], minutes: float) -> None:
    """Climb until done or out of time."""
    path = HERE / f"draws_{part[0]}of{part[1]}.csv"
    done = set()
    if path.exists():
        old = pd.read_csv(path)
        done = set(zip(old["world"], old["replication"], strict=True))
    stop = time.monotonic() + 60 * minutes
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not done:
            writer.writeheader()
        for replication in range(part[0] - 1, replications, part[1]):
            for world in worlds:
                if (world, replication) in done or time.monotonic() > stop:
                    continue
                writer.writerows(climb(world, replication))
                file.flush()


def summarise() -> None:
    """Coverage, bias, claims, warnings and power from all parts."""
    draws = pd.concat([pd.read_csv(p) for p in sorted(HERE.glob("draws_*.csv"))], ignore_index=True)
    draws = draws.drop_duplicates(["world", "replication", "rung"])
    own = draws.groupby(["world", "rung"])["estimate"].transform("mean")
    draws["truth"] = draws["truth"].fillna(own)
    known = draws[draws["estimate"].notna()].assign(
        covered=lambda d: (d["conf_low"] <= d["truth"]) & (d["truth"] <= d["conf_high"]),
        excludes=lambda d: (d["conf_low"] > 0) | (d["conf_high"] < 0),
        credible=lambda d: d["verdict"].str.startswith("credible"),
    )
    _coverage(known).to_csv(HERE / "coverage.csv", index=False, float_format="%.4f")
    _claims(known, draws).to_csv(HERE / "claims.csv", index=False, float_format="%.4f")
    _warnings(draws).to_csv(HERE / "warnings.csv", index=False, float_format="%.4f")
    _power(known).to_csv(HERE / "power.csv", index=False, float_format="%.4f")


def _coverage(known: pd.DataFrame) -> pd.DataFrame:
    """Bias and coverage of every rung in every world, and whether its assumptions hold there."""
    rows = []
    for (world, rung), part in known.groupby(["world", "rung"]):
        n = len(part)
        error = part["estimate"] - part["truth"]
        rows.append(
            {"world": world, "rung": rung, "assumptions_hold": world in HOLDS[rung], "studies": n}
            | {"truth": part["truth"].mean(), "mean_estimate": part["estimate"].mean(), "bias": error.mean()}
            | {"bias_mc_error": error.std() / np.sqrt(n), "sd": part["estimate"].std()}
            | {"mean_std_error": part["std_error"].mean(), "coverage": part["covered"].mean()}
            | {
                "coverage_mc_error": np.sqrt(0.95 * 0.05 / n),
                "against": "own mean" if TRUTHS[rung] is None else "truth",
            }
        )
    return pd.DataFrame(rows)


def _claims(known: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """Share of ladders with a credible rung whose interval excludes zero; jointly and by rung."""
    claims = known.assign(claim=known["credible"] & known["excludes"])
    rows = []
    for world, part in claims.groupby("world"):
        studies = draws.loc[draws["world"] == world, "replication"].nunique()
        joint = part.groupby("replication")["claim"].any().sum()
        rows.append(
            {"world": world, "rung": "any", "studies": studies, "claims": joint, "share": joint / studies}
        )
        for rung, own in part.groupby("rung"):
            n = own["claim"].sum()
            rows.append({"world": world, "rung": rung, "studies": studies, "claims": n, "share": n / studies})
    return pd.DataFrame(rows)


def _warnings(draws: pd.DataFrame) -> pd.DataFrame:
    """How often each rung ends in each verdict, and how often each assumption is marked."""
    rows = []
    for (world, rung), part in draws.groupby(["world", "rung"]):
        shares = part["verdict"].value_counts(normalize=True)
        marks = part["open"].dropna().str.get_dummies("|").sum() / len(part)
        rows.append(
            {"world": world, "rung": rung, "studies": len(part)}
            | {
                v: shares.get(v, 0.0)
                for v in (
                    "credible under stated assumptions",
                    "suggestive",
                    "predicts only",
                    "not identified here",
                )
            }
            | {"marked": "; ".join(f"{name} {share:.2f}" for name, share in marks.items() if share > 0.03)}
        )
    return pd.DataFrame(rows)


def _power(known: pd.DataFrame) -> pd.DataFrame:
    """How often the leniency rung excludes zero, against what its standard error and the truth promise."""
    from scipy.stats import norm

    rows = []
    for world in ("disposition", "large"):
        part = known[(known["world"] == world) & (known["rung"] == "leniency")]
        if part.empty:
            continue
        z = part["truth"].mean() / part["estimate"].std()
        theory = norm.sf(1.96 - z) + norm.cdf(-1.96 - z)
        rows.append(
            {
                "world": world,
                "studies": len(part),
                "citizens": part["n"].mean(),
                "truth": part["truth"].mean(),
            }
            | {"mean_std_error": part["std_error"].mean(), "found": part["excludes"].mean(), "theory": theory}
            | {"found_and_credible": (part["excludes"] & part["credible"]).mean()}
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=("run", "summarise"))
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--part", default="1/1", help="k/n: the k-th of n processes")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    asked = parser.parse_args()
    if asked.job == "summarise":
        return summarise()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    k, n = (int(part) for part in asked.part.split("/"))
    return run(asked.worlds, asked.replications, (k, n), asked.minutes)


if __name__ == "__main__":
    main()
