"""Designs made of models: what identifies an effect of belief, what only predicts, and what must hold."""
