"""Fits from partitions against the rows in memory: here, in processes, on Dask, with workers that die."""

import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.compute.in_process import InProcess
from jobchance.errors import DesignError, EstimationError, FormulaError, SpecError
from jobchance.numerics.mixed import remote

TOLERANCE = 1e-8

CASES = {
    "weighted": (
        "hours ~ x + education + age + (1 + x | citizen_id) + (1 | caseworker_id) + (1 | office)",
        {"weights": "precision", "offset": "known"},
    ),
    "maximum likelihood": (
        "hours ~ x * education + I(age^2) + log(age) + (1 | citizen_id) + (1 | office/caseworker_id)",
        {"method": "ml"},
    ),
    "collinear": ("hours ~ x + I(2 * x) + age + education + (1 | citizen_id)", {}),
    "spells within citizens": ("hours ~ x + (1 | citizen_id/spell) + (1 | office)", {}),
    "binomial": (
        "job ~ x + education + (1 | citizen_id) + (1 | caseworker_id)",
        {"family": "binomial", "offset": "known"},
    ),
    "quadrature": ("yes ~ x + education + (1 | citizen_id)", {"family": "binomial", "n_quad": 5}),
    "counts of two": (
        "cbind(hits, misses) ~ x + C(office) + (1 + x || citizen_id) + (1 | caseworker_id)",
        {"family": "binomial", "link": "probit"},
    ),
    "ordinal": (
        "belief ~ x + education + (1 | citizen_id) + (1 | caseworker_id)",
        {"family": "ordinal", "weights": "frequency", "offset": "known"},
    ),
    "symmetric": (
        "rating ~ x + (1 | citizen_id)",
        {"family": "ordinal", "link": "probit", "thresholds": "symmetric"},
    ),
    "poisson": (
        "visits ~ x + age + (1 | citizen_id) + (1 + x | caseworker_id)",
        {"family": "poisson", "offset": "known"},
    ),
}


def simulate(n_citizens=250, n_caseworkers=25, seed=3):
    """Rows in no order, with missing values; effects of citizens, their slopes, and caseworkers."""
    rng = np.random.default_rng(seed)
    citizen = np.repeat(np.arange(n_citizens), rng.integers(1, 7, n_citizens))
    n = len(citizen)
    caseworker = rng.integers(0, n_caseworkers, n)
    u = rng.normal(size=(n_citizens, 2)) @ np.array([[0.8, 0.2], [0.0, 0.4]])
    x = rng.normal(size=n)
    age = rng.integers(20, 60, n_citizens)[citizen]
    education = np.array(["short", "middle", "long"])[rng.integers(0, 3, n_citizens)][citizen]
    eta = 0.3 * x + 0.02 * (age - 40) + 0.3 * (education == "middle") + u[citizen, 0] + u[citizen, 1] * x
    eta += rng.normal(size=n_caseworkers)[caseworker] * 0.5
    share = 1 / (1 + np.exp(-eta))
    answer = np.digitize(eta + rng.logistic(size=n), [-1.5, 0, 1.5])
    trials = rng.integers(1, 6, n)
    hits = rng.binomial(trials, share)
    job = (rng.random(n) < share).astype(int)
    frame = pd.DataFrame(
        {
            "citizen_id": [f"c{i:05d}" for i in citizen],
            "caseworker_id": caseworker,
            "office": [f"o{i % 6}" for i in caseworker],
            "spell": rng.integers(1, 3, n),
            "x": x,
            "age": age,
            "education": education,
            "hours": eta + rng.normal(size=n),
            "job": job,
            "yes": np.array(["no", "yes"])[job],
            "belief": answer + 1,
            "rating": pd.Categorical.from_codes(answer, ["poor", "fair", "good", "best"], ordered=True),
            "hits": hits,
            "misses": trials - hits,
            "visits": rng.poisson(np.exp(0.4 * eta)),
            "precision": rng.uniform(0.5, 2, n),
            "frequency": rng.integers(1, 4, n),
            "known": rng.normal(size=n) * 0.3,
        }
    )
    frame.loc[rng.random(n) < 0.03, "x"] = np.nan
    frame.loc[rng.random(n) < 0.02, "education"] = None
    return frame.sample(frac=1, random_state=1).reset_index(drop=True)


