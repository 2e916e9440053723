"""The status note end to end: what is on disk, what it says, what it never says."""

import io
import json
import re
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

import jobchance as jc
from jobchance.errors import DisclosureError, SpecError
from jobchance.figures.save import read_frame
from jobchance.findings.catalogue import CATALOGUE

SHARED = Path(__file__).resolve().parents[3] / "shared" / "reference" / "data" / "jobs2.csv"
ROOT = Path(__file__).resolve().parents[2]
# Verbs that claim an effect, in headlines of associations.
CAUSAL = re.compile(
    r"\b(øger|giver|fører til|skaber|forbedrer|sænker|effekten af|raises|increases|leads to|causes|improves|"
    r"the effect of|reduces)\b",
    re.IGNORECASE,
)


def described(folder):
    return {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in (folder / "figures").glob("*.json")}


def test_every_catalogue_entry_is_drawn(note_folders):
    for folder in note_folders.values():
        assert set(described(folder)) == {f"{e.id}_{e.name}" for e in CATALOGUE}
        for ending in ("png", "csv", "json"):
            assert len(list((folder / "figures").glob(f"*.{ending}"))) == len(CATALOGUE)


def test_the_languages_show_the_same_numbers(note_folders):
    for path in (note_folders["da"] / "figures").glob("*.csv"):
        assert path.read_bytes() == (note_folders["en"] / "figures" / path.name).read_bytes()


def test_twice_is_byte_identical(bip_study, note_folders, tmp_path):
    again = jc.status_note(bip_study, tmp_path / "again", lang="da").folder
    for path in sorted(note_folders["da"].rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(note_folders["da"])).read_bytes(), path.name


def test_a_saved_frame_draws_the_same_picture(note_folders, tmp_path):
    policy = jc.DisclosurePolicy.preset("cautious_dk")
    for name in ("F15_belief_gradient", "F23_caseworker_spread", "F5_rater_agreement_heatmap"):
        path = note_folders["en"] / "figures" / f"{name}.csv"
        frame = read_frame(path)
        figure = getattr(jc.figures, name.split("_", 1)[1])(frame, lang="en")
        jc.save_figure(figure, frame, tmp_path / name, policy=policy)
        assert (tmp_path / f"{name}.png").read_bytes() == path.with_suffix(".png").read_bytes()


def test_no_id_reaches_any_file(bip_study, note_folders):
    ids = set()
    for table in ("citizen", "caseworker", "assignment", "measurement"):
        for column in bip_study.tables[table].columns:
            if column.endswith("_id") and column not in ("jobcentre_id", "team_id"):
                ids.update(bip_study.tables[table][column].dropna().astype(str))
    assert min(map(len, ids)) >= 4
    for path in note_folders["da"].rglob("*"):
        if path.suffix in {".csv", ".json", ".html"}:
            text = path.read_text(encoding="utf-8")
            text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
            assert not ids & set(re.findall(r"[\w-]+", text)), path.name


def test_headlines_of_associations_claim_no_effect(note_folders):
    for lang, folder in note_folders.items():
        for name, words in described(folder).items():
            assert not CAUSAL.search(words["headline"]), (lang, name)


def test_a_steep_gradient_without_any_effect_is_called_prediction(tmp_path):
    study = jc.simulate_study(seed=77, belief_effect=0, optimism_effect=0)
    note = jc.status_note(study, tmp_path / "zero", lang="en")
    words = described(note.folder)["F15_belief_gradient"]
    frame = pd.read_csv(note.folder / "figures" / "F15_belief_gradient.csv", dtype={"level": str})
    bars = frame[frame["mark"] == "level"].set_index("level")["estimate"]
    assert bars["5"] > 0.18
    assert bars["1"] < 0.03
    assert "not effect" in words["note"]
    assert "predicts" in words["note"]
    html = (note.folder / "status_note.html").read_text(encoding="utf-8")
    assert "association, not an effect" in html


