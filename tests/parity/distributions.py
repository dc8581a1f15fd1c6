"""Distributions beside SciPy and PyTorch, live.

    distributions.py PROGRAM FOLDER

Densities, cumulative functions and their inverses in f64 beside SciPy, into the tails; gradients,
entropies, moments, vectors and divergences beside torch.distributions.
"""
import inspect
import pathlib
import subprocess
import sys

import numpy as np
import scipy.stats as S
import torch
import torch.distributions as D

import tensors

TOLERANCE = 1e-10
TAILS = np.array([1e-100, 1e-30, 1e-12, 1e-6, 1e-3, 0.01, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.99, 0.999, 1 - 1e-6,
                  1 - 1e-10])
T64 = dict(dtype=torch.float64)


def trunc(loc, scale, low, high):
    return S.truncnorm((low - loc) / scale, (high - loc) / scale, loc, scale)


SHAPES = [(0.1,), (0.5,), (1.0,), (2.5,), (30.0,), (1000.0,)]
PLACES = [(0.0, 1.0), (-3.0, 0.01), (100.0, 25.0)]
PAIRS = [(0.1, 2.0), (0.5, 0.5), (1.0, 1.0), (3.0, 0.2), (7.5, 30.0), (200.0, 40.0), (2000.0, 5000.0)]
# family: SciPy's, sets of parameters
CONTINUOUS = {
    "Normal": (S.norm, PLACES),
    "Laplace": (S.laplace, PLACES),
    "Cauchy": (S.cauchy, PLACES),
    "Gumbel": (S.gumbel_r, PLACES),
    "Logistic": (S.logistic, PLACES),
    "StudentT": (S.t, [(0.3, 0.0, 1.0), (1.0, 2.0, 3.0), (2.0, 0.0, 1.0), (4.5, -1.0, 0.1), (30.0, 0.0, 1.0), (1e5, 0.0, 1.0)]),
    "VonMises": (lambda m, k: S.vonmises(k, m), [(0.0, 0.01), (0.5, 1.0), (-1.0, 10.0), (2.0, 45.0)]),
    "Exponential": (lambda r: S.expon(scale=1 / r), SHAPES),
    "Gamma": (lambda a, r: S.gamma(a, scale=1 / r), PAIRS),
    "Chi2": (S.chi2, SHAPES),
    "InverseGamma": (lambda a, b: S.invgamma(a, scale=b), PAIRS),
    "HalfNormal": (lambda s: S.halfnorm(scale=s), SHAPES),
    "HalfCauchy": (lambda s: S.halfcauchy(scale=s), SHAPES),
    "LogNormal": (lambda m, s: S.lognorm(s, scale=np.exp(m)), [(0.0, 1.0), (-3.0, 0.2), (2.0, 3.0)]),
    "Weibull": (lambda s, k: S.weibull_min(k, scale=s), PAIRS[:5]),
    "Pareto": (lambda s, a: S.pareto(a, scale=s), PAIRS[:5]),
    "GeneralizedPareto": (lambda m, s, c: S.genpareto(c, m, s), [(0.0, 1.0, 0.0), (1.0, 2.0, 0.3), (-1.0, 0.5, -0.7), (0.0, 1.0, 2.0)]),
    "FisherSnedecor": (S.f, [(1.0, 1.0), (3.0, 7.0), (0.5, 20.0), (40.0, 6.5), (200.0, 300.0)]),
    "Uniform": (lambda a, b: S.uniform(a, b - a), [(0.0, 1.0), (-5.0, 3.0)]),
    "Triangular": (lambda a, b, c: S.triang((c - a) / (b - a), a, b - a), [(0.0, 1.0, 0.3), (-1.0, 3.0, -1.0), (2.0, 4.0, 4.0)]),
    "TruncatedNormal": (trunc, [(0.0, 1.0, -1.0, 2.0), (1.0, 2.0, 5.0, 20.0), (0.0, 1.0, -np.inf, -3.0), (0.0, 0.5, 0.0, np.inf)]),
    "Beta": (S.beta, PAIRS),
    "Kumaraswamy": (None, PAIRS[:5]),
}
DISCRETE = {
    "Bernoulli": (S.bernoulli, [(0.0,), (0.3,), (1.0,)]),
    "Binomial": (S.binom, [(0.0, 0.5), (1.0, 0.3), (10.0, 0.7), (200.0, 0.01), (10000.0, 0.4)]),
    "NegativeBinomial": (lambda r, p: S.nbinom(r, 1 - p), [(1.0, 0.5), (0.3, 0.9), (25.0, 0.2), (500.0, 0.6)]),
    "Geometric": (lambda p: S.geom(p, loc=-1), [(0.001,), (0.3,), (1.0,)]),
    "Poisson": (S.poisson, [(0.01,), (1.0,), (20.0,), (3000.0,)]),
    "Skellam": (S.skellam, [(1.0, 1.0), (0.2, 5.0), (40.0, 15.0)]),
    "BetaBinomial": (S.betabinom, [(10.0, 0.5, 2.0), (100.0, 3.0, 7.0), (1.0, 1.0, 1.0)]),
}
# Parameters of torch's constructors, one batch each, for gradients and entropies.
BATCHED = {
    "Normal": D.Normal, "Laplace": D.Laplace, "Cauchy": D.Cauchy, "Gumbel": D.Gumbel, "StudentT": D.StudentT,
    "VonMises": D.VonMises, "Exponential": D.Exponential, "Gamma": D.Gamma, "Chi2": D.Chi2, "InverseGamma": D.InverseGamma,
    "HalfNormal": D.HalfNormal, "HalfCauchy": D.HalfCauchy, "LogNormal": D.LogNormal, "Weibull": D.Weibull,
    "Pareto": D.Pareto, "FisherSnedecor": D.FisherSnedecor, "Uniform": D.Uniform, "Beta": D.Beta,
    "Kumaraswamy": D.Kumaraswamy, "Bernoulli": D.Bernoulli, "Geometric": D.Geometric, "Poisson": D.Poisson,
    "NegativeBinomial": D.NegativeBinomial,
}
NO_BEYOND = {"VonMises"}  # SciPy's cumulative function has an absolute accuracy


