"""Everything that figure modules draw with, under one name: `from jobchance.figures import marks`.

Marks take numbers and finished words; they compute no statistics. A NaN is always a cell that disclosure
control has hidden: it is drawn hatched, with "..".
"""

from jobchance.figures.bars import hidden_cell, horizontal_bars, interval_points, vertical_bars
from jobchance.figures.base import KeyEntry, add_key
from jobchance.figures.direct import EndLabel, end_labels, free_label, hollow_marker, published_marker
from jobchance.figures.grids import heat_map, stacked_bars
from jobchance.figures.lines import grid_lines, line, number_axis, percent_axis, reference_line, step_line

__all__ = [
    "EndLabel",
    "KeyEntry",
    "add_key",
    "end_labels",
    "free_label",
    "grid_lines",
    "heat_map",
    "hidden_cell",
    "hollow_marker",
    "horizontal_bars",
    "interval_points",
    "line",
    "number_axis",
    "percent_axis",
    "published_marker",
    "reference_line",
    "stacked_bars",
    "step_line",
    "vertical_bars",
]
