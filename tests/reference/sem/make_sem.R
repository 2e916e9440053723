# Cross-lagged panel models by lavaan on simulated panels: panel_complete.csv, panel_missing.csv -> sem.json.
# Run in this folder: Rscript make_sem.R
library(lavaan)
library(jsonlite)

set.seed(20240607)
n <- 300; T <- 4
draw <- function() {
  xi <- rnorm(n, sd = 0.8); eta <- 0.5 * xi + rnorm(n, sd = 0.6)
  wx <- matrix(0, n, T); wy <- matrix(0, n, T)
  # Skewed disturbances, so that robust and model standard errors differ.
  e <- function() (rexp(n) - 1) * 0.9
  wx[, 1] <- e(); wy[, 1] <- 0.3 * wx[, 1] + e()
  for (t in 2:T) {
    wx[, t] <- 0.35 * wx[, t - 1] + 0.05 * wy[, t - 1] + e()
    wy[, t] <- 0.25 * wx[, t - 1] + 0.30 * wy[, t - 1] + 0.2 * wx[, t] + e()
  }
  d <- data.frame(wx + xi + 1, wy + eta + 2)
  names(d) <- c(paste0("x", 1:T), paste0("y", 1:T))
  round(d, 4)
}
complete <- draw()
holes <- draw()
# Drop-out that depends on what was seen, and holes anywhere.
for (t in 2:T) {
  gone <- holes[[paste0("y", t - 1)]]
  out <- is.na(gone) | runif(n) < plogis(-2.5 + 0.5 * gone)
  holes[out, c(paste0("x", t:T), paste0("y", t:T))] <- NA
}
holes$x1[sample(n, 20)] <- NA
holes$y2[sample(n, 15)] <- NA
holes <- holes[rowSums(!is.na(holes)) > 0, ]
write.csv(complete, "panel_complete.csv", row.names = FALSE)
write.csv(holes, "panel_missing.csv", row.names = FALSE)

model <- function(ri, lags, means = "free", residuals = "free") {
  w <- if (ri) "w" else ""
  lines <- character()
  if (ri) {
    lines <- c(lines,
      paste("RIx =~", paste0("1*x", 1:T, collapse = " + ")), paste("RIy =~", paste0("1*y", 1:T, collapse = " + ")),
      "RIx ~~ RIx + RIy", "RIy ~~ RIy",
      paste0("wx", 1:T, " =~ 1*x", 1:T), paste0("wy", 1:T, " =~ 1*y", 1:T),
      paste0("x", 1:T, " ~~ 0*x", 1:T), paste0("y", 1:T, " ~~ 0*y", 1:T))
  }
  lab <- function(name, t) if (lags == "equal") paste0(name, "*") else ""
  for (t in 2:T) {
    lines <- c(lines,
      sprintf("%sx%d ~ %s%sx%d + %s%sy%d", w, t, lab("xx", t), w, t - 1, lab("xy", t), w, t - 1),
      sprintf("%sy%d ~ %s%sx%d + %s%sy%d", w, t, lab("yx", t), w, t - 1, lab("yy", t), w, t - 1))
  }
  for (t in 1:T) {
    r <- function(name) if (residuals == "equal" && t > 1) paste0(name, "*") else ""
    lines <- c(lines,
      sprintf("%sx%d ~~ %s%sx%d", w, t, r("vx"), w, t), sprintf("%sy%d ~~ %s%sy%d", w, t, r("vy"), w, t),
      sprintf("%sx%d ~~ %s%sy%d", w, t, r("vxy"), w, t))
    m <- function(name) if (means == "equal") paste0(name, "*") else ""
    lines <- c(lines, sprintf("x%d ~ %s1", t, m("mx")), sprintf("y%d ~ %s1", t, m("my")))
  }
  paste(lines, collapse = "\n")
}

measures <- c("chisq", "df", "pvalue", "cfi", "tli", "rmsea", "rmsea.ci.lower", "rmsea.ci.upper", "srmr", "logl",
              "unrestricted.logl", "baseline.chisq")
