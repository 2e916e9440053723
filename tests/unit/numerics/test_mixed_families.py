"""The row kernels against the definitions evaluated with hundreds of decimal digits."""

from decimal import Decimal, getcontext, localcontext
from functools import cache

import numpy as np
import pytest
from scipy import stats

from jobchance.errors import SpecError
from jobchance.numerics.mixed import families as f

NONE = np.empty(0)
LINKS = ("logit", "probit", "cloglog")
BINARY = (f.BINOMIAL_LOGIT, f.BINOMIAL_PROBIT, f.BINOMIAL_CLOGLOG)
ORDINAL = (f.ORDINAL_LOGIT, f.ORDINAL_PROBIT, f.ORDINAL_CLOGLOG)
FARTHEST = {"logit": 700.0, "probit": 40.0, "cloglog": 30.0}
STEP = Decimal("1e-20")
getcontext().Emin, getcontext().Emax = -(10**17), 10**17


@cache
def pi(digits: int) -> Decimal:
    """Machin's formula."""

    def arctan_inverse(n: int) -> Decimal:
        term = total = Decimal(1) / n
        k = 1
        while abs(term) > Decimal(10) ** -digits:
            term = -term / (n * n)
            k += 2
            total += term / k
        return total

    return 16 * arctan_inverse(5) - 4 * arctan_inverse(239)


def normal_cdf(t: Decimal, digits: int) -> Decimal:
    """Phi(t) = 1/2 + phi(t) (t + t^3/3 + t^5/15 + ...)."""
    term = total = t
    k = 1
    while abs(term) > abs(total) * Decimal(10) ** -digits:
        k += 2
        term = term * t * t / k
        total += term
    return Decimal("0.5") + (-t * t / 2).exp() * total / (2 * pi(digits)).sqrt()


@cache
def survival(link: str, t: Decimal, digits: int) -> Decimal:
    """1 - F(t)."""
    if link == "logit":
        return 1 / (1 + t.exp())
    if link == "cloglog":
        return (-t.exp()).exp()
    return normal_cdf(-t, digits)


def log_probability(link: str, a: Decimal | None, b: Decimal | None) -> Decimal:
    digits = getcontext().prec
    upper = Decimal(0) if a is None else survival(link, a, digits)
    lower = Decimal(1) if b is None else survival(link, b, digits)
    return (lower - upper).ln()


def digits_needed(link: str, a: Decimal | None, b: Decimal | None) -> int:
    """A hundred digits, and those that differences of probabilities near 1 lose."""
    farthest = max(abs(float(t)) for t in (a, b) if t is not None)
    lost = farthest**2 / 2 if link == "probit" else farthest
    if link == "cloglog" and b is None:  # 1 - exp(-e^a), doubly near 1
        lost += min(np.exp(float(a)), 1000.0)
    return 130 + int(lost)


def differences(function, h: Decimal) -> list[float]:
    """Value and first three derivatives at 0; the step is so small that only the digits limit it."""
    low2, low, mid, high, high2 = (function(steps * h) for steps in (-2, -1, 0, 1, 2))
    second = (high - 2 * mid + low) / h**2
    third = (high2 - 2 * high + 2 * low - low2) / (2 * h**3)
    return [float(mid), float((high - low) / (2 * h)), float(second), float(third)]


def exact(link: str, eta: float, a: float | None, b: float | None) -> dict[str, float]:
    """All quantities of the contract for thresholds `a`, `b` (None = no such threshold)."""
    with localcontext() as context:
        step = STEP
        context.prec = 60
        at = [None if t is None else Decimal(t) - Decimal(eta) for t in (a, b)]
        context.prec = digits_needed(link, *at)

        def loglik(da, db):
            moved = (None if t is None else t + by for t, by in zip(at, (da, db), strict=True))
            return log_probability(link, *moved)

        value, r, minus_W, minus_W1 = differences(lambda s: loglik(-s, -s), step)
        out = {"l": value, "r": r, "W": -minus_W, "W1": -minus_W1}
        for side, present in (("a", a is not None), ("b", b is not None)):
            out |= dict.fromkeys((f"l{side}", f"r{side}", f"w{side}"), 0.0)
            if not present:
                continue

            def moved(t, s, side=side):
                return loglik(t - s, -s) if side == "a" else loglik(-s, t - s)

            zero = Decimal(0)
            out[f"l{side}"] = float((moved(step, zero) - moved(-step, zero)) / (2 * step))
            first = [(moved(t, step) - moved(t, -step)) / (2 * step) for t in (step, -step)]
            out[f"r{side}"] = float((first[0] - first[1]) / (2 * step))
            second = [
                (moved(t, step) - 2 * moved(t, zero) + moved(t, -step)) / step**2 for t in (step, -step)
            ]
            out[f"w{side}"] = float(-(second[0] - second[1]) / (2 * step))
        return out


