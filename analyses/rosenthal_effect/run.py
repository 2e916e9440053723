"""The Rosenthal effect: 19 randomised experiments with teacher expectancies, pooled and by prior contact."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd

import jobchance as jc
from jobchance.disclosure.export import export_frame
from jobchance.errors import SpecError
from jobchance.models.meta_tables import fitted_line, study_table

HERE = Path(__file__).parent
NUMBERS = ["estimate", "conf_low", "conf_high", "p_value"]


def main(*, out: Path, lang: str, study: Path | None, policy: jc.DisclosurePolicy) -> None:
    if study is not None:
        raise SpecError("rosenthal_effect has its own, published data and takes no --study.")
    spec = tomllib.loads((HERE / "spec.toml").read_text(encoding="utf-8"))
    data = pd.read_csv(HERE / spec["data"]["file"], index_col="study").sort_values(["weeks", "estimate"])
    method, contact = spec["model"]["method"], data["weeks"].clip(upper=spec["model"]["weeks_cap"])
    pooled = jc.meta_analysis(data["estimate"], data["variance"], method=method)
    by_contact = jc.meta_analysis(data["estimate"], data["variance"], moderators=contact, method=method)
    context = spec["context"] | {"method": method.upper()}
    frames = {
        "expectancy_forest": forest_frame(pooled, data["weeks"], spec["published"]),
        "expectancy_by_contact": contact_frame(pooled, by_contact, spec["published"]),
    }
    for name, frame in frames.items():
        frame = export_frame(frame.assign(**context), policy)
        jc.save_figure(getattr(jc.figures, name)(frame, lang=lang), frame, Path(out) / name, policy=policy)


def forest_frame(pooled: jc.Fit, weeks: pd.Series, published: dict[str, float]) -> pd.DataFrame:
    """One row per experiment, then the mean, the published mean and the interval for a new experiment."""
    numbers = pooled.statistics
    experiments = study_table(pooled).assign(mark="experiment", weeks=weeks.to_numpy(dtype=float))
    spread = {name: numbers[name] for name in ("tau2", "tau2_low", "tau2_high", "I2_pct", "Q_p")}
    mean = pooled.tidy().iloc[[0]][NUMBERS].assign(mark="pooled", **spread)
    ends = {"conf_low": numbers["prediction_low"], "conf_high": numbers["prediction_high"]}
    others = [{"mark": "published", "estimate": published["mean"]}, {"mark": "prediction", **ends}]
    return pd.concat([experiments, mean, pd.DataFrame(others)], ignore_index=True)


def contact_frame(pooled: jc.Fit, by_contact: jc.Fit, published: dict[str, float]) -> pd.DataFrame:
    """One row per experiment, points of the fitted line, its slope, and the mean of all experiments."""
    experiments = study_table(by_contact).assign(mark="experiment")
    weeks = np.linspace(0.0, experiments["weeks"].max(), 31)
    line = fitted_line(by_contact, weeks).rename(columns={"value": "weeks"})
    ends = np.where(
        np.isin(weeks, weeks[[0, -1]]), published["intercept"] + published["slope"] * weeks, np.nan
    )
    line = line.assign(mark="line", published=ends, tau2=by_contact.statistics["tau2"])
    rows = {"slope": by_contact.tidy().iloc[[1]], "pooled": pooled.tidy().iloc[[0]]}
    return pd.concat(
        [experiments, line, *(row[NUMBERS].assign(mark=mark) for mark, row in rows.items())],
        ignore_index=True,
    )
