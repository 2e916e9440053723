# Reference fits of the mixed-model cases in this folder.
#
#   python make_data.py DATA && Rscript make.R DATA OUT [CASE ...]
#
# Reads DATA/<data>.csv, writes OUT/<case>.json. Needs lme4, lmerTest, glmmTMB, ordinal, numDeriv, jsonlite; the stored
# numbers were made with the versions named in each file. Every optimiser is run to tight limits and its solution is
# then improved by Newton steps on numerical derivatives (`polish`), because even at tight limits the programs stop
# some 1e-5 standard errors before the optimum. `distance` is what remains, in standard errors.

suppressMessages({
  library(lme4)
  library(lmerTest)
  library(glmmTMB)
  library(ordinal)
  library(jsonlite)
})

args <- commandArgs(TRUE)
source_folder <- args[1]
out <- args[2]
wanted <- args[-(1:2)]
dir.create(out, showWarnings = FALSE, recursive = TRUE)
checksums <- read.csv(file.path(source_folder, "checksums.csv"))
versions <- c(list(R = R.version.string), sapply(
  c("lme4", "lmerTest", "glmmTMB", "TMB", "ordinal", "Matrix", "numDeriv"),
  function(p) as.character(packageVersion(p)), simplify = FALSE))

# ---- small functions -------------------------------------------------------

read_data <- function(name) {
  read.csv(file.path(source_folder, paste0(name, ".csv")), stringsAsFactors = TRUE)
}

# groups are written outer:inner, and levels likewise; R writes inner:(outer), and g.1 for the second term of x || g
ours <- function(x) {
  sapply(strsplit(sub("\\.[0-9]+$", "", gsub("[()]", "", x)), ":"), function(p) paste(rev(p), collapse = ":"))
}

named <- function(prefix, x) setNames(as.list(unname(x)), paste0(prefix, ".", names(x)))

# Newton steps to the minimum of fn (a negative log-likelihood); `free` leaves parameters on a boundary alone
polish <- function(fn, par, gr = NULL, free = rep(TRUE, length(par)), rounds = 6) {
  at <- function(p) { full <- par; full[free] <- p; full }
  f <- function(p) fn(at(p))
  # steps wide enough that the rounding of the programs' likelihoods does not show; Richardson keeps them exact
  wide <- function(h) list(eps = h, d = h)
  g <- if (is.null(gr)) function(p) numDeriv::grad(f, p, method.args = wide(1e-3)) else function(p) as.vector(gr(at(p)))[free]
  hessian <- function(p) {
    h <- if (is.null(gr)) numDeriv::hessian(f, p, method.args = wide(1e-2)) else numDeriv::jacobian(g, p)
    (h + t(h)) / 2
  }
  p <- par[free]
  best <- list(distance = Inf)
  for (i in seq_len(rounds)) {
    H <- hessian(p)
    slope <- g(p)
    step <- solve(H, slope)
    distance <- sqrt(abs(sum(slope * step)))
    if (distance < best$distance) best <- list(par = at(p), hessian = H, distance = distance)
    if (distance < 1e-8) break
    p <- p - step
  }
  c(best, value = fn(best$par))
}

sd_names <- function(group, terms) paste0("sd.", ours(group), ".", terms)

# sds, correlations from a list of covariance matrices named by group (a group may come twice, for x || g)
variance_parts <- function(blocks) {
  q <- list()
  for (i in seq_along(blocks)) {
    s <- blocks[[i]]
    group <- ours(names(blocks)[i])
    sds <- sqrt(diag(s))
    q[paste0("sd.", group, ".", rownames(s))] <- unname(sds)
    if (nrow(s) > 1) for (a in 2:nrow(s)) for (b in seq_len(a - 1)) {
      q[[paste0("cor.", group, ".", rownames(s)[b], ".", rownames(s)[a])]] <- s[a, b] / sds[a] / sds[b]
    }
  }
  q
}

# modes and conditional sds of the first five levels (in our order of levels)
mode_parts <- function(q, labels, group, term, level, mode, sd) {
  o <- order(ours(level), method = "radix")[seq_len(min(5, length(level)))]
  key <- paste0(ours(group), ".", term)
  q[[paste0("mode.", key)]] <- I(mode[o])
  q[[paste0("mode_sd.", key)]] <- I(sd[o])
  labels[[paste0("mode.", key)]] <- I(ours(level)[o])
  labels[[paste0("mode_sd.", key)]] <- I(ours(level)[o])
  list(q = q, labels = labels)
}