result <- function(data, ri, lags, means = "free", residuals = "free", missing = "listwise", estimator = "ML") {
  run <- function(tol, ...) {
    lavaan(model(ri, lags, means, residuals), data = data, missing = missing, estimator = estimator,
           meanstructure = TRUE, orthogonal = TRUE, control = list(rel.tol = tol, iter.max = 10000), ...)
  }
  measured <- fit <- run(1e-10, em.h1.tol = 1e-12, em.h1.iter.max = 20000)
  # Again from where the search stopped, which brings it nearer to the optimum; a smaller tolerance does not.
  for (i in 1:3) fit <- run(1e-10, start = fit, baseline = FALSE)
  stopifnot(lavInspect(measured, "converged"), lavInspect(fit, "converged"))
  p <- parameterEstimates(fit)
  p <- p[!is.na(p$se) & p$se > 0, ]
  key <- if (any(p$label != "")) ifelse(p$label == "", paste0(p$lhs, p$op, p$rhs), p$label) else paste0(p$lhs, p$op, p$rhs)
  once <- !duplicated(key)
  s <- standardizedSolution(fit)
  s <- s[s$op == "~" | (s$op == "~~" & s$lhs != s$rhs), ]
  s <- s[!is.na(s$se) & s$se > 0, ]
  out <- list(
    estimate = as.list(setNames(p$est[once], key[once])), se = as.list(setNames(p$se[once], key[once])),
    standardised = as.list(setNames(s$est.std, paste0(s$lhs, s$op, s$rhs))),
    standardised_se = as.list(setNames(s$se, paste0(s$lhs, s$op, s$rhs))),
    measures = as.list(fitMeasures(measured, measures)))
  if (estimator == "MLR") {
    out$measures$chisq.scaling.factor <- unname(fitMeasures(measured, "chisq.scaling.factor"))
  }
  list(out = out, fit = measured)
}

runs <- list(
  riclpm_free = list(complete, TRUE, "free"),
  riclpm_equal = list(complete, TRUE, "equal"),
  riclpm_all_equal = list(complete, TRUE, "equal", means = "equal", residuals = "equal"),
  riclpm_robust = list(complete, TRUE, "free", estimator = "MLR"),
  clpm_free = list(complete, FALSE, "free"),
  clpm_equal = list(complete, FALSE, "equal"),
  riclpm_listwise = list(holes, TRUE, "equal"),
  riclpm_fiml_free = list(holes, TRUE, "free", missing = "fiml"),
  riclpm_fiml_equal = list(holes, TRUE, "equal", missing = "fiml"),
  riclpm_fiml_robust = list(holes, TRUE, "free", missing = "fiml", estimator = "MLR"),
  riclpm_fiml_equal_robust = list(holes, TRUE, "equal", missing = "fiml", estimator = "MLR"),
  clpm_fiml_free = list(holes, FALSE, "free", missing = "fiml"))
made <- lapply(runs, function(a) do.call(result, a))
compared <- lavTestLRT(made$riclpm_fiml_robust$fit, made$riclpm_fiml_equal_robust$fit, method = "satorra.bentler.2001")
out <- lapply(made, `[[`, "out")
out$scaled_difference <- list(statistic = compared[2, "Chisq diff"], df = compared[2, "Df diff"])
# Two waves with 25 clusters.
grouped <- transform(complete, site = (seq_len(n) - 1) %% 25)
two <- sem("x2 + y2 ~ x1 + y1\n x2 ~~ y2\n x1 ~~ x1 + y1\n y1 ~~ y1", data = grouped, cluster = "site", estimator = "MLR",
           meanstructure = TRUE)
p <- subset(parameterEstimates(two), op != "~1")
out$clustered <- as.list(setNames(p$se, paste0(p$lhs, p$op, p$rhs)))
out$lavaan <- as.character(packageVersion("lavaan"))
write_json(out, "sem.json", auto_unbox = TRUE, digits = 12, pretty = 1)
