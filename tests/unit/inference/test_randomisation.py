"""Randomisation tests: arrangements, exactness, intervals, roll-outs, refusals."""

from __future__ import annotations

import pickle
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from jobchance.errors import DesignError, SpecError
from jobchance.inference.assignment import Assignment
from jobchance.inference.linear_statistic import LinearStatistic
from jobchance.inference.randomisation import randomisation_test
from jobchance.models.glm import fit_glm
from jobchance.numerics.arrangements import count_arrangements, every_arrangement, random_arrangements
from jobchance.numerics.constant_effects import not_rejected
from jobchance.results.vcov import Cluster


def small(seed=1, n=8):
    rng = np.random.default_rng(seed)
    cell = np.repeat(["a", "b"], n // 2)
    told = np.r_[1, 0, 0, 1, np.resize([1, 0, 0, 0], n - 4)].astype(float)
    return pd.DataFrame(
        {"office": cell, "told": told, "y": rng.normal(size=n) + 2 * told, "w": rng.normal(size=n)}
    )


def test_every_arrangement_once():
    level, cell = np.array([0, 1, 1, 2, 0, 1, 0]), np.array([0, 0, 0, 0, 1, 1, 1])
    found = np.vstack(list(every_arrangement(level, cell, block=5)))
    brute = {(*first, *second) for first in permutations(level[:4]) for second in permutations(level[4:])}
    assert len(found) == len(brute) == count_arrangements(level, cell)
    assert {tuple(row) for row in found.tolist()} == {tuple(map(int, row)) for row in brute}


def test_random_arrangements_keep_cells_and_are_even():
    level, cell = np.array([0, 3, 1, 0, 2]), np.array([1, 0, 1, 1, 0])
    drawn = random_arrangements(level, cell, draws=6000, rng=np.random.default_rng(1))
    assert (np.sort(drawn[:, cell == 0], axis=1) == [2, 3]).all()
    assert (np.sort(drawn[:, cell == 1], axis=1) == [0, 0, 1]).all()
    shares = pd.Series(map(tuple, drawn.tolist())).value_counts(normalize=True)
    assert len(shares) == 6
    assert shares.between(1 / 6 - 0.02, 1 / 6 + 0.02).all()


def test_p_values_count_by_hand():
    data = small()
    own = data["told"].to_numpy()

    def statistic(z):
        return data["y"][z == 1].mean() - data["y"][z == 0].mean()

    made = randomisation_test(
        statistic, Assignment.shuffled(data, "told", within=["office"]), draws_or_all="all"
    )
    values = []
    for first in set(permutations(own[:4])):
        for second in set(permutations(own[4:])):
            values.append(statistic(np.r_[first, second]))
    values = np.array(values)
    assert made.n_arrangements == len(values)
    assert made.exact
    assert made.p_value == np.mean(np.abs(values) >= abs(made.observed) - 1e-9)
    assert made.p_greater == np.mean(values >= made.observed - 1e-9)
    assert made.p_less == np.mean(values <= made.observed + 1e-9)


def test_the_linear_statistic_is_the_coefficient_and_its_t():
    rng = np.random.default_rng(4)
    data = small(n=24).assign(g=rng.integers(0, 6, 24).astype(str))
    z = np.vstack([data["told"], rng.permutation(data["told"])])
    coefficient = LinearStatistic("y ~ w + C(office)", data).many(z)
    t = LinearStatistic("y ~ w + C(office)", data, cluster="g").many(z)
    for row, b, ratio in zip(z, coefficient, t, strict=True):
        fit = fit_glm("y ~ z + w + C(office)", data.assign(z=row), family="gaussian", vcov=Cluster("g"))
        factor = 6 / 5 * 23 / (24 - 4)
        assert b == pytest.approx(fit.params["z"], rel=1e-10)
        assert ratio == pytest.approx(fit.statistic["z"] * np.sqrt(factor), rel=1e-9)


def test_the_interval_holds_the_effects_that_the_test_does_not_reject():
    data = small(n=12)
    dealt = Assignment.shuffled(data, "told", within=["office"])
    made = randomisation_test(LinearStatistic("y ~ C(office)", data), dealt, draws_or_all="all", level=0.9)

    def p_of(tau):
        shifted = data.assign(y=data["y"] - tau * data["told"])
        return randomisation_test(
            LinearStatistic("y ~ C(office)", shifted), dealt, draws_or_all="all"
        ).p_value

    width = made.conf_high - made.conf_low
    assert p_of(made.conf_low + 1e-6 * width) > 0.1 >= p_of(made.conf_low - 1e-6 * width)
    assert p_of(made.conf_high - 1e-6 * width) > 0.1 >= p_of(made.conf_high + 1e-6 * width)


def test_a_design_with_few_arrangements_has_an_open_interval_and_says_why():
    data = small(n=4)
    made = randomisation_test(
        LinearStatistic("y ~ 1", data), Assignment.shuffled(data, "told"), draws_or_all="all"
    )
    assert (made.conf_low, made.conf_high) == (-np.inf, np.inf)
    assert "Only 6 arrangements" in made.notes[0]


def test_one_in_twenty_where_nothing_was_done_and_clusters_depend():
    rng, p = np.random.default_rng(8), []
    team = np.repeat(np.arange(8), 15)
    for _ in range(150):
        treated = np.repeat(rng.permutation([1.0] * 4 + [0.0] * 4), 15)
        y = rng.normal(size=8)[team] + rng.normal(size=120)
        data = pd.DataFrame({"team": team, "z": treated, "y": y})
        dealt = Assignment.shuffled(data, "z", unit="team")
        p.append(randomisation_test(LinearStatistic("y ~ 1", data), dealt, draws_or_all="all").p_value)
    share = np.mean(np.array(p) <= 4 / 70 + 1e-12)  # 70 arrangements: attainable levels are multiples of 2/70
    assert abs(share - 4 / 70) < 3 * np.sqrt(4 / 70 * (66 / 70) / 150)


def test_sites_in_another_order():
    rng = np.random.default_rng(3)
    grid = pd.MultiIndex.from_product([list("abcde"), range(1, 7)], names=["site", "quarter"])
    data = grid.to_frame(index=False)
    start = {"a": 2.0, "b": 3.0, "c": 4.0, "d": 5.0, "e": np.nan}
    data["from"] = data["site"].map(start)
    data["y"] = rng.normal(size=30) + 3 * (data["quarter"] >= data["from"])
    dealt = Assignment.rolled_out(data, site="site", start="from", time="quarter")
    assert dealt.observed.tolist() == (data["quarter"] >= data["from"]).astype(float).tolist()
    made = randomisation_test(LinearStatistic("y ~ C(site) + C(quarter)", data), dealt, draws_or_all="all")
    assert made.n_arrangements == 120
    assert made.p_greater <= 2 / 120
    dates = data.assign(
        quarter=pd.Timestamp("2020-01-01") + pd.to_timedelta(91 * data["quarter"], unit="D"),
        **{"from": pd.Timestamp("2020-01-01") + pd.to_timedelta(91 * data["from"], unit="D")},
    )
    again = Assignment.rolled_out(dates, site="site", start="from", time="quarter")
    assert (again.observed == dealt.observed).all()


def test_the_same_seed_gives_the_same_test_and_it_is_stored_without_rows():
    data = small(n=40)
    dealt = Assignment.shuffled(data, "told", within=["office"])
    made = [
        randomisation_test(LinearStatistic("y ~ w", data), dealt, draws_or_all=500, seed=7) for _ in range(2)
    ]
    assert (made[0].draws == made[1].draws).all()
    copy = pickle.loads(pickle.dumps(made[0]))
    assert copy.summary() == made[0].summary()
    assert copy.tidy().equals(made[0].tidy())
    assert "(1 + count) / (1 + draws)" in made[0].summary()
    for held in (dealt, LinearStatistic("y ~ w", data)):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(held)


def test_arrangements_without_a_statistic_count_as_extreme():
    data = pd.DataFrame({"told": [1.0, 1, 0, 0], "w": [1.0, 0, 1, 0], "y": [3.0, 1, 4, 1]})
    made = randomisation_test(
        LinearStatistic("y ~ w", data), Assignment.shuffled(data, "told"), draws_or_all="all"
    )
    assert made.undefined == 2
    assert made.p_value >= 2 / 6
    assert any("not defined" in note for note in made.notes)


def test_everything_wrong_is_said_at_once():
    data = small(n=60)
    dealt = Assignment.shuffled(data, "told")
    with pytest.raises(SpecError) as seen:
        randomisation_test("y", dealt, draws_or_all=5, seed=None, level=2)
    for words in ("statistic is a function", "99 or more", "seed is a whole", "level lies"):
        assert words in str(seen.value)
    with pytest.raises(SpecError, match="draw some instead"):
        randomisation_test(LinearStatistic("y ~ 1", data), dealt, draws_or_all="all")
    half = Assignment.shuffled(data.head(30), "told")
    with pytest.raises(SpecError, match="60 rows, assignment 30"):
        randomisation_test(LinearStatistic("y ~ 1", data), half, draws_or_all=99, seed=1)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"told": np.nan}, {}, "missing: told in 8 rows"),
        ({"told": 1.0}, {}, "one arrangement only"),
        ({"told": "x"}, {}, "name the value that counts as 1"),
        ({}, {"level": 9}, "No row of told"),
        ({}, {"unit": "office"}, "2 units of office with several values of told"),
        (
            {"u": ["p", "q"] * 4, "told": [1.0, 0.0] * 4},
            {"unit": "u", "within": ["office"]},
            "2 units of u in several office",
        ),
    ],
)
def test_an_assignment_that_was_none_is_refused(change, options, words):
    with pytest.raises(DesignError, match=words):
        Assignment.shuffled(small().assign(**change), "told", **options)


