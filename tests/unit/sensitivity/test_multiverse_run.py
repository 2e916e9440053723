"""A multiverse that is killed: driver, worker, scheduler; the rows are those of an undisturbed run."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import multiverse_jobs as jobs
import pytest

import jobchance as jc
from jobchance.errors import SpecError, UserError
from jobchance.sensitivity.multiverse.progress import Tracker
from jobchance.sensitivity.multiverse.run import run_multiverse
from jobchance.sensitivity.multiverse.store import LOG, WORK
from jobchance.sensitivity.multiverse.store_log import read_log

SCRIPT = str(Path(jobs.__file__))
HERE = str(Path(SCRIPT).parent)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Rows of a run that nothing disturbs."""
    return jobs.as_text(jobs.run(jobs.FakeWorkbench(tmp_path_factory.mktemp("clean"))))


def logged(out):
    return [row["key"] for row in read_log(out / WORK / LOG).rows]


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not reached within {seconds} seconds"
        time.sleep(0.01)


@pytest.mark.parametrize(("n_jobs", "kills"), [(0, 2), (2, 1)])
def test_a_killed_driver_loses_nothing_and_repeats_nothing(tmp_path, clean, n_jobs, kills):
    out = tmp_path / "out"
    for kill in range(kills):
        trace = tmp_path / f"trace-{kill}"
        trace.mkdir()
        before = len(logged(out)) if kill else 0
        driver = subprocess.Popen([sys.executable, SCRIPT, str(out), str(trace), str(n_jobs), "0.05"])
        wait_for(lambda before=before: (out / WORK / LOG).exists() and len(logged(out)) > before)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        finished = logged(out)
        assert before < len(finished) < jobs.N
        begun = jobs.evaluations(trace)
        assert not set(begun) & set(finished[:before]), "what an earlier run finished was run again"
        # What was under way at each of the workers is all that may be lost.
        assert len(set(begun) - set(finished)) <= max(n_jobs, 1) * jobs.CHUNK
    trace = tmp_path / "last"
    trace.mkdir()
    seen = []
    rows = jobs.run(jobs.FakeWorkbench(trace), out=out, resume=True, callback=seen.append)
    assert jobs.as_text(rows) == clean
    assert sum(jobs.evaluations(trace).values()) == jobs.N - len(finished)
    assert sorted(logged(out)) == sorted({row["key"] for row in rows})
    assert (seen[0].done, seen[0].resumed, seen[0].rate) == (len(finished), len(finished), 0)
    assert (seen[-1].done, seen[-1].total, seen[-1].seconds_left) == (jobs.N, jobs.N, 0)
    assert seen[-1].rate == pytest.approx((jobs.N - len(finished)) / seen[-1].seconds)


@pytest.mark.filterwarnings("ignore:A worker process ended:RuntimeWarning")
def test_a_specification_that_kills_its_worker_fails_alone(tmp_path, clean, monkeypatch):
    monkeypatch.setattr("jobchance.compute.local.MAX_RUNS", 1)
    out = tmp_path / "out"
    with jc.LocalCompute(2) as compute:
        rows = jobs.run(jobs.FakeWorkbench(tmp_path, deadly=("x5",)), compute=compute, out=out)
    failed = [row for row in rows if row["status"] == "failed"]
    assert [row["key"] for row in failed] == [jobs.specifications()[5].key]
    assert failed[0]["reason"].startswith("WorkerLost: its worker process ended")
    assert "memory" in failed[0]["reason"]
    assert sorted(logged(out)) == sorted(row["key"] for row in rows)
    trace = tmp_path / "again"
    trace.mkdir()
    again = jobs.run(jobs.FakeWorkbench(trace), out=out, resume=True)
    assert jobs.as_text(again) == clean
    assert list(jobs.evaluations(trace)) == [failed[0]["key"]]


@contextmanager
def dask_cluster(n_workers):
    """A scheduler and workers as processes of their own, none of which is started again."""
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"PYTHONPATH": HERE}
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--host"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    processes = [subprocess.Popen([*scheduler, "127.0.0.1", "--port", port], **quiet)]
    processes += [
        subprocess.Popen([*worker, "--no-dashboard"], env=environment, **quiet) for _ in range(n_workers)
    ]
    try:
        wait_for(lambda: _listens(int(port)))
        yield address, processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_dask_loses_a_worker_then_its_scheduler(tmp_path, clean):
    out = tmp_path / "out"
    with (
        dask_cluster(2) as (address, (scheduler, worker, _)),
        jc.DaskCompute(address, wait_seconds=30) as compute,
    ):
        compute.client.wait_for_workers(2, timeout=30)

        def disturb(state):
            if state.done >= 8:
                worker.kill()
            if state.done >= 20:
                scheduler.kill()

        with pytest.raises(UserError, match=r"scheduler of the Dask cluster ended.*--resume"):
            jobs.run(jobs.FakeWorkbench(tmp_path, pause=0.02), compute=compute, out=out, callback=disturb)
    finished = logged(out)
    assert 20 <= len(finished) < jobs.N
    assert len(set(finished)) == len(finished)
    trace = tmp_path / "again"
    trace.mkdir()
    assert jobs.as_text(jobs.run(jobs.FakeWorkbench(trace), out=out, resume=True)) == clean
    assert sum(jobs.evaluations(trace).values()) == jobs.N - len(finished)