@pytest.fixture(scope="module")
def frame():
    return simulate()


@pytest.fixture(scope="module")
def folders(frame, tmp_path_factory):
    """The rows in 1, 2, 3 and 7 partitions."""
    made = {}
    for n in (1, 2, 3, 7):
        folder = tmp_path_factory.mktemp(f"parts{n}") / "rows"
        made[n] = jc.write_partitions(frame, folder, by="citizen_id", n=n)
    return made


@pytest.fixture(scope="module")
def memory(frame):
    """Fits of the rows in memory, by case."""
    made = {}

    def fit(case):
        if case not in made:
            formula, options = CASES[case]
            made[case] = jc.fit_mixed(formula, frame, **options)
        return made[case]

    return fit


@pytest.fixture(scope="module")
def local():
    with jc.LocalCompute(2) as compute:
        yield compute


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=50,
    ) as running:
        yield running


@pytest.fixture
def dask(cluster):
    with jc.DaskCompute(cluster.scheduler_address, wait_seconds=20) as compute:
        compute.client.wait_for_workers(2, timeout=20)
        yield compute


def gap(found, expected):
    """Largest difference against the largest size."""
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    known = np.isfinite(expected)
    size = np.abs(expected[known]).max(initial=0.0)
    return np.abs(found[known] - expected[known]).max(initial=0.0) / (size or 1.0)


def assert_same(fit, expected, tolerance=TOLERANCE):
    """Everything but the rows is the same."""
    assert list(fit.terms) == list(expected.terms)
    assert fit.sample == expected.sample
    assert list(fit.sample.dropped) == list(expected.sample.dropped)
    assert (fit.spec, fit.conventions) == (expected.spec, expected.conventions)
    assert fit.remarks == expected.remarks
    assert fit.converged
    assert expected.converged
    assert fit.n_scale == expected.n_scale
    pairs = {
        "loglik": ([fit.loglik], [expected.loglik]),
        "estimates": (fit.estimates, expected.estimates),
        "std_errors": (fit.std_errors, expected.std_errors),
        "df": (fit.df, expected.df),
        "sd": (fit.variance_components.sd, expected.variance_components.sd),
        "correlation": (fit.variance_components.correlation, expected.variance_components.correlation),
        "joint": (fit.joint.estimates, expected.joint.estimates),
        "joint covariance": (fit.joint.covariance, expected.joint.covariance),
    }
    for group in expected.sample.groups:
        found, wanted = fit.random_effects(group), expected.random_effects(group)
        both = found.merge(wanted, on=["level", "term"], validate="one_to_one")
        assert len(both) == len(found) == len(wanted)
        pairs[f"modes of {group}"] = both.estimate_x, both.estimate_y
        pairs[f"deviations of {group}"] = both.std_error_x, both.std_error_y
    gaps = {name: gap(*pair) for name, pair in pairs.items()}
    assert {name: size for name, size in gaps.items() if not size < tolerance} == {}


@pytest.mark.parametrize("n", [1, 3, 7])
@pytest.mark.parametrize("case", CASES)
def test_partitions_give_the_fit_in_memory(case, n, folders, memory):
    formula, options = CASES[case]
    fit = jc.fit_mixed(formula, folders[n], **options)
    assert_same(fit, memory(case))
    assert fit.rows is None


@pytest.mark.parametrize(("case", "n"), [("weighted", 3), ("spells within citizens", 7), ("ordinal", 2)])
def test_two_processes_give_the_fit_in_memory(case, n, folders, memory, local):
    formula, options = CASES[case]
    assert_same(jc.fit_mixed(formula, folders[n], compute=local, **options), memory(case))


@pytest.mark.parametrize(("case", "n"), [("weighted", 3), ("binomial", 2)])
def test_a_dask_cluster_gives_the_fit_in_memory(case, n, folders, memory, dask):
    formula, options = CASES[case]
    assert_same(jc.fit_mixed(formula, folders[n], compute=dask, **options), memory(case))


