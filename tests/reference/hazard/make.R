# Reference numbers of the hazard and conditional-logit models.
#
#   python hazard_data.py DATA && Rscript make.R DATA OUT
#
# Reads DATA/rows.csv and DATA/sets.csv, writes OUT/numbers.json.

suppressMessages({
  library(survival)
  library(nnet)
  library(jsonlite)
})
args <- commandArgs(TRUE)
rows <- read.csv(file.path(args[1], "rows.csv"))
sets <- read.csv(file.path(args[1], "sets.csv"))
numbers <- list(versions = list(R = R.version.string, survival = as.character(packageVersion("survival")),
                                nnet = as.character(packageVersion("nnet"))))
tight <- glm.control(epsilon = 1e-14, maxit = 100)
both <- function(fit) list(estimate = as.list(coef(fit)), se = as.list(sqrt(diag(vcov(fit)))),
                           loglik = as.numeric(logLik(fit)))

# conditional logit, exact
fit <- clogit(outcome ~ x + kind + strata(group), data = sets, method = "exact",
              control = coxph.control(eps = 1e-13, toler.chol = 1e-14, iter.max = 100))
numbers$clogit <- c(both(fit), loglik_null = fit$loglik[1])

# Cox's partial likelihood with exact ties and moving covariates: the periods as strata. (coxph on start-stop rows
# tries every set, and does not end.) A third of the persons, as the recursion is slow in large strata.
fit <- clogit(job ~ x + z + strata(t), data = rows[rows$id <= 150, ], method = "exact",
              control = coxph.control(eps = 1e-13, toler.chol = 1e-14, iter.max = 100))
numbers$cox_exact <- both(fit)

# binary hazards of the job, a level per period
for (link in c("cloglog", "logit", "probit")) {
  numbers[[link]] <- both(glm(job ~ 0 + factor(t) + x + z, family = binomial(link), data = rows, control = tight))
}
numbers$cloglog_quadratic <- list(loglik = as.numeric(logLik(
  glm(job ~ poly(t, 2) + x + z, family = binomial("cloglog"), data = rows, control = tight))))

# multinomial logit of both exits
rows$code <- relevel(factor(rows$exit), ref = "none")
fit <- multinom(code ~ 0 + factor(t) + x + z, data = rows, trace = FALSE, maxit = 10000, reltol = 1e-15, abstol = 0)
se <- summary(fit)$standard.errors
numbers$multinomial <- list(estimate = list(job = as.list(coef(fit)["job", ]), education = as.list(coef(fit)["education", ])),
                            se = list(job = as.list(se["job", ]), education = as.list(se["education", ])),
                            loglik = as.numeric(logLik(fit)))

# life table and Aalen-Johansen, one row per person
final <- rows[!duplicated(rows$id, fromLast = TRUE), ]
any <- survfit(Surv(t, exit != "none") ~ 1, data = final)
numbers$survivor <- list(time = any$time, at_risk = any$n.risk, survivor = any$surv, se = any$std.err * any$surv)
final$state <- factor(final$exit, levels = c("none", "education", "job"))
curves <- survfit(Surv(t, state) ~ 1, data = final, id = id)
numbers$incidence <- list(time = curves$time, education = curves$pstate[, 2], job = curves$pstate[, 3],
                          se_education = curves$std.err[, 2], se_job = curves$std.err[, 3])
dir.create(args[2], showWarnings = FALSE, recursive = TRUE)
writeLines(toJSON(numbers, digits = 12, auto_unbox = TRUE, pretty = TRUE), file.path(args[2], "numbers.json"))