CHOICES = {
    "exposure": ["belief", "optimism"],
    "covariates": {"subsets": ["birth_year", "C(education)"]},
    "estimator": ["pooled", "within", "logit", "mixed", "rung:adjusted"],
    "missing": ["complete", "common"],
}


@pytest.fixture(scope="module")
def panel():
    study = jc.simulate_study(seed=5, n_citizens=700)
    return jc.build_panel(study, covariates=["birth_year", "education"])


@pytest.fixture(scope="module")
def here(panel):
    return run_multiverse({"choices": CHOICES}, panel)


def test_the_frame_is_the_same_at_every_place(panel, here, tmp_path):
    assert len(here.frame) >= 40
    assert (here.frame["status"] != "failed").sum() >= 25
    with jc.LocalCompute(2) as compute:
        local = run_multiverse({"choices": CHOICES}, panel, compute=compute, out=tmp_path / "local")
    assert local.hash == here.hash
    with dask_cluster(2) as (address, _), jc.DaskCompute(address, wait_seconds=30) as compute:
        compute.client.wait_for_workers(2, timeout=30)
        there = run_multiverse({"choices": CHOICES}, panel, compute=compute)
    assert there.hash == here.hash


def test_a_run_cut_anywhere_goes_on_to_the_same_frame(panel, here, tmp_path):
    out = tmp_path / "out"
    whole = run_multiverse({"choices": CHOICES}, panel, out=out)
    files = {path.name: path.read_bytes() for path in (out / WORK).iterdir()}
    assert whole.hash == here.hash
    path = out / WORK / LOG
    for share in (0.0, 0.31, 0.77):
        path.write_bytes(files[LOG][: int(len(files[LOG]) * share)])
        for name in ("frame.csv", "frame.parquet", "manifest.json"):
            (out / WORK / name).unlink()
        again = run_multiverse({"choices": CHOICES}, panel, out=out, resume=True)
        assert again.hash == here.hash
        after = {path.name: path.read_bytes() for path in (out / WORK).iterdir()}
        same = set(files) - {LOG}
        assert {name: after[name] for name in same} == {name: files[name] for name in same}
        assert sorted(after[LOG].splitlines()) == sorted(files[LOG].splitlines())


def test_a_changed_file_or_panel_is_refused(panel, tmp_path):
    spec = tmp_path / "spec.toml"
    spec.write_text('[choices]\nexposure = "belief"\nestimator = "pooled"\ncovariates = ["birth_year"]\n')
    out = tmp_path / "out"
    run_multiverse(spec, panel, out=out)
    before = {path.name: path.read_bytes() for path in (out / WORK).iterdir()}
    fewer = type(panel)(panel.frame.iloc[:-1], panel.flow, panel.meta)
    with pytest.raises(SpecError, match="the data changed"):
        run_multiverse(spec, fewer, out=out, resume=True)
    spec.write_text(spec.read_text().replace('"pooled"', '["pooled", "logit"]'))
    with pytest.raises(SpecError, match=r"the specification \(2 specifications then, 4 now, 2 of them"):
        run_multiverse(str(spec), panel, out=out, resume=True)
    with pytest.raises(SpecError, match="name it with out"):
        run_multiverse(spec, panel, resume=True)
    assert {path.name: path.read_bytes() for path in (out / WORK).iterdir()} == before


def test_the_time_left_tells_dear_estimators_from_cheap_ones():
    seen = []
    tracker = Tracker(["cheap"] * 100 + ["dear"] * 10, resumed=5, failed=1, callback=seen.append)
    assert seen[0].done == 5
    assert seen[0].seconds_left != seen[0].seconds_left
    tracker.tick(["cheap"] * 50, failed=0, seconds=0.5)
    tracker.tick(["dear"], failed=1, seconds=10.0)
    state = seen[-1]
    assert (state.done, state.total, state.failed, state.resumed) == (56, 115, 2, 5)
    # 50 cheap ones at 0.01 s and 9 dear ones at 10 s, at the pace of 10.5 s of work in the time so far.
    assert state.seconds_left == pytest.approx(state.seconds * 90.5 / 10.5)
    assert state.rate == pytest.approx(51 / state.seconds)
