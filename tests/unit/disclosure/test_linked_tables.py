"""Complementary suppression over linked tables, against brute force over all tables that fit."""

import itertools
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchance.disclosure.attack import audit_tables
from jobchance.disclosure.bounds import cell_ranges
from jobchance.disclosure.complementary import protect_tables
from jobchance.disclosure.dominance import Contributors
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import DisclosureError, SpecError

THREE = DisclosurePolicy(min_persons=3, min_events=0, zeros_disclosive=False)
CAUTIOUS = DisclosurePolicy.preset("cautious_dk")


def table(cells, *, margins=True, **columns):
    """Rows a0, a1, ... by columns b0, b1, ... with all margins as rows."""
    cells = np.asarray(cells)
    rows = [(f"a{i}", f"b{j}", cells[i, j]) for i, j in np.ndindex(*cells.shape)]
    if margins:
        rows += [(f"a{i}", "total", n) for i, n in enumerate(cells.sum(axis=1))]
        rows += [("total", f"b{j}", n) for j, n in enumerate(cells.sum(axis=0))]
        rows += [("total", "total", cells.sum())]
    return pd.DataFrame(rows, columns=["a", "b", "N_citizens"]).assign(**columns)


def possible(frame, shape, *, most):
    """By brute force: smallest and largest value of each inner cell over all tables that fit `frame`."""
    shown = {(r.a, r.b): r.N_citizens for r in frame.itertuples() if not r.suppressed}
    places = [(f"a{i}", f"b{j}") for i, j in np.ndindex(*shape)]
    options = [[int(shown[p])] if p in shown else range(most + 1) for p in places]
    tables = np.stack(np.meshgrid(*options, indexing="ij"), axis=-1).reshape(-1, *shape)
    sums = {(f"a{i}", "total"): tables.sum(axis=2)[:, i] for i in range(shape[0])}
    sums |= {("total", f"b{j}"): tables.sum(axis=1)[:, j] for j in range(shape[1])}
    sums["total", "total"] = tables.sum(axis=(1, 2))
    fits = np.logical_and.reduce([sums[key] == n for key, n in shown.items() if key in sums])
    found = tables[fits].reshape(-1, len(places))
    return dict(zip(places, zip(found.min(axis=0), found.max(axis=0), strict=True), strict=True))


@given(cells=st.lists(st.integers(0, 9), min_size=6, max_size=6))
@settings(max_examples=60, deadline=None)
def test_no_sensitive_cell_of_a_small_table_can_be_bounded_closer_than_the_protection(cells):
    frame = table(np.reshape(cells, (2, 3)))
    try:
        hidden = protect_tables({"t": frame}, THREE, dimensions=["a", "b"])["t"]
    except DisclosureError:
        return  # refused rather than unprotected; that it is not refused needlessly is tested below
    free = [r for r in hidden.itertuples() if r.suppressed and "total" not in (r.a, r.b)]
    if len(free) > 4 or hidden["suppressed"].all():
        return  # too much is open for brute force
    ends = possible(hidden, (2, 3), most=20)
    for row, true in zip(hidden.itertuples(), frame["N_citizens"], strict=True):
        if "total" not in (row.a, row.b) and 0 < true < 3:
            low, high = ends[row.a, row.b]
            assert row.suppressed
            assert high - low >= 3
            assert low <= true <= high


@given(cells=st.lists(st.integers(0, 5), min_size=9, max_size=9), data=st.data())
@settings(max_examples=40, deadline=None)
def test_ranges_are_those_of_brute_force(cells, data):
    frame = table(np.reshape(cells, (3, 3)))
    inner = [i for i in range(9) if data.draw(st.booleans())][:4]
    frame = frame.assign(suppressed=frame.index.isin(inner))
    ends = possible(frame, (3, 3), most=15)
    audit = audit_tables({"t": frame}, THREE, dimensions=["a", "b"])
    assert len(audit) == len(inner)
    for row in audit.itertuples():
        assert (row.low, row.high) == ends[row.a, row.b]


