"""Distributions beside SciPy and PyTorch, live.

    distributions.py PROGRAM FOLDER

Densities, cumulative functions and their inverses in f64 beside SciPy, into the tails; gradients,
entropies, moments, vectors and divergences beside torch.distributions.
"""
import pathlib
import subprocess
import sys

import numpy as np
import scipy
import scipy.stats as S
import torch
import torch.distributions as D

import tensors

TOLERANCE = 1e-10
TAILS = np.array([1e-100, 1e-30, 1e-12, 1e-6, 1e-3, 0.01, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.99, 0.999, 1 - 1e-6,
                  1 - 1e-10])
T64 = dict(dtype=torch.float64)
torch.set_num_threads(1)


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
# Where SciPy is wrong: its inverses of 1 - p lose a small p, or overflow.
SCIPY_FAULTS = {("StudentT 0", "icdf"), ("FisherSnedecor 0", "cdf"), ("Geometric 2", "icdf"), ("VonMises 2", "icdf"),
                ("VonMises 3", "icdf"), ("TruncatedNormal 3", "cdf"), ("TruncatedNormal 3", "icdf")}
SCIPY_FAULTS |= {(f"{name} {n}", "icdf") for name in ("HalfNormal", "HalfCauchy") for n in range(6)}
# torch.distributions' constructors, for gradients, entropies and moments.
TORCH = {name: getattr(D, name) for name in (
    "Normal", "Laplace", "Cauchy", "Gumbel", "StudentT", "VonMises", "Exponential", "Gamma", "Chi2", "InverseGamma",
    "HalfNormal", "HalfCauchy", "LogNormal", "Weibull", "Pareto", "FisherSnedecor", "Uniform", "Beta", "Kumaraswamy",
    "Bernoulli", "Geometric", "Poisson", "ContinuousBernoulli", "Categorical", "OneHotCategorical", "Dirichlet",
    "MultivariateNormal", "LowRankMultivariateNormal", "LogisticNormal", "RelaxedBernoulli", "Wishart")}
TORCH |= {
    "Binomial": lambda n, p: D.Binomial(n.detach(), p),
    "NegativeBinomial": lambda n, p: D.NegativeBinomial(n, p),
    "RelaxedOneHotCategorical": lambda t, p: D.RelaxedOneHotCategorical(t, p),
    "Multinomial": lambda p: D.Multinomial(7, p),
    "LKJCholesky": lambda c: D.LKJCholesky(4, c),
    "ByPrecision": lambda m, p: D.MultivariateNormal(m, precision_matrix=p),
    "ByScale": lambda m, t: D.MultivariateNormal(m, scale_tril=t.tril()),
    "LogitBernoulli": lambda x: D.Bernoulli(logits=x),
    "LogitCategorical": lambda x: D.Categorical(logits=x),
    "IndependentNormal": lambda m, s: D.Independent(D.Normal(m, s), 1),
    "MixtureNormal": lambda w, m, s: D.MixtureSameFamily(D.Categorical(w), D.Normal(m, s)),
    "MixtureVectors": lambda w, m, s: D.MixtureSameFamily(D.Categorical(w), D.Independent(D.Normal(m, s), 1)),
    "TanhNormal": lambda m, s: D.TransformedDistribution(D.Normal(m, s), [D.TanhTransform()]),
    "AffineExp": lambda r, m: D.TransformedDistribution(
        D.Exponential(r), [D.AffineTransform(m, -2.0), D.SigmoidTransform()]),
}
TORCH = {name: make for name, make in TORCH.items() if make}
# Parameters: "p" above 0, "r" real, "u" between 0 and 1, "n" a count, each with a shape.
SIGNS = {
    "Normal": "rp", "Laplace": "rp", "Cauchy": "rp", "Gumbel": "rp", "StudentT": "prp", "VonMises": "rp", "Exponential": "p",
    "Gamma": "pp", "Chi2": "p", "InverseGamma": "pp", "HalfNormal": "p", "HalfCauchy": "p", "LogNormal": "rp", "Weibull": "pp",
    "Pareto": "pp", "GeneralizedPareto": "rpu", "FisherSnedecor": "pp", "Uniform": "ru", "Beta": "pp", "Kumaraswamy": "pp",
    "Bernoulli": "u", "Geometric": "u", "Poisson": "p", "ContinuousBernoulli": "u", "Binomial": "nu", "NegativeBinomial": "pu",
    "RelaxedBernoulli": "pu", "LogitBernoulli": "r", "TanhNormal": "rp",
}


def parameters(signs, shape, generator):
    out = []
    for sign in signs:
        x = torch.rand(shape, generator=generator, **T64)
        out.append({"r": 4 * x - 2, "p": 0.3 + 5 * x, "u": 0.05 + 0.9 * x, "n": (x * 20).floor() + 1}[sign])
    return out


