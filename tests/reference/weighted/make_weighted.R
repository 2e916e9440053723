# Averages of weighted regressions: base R's glm, sandwich's clustered covariance, numDeriv's derivatives.
# Run in this folder: Rscript make_weighted.R
suppressPackageStartupMessages({library(sandwich); library(numDeriv); library(jsonlite)})

set.seed(20)
n <- 240
d <- data.frame(g = rep(1:40, each = 6), x = round(rnorm(n), 3), z = rbinom(n, 1, 0.4), w = sample(1:5, n, TRUE))
d$y <- rbinom(n, 1, plogis(-0.6 + 0.8 * d$x + 0.5 * d$z + 0.1 * d$w))
d$count <- rpois(n, exp(0.2 + 0.3 * d$x + 0.2 * d$z))
d$v <- round(runif(n, 0.3, 3), 3)
write.csv(d, "weighted_averages.csv", row.names = FALSE)

families <- list(logit = list("y", binomial(), plogis), poisson = list("count", poisson(), exp),
                 gaussian = list("count", gaussian(), identity))
out <- list()
for (name in names(families)) {
  f <- families[[name]]
  fit <- suppressWarnings(glm(as.formula(paste(f[[1]], "~ x + z")), f[[2]], d, weights = v,
                              control = list(epsilon = 1e-14, maxit = 100)))
  V <- vcovCL(fit, cluster = ~g, type = "HC1")  # G/(G-1) (n-1)/(n-k)
  at <- function(b, x, z, rows = TRUE) {
    mu <- f[[3]](b[1] + b[2] * x + b[3] * z)
    weighted.mean(mu[rows], d$v[rows])
  }
  quantity <- list(
    step_x = function(b) at(b, d$x + 1, d$z) - at(b, d$x, d$z),
    swap_z = function(b) at(b, d$x, rep(1, n)) - at(b, d$x, rep(0, n)),
    mean = function(b) at(b, d$x, d$z),
    mean_at_x2 = function(b) at(b, rep(2, n), d$z),
    mean_z1 = function(b) at(b, d$x, d$z, d$z == 1)
  )
  out[[name]] <- lapply(quantity, function(q) {
    slope <- grad(q, coef(fit))
    list(estimate = q(coef(fit)), std_error = sqrt(drop(t(slope) %*% V %*% slope)))
  })
}
write_json(out, "weighted_averages.json", auto_unbox = TRUE, digits = 12, pretty = TRUE)
