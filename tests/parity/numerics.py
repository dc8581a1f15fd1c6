"""Minima, roots, integrals and differential equations beside SciPy (and torchdiffeq, if it is there), live.

    numerics.py PROGRAM FOLDER
"""
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import scipy
import scipy.differentiate
import scipy.integrate as I
import scipy.optimize as O
import scipy.special as P
import torch

import tensors

warnings.simplefilter("ignore")
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
rng = np.random.default_rng(5)
t = np.linspace(0, 4, 60)
y = 2.5 * np.exp(-1.3 * t) + 0.5 + 0.05 * rng.standard_normal(60)
y[[5, 20, 44]] += [1.5, -2, 1]
sigma = rng.uniform(0.5, 2, 60)
covariance = np.diag(sigma ** 2) + 0.1 * np.exp(-np.abs(np.subtract.outer(t, t)))
matrix, places = rng.standard_normal((7, 10)), np.cumsum(rng.uniform(0.1, 1, 10))
a, y0 = 0.8 * rng.standard_normal((3, 3)), rng.standard_normal((2, 3))
given = dict(t=t, y=y, sigma=sigma, covariance=covariance, matrix=matrix, places=places, a=a, y0=y0)
tensors.save(folder / "numerics.in", given)
subprocess.run([program, folder / "numerics.in", folder / "numerics.out"], check=True)
glia = tensors.load(folder / "numerics.out")

count, faults = 0, []


def same(name, found, wanted, tolerance, absolute=None):
    """To this part of the largest number, or absolutely."""
    global count
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    count += max(wanted.size, 1)
    if found.shape != wanted.shape:
        faults.append(f"{name}: shapes {found.shape} and {wanted.shape}")
        return
    if not wanted.size:
        return
    scale = max(np.abs(wanted).max(), 1e-300) if absolute is None else absolute
    off = np.abs(found - wanted).max() / scale
    if not off <= tolerance:
        faults.append(f"{name}: off by {off:.2e}: {found.ravel()[:4]} and {wanted.ravel()[:4]}")


# ---- Minima ----
def beale(x):
    return ((1.5 - x[0] * (1 - x[1])) ** 2 + (2.25 - x[0] * (1 - x[1] ** 2)) ** 2
            + (2.625 - x[0] * (1 - x[1] ** 3)) ** 2)


def himmelblau(x):
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


PROBLEMS = {"rosen": (O.rosen, [1.3, 0.7, 0.8, 1.9, 1.2]), "beale": (beale, [1.0, 1.0]),
            "himmelblau": (himmelblau, [1.0, 1.0])}
for problem, (f, start) in PROBLEMS.items():
    best = O.minimize(f, start, method="Nelder-Mead", options=dict(xatol=1e-10, fatol=1e-16, maxiter=9999, maxfev=9999)).x
    best = O.minimize(f, best, method="BFGS", options=dict(gtol=1e-10)).x
    for name in [k.split(".")[2] for k in glia if k.startswith(f"minimize.{problem}.") and k.endswith(".x")]:
        same(f"{problem} {name} succeeds", glia[f"minimize.{problem}.{name}.success"], [1], 0)
        x = glia[f"minimize.{problem}.{name}.x"]
        same(f"{problem} {name}", x, best, 2e-7)
    for adaptive in (False, True):
        key = f"simplex.{problem}." + ("adaptive" if adaptive else "plain")
        r = O.minimize(f, start, method="Nelder-Mead", options=dict(xatol=1e-8, fatol=1e-8, maxiter=5000, maxfev=5000, adaptive=adaptive))
        same(key, glia[key + ".x"], r.x, 1e-7)
        same(key + " counts", glia[key + ".counts"], [r.nit, r.nfev], 0.05)
r = O.minimize(O.rosen, PROBLEMS["rosen"][1], jac=O.rosen_der, method="L-BFGS-B", options=dict(gtol=1e-11, ftol=1e-16),
               bounds=[(-1, 0.5), (0.6, 2), (-5, 5), (1.5, 1.8), (None, None)])