def test_no_value_or_id_is_in_a_message():
    data = small().assign(unit=["u0193"] * 8)
    with pytest.raises(DesignError) as seen:
        Assignment.shuffled(data, "told", unit="unit")
    assert "u0193" not in str(seen.value)
    with pytest.raises(SpecError, match="within takes several columns"):
        Assignment.shuffled(data, "told", within="office")


def test_an_assignment_without_a_statistic_has_no_p_value():
    data = pd.DataFrame({"told": [1.0, 1, 0, 0, 0, 0], "w": [1.0, 1, 0, 0, 0, 0], "y": [3.0, 1, 4, 1, 5, 9]})
    dealt = Assignment.shuffled(data, "told")
    for statistic in (LinearStatistic("y ~ w", data), lambda z: np.nan, lambda z: np.inf):
        with pytest.raises(DesignError, match="not defined for the assignment as it was"):
            randomisation_test(statistic, dealt, draws_or_all="all")
    with pytest.raises(SpecError, match="must give one number"):
        randomisation_test(lambda z: z, dealt, draws_or_all="all")
    with pytest.raises(DesignError, match="nothing is left"):
        LinearStatistic("w ~ 1", data.assign(w=0.1))


def test_the_unit_and_the_origin_of_measurement_do_not_matter():
    data = small(n=30).assign(year=lambda d: 1e6 + d["told"])
    dealt, shifted = Assignment.shuffled(data, "told"), Assignment.shuffled(data, "year")
    base = randomisation_test(LinearStatistic("y ~ w", data), dealt, draws_or_all=299, seed=1)
    tiny = data.assign(y=1e-10 * data["y"])
    scaled = randomisation_test(LinearStatistic("y ~ w", tiny), dealt, draws_or_all=299, seed=1)
    moved = randomisation_test(LinearStatistic("y ~ w", data), shifted, draws_or_all=299, seed=1)
    assert base.p_value == scaled.p_value == moved.p_value < 1
    assert moved.observed == pytest.approx(base.observed, rel=1e-9)