modes_of_lme4 <- function(m, q) {
  labels <- list()
  re <- ranef(m, condVar = TRUE)
  for (g in names(re)) {
    pv <- attr(re[[g]], "postVar")
    for (j in seq_along(re[[g]])) {
      v <- if (is.list(pv)) pv[[j]][1, 1, ] else pv[j, j, ]        # x || g has one block for each term
      done <- mode_parts(q, labels, g, names(re[[g]])[j], rownames(re[[g]]), re[[g]][[j]], sqrt(v))
      q <- done$q
      labels <- done$labels
    }
  }
  list(q = q, labels = labels)
}

# what the numbers must hold to: issue tolerances, or ten times what R itself attains where that is worse
tolerances <- function(q, distance) {
  tol <- list()
  for (key in names(q)) {
    kind <- sub("\\..*", "", key)
    se <- q[[sub("^(fixef|threshold)", "se", key)]]
    attained <- 10 * distance
    tol[[key]] <- switch(kind,
      loglik = list(worse = 1e-6, better = 1e-5),
      fixef = , threshold = list(abs = max(1e-5, attained) * se),
      se = list(rel = max(1e-4, attained)),
      sd = , sigma = list(abs = max(1e-5, attained * q[[key]])),
      cor = list(abs = max(1e-4, attained)),
      mode = list(abs = max(1e-4, attained) * max(unlist(q[[sub("^mode", "mode_sd", key)]]), 1e-9)),
      mode_sd = list(rel = max(1e-4, attained), abs = 1e-9),
      df = list(rel = max(1e-3, attained)),
      se_log_sd = list(rel = max(1e-4, attained)),
      stop("no tolerance for ", key))
  }
  tol
}

entry <- function(options, q, labels = list(), distance, programs, remarks = character(), reference) {
  list(options = options, reference = reference, distance = distance, programs = programs, quantities = q,
       labels = if (length(labels)) labels else setNames(list(), character()),
       tolerance = tolerances(q, distance), remarks = I(remarks))
}

save_case <- function(case, data, description, formula, r_formula, fits) {
  obj <- list(case = case, data = data, checksum = checksums$checksum[checksums$data == data],
              description = description, formula = formula, r_formula = r_formula, versions = versions,
              fits = fits)
  writeLines(toJSON(obj, digits = I(15), auto_unbox = TRUE, pretty = TRUE, null = "null"),
             file.path(out, paste0(case, ".json")))
  for (f in fits) cat(sprintf("%-22s %-44s %14.7f  distance %.1e  %s\n", case,
                              substr(toJSON(f$options, auto_unbox = TRUE), 1, 44), f$quantities$loglik, f$distance,
                              paste(names(f$programs), sprintf("%.7f", unlist(f$programs)), collapse = " ")))
}

# ---- glmmTMB ---------------------------------------------------------------

tight <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-14, x.tol = 1e-12))

