"""Kappa and the intraclass correlation against published tables and against each other."""

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from jobchance.numerics.agreement import icc_agreement, weighted_kappa

# Shrout & Fleiss (1979), table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)
# Stuart (1953): unaided vision of right and left eye, 7,477 women.
STUART = np.array([[1520, 266, 124, 66], [234, 1512, 432, 78], [117, 362, 1772, 205], [36, 82, 179, 492]])


def spread(table):
    """One pair of numbers per person of a cross table."""
    rows, columns = np.indices(table.shape) + 1
    return np.repeat(rows.ravel(), table.ravel()), np.repeat(columns.ravel(), table.ravel())


def test_icc_of_shrout_and_fleiss():
    found = icc_agreement(SHROUT_FLEISS)
    assert found.estimate == pytest.approx(0.289764, abs=1e-6)  # the article prints .29
    assert found.conf_low == pytest.approx(0.0187865, abs=1e-7)
    assert found.conf_high == pytest.approx(0.761084, abs=1e-6)
    assert (found.n, found.n_clusters) == (6, 6)


def test_kappa_of_the_vision_table():
    right, left = spread(STUART)
    found = weighted_kappa(right, left)
    reference = cohens_kappa(STUART, wt="fc")  # Fleiss-Cohen = quadratic weights
    assert found.estimate == pytest.approx(0.702334, abs=1e-6)
    assert found.estimate == pytest.approx(reference.kappa, abs=1e-12)
    n = STUART.sum()
    assert found.std_error == pytest.approx(reference.std_kappa * np.sqrt(n / (n - 1)), rel=1e-9)
    assert found.conf_low < found.estimate < found.conf_high


def test_quadratic_kappa_is_nearly_the_icc():
    right, left = spread(STUART)
    icc = icc_agreement(np.column_stack([right, left]))
    kappa = weighted_kappa(right, left)
    assert icc.estimate == pytest.approx(kappa.estimate, abs=1 / STUART.sum())
    assert icc.estimate != kappa.estimate


def test_kappa_and_icc_do_not_depend_on_who_is_first_or_on_units():
    rng = np.random.default_rng(1)
    x = rng.integers(1, 6, 80).astype(float)
    y = np.clip(x + rng.integers(-2, 3, 80), 1, 5)
    for measure in (weighted_kappa, lambda a, b: icc_agreement(np.column_stack([a, b]))):
        one, other = measure(x, y), measure(10 * y + 3, 10 * x + 3)
        np.testing.assert_allclose(
            [one.estimate, one.conf_low, one.conf_high],
            [other.estimate, other.conf_low, other.conf_high],
            rtol=1e-9,
        )


def test_repeating_every_pair_changes_nothing_when_clustered():
    rng = np.random.default_rng(2)
    x = rng.integers(1, 6, 60).astype(float)
    y = np.clip(x + rng.integers(-1, 2, 60), 1, 5)
    who = np.arange(60)
    one = weighted_kappa(x, y, cluster=who)
    thrice = weighted_kappa(np.tile(x, 3), np.tile(y, 3), cluster=np.tile(who, 3))
    np.testing.assert_allclose(
        [thrice.estimate, thrice.std_error, thrice.conf_low], [one.estimate, one.std_error, one.conf_low]
    )
    assert weighted_kappa(np.tile(x, 3), np.tile(y, 3)).std_error < 0.6 * one.std_error
    twice = np.column_stack([np.tile(x, 2), np.tile(y, 2)])
    wide = icc_agreement(twice, cluster=np.tile(who, 2))
    narrow = icc_agreement(twice, cluster=np.arange(120))
    assert wide.conf_high - wide.conf_low > 1.3 * (narrow.conf_high - narrow.conf_low)


def test_clustered_interval_covers_at_about_its_level():
    rng = np.random.default_rng(3)
    # Citizen effects shared by both raters and by three waves: kappa = ICC = 1 / (1 + 1) in the limit.
    hits = 0
    for _ in range(400):
        citizen = np.repeat(rng.normal(size=60), 3) * np.sqrt(0.5)
        wave = rng.normal(size=180) * np.sqrt(0.5)
        x, y = (citizen + wave + rng.normal(size=180) for _ in range(2))
        found = weighted_kappa(x, y, cluster=np.repeat(np.arange(60), 3))
        hits += found.conf_low <= 0.5 <= found.conf_high
    assert 0.92 <= hits / 400 <= 0.98


def test_complete_and_void_agreement():
    assert weighted_kappa([1, 2, 3], [1, 2, 3]).estimate == 1
    assert np.isnan(weighted_kappa([1, 2, 3], [1, 2, 3]).conf_low)
    assert np.isnan(weighted_kappa([2, 2], [2, 2]).estimate)
    assert np.isnan(icc_agreement([[2, 2], [2, 2]]).estimate)
    assert icc_agreement([[1, 1], [2, 2], [3, 3]]).estimate == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weighted_kappa([], []), "not empty"),
        (lambda: weighted_kappa([1, 2], [1]), "one length"),
        (lambda: weighted_kappa([1, np.nan], [1, 2]), "complete"),
        (lambda: weighted_kappa([1, 2], [1, 2], cluster=[1]), "one entry per target"),
        (lambda: icc_agreement([[1, 2]]), "at least two"),
        (lambda: icc_agreement(SHROUT_FLEISS, cluster=np.arange(6)), "two raters only"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
