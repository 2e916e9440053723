"""How robust is belief and job: choices, few jobcentres, unseen causes, lost citizens, places, chance."""

import tomllib
from pathlib import Path

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
    asked, draws, seed = spec["main"], spec["draws"], spec["draws"]["seed"]
    names = {column: tuple(words) for column, words in spec["benchmarks"].items()}
    data = jc.simulate_study(**spec["study"]) if study is None else jc.read_study(study)
    panel = jc.build_panel(data, covariates=asked["covariates"])
    fit = jc.fit_glm(asked["formula"], panel.frame, family="gaussian", vcov=jc.Cluster("caseworker_id"))

    multiverse = jc.run_multiverse(HERE / "multiverse.toml", data)
    joint = multiverse.joint_test(draws=draws["joint_test"], seed=seed)
    by_office = fit.with_vcov(jc.Cluster("jobcentre_id"))
    few = jc.wild_bootstrap(by_office, "belief", draws=draws["bootstrap"], seed=seed)
    places = jc.leave_one_out(fit, "jobcentre_id", term="belief")
    rows = jc.allocation_rows(panel)
    dealt = jc.Assignment.shuffled(rows, "disposition", within=["jobcentre_id"], unit="caseworker_id")
    statistic = jc.LinearStatistic("outcome ~ C(jobcentre_id) + C(period)", rows)
    chance = jc.randomisation_test(statistic, dealt, draws_or_all=draws["randomisation"], seed=seed)

    words = {"benchmarks": list(names), "names": names, "exposure": tuple(asked["exposure"])}
    frames = {
        "F83_specification_curve": specification_frame(multiverse, data, panel, policy=policy, joint=joint),
        "F86_confounding_contour": confounding_contour_frame(
            fit, "belief", data, panel, policy=policy, **words
        ),
        "F90_attrition": attrition_frame(data, panel, policy=policy),
        "F58_leave_one_site_out": leave_one_out_frame(places, fit, data, panel, policy=policy),
        "F55_placebo_distribution": placebo_frame(chance, data, panel, rows=rows, policy=policy),
    }
    found = {"multiverse": multiverse, "joint": joint, "bootstrap": few, "places": places}
    table = robustness_table(fit, "belief", data, panel, **found, policy=policy)
    require(table, policy, output="robustness_table")
    out.mkdir(parents=True, exist_ok=True)
    text = []
    for stem, frame in frames.items():
        figure = getattr(jc.figures, stem.partition("_")[2])(frame, lang=lang)
        jc.save_figure(figure, frame, out / stem, policy=policy)
        text.append(f"## {figure.description.headline}\n\n{figure.description.note}\n")
    table.to_csv(out / "robustness.csv", index=False, lineterminator="\n", encoding="utf-8")
    (out / f"text_{lang}.md").write_text("\n".join(text), encoding="utf-8")