def test_the_page_lists_what_is_not_drawn(bip_study, tmp_path):
    from dataclasses import replace

    tables = {k: v for k, v in bip_study.tables.items() if k not in ("assignment", "outcome")}
    note = jc.status_note(replace(bip_study, tables=tables), tmp_path / "less", lang="da")
    missing = {entry.id for entry, _ in note.not_drawn}
    assert {"F8", "F10", "F15", "F16", "F17", "F18", "F23"} <= missing
    assert {"T1", "F4"} <= {output.id for output in note.outputs}
    html = (note.folder / "status_note.html").read_text(encoding="utf-8")
    for entry, _ in note.not_drawn:
        assert f"<li>{entry.id} " in html
    manifest = json.loads((note.folder / "manifest.json").read_text(encoding="utf-8"))
    assert {entry["id"] for entry in manifest["not_drawn"]} == missing


def test_a_stricter_policy_withholds_and_says_so(bip_study, tmp_path):
    from dataclasses import replace

    policy = replace(jc.DisclosurePolicy.preset("cautious_dk"), min_persons=1_500)
    note = jc.status_note(bip_study, tmp_path / "strict", lang="en", policy=policy)
    assert note.withheld
    assert not {breach.output.split()[0] for breach in note.withheld} & {o.id for o in note.outputs}
    html = (note.folder / "status_note.html").read_text(encoding="utf-8")
    assert "Withheld for confidentiality" in html


def test_the_manifest_is_enough_to_make_it_again_and_holds_no_row(bip_study, note_folders):
    manifest = json.loads((note_folders["da"] / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["study"]["fingerprint"] == bip_study.fingerprint
    assert manifest["study"]["seed"] == 2013
    assert manifest["policy"]["min_persons"] == 5
    assert manifest["counts"]["N_citizen"] == 4000
    assert set(manifest["software"]) >= {"jobchance", "numpy", "pandas", "python"}
    assert all(entry["disclosure_class"] for entry in manifest["outputs"])


def test_the_workbook_has_a_sheet_per_figure_and_explains_every_column(note_folders):
    content = (note_folders["da"] / "status_note.xlsx").read_bytes()
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert set(book.sheetnames) == {"contents", "variable_explanation"} | {
        f"{e.id}_{e.name}"[:31] for e in CATALOGUE
    }
    explained = {row[0] for row in book["variable_explanation"].values}
    for entry in CATALOGUE:
        header = next(book[f"{entry.id}_{entry.name}"[:31]].values)
        assert set(header) <= explained


def test_a_study_too_small_for_the_policy_is_refused_whole(bip_study, tmp_path):
    from dataclasses import replace

    policy = replace(jc.DisclosurePolicy.preset("cautious_dk"), min_persons=1_000_000)
    with pytest.raises(DisclosureError, match="min_persons"):
        jc.status_note(bip_study, tmp_path / "refused", lang="en", policy=policy)
    assert not (tmp_path / "refused").exists()


def test_an_unknown_language_writes_nothing(bip_study, tmp_path):
    with pytest.raises(SpecError, match="lang"):
        jc.status_note(bip_study, tmp_path / "x", lang="fr")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("lang", ["da", "en"])
def test_jobs2_through_its_study_file(tmp_path, lang):
    if not SHARED.is_file():
        pytest.skip(f"the JOBS II file is not available ({SHARED.name})")
    study = jc.read_study(ROOT / "analyses" / "jobs2", data=SHARED.parent)
    note = jc.status_note(study, tmp_path / "jobs2", lang=lang)
    assert {o.id for o in note.outputs} == {"T1", "T2", "F3", "F4", "F10", "F15"}
    frame = pd.read_csv(note.folder / "figures" / "F15_belief_gradient.csv", dtype={"level": str})
    bars = frame[frame["mark"] == "level"].set_index("level")
    raw = pd.read_csv(SHARED)
    answers = (raw["job_seek"] + 0.5).astype(int)
    for level in ("3", "4", "5"):
        rows = raw[answers == int(level)]
        assert bars.loc[level, "N_citizens"] == len(rows)
        assert bars.loc[level, "estimate"] == pytest.approx((rows["work1"] == "psyemp").mean(), abs=1e-6)
    text = (note.folder / "status_note.html").read_text(encoding="utf-8")
    assert "1992" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text), "a placeholder date is not shown"
    assert "offentliggjort (" not in text
    manifest = json.loads((note.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["study"]["data_through"] is None
