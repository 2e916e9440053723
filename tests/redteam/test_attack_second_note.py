"""A second status note of nearly the same study: refused before anything is computed or written."""

from dataclasses import replace

import pandas as pd
import pytest
from outputs_under_attack import CAUTIOUS, small_panel, small_study

from jobchance import status_note
from jobchance.disclosure.ledger import DisclosureLedger
from jobchance.errors import DisclosureError, SpecError
from jobchance.note.exported import clashing_outputs, note_releases
from jobchance.report.output import Output


@pytest.fixture
def ledger(tmp_path):
    book = DisclosureLedger.create(tmp_path / "exports.ledger")
    book.record(note_releases(small_study(), small_panel(), [output(100, 60)]), CAUTIOUS)
    return book


def output(*persons):
    frame = pd.DataFrame({"level": list("ab"), "N_citizens": persons})
    return Output("F0", "test", frame, b"", "", "", "", "", "Frequencies", "descriptive")


def test_one_citizen_fewer_is_refused_and_nothing_is_written(ledger, tmp_path):
    study = small_study()
    gone = study.tables["citizen"]["citizen_id"].iloc[0]
    tables = {
        name: table[table["citizen_id"] != gone] if "citizen_id" in table else table
        for name, table in study.tables.items()
    }
    with pytest.raises(DisclosureError, match="status note: its sample") as refused:
        status_note(replace(study, tables=tables), tmp_path / "note", ledger=ledger.path)
    assert str(gone) not in str(refused.value)
    assert not (tmp_path / "note").exists()


def test_an_output_whose_cells_moved_by_a_few_is_withheld_alone(ledger):
    moved = note_releases(small_study(), small_panel(), [output(102, 58)])
    assert [(b.output, b.rule, b.n_rows) for b in clashing_outputs(ledger, moved, CAUTIOUS)] == [
        ("F0 test", "differencing", 2)
    ]
    same = note_releases(small_study(), small_panel(), [output(100, 60)])
    assert clashing_outputs(ledger, same, CAUTIOUS) == []


def test_the_ledger_may_not_lie_in_the_note(ledger, tmp_path):
    with pytest.raises(SpecError, match="lies in the folder of the outputs"):
        status_note(small_study(), tmp_path, ledger=ledger)