def test_whole_numbers_can_be_tighter_than_the_linear_program():
    # x + y + z = 4 with pairwise sums shown would be fractional: x+y, x+z, y+z <= known odd totals.
    sums = [(3, (0, 1)), (4, (0, 2)), (5, (1, 2)), (6, (3, 7)), (7, (4, 5))]
    low = np.array([0.0, 0, 0, 3, 3, 3, 9, 6])
    high = np.array([np.inf, np.inf, np.inf, 3, 3, 3, 9, 6])
    fractional = cell_ranges(sums, low, high, [0], whole=False)
    assert (fractional[0][0], fractional[1][0]) == (1.5, 1.5)
    with pytest.raises(DisclosureError, match="cannot be audited"):
        cell_ranges(sums, low, high, [0], whole=True)


def test_the_known_worked_example_hides_the_smallest_pattern():
    # One primary cell needs a rectangle: three more cells, the smallest possible in a table with margins.
    cells = [[20, 2, 30], [8, 9, 40], [50, 60, 70]]
    hidden = protect_tables({"t": table(cells)}, THREE, dimensions=["a", "b"])["t"]
    gone = set(zip(hidden.loc[hidden.suppressed, "a"], hidden.loc[hidden.suppressed, "b"], strict=True))
    assert gone == {("a0", "b0"), ("a0", "b1"), ("a1", "b0"), ("a1", "b1")}
    assert hidden.loc[hidden.suppressed, "N_citizens"].isna().all()


@pytest.mark.parametrize(
    "cells", [[[20, 2, 30], [8, 9, 40]], [[1, 9, 30], [12, 2, 25]], [[2, 2, 2], [9, 9, 9]]]
)
def test_no_smaller_pattern_would_do(cells):
    frame = table(cells)
    hidden = protect_tables({"t": frame}, THREE, dimensions=["a", "b"])["t"]["suppressed"]
    primary = frame.index[frame["N_citizens"].between(1, 2)]
    others = frame.index.difference(primary)
    for k in range(int(hidden.sum()) - len(primary)):
        for more in itertools.combinations(others, k):
            tried = frame.assign(suppressed=frame.index.isin([*primary, *more]))
            audit = audit_tables({"t": tried}, THREE, dimensions=["a", "b"]).set_index(["a", "b"])
            keys = [(frame.loc[i, "a"], frame.loc[i, "b"]) for i in primary]
            lone = all(audit.loc[keys, "protected"])
            sums = [(["a0", "a1"], "a"), (["b0", "b1", "b2"], "b")]
            small = any(
                0 < frame.loc[tried["suppressed"] & (frame[c] == v) & ~total, "N_citizens"].sum() < 3
                for values, c in sums
                for v in values
                for total in [(frame["a"] == "total") | (frame["b"] == "total")]
                if not tried.loc[
                    (frame[c] == v) & ((frame["b"] if c == "a" else frame["a"]) == "total"), "suppressed"
                ].any()
            )
            assert not lone or small, (k, more)


def test_control_without_covering_cells_the_attack_reads_the_hidden_cell():
    cells = [[20, 2, 30], [8, 9, 40]]
    frame = table(cells)
    naked = frame.assign(suppressed=frame["N_citizens"].lt(3))
    audit = audit_tables({"t": naked}, THREE, dimensions=["a", "b"])
    assert audit[["low", "high", "protected"]].to_numpy().tolist() == [[2.0, 2.0, False]]


