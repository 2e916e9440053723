# Data and numbers for test_few_clusters_*.py: clubSandwich, AER and sandwich. Run here: Rscript make.R
library(clubSandwich)
library(AER)
library(jsonlite)
set.seed(2018)
sizes <- c(3, 5, 8, 13, 2, 21, 34, 6, 11)
g <- rep(seq_along(sizes), sizes)
n <- length(g)
person <- ave(g, g, FUN = function(v) ceiling(seq_along(v) / 2)) + 100 * g  # pairs of rows within clusters
wave <- sample(1:3, n, TRUE)
x <- rnorm(n) + 0.5 * rnorm(9)[g]
z <- as.numeric(g %in% c(2, 6, 9))          # constant within clusters, three treated
one <- as.numeric(g == 7)                    # one treated cluster: a singular adjustment matrix
iv1 <- rnorm(n) + rnorm(9)[g]
iv2 <- rnorm(n)
u <- rnorm(9)[g] + rnorm(n) * (1 + 0.5 * z)
d <- 0.6 * iv1 + 0.4 * iv2 + 0.5 * u + rnorm(n)
y <- 1 + 0.5 * x + 0.3 * z + 0.4 * d + u
b <- as.numeric(plogis(-0.2 + 0.6 * x + 0.4 * z + 0.5 * rnorm(9)[g]) > runif(n))
count <- rpois(n, exp(0.2 + 0.3 * x + 0.2 * z))
mover <- ifelse(runif(n) < 0.15, sample(1:9, n, TRUE), g)  # clusters that some pairs change
data <- round(data.frame(y, b, count, x, z, one, d, iv1, iv2, g, person, wave, mover), 6)
write.csv(data, "clusters_data.csv", row.names = FALSE)
data <- read.csv("clusters_data.csv")
numbers <- function(fit, cluster, terms = NULL, kinds = c("CR1S", "CR2", "CR3")) {
  out <- list()
  for (kind in kinds) {
    V <- tryCatch(vcovCR(fit, cluster = cluster, type = kind), error = function(e) NULL)
    if (is.null(V)) next
    test <- as.data.frame(coef_test(fit, vcov = V, test = "Satterthwaite"))
    rownames(test) <- names(coef(fit))[!is.na(coef(fit))]
    keep <- if (is.null(terms)) rownames(test) else terms
    at <- match(keep, rownames(test))
    df_name <- grep("^df", names(test), value = TRUE)[1]
    out[[kind]] <- list(se = as.list(setNames(sqrt(diag(as.matrix(V)))[at], keep)),
                        df = as.list(setNames(test[[df_name]][at], keep)),
                        p = as.list(setNames(test[["p_Satt"]][at], keep)))
  }
  out
}
petersen <- if (file.exists("PetersenCL.csv")) read.csv("PetersenCL.csv") else { library(sandwich); data("PetersenCL"); PetersenCL }
result <- list(
  software = paste("R", getRversion(), "clubSandwich", packageVersion("clubSandwich"), "AER", packageVersion("AER")),
  unbalanced = numbers(lm(y ~ x + z, data), data$g),
  singular = numbers(lm(y ~ x + one, data), data$g, kinds = c("CR1S", "CR2")),
  persons = numbers(lm(y ~ x + d + factor(person), data), data$g, c("x", "d"), kinds = "CR2"),
  waves = numbers(lm(y ~ x + z + factor(wave), data), data$g, c("x", "z")),
  persons_waves = numbers(lm(y ~ x + d + factor(person) + factor(wave), data), data$g, c("x", "d"), kinds = "CR2"),
  movers = numbers(lm(y ~ x + d + factor(person), data), data$mover, c("x", "d"), kinds = "CR2"),
  iv_just = numbers(ivreg(y ~ x + d | x + iv1, data = data), data$g),
  iv_over = numbers(ivreg(y ~ x + d | x + iv1 + iv2, data = data), data$g),
  logit = numbers(glm(b ~ x + z, binomial, data, epsilon = 1e-14), data$g, kinds = c("CR2", "CR3")),
  poisson = numbers(glm(count ~ x + z, poisson, data, epsilon = 1e-14), data$g, kinds = c("CR2", "CR3")),
  petersen_year = numbers(lm(y ~ x, petersen), petersen$year)
)
writeLines(toJSON(result, digits = 17, auto_unbox = TRUE, pretty = TRUE), "clusters_numbers.json")
