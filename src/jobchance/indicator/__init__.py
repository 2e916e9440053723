"""Measurement: scores of scales, the caseworker's general optimism, agreement of raters."""
