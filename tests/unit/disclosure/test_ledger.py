"""The ledger: later outputs that give a few persons away are refused; the file keeps its promises."""

import json
import os
import pickle
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jobchance.disclosure.ledger import DisclosureLedger
from jobchance.disclosure.ledger_file import MAGIC
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.release import Release
from jobchance.errors import DisclosureError, SpecError

CAUTIOUS = DisclosurePolicy.preset("cautious_dk")
IDS = [f"citizen-{i:04}" for i in range(200)]


@pytest.fixture
def ledger(tmp_path):
    return DisclosureLedger.create(tmp_path / "exports.ledger")


def reasons(ledger, *releases, policy=CAUTIOUS):
    return {clash.reason for clash in ledger.check(releases, policy)}


def counts(*numbers, **columns):
    return pd.DataFrame({"level": list("abcdefgh")[: len(numbers)], "N_citizens": numbers}).assign(**columns)


@pytest.mark.parametrize(("fewer", "refused"), [(0, False), (1, True), (4, True), (5, False), (120, False)])
def test_a_sample_that_lacks_one_to_four_persons_is_refused(ledger, fewer, refused):
    ledger.record([Release("T1", IDS)], CAUTIOUS)
    later = Release("T2", IDS[fewer:])
    assert bool(ledger.check([later], CAUTIOUS)) == refused
    assert not ledger.check([later], replace(CAUTIOUS, differencing=False))


def test_exchanged_persons_count_on_both_sides(ledger):
    ledger.record([Release("T1", IDS[:100])], CAUTIOUS)
    assert reasons(ledger, Release("T2", [*IDS[2:100], *IDS[150:152]])) == {"sample"}
    assert reasons(ledger, Release("T2", [*IDS[3:100], *IDS[150:153]])) == set()


def test_the_stricter_of_two_thresholds_holds(ledger):
    ledger.record([Release("T1", IDS)], replace(CAUTIOUS, min_persons=10))
    assert reasons(ledger, Release("T2", IDS[8:])) == {"sample"}


def test_cells_are_samples_too(ledger):
    ledger.record([Release("T1", IDS, cells={"women": IDS[:80]})], CAUTIOUS)
    assert reasons(ledger, Release("T2", IDS[:78])) == {"sample"}
    assert reasons(ledger, Release("T3", IDS, cells={"mothers": IDS[3:80]})) == {"sample"}
    assert reasons(ledger, Release("T4", IDS, cells={"few": IDS[:3]})) >= {"small"}


def test_sums_and_remainders_of_earlier_outputs(ledger):
    ledger.record([Release("north", IDS[:60]), Release("south", IDS[60:150])], CAUTIOUS)
    assert reasons(ledger, Release("both", IDS[:150])) == set(), "the sum says nothing new"
    assert reasons(ledger, Release("both", IDS[:152])) == {"sum"}
    ledger.record([Release("whole", IDS)], CAUTIOUS)  # whole less south = 110
    assert reasons(ledger, Release("not south", [*IDS[:60], *IDS[152:]])) == {"sum"}


def test_outputs_of_one_export_are_held_against_each_other(ledger):
    assert reasons(ledger, Release("T1", IDS), Release("T2", IDS[1:])) == {"sample"}
    assert reasons(ledger, Release("T1", IDS), Release("T2", IDS)) == set()


def test_the_same_table_again_with_a_few_more_in_a_cell(ledger):
    ledger.record([Release("T1", IDS[:100], counts(40, 60))], CAUTIOUS)
    assert reasons(ledger, Release("T1", IDS, counts(43, 157))) == {"cell"}
    assert reasons(ledger, Release("T1", IDS, counts(45, 155))) == set()
    assert reasons(ledger, Release("T9", IDS, counts(43, 157))) == set(), "another output's cells are others"
    words = counts(43, 157, label_en="other words", data_kind="real", study_source="elsewhere")
    assert reasons(ledger, Release("T1", IDS, words)) == {"cell"}, "words do not name a cell"