def test_tables_that_share_margins_are_protected_together():
    by_sex = table([[2, 40], [30, 50]]).rename(columns={"b": "sex"})
    by_age = table([[20, 22], [45, 35]]).rename(columns={"b": "age"})
    alone = protect_tables({"sex": by_sex}, THREE, dimensions=["a", "sex", "age"])
    assert alone["sex"]["suppressed"].sum() == 4
    # `sex` prints no margins of its own here; they are in `age`.
    inner = by_sex[(by_sex["a"] != "total") & (by_sex["sex"] != "total")]
    both = protect_tables({"sex": inner, "age": by_age}, THREE, dimensions=["a", "sex", "age"])
    assert both["sex"]["suppressed"].sum() + both["age"]["suppressed"].sum() >= 2
    audit = audit_tables(both, THREE, dimensions=["a", "sex", "age"])
    two = audit[(audit["a"] == "a0") & (audit["sex"] == "b0")]
    assert two["protected"].all()
    naked = {"sex": inner.assign(suppressed=inner["N_citizens"].lt(3)), "age": by_age}
    found = audit_tables(naked, THREE, dimensions=["a", "sex", "age"])
    assert found[["low", "high"]].to_numpy().tolist() == [[2.0, 2.0]], "the margin of the other table"


def test_a_cell_hidden_in_one_table_is_hidden_in_all():
    first = pd.DataFrame({"a": ["x", "y", "z"], "N_citizens": [2, 30, 40]})
    second = pd.DataFrame({"a": ["x", "y", "z", "total"], "N_citizens": [2, 30, 40, 72]})
    hidden = protect_tables({"one": first, "two": second}, THREE, dimensions=["a"])
    assert (
        hidden["one"]["suppressed"].tolist()
        == hidden["two"]["suppressed"].tolist()[:3]
        == [True, True, False]
    )


def test_crosses_that_nobody_prints_count_as_known():
    # Three groupings without margins: (a0, c0) over b holds 1 + 1 citizens.
    rows = [(a, b, c, 20) for a in ("a0", "a1") for b in ("b0", "b1") for c in ("c0", "c1")]
    frame = pd.DataFrame(rows, columns=["a", "b", "c", "N_citizens"])
    frame.loc[(frame["a"] == "a0") & (frame["c"] == "c0"), "N_citizens"] = 1
    margin = pd.DataFrame({"a": ["a0", "a1"], "N_citizens": [42, 80]})
    tables, dims = {"abc": frame, "a": margin}, ["a", "b", "c"]
    hidden = protect_tables(tables, THREE, dimensions=dims)
    assert hidden["abc"]["suppressed"].sum() + hidden["a"]["suppressed"].sum() > 2  # 42 - 40 = 2 = 1 + 1
    lenient = protect_tables(tables, replace(THREE, check_margins=False), dimensions=dims)
    assert lenient["abc"]["suppressed"].sum() == 2


def test_hidden_cells_of_one_sum_hold_enough_persons_together():
    frame = pd.DataFrame({"a": list("vwxyz"), "N_citizens": [1, 1, 1, 30, 40]})
    total = pd.DataFrame({"N_citizens": [73], "a": ["total"]})
    policy = DisclosurePolicy(min_events=0, zeros_disclosive=False)
    hidden = protect_tables({"t": frame, "all": total}, policy, dimensions=["a"])
    assert hidden["t"]["suppressed"].tolist() == [True, True, True, True, False]


def test_hierarchies_link_coarse_and_fine_tables():
    fine = pd.DataFrame({"place": ["A", "B", "C", "D"], "N_citizens": [2, 30, 40, 50]})
    coarse = pd.DataFrame({"place": ["north", "south"], "N_citizens": [32, 90]})
    tree = {"place": {"north": ("A", "B"), "south": ("C", "D")}}
    hidden = protect_tables({"f": fine, "c": coarse}, THREE, dimensions=["place"], hierarchies=tree)
    assert hidden["f"]["suppressed"].tolist()[:2] == [True, True]
    naked = {"f": fine.assign(suppressed=[True, False, False, False]), "c": coarse}
    found = audit_tables(naked, THREE, dimensions=["place"], hierarchies=tree)
    assert found["high"].tolist() == [2.0]