fit_tmb <- function(formula, d, family, reml = FALSE, ...) {
  m <- suppressWarnings(glmmTMB(formula, d, family = family, REML = reml, control = tight, ...))
  obj <- m$obj
  TMB::newtonOption(obj, tol = 1e-12, tol10 = 1e-10)
  done <- polish(function(p) as.numeric(obj$fn(p)), m$fit$par, gr = function(p) obj$gr(p))
  obj$fn(done$par)
  full <- obj$env$last.par
  cov <- solve(done$hessian)
  q <- list(loglik = -done$value)
  at <- names(done$par)
  if (!reml) {
    terms <- names(fixef(m)$cond)
    b <- setNames(done$par[at == "beta"], terms)
    q <- c(q, named("fixef", b), named("se", setNames(sqrt(diag(cov)[at == "beta"]), terms)))
  }
  theta <- done$par[at == "theta"]
  theta_se <- sqrt(diag(cov))[at == "theta"]
  structure <- m$modelInfo$reStruc$condReStruc
  cnms <- m$modelInfo$reTrms$cond$cnms
  b_cov <- solve(as.matrix(obj$env$spHess(full, random = TRUE)))
  rb <- names(full)[obj$env$random] == "b"
  b <- full[obj$env$random][rb]
  b_sd <- sqrt(diag(b_cov)[rb])
  labels <- list()
  k <- 0
  r <- 0
  blocks <- list()
  logsd <- list()
  modes <- list()
  for (i in seq_along(structure)) {
    s <- structure[[i]]
    size <- s$blockSize
    here <- theta[k + seq_len(s$blockNumTheta)]
    sds <- exp(here[seq_len(size)])
    corr <- diag(size)
    if (s$blockNumTheta > size) {
      L <- diag(size)
      L[lower.tri(L)] <- here[-seq_len(size)]         # filled by row in TMB, the same for sizes 1 and 2
      if (size > 2) { L <- diag(size); L[upper.tri(L)] <- here[-seq_len(size)]; L <- t(L) }
      corr <- cov2cor(L %*% t(L))
    }
    sigma <- diag(sds, size) %*% corr %*% diag(sds, size)
    dimnames(sigma) <- list(cnms[[i]], cnms[[i]])
    whole <- list(sigma)
    if (s$blockNumTheta == size) whole <- lapply(seq_len(size), function(j) sigma[j, j, drop = FALSE])
    blocks <- c(blocks, setNames(whole, rep(names(cnms)[i], length(whole))))
    logsd[paste0("se_log_", sd_names(names(cnms)[i], cnms[[i]]))] <- theta_se[k + seq_len(size)]
    k <- k + s$blockNumTheta
    level <- levels(m$modelInfo$reTrms$cond$flist[[names(cnms)[i]]])
    for (j in seq_len(size)) {
      pos <- r + seq(j, by = size, length.out = length(level))
      modes <- mode_parts(if (length(modes)) modes$q else list(), if (length(modes)) modes$labels else list(),
                          names(cnms)[i], cnms[[i]][j], level, unname(b[pos]), unname(b_sd[pos]))
    }
    r <- r + size * length(level)
  }
  q <- c(q, variance_parts(blocks), logsd)
  if (!reml) q <- c(q, modes$q)
  list(q = q, labels = if (reml) list() else modes$labels, distance = done$distance, par = done$par, model = m)
}

# ---- linear mixed models with lme4 ------------------------------------------

fit_linear <- function(formula, d, reml, ...) {
  control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-11, maxfun = 1e5), calc.derivs = FALSE)
  m <- suppressMessages(do.call(lme4::lmer, list(formula, d, REML = reml, control = control, ...)))
  devfun <- suppressMessages(do.call(lme4::lmer, list(formula, d, REML = reml, devFunOnly = TRUE, ...)))
  lower <- getME(m, "lower")
  theta <- getME(m, "theta")
  free <- !(lower == 0 & theta < 1e-4)
  theta[!free] <- 0
  start <- list(par = theta, value = devfun(theta) / 2, distance = 0)
  done <- if (any(free)) polish(function(p) devfun(p) / 2, theta, free = free) else start
  if (any(!free)) {
    slope <- sapply(which(!free), function(i) (devfun(replace(done$par, i, 1e-4)) - devfun(done$par)))
    stopifnot(all(slope > 0))
  }
  devfun(done$par)
  lf <- suppressMessages(do.call(lFormula, list(formula, d, REML = reml, ...)))
  opt <- list(par = done$par, fval = 2 * done$value, conv = 0, feval = 1, message = "")
  call <- as.call(c(list(quote(lme4::lmer), formula, d, REML = reml), list(...)))
  m <- mkMerMod(environment(devfun), opt, lf$reTrms, fr = lf$fr, mc = call)
  q <- c(list(loglik = -done$value), named("fixef", fixef(m)),
         named("se", setNames(sqrt(diag(as.matrix(vcov(m)))), names(fixef(m)))),
         variance_parts(VarCorr(m)), list(sigma = sigma(m)))
  parts <- modes_of_lme4(m, q)
  list(q = parts$q, labels = parts$labels, distance = done$distance, model = m, free = free)
}