def test_a_cell_hidden_before_stays_hidden_for_the_same_persons(ledger):
    hidden = counts(np.nan, np.nan, 100.0, suppressed=[True, True, False])
    ledger.record([Release("T1", IDS, hidden)], CAUTIOUS)
    other = counts(np.nan, 98.0, np.nan, suppressed=[True, False, True])
    assert reasons(ledger, Release("T1", IDS, other)) == {"hidden"}
    assert reasons(ledger, Release("T1", IDS[:150], other)) == set(), "other persons"


def test_refusal_names_outputs_and_bands_and_nothing_else(ledger):
    ledger.record([Release("T1 overview", IDS)], CAUTIOUS)
    with pytest.raises(DisclosureError) as refused:
        ledger.record([Release("F15 gradient", IDS[3:])], CAUTIOUS)
    message = str(refused.value)
    assert "F15 gradient" in message
    assert "T1 overview" in message
    assert "1 to 4 persons" in message
    assert "withdraw" in message
    for secret in ("citizen-", "197", "200", " 3 "):
        assert secret not in message
    assert ledger.entries()["output"].tolist() == ["T1 overview"], "nothing is recorded on refusal"


def test_recording_twice_adds_nothing_and_withdrawing_makes_room(ledger):
    for _ in range(2):
        ledger.record([Release("T1", IDS, counts(40, 60))], CAUTIOUS)
    assert len(ledger.entries()) == 1
    assert ledger.withdraw("T1", reason="a coding error; never sent home") == 1
    assert ledger.entries()["withdrawn"].tolist() == [True]
    ledger.record([Release("T1", IDS[1:], counts(40, 59))], CAUTIOUS)
    assert ledger.entries()["withdrawn"].tolist() == [True, False]
    with pytest.raises(SpecError, match="no exported output"):
        ledger.withdraw("T8", reason="?")
    with pytest.raises(SpecError, match="say why"):
        ledger.withdraw("T1", reason=" ")


def test_kinds_of_identifiers(ledger):
    ledger.record([Release("T1", range(100))], CAUTIOUS)
    assert reasons(ledger, Release("T2", np.arange(2.0, 100.0))) == {"sample"}
    assert reasons(ledger, Release("T2", pd.Series(range(100), dtype="Int64")[3:])) == {"sample"}
    assert reasons(ledger, Release("T2", pd.Series([*map(str, range(99))], dtype="category"))) == {"sample"}
    for wrong in ([], [None, 1], [True, False]):
        with pytest.raises(SpecError, match="sample"):
            ledger.check([Release("T2", wrong)], CAUTIOUS)


def test_new_identifiers_are_noticed(ledger):
    ledger.record([Release("T1", IDS)], CAUTIOUS)
    with pytest.warns(UserWarning, match="replaced by a new delivery"):
        ledger.check([Release("T2", [f"new-{one}" for one in IDS[1:]])], CAUTIOUS)


# --- the file ----------------------------------------------------------------------------------------


def test_the_file_is_private_says_what_it_is_and_holds_no_identifier(ledger):
    ledger.record([Release("T1", IDS, counts(40, 60), cells={"a": IDS[:40]})], CAUTIOUS)
    content = ledger.path.read_bytes()
    assert content.startswith(MAGIC)
    assert b"PERSONAL DATA" in content.splitlines()[0]
    assert not any(one.encode() in content for one in IDS)
    if os.name == "posix":
        assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600


def test_two_ledgers_do_not_share_their_keys(tmp_path):
    bodies = []
    for name in ("one", "two"):
        ledger = DisclosureLedger.create(tmp_path / name)
        ledger.record([Release("T1", IDS)], CAUTIOUS)
        bodies.append([json.loads(line).get("persons") for line in ledger.path.read_text().splitlines()])
    assert set(bodies[0]).isdisjoint(set(bodies[1]) - {None})


