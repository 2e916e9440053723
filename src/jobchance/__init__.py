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
    "Assignment": "jobchance.inference.assignment",
    "Assumption": "jobchance.identification.cards",
    "AttritionWeights": "jobchance.sensitivity.attrition_weights",
    "Bootstrap": "jobchance.inference.bootstrap",
    "BootstrapTest": "jobchance.inference.bootstrap_compare",
    "Card": "jobchance.identification.cards",
    "Cluster": "jobchance.results.vcov",
    "ClusterDiagnostics": "jobchance.inference.cluster_diagnostics",
    "ClusterJackknife": "jobchance.inference.cluster_jackknife",
    "Contributors": "jobchance.disclosure.dominance",
    "DaskCompute": "jobchance.compute.dask_cluster",
    "DisclosureError": "jobchance.errors",
    "DisclosureLedger": "jobchance.disclosure.ledger",
    "DisclosurePolicy": "jobchance.disclosure.policy",
    "EvidenceLadder": "jobchance.identification.ladder_result",
    "Family": "jobchance.inference.multiplicity",
    "Fit": "jobchance.results.fit",
    "IdentificationError": "jobchance.errors",
    "InfluentialSet": "jobchance.sensitivity.influential_set",
    "LeaveOneOut": "jobchance.sensitivity.leave_one_out",
    "LinearStatistic": "jobchance.inference.linear_statistic",
    "LocalCompute": "jobchance.compute.local",
    "Moments": "jobchance.models.cross_lagged_moments",
    "Multiverse": "jobchance.sensitivity.multiverse.result",
    "MultiverseSpec": "jobchance.sensitivity.multiverse.read",
    "OUTCOMES": "jobchance.panel.outcomes",
    "RandomisationTest": "jobchance.inference.randomisation",
    "Release": "jobchance.disclosure.release",
    "Robust": "jobchance.results.vcov",
    "RowPartitions": "jobchance.models.partitions",
    "SchemaError": "jobchance.errors",
    "Study": "jobchance.study.model",
    "Thresholds": "jobchance.identification.thresholds",
    "ValidationReport": "jobchance.study.validate",
    "WildBootstrap": "jobchance.inference.wild_bootstrap_result",
    "adjust_pvalues": "jobchance.inference.multiplicity",
    "adjusted_estimate": "jobchance.sensitivity.confounding_adjusted",
    "allocation_rows": "jobchance.sensitivity.allocation",
    "attrition_weights": "jobchance.sensitivity.attrition_weights",
    "audit_tables": "jobchance.disclosure.attack",
    "belief_bounds": "jobchance.sensitivity.bounds_belief",
    "belief_reliability": "jobchance.sensitivity.confounding_reliability",
    "bootstrap_compare": "jobchance.inference.bootstrap_compare",
    "build_panel": "jobchance.panel.build",
    "close_samples": "jobchance.disclosure.differencing",
    "cluster_diagnostics": "jobchance.inference.cluster_diagnostics",
    "cluster_jackknife": "jobchance.inference.cluster_jackknife",
    "compare_fits": "jobchance.inference.compare",
    "comparisons": "jobchance.effects.comparisons",
    "confounder_bounds": "jobchance.sensitivity.confounding_bounds",
    "delta_adjustment": "jobchance.sensitivity.delta",
    "dominance": "jobchance.disclosure.dominance",
    "dropout_model": "jobchance.sensitivity.attrition",
    "dynamic_direction": "jobchance.identification.dynamic_direction",
    "e_value": "jobchance.sensitivity.e_value",
    "effect_interval": "jobchance.sensitivity.bounds",
    "evidence_ladder": "jobchance.identification.ladder",
    "fit_conditional_logit": "jobchance.models.conditional_logit",
    "fit_cross_lagged": "jobchance.models.cross_lagged",
    "fit_dynamic_panel": "jobchance.models.dynamic_panel",
    "fit_glm": "jobchance.models.glm",
    "fit_hazard": "jobchance.models.hazard",
    "fit_iv": "jobchance.models.iv",
    "fit_leniency": "jobchance.identification.leniency",
    "fit_mixed": "jobchance.models.mixed",
    "fit_panel": "jobchance.models.panel",
    "fit_two_rater": "jobchance.identification.two_rater",
    "hazard_contrast": "jobchance.models.hazard_curves",
    "hazard_incidence": "jobchance.models.hazard_curves",
    "indicator_tests": "jobchance.sensitivity.indicator_family",
    "leave_one_out": "jobchance.sensitivity.leave_one_out",
    "lee_bounds": "jobchance.sensitivity.bounds",
    "logit_confounding": "jobchance.sensitivity.logit_confounding",
    "manski_bounds": "jobchance.sensitivity.bounds",
    "meta_analysis": "jobchance.models.meta",
    "most_influential_set": "jobchance.sensitivity.influential_set",
    "mover_contrast": "jobchance.identification.switch_movers",
    "multiple_imputation": "jobchance.sensitivity.imputation",
    "oster_delta": "jobchance.sensitivity.oster",
    "parametric_bootstrap": "jobchance.inference.bootstrap",
    "pattern_comparison": "jobchance.sensitivity.patterns",
    "person_periods": "jobchance.identification.person_periods",
    "placebo_outcomes": "jobchance.sensitivity.placebo",
    "pool_fits": "jobchance.sensitivity.imputation_pool",
    "predictions": "jobchance.effects.predictions",
    "private_information": "jobchance.sensitivity.private_information",
    "profile_intervals": "jobchance.inference.profile",
    "protect_tables": "jobchance.disclosure.complementary",
    "randomisation_test": "jobchance.inference.randomisation",
    "read_study": "jobchance.study.read",
    "robustness_value": "jobchance.sensitivity.confounding",
    "romano_wolf": "jobchance.inference.multiplicity",
    "rosenbaum_bounds": "jobchance.sensitivity.rosenbaum",
    "run_multiverse": "jobchance.sensitivity.multiverse.run",
    "sample_difference_counts": "jobchance.disclosure.differencing",
    "save_figure": "jobchance.figures.save",
    "simulate_outcomes": "jobchance.inference.simulated",
    "simulate_study": "jobchance.simulate.bip",
    "status_note": "jobchance.note.status_note",
    "switch_event_study": "jobchance.identification.switch",
    "two_way_variance": "jobchance.identification.two_way",
    "ujive": "jobchance.models.iv_ujive",
    "validate_study": "jobchance.study.validate",
    "value_added": "jobchance.identification.value_added",
    "variance_partition": "jobchance.inference.partition",
    "verify": "jobchance.models.verify",
    "weighted_fit": "jobchance.sensitivity.attrition_fit",
    "which_leads": "jobchance.identification.direction",
    "wild_bootstrap": "jobchance.inference.wild_bootstrap",
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