def kernels(family: int, eta, y, w, alpha) -> dict[str, np.ndarray]:
    eta, y, w = (np.atleast_1d(np.asarray(v, float)) for v in (eta, y, w))
    r, W, W1 = (np.full(len(eta), np.nan) for _ in range(3))
    f.derivatives3(family, eta, y, w, alpha, r, W, W1)
    loglik = np.array([f.row_loglik(family, *row, alpha) for row in zip(eta, y, w, strict=True)])
    out = {"l": loglik, "r": r, "W": W, "W1": W1}
    if family in ORDINAL:
        rest = [np.full(len(eta), np.nan) for _ in range(6)]
        f.threshold_derivatives(family, eta, y, alpha, w, *rest)
        out |= dict(zip(("la", "lb", "ra", "rb", "wa", "wb"), rest, strict=True))
    return out


def check(got: dict[str, np.ndarray], want: dict[str, float], *, rel: float = 1e-10, tiny: float = 1e-300):
    assert {name: float(got[name][0]) for name in want} == pytest.approx(want, rel=rel, abs=tiny)


def ends(y: float, alpha) -> tuple[float | None, float | None]:
    k = int(y)
    return (alpha[k] if k < len(alpha) else None), (alpha[k - 1] if k > 0 else None)


def exact_binary(link: str, eta: float, y: float) -> dict[str, float]:
    """P(Y = 1) = F(eta): below eta for y = 1, above it for y = 0; thresholds of 0 and a predictor of -eta."""
    mirror = exact(link, -eta, *((0.0, None) if y == 1.0 else (None, 0.0)))
    return {"l": mirror["l"], "r": -mirror["r"], "W": mirror["W"], "W1": -mirror["W1"]}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_binary_rows_match_the_definition(link, y):
    for eta in (-5.5, -4.1, -3.9, -2.0, -0.3, 0.0, 0.7, 2.5, 3.6, 5.0):
        got = kernels(BINARY[LINKS.index(link)], eta, y, 1.0, NONE)
        check(got, exact_binary(link, eta, y), tiny=1e-17)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_binary_tails_match_the_definition(link, y):
    for eta in (-FARTHEST[link], -FARTHEST[link] / 3, FARTHEST[link] / 3, FARTHEST[link]):
        got = kernels(BINARY[LINKS.index(link)], eta, y, 1.0, NONE)
        check(got, exact_binary(link, eta, y))


ROWS = [
    (0.0, (-1.2, 0.1, 1.7)),
    (1.0, (-1.2, 0.1, 1.7)),
    (2.0, (-1.2, 0.1, 1.7)),
    (3.0, (-1.2, 0.1, 1.7)),
    (1.0, (-0.2, 0.2, 1.7)),
    (1.0, (0.3, 0.3 + 2.0**-10, 1.7)),
    (1.0, (-3.0, 4.0)),
]


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("y", "alpha"), ROWS)
def test_ordinal_rows_match_the_definition(link, y, alpha):
    for eta in (-5.8, -2.7, -0.4, 0.0, 1.3, 2.4, 4.5):
        got = kernels(ORDINAL[LINKS.index(link)], eta, y, 1.0, np.array(alpha))
        check(got, exact(link, eta, *ends(y, alpha)), tiny=1e-14)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("y", "alpha"), ROWS)
def test_ordinal_tails_match_the_definition(link, y, alpha):
    # whole numbers of 1/1024, so that thresholds minus eta are exact and the kernel alone is tested
    grid = np.round(np.array(alpha) * 2**10) / 2**10
    for eta in (-FARTHEST[link], -FARTHEST[link] / 4, FARTHEST[link] / 4, FARTHEST[link]):
        got = kernels(ORDINAL[LINKS.index(link)], eta, y, 1.0, grid)
        check(got, exact(link, eta, *ends(y, grid)), tiny=1e-250)


