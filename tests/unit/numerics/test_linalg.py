import numpy as np

from jobchance.numerics.linalg import independent_columns


def test_later_columns_go():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    X = np.column_stack([a, b, a + b, a - 3 * b, rng.normal(size=50), np.zeros(50)])
    assert independent_columns(X).tolist() == [0, 1, 4]


def test_a_dependent_column_does_not_hide_a_later_one():
    X = np.column_stack([np.ones(3), np.ones(3), [1.0, 0, 0], [0, 1.0, 0]])
    assert independent_columns(X).tolist() == [0, 2, 3]


def test_units_do_not_matter():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 4)) * np.array([1e-90, 1.0, 1e90, 1e3])
    assert independent_columns(X).tolist() == [0, 1, 2, 3]


def test_a_year_beside_the_intercept_is_kept():
    X = np.column_stack([np.ones(100), 2000 + np.arange(100) % 10])
    assert independent_columns(X).tolist() == [0, 1]


def test_more_columns_than_rows():
    X = np.random.default_rng(2).normal(size=(3, 6))
    assert independent_columns(X).tolist() == [0, 1, 2]
