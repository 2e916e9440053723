"""The words of the status note: what is said around the figures, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from jobchance.disclosure.check import Breach
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.catalogue import Entry
from jobchance.formatting import Formatter
from jobchance.labels.load import has_label, label
from jobchance.note.flow import flow_table
from jobchance.panel.model import AnalysisPanel
from jobchance.report.manifest import software
from jobchance.report.output import Output
from jobchance.report.page import Block, Line, Page, Section, page_figure
from jobchance.study.model import Study

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("study", ("T1", "T2", "F1")),
    ("belief", ("F3", "F4", "F5", "F8", "F9")),
    ("gradient", ("F15", "F16", "F10")),
    ("optimism", ("F17", "F18", "F19")),
    ("spread", ("F23", "T7")),
)
_KEY_FIGURES = ("F3", "F15", "F17", "F19", "F23")


def note_page(
    study: Study,
    panel: AnalysisPanel | None,
    outputs: Sequence[Output],
    not_drawn: Iterable[tuple[Entry, tuple[str, ...]]],
    withheld: Iterable[Breach],
    *,
    lang: str,
    policy: DisclosurePolicy,
) -> Page:
    """Everything that the page prints, ready for the template."""
    formatter = Formatter(lang)
    by_id = {output.id: output for output in outputs}
    version = software()["jobchance"]
    return Page(
        lang=lang,
        title=label("note.title", lang),
        lead=_lead(study, panel, formatter),
        banner=label("note.banner.simulated", lang) if study.data_kind == "simulated" else "",
        reading_title=label("note.reading.title", lang),
        reading=[
            Line(term=label(f"note.reading.{kind}.term", lang), text=label(f"note.reading.{kind}.text", lang))
            for kind in ("predictive", "dispositional", "case", "people")
        ],
        key_title=label("note.key.title", lang),
        key_points=[Line(id=key, text=by_id[key].headline) for key in _KEY_FIGURES if key in by_id],
        contents_title=label("note.contents", lang),
        sections=[s for s in (_section(name, ids, by_id, lang) for name, ids in SECTIONS) if s.figures],
        numbers_title=label("note.numbers", lang),
        method_title=label("note.method", lang),
        not_drawn_title=label("note.not_drawn.title", lang),
        not_drawn=[not_drawn_line(entry, needs, lang) for entry, needs in not_drawn],
        withheld_title=label("note.withheld.title", lang),
        withheld=[withheld_line(breach, formatter) for breach in withheld],
        flow_title=label("note.flow.title", lang),
        flow=flow_table(panel, formatter, min_persons=policy.min_persons),
        method=_method(study, panel, outputs, formatter, policy, version),
        footer=label("note.footer", lang, version=version),
    )


def not_drawn_line(entry: Entry, needs: Iterable[str], lang: str) -> str:
    """`F17 Jobs by ...: not drawn: needs caseworker, ...`."""
    wanted = ", ".join(label(need, lang) for need in needs)
    return label(
        "note.not_drawn.line", lang, id=entry.id, title=label(f"catalogue.{entry.name}", lang), needs=wanted
    )


def withheld_line(breach: Breach, formatter: Formatter) -> str:
    """Output, rule and number of rows that disclosure control refused; never a value."""
    return label(
        "note.withheld.line",
        formatter.lang,
        output=breach.output,
        rule=_rule_words(breach.rule, formatter.lang),
        n=formatter.count(breach.n_rows),
    )


def _rule_words(rule: str, lang: str) -> str:
    """What the rule asks in words, with its name in brackets; a rule without words is named alone."""
    words = f"rule.{rule.split(':')[0]}"
    return f"{label(words, lang)} [{rule}]" if has_label(words) else rule


def explanations(outputs: Iterable[Output], lang: str) -> dict[str, str]:
    """What every column of every drawn frame means, for the workbook's `variable_explanation` sheet."""
    columns = {str(column) for output in outputs for column in output.frame.columns}
    return {column: label(f"column.{column}", lang) for column in sorted(columns)}


