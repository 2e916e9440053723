# Data and numbers for test_iv_reference.py: AER::ivreg with sandwich. Run in this folder: Rscript make_iv.R
library(AER)
library(sandwich)
library(jsonlite)
set.seed(20)
n <- 160
cell <- sample(22 * 14, n) - 1  # one row per firm and year, where two-way conventions agree
firm <- cell %% 22 + 1
year <- cell %/% 22 + 1
u <- rnorm(22)[firm] + rnorm(14)[year] + rnorm(n)
x <- rnorm(n) + 0.4 * rnorm(22)[firm]
z1 <- rnorm(n) + rnorm(22)[firm]
z2 <- rbinom(n, 1, 0.4)
z3 <- rexp(n)
d1 <- 0.5 * z1 + 0.7 * z2 + 0.3 * x + 0.6 * u + rnorm(n)
d2 <- 0.8 * z3 - 0.3 * z1 - 0.4 * u + rnorm(n)
y <- 1 + 0.8 * d1 - 0.5 * d2 + 0.2 * x + u
data <- round(data.frame(y, d1, d2, x, z1, z2, z3, firm, year), 6)
write.csv(data, "iv_data.csv", row.names = FALSE)
data <- read.csv("iv_data.csv")
kinds <- function(fit) list(
  model = vcov(fit), HC0 = vcovHC(fit, "HC0"), HC1 = vcovHC(fit, "HC1"),
  firm = vcovCL(fit, ~ firm, type = "HC1"),
  both = vcovCL(fit, ~ firm + year, type = "HC1", multi0 = TRUE))
numbers <- function(fit) {
  plain <- summary(fit, diagnostics = TRUE)$diagnostics
  robust <- summary(fit, diagnostics = TRUE, vcov. = function(m) vcovHC(m, "HC1"))$diagnostics
  list(coef = as.list(coef(fit)), se = lapply(kinds(fit), function(v) as.list(sqrt(diag(v)))),
       tests = apply(plain, 1, as.list), robust = apply(robust, 1, as.list))
}
write_json(list(
  one = numbers(ivreg(y ~ x + d1 | x + z1 + z2 + z3, data = data)),
  exact = numbers(ivreg(y ~ x + d1 | x + z1, data = data)),
  two = numbers(ivreg(y ~ x + d1 + d2 | x + z1 + z2 + z3, data = data))
), "iv_numbers.json", auto_unbox = TRUE, digits = 14, pretty = TRUE)