def definite(shape, generator):
    a = torch.randn(shape, generator=generator, **T64)
    return a @ a.mT + torch.eye(shape[-1], **T64)


def torch_inputs():
    g = torch.Generator().manual_seed(3)
    rand, randn = (lambda *s: torch.rand(*s, generator=g, **T64)), (lambda *s: torch.randn(*s, generator=g, **T64))
    cases = {family: parameters(signs, (9,), g) for family, signs in SIGNS.items()}
    cases["Uniform"] = [cases["Uniform"][0], cases["Uniform"][0] + 1 + cases["Uniform"][1]]
    cases |= {
        "Categorical": [rand(3, 5) + 0.1], "LogitCategorical": [randn(3, 5)], "OneHotCategorical": [rand(3, 5) + 0.1],
        "RelaxedOneHotCategorical": [rand(()) + 0.3, rand(3, 5) + 0.1], "Multinomial": [rand(3, 5) + 0.1],
        "Dirichlet": [rand(3, 5) * 3 + 0.2], "MultivariateNormal": [randn(2, 3), definite((2, 3, 3), g)],
        "ByPrecision": [randn(2, 3), definite((2, 3, 3), g)],
        "ByScale": [randn(2, 3), randn(2, 3, 3).tril(-1) + torch.diag_embed(rand(2, 3) + 0.5)],
        "LowRankMultivariateNormal": [randn(2, 4), randn(2, 4, 2), rand(2, 4) + 0.3],
        "LogisticNormal": [randn(2, 3), rand(2, 3) + 0.3], "Wishart": [rand(2) * 3 + 4, definite((2, 3, 3), g)],
        "LKJCholesky": [rand(3) * 3 + 0.4], "IndependentNormal": [randn(3, 4), rand(3, 4) + 0.3],
        "MixtureNormal": [rand(2, 3) + 0.1, randn(2, 3), rand(2, 3) + 0.3],
        "MixtureVectors": [rand(2, 3) + 0.1, randn(2, 3, 4), rand(2, 3, 4) + 0.3],
        "AffineExp": [rand(4) + 0.3, randn(4)],
    }
    return {family: given for family, given in cases.items() if family in TORCH}


def torch_cases(inputs):
    out = []
    for family, given in torch_inputs().items():
        torch.manual_seed(4)
        given = [x.clone().requires_grad_() for x in given]
        theirs = TORCH[family](*given)
        with torch.no_grad():
            x = theirs.sample()
        name = f"{family} t"
        for i, p in enumerate(given):
            inputs[f"{name}.p{i}"] = p.detach().numpy()
        inputs[f"{name}.x"] = x.numpy()
        out.append((name, family, theirs, given, x))
    return out


def gradients(y, given):
    y = torch.where(y.isfinite(), y, 0)
    return torch.autograd.grad(y.sum(), given, allow_unused=True, retain_graph=True)


def check_torch(cases, ours, faults):
    for name, family, theirs, given, x in cases:
        x = x.clone()
        all_given = list(given)
        discrete = family in ("Binomial", "Bernoulli", "LogitBernoulli", "Geometric", "Poisson", "NegativeBinomial", "Categorical",
                              "LogitCategorical", "OneHotCategorical", "Multinomial")
        if not discrete:
            all_given.append(x.requires_grad_())
        exact, slope = TORCH_INEXACT.get(family, TOLERANCE), TORCH_INEXACT.get(family, 1e-9)
        y = theirs.log_prob(x)
        faults.compare(name + " log_prob", ours[name + ".log_prob"], y.detach(), exact, floor=1)
        for i, g in enumerate(gradients(y, all_given)):
            if g is not None and f"{name}.g{i}" in ours and not (family == "Binomial" and i == 0):
                faults.compare(f"{name} gradient {i}", ours[f"{name}.g{i}"], g, slope, floor=1)
        for what in ("entropy", "mean", "variance", "mode"):
            try:
                value = getattr(theirs, what)
                value = value() if callable(value) else value
            except (NotImplementedError, AttributeError):
                continue
            if f"{name}.{what}" not in ours:
                if not (family, what) in NO_SUCH:
                    print(f"{name}: no {what}")
                    faults.count += 1
                continue
            if what == "mode" and family in TORCH_NO_MODE:
                continue
            faults.compare(f"{name} {what}", ours[f"{name}.{what}"], value.detach(), exact, floor=1)
            if what == "entropy" and value.requires_grad and f"{name}.e0" in ours:
                for i, g in enumerate(gradients(value, given)):
                    if g is not None and not (family == "Binomial" and i == 0):
                        faults.compare(f"{name} gradient of entropy {i}", ours[f"{name}.e{i}"], g, 1e-9, floor=1)


