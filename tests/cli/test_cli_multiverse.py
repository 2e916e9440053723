"""`jobchance multiverse` as installed: a run, its outputs apart from its work files, kills, refusals."""

import io
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import jobchance as jc
from jobchance.cli.multiverse import Request, run_command
from jobchance.cli.progress import SparseLines, multiverse_progress, progress_line
from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.progress import MultiverseProgress
from jobchance.study.write import write_study

COMMAND = str(Path(sys.executable).parent / "jobchance")
SPEC = """\
name = "small"
title = { da = "Tro og job", en = "Belief and jobs" }

[choices]
exposure = ["belief", "optimism"]
covariates = { subsets = ["birth_year", "C(education)"] }
estimator = ["pooled", "within", "logit"]

[main]
exposure = "belief"
covariates = ["birth_year"]
estimator = "pooled"
"""


def jobchance(*arguments):
    return subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hash_of(stdout):
    return re.search(r"hash ([0-9a-f]{64})", stdout).group(1)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A specification file and a study folder."""
    folder = tmp_path_factory.mktemp("multiverse")
    (folder / "spec.toml").write_text(SPEC, encoding="utf-8")
    write_study(jc.simulate_study(seed=6, n_citizens=900), folder / "study")
    return [folder / "spec.toml", "--study", folder / "study", "--lang", "en"]


@pytest.fixture(scope="module")
def done(given, tmp_path_factory):
    """An undisturbed run and its folder."""
    out = tmp_path_factory.mktemp("run") / "out"
    result = jobchance("multiverse", *given, "--out", out, "--jobs", 2)
    assert result.returncode == 0, result.stderr
    return result, out


def test_a_run_says_what_came_out_and_keeps_work_and_outputs_apart(done):
    result, out = done
    lines = result.stdout.splitlines()
    assert lines[:2] == ["Belief and jobs", "24 specifications (24 run now, 0 from before), 4 failed"]
    reasons = [line for line in lines if line.startswith("  ")]
    assert sum(int(line.split()[0]) for line in reasons) == 4
    assert all(" failed: " in line for line in reasons)
    frame, headline, outputs = lines[2 + len(reasons) :]
    assert frame.startswith(f"Frame (internal work, not for export): {out}/work/frame.csv, hash ")
    assert (
        (out / "outputs/F83_specification_curve.md").read_text(encoding="utf-8").startswith(f"# {headline}")
    )
    assert outputs == f"Outputs after disclosure control (cautious_dk): {out}/outputs"
    assert (out / "work").stat().st_mode & 0o007 == 0
    assert "24 of 24" not in result.stdout
    assert result.stderr.splitlines()[0] == "0 of 24 · 0 failed"
    assert {path.name for path in out.iterdir()} == {"work", "outputs"}
    assert {path.name for path in (out / "outputs").iterdir()} == {
        f"F83_specification_curve.{ending}" for ending in ("png", "csv", "json", "md")
    }
    assert "NOT FOR EXPORT" in (out / "work" / "README.txt").read_text(encoding="utf-8")
    words = (out / "outputs" / "F83_specification_curve.md").read_text(encoding="utf-8")
    assert "Association, not effect" in words
    keys = re.findall(r'"key":"([0-9a-f]{16})"', (out / "work" / "results.jsonl").read_text())
    assert len(keys) == len(set(keys)) == 24
    exported = b"".join(content for content in contents(out / "outputs").values()).decode(errors="replace")
    assert not any(key in exported for key in keys)


def test_a_killed_command_goes_on_to_the_same_frame(given, done, tmp_path):
    out = tmp_path / "out"
    log = out / "work" / "results.jsonl"
    command = [COMMAND, "multiverse", *map(str, given), "--out", str(out), "--resume"]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (log.exists() and log.stat().st_size):
        assert time.monotonic() < deadline
        assert driver.poll() is None
        time.sleep(0.005)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    n = log.read_text(encoding="utf-8").count("\n")
    assert 0 < n < 24
    result = jobchance(*command[1:])
    assert result.returncode == 0, result.stderr
    assert f"\n24 specifications ({24 - n} run now, {n} from before), 4 failed\n" in result.stdout
    assert hash_of(result.stdout) == hash_of(done[0].stdout)
    first, second = contents(done[1]), contents(out)
    assert set(first) == set(second)
    assert {name for name in first if first[name] != second[name]} <= {"work/lock", "work/results.jsonl"}
    assert log.read_text(encoding="utf-8").count("\n") == 24


def test_a_changed_specification_is_refused_and_nothing_is_touched(given, done, tmp_path):
    _, out = done
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.replace('"within", ', ""), encoding="utf-8")
    before = contents(out)
    request = Request(spec, None, out, None, None, 1, None, True)
    words = r"the specification \(24 specifications then, 16 now, 16 of them in both\) changed"
    with pytest.raises(SpecError, match=words):
        run_command(request, lambda: jc.read_study(given[2]))
    with pytest.raises(SpecError, match="holds an earlier run"):
        run_command(replace(request, resume=False), lambda: pytest.fail("the study was read"))
    assert {name: text for name, text in contents(out).items() if name != "work/lock"} == {
        name: text for name, text in before.items() if name != "work/lock"
    }


def test_everything_wrong_with_the_arguments_is_said_at_once(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    wrong = ["--policy", "none", "--study", tmp_path / "absent", "--jobs", "0"]
    result = jobchance("multiverse", tmp_path / "absent.toml", "--out", tmp_path, *wrong)
    assert (result.returncode, result.stdout) == (2, "")
    for words in ("absent.toml", "policy='none'", "not empty and holds no run", "--study", "n_jobs=0"):
        assert words in result.stderr
    assert "Traceback" not in result.stderr
    both = Request(
        tmp_path / "absent.toml", None, tmp_path / "Hjemsendelse" / "a", "2", "tcp://a:1", 1, None, False
    )
    with pytest.raises(SpecError, match=r"(?s)absent.*export folder.*exclude each other"):
        run_command(both, lambda: pytest.fail("the study was read"))
    assert not (tmp_path / "Hjemsendelse").exists()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_one_line_moves(monkeypatch):
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with multiverse_progress("en") as show:
        for done in (0, 500, 1000):
            show(state(done))
    assert "1,000 of 1,000 · 3 failed" in screen.getvalue()
    assert screen.getvalue().count("\n") <= 3


def state(done, *, rate=2.0, left=75.0):
    return MultiverseProgress(done, 1000, 3, 0, 10.0, rate, left)


def test_progress_in_words():
    assert progress_line(state(120), "en") == "120 of 1,000 · 3 failed · 2.0 per second · 1:15 left"
    assert progress_line(state(120, rate=25.0, left=3723.4), "da") == (
        "120 af 1.000 · 3 mislykket · 25 pr. sekund · 1:02:03 tilbage"
    )
    assert progress_line(state(0, rate=0.0, left=float("nan")), "en") == "0 of 1,000 · 3 failed"


def test_lines_off_a_terminal_are_sparse(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("jobchance.cli.progress.time.monotonic", lambda: clock[0])
    written = []
    lines = SparseLines(lambda one: written.append((clock[0], one.done)))
    for second in range(3600):
        clock[0] = float(second)
        lines(state(second // 36 * 10))
    assert written[:2] == [(0.0, 0), (10.0, 0)]
    assert 20 <= len(written) <= 100
    gaps = [b - a for (a, _), (b, _) in pairwise(written)]
    assert min(gaps) >= 10
    assert max(gaps) <= 180
