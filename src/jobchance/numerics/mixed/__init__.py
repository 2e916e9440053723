"""Likelihood engine of models with random effects: row kernels, factorisation, search, quadrature."""
