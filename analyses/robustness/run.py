"""How robust is belief and job: choices, few jobcentres, unseen causes, lost citizens, places, chance."""

import tomllib
from pathlib import Path

import pandas as pd

import jobchance as jc
from jobchance.disclosure.check import require
from jobchance.findings.attrition import attrition_frame
from jobchance.findings.confounding_contour import confounding_contour_frame
from jobchance.findings.leave_one_site_out import leave_one_out_frame
from jobchance.findings.placebo_distribution import placebo_frame
from jobchance.findings.robustness_table import robustness_table
from jobchance.findings.specification_curve import specification_frame

HERE = Path(__file__).parent


def main(*, out: Path, lang: str, study: Path | None, policy: jc.DisclosurePolicy) -> None:
    spec = tomllib.loads((HERE / "spec.toml").read_text(encoding="utf-8"))
    asked, draws = spec["main"], spec["draws"]
    seed = draws["seed"]
    data = jc.simulate_study(**spec["study"]) if study is None else jc.read_study(study)
    panel = jc.build_panel(data, covariates=asked["covariates"])
    by_caseworker, by_jobcentre = jc.Cluster("caseworker_id"), jc.Cluster("jobcentre_id")
    fit = jc.fit_glm(asked["formula"], panel.frame, family="gaussian", vcov=by_caseworker)

    multiverse = jc.run_multiverse(HERE / "multiverse.toml", data)
    joint = multiverse.joint_test(draws=draws["joint_test"], seed=seed)
    few = jc.wild_bootstrap(fit.with_vcov(by_jobcentre), "belief", draws=draws["bootstrap"], seed=seed)
    places = jc.leave_one_out(fit, "jobcentre_id", term="belief")
    chance, rows = allocation_test(panel.frame, draws=draws["randomisation"], seed=seed)

    frames = {
        "F83_specification_curve": specification_frame(multiverse, data, panel, policy=policy, joint=joint),
        "F86_confounding_contour": confounding_contour_frame(
            fit, "belief", data, panel, policy=policy, benchmarks=asked["benchmarks"]
        ),
        "F90_attrition": attrition_frame(data, panel, policy=policy),
        "F58_leave_one_site_out": leave_one_out_frame(places, fit, data, panel, policy=policy),
        "F55_placebo_distribution": placebo_frame(chance, data, panel, rows=rows, policy=policy),
    }
    table = robustness_table(
        fit,
        "belief",
        data,
        panel,
        multiverse=multiverse,
        joint=joint,
        bootstrap=few,
        places=places,
        policy=policy,
    )
    require(table, policy, output="robustness_table")
    out.mkdir(parents=True, exist_ok=True)
    for stem, frame in frames.items():
        figure = getattr(jc.figures, stem.partition("_")[2])(frame, lang=lang)
        jc.save_figure(figure, frame, out / stem, policy=policy)
    table.to_csv(out / "robustness.csv", index=False, lineterminator="\n", encoding="utf-8")


def allocation_test(
    panel: pd.DataFrame, *, draws: int, seed: int
) -> tuple[jc.RandomisationTest, pd.DataFrame]:
    """Optimistic caseworkers exchanged within their jobcentres."""
    known = panel.dropna(subset=["outcome", "optimism"])
    rows = known.drop_duplicates(["citizen_id", "caseworker_id"]).reset_index(drop=True)
    mean = rows.groupby("caseworker_id")["optimism"].mean()
    rows["disposition"] = rows["caseworker_id"].map(mean / mean.std())
    dealt = jc.Assignment.shuffled(rows, "disposition", within=["jobcentre_id"], unit="caseworker_id")
    statistic = jc.LinearStatistic("outcome ~ C(jobcentre_id) + C(period)", rows)
    return jc.randomisation_test(statistic, dealt, draws_or_all=draws, seed=seed), rows
