"""The sample flow as a table that gives no small group away by subtraction."""

from __future__ import annotations

from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.panel.model import AnalysisPanel
from jobchance.report.page import Cell, Table


def flow_table(panel: AnalysisPanel | None, formatter: Formatter, *, min_persons: int) -> Table:
    """Steps of the sample flow; steps that lose fewer than `min_persons` citizens are pooled with the next.

    The number of citizens lost at a step is the difference of two printed counts, so a step that loses one to
    `min_persons - 1` citizens would show a group that small.
    """
    lang = formatter.lang
    heads = [("step", False), ("reason", False), ("citizens", True), ("rows", True)]
    header = [Cell(label(f"note.flow.{name}", lang), numeric) for name, numeric in heads]
    if panel is None:
        return Table(header, [])
    joiner = f" {label('note.flow.pooled', lang)} "
    rows: list[list[Cell]] = []
    for steps, reasons, citizens, count in _pooled(panel, min_persons):
        step = joiner.join(label(f"panel.step.{s}", lang) for s in steps)
        reason = joiner.join(dict.fromkeys(label(f"panel.reason.{r}", lang) for r in reasons))
        numbers = [formatter.count(citizens), formatter.count(count)]
        rows.append([Cell(step, False), Cell(reason, False), *(Cell(n, True) for n in numbers)])
    return Table(header, rows)


def _pooled(panel: AnalysisPanel, min_persons: int) -> list[tuple[list[str], list[str], int, int]]:
    """(steps, reasons, citizens, rows) with small losses pooled into the following step."""
    pooled: list[tuple[list[str], list[str], int, int]] = []
    steps: list[str] = []
    reasons: list[str] = []
    last: int | None = None
    for row in panel.flow.itertuples(index=False):
        steps.append(str(row.step))
        reasons.append(str(row.reason))
        citizens = int(str(row.n_citizens))
        if last is not None and 0 < last - citizens < min_persons:
            continue
        pooled.append((steps, reasons, citizens, int(str(row.n_rows))))
        steps, reasons, last = [], [], citizens
    return pooled