def test_more_arrangements_than_a_number_has_digits_for():
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {"told": rng.permutation(np.r_[np.ones(8000), np.zeros(8000)]), "y": rng.normal(size=16000)}
    )
    made = randomisation_test(
        LinearStatistic("y ~ 1", data), Assignment.shuffled(data, "told"), draws_or_all=99, seed=1
    )
    assert "99 of 10^4814 arrangements" in made.summary()  # log10 C(16000, 8000) = 4814.3
    assert made.tidy()["arrangements"].iloc[0] == "10^4814"


def test_rows_of_a_unit_taken_together_give_the_numbers_of_the_rows():
    rng = np.random.default_rng(2)
    units = pd.DataFrame({"office": rng.integers(0, 3, 30).astype(str), "told": rng.integers(0, 2, 30) * 1.0})
    unit = np.r_[np.arange(30), rng.integers(0, 30, 120)]
    data = units.loc[unit].assign(
        u=unit, y=rng.normal(size=150), w=rng.normal(size=150), v=rng.uniform(1, 3, 150)
    )
    dealt = Assignment.shuffled(data, "told", within=["office"], unit="u")
    codes = random_arrangements(dealt.level, dealt.cell, draws=5, rng=rng)
    for options in ({}, {"weights": "v"}, {"cluster": "u", "weights": "v"}):
        statistic = LinearStatistic("y ~ w + C(office)", data, **options)
        grouped = statistic.of_classes(dealt.values_of(codes), dealt.classes)
        assert grouped == pytest.approx(statistic.many(dealt.rows_of(codes)), rel=1e-10)
    fit = fit_glm("y ~ told + w + C(office)", data, family="gaussian", weights="v", vcov="model")
    weighted = LinearStatistic("y ~ w + C(office)", data, weights="v")
    assert weighted.many(dealt.observed[None, :])[0] == pytest.approx(fit.params["told"], rel=1e-10)
    with pytest.raises(DesignError, match="not positive in 1 row"):
        LinearStatistic("y ~ w", data.reset_index(drop=True).assign(v=np.r_[0.0, np.ones(149)]), weights="v")