def _lead(study: Study, panel: AnalysisPanel | None, formatter: Formatter) -> str:
    """Who, which outcome, how long, and until when where dates mean something."""
    lang = formatter.lang
    if panel is None:
        words = label("note.lead.no_outcome", lang, study=study.name)
    else:
        rule = str(panel.meta["outcome"])
        fill = {
            "study": study.name,
            "citizens": formatter.count(int(panel.frame["citizen_id"].nunique())),
            "outcome": _outcome_name(rule, lang),
        }
        weeks = formatter.count(int(str(panel.meta["horizon_weeks"])))
        # A status at one point has no horizon worth naming.
        status = has_label(f"outcome.{rule}.when")
        words = (
            label("note.lead.status", lang, **fill)
            if status
            else label("note.lead.within", lang, weeks=weeks, **fill)
        )
    if not study.dates_known:
        return words
    return f"{words} {label('note.lead.through', lang, through=formatter.date(study.data_through))}"


def _outcome_name(rule: str, lang: str) -> str:
    """The outcome rule in words; a user's own rule by its code."""
    known = f"outcome.{rule}.name"
    return label(known, lang) if has_label(known) else rule


def _section(name: str, ids: Sequence[str], outputs: dict[str, Output], lang: str) -> Section:
    return Section(
        title=label(f"note.section.{name}.title", lang),
        intro=label(f"note.section.{name}.intro", lang),
        figures=[page_figure(outputs[i], lang) for i in ids if i in outputs],
    )


def _method(
    study: Study,
    panel: AnalysisPanel | None,
    outputs: Sequence[Output],
    formatter: Formatter,
    policy: DisclosurePolicy,
    version: str,
) -> list[Block]:
    """Conventions, limits, disclosure and reproduction, each as a short list."""
    lang = formatter.lang
    limits = ["attrition", "displacement", "ordinal", "published"]
    lines = [label(f"note.limits.{key}", lang) for key in limits]
    jobcentres = study.tables.get("jobcentre", pd.DataFrame())
    if len(jobcentres):
        lines.append(label("note.limits.clusters", lang, jobcentres=formatter.count(len(jobcentres))))
    reproduction = [label("note.software.line", lang, version=version)]
    reproduction.append(label("note.software.fingerprint", lang, fingerprint=study.fingerprint))
    if study.truth is not None and "seed" in study.truth:
        reproduction.append(label("note.software.seed", lang, seed=str(study.truth["seed"])))
    blocks = [
        Block(label("note.block.conventions", lang), _conventions(panel, lang)),
        Block(label("note.block.limits", lang), lines),
        Block(label("note.block.disclosure", lang), _disclosure(outputs, formatter, policy)),
        Block(label("note.block.software", lang), reproduction),
    ]
    return [block for block in blocks if block.lines]


def _disclosure(outputs: Sequence[Output], formatter: Formatter, policy: DisclosurePolicy) -> list[str]:
    """The policy, and which outputs are coarser because others beside them have exact counts."""
    lines = policy.describe(formatter.lang).splitlines()
    rounded = [output for output in outputs if output.round_base not in (None, policy.round_base)]
    if rounded:
        base = formatter.count(rounded[0].round_base or 0)
        names = formatter.listing([output.id for output in rounded])
        lines.insert(-1, label("disclosure.rounded", formatter.lang, outputs=names, base=base))
    curves = [o.id for o in outputs if "mark" in o.frame and o.frame["mark"].eq("curve").any()]
    if curves and policy.differencing and not policy.round_base:
        lines.insert(-1, label("disclosure.curves", formatter.lang, outputs=formatter.listing(curves)))
    return lines


def _conventions(panel: AnalysisPanel | None, lang: str) -> list[str]:
    """The panel's own conventions in words."""
    if panel is None:
        return []
    keys = panel.meta["conventions"]
    assert isinstance(keys, tuple)
    return [label(f"panel.convention.{key}", lang) for key in keys]
