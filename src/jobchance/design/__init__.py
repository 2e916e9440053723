"""Formulas to matrices: our own grammar, which evaluates no code, and remembered coding for new data."""
