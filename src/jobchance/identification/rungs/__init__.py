"""The rungs of the evidence ladder: each runs one design on the panel and fills in one line and one card."""