same("bounds", glia["bounds.x"], r.x, 1e-6)
r = O.minimize(lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2], [1, 5, 5, 1], method="SLSQP", bounds=[(1, 5)] * 4, tol=1e-12,
               constraints=[dict(type="ineq", fun=lambda x: np.prod(x) - 25), dict(type="eq", fun=lambda x: (x ** 2).sum() - 40)])
same("constraints", glia["constraints.x"], r.x, 1e-6)
f = lambda x: (x - 2) * x * (x + 2) ** 2 + np.sin(3 * x)
for name, options in dict(brent={}, golden=dict(method="golden"), bounded=dict(method="bounded", bounds=(-3, 0.5))).items():
    r = O.minimize_scalar(f, **options)
    same(f"scalar {name}", glia[f"scalar.{name}.x"], [r.x], 1e-7 if name != "bounded" else 1e-5)
    same(f"scalar {name} nfev", glia[f"scalar.{name}.nfev"], [r.nfev], 0.15)

# ---- Roots ----
FUNCTIONS = [lambda x: np.cos(x) - x, lambda x: x ** 3 - 2 * x - 5, lambda x: np.exp(x) - 100, lambda x: np.arctan(x - 1.5)]
BRACKETS = [(0, 1), (2, 3), (0, 10), (-3, 9)]
for i, (f, (low, high)) in enumerate(zip(FUNCTIONS, BRACKETS)):
    for name in ("brentq", "bisect", "ridder", "toms748"):
        r = O.root_scalar(f, method=name, bracket=(low, high))
        found = glia[f"root.{i}.{name}"]
        same(f"root {i} {name}", found[:1], [r.root], 1e-11)
        same(f"root {i} {name} steps", found[1:], [r.iterations, r.function_calls], 0, 1) if name in ("brentq", "bisect") else \
            same(f"root {i} {name} calls", found[2:], [r.function_calls], 4, 1)
    r = O.root_scalar(f, method="secant", x0=high * 0.6, x1=high * 0.7)
    found = glia[f"root.{i}.secant"]
    if r.converged:
        same(f"root {i} secant", found, [r.root, r.iterations, r.function_calls], 1e-8)


def broyden(x):
    return (3 - 2 * x) * x - np.r_[0, x[:-1]] - 2 * np.r_[x[1:], 0] + 1


wanted = O.root(broyden, -np.ones(12), tol=1e-13).x
for name in ("hybr", "lm", "broyden1", "krylov"):
    same(f"system {name}", glia[f"system.{name}"], wanted, 1e-9)

# ---- Least squares ----
decay = lambda x, a, b, c: a * np.exp(-b * x) + c
for loss in ("linear", "soft_l1", "huber", "cauchy", "arctan"):
    for bounds in (False, True):
        key = f"lsq.{loss}." + ("bounds" if bounds else "free")
        r = O.least_squares(lambda p: decay(t, *p) - y, [1, 1, 0.7], jac="3-point", loss=loss, f_scale=0.1, ftol=1e-14, xtol=1e-14, gtol=1e-12,
                            bounds=([0, 0, 0.6], [2, 5, 1]) if bounds else (-np.inf, np.inf))
        same(key, glia[key + ".x"], r.x, 2e-6)
        same(key + " cost", glia[key + ".cost"], [r.cost], 1e-8)
for name, options in dict(plain={}, sigma=dict(sigma=sigma), absolute=dict(sigma=sigma, absolute_sigma=True),
                          covariance=dict(sigma=covariance, absolute_sigma=True)).items():
    popt, pcov = O.curve_fit(decay, t, y, [1, 1, 1], ftol=1e-14, xtol=1e-14, gtol=1e-14, **options)
    same(f"curve {name}", glia[f"curve.{name}.popt"], popt, 1e-6)
    same(f"curve {name} covariance", glia[f"curve.{name}.pcov"], pcov, 2e-5)

