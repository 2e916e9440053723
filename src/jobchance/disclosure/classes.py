"""The vocabulary of output classes, after the statistical barns of the acro project's ontology."""

CLASSES = (
    "Frequencies",
    "LinearAggregations",
    "Position",
    "Endpoints",
    "Mode",
    "CorrelationCoefficients",
    "CalculatedRatios",
    "HazardSurvivalTables",
    "Clusters",
    "LinkedMultilevelTables",
    "NonLinearConcentrationRatios",
    "GiniCoefficient",
)