def test_questions_and_populations_are_not_summed_over():
    frame = pd.DataFrame(
        {"item": ["i", "i", "j", "j"], "level": ["1", "2"] * 2, "N_citizens": [60, 40, 70, 30]}
    )
    both = protect_tables({"t": frame}, THREE, dimensions=["item", "level"], apart=["item"])
    assert not both["t"]["suppressed"].any()
    total = pd.DataFrame({"N_citizens": [100], "level": ["total"]})
    with pytest.raises(SpecError, match="not the sum of their parts"):
        protect_tables({"t": frame, "all": total}, THREE, dimensions=["item", "level"])


def test_events_and_non_events_are_protected_as_well():
    frame = pd.DataFrame({"a": ["x", "y", "z", "total"], "N_citizens": [50, 60, 70, 180]})
    frame["N_events"] = [2, 20, 30, 52]
    hidden = protect_tables({"t": frame}, CAUTIOUS, dimensions=["a"])["t"]
    assert hidden["suppressed"].tolist() == [True, True, False, False]
    naked = frame.assign(suppressed=[True, False, False, False])
    found = audit_tables({"t": naked}, CAUTIOUS, dimensions=["a"]).set_index("quantity")
    assert found.loc["N_events", ["low", "high"]].tolist() == [2.0, 2.0]
    assert found.loc["N_without_event", ["low", "high"]].tolist() == [48.0, 48.0]


def test_means_give_sums_away_and_are_protected():
    frame = pd.DataFrame({"a": ["x", "y", "z", "total"], "N_citizens": [3, 60, 70, 133]})
    hours = np.array([5.0, 20.0, 30.0])
    frame["mean"] = [*hours, float(hours @ [3, 60, 70]) / 133]
    hidden = protect_tables({"t": frame}, CAUTIOUS, dimensions=["a"])["t"]
    found = audit_tables({"t": hidden}, CAUTIOUS, dimensions=["a"], means=["mean"]).set_index(
        ["a", "quantity"]
    )
    assert found.loc[("x", "mean x N_citizens"), "protected"]
    naked = frame.assign(suppressed=[True, False, False, False])
    found = audit_tables({"t": naked}, CAUTIOUS, dimensions=["a"], means=["mean"]).set_index("quantity")
    low, high = found.loc["mean x N_citizens", ["low", "high"]]
    assert low <= 15 <= high
    assert high - low < 0.01


def test_a_sum_of_hidden_cells_is_not_dominated_by_one():
    rows = pd.DataFrame(
        {
            "place": ["A"] * 12 + ["B"] * 12 + ["C"] * 12,
            "citizen_id": range(36),
            "wage": [1000.0] + [1.0] * 11 + [10.0] * 12 + [100.0] * 12,
        }
    )
    cells = rows.groupby("place").agg(N_citizens=("citizen_id", "size"), wage=("wage", "sum")).reset_index()
    total = pd.DataFrame({"place": ["total"], "N_citizens": [36], "wage": [rows["wage"].sum()]})
    policy = replace(DisclosurePolicy.preset("sacro"), min_persons=3)
    who = Contributors(rows, "citizen_id", "wage")
    hidden = protect_tables(
        {"t": cells, "all": total}, policy, dimensions=["place"], sums=["wage"], contributors=who
    )
    # A is dominated; A + B together still is (1000 of 1131 and the rest 12 %...), so C goes as well.
    gone = set(cells.loc[hidden["t"]["suppressed"], "place"])
    together = np.sort(rows.loc[rows["place"].isin(gone), "wage"])[::-1]
    if not hidden["all"]["suppressed"].all():
        assert together[:2].sum() / together.sum() < 0.90
        assert together[2:].sum() / together[0] >= 0.10
    without = protect_tables({"t": cells, "all": total}, policy, dimensions=["place"], sums=["wage"])
    assert not without["t"]["suppressed"].any(), "without contributors nobody can tell"
    with pytest.raises(TypeError, match="not pickled"):
        __import__("pickle").dumps(who)
    assert "1000" not in repr(who)


