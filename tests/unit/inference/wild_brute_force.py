"""A wild bootstrap by refitting: dummy variables for absorbed effects, one regression for each draw."""

import numpy as np
import pandas as pd

from jobchance.numerics.wild_weights import weight_blocks


def dummies(*factors):
    """Independent dummy variables of all levels of all factors."""
    D = np.column_stack([pd.get_dummies(f, dtype=float).to_numpy() for f in factors])
    keep = []
    for j in range(D.shape[1]):
        if np.linalg.matrix_rank(D[:, [*keep, j]]) == len(keep) + 1:
            keep.append(j)
    return D[:, keep]


def sums(values, codes):
    return np.array([values[codes == c].sum(axis=0) for c in np.unique(codes)])


def variance(B, scores, terms):
    return sum(f * (B @ sums(scores, c).T @ sums(scores, c) @ B) for c, f in terms)


def ols_t(X, y, place, null, terms):
    """t of one coefficient; `terms` are pairs of codes and signed factor."""
    B = np.linalg.inv(X.T @ X)
    beta = B @ X.T @ y
    V = variance(B, X * (y - X @ beta)[:, None], terms)[place, place]
    return (beta[place] - null) / np.sqrt(V) if V > 0 else np.nan


def wild_ols(X, y, place, terms, outer, *, weights, draws, seed, null=0.0, restricted=True):
    """t of the data and of every draw."""
    if restricted:
        others = np.delete(X, place, axis=1)
        left = y - null * X[:, place]
        fitted = others @ np.linalg.lstsq(others, left, rcond=None)[0]
        u, mean, centre = left - fitted, fitted + null * X[:, place], null
    else:
        beta = np.linalg.lstsq(X, y, rcond=None)[0]
        u, mean, centre = y - X @ beta, X @ beta, beta[place]
    blocks = weight_blocks(weights, outer.max() + 1, draws, seed)
    stars = [ols_t(X, mean + u * v[outer], place, centre, terms) for block in blocks for v in block.T]
    return ols_t(X, y, place, null, terms), np.array(stars)


def iv_t(W, x, Z, y, null, terms):
    """t of the endogenous variable by two-stage least squares."""
    X, all_z = np.column_stack([x, W]), np.column_stack([Z, W])
    hat = all_z @ np.linalg.lstsq(all_z, X, rcond=None)[0]
    B = np.linalg.inv(hat.T @ hat)
    beta = B @ hat.T @ y
    V = variance(B, hat * (y - X @ beta)[:, None], terms)[0, 0]
    return (beta[0] - null) / np.sqrt(V) if V > 0 else np.nan


def wild_iv(W, x, Z, y, terms, outer, *, weights, draws, seed, null=0.0):
    """Restricted efficient: t of the data and of every draw."""
    left = y - null * x
    under = W @ np.linalg.lstsq(W, left, rcond=None)[0]
    u = left - under
    first = np.column_stack([Z, W, u])
    coefficients = np.linalg.lstsq(first, x, rcond=None)[0]
    mean = first[:, :-1] @ coefficients[:-1]
    v = x - mean
    stars = []
    for block in weight_blocks(weights, outer.max() + 1, draws, seed):
        for w in block.T:
            x_star = mean + v * w[outer]
            stars.append(iv_t(W, x_star, Z, null * x_star + under + u * w[outer], null, terms))
    return iv_t(W, x, Z, y, null, terms), np.array(stars)