class Kumaraswamy:
    def __init__(self, a, b):
        self.a, self.b = a, b

    def logpdf(self, x):
        return np.log(self.a * self.b) + (self.a - 1) * np.log(x) + (self.b - 1) * np.log1p(-x ** self.a)

    def cdf(self, x):
        return -np.expm1(self.b * np.log1p(-x ** self.a))

    def ppf(self, q):
        return (-np.expm1(np.log1p(-q) / self.b)) ** (1 / self.a)


class Faults:
    def __init__(self):
        self.count, self.arrays, self.worst = 0, 0, 0.0

    def compare(self, what, ours, theirs, tolerance=TOLERANCE, floor=1e-290):
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        self.arrays += 1
        if ours.shape != theirs.shape:
            ours, theirs = np.broadcast_arrays(ours, theirs)
        with np.errstate(invalid="ignore", over="ignore"):
            far = np.abs(ours - theirs) / np.maximum(np.abs(theirs), floor)
        far = np.where((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)), 0, far)
        worst = np.max(far, initial=0)
        if not worst <= tolerance:
            self.count += 1
            at = np.unravel_index(np.argmax(np.where(np.isnan(far), np.inf, far)), far.shape)
            print(f"{what}: {worst:.1e} at {at}: {ours[at]!r}, not {theirs[at]!r}")
        else:
            self.worst = max(self.worst, worst)


def with_numbers(x):
    return np.asarray(x, dtype=np.float64)


def scipy_cases(inputs):
    """Inputs of the cases, and what SciPy gives."""
    out = []
    for families, discrete in ((CONTINUOUS, False), (DISCRETE, True)):
        for family, (make, sets) in families.items():
            for n, parameters in enumerate(sets):
                theirs = Kumaraswamy(*parameters) if family == "Kumaraswamy" else make(*parameters)
                with np.errstate(all="ignore"):
                    x = np.unique(theirs.ppf(TAILS))
                x = x[np.isfinite(x)]
                if family == "Kumaraswamy":
                    x = x[(x > 0) & (x < 1)]
                q = TAILS[2:] if discrete or family in NO_BEYOND else TAILS
                name = f"{family} {n}"
                for i, p in enumerate(parameters):
                    inputs[f"{name}.p{i}"] = with_numbers(p)
                inputs[f"{name}.x"], inputs[f"{name}.q"] = with_numbers(x), with_numbers(q)
                out.append((name, family, theirs, x, q, discrete))
    return out


def check_scipy(cases, ours, faults):
    for name, family, theirs, x, q, discrete in cases:
        with np.errstate(all="ignore"):
            log_prob = (theirs.logpmf if discrete else theirs.logpdf)(x)
            faults.compare(name + " log_prob", ours[name + ".log_prob"], log_prob, floor=1)
            if family in NO_BEYOND:
                faults.compare(name + " cdf", ours[name + ".cdf"], theirs.cdf(x), floor=1)
            else:
                faults.compare(name + " cdf", ours[name + ".cdf"], theirs.cdf(x))
            faults.compare(name + " icdf", ours[name + ".icdf"], theirs.ppf(q), floor=1e-290 if family not in NO_BEYOND else 1)


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    inputs, faults = {}, Faults()
    cases = scipy_cases(inputs)
    tensors.save(folder / "distributions.in", inputs)
    subprocess.run([program, folder / "distributions.in", folder / "distributions.out"], check=True)
    ours = tensors.load(folder / "distributions.out")
    check_scipy(cases, ours, faults)
    print(f"distributions: {faults.arrays} arrays, {faults.count} differ; at most {faults.worst:.0e}")
    return 1 if faults.count else 0


if __name__ == "__main__":
    sys.exit(main())
