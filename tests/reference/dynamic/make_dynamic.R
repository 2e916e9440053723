# Numbers of plm::pgmm that test_dynamic_panel_reference.py compares with. Run:
#   Rscript make_dynamic.R <folder with empluk.csv, wage_cornwell_rupert.csv, grunfeld.csv>
# R 4.2.2, plm 2.6-2. Output: dynamic_pgmm.json beside this script's working directory.
suppressMessages(library(plm))
suppressMessages(library(jsonlite))
folder <- commandArgs(trailingOnly = TRUE)[1]
read <- function(name) read.csv(file.path(folder, name))
empluk <- read("empluk.csv")
gaps <- empluk[(empluk$firm * 7 + empluk$year * 3) %% 11 != 0, ]
holes <- empluk
holes$wage[(holes$firm * 5 + holes$year) %% 13 == 0] <- NA
balanced <- empluk[empluk$year >= 1978 & empluk$year <= 1982, ]
wages <- read("wage_cornwell_rupert.csv")
grunfeld <- read("grunfeld.csv")

cases <- list()
quantities <- function(fit) {
  two <- describe(fit) == "twosteps"
  robust <- vcovHC(fit)
  b <- coef(fit)
  s <- sargan(fit, "twosteps")
  out <- list(
    b = as.list(unname(b)), names = names(b), se = as.list(unname(sqrt(diag(robust)))),
    sargan = unname(s$statistic), sargan_df = unname(s$parameter), sargan_p = unname(s$p.value),
    n_instruments = ncol(fit$W[[1]]), nobs = sum(unlist(fit$residuals) != 0),
    m1 = unname(mtest(fit, 1, vcov = robust)$statistic[1]),
    m2 = tryCatch(unname(mtest(fit, 2, vcov = robust)$statistic[1]), error = function(e) NULL)
  )
  if (two) {
    out$se_conventional <- as.list(unname(sqrt(diag(vcov(fit)))))
    out$m1_conventional <- unname(mtest(fit, 1)$statistic[1])
    out$m2_conventional <- tryCatch(unname(mtest(fit, 2)$statistic[1]), error = function(e) NULL)
  }
  wald <- plm:::pwaldtest(fit, param = "coef", vcov = robust)
  out$wald <- unname(wald$statistic[1])
  out$wald_df <- unname(wald$parameter[1])
  out
}
describe <- function(fit) fit$args$model
add <- function(name, formula, data, index, ...) {
  warned <- character()
  fit <- withCallingHandlers(
    pgmm(formula, data = data, index = index, ...),
    warning = function(w) { warned <<- c(warned, conditionMessage(w)); invokeRestart("muffleWarning") })
  q <- suppressWarnings(quantities(fit))
  q$formula <- paste(deparse(formula), collapse = " ")
  q$warnings <- as.list(warned)
  cases[[name]] <<- q
  cat(name, length(q$b), q$n_instruments, q$nobs, q$sargan, q$sargan_df, warned, "\n")
}
fi <- c("firm", "year")
bb <- log(emp) ~ lag(log(emp), 1) + lag(log(wage), 0:1) + lag(log(capital), 0:1) |
  lag(log(emp), 2:99) + lag(log(wage), 2:99) + lag(log(capital), 2:99)
ab <- log(emp) ~ lag(log(emp), 1:2) + lag(log(wage), 0:1) + lag(log(capital), 0:2) + lag(log(output), 0:2) |
  lag(log(emp), 2:99)
pre <- log(emp) ~ lag(log(emp), 1) + log(wage) + log(capital) |
  lag(log(emp), 2:99) + lag(log(wage), 1:99) + lag(log(capital), 2:99)
short <- log(emp) ~ lag(log(emp), 1) + log(wage) + log(capital) | lag(log(emp), 2:3) + lag(log(wage), 2:4)
for (model in c("onestep", "twosteps")) {
  tag <- sub("s$", "", model)
  add(paste0("system_", tag), bb, empluk, fi, effect = "twoways", model = model, transformation = "ld")
  add(paste0("system_individual_", tag), bb, empluk, fi, effect = "individual", model = model, transformation = "ld")
  add(paste0("system_collapsed_", tag), bb, empluk, fi, effect = "twoways", model = model, transformation = "ld", collapse = TRUE)
  add(paste0("system_exogenous_", tag), short, empluk, fi, effect = "twoways", model = model, transformation = "ld")
  add(paste0("system_gaps_", tag), bb, gaps, fi, effect = "twoways", model = model, transformation = "ld", collapse = TRUE)
  add(paste0("difference_", tag), ab, empluk, fi, effect = "twoways", model = model)
  add(paste0("difference_predetermined_", tag), pre, empluk, fi, effect = "twoways", model = model)
  add(paste0("difference_individual_", tag), pre, empluk, fi, effect = "individual", model = model)
  add(paste0("difference_collapsed_", tag), pre, empluk, fi, effect = "twoways", model = model, collapse = TRUE)
  add(paste0("difference_limited_", tag), short, empluk, fi, effect = "twoways", model = model)
  add(paste0("difference_gaps_", tag), short, gaps, fi, effect = "twoways", model = model)
  add(paste0("difference_holes_", tag), short, holes, fi, effect = "twoways", model = model)
  add(paste0("difference_balanced_", tag), pre, balanced, fi, effect = "twoways", model = model)
  add(paste0("difference_later_lags_", tag),
    log(emp) ~ lag(log(emp), 1) + log(wage) + log(capital) | lag(log(emp), 3:5), empluk, fi, effect = "twoways", model = model)
  add(paste0("wages_difference_", tag), lwage ~ lag(lwage, 1) + wks + union | lag(lwage, 2:99) + lag(wks, 1:99),
    wages, c("id", "t"), effect = "twoways", model = model)
  add(paste0("wages_system_", tag), lwage ~ lag(lwage, 1) + wks + union | lag(lwage, 2:99) + lag(wks, 2:3),
    wages, c("id", "t"), effect = "twoways", model = model, transformation = "ld")
  add(paste0("grunfeld_collapsed_", tag), inv ~ lag(inv, 1) + value + capital | lag(inv, 2:4), grunfeld,
    c("firm", "year"), effect = "individual", model = model, collapse = TRUE)
  add(paste0("grunfeld_singular_", tag), inv ~ lag(inv, 1) + value + capital | lag(inv, 2:99), grunfeld,
    c("firm", "year"), effect = "individual", model = model, collapse = TRUE)
}
write(toJSON(cases, digits = 12, auto_unbox = TRUE, null = "null", na = "null", pretty = TRUE), "dynamic_pgmm.json")