def test_a_changed_file_is_not_trusted(ledger):
    ledger.record([Release("T1", IDS), Release("T2", IDS[:100])], CAUTIOUS)
    lines = ledger.path.read_text().splitlines(keepends=True)
    for changed in (
        "".join(lines[:1] + lines[2:]),
        "".join(lines).replace('"T1"', '"T3"'),
        "".join([lines[0], "nonsense\n", *lines[1:]]),
        "".join([lines[0], "[]\n", *lines[1:]]),
    ):
        ledger.path.write_text(changed)
        with pytest.raises(DisclosureError, match="has been changed: line"):
            ledger.check([], CAUTIOUS)


def test_a_line_cut_short_by_a_crash_does_not_count(ledger):
    ledger.record([Release("T1", IDS)], CAUTIOUS)
    whole = ledger.path.read_bytes()
    with ledger.path.open("ab") as file:
        file.write(whole.splitlines()[-1][:50])
    assert ledger.entries()["output"].tolist() == ["T1"]
    ledger.record([Release("T2", IDS[:50])], CAUTIOUS)
    assert ledger.entries()["output"].tolist() == ["T1", "T2"]
    assert ledger.path.read_bytes().startswith(whole)


def test_several_programs_at_once_lose_nothing(ledger):
    program = (
        "import sys\n"
        "from jobchance.disclosure.ledger import DisclosureLedger\n"
        "from jobchance.disclosure.policy import DisclosurePolicy\n"
        "from jobchance.disclosure.release import Release\n"
        "start = 100 * int(sys.argv[2])\n"
        "for k in range(3):\n"
        "    release = Release(f'T{start}.{k}', range(start + 7 * k, start + 90))\n"
        "    DisclosureLedger(sys.argv[1]).record([release], DisclosurePolicy())\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", program, str(ledger.path), str(i)])
        for i in range(3)
    ]
    assert [one.wait(timeout=60) for one in running] == [0, 0, 0]
    assert len(ledger.entries()) == 9
    assert not list(ledger.path.parent.glob("*.lock"))


def test_a_lock_left_behind_is_explained(ledger, monkeypatch):
    monkeypatch.setattr("jobchance.disclosure.ledger_file._WAIT_SECONDS", 0.0)
    lock = ledger.path.with_name("exports.ledger.lock")
    lock.touch()
    with pytest.raises(SpecError, match=r"exports\.ledger\.lock lies beside it"):
        ledger.record([Release("T1", IDS)], CAUTIOUS)
    lock.unlink()
    ledger.record([Release("T1", IDS)], CAUTIOUS)


def test_where_a_ledger_may_not_be(tmp_path, ledger):
    with pytest.raises(SpecError, match="file of that name"):
        DisclosureLedger.create(ledger.path)
    with pytest.raises(SpecError, match=r"DisclosureLedger\.create"):
        DisclosureLedger(tmp_path / "typo.ledger")
    with pytest.raises(SpecError, match="export folder"):
        DisclosureLedger.create(tmp_path / "hjemsendelser" / "exports.ledger")
    with pytest.raises(SpecError, match="folder of the ledger"):
        DisclosureLedger.create(tmp_path / "nowhere" / "exports.ledger")
    bundle = tmp_path / "note"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")
    with pytest.raises(SpecError, match="folder of outputs"):
        DisclosureLedger.create(bundle / "exports.ledger")
    (tmp_path / "other.txt").write_text("something else")
    with pytest.raises(SpecError, match="no disclosure ledger"):
        DisclosureLedger(tmp_path / "other.txt")


def test_ledger_and_releases_are_not_pickled_and_show_nobody(ledger):
    for one in (ledger, Release("T1", IDS, cells={"a": IDS[:50]})):
        with pytest.raises(TypeError, match=r"open it again|not pickled"):
            pickle.dumps(one)
        assert "citizen-" not in repr(one)
        assert str(Path.home()) not in repr(one)
