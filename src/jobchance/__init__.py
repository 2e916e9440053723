"""Belief and job: does a caseworker's belief in a citizen's chance of a job change whether they get one.

The public names below are imported on first use, so that `import jobchance` and the command line start
at once.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobchance import figures as figures

__version__ = _version("jobchance")

_WHERE = {
    "AnalysisPanel": "jobchance.panel.model",
    "Bootstrap": "jobchance.inference.bootstrap",
    "BootstrapTest": "jobchance.inference.bootstrap_compare",
    "Cluster": "jobchance.results.vcov",
    "DaskCompute": "jobchance.compute.dask_cluster",
    "DisclosureError": "jobchance.errors",
    "DisclosurePolicy": "jobchance.disclosure.policy",
    "Fit": "jobchance.results.fit",
    "LocalCompute": "jobchance.compute.local",
    "OUTCOMES": "jobchance.panel.outcomes",
    "Robust": "jobchance.results.vcov",
    "RowPartitions": "jobchance.models.partitions",
    "SchemaError": "jobchance.errors",
    "Study": "jobchance.study.model",
    "ValidationReport": "jobchance.study.validate",
    "bootstrap_compare": "jobchance.inference.bootstrap_compare",
    "build_panel": "jobchance.panel.build",
    "compare_fits": "jobchance.inference.compare",
    "comparisons": "jobchance.effects.comparisons",
    "fit_glm": "jobchance.models.glm",
    "fit_mixed": "jobchance.models.mixed",
    "fit_panel": "jobchance.models.panel",
    "meta_analysis": "jobchance.models.meta",
    "parametric_bootstrap": "jobchance.inference.bootstrap",
    "predictions": "jobchance.effects.predictions",
    "profile_intervals": "jobchance.inference.profile",
    "read_study": "jobchance.study.read",
    "save_figure": "jobchance.figures.save",
    "simulate_outcomes": "jobchance.inference.simulated",
    "simulate_study": "jobchance.simulate.bip",
    "status_note": "jobchance.note.status_note",
    "validate_study": "jobchance.study.validate",
    "variance_partition": "jobchance.inference.partition",
    "verify": "jobchance.models.verify",
    "write_partitions": "jobchance.models.partitions",
    "write_study": "jobchance.study.write",
}
_ROOMS = ("figures",)

__all__ = ["__version__", "figures", *sorted(_WHERE)]


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return import_module(f"jobchance.{name}")
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'jobchance' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
