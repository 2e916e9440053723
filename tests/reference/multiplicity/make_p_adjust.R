# Adjusted p-values of R's stats::p.adjust, for tests/reference/test_multiplicity_reference.py
library(jsonlite)
p <- c(0.01, 0.0402, 0.003, 0.2, 0.0402, 0.9, 0.00001, 0.049, 0.5)
methods <- c("holm", "hochberg", "bonferroni", "BH", "BY")
out <- lapply(methods, function(m) p.adjust(p, method = m))
names(out) <- tolower(methods)
write_json(list(software = R.version.string, p = p, adjusted = out), "p_adjust.json", digits = 15, pretty = TRUE, auto_unbox = TRUE)
