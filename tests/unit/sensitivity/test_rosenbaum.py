"""Rosenbaum bounds: published tables, every assignment counted, and what bounds must obey."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from jobchance.errors import DesignError, SpecError
from jobchance.sensitivity.rosenbaum import rosenbaum_bounds

# Lead in children's blood (Morton et al. 1982), as printed in Rosenbaum (2002), table 3.1
EXPOSED = [38, 23, 41, 18, 37, 36, 23, 62, 31, 34, 24, 14, 21, 17, 16, 20, 15, 10, 45, 39, 22, 35, 49, 48]
EXPOSED += [44, 35, 43, 39, 34, 13, 73, 25, 27]
CONTROL = [16, 18, 18, 24, 19, 11, 10, 15, 16, 18, 18, 13, 19, 10, 16, 16, 24, 13, 9, 14, 21, 19, 7, 18]
CONTROL += [19, 12, 11, 22, 25, 16, 13, 11, 13]


def test_published_table_of_lead_in_childrens_blood():
    """Rosenbaum (2002), section 4.3.3: largest significance levels of the signed rank statistic, 527."""
    found = rosenbaum_bounds(
        EXPOSED, CONTROL, gammas=[1, 2, 3, 4, 4.25, 5], alternative="greater", method="normal"
    )
    assert found.value == 527
    assert (found.frame["p_high"].round(4)[1:] == [0.0018, 0.0136, 0.0388, 0.0468, 0.0740]).all()
    assert (found.frame["p_low"] < 1e-4).all()
    assert 4.25 < found.gamma_limit < 5


def test_binary_pairs_are_the_binomial_tail_of_discordant_pairs():
    """110 pairs in which the exposed had the event alone, 12 in which the partner had."""
    treated, control = np.repeat([1, 0, 1, 0], [110, 12, 7, 30]), np.repeat([0, 1, 1, 0], [110, 12, 7, 30])
    found = rosenbaum_bounds(treated, control, gammas=[1, 2, 4, 6], alternative="greater")
    assert (found.statistic, found.n_pairs, found.n_equal, found.value) == ("sign", 159, 37, 110)
    for _, row in found.frame.iterrows():
        assert row["p_high"] == pytest.approx(stats.binom.sf(109, 122, row["gamma"] / (1 + row["gamma"])))
        assert row["p_low"] == pytest.approx(stats.binom.sf(109, 122, 1 / (1 + row["gamma"])))


def counted(differences, gamma, *, keep_ranks):
    """Largest and smallest P(T >= t) over all confounders, by every assignment in the pairs."""
    d = np.asarray(differences, dtype=float)
    d = d if keep_ranks else d[d != 0]
    ranks = np.where(d != 0, stats.rankdata(np.abs(d)), 0)
    seen = ranks[d > 0].sum()
    ranks = ranks[ranks > 0]
    worst, best = 0.0, 1.0
    signs = np.array(list(product([0, 1], repeat=len(ranks))))
    extreme = signs @ ranks >= seen - 1e-9
    for high in product([False, True], repeat=len(ranks)):
        share = np.where(high, gamma / (1 + gamma), 1 / (1 + gamma))
        p = float(np.prod(np.where(signs == 1, share, 1 - share), axis=1)[extreme].sum())
        worst, best = max(worst, p), min(best, p)
    return best, worst


@pytest.mark.parametrize("keep_ranks", [True, False])
@pytest.mark.parametrize("gamma", [1.0, 1.7, 3.0])
def test_every_assignment_and_every_confounder_counted(gamma, keep_ranks):
    differences = [3, -1, 2, 2, 0, 5, -2, 4]  # ties and a pair without a difference
    found = rosenbaum_bounds(differences, gammas=[gamma], alternative="greater", keep_ranks=keep_ranks)
    best, worst = counted(differences, gamma, keep_ranks=keep_ranks)
    assert found.method == "exact"
    assert found.frame["p_low"][0] == pytest.approx(best)
    assert found.frame["p_high"][0] == pytest.approx(worst)


def test_without_bias_it_is_the_usual_test():
    rng = np.random.default_rng(4)
    d = rng.normal(0.3, 1, size=40)
    for alternative in ("two-sided", "greater", "less"):
        found = rosenbaum_bounds(d, gammas=[1], alternative=alternative).frame.loc[0]
        usual = stats.wilcoxon(d, alternative=alternative, method="exact").pvalue
        assert found["p_low"] == found["p_high"] == pytest.approx(usual)
    normal = rosenbaum_bounds(d, gammas=[1], method="normal").frame.loc[0, "p_high"]
    assert normal == pytest.approx(stats.wilcoxon(d, correction=False, method="approx").pvalue)


def test_sign_test_of_numbers_that_are_not_binary():
    d = np.array([1.0, 2, 3, 4, -5, 0])
    found = rosenbaum_bounds(d, statistic="sign", gammas=[1, 2], alternative="greater").frame
    assert found["p_high"][0] == pytest.approx(stats.binom.sf(3, 5, 0.5))
    assert found["p_high"][1] == pytest.approx(stats.binom.sf(3, 5, 2 / 3))


def test_hodges_lehmann_range_holds_the_estimate_and_widens():
    d = np.subtract(EXPOSED, CONTROL)
    frame = rosenbaum_bounds(d, gammas=[1, 2, 3]).frame
    i, j = np.triu_indices(len(d))
    assert frame.loc[0, "estimate_low"] == frame.loc[0, "estimate_high"] == np.median((d[i] + d[j]) / 2)
    assert frame["estimate_low"].is_monotonic_decreasing
    assert frame["estimate_high"].is_monotonic_increasing
    # at the ends the rank statistic of the shifted differences sits at its expectation
    for g, low in zip(frame["gamma"], frame["estimate_low"], strict=True):
        ranks = stats.rankdata(np.abs(d - low))
        shifted = ranks[d > low].sum() + 0.5 * ranks[d == low].sum()
        assert shifted == pytest.approx(g / (1 + g) * ranks.sum(), abs=len(d))


def test_limit_is_where_the_largest_p_value_passes_alpha():
    found = rosenbaum_bounds(EXPOSED, CONTROL, alternative="greater", alpha=0.01)
    at = rosenbaum_bounds(EXPOSED, CONTROL, gammas=[found.gamma_limit], alternative="greater")
    assert at.frame["p_high"][0] == pytest.approx(0.01, rel=1e-6)
    assert np.isnan(rosenbaum_bounds([1, -1.5, 2, -2.5]).gamma_limit)


def test_amplification_solves_its_equation():
    found = rosenbaum_bounds(EXPOSED, CONTROL, alternative="greater")
    made = found.amplification([5, 6, 10])
    product_, total = made.prod(axis=1), made.sum(axis=1)
    np.testing.assert_allclose((product_ + 1) / total, found.gamma_limit)


def test_missing_pairs_and_refusals():
    found = rosenbaum_bounds([1, 2, np.nan, 5], [0, 0.5, 1, 1])
    assert (found.n_pairs, found.n_equal) == (3, 0)
    with pytest.raises(SpecError, match="one length"):
        rosenbaum_bounds([1, 2], [1])
    with pytest.raises(SpecError, match="from 1"):
        rosenbaum_bounds([1, 2], gammas=[0.5])
    with pytest.raises(SpecError, match="Did you mean 'greater'"):
        rosenbaum_bounds([1, 2], alternative="great")
    with pytest.raises(DesignError, match="None of the 2 complete pairs"):
        rosenbaum_bounds([1, 2], [1, 2])


def test_words():
    found = rosenbaum_bounds(EXPOSED, CONTROL, alternative="greater")
    assert "at most 4" in found.text("en")
    assert "{" not in found.text("da") + rosenbaum_bounds([1, -1.5, 2, -2.5]).text("da")


def test_text_among_the_numbers_is_refused_without_being_quoted():
    with pytest.raises(DesignError, match="treated must hold numbers only") as seen:
        rosenbaum_bounds(["Secret Jensen", 1.0], [0.0, 1.0])
    assert "Jensen" not in str(seen.value)
    assert seen.value.__suppress_context__  # the failed conversion quotes the text
