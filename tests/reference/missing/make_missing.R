# Makes the numbers of test_missing_data_reference.py: Rscript make_missing.R (R with mice, sandwich, jsonlite).
# Lee bounds are programmed here from the formulas of Lee (2009, proposition 3), apart from the package.
library(mice); library(sandwich); library(jsonlite)
set.seed(20091)

# ---- Lee bounds ---------------------------------------------------------------------------------
n <- 600
d <- rbinom(n, 1, 0.5); x <- sample(1:3, n, TRUE); g <- sample(1:40, n, TRUE)
y <- round(1 + 0.4 * d + 0.5 * x + rnorm(n), 4)
job <- rbinom(n, 1, 0.25 + 0.1 * d)
s <- rbinom(n, 1, plogis(0.2 + 0.9 * d + 0.2 * (x - 2)))
lee <- data.frame(y, job, d, s, x, g)
write.csv(lee, "lee.csv", row.names = FALSE)

trimmed_mean <- function(v, p, top) {          # mean of the top (bottom) 1 - p, the tied value in part
  if (!top) return(-trimmed_mean(-v, p, TRUE))
  v <- sort(v, decreasing = TRUE); keep <- length(v) * (1 - p); k <- floor(keep)
  (sum(v[seq_len(k)]) + (keep - k) * ifelse(k < length(v), v[k + 1], 0)) / keep
}
part <- function(y, d, s) {                    # treated is the group seen more often
  a1 <- mean(s[d == 1]); a0 <- mean(s[d == 0]); p <- 1 - a0 / a1
  t <- y[d == 1 & s == 1]; c <- y[d == 0 & s == 1]; n <- length(y); n1 <- sum(d == 1); n0 <- sum(d == 0)
  one <- function(top) {
    mu <- trimmed_mean(t, p, top); v <- if (top) t else -t; m <- if (top) mu else -mu
    keep <- length(v) * (1 - p); q <- sort(v, decreasing = TRUE)[ceiling(keep)]
    whole <- v[v > q]; frac <- keep - length(whole)
    var_in <- (sum((whole - m)^2) + frac * (q - m)^2) / keep
    v1 <- var_in / (length(v) * (1 - p)) + (q - m)^2 * p / (1 - p) / length(v)
    vp <- (1 - p)^2 * ((1 - a1) / (a1 * n1) + (1 - a0) / (a0 * n0))
    v1 + ((q - m) / (1 - p))^2 * vp + mean((c - mean(c))^2) / length(c)
  }
  edge <- function(top) { v <- if (top) t else -t
    ifelse(top, 1, -1) * sort(v, decreasing = TRUE)[ceiling(length(v) * (1 - p))] }
  list(a0 = a0, gap_lower = trimmed_mean(t, p, FALSE) - edge(FALSE),
       gap_upper = trimmed_mean(t, p, TRUE) - edge(TRUE), lower = trimmed_mean(t, p, FALSE) - mean(c), upper = trimmed_mean(t, p, TRUE) - mean(c),
       var_lower = one(FALSE), var_upper = one(TRUE), p = p, n_control = length(c))
}
im <- function(l, u, sl, su, level = 0.95) {
  c <- uniroot(function(c) pnorm(c + (u - l) / max(sl, su)) - pnorm(-c) - level, c(0, 5), tol = 1e-12)$root
  c(l - c * sl, u + c * su)
}
report <- function(r) { s <- sqrt(c(r$var_lower, r$var_upper))
  list(lower = r$lower, upper = r$upper, se_lower = s[1], se_upper = s[2], trimmed = r$p,
       interval = im(r$lower, r$upper, s[1], s[2])) }
cells <- lapply(1:3, function(k) with(lee[lee$x == k, ], part(y, d, s)))
w <- sapply(cells, `[[`, "n_control"); w <- w / sum(w)
n_c <- sum(sapply(cells, `[[`, "n_control"))
mix <- function(name) sum(w * sapply(cells, `[[`, name))
spread <- function(name) sum(w * (sapply(cells, `[[`, name) - mix(name))^2) / n_c   # of the weights themselves
# seeing a control moves both the weight of the cell and its trimming: the two are correlated
both <- function(name) -2 * sum(w * (sapply(cells, `[[`, name) - mix(name)) *
  sapply(cells, `[[`, paste0("gap_", name)) * (1 - sapply(cells, `[[`, "a0"))) / n_c
tight <- list(lower = mix("lower"), upper = mix("upper"),
  se_lower = sqrt(sum(w^2 * sapply(cells, `[[`, "var_lower")) + spread("lower") + both("lower")),
  se_upper = sqrt(sum(w^2 * sapply(cells, `[[`, "var_upper")) + spread("upper") + both("upper")))
bounds <- list(continuous = report(part(y, d, s)), binary = report(part(job, d, s)), tight = tight)

# ---- pooling ------------------------------------------------------------------------------------
n <- 150
z <- rnorm(n); b <- 2 + 0.6 * z + rnorm(n); out <- 1 + 0.5 * b - 0.3 * z + rnorm(n)
b[runif(n) < plogis(-1 + 0.5 * z)] <- NA
z[runif(n) < 0.1] <- NA
imp <- mice(data.frame(out, b, z), m = 6, maxit = 5, seed = 7, printFlag = FALSE)
long <- complete(imp, "long")[, c(".imp", "out", "b", "z")]; names(long)[1] <- "imputation"
long[-1] <- round(long[-1], 8)
write.csv(long, "imputed.csv", row.names = FALSE)
fits <- lapply(split(long, long$imputation), function(one) lm(out ~ b + z, one))
pooled <- pool(as.mira(fits))$pooled
logits <- lapply(split(long, long$imputation), function(one) glm(I(out > 2) ~ b + z, binomial, one))
big <- pool(as.mira(logits), dfcom = Inf)$pooled
frame <- function(p) as.list(p[, c("estimate", "ubar", "b", "t", "dfcom", "df", "riv", "lambda", "fmi")])

# ---- weighted regression ------------------------------------------------------------------------
n <- 300
wd <- data.frame(x = round(rnorm(n), 4), g = sample(1:30, n, TRUE), w = round(runif(n, 0.3, 3), 4))
wd$job <- rbinom(n, 1, plogis(-0.5 + 0.6 * wd$x)); wd$count <- rpois(n, exp(0.2 + 0.3 * wd$x))
wd$y <- round(1 + 0.5 * wd$x + rnorm(n), 4)
write.csv(wd, "weighted.csv", row.names = FALSE)
factor <- 30 / 29 * (n - 1) / (n - 2)
one <- function(fit) list(estimate = unname(coef(fit)),
  cluster = unname(sqrt(diag(vcovCL(fit, wd$g, type = "HC0", cadjust = FALSE) * factor))),
  hc0 = unname(sqrt(diag(sandwich(fit)))), model = unname(sqrt(diag(vcov(fit)))))
ctl <- glm.control(epsilon = 1e-14)
weighted <- list(
  gaussian = one(lm(y ~ x, wd, weights = w)),
  logit = suppressWarnings(one(glm(job ~ x, binomial, wd, weights = w, control = ctl))),
  poisson = one(glm(count ~ x, poisson, wd, weights = w, control = ctl)))
r2 <- summary(lm(y ~ x, wd, weights = w))$r.squared

write_json(list(made_with = list(R = R.version.string, mice = as.character(packageVersion("mice")),
    sandwich = as.character(packageVersion("sandwich"))),
  bounds = bounds, pooled_lm = frame(pooled), pooled_logit = frame(big), weighted = weighted, r2 = r2),
  "missing.json", digits = 14, auto_unbox = TRUE, pretty = TRUE)