# ---- Integrals ----
inf = np.inf
QUADS = {
    "gamma": (lambda x: x ** 1.5 * np.exp(-x), 0, inf, {}), "normal": (lambda x: np.exp(-x * x / 2), -inf, inf, {}),
    "tail": (lambda x: np.exp(-x * x / 2), 3, inf, {}), "below": (lambda x: 1 / (1 + x * x), -inf, -2, {}),
    "bessel": (lambda x: np.cos(3 * np.sin(x) - 2 * x), 0, np.pi, {}), "root": (lambda x: 1 / np.sqrt(x), 0, 1, {}),
    "log": (lambda x: np.log(x) * np.sqrt(x), 0, 2, {}), "kink": (lambda x: abs(np.sin(x)), 0, 10, {}),
    "points": (np.floor, 0, 3, dict(points=[1, 2])), "cos": (np.exp, 0, 2, dict(weight="cos", wvar=30)),
    "sin": (lambda x: 1 / (1 + x), 0, inf, dict(weight="sin", wvar=2)),
    "cosinf": (lambda x: 1 / (1 + x * x), 1, inf, dict(weight="cos", wvar=1.5)),
    "alg": (np.exp, -1, 2, dict(weight="alg", wvar=(-0.5, -0.3))),
    "alg-loga": (np.cos, 0, 2, dict(weight="alg-loga", wvar=(0.5, 0))),
    "alg-logb": (np.cos, 0, 2, dict(weight="alg-logb", wvar=(0.5, -0.5))),
    "alg-log": (np.cos, 0, 2, dict(weight="alg-log", wvar=(0.2, 0.1))),
    "cauchy": (lambda x: np.exp(-x), -1, 5, dict(weight="cauchy", wvar=0.7))}
for name, (f, low, high, options) in QUADS.items():
    value, error = I.quad(f, low, high, **options)
    same(f"quad {name}", glia[f"quad.{name}"][:1], [value], 1, max(error, 1e-10, 1e-9 * abs(value)))
    if "weight" not in options and name not in ("root", "log", "kink"):
        same(f"quad {name} error", glia[f"quad.{name}"][1:2], [error], 0.5)
for n in (1, 2, 5, 16, 45, 120):
    rules = dict(legendre=P.roots_legendre(n), hermite=P.roots_hermite(n), laguerre=P.roots_laguerre(n),
                 genlaguerre=P.roots_genlaguerre(n, 1.7), jacobi=P.roots_jacobi(n, 0.4, -0.6), chebyt=P.roots_chebyt(n))
    for name, (x, w) in rules.items():
        same(f"gauss {name} {n}", glia[f"gauss.{name}.{n}.x"], x, 1e-13)
        # Of Jacobi's weights SciPy loses digits: 2.5e-12 of n = 45, where Glia's are right to 5e-14 (mpmath).
        same(f"gauss {name} {n} weights", glia[f"gauss.{name}.{n}.w"], w, 1e-12 if name != "jacobi" else 1e-9)
for axis in (0, 1):
    x = places if axis else places[:7]
    same("trapezoid", glia[f"trapezoid.{axis}"], I.trapezoid(matrix, x, axis=axis), 1e-14)
    same("cumulative", glia[f"cumulative.{axis}"], I.cumulative_trapezoid(matrix, x, axis=axis, initial=0), 1e-14)
    same("simpson", glia[f"simpson.{axis}"], I.simpson(matrix, x=x, axis=axis), 1e-13)
    same("simpson dx", glia[f"simpson.dx.{axis}"], I.simpson(matrix, dx=0.3, axis=axis), 1e-13)
same("romb", glia["romb"], I.romb(matrix[:, :9], 0.3), 1e-13)
peak = lambda p: np.exp(-(p ** 2).sum(-1)) * (1 + np.cos(p.sum(-1)))
same("cubature", glia["cubature"], I.cubature(peak, [-1, 0, 0.5], [2, 1, 3], rtol=1e-10).estimate, 1e-8)
same("cubature infinite", glia["cubature.infinite"], I.cubature(peak, [-inf, 0], [inf, 2], rtol=1e-10).estimate, 1e-8)
g = lambda v: np.exp(np.sin(3 * v))
same("derivative", glia["derivative"], [scipy.differentiate.derivative(g, v).df for v in (0.4, -2.0)], 1e-9)

