"""The sample flow as a table that gives no small group away by subtraction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.panel.model import AnalysisPanel
from jobchance.report.page import Cell, Table

_PART = "of_which"


@dataclass(frozen=True)
class _Line:
    """One printed line: the steps and reasons pooled in it, and what is left (or what a part counts)."""

    steps: tuple[str, ...]
    reasons: tuple[str, ...]
    citizens: int
    rows: int


def flow_table(panel: AnalysisPanel | None, formatter: Formatter, *, min_persons: int) -> Table:
    """Steps of the sample flow; a step that loses fewer than `min_persons` is pooled with the one before.

    What a step loses is the difference of two printed counts, so a step that loses one to `min_persons - 1`
    citizens or rows would show a group that small. Lines that count a part of the panel ("of which ...") are
    left out where the part is smaller than `min_persons`.
    """
    lang = formatter.lang
    heads = [("step", False), ("reason", False), ("citizens", True), ("rows", True)]
    header = [Cell(label(f"note.flow.{name}", lang), numeric) for name, numeric in heads]
    if panel is None:
        return Table(header, [])
    joiner = f" {label('note.flow.pooled', lang)} "
    rows = []
    for line in _lines(panel, min_persons):
        step = joiner.join(label(f"panel.step.{name}", lang) for name in line.steps)
        reason = joiner.join(dict.fromkeys(label(f"panel.reason.{name}", lang) for name in line.reasons))
        numbers = [formatter.count(line.citizens), formatter.count(line.rows)]
        rows.append([Cell(step, False), Cell(reason, False), *(Cell(number, True) for number in numbers)])
    return Table(header, rows)


def _lines(panel: AnalysisPanel, min_persons: int) -> list[_Line]:
    """Lines to print, small losses pooled and small parts left out."""
    steps: list[_Line] = []
    parts: list[_Line] = []
    for row in panel.flow.itertuples(index=False):
        line = _Line((str(row.step),), (str(row.reason),), int(str(row.n_citizens)), int(str(row.n_rows)))
        if line.steps[0].startswith(_PART):
            parts.append(line)
        else:
            while steps and _small_loss(steps[-1], line, min_persons):
                last = steps.pop()
                line = replace(line, steps=(*last.steps, *line.steps), reasons=(*last.reasons, *line.reasons))
            steps.append(line)
    return [*steps, *(part for part in parts if part.citizens >= min_persons)]


def _small_loss(before: _Line, after: _Line, min_persons: int) -> bool:
    """Whether the step loses some citizens or rows, but fewer than may be shown."""
    losses = (before.citizens - after.citizens, before.rows - after.rows)
    return any(0 < loss < min_persons for loss in losses)