linear_case <- function(case, data, description, formula, r_formula = formula, methods = c("reml", "ml"),
                        options = list(), second = TRUE, df = TRUE, extra = function(d) list(), tmb_formula = r_formula) {
  if (length(wanted) && !case %in% wanted) return(invisible())
  d <- read_data(data)
  fits <- list()
  for (method in methods) {
    a <- do.call(fit_linear, c(list(as.formula(r_formula), d, method == "reml"), extra(d)))
    programs <- list(lme4 = a$q$loglik)
    remarks <- character()
    if (!all(a$free)) remarks <- c(remarks, "singular: parameters on the boundary are held there, with a deviance that rises from it")
    if (second) {
      b <- do.call(fit_tmb, c(list(as.formula(tmb_formula), d, gaussian(), method == "reml"), extra(d)))
      programs$glmmTMB <- b$q$loglik
      keys <- grep("^(sd|cor)\\.", names(a$q), value = TRUE)
      stopifnot(setequal(keys, grep("^(sd|cor)\\.", names(b$q), value = TRUE)))
      gap <- max(abs(unlist(a$q[keys]) - unlist(b$q[keys])))
      remarks <- c(remarks, sprintf("largest difference of a standard deviation or correlation between lme4 and glmmTMB: %.1e", gap),
                   "se_log_sd from glmmTMB, by central differences (Richardson) of its exact gradient")
      a$q <- c(a$q, b$q[grep("^se_log_", names(b$q))])
    }
    if (df && all(a$free)) {
      s <- coef(summary(as_lmerModLmerTest(a$model)))
      a$q <- c(a$q, named("df", setNames(s[, "df"], rownames(s))))
    }
    fits <- c(fits, list(entry(c(list(method = method), options), a$q, a$labels, a$distance, programs, remarks, "lme4")))
  }
  save_case(case, data, description, formula, r_formula, fits)
}

# ---- generalised linear mixed models ----------------------------------------

fit_general <- function(formula, d, family, nagq = 1L, ...) {
  control <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13, calc.derivs = FALSE,
                          optCtrl = list(rhoend = 1e-9, maxfun = 2e5))
  given <- list(formula, d, family = family, nAGQ = nagq, control = control, ...)
  m <- suppressWarnings(suppressMessages(do.call(lme4::glmer, given)))
  devfun <- suppressMessages(do.call(lme4::glmer, c(given, devFunOnly = TRUE)))
  start <- c(getME(m, "theta"), fixef(m))
  done <- polish(function(p) devfun(p) / 2, start)
  list(par = done$par, distance = done$distance, value = done$value, hessian = done$hessian, devfun = devfun, model = m)
}

general_case <- function(case, data, description, formula, family, options, r_formula = formula, quad = integer(),
                         constant = function(d) 0, extra = function(d) list(), extra_options = list(), binary = NULL) {
  if (length(wanted) && !case %in% wanted) return(invisible())
  d <- read_data(data)
  fits <- list()
  rf <- as.formula(r_formula)
  if (!length(quad)) {
    b <- do.call(fit_tmb, c(list(rf, d, family), extra(d)))
    a <- do.call(fit_general, c(list(rf, d, family), extra(d)))
    k <- length(a$par) - length(fixef(a$model))
    terms <- names(fixef(a$model))
    programs <- list(glmmTMB = b$q$loglik, lme4 = -a$value)
    se <- unlist(b$q[paste0("se.", terms)])
    gap <- max(abs(a$par[-seq_len(k)] - unlist(b$q[paste0("fixef.", terms)])) / se)
    se_gap <- max(abs(sqrt(diag(solve(a$hessian)))[-seq_len(k)] / se - 1))
    remarks <- sprintf("lme4 (nAGQ = 1): fixed effects within %.1e standard errors, standard errors within %.1e, of glmmTMB's; lme4's own distance %.1e",
                       gap, se_gap, a$distance)
    if (family$link %in% c("probit", "cloglog")) {
      # lme4 at glmmTMB's parameters: theta (one scalar for each factor, lme4's order), then the coefficients
      cnms <- names(getME(a$model, "cnms"))
      there <- c(unlist(b$q[paste0("sd.", ours(cnms), ".(Intercept)")]), unlist(b$q[paste0("fixef.", terms)]))
      at <- -a$devfun(unname(there)) / 2
      remarks <- c(remarks, sprintf("lme4's value at the same parameters differs by %.3e: its determinant has the expected information, which differs from the observed one for this link; the reference has the observed one", at - b$q$loglik))
      d$flipped <- factor(1 - d[[binary]])
      o <- fit_ordinal(update(rf, flipped ~ .), d, family$link)
      programs$clmm <- o$q$loglik
    }
    fits <- list(entry(c(options, extra_options), b$q, b$labels, b$distance, programs, remarks, "glmmTMB"))
  }
  for (n in quad) {
    a <- do.call(fit_general, c(list(rf, d, family, as.integer(n)), extra(d)))
    m <- a$model
    cov <- solve(a$hessian)
    group <- names(getME(m, "cnms"))
    sd_key <- sd_names(group, "(Intercept)")
    terms <- names(fixef(m))
    q <- list(loglik = -a$value + constant(d))
    q <- c(q, named("fixef", setNames(a$par[-1], terms)), named("se", setNames(sqrt(diag(cov))[-1], terms)))
    q[[sd_key]] <- unname(a$par[1])
    q[[paste0("se_log_", sd_key)]] <- sqrt(cov[1, 1]) / a$par[[1]]
    remarks <- "nAGQ > 1: lme4 leaves out the constant of the saturated model, added here"[constant(d) != 0]
    exact <- exact_loglik(family, d, rf, m, a$par)
    remarks <- c(remarks, sprintf("integral over each group by R's integrate at these parameters: %.8f", exact))
    fits <- c(fits, list(entry(c(options, list(n_quad = n)), q, list(), a$distance, list(lme4 = q$loglik), remarks, "lme4")))
  }
  save_case(case, data, description, formula, r_formula, fits)
}

