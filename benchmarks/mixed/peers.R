# One peer in R, in a fresh process: Rscript peers.R ENGINE MODEL FOLDER OUT THREADS WARM_BELOW
# Appends one JSON line to OUT per stage: "loaded", "first" call, "warm" call (same process, if the first
# took less than WARM_BELOW seconds). Settings are those of README.md.
args <- commandArgs(trailingOnly = TRUE)
engine <- sub("_blas$", "", args[1]) # another BLAS is loaded by run.py
model <- args[2]
folder <- args[3]
out <- args[4]
threads <- as.integer(args[5])
warm_below <- as.numeric(args[6])
package <- c(lmer = "lme4", glmer = "lme4", clmm = "ordinal", glmmTMB = "glmmTMB")[[engine]]
suppressPackageStartupMessages({
  library(jsonlite)
  library(package, character.only = TRUE)
})

memory_mb <- function(what) {
  line <- grep(what, readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

report <- function(...) cat(toJSON(list(...), auto_unbox = TRUE, digits = NA), "\n", file = out, append = TRUE)

read_panel <- function(folder) {
  described <- fromJSON(file.path(folder, "columns.json"))
  read_column <- function(name) {
    kind <- if (described$columns[[name]] == "f8") "double" else "integer"
    readBin(file.path(folder, paste0(name, ".bin")), kind, described$n_rows, endian = "little")
  }
  names <- names(described$columns)
  data <- as.data.frame(lapply(setNames(names, names), read_column))
  for (group in c("citizen", "caseworker", "jobcentre")) data[[group]] <- factor(data[[group]])
  data$belief <- ordered(data$belief)
  data
}

outcome <- c(linear = "hours", logit = "job", ordinal = "belief")[[model]]
formula <- as.formula(paste(
  outcome, "~ age + female + wave + meetings + (1 | citizen) + (1 | caseworker) + (1 | jobcentre)"
))

# From the formula to standard errors and variance components.
fit <- switch(engine,
  lmer = function(data) lmer(formula, data, control = lmerControl(calc.derivs = FALSE)),
  glmer = function(data) glmer(formula, data, family = binomial, control = glmerControl(optimizer = "nloptwrap")),
  clmm = function(data) clmm(formula, data = data),
  glmmTMB = function(data) {
    control <- glmmTMBControl(parallel = threads)
    family <- if (model == "linear") gaussian() else binomial()
    glmmTMB(formula, data, family = family, REML = model == "linear", control = control)
  }
)
read_off <- switch(engine,
  glmmTMB = function(m) {
    list(
      beta = fixef(m)$cond, cov = vcov(m)$cond,
      sd = sapply(VarCorr(m)$cond, function(part) attr(part, "stddev")[[1]])
    )
  },
  clmm = function(m) list(beta = coef(m), cov = vcov(m), sd = sapply(VarCorr(m), function(v) sqrt(v[1, 1]))),
  function(m) list(beta = fixef(m), cov = vcov(m), sd = sapply(VarCorr(m), attr, "stddev"))
)
has_converged <- function(m) {
  switch(engine,
    clmm = m$optRes$convergence == 0,
    glmmTMB = m$fit$convergence == 0,
    !any(!grepl("singular", m@optinfo$conv$lme4$messages)) # a variance of zero is a result
  )
}

call_once <- function(stage) {
  seconds <- system.time({
    m <- fit(data)
    parts <- read_off(m)
  })[["elapsed"]]
  names(parts$sd) <- sub("[.].*", "", names(parts$sd))
  report(
    stage = stage, seconds = seconds, peak_mb = memory_mb("VmHWM"), loglik = as.numeric(logLik(m)),
    sd_citizen = parts$sd[["citizen"]], sd_caseworker = parts$sd[["caseworker"]],
    sd_jobcentre = parts$sd[["jobcentre"]], beta_age = parts$beta[["age"]],
    se_age = sqrt(as.matrix(parts$cov)["age", "age"]), converged = has_converged(m)
  )
  seconds
}

data <- read_panel(folder)
invisible(gc())
report(
  stage = "loaded", base_mb = memory_mb("VmRSS"), n_rows = nrow(data),
  version = as.character(packageVersion(package)), blas = basename(extSoftVersion()[["BLAS"]])
)
if (call_once("first") < warm_below) invisible(call_once("warm"))