@pytest.mark.parametrize("link", LINKS)
def test_adjacent_thresholds_a_hundred_millionth_apart(link):
    alpha = np.array([0.5, 0.5 + 2.0**-27])
    far = FARTHEST[link]
    for eta in (-far, -2.0, 0.25, 0.75, 3.0, far):
        got = kernels(ORDINAL[LINKS.index(link)], eta, 1.0, 1.0, alpha)
        check(got, exact(link, eta, *ends(1.0, alpha)), rel=1e-9, tiny=1e-15)


@pytest.mark.parametrize("link", LINKS)
def test_two_ordered_levels_are_the_binary_model(link):
    eta = np.linspace(-6.0, 6.0, 61)
    y = (np.arange(61) % 3 == 0).astype(float)
    w = np.linspace(0.5, 2.0, 61)
    ordinal = kernels(ORDINAL[LINKS.index(link)], eta, y, w, np.array([0.7]))
    # P(Y <= 0) = F(0.7 - eta): level 0 is the success of a binary outcome with predictor 0.7 - eta
    binary = kernels(BINARY[LINKS.index(link)], 0.7 - eta, 1.0 - y, w, NONE)
    for name, sign in (("l", 1.0), ("r", -1.0), ("W", 1.0), ("W1", -1.0)):
        np.testing.assert_allclose(ordinal[name], sign * binary[name], rtol=1e-12)
    if link != "cloglog":  # symmetric laws: the intercept is minus the threshold
        binary = kernels(BINARY[LINKS.index(link)], eta - 0.7, y, w, NONE)
        for name in ("l", "r", "W", "W1"):
            np.testing.assert_allclose(ordinal[name], binary[name], rtol=1e-12)


@pytest.mark.parametrize("link", LINKS)
def test_a_share_is_the_sum_of_its_trials(link):
    family = BINARY[LINKS.index(link)]
    for eta in (-3.0, -0.2, 0.0, 1.1, 2.6):
        yes, no = (kernels(family, eta, y, 1.0, NONE) for y in (1.0, 0.0))
        for successes, trials in ((3, 8), (0, 8), (8, 8)):
            got = kernels(family, eta, successes / trials, trials, NONE)
            for name in got:
                want = successes * yes[name] + (trials - successes) * no[name]
                np.testing.assert_allclose(got[name], want, rtol=1e-12, atol=1e-15)


def test_grouped_loglik_with_its_constant_is_the_binomial_density():
    trials, successes, eta = np.array([8.0, 5.0, 1.0]), np.array([3.0, 5.0, 0.0]), np.array([-0.4, 1.2, 0.3])
    got = f.total_loglik(f.BINOMIAL_LOGIT, eta, successes / trials, trials, NONE)
    got += f.loglik_constant(f.BINOMIAL_LOGIT, successes / trials, trials)
    want = stats.binom.logpmf(successes, trials, 1 / (1 + np.exp(-eta))).sum()
    assert got == pytest.approx(want, rel=1e-13)


def test_poisson_rows_with_the_constant_are_the_poisson_density():
    eta, y, w = np.array([-2.0, 0.3, 1.9]), np.array([0.0, 3.0, 5.0]), np.array([1.0, 2.0, 0.5])
    got = f.total_loglik(f.POISSON_LOG, eta, y, w, NONE) + f.loglik_constant(f.POISSON_LOG, y, w)
    assert got == pytest.approx(w @ stats.poisson.logpmf(y, np.exp(eta)), rel=1e-13)
    rows = kernels(f.POISSON_LOG, eta, y, w, NONE)
    np.testing.assert_allclose(rows["r"], w * (y - np.exp(eta)), rtol=1e-13)
    np.testing.assert_allclose(rows["W"], w * np.exp(eta), rtol=1e-13)
    np.testing.assert_allclose(rows["W1"], w * np.exp(eta), rtol=1e-13)


def test_ordinal_constant_is_zero():
    assert f.loglik_constant(f.ORDINAL_PROBIT, np.array([0.0, 2.0]), np.ones(2)) == 0.0


