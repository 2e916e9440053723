"""From a study to one row per citizen and wave, with the outcome strictly after the measurement."""
