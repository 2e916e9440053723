import numba
import pytest

from jobchance.numerics.mixed.jit import njit


def test_kernels_are_cached():
    @njit
    def double(x):
        return 2.0 * x

    assert double(1.5) == 3.0
    assert double.targetoptions["nogil"]


def test_without_a_place_for_the_cache_kernels_still_compile(monkeypatch):
    """Numba raises at decoration where neither the package's folder nor the user's can be written to."""
    real = numba.njit

    def refusing(*arguments, **options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(*arguments, **options)

    monkeypatch.setattr(numba, "njit", refusing)

    @njit
    def ratio(x, y):
        return x / y

    assert ratio(1.0, 4.0) == 0.25
    assert ratio(1.0, 0.0) == pytest.approx(float("inf"))
