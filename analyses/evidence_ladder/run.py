"""The evidence ladder of one study: figure, table, every assumption, and the conclusions in words."""

import tomllib
from pathlib import Path

import pandas as pd

import jobchance as jc
from jobchance.disclosure.check import check, export_frame
from jobchance.errors import DisclosureError
from jobchance.findings.grade_of_evidence import hide_rungs, ladder_frame
from jobchance.identification.ladder import evidence_ladder
from jobchance.identification.thresholds import Thresholds

HERE = Path(__file__).parent
FIGURES = {"F89_grade_of_evidence": "grade_of_evidence", "T14_evidence_table": "evidence_table"}


def main(*, out: Path, lang: str, study: Path | None, policy: jc.DisclosurePolicy) -> None:
    spec = tomllib.loads((HERE / "spec.toml").read_text(encoding="utf-8"))
    data = jc.simulate_study(**spec["study"]) if study is None else jc.read_study(study)
    asked = spec["ladder"]
    panel = jc.build_panel(data, covariates=asked["covariates"] or None)
    ladder = evidence_ladder(
        panel,
        rungs=asked["rungs"] or None,
        accept=asked["accept"],
        thresholds=Thresholds(**spec["thresholds"]),
        level=asked["level"],
    )
    frame = ladder_frame(ladder, data, panel, policy=policy)
    breaches = check(frame, policy, output="evidence_ladder")
    if breaches:
        raise DisclosureError(f"evidence_ladder: {', '.join(b.rule for b in breaches)}.")
    out.mkdir(parents=True, exist_ok=True)
    for stem, name in FIGURES.items():
        if name == "evidence_table" or frame["estimate"].notna().any():
            jc.save_figure(getattr(jc.figures, name)(frame, lang=lang), frame, out / stem, policy=policy)
    shown = hide_rungs(ladder, frame)
    _write(frame, out / "ladder.csv")
    _write(export_frame(shown.assumptions, policy), out / "assumptions.csv")
    cards = [card.text(lang) for card in shown.cards.values()]
    (out / f"text_{lang}.md").write_text(shown.text(lang), encoding="utf-8")
    (out / f"cards_{lang}.md").write_text("\n".join(cards), encoding="utf-8")


def _write(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