# ---- Differential equations ----
IVPS = {
    "lotka": (lambda t, y: [1.5 * y[0] - y[0] * y[1], -3 * y[1] + y[0] * y[1]], [10, 5], 8),
    "lorenz": (lambda t, y: [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]], [1, 1, 1], 3),
    "forced": (lambda t, y: -0.5 * np.asarray(y) + np.sin(2 * t + np.arange(3)), [2, -1, 0.5], 10),
    "robertson": (lambda t, y: [-0.04 * y[0] + 1e4 * y[1] * y[2], 0.04 * y[0] - 1e4 * y[1] * y[2] - 3e7 * y[1] ** 2, 3e7 * y[1] ** 2], [1, 0, 0], 100),
    "vdp": (lambda t, y: [y[1], 100 * (1 - y[0] ** 2) * y[1] - y[0]], [2, 0], 200)}
JACOBIANS = {
    "lotka": lambda t, y: [[1.5 - y[1], -y[0]], [y[1], -3 + y[0]]],
    "lorenz": lambda t, y: [[-10, 10, 0], [28 - y[2], -1, -y[0]], [y[1], y[0], -8 / 3]],
    "forced": lambda t, y: -0.5 * np.eye(3),
    "robertson": lambda t, y: [[-0.04, 1e4 * y[2], 1e4 * y[1]], [0.04, -1e4 * y[2] - 6e7 * y[1], -1e4 * y[1]], [0, 6e7 * y[1], 0]],
    "vdp": lambda t, y: [[0, 1], [-200 * y[0] * y[1] - 1, 100 * (1 - y[0] ** 2)]]}
for key in [k[:-7] for k in glia if k.startswith("ivp.") and k.endswith(".counts")]:
    _, problem, method, digits = key.split(".")
    f, start, end = IVPS[problem]
    options = dict(method=method, rtol=10.0 ** -int(digits), atol=10.0 ** -(int(digits) + 3))
    if method in ("Radau", "BDF"):
        options["jac"] = JACOBIANS[problem]
    r = I.solve_ivp(f, (0, end), start, **options)
    # Step for step the same: counts are equal, numbers to rounding (which an unstable equation enlarges).
    steps, nfev, njev, nlu = glia[key + ".counts"]
    same(f"{key} counts", [steps, nfev, nlu], [len(r.t) - 1, r.nfev, r.nlu], 0)
    wide = 1e-6 if problem == "vdp" else 1e-9
    sharp = 1e-4 if problem == "vdp" else 1e-7
    same(f"{key} times", glia[key + ".t"], r.t, sharp)
    same(f"{key} steps", glia[key + ".y"], r.y.T, sharp)
    r = I.solve_ivp(f, (0, end), start, t_eval=np.arange(21) * end / 20, events=lambda t, y: y[0] - 1, **options)
    same(f"{key} at times", glia[key + ".at"], r.y.T, wide)
    same(f"{key} events", glia[key + ".events"], r.t_events[0], wide)
try:
    import torchdiffeq
except ImportError as missing:
    print(f"without torchdiffeq: {missing}")
else:
    ta, ty = torch.tensor(a, requires_grad=True), torch.tensor(y0, requires_grad=True)
    for name in ("dopri5", "bosh3", "rk4", "midpoint", "euler"):
        path = torchdiffeq.odeint(lambda t, y: torch.tanh(y) @ ta + 0.1 * t, ty, torch.tensor([0, 0.4, 1, 2.5]), rtol=1e-9, atol=1e-11, method=name)
        ga, gy = torch.autograd.grad((path ** 2).sum(), (ta, ty))
        tolerance = {"dopri5": 1e-7, "bosh3": 1e-6}.get(name, 1e-13)  # it interpolates between steps
        same(f"odeint {name}", glia[f"odeint.{name}.y"], path.detach(), tolerance)
        same(f"odeint {name} by a", glia[f"odeint.{name}.ga"], ga, tolerance * 10)
        same(f"odeint {name} by y0", glia[f"odeint.{name}.gy"], gy, tolerance * 10)

for fault in faults:
    print(fault)
print(f"numerics: {count} comparisons with SciPy {scipy.__version__}, {len(faults)} faults")
sys.exit(bool(faults))