def test_rounded_tables_are_audited_within_the_base():
    policy = replace(THREE, round_base=3)
    frame = pd.DataFrame({"a": ["x", "y", "total"], "N_citizens": [np.nan, 30.0, 36.0]})
    found = audit_tables({"t": frame}, policy, dimensions=["a"])
    assert found[["low", "high"]].to_numpy().tolist() == [[4.0, 8.0]]  # 35..37 less 29..31
    exact = audit_tables({"t": frame}, THREE, dimensions=["a"])
    assert exact[["low", "high"]].to_numpy().tolist() == [[6.0, 6.0]]


def test_nothing_is_returned_where_nothing_can_protect():
    lone = pd.DataFrame({"a": ["x"], "N_citizens": [2]})
    hidden = protect_tables({"t": lone}, THREE, dimensions=["a"])["t"]
    assert hidden["suppressed"].all()
    zero = pd.DataFrame({"a": ["x", "y", "total"], "N_citizens": [0, 0, 0]})
    hidden = protect_tables({"t": zero}, replace(THREE, zeros_disclosive=True), dimensions=["a"])["t"]
    assert hidden["suppressed"].all()
    stuck = pd.DataFrame({"a": ["x", "y", "total"], "N_citizens": [2, 0, 2]})
    hidden = protect_tables({"t": stuck}, THREE, dimensions=["a"])["t"]
    assert hidden["suppressed"].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("tables", "options", "words"),
    [
        ({}, {}, "one or more tables"),
        ({"t": pd.DataFrame({"a": ["x"]})}, {}, "one of N_citizens"),
        ({"t": pd.DataFrame({"q": ["x"], "N_citizens": [1]})}, {}, "none of the dimensions"),
        ({"t": pd.DataFrame({"a": ["x", "x"], "N_citizens": [1, 2]})}, {}, "rows for a cell"),
        ({"t": table([[5, 5]])}, {"apart": ["nowhere"]}, "nowhere is no dimension"),
        ({"t": table([[5, 5]])}, {"hierarchies": {"a": {"x": ("y",), "y": ("x",)}}}, "part of themselves"),
        ({"t": table([[5, 5]])}, {"hierarchies": {"a": {"x": ("z",), "y": ("z",)}}}, "two broader"),
    ],
)
def test_what_makes_no_sense_is_refused(tables, options, words):
    with pytest.raises(SpecError, match=words):
        protect_tables(tables, THREE, dimensions=["a", "b"], **options)


def test_tables_that_disagree_are_refused_without_a_value():
    one = pd.DataFrame({"a": ["secret-place", "y"], "N_citizens": [12345, 2]})
    other = pd.DataFrame({"a": ["secret-place"], "N_citizens": [12344]})
    with pytest.raises(SpecError, match="1 cells of N_citizens differ") as refused:
        protect_tables({"one": one, "other": other}, THREE, dimensions=["a"])
    assert "12345" not in str(refused.value)
    assert "secret-place" not in str(refused.value)


def test_a_large_table_is_protected_in_seconds():
    rng = np.random.default_rng(4)
    cells = rng.poisson(rng.gamma(1.0, 12.0, size=(10, 12)))
    started = time.perf_counter()
    hidden = protect_tables({"t": table(cells)}, THREE, dimensions=["a", "b"])["t"]
    assert time.perf_counter() - started < 30
    few = table(cells)["N_citizens"].between(1, 2)
    assert hidden.loc[few, "suppressed"].all()
    audit = audit_tables({"t": hidden}, THREE, dimensions=["a", "b"])
    sensitive = set(zip(table(cells).loc[few, "a"], table(cells).loc[few, "b"], strict=True))
    safe = {(r.a, r.b) for r in audit.itertuples() if r.protected}
    assert sensitive <= safe
    assert hidden["suppressed"].sum() <= 4 * few.sum()