# the likelihood of a random intercept by integrate(), as a check of the quadrature
exact_loglik <- function(family, d, rf, m, par) {
  X <- getME(m, "X")
  eta <- as.vector(X %*% par[-1])
  y <- getME(m, "y")
  g <- getME(m, "flist")[[1]]
  sum(sapply(split(seq_along(y), g), function(i) {
    density <- function(u) sapply(u, function(v) {
      mu <- family$linkinv(eta[i] + par[1] * v)
      sum(if (family$family == "binomial") dbinom(y[i], 1, mu, log = TRUE) else dpois(y[i], mu, log = TRUE)) + dnorm(v, log = TRUE)
    })
    top <- optimize(density, c(-8, 8), maximum = TRUE)
    f <- function(u) exp(density(u) - top$objective)
    s <- top$maximum
    log(integrate(f, s - 9, s, rel.tol = 1e-11)$value + integrate(f, s, s + 9, rel.tol = 1e-11)$value) + top$objective
  }))
}

# ---- cumulative link mixed models -------------------------------------------

fit_ordinal <- function(formula, d, link, threshold = "flexible", nagq = 1L, ...) {
  # Newton steps for the modes; a smaller limit makes clmm halve steps on rounding error, and its likelihood rough
  inner <- list(maxIter = 200, gradTol = 1e-7, innerCtrl = "noWarn", checkRanef = "warn")
  control <- do.call(clmm.control, c(inner, list(useMatrix = nagq == 1L, iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-12)))
  given <- list(formula, data = d, link = link, threshold = threshold, nAGQ = nagq, control = control, ...)
  m <- suppressWarnings(do.call(clmm, given))
  rho <- suppressWarnings(do.call(clmm, c(given, doFit = FALSE)))
  ns <- asNamespace("ordinal")
  fn <- if (nagq == 1L) ns$getNLA else ns$getNAGQ.ssr
  done <- suppressWarnings(polish(function(p) fn(rho, p), m$optRes$par))
  invisible(fn(rho, done$par))
  cov <- solve(done$hessian)
  nf <- rho$dims$nfepar
  na <- length(m$alpha)
  J <- m$tJac
  nm <- colnames(m$Theta)
  beta <- seq_len(nf)[-seq_len(na)]
  Theta <- as.vector(J %*% done$par[seq_len(na)])
  se_theta <- sqrt(diag(J %*% cov[seq_len(na), seq_len(na), drop = FALSE] %*% t(J)))
  q <- c(list(loglik = -done$value), named("threshold", setNames(Theta, nm)))
  terms <- names(m$beta)
  q <- c(q, named("fixef", setNames(done$par[beta], terms)),
         named("se", setNames(c(se_theta, sqrt(diag(cov))[beta]), c(nm, terms))))
  st <- done$par[-seq_len(nf)]
  st_cov <- cov[-seq_len(nf), -seq_len(nf), drop = FALSE]
  groups <- names(m$dims$nlev.re)
  labels <- list()
  if (nagq > 1L) {
    key <- sd_names(groups, "(Intercept)")
    q[[key]] <- exp(st)
    q[[paste0("se_log_", key)]] <- sqrt(st_cov[1, 1])
    rho$ST <- ns$par2ST(exp(st), m$ST)
    m$ranef <- rho$u * exp(st)
    m$condVar <- exp(st)^2 / rho$D
  } else {
    blocks <- list()
    ST <- ns$par2ST(st, m$ST)
    covariances <- function(p) lapply(ns$par2ST(p, m$ST), tcrossprod)        # ST is Lambda of one level
    for (i in seq_along(ST)) {
      s <- covariances(st)[[i]]
      cn <- rownames(VarCorr(m)[[i]])
      dimnames(s) <- list(cn, cn)
      blocks <- c(blocks, setNames(list(s), groups[i]))
    }
    q <- c(q, variance_parts(blocks))
    log_sds <- function(p) 0.5 * log(unlist(lapply(covariances(p), diag)))
    jac <- numDeriv::jacobian(log_sds, st)
    q[paste0("se_log_", unlist(lapply(seq_along(blocks), function(i) sd_names(groups[i], rownames(blocks[[i]])))))] <-
      sqrt(diag(jac %*% st_cov %*% t(jac)))
    Lambda <- as.matrix(ns$getLambda(rho$ST, rho$dims$nlev.re))        # effect by effect, levels within
    m$ranef <- as.vector(Lambda %*% rho$u)
    m$condVar <- diag(Lambda %*% as.matrix(solve(rho$L)) %*% t(Lambda))
  }
  start <- 0
  for (i in seq_along(m$ST)) {
    level <- levels(m$gfList[[groups[i]]])
    effects <- if (nagq > 1L) "(Intercept)" else rownames(VarCorr(m)[[i]])
    for (term in effects) {
      here <- start + seq_along(level)
      modes <- mode_parts(q, labels, groups[i], term, level, m$ranef[here], sqrt(m$condVar[here]))
      q <- modes$q
      labels <- modes$labels
      start <- start + length(level)
    }
  }
  list(q = q, labels = labels, distance = done$distance)
}

