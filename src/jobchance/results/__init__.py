"""What every estimator hands back: `Fit`, its parts, and the ways to read, print and store it.

Results know nothing about estimators: a model fills in the parts, everything else is done here once.
"""
