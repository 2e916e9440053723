"""Which specifications rest on nearly the same persons, and what of their counts leaves."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from multiverse_panels import META, make_panel, run, spec

import jobchance as jc
from jobchance.disclosure.check import check
from jobchance.errors import SpecError
from jobchance.figures.save import save_figure
from jobchance.findings.specification_curve import COLUMNS, specification_frame
from jobchance.panel.model import AnalysisPanel

POLICY = jc.DisclosurePolicy.preset("cautious_dk")


def at_least(age):
    return spec(sample=f"from_{age}", conditions=(("age", ">=", age),))


@pytest.fixture(scope="module")
def made():
    """96 citizens whose ages are 0 to 95: samples that differ by 3, by 40, and by one wave."""
    panel = make_panel(3, binary=True, slope=0.3)
    specs = [
        spec(),
        at_least(3),
        at_least(6),
        at_least(46),
        spec(waves=(1, 1)),
        spec(covariates=("z1",)),
        spec(covariates=("z2",), sample="from_3", conditions=(("age", ">=", 3),)),
    ]
    return run(panel, specs)


@pytest.fixture(scope="module")
def study():
    return jc.simulate_study(seed=1, n_citizens=200)


def test_distinct_samples_pairs_and_groups(made):
    found = made.sample_differences(POLICY)
    assert found.specifications["sample"].tolist() == [1, 2, 3, 4, 5, 1, 2]
    assert found.n_samples == 5
    assert found.n_pairs == 10
    few = found.pairs[found.pairs["few_persons"]]
    # all, from 3 and from 6 differ by 3, 3 and 6 persons; the first wave has 3 persons that from 3 lacks
    assert list(zip(few["sample"], few["other"], strict=True)) == [(1, 2), (2, 3), (2, 5)]
    assert few["only_sample"].tolist() == ["1 to 4", "1 to 4", "5 or more"]
    assert few["only_other"].tolist() == ["0", "0", "1 to 4"]
    groups = found.specifications["group"]
    assert groups[0] == groups[1] == groups[2] == groups[5] == groups[6]
    assert groups[3] != groups[0]


def test_a_looser_policy_finds_less_and_a_stricter_one_more(made):
    loose = made.sample_differences(jc.DisclosurePolicy(min_persons=3, min_events=0))
    assert loose.pairs.empty
    assert loose.n_groups == 5
    strict = made.sample_differences(jc.DisclosurePolicy(min_persons=7, min_events=0))
    assert list(zip(strict.pairs["sample"], strict.pairs["other"], strict=True)) == [
        (1, 2),
        (1, 3),
        (2, 3),
        (2, 5),
        (3, 5),
    ]


def test_a_difference_with_too_few_outcomes_is_unsafe_too():
    panel = make_panel(3, binary=True)
    frame = panel.frame.copy()
    frame.loc[frame["age"] < 20, "outcome"] = 0.0  # twenty persons, none with the outcome
    made = run(AnalysisPanel(frame, pd.DataFrame(), META), [spec(), at_least(20)])
    pairs = made.sample_differences(POLICY).pairs
    assert pairs[["few_persons", "few_events"]].to_numpy().tolist() == [[False, True]]
    assert pairs[["only_sample", "only_other"]].to_numpy().tolist() == [["", ""]]


def test_no_count_below_the_threshold_and_no_identifier_is_held(made):
    found = made.sample_differences(POLICY)
    text = repr(found) + found.pairs.to_csv() + found.specifications.to_csv()
    assert not re.search(r"\b[cmw]\d+\b", text)
    numbers = found.pairs[["only_sample", "only_other"]].to_numpy().ravel()
    assert set(numbers) <= {"", "0", "1 to 4", "5 or more"}


def test_the_frame_passes_and_its_counts_cannot_be_subtracted(made, study):
    panel = next(iter(made.workbench.panels.values()))
    frame = specification_frame(made, study, panel, policy=POLICY)
    assert check(frame, POLICY, output="F83") == []
    assert list(frame.columns[: len(COLUMNS)]) == list(COLUMNS)
    assert frame["estimate"].is_monotonic_increasing
    assert frame["rank"].tolist() == list(range(1, 8))
    names = frame.set_index("choice_sample")["N_citizens"]
    near = frame[frame["choice_sample"].isin(["all", "from_3", "from_6"]) & (frame["choice_waves"] == "all")]
    assert near["N_citizens"].nunique() == near["N_rows"].nunique() == near["N_events"].nunique() == 1
    assert near["N_citizens"].iloc[0] == 90  # the smallest of the group has 90 citizens
    counts = frame[["N_citizens", "N_events", "N_rows"]].to_numpy(dtype=float)
    assert np.all(counts % 5 == 0)
    assert names["from_46"] == 50
    assert not {"key", "sample_hash", "reason", "note"} & set(frame.columns)


def test_events_are_citizens_not_measurements(study):
    """Four citizens with the outcome at both waves are eight measurements, and still too few."""
    panel = make_panel(3)
    frame = panel.frame.assign(outcome=0.0)
    frame.loc[frame["age"].isin([3.0, 30.0, 50.0, 70.0]), "outcome"] = 1.0
    made = run(AnalysisPanel(frame, pd.DataFrame(), META), [spec(), spec(covariates=("z1",))])
    assert made.frame["n_events"].iloc[0] == 8
    with pytest.raises(SpecError, match="too few persons or events"):
        specification_frame(made, study, panel, policy=POLICY)


def test_any_two_shown_counts_differ_by_nothing_or_by_enough(made, study):
    panel = next(iter(made.workbench.panels.values()))
    for policy in (
        POLICY,
        jc.DisclosurePolicy(min_persons=7, round_base=3),
        jc.DisclosurePolicy.preset("dst"),
    ):
        frame = specification_frame(made, study, panel, policy=policy)
        assert check(frame, policy, output="F83") == []
        for column in ("N_citizens", "N_events", "N_rows"):
            shown = frame[column].dropna().unique()
            apart = np.abs(shown[:, None] - shown[None, :])
            assert apart[apart > 0].min(initial=99) >= policy.min_persons


def test_without_the_rows_all_specifications_show_one_count(made, study):
    panel = next(iter(made.workbench.panels.values()))
    frame = specification_frame(replace(made, workbench=None), study, panel, policy=POLICY)
    assert (frame["N_citizens"] == 50).all()  # the smallest sample of all


def test_small_samples_are_hidden_and_failures_are_counted(made, study):
    panel = make_panel(3, binary=True, slope=0.3)
    young = spec(sample="young", conditions=(("age", "<", 4),))
    nobody = spec(sample="nobody", conditions=(("age", ">", 200),))
    frame = specification_frame(
        run(panel, [spec(), at_least(30), young, nobody]), study, panel, policy=POLICY
    )
    assert check(frame, POLICY, output="F83") == []
    hidden = frame[frame["suppressed"]]
    assert hidden["choice_sample"].tolist() == ["young"]
    assert hidden[["estimate", "conf_low", "N_citizens", "p_value"]].isna().all(axis=None)
    assert (frame["failed"] == 1).all()
    assert (frame["specifications"] == 4).all()
    with pytest.raises(SpecError, match="too few persons"):
        specification_frame(run(panel, [young]), study, panel, policy=POLICY)
    with pytest.raises(SpecError, match="has an estimate"):
        specification_frame(run(panel, [nobody]), study, panel, policy=POLICY)


def test_the_figure_is_saved_and_nothing_in_its_files_names_a_person(made, study, tmp_path):
    panel = next(iter(made.workbench.panels.values()))
    frame = specification_frame(made, study, panel, policy=POLICY)
    figure = jc.figures.specification_curve(frame, lang="en")
    files = save_figure(figure, frame, tmp_path / "F83", policy=POLICY)
    assert [path.suffix for path in files] == [".png", ".csv", ".json"]
    text = "".join(path.read_text() for path in files[1:])
    identifiers = set(panel.frame["citizen_id"]) | set(panel.frame["measurement_id"])
    assert not identifiers & set(re.findall(r"\w+", text))
    assert not set(made.frame["key"]) & set(re.findall(r"\w+", text))
    assert not set(made.frame["sample_hash"]) & set(re.findall(r"\w+", text))