ordinal_case <- function(case, data, description, formula, options, link, r_formula, threshold = "flexible",
                         nagq = 1L, extra = function(d) list()) {
  if (length(wanted) && !case %in% wanted) return(invisible())
  d <- read_data(data)
  rf <- as.formula(r_formula)
  outcome <- all.vars(rf)[1]
  d[[outcome]] <- factor(d[[outcome]], ordered = TRUE)
  a <- do.call(fit_ordinal, c(list(rf, d, link, threshold, as.integer(nagq)), extra(d)))
  save_case(case, data, description, formula, r_formula,
            list(entry(options, a$q, a$labels, a$distance, list(clmm = a$q$loglik), character(), "clmm")))
}

# ---- the cases --------------------------------------------------------------

linear_case("lin_nested", "levels", "teams in centres, (1 | a/b), where team labels repeat in every centre",
            "y ~ x + (1 | centre/team)")
linear_case("lin_three_levels", "levels", "workers in teams in centres",
            "y ~ x + (1 | centre/team/worker)")
linear_case("lin_uncorrelated", "slopes", "intercept and slope without a correlation",
            "y_apart ~ x + (x || g)")
linear_case("lin_two_slopes", "slopes", "two slopes with all correlations",
            "y ~ x + z + (1 + x + z | g)")
linear_case("lin_crossed_slopes", "crossed", "correlated slopes on two crossed factors",
            "y ~ x + (1 + x | a) + (1 + x | b)")
linear_case("lin_category", "slopes", "a category in interaction with a number",
            "y_kind ~ kind * x + (1 | g)")
linear_case("lin_weights", "slopes", "prior weights, Var(e) = sigma^2 / w", "y_weight ~ x + (1 | g)",
            options = list(weights = "weight"), second = FALSE, extra = function(d) list(weights = d$weight))
linear_case("lin_offset", "slopes", "an offset", "y_load ~ x + (1 | g)",
            options = list(offset = "load"), extra = function(d) list(offset = d$load))
linear_case("lin_correlation_one", "singular", "a correlation of -1 in the estimate: singular",
            "y ~ x + (1 + x | g)", second = FALSE)
linear_case("lin_zero_variance", "idle", "three crossed factors, one of them with an estimate of zero",
            "y ~ x + (1 | a) + (1 | b) + (1 | c)", second = FALSE)
