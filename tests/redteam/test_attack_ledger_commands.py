"""`--ledger` on the command line: what it records, what it refuses and how it says so."""

import sys
from dataclasses import replace

import pandas as pd
import pytest
from outputs_under_attack import CAUTIOUS, IDENTIFIER, small_study

from jobchance import DisclosureLedger, DisclosurePolicy, Release
from jobchance.cli.main import main
from jobchance.errors import DisclosureError, SpecError
from jobchance.note.exported import recorded_analysis
from jobchance.study.write import write_study

ANALYSIS = """
import pandas as pd
import jobchance as jc

def main(*, out, lang, study, policy):
    out.mkdir(parents=True, exist_ok=True)
    data = jc.read_study(study)
    n = data.tables["citizen"]["citizen_id"].nunique()
    pd.DataFrame({"level": ["a", "b"], "N_citizens": [100, n - 100]}).to_csv(out / "table.csv", index=False)
    (out / "words.md").write_text("done")
"""


def without_first(study):
    gone = study.tables["citizen"]["citizen_id"].iloc[0]
    tables = {
        name: table[table["citizen_id"] != gone] if "citizen_id" in table else table
        for name, table in study.tables.items()
    }
    measured = tables["measurement"]["measurement_id"]
    kept = {
        name: table[table["measurement_id"].isin(measured)] if "measurement_id" in table else table
        for name, table in tables.items()
    }
    return replace(study, tables=kept)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("ledger")
    write_study(small_study(), root / "all")
    write_study(without_first(small_study()), root / "fewer")
    (root / "count").mkdir()
    (root / "count" / "run.py").write_text(ANALYSIS)
    return root


@pytest.fixture
def ledger(tmp_path):
    return DisclosureLedger.create(tmp_path / "exports.ledger").path


def command(monkeypatch, capsys, *arguments):
    """Exit code and what was said."""
    monkeypatch.setattr(sys, "argv", ["jobchance", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    return stopped.value.code or 0, said.out + said.err


def test_an_analysis_is_recorded_and_one_citizen_fewer_refused(
    folders, ledger, tmp_path, monkeypatch, capsys
):
    def run(study, out, lang):
        options = ("--out", tmp_path / out, "--study", folders / study, "--ledger", ledger, "--lang", lang)
        return command(monkeypatch, capsys, "run", folders / "count", *options)

    assert run("all", "first", "en")[0] == 0
    assert {path.name for path in (tmp_path / "first").iterdir()} == {"table.csv", "words.md"}
    names = DisclosureLedger(ledger).entries()["output"].tolist()
    assert names == ["analysis count", "analysis count, analysed", "count/table"]
    assert run("all", "again", "en")[0] == 0
    assert len(DisclosureLedger(ledger).entries()) == 3, "the same export is recorded once"
    for lang, words in {"da": "personkredsen", "en": "its sample"}.items():
        code, said = run("fewer", "second", lang)
        assert code == 3
        assert words in said
        assert not IDENTIFIER.search(said)
    assert not (tmp_path / "second").exists()
    assert not list(tmp_path.glob(".second*"))


def test_a_note_is_recorded_and_refused_in_the_language_asked_for(
    folders, ledger, tmp_path, monkeypatch, capsys
):
    everyone = small_study().tables["measurement"]["citizen_id"]
    DisclosureLedger(ledger).record([Release("an earlier table", everyone)], CAUTIOUS)
    for lang, words in {"da": "afviger med 1 til 4 personer", "en": "differs by 1 to 4 persons"}.items():
        options = ("--out", tmp_path / "note", "--ledger", ledger, "--lang", lang)
        code, said = command(monkeypatch, capsys, "status-note", folders / "fewer", *options)
        assert code == 3
        assert words in said
        assert "an earlier table" in said
        assert not IDENTIFIER.search(said)
    assert not (tmp_path / "note").exists()


def test_wrong_ledgers_are_refused_before_anything_is_done(folders, ledger, tmp_path, monkeypatch, capsys):
    def run(*options):
        return command(monkeypatch, capsys, "run", folders / "count", "--out", tmp_path, *options)

    code, said = run("--ledger", ledger)
    assert code == 2
    assert "--study" in said
    study = ("--study", folders / "all")
    assert run(*study, "--ledger", tmp_path / "none")[0] == 2
    code, said = run(*study, "--ledger", ledger)
    assert code == 2
    assert "lies in the folder of the outputs" in said
    assert not (tmp_path / "table.csv").exists()


def test_an_analysis_that_fails_leaves_no_file_and_no_entry(ledger, tmp_path):
    study = small_study()

    def run(fail):
        with recorded_analysis(ledger, study, tmp_path / "out", name="a", policy=CAUTIOUS) as folder:
            pd.DataFrame({"level": ["a"], "N_citizens": [3]}).to_csv(folder / "t.csv")
            if fail:
                raise SpecError("no")

    with pytest.raises(SpecError, match="no"):
        run(True)
    assert not (tmp_path / "out").exists()
    assert DisclosureLedger(ledger).entries().empty
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exports.ledger"]


def test_a_cell_that_moved_by_a_few_stops_the_whole_analysis(ledger, tmp_path):
    def run(out, persons, policy=CAUTIOUS):
        with recorded_analysis(ledger, small_study(), tmp_path / out, name="a", policy=policy) as folder:
            frame = pd.DataFrame({"level": ["a", "b"], "N_citizens": persons})
            frame.to_csv(folder / "t.csv", index=False)

    run("one", [100, 60])
    with pytest.raises(DisclosureError, match="2 cells differ by 1 to 4 persons"):
        run("two", [102, 58])
    assert not (tmp_path / "two").exists()
    run("two", [102, 58], DisclosurePolicy(differencing=False))
    assert (tmp_path / "two" / "t.csv").exists()


SPEC = """
name = "small"

[choices]
exposure = "belief"
covariates = ["birth_year"]
estimator = "pooled"
"""


def test_a_multiverse_is_recorded_and_refused_before_it_runs(folders, ledger, tmp_path, monkeypatch, capsys):
    spec = tmp_path / "small.toml"
    spec.write_text(SPEC, encoding="utf-8")
    common = ("multiverse", spec, "--ledger", ledger, "--draws", 0, "--lang", "en")
    first = (*common, "--study", folders / "all", "--out", tmp_path / "one")
    code, said = command(monkeypatch, capsys, *first)
    assert code == 0, said
    names = DisclosureLedger(ledger).entries()["output"].astype(str)
    assert names.str.contains("multiverse small").any()
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"work", "outputs"}
    second = (*common, "--study", folders / "fewer", "--out", tmp_path / "two")
    code, said = command(monkeypatch, capsys, *second)
    assert code == 3
    assert not (tmp_path / "two").exists()
    assert not IDENTIFIER.search(said)
    code, said = command(monkeypatch, capsys, *common, "--out", tmp_path / "three")
    assert code == 2
    assert "--study" in said