@pytest.mark.parametrize("seed", range(6))
def test_the_ends_of_the_interval_are_those_of_a_search_over_effects(seed):
    rng = np.random.default_rng(seed)
    a, f, s = rng.normal(), rng.normal(size=9), rng.choice([-1.2, -1, -0.5, 0, 0.5, 1, 1.3], size=9)
    f[0], s[0], f[1] = a, 1.0, np.nan
    taus = a + np.linspace(-40, 40, 80001)
    with np.errstate(invalid="ignore"):
        standing = (~(np.abs(f[:, None] - taus * s[:, None]) < np.abs(a - taus) - 1e-12)).sum(axis=0)
    for least in range(2, 9):
        kept = taus[standing > least]
        ends = not_rejected(a, f, s, least=least)
        found = (kept.min(), kept.max()) if len(kept) else (a, a)
        for end, searched in zip(ends, found, strict=True):
            assert abs(end - searched) < 2e-3 or (abs(end) > 39 and abs(searched - a) == pytest.approx(40))


def test_how_well_the_draws_know_the_p_value():
    data = small(n=40)
    made = randomisation_test(
        lambda z: float(z[0] + z[1] + z[2]), Assignment.shuffled(data, "told"), draws_or_all=400, seed=7
    )
    line = made.tidy().iloc[0]
    assert made.p_value == (1 + made.n_extreme) / 401
    exact = binomtest(made.n_extreme, 400).proportion_ci(0.95, method="exact")
    assert (line["p_conf_low"], line["p_conf_high"]) == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert f"{made.n_extreme} of 400 draws as extreme" in made.summary()


def test_dates_count_by_the_calendar_of_their_time_zone():
    days = pd.Series(pd.date_range("2020-01-01", periods=4, tz="Europe/Copenhagen").tolist() * 2)
    data = pd.DataFrame({"site": list("aaaabbbb"), "day": days, "from": pd.NaT})
    data["from"] = pd.to_datetime(data["site"].map({"a": "2020-01-02", "b": "2020-01-04"}))
    dealt = Assignment.rolled_out(data, site="site", start="from", time="day")
    assert dealt.observed.tolist() == [0, 1, 1, 1, 0, 0, 0, 1]


def test_infinite_values_are_refused_and_unused_categories_do_not_matter():
    with pytest.raises(DesignError, match="infinite in 3 rows"):
        Assignment.shuffled(small().assign(told=lambda d: d["told"].replace(1.0, np.inf)), "told")
    data = small().assign(office=lambda d: pd.Categorical(d["office"], categories=list("abc")))
    assert Assignment.shuffled(data, "told", within=["office"]).n_arrangements == 24


@pytest.mark.parametrize("two_sided", [True, False])
def test_no_level_is_exceeded_over_all_assignments_that_could_have_been(two_sided):
    # whatever was drawn, under the sharp null: outcomes with ties, and some statistics not defined
    data = pd.DataFrame({"c": list("aaabbbc"), "z": [1.0, 0, 0, 2, 0, 0, 1], "y": [1.0, 1, 0, 2, 1, 1, 0]})
    data["w"] = [1.0, 0, 0, 2, 0, 0, 1]
    dealt = Assignment.shuffled(data, "z", within=["c"])
    p, undefined = [], 0
    for codes in np.vstack(list(every_arrangement(dealt.level, dealt.cell, block=100))):
        drawn = data.assign(z=dealt.rows_of(codes[None, :])[0])
        own = Assignment.shuffled(drawn, "z", within=["c"])
        try:
            made = randomisation_test(LinearStatistic("y ~ w", drawn), own, draws_or_all="all")
        except DesignError:
            undefined += 1
            continue
        p.append(made.p_value if two_sided else made.p_greater)
    assert (len(p), undefined) == (8, 1)
    for level in np.unique(p):
        assert np.sum(np.array(p) <= level) / 9 <= level + 1e-12


def test_stored_draws_are_in_no_order_of_arrangements():
    data = small(n=40)
    dealt = Assignment.shuffled(data, "told", within=["office"])
    made = randomisation_test(LinearStatistic("y ~ w", data), dealt, draws_or_all=200, seed=7)
    stored = pickle.loads(pickle.dumps(made))
    assert (np.diff(stored.draws) >= 0).all()
    assert not (np.diff(made.draws) >= 0).all()
    assert stored.tidy().equals(made.tidy())