linear_case("lin_small_variance", "district", "800 rows a district and a small variance between districts, that is not zero",
            "y ~ x + (1 | person) + (1 | district)", second = FALSE, df = FALSE)

general_case("bin_crossed", "binary", "two crossed factors", "got ~ x + z + (1 | a) + (1 | b)", binomial(),
             list(family = "binomial"))
general_case("bin_slope", "binary", "a correlated slope", "got_slope ~ x + z + (1 + x | a)", binomial(),
             list(family = "binomial"))
general_case("bin_grouped", "grouped", "successes and failures", "cbind(yes, no) ~ x + (1 | g)", binomial(),
             list(family = "binomial"))
general_case("bin_probit_crossed", "binary", "two crossed factors", "got_probit ~ x + z + (1 | a) + (1 | b)",
             binomial("probit"), list(family = "binomial", link = "probit"), binary = "got_probit")
general_case("bin_cloglog", "binary", "one factor", "got_cloglog ~ x + z + (1 | a)", binomial("cloglog"),
             list(family = "binomial", link = "cloglog"), binary = "got_cloglog")
general_case("bin_quadrature", "binary", "one factor, adaptive quadrature", "got ~ x + z + (1 | a)", binomial(),
             list(family = "binomial"), quad = c(5, 9, 15))
general_case("pois_quadrature", "counts", "one factor, adaptive quadrature", "calls ~ x + (1 | a)", poisson(),
             list(family = "poisson"), quad = c(5, 9, 15),
             constant = function(d) sum(dpois(d$calls, d$calls, log = TRUE)))
general_case("pois_crossed", "counts", "three crossed factors and exposure",
             "visits ~ x + (1 | a) + (1 | b) + (1 | c)", poisson(), list(family = "poisson"),
             extra = function(d) list(offset = d$exposure), extra_options = list(offset = "exposure"))
general_case("pois_rows", "counts", "a random effect of every row beside one of a group",
             "spread ~ x + (1 | a) + (1 | row)", poisson(), list(family = "poisson"))

ordinal_case("ord_crossed", "ratings", "two crossed factors, five steps", "answer ~ x + z + (1 | a) + (1 | b)",
             list(family = "ordinal"), "logit", "answer ~ x + z + (1 | a) + (1 | b)")
ordinal_case("ord_probit", "ratings", "one factor", "answer_probit ~ x + z + (1 | a)",
             list(family = "ordinal", link = "probit"), "probit", "answer_probit ~ x + z + (1 | a)")
ordinal_case("ord_symmetric", "ratings", "thresholds symmetric about their middle", "answer_probit ~ x + z + (1 | a)",
             list(family = "ordinal", link = "probit", thresholds = "symmetric"), "probit",
             "answer_probit ~ x + z + (1 | a)", threshold = "symmetric")
ordinal_case("ord_equidistant", "ratings", "thresholds at equal distances", "answer_probit ~ x + z + (1 | a)",
             list(family = "ordinal", link = "probit", thresholds = "equidistant"), "probit",
             "answer_probit ~ x + z + (1 | a)", threshold = "equidistant")
ordinal_case("ord_cloglog", "ratings", "one factor", "answer_cloglog ~ x + z + (1 | a)",
             list(family = "ordinal", link = "cloglog"), "cloglog", "answer_cloglog ~ x + z + (1 | a)")
ordinal_case("ord_quadrature", "ratings", "one factor, adaptive quadrature", "answer ~ x + z + (1 | a)",
             list(family = "ordinal", n_quad = 7), "logit", "answer ~ x + z + (1 | a)", nagq = 7)
ordinal_case("ord_nested", "levels", "teams in centres", "rating ~ x + (1 | centre/team)",
             list(family = "ordinal"), "logit", "rating ~ x + (1 | centre) + (1 | team:centre)")
ordinal_case("ord_weights", "ratings", "every row counts as many times as the column says", "answer ~ x + z + (1 | a)",
             list(family = "ordinal", weights = "times"), "logit", "answer ~ x + z + (1 | a)",
             extra = function(d) list(weights = d$times))
ordinal_case("ord_slope", "ratings", "a correlated slope", "answer_slope ~ x + z + (1 + x | a)",
             list(family = "ordinal"), "logit", "answer_slope ~ x + z + (1 + x | a)")
