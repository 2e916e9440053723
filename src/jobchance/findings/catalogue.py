"""The catalogue: which findings there are, in the order in which a note shows them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from jobchance.disclosure.policy import DisclosurePolicy
    from jobchance.findings.model import Finding
    from jobchance.panel.model import AnalysisPanel
    from jobchance.study.model import Study


class FindingModule(Protocol):
    """What every module `jobchance.findings.<name>` offers."""

    def build(self, study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
        """Compute the tidy frame."""

    def needs(self, study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
        """Label keys of what the study lacks; `()` if the entry can be drawn."""


@dataclass(frozen=True)
class Entry:
    """One catalogue entry: its id (`"F15"`) and its name (`"belief_gradient"`)."""

    id: str
    name: str

    @property
    def module(self) -> FindingModule:
        """The module `jobchance.findings.<name>`, imported on first use."""
        return cast("FindingModule", import_module(f"jobchance.findings.{self.name}"))


CATALOGUE: tuple[Entry, ...] = (
    Entry("T1", "study_overview"),
    Entry("T2", "instrument_table"),
    Entry("F1", "wave_flow"),
    Entry("F3", "belief_distribution"),
    Entry("F4", "indicator_distributions"),
    Entry("F5", "rater_agreement_heatmap"),
    Entry("F8", "caseworker_shift_counts"),
    Entry("F9", "belief_before_after_shift"),
    Entry("F10", "job_by_indicator_level"),
    Entry("F15", "belief_gradient"),
    Entry("F16", "job_curve_by_belief"),
    Entry("F17", "optimism_terciles"),
    Entry("F18", "optimism_reduced_form"),
    Entry("F19", "optimism_balance"),
    Entry("F23", "caseworker_spread"),
    Entry("T7", "variance_decomposition"),
)