def kill_at(monkeypatch, kill, **moments):
    """Kill a worker before certain calls: `moments` maps a method to the number of its call."""
    left, asked = dict(moments), remote.RemotePool.ask

    def ask(self, called, *arguments):
        name = arguments[0] if called == "each" else called
        if name in left:
            left[name] -= 1
            if not left[name]:
                del left[name]
                kill()
        return asked(self, called, *arguments)

    monkeypatch.setattr(remote.RemotePool, "ask", ask)
    return left


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("case", "moments"),
    [
        ("weighted", {"sums": 4, "finish": 1}),
        ("binomial", {"forward": 12, "information": 1, "texts": 1}),
    ],
)
def test_killed_processes_change_nothing(case, moments, folders, memory, local, monkeypatch):
    formula, options = CASES[case]
    left = kill_at(monkeypatch, lambda: os.kill(local._pool.workers[0].pid, signal.SIGKILL), **moments)
    fit = jc.fit_mixed(formula, folders[2], compute=local, **options)
    assert left == {}
    assert_same(fit, memory(case))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_killed_dask_worker_changes_nothing(folders, memory, dask, monkeypatch):
    formula, options = CASES["weighted"]

    def kill():
        os.kill(next(iter(dask.client.run(os.getpid).values())), signal.SIGKILL)

    left = kill_at(monkeypatch, kill, sums=5)
    fit = jc.fit_mixed(formula, folders[2], compute=dask, **options)
    assert left == {}
    assert_same(fit, memory("weighted"))


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_large_crossed_groups_are_laid_out_as_in_memory(family, tmp_path, local):
    rng = np.random.default_rng(8)
    office = rng.integers(0, 40, 3_000)
    citizen = np.repeat(np.arange(3_000), 3)
    moves = rng.random(len(citizen)) < 0.02
    place = np.where(moves, rng.integers(0, 40, len(citizen)), office[citizen])
    caseworker = place * 45 + rng.integers(0, 45, len(citizen))
    x = rng.normal(size=len(citizen))
    eta = x + rng.normal(size=3_000)[citizen] + rng.normal(size=1_800)[caseworker]
    eta += rng.normal(size=40)[place]
    noise = rng.normal(size=len(x)) if family == "gaussian" else rng.logistic(size=len(x))
    outcome = eta + noise if family == "gaussian" else eta + noise > 0
    rows = pd.DataFrame({"y": outcome, "x": x, "citizen": citizen, "caseworker": caseworker, "office": place})
    formula = "y ~ x + (1 | citizen) + (1 | caseworker) + (1 | office)"
    expected = jc.fit_mixed(formula, rows, family=family)
    data = jc.write_partitions(rows, tmp_path / "rows", by="citizen", n=3)
    assert_same(jc.fit_mixed(formula, data, family=family), expected)
    if family == "gaussian":
        assert_same(jc.fit_mixed(formula, data, family=family, compute=local), expected)


def test_row_groups_and_patterns_are_partitions(frame, folders, memory, tmp_path):
    formula, options = CASES["weighted"]
    ordered = frame.sort_values("citizen_id", kind="stable")
    ends = np.flatnonzero(ordered.citizen_id.to_numpy()[1:] != ordered.citizen_id.to_numpy()[:-1]) + 1
    size = int(ends[np.searchsorted(ends, len(ordered) / 2)])  # the first of two groups ends with a citizen
    ordered.to_parquet(tmp_path / "one.parquet", row_group_size=size)
    data = jc.RowPartitions(tmp_path / "one.parquet", by="citizen_id")
    assert len(data) == 2
    assert_same(jc.fit_mixed(formula, data, **options), memory("weighted"))
    folder = Path(folders[3].parts[0].path).parent
    assert [part.path for part in jc.RowPartitions(f"{folder}/*.parquet", by="citizen_id").parts] == [
        part.path for part in folders[3].parts
    ]


def test_partitions_without_complete_rows_and_of_one_kind(frame, memory, tmp_path):
    """One partition has no complete row, one only one level of each category."""
    formula, options = CASES["collinear"]
    empty = frame.citizen_id < "c00010"
    rows = frame.assign(education=frame.education.where(~empty))
    alone = rows.citizen_id == rows[~empty & rows.education.notna() & rows.x.notna()].citizen_id.iloc[0]
    names = []
    for k, mine in enumerate([empty, alone, ~empty & ~alone]):
        names.append(tmp_path / f"{k}.parquet")
        rows[mine].to_parquet(names[-1])
    fit = jc.fit_mixed(formula, jc.RowPartitions(names, by="citizen_id"), **options)
    assert_same(fit, jc.fit_mixed(formula, rows, **options))
    assert fit.sample.dropped_terms == memory("collinear").sample.dropped_terms != ()


