"""The store of a run: exact rows, torn and damaged lines, refusals, the lock, a full disk."""

import json
import math
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import multiverse_jobs as jobs
import numpy as np
import pandas as pd
import pytest

from jobchance.errors import SpecError, UserError
from jobchance.sensitivity.multiverse.store import LOG, PLAN, WORK, Store, check_folder, is_machine_failure
from jobchance.sensitivity.multiverse.store_data import fingerprint_data
from jobchance.sensitivity.multiverse.store_lock import FolderLock
from jobchance.sensitivity.multiverse.store_log import Log, mend_log, plain, read_log

SCRIPT = str(Path(jobs.__file__))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def spoken(function, *arguments, **options):
    """Messages of the warnings of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*arguments, **options)
    return [str(one.message) for one in caught]


def test_rows_come_back_bit_for_bit(tmp_path):
    numbers = np.random.default_rng(1).normal(size=200) * 10.0 ** np.arange(-100, 100)
    rows = [{"key": str(i), "x": float(x), "n": i, "flag": i % 2 == 0} for i, x in enumerate(numbers)]
    rows.append({"key": "odd", "x": -0.0, "y": 5e-324, "z": math.inf, "none": None, "text": 'æ"\n\\'})
    log = Log(tmp_path / "log")
    log.append(rows[:7])
    log.append(rows[7:])
    log.close()
    back = read_log(tmp_path / "log")
    assert (back.torn, back.damaged) == (0, 0)
    assert list(back.rows) == rows
    assert math.copysign(1, back.rows[-1]["x"]) == -1
    assert (tmp_path / "log").read_text().count("\n") == len(rows)
    assert all(json.loads(line)["row"]["key"] for line in (tmp_path / "log").read_text().splitlines())


def test_rows_are_made_plain():
    row = plain(
        {"a": np.float64(0.1), "b": np.int64(3), "c": np.bool_(True), "d": None, "e": "x", "f": False}
    )
    assert row == {"a": 0.1, "b": 3, "c": True, "d": None, "e": "x", "f": False}
    assert [type(value) for value in row.values()] == [float, int, bool, type(None), str, bool]
    assert math.isnan(plain({"a": np.float64("nan")})["a"])
    with pytest.raises(TypeError, match="ndarray"):
        plain({"a": np.zeros(2)})


def test_a_torn_last_line_is_dropped_wherever_it_was_cut(tmp_path):
    path = tmp_path / "log"
    rows = [{"key": str(i), "x": i / 3} for i in range(3)]
    log = Log(path)
    log.append(rows)
    log.close()
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for cut in range(last + 1, len(whole)):
        path.write_bytes(whole[:cut])
        back = read_log(path)
        assert (list(back.rows), back.torn, back.damaged) == (rows[:2], 1, 0)
        mend_log(path, back)
        log = Log(path)
        log.append(rows[2:])
        log.close()
        assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", [b"0", b"\x00", b"}"])
def test_a_damaged_line_is_told_and_run_again(tmp_path, damage):
    workbench = jobs.FakeWorkbench(tmp_path)
    rows = jobs.run(workbench, out=tmp_path / "out")
    path = tmp_path / "out" / WORK / LOG
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3][:60] + damage + lines[3][61:]
    path.write_bytes(b"".join(lines))
    with pytest.warns(RuntimeWarning, match=r"1 damaged lines of results\.jsonl were dropped"):
        again = jobs.run(workbench, out=tmp_path / "out", resume=True)
    assert jobs.as_text(again) == jobs.as_text(rows)
    assert sorted(jobs.evaluations(tmp_path).values()) == [1] * 39 + [2]
    assert not spoken(jobs.run, workbench, out=tmp_path / "out", resume=True)


def test_a_run_that_changed_is_refused_with_all_that_changed(tmp_path):
    jobs.run(jobs.FakeWorkbench(tmp_path), out=tmp_path / "out")
    before = contents(tmp_path / "out")
    changes = {
        r"the specification \(40 specifications then, 40 now, 40 of them in both\)": {"spec": "other"},
        "the specification .40 specifications then, 30 now, 30": {"keys": jobs.make_plan(30).keys},
        "began, the data changed": {"data": "other"},
        r"numba \(none then, 1 now\); numpy \(2 then, 3 now\)": {"versions": {"numpy": "3", "numba": "1"}},
        "the way specifications are put together": {"chunking": "other"},
    }
    for words, change in changes.items():
        with pytest.raises(SpecError, match=words) as caught:
            Store(tmp_path / "out", jobs.make_plan(**change), resume=True)
        assert "run into a new folder" in str(caught.value)
        assert contents(tmp_path / "out") == before
    with pytest.raises(SpecError, match=r"the specification .*; the data; numpy \(2 then, 3 now\)"):
        Store(tmp_path / "out", jobs.make_plan(spec="o", data="o", versions={"numpy": "3"}), resume=True)
    with pytest.warns(RuntimeWarning, match="another kind of processor"):
        Store(tmp_path / "out", jobs.make_plan(processors="skylake"), resume=True).close()


def test_folders_that_are_not_ours_are_refused_untouched(tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("mine")
    half = tmp_path / "half"
    (half / WORK).mkdir(parents=True)
    (half / WORK / "diary.txt").write_text("mine")
    for folder in (notes, half):
        before = contents(folder)
        for resume in (False, True):
            with pytest.raises(SpecError, match="not empty and holds no run"):
                Store(folder, jobs.make_plan(), resume=resume)
        assert contents(folder) == before
    with pytest.raises(SpecError, match="names a file"):
        Store(notes / "a.txt", jobs.make_plan(), resume=False)
    with pytest.raises(SpecError, match="export folder"):
        Store(tmp_path / "Hjemsendelser" / "run", jobs.make_plan(), resume=False)
    assert not (tmp_path / "Hjemsendelser").exists()


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_names_that_no_folder_can_have_are_refused_in_words(tmp_path, name):
    with pytest.raises(SpecError, match="out cannot be used as a folder"):
        check_folder(tmp_path / name, resume=False)


def test_an_earlier_run_needs_resume_and_nothing_needs_none(tmp_path):
    workbench = jobs.FakeWorkbench(tmp_path)
    first = jobs.run(workbench, out=tmp_path / "out", resume=True)
    before = contents(tmp_path / "out")
    assert "NOT FOR EXPORT" in before[f"{WORK}/README.txt"].decode()
    with pytest.raises(SpecError, match=r"holds an earlier run.*--resume"):
        jobs.run(workbench, out=tmp_path / "out")
    assert contents(tmp_path / "out") == before
    assert jobs.as_text(jobs.run(workbench, out=tmp_path / "out", resume=True)) == jobs.as_text(first)
    assert set(jobs.evaluations(tmp_path).values()) == {1}


def test_a_damaged_plan_and_foreign_rows_are_refused(tmp_path):
    jobs.run(jobs.FakeWorkbench(tmp_path), out=tmp_path / "out")
    plan = tmp_path / "out" / WORK / PLAN
    text = plan.read_text()
    for wrong in ("{", "[]", '{"format": 9}', text.replace('"format": 1', '"format": 2')):
        plan.write_text(wrong)
        with pytest.raises(SpecError, match="damaged or was written by another version"):
            Store(tmp_path / "out", jobs.make_plan(), resume=True)
    plan.write_text(text)
    log = Log(tmp_path / "out" / WORK / LOG)
    log.append([{"key": "stranger"}])
    log.close()
    with pytest.raises(SpecError, match="1 rows that do not belong"):
        Store(tmp_path / "out", jobs.make_plan(), resume=True)


def test_failures_of_the_machine_are_run_again_and_those_of_the_design_are_not():
    def failed(reason):
        return {"status": "failed", "reason": reason}

    assert is_machine_failure(failed("WorkerLost: its worker process ended"))
    assert is_machine_failure(failed("MemoryError: raised in linear.py, line 3"))
    assert is_machine_failure(failed("_ArrayMemoryError: raised in linear.py, line 3"))
    assert is_machine_failure(failed("PermissionError: raised in read.py, line 3"))
    assert not is_machine_failure(failed("ValueError: raised in read.py, line 3"))
    assert not is_machine_failure(failed("belief does not vary within citizens"))
    assert not is_machine_failure({"status": "ok", "reason": ""})


def test_want_of_memory_is_run_again_on_resume(tmp_path):
    first = jobs.run(jobs.FakeWorkbench(tmp_path, hungry=("x3",)), out=tmp_path / "out")
    assert [row["status"] for row in first].count("failed") == 1
    again = jobs.run(jobs.FakeWorkbench(tmp_path), out=tmp_path / "out", resume=True)
    assert jobs.as_text(again) == jobs.as_text(jobs.run(jobs.FakeWorkbench(tmp_path)))
    log = read_log(tmp_path / "out" / WORK / LOG)
    assert [row["status"] for row in log.rows if row["key"] == again[3]["key"]] == ["failed", "ok"]
    assert jobs.run(jobs.FakeWorkbench(tmp_path), out=tmp_path / "out", resume=True)[3]["status"] == "ok"


def test_one_driver_at_a_time_and_a_killed_one_leaves_no_lock(tmp_path):
    with Store(tmp_path / "out", jobs.make_plan(), resume=False):
        for resume in (False, True):
            with pytest.raises(SpecError, match=r"Another run is at work|earlier run"):
                Store(tmp_path / "out", jobs.make_plan(), resume=resume)
    path = tmp_path / "lock"
    text = (
        "import sys, time; from pathlib import Path\n"
        "from jobchance.sensitivity.multiverse.store_lock import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", text, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(SpecError, match=f"process {other.pid} on "):
            FolderLock(path)
        other.kill()
        other.wait()
    FolderLock(path).free()


def test_a_full_disk_stops_with_one_error_and_costs_nothing(tmp_path):
    """A limit on the size of files stands for the disk: a line is cut in the middle of its writing."""
    clean = jobs.run(jobs.FakeWorkbench(tmp_path), out=tmp_path / "clean")
    size = (tmp_path / "clean" / WORK / LOG).stat().st_size
    environment = os.environ | {"LIMIT_BYTES": str(size * 2 // 3)}
    command = [sys.executable, SCRIPT, str(tmp_path / "out"), str(tmp_path), "0", "0"]
    stopped = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert stopped.returncode == 2, stopped.stderr
    assert stopped.stdout.startswith("UserError results.jsonl could not be written (File too large).")
    assert "--resume" in stopped.stdout
    assert stopped.stderr == ""
    content = read_log(tmp_path / "out" / WORK / LOG)
    assert (content.torn, content.damaged) == (0, 0)
    assert 0 < len(content.rows) < jobs.N
    trace = tmp_path / "second"
    trace.mkdir()
    again = jobs.run(jobs.FakeWorkbench(trace), out=tmp_path / "out", resume=True)
    assert jobs.as_text(again) == jobs.as_text(clean)
    assert len(jobs.evaluations(trace)) == jobs.N - len(content.rows)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 kB, where the system lets us have one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        done = False
    if not done:
        pytest.skip("a file system of a given size cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_without_room_and_with_room_again(small_disk, tmp_path):
    workbench = jobs.FakeWorkbench(tmp_path)
    clean = jobs.run(workbench)
    with pytest.raises(UserError, match="No space left on device"):
        jobs.run(workbench, out=small_disk / "out", resume=True)
    names = {path.name for path in (small_disk / "out" / WORK).iterdir()}
    assert not any(name.endswith(".tmp") for name in names)
    subprocess.run(["mount", "-o", "remount,size=200k", str(small_disk)], check=True)
    again = jobs.run(workbench, out=small_disk / "out", resume=True)
    assert jobs.as_text(again) == jobs.as_text(clean)


def test_the_final_files_are_whole_or_absent(tmp_path):
    frame = pd.DataFrame({"key": ["a"], "estimate": [1 / 3]})
    with Store(tmp_path / "out", jobs.make_plan(), resume=False) as store:
        store.finish(frame, {"hash": "h"})
        first = contents(tmp_path / "out")
        store.finish(frame, {"hash": "h"})
    assert contents(tmp_path / "out") == first
    back = pd.read_csv(tmp_path / "out" / WORK / "frame.csv")
    assert back["estimate"].item() == 1 / 3
    assert pd.read_parquet(tmp_path / "out" / WORK / "frame.parquet").equals(frame)
    manifest = json.loads((tmp_path / "out" / WORK / "manifest.json").read_text())
    assert set(manifest["files"]) == {"frame.csv", "frame.parquet"}


def test_the_data_have_a_fingerprint_that_sees_all_that_counts(bip_panel):
    frame = bip_panel.frame
    panel = type(bip_panel)
    same = fingerprint_data(panel(frame.copy(), bip_panel.flow, bip_panel.meta))
    assert same == fingerprint_data(bip_panel)
    nudged = frame.assign(belief=frame["belief"].where(frame.index != 5, np.nextafter(frame["belief"], 9)))
    others = [
        frame.iloc[::-1],
        nudged,
        frame.rename(columns={"action": "deed"}),
        frame.assign(caseworker_id=frame["caseworker_id"].replace({frame["caseworker_id"].iloc[0]: "other"})),
    ]
    prints = {fingerprint_data(panel(other, bip_panel.flow, bip_panel.meta)) for other in others}
    assert len(prints | {same}) == 5
    start = time.monotonic()
    fingerprint_data(bip_panel)
    assert time.monotonic() - start < 2
