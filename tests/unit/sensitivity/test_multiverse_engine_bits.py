"""A row is the same to the last bit whatever was evaluated before it, beside it, or in another process."""

import pickle

import numpy as np
import pytest
from multiverse_engine_cases import WHOLE, gappy_panel, random_specifications, workbench

from jobchance import LocalCompute
from jobchance.sensitivity.multiverse import plan
from jobchance.sensitivity.multiverse.linear_cache import Cache
from jobchance.sensitivity.multiverse.specification import Specification


@pytest.fixture(scope="module")
def specifications():
    more = [
        Specification(**WHOLE, estimator="logit", covariates=("birth_year", "score")),
        Specification(**WHOLE, estimator="mixed", random=("(1 | citizen_id)",), vcov="model"),
        Specification(**WHOLE, estimator="within", covariates=("twice",)),
        Specification(**WHOLE | {"exposure": "expectation_between"}, estimator="within"),
        Specification(**WHOLE, estimator="rung:raw_gradient", vcov="own"),
    ]
    return [*random_specifications(48, seed=7), *more]


@pytest.fixture(scope="module")
def bench(specifications):
    return workbench(gappy_panel(n_citizens=300), specifications)


@pytest.fixture(scope="module")
def expected(bench, specifications):
    """By key; as text, which tells every bit of a number and holds NaN equal to NaN."""
    return {row["key"]: repr(row) for row in bench.evaluate(specifications)}


@pytest.mark.parametrize("seed", range(6))
def test_any_order_and_any_grouping_give_the_same_bits(bench, specifications, expected, seed):
    rng = np.random.default_rng(seed)
    fresh = pickle.loads(pickle.dumps(bench)) if seed % 2 else bench
    order = rng.permutation(len(specifications))[: None if seed < 2 else 25]
    cuts = np.sort(rng.integers(0, len(order) + 1, size=rng.integers(0, 12)))
    for part in np.split(order, cuts):
        for row in fresh.evaluate([specifications[i] for i in part]):
            assert repr(row) == expected[row["key"]]


def test_a_specification_alone_has_the_same_bits(bench, specifications, expected):
    for spec in specifications[::9]:
        (row,) = pickle.loads(pickle.dumps(bench)).evaluate([spec])
        assert repr(row) == expected[row["key"]]


def test_parts_of_the_plan_in_other_processes_have_the_same_bits(bench, specifications, expected):
    parts = [[specifications[i] for i in places] for places in plan.chunks(specifications)]
    with LocalCompute(2) as compute:
        found = compute.map(bench.evaluate, parts[::-1])
    rows = [row for part in found for row in part]
    assert len(rows) == len(specifications)
    assert {row["key"]: repr(row) for row in rows} == expected


def test_a_memory_that_holds_one_thing_gives_the_same_bits(bench, specifications, expected):
    small = pickle.loads(pickle.dumps(bench))
    small._grounds.limit = small._drawn.limit = 1
    for spec in [*specifications[::4], *specifications[:5]]:
        (row,) = small.evaluate([spec])
        assert repr(row) == expected[row["key"]]
    assert len(small._grounds._values) <= 1


def test_what_travels_holds_nothing_computed(bench, specifications):
    bench.evaluate(specifications)
    assert bench._grounds.held > 0
    again = pickle.loads(pickle.dumps(bench))
    assert again._grounds.held == again._drawn.held == 0
    assert (
        len(pickle.dumps(bench)) < 1.2 * len(pickle.dumps([p.frame for p in bench.panels.values()])) + 50_000
    )


class _Thing:
    def __init__(self, size):
        self.size = size


def test_the_cache_forgets_what_was_used_longest_ago():
    cache = Cache(10)
    made = []

    def make(name):
        return lambda: made.append(name) or _Thing(4)

    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get(name, make(name))
    assert made == ["a", "b", "c", "b"]
    assert cache.held == 8
    cache.get("large", lambda: _Thing(99))
    assert cache.held == 99  # the last one always stays


def test_chunks_hold_every_place_once_and_only_what_shares(specifications):
    many = [*specifications, *(Specification(**WHOLE, covariates=(f"x{i}",)) for i in range(120))]
    parts = plan.chunks(many)
    assert sorted(place for part in parts for place in part) == list(range(len(many)))
    assert parts == plan.chunks(list(many))
    assert max(map(len, parts)) == plan.CHUNK
    for part in parts:
        together = [many[i] for i in part]
        if together[0].estimator not in ("pooled", "within"):
            assert len(part) == 1
        assert len({(one.estimator, one.missing, one.conditions, one.waves) for one in together}) == 1
    assert [part[0] for part in parts] == sorted(part[0] for part in parts)