def test_modes_of_citizens_may_stay_where_they_are(folders, memory):
    formula, options = CASES["binomial"]
    folder = Path(folders[3].parts[0].path).parent
    fit = jc.fit_mixed(formula, jc.RowPartitions(folder, by="citizen_id", effects=False), **options)
    expected = memory("binomial")
    assert gap(fit.estimates, expected.estimates) < TOLERANCE
    assert fit.sample == expected.sample
    assert len(fit.random_effects("caseworker_id")) == 25
    with pytest.raises(SpecError, match="citizen_id"):
        fit.random_effects("citizen_id")


def test_a_fit_without_rows_predicts_and_is_stored(frame, folders, memory):
    formula, options = CASES["binomial"]
    fit = jc.fit_mixed(formula, folders[3], **options)
    assert gap(fit.predict(frame), memory("binomial").predict(frame)) < TOLERANCE
    again = jc.Fit.from_dict(fit.to_dict())
    assert gap(again.estimates, fit.estimates) == 0
    for asked in (fit.augment, fit.predict, lambda: fit.with_vcov("model")):
        with pytest.raises(SpecError, match="rows"):
            asked()


class TestRefusals:
    def test_levels_in_two_partitions_are_counted(self, frame, tmp_path):
        frame[::2].to_parquet(tmp_path / "a.parquet")
        frame[1::2].to_parquet(tmp_path / "b.parquet")
        rows = frame.dropna(subset=["x"])
        both = set(rows[rows.index % 2 == 0].citizen_id) & set(rows[rows.index % 2 == 1].citizen_id)
        said = f"{len(both)} levels of citizen_id occur in more than one of the 2"
        with pytest.raises(DesignError, match=said):
            jc.fit_mixed("hours ~ x + (1 | citizen_id)", jc.RowPartitions(tmp_path, by="citizen_id"))

    def test_partitions_by_a_smaller_grouping(self, frame, tmp_path):
        data = jc.write_partitions(frame, tmp_path / "rows", by="office", n=2)
        with pytest.raises(SpecError, match="partition the rows by citizen_id"):
            jc.fit_mixed("hours ~ x + (1 | citizen_id) + (1 | office)", data)
        with pytest.raises(SpecError, match="no random effects of office"):
            jc.fit_mixed("hours ~ x + (1 | citizen_id)", data)

    def test_bases_learned_from_all_rows(self, folders):
        with pytest.raises(DesignError, match=r"poly, spline\(\)"):
            jc.fit_mixed("hours ~ poly(x, 2) + spline(age, 3) + (1 | citizen_id)", folders[3])

    def test_absent_columns_and_problems_of_several_partitions(self, frame, folders, tmp_path):
        with pytest.raises(FormulaError, match="did you mean x"):
            jc.fit_mixed("hours ~ X + (1 | citizen_id)", folders[3])
        rows = frame.assign(x=np.where(frame.citizen_id < "c00005", np.inf, frame.x))
        rows.loc[rows.citizen_id > "c00240", "x"] = -np.inf
        data = jc.write_partitions(rows.sort_values("citizen_id"), tmp_path / "rows", by="citizen_id", n=3)
        with pytest.raises(DesignError) as caught:
            jc.fit_mixed("hours ~ x + (1 | citizen_id)", data)
        assert "Partition 1: Infinite" in str(caught.value)
        assert "Partition 3: Infinite" in str(caught.value)

    def test_outcomes(self, folders, frame, tmp_path):
        odd = int(((frame.hours.round() != frame.hours) | (frame.hours < 0)).sum())
        with pytest.raises(DesignError, match=f"{odd} rows do not"):
            jc.fit_mixed("hours ~ age + (1 | citizen_id)", folders[3], family="poisson")
        pure = frame.assign(job=frame.citizen_id.str[-1].isin(list("02468")).astype(int))
        data = jc.write_partitions(pure, tmp_path / "rows", by="citizen_id", n=3)
        with pytest.raises(DesignError, match="does not vary within any of the"):
            jc.fit_mixed("job ~ x + (1 | citizen_id)", data, family="binomial")

    def test_kinds_and_categories_that_differ(self, frame, tmp_path):
        first = frame.citizen_id < "c00100"
        frame[first].assign(age=lambda d: d.age.astype(str)).to_parquet(tmp_path / "a.parquet")
        other = frame[~first].assign(
            rating=lambda d: d.rating.cat.reorder_categories(["fair", "poor", "good", "best"])
        )
        other.to_parquet(tmp_path / "b.parquet")
        data = jc.RowPartitions(tmp_path, by="citizen_id")
        with pytest.raises(DesignError) as caught:
            jc.fit_mixed("hours ~ age + rating + (1 | citizen_id)", data)
        assert "Column age has different kinds of values" in str(caught.value)
        assert "Column rating has different categories" in str(caught.value)

    @pytest.mark.parametrize("family", ["binomial", "ordinal"])
    def test_separation_has_no_maximum(self, family, frame, tmp_path):
        rows = frame.assign(belief=np.digitize(frame.x, [-1, 0, 1]), job=(frame.x > 0).astype(int))
        data = jc.write_partitions(rows, tmp_path / "rows", by="citizen_id", n=2)
        outcome = "job" if family == "binomial" else "belief"
        with pytest.raises(EstimationError, match="no maximum"):
            jc.fit_mixed(f"{outcome} ~ x + (1 | citizen_id)", data, family=family)

    def test_arguments(self, frame, tmp_path, folders):
        with pytest.raises(SpecError, match="not empty"):
            jc.write_partitions(frame, Path(folders[3].parts[0].path).parent, by="citizen_id", n=2)
        with pytest.raises(SpecError, match="n=0"):
            jc.write_partitions(frame, tmp_path / "new", by="citizen_id", n=0)
        with pytest.raises(SpecError, match="No Parquet file"):
            jc.RowPartitions(tmp_path / "nothing", by="citizen_id")
        with pytest.raises(SpecError, match="compute="):
            jc.fit_mixed("hours ~ x + (1 | citizen_id)", frame, compute=InProcess())