# What torch has by other means: an entropy that is a circular definition, a mode that is a bound.
NO_SUCH = {("Uniform", "mode")}
# torch has von Mises's Bessel functions to 1e-8, a Multinomial's entropy in f32, and NaN for a mode at 0 or by
# log1p(-c0).
TORCH_INEXACT = {"VonMises": 1e-6, "Multinomial": 1e-6}
TORCH_NO_MODE = {"Weibull", "Kumaraswamy"}


def divergence_cases(inputs):
    """Every pair for which torch has a formula."""
    given, out = torch_inputs(), []
    names = [n for n in given if n not in ("ByPrecision", "ByScale", "LogitBernoulli", "LogitCategorical", "AffineExp",
                                           "Binomial", "RelaxedOneHotCategorical", "LKJCholesky", "Chi2")]
    for p in names:
        for q in names:
            a = [x.clone().requires_grad_() for x in given[p]]
            b = [(x * 1.1).clone().requires_grad_() for x in given[q]]
            if p == q == "Pareto":
                b[0] = given[q][0].clone().requires_grad_()
            if "MultivariateNormal" in p and "MultivariateNormal" in q and a[0].shape != b[0].shape:
                continue
            try:
                kl = D.kl_divergence(TORCH[p](*a), TORCH[q](*b))
            except (NotImplementedError, ValueError, RuntimeError):
                continue
            name = f"{p}~{q} k"
            for i, x in enumerate(a + b):
                inputs[f"{name}.p{i}"] = x.detach().numpy()
            out.append((name, kl, a + b))
    return out


# torch is wrong: infinite inside the support; a density of 0 counts as one (pytorch kl.py).
TORCH_FAULTS = {"ContinuousBernoulli~Uniform", "Uniform~ContinuousBernoulli", "HalfCauchy~HalfCauchy"}
NOT_YET = {"Wishart~Wishart"}


def check_divergences(cases, ours, faults):
    for name, kl, given in cases:
        if name.split()[0] in TORCH_FAULTS | NOT_YET:
            continue
        if name + ".kl" not in ours:
            faults.count += 1
            continue
        faults.compare(name, ours[name + ".kl"], kl.detach(), 1e-9, floor=1)
        if not kl.requires_grad or not kl.isfinite().all():
            continue
        for i, g in enumerate(gradients(kl, given)):
            if g is not None:
                faults.compare(f"{name} gradient {i}", ours[f"{name}.g{i}"], g, 1e-8, floor=1)


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

    def compare(self, what, ours, theirs, tolerance=TOLERANCE, floor=1e-290, rounding=0.0):
        """`rounding`: what a last place of the argument is in the value, relative."""
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        self.arrays += 1
        if ours.shape != theirs.shape:
            ours, theirs = np.broadcast_arrays(ours, theirs)
        with np.errstate(invalid="ignore", over="ignore"):
            far = np.abs(ours - theirs) / np.maximum(np.abs(theirs), floor)
        far = np.where((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)), 0, far)
        far = far / (1 + rounding / tolerance)
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
    eps = 4 * np.finfo(np.float64).eps
    for name, family, theirs, x, q, discrete in cases:
        with np.errstate(all="ignore"):
            log_prob = (theirs.logpmf if discrete else theirs.logpdf)(x)
            faults.compare(name + " log_prob", ours[name + ".log_prob"], log_prob, floor=1)
            cdf = theirs.cdf(x)
            bend = 0.0 if discrete else np.nan_to_num(np.exp(log_prob) * np.abs(x) * eps / cdf)
            absolute = family in NO_BEYOND
            if (name, "cdf") not in SCIPY_FAULTS:
                faults.compare(name + " cdf", ours[name + ".cdf"], cdf, floor=1 if absolute else 1e-290, rounding=bend)
            if (name, "icdf") not in SCIPY_FAULTS:
                faults.compare(name + " icdf", ours[name + ".icdf"], theirs.ppf(q))


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    inputs, faults = {}, Faults()
    cases = scipy_cases(inputs)
    others, pairs = torch_cases(inputs), divergence_cases(inputs)
    tensors.save(folder / "distributions.in", inputs)
    subprocess.run([program, folder / "distributions.in", folder / "distributions.out"], check=True)
    ours = tensors.load(folder / "distributions.out")
    check_scipy(cases, ours, faults)
    count = faults.arrays
    check_torch(others, ours, faults)
    check_divergences(pairs, ours, faults)
    print(f"distributions: {count} arrays beside SciPy {scipy.__version__}, {faults.arrays - count} beside PyTorch "
          f"{torch.__version__} ({len(pairs)} divergences), {faults.count} differ; at most {faults.worst:.0e}")
    return 1 if faults.count else 0


if __name__ == "__main__":
    sys.exit(main())
