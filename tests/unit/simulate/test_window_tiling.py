"""Outcome windows tile follow-up; overlapping spells merge."""

import numpy as np

from jobchance.simulate import calendar as cal
from jobchance.simulate.events import Spells
from jobchance.simulate.windows import tile_windows, union

D = cal.FIRST_ENTRY


def spells(*rows):
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Spells(columns[0], columns[1] + D, columns[2] + D)


def tiled(given, to):
    windows = tile_windows(given, np.full(len(to), D), np.array(to) + D)
    never = cal.NEVER
    shown = [
        (c, s - D, e - D, v, None if x == never else x - D, None if y == never else y - D)
        for c, s, e, v, x, y in zip(
            windows.citizen,
            windows.start,
            windows.end,
            windows.value,
            windows.event,
            windows.event_end,
            strict=True,
        )
    ]
    return [tuple(None if part is None else int(part) for part in row) for row in shown]


def test_no_spell_is_one_window_without_event():
    assert tiled(spells(), [100]) == [(0, 0, 100, 0, None, None)]


def test_windows_end_with_their_spells_and_the_rest_has_none():
    rows = tiled(spells((0, 10, 30), (0, 50, 60)), [100])
    assert rows == [(0, 0, 30, 1, 10, 30), (0, 30, 60, 1, 50, 60), (0, 60, 100, 0, None, None)]


def test_spell_beyond_follow_up_has_no_known_end():
    assert tiled(spells((0, 10, 300)), [100]) == [(0, 0, 100, 1, 10, None)]


def test_spell_ending_with_follow_up_leaves_no_empty_window():
    assert tiled(spells((0, 10, 100)), [100]) == [(0, 0, 100, 1, 10, 100)]


def test_citizens_do_not_mix():
    rows = tiled(spells((0, 10, 300), (2, 5, 8)), [100, 50, 20])
    assert rows == [
        (0, 0, 100, 1, 10, None),
        (1, 0, 50, 0, None, None),
        (2, 0, 8, 1, 5, 8),
        (2, 8, 20, 0, None, None),
    ]


def test_union_merges_overlap_touch_and_inside():
    both = union(
        spells((0, 0, 10), (0, 30, 40), (1, 5, 50)), spells((0, 5, 20), (0, 20, 25), (1, 10, 20), (2, 1, 2))
    )
    found = [tuple(map(int, row)) for row in zip(both.citizen, both.start - D, both.end - D, strict=True)]
    assert found == [(0, 0, 25), (0, 30, 40), (1, 5, 50), (2, 1, 2)]


def test_union_of_nothing_is_nothing():
    assert union(spells(), spells()).citizen.size == 0