def test_columns_keep_their_kind_where_a_partition_has_missing_values_or_few_levels(tmp_path):
    """True/false, whole numbers and ordered categories that look different in some of the files."""
    rng = np.random.default_rng(2)
    n = 600
    rows = pd.DataFrame({"citizen": np.arange(n) // 4, "x": rng.normal(size=n)})
    rows["flag"] = pd.Series(rng.random(n) < 0.5, dtype=object)
    rows["code"] = pd.Series(rng.integers(1, 4, n), dtype=float)
    answer = rng.integers(0, 4, n)
    answer[:200] = np.minimum(answer[:200], 1)
    rows["answer"] = pd.Categorical.from_codes(answer, ["never", "rarely", "often", "always"], ordered=True)
    rows.loc[200:220, ["flag", "code"]] = None
    files = [tmp_path / f"{k}.parquet" for k in range(3)]
    for k, file in enumerate(files):
        part = rows[k * 200 : (k + 1) * 200]
        if k != 1:
            part = part.astype({"flag": bool, "code": int})
        part.to_parquet(file)
    formula = "answer ~ x + flag + C(code) + (1 | citizen)"
    fit = jc.fit_mixed(formula, jc.RowPartitions(files, by="citizen"), family="ordinal")
    assert_same(fit, jc.fit_mixed(formula, rows, family="ordinal"))
    assert fit.spec["levels"] == ["never", "rarely", "often", "always"]
    rows.drop(columns=["flag", "code"]).to_parquet(tmp_path / "groups.parquet", row_group_size=100)
    formula = "answer ~ x + (1 | citizen)"
    grouped = jc.RowPartitions(tmp_path / "groups.parquet", by="citizen")
    assert len(grouped) == 6
    assert_same(
        jc.fit_mixed(formula, grouped, family="ordinal"), jc.fit_mixed(formula, rows, family="ordinal")
    )