def sample(family: int, n: int = 1500, spread: float = 2.0):
    rng = np.random.default_rng(family)
    alpha = np.array([-1.0, -0.9, 0.4, 2.0]) if family in ORDINAL else NONE
    top = 5 if family in ORDINAL or family == f.POISSON_LOG else 2
    return rng.normal(0.0, spread, n), rng.integers(0, top, n).astype(float), alpha


@pytest.mark.parametrize("family", range(7))
@pytest.mark.parametrize("weighted", [False, True])
def test_passes_agree_with_the_rows_and_with_each_other(family, weighted):
    eta, y, alpha = sample(family)
    w = np.random.default_rng(9).uniform(0.2, 3.0, len(eta)) if weighted else np.ones(len(eta))
    rows = kernels(family, eta, y, w, alpha)
    want = float(np.sum(rows["l"]))
    r, W, r2, W2 = (np.full(len(eta), np.nan) for _ in range(4))
    assert f.fused(family, eta, y, w, alpha, r, W) == pytest.approx(want, rel=1e-13)
    assert f.total_loglik(family, eta, y, w, alpha) == pytest.approx(want, rel=1e-13)
    f.derivatives(family, eta, y, w, alpha, r2, W2)
    for got, name in ((r, "r"), (r2, "r"), (W, "W"), (W2, "W")):
        np.testing.assert_allclose(got, rows[name], rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("family", range(7))
def test_a_weight_counts_the_row_so_many_times(family):
    eta, y, alpha = sample(family, 50)
    once, thrice = (kernels(family, eta, y, np.full(50, w), alpha) for w in (1.0, 3.0))
    for name in once:
        np.testing.assert_allclose(thrice[name], 3.0 * once[name], rtol=1e-13)


@pytest.mark.parametrize("family", ORDINAL)
def test_moving_eta_is_moving_both_thresholds_back(family):
    eta, y, alpha = sample(family, 500)
    rows = kernels(family, eta, y, np.ones(500), alpha)
    for whole, upper, lower, sign in (("r", "la", "lb", -1), ("W", "ra", "rb", 1), ("W1", "wa", "wb", -1)):
        np.testing.assert_allclose(sign * (rows[upper] + rows[lower]), rows[whole], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("family", [*BINARY, *ORDINAL])
def test_no_row_of_the_whole_range_is_lost(family):
    far = FARTHEST[LINKS[family % 4 if family in ORDINAL else family]]
    eta = np.r_[np.linspace(-far, far, 4001), [-1e-300, 1e-300]]
    alpha = np.array([-far / 2, -1.0, -1.0 + 1e-8, 0.0, 9.0, far / 2]) if family in ORDINAL else NONE
    for y in range(len(alpha) + 1) if family in ORDINAL else (0.0, 0.3, 1.0):
        rows = kernels(family, eta, np.full(len(eta), float(y)), np.ones(len(eta)), alpha)
        assert all(np.isfinite(values).all() for values in rows.values())
        assert (rows["W"] >= 0.0).all()
        assert (rows["l"] <= 0.0).all()
        if family in ORDINAL:
            assert (rows["ra"] >= 0.0).all()
            assert (rows["rb"] >= 0.0).all()


@pytest.mark.parametrize("family", ORDINAL)
@pytest.mark.parametrize("upper", [1.0, 0.5])
def test_thresholds_that_do_not_increase_have_no_likelihood(family, upper):
    alpha = np.array([1.0, upper])
    eta, y, w = np.zeros(3), np.array([0.0, 1.0, 2.0]), np.ones(3)
    assert f.total_loglik(family, eta, y, w, alpha) == -np.inf
    assert f.row_loglik(family, 0.0, 1.0, 1.0, alpha) == -np.inf


def test_codes_and_default_links():
    codes = [f.family_code(family, link) for family, links in f.LINKS_OF.items() for link in links]
    assert codes == list(range(7))
    assert f.family_code("ordinal", "cloglog") == f.ORDINAL_CLOGLOG
    assert f.family_code("binomial") == f.BINOMIAL_LOGIT
    assert f.family_code("poisson", None) == f.POISSON_LOG


@pytest.mark.parametrize(
    ("family", "link", "words"), [("gamma", None, "family"), ("poisson", "logit", "log")]
)
def test_unknown_family_or_link_is_refused(family, link, words):
    with pytest.raises(SpecError, match=words):
        f.family_code(family, link)
