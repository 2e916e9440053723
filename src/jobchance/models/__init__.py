"""One file per family of estimators; each returns a `Fit`."""
