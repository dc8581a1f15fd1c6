#!/usr/bin/env python3
"""Holds support vector machines against scikit-learn (LIBSVM), live. Run by tests/parity/run."""
from package import peers

with peers():
    import numpy as np
    import sklearn
    from sklearn import svm
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
    from sklearn.preprocessing import scale

from estimators import finish, glia, near

TIGHT = dict(tol=1e-10)
LIMIT = dict(max_iter=200_000)  # LIBSVM's f32 does not always get there: then nothing is compared


def ended(machine):
    return np.max(machine.n_iter_) < LIMIT["max_iter"]


KERNELS = [dict(kernel="rbf"), dict(kernel="linear", C=0.5), dict(kernel="poly", degree=2, coef0=1.0),
           dict(kernel="sigmoid", gamma=0.01, C=2.0), dict(kernel="rbf", gamma=0.5, C=10)]


def cost(x, y, options, weight, coefficients, support, intercept):
    """What a machine of two classes minimises, in f64: LIBSVM keeps kernels in f32."""
    kernels = {"linear": lambda k, g: k, "poly": lambda k, g: (g * k + options.get("coef0", 0)) ** options["degree"],
               "rbf": lambda k, g: np.exp(-g * (np.diag(k)[:, None] + np.diag(k) - 2 * k)),
               "sigmoid": lambda k, g: np.tanh(g * k)}
    k = kernels[options["kernel"]](x @ x.T, options.get("gamma", 1 / (x.shape[1] * x.var())))
    a = np.zeros(len(x))
    a[support] = coefficients
    slack = np.maximum(0, 1 - np.where(y > y.min(), 1, -1) * (k @ a + intercept))
    return a @ k @ a / 2 + options.get("C", 1) * (slack * (1 if weight is None else weight)).sum()


def classifiers():
    rng = np.random.default_rng(0)
    digits = load_digits()
    sets = {"iris": (scale(load_iris().data), load_iris().target),
            "cancer": (scale(load_breast_cancer().data), load_breast_cancer().target),
            "digits": (digits.data[:400] / 16, digits.target[:400]),
            "noise": (rng.normal(size=(120, 3)), rng.integers(-1, 2, 120) * 3)}
    for name, (x, y) in sets.items():
        weight = rng.integers(0, 4, len(x)).astype(float)
        for options in KERNELS:
            for w in (None, weight):
                theirs = svm.SVC(**options, **TIGHT, **LIMIT).fit(x, y, sample_weight=w)
                if not ended(theirs):
                    continue
                new = x[::3] + 0.01
                ours = glia("SVC", {**options, **TIGHT}, x=x, y=y, sample_weight=w, new=new)
                what = f"svc {name} {options} {'weighted' if w is not None else ''}"
                # LIBSVM keeps f32; the sigmoid is not positive definite.
                rounding = 1e-3 if options["kernel"] in ("linear", "sigmoid") else 1e-6
                near(f"{what}: intercept", ours["intercept"], theirs.intercept_, rounding)
                near(f"{what}: decision", ours["decision_function"], theirs.decision_function(new), rounding)
                if name == "cancer" and options["kernel"] != "sigmoid":
                    costs = [cost(x, y, options, w, ours["dual_coef"][0], ours["support"], ours["intercept"])]
                    if w is None:
                        costs.append(cost(x, y, options, w, theirs.dual_coef_[0], theirs.support_, theirs.intercept_))
                    assert costs[0] <= costs[-1] * (1 + 1e-9), f"{what}: costs {costs}"
                near(f"{what}: predict", ours["predict"], theirs.predict(new), 0)
                if w is not None or name not in ("cancer", "noise") or options["kernel"] != "rbf":
                    continue  # what weighs 0 is not counted there; equal samples may share in any way
                # LIBSVM keeps the matrix in f32: multipliers, of which many sets are nearly as good,
                # differ by more than what they decide.
                duals = [np.zeros((len(ours["dual_coef"]), len(x))) for _ in range(2)]
                duals[0][:, ours["support"]] = ours["dual_coef"]
                duals[1][:, theirs.support_] = theirs.dual_coef_
                near(f"{what}: dual", *duals, 1e-3)
        k = x @ x.T
        theirs = svm.SVC(kernel="precomputed", **TIGHT, **LIMIT).fit(k, y)
        ours = glia("SVC", dict(kernel="precomputed", **TIGHT), x=k, y=y, new=k[::4])
        if ended(theirs):
            near(f"svc {name} precomputed", ours["decision_function"], theirs.decision_function(k[::4]), 1e-6)
        theirs = svm.SVC(class_weight="balanced", **TIGHT, **LIMIT).fit(x, y)
        ours = glia("SVC", dict(balanced=True, **TIGHT), x=x, y=y, new=x[::4])
        near(f"svc {name} balanced", ours["decision_function"], theirs.decision_function(x[::4]), 1e-6)


def others():
    x, y = load_diabetes(return_X_y=True)
    x, y = scale(x)[:250], y[:250] / 50
    for options in KERNELS:
        theirs = svm.SVR(**options, **TIGHT, **LIMIT).fit(x, y)
        rounding = 1e-3 if options["kernel"] in ("linear", "sigmoid") else 1e-6
        if ended(theirs):
            ours = glia("SVR", {**options, **TIGHT}, x=x, y=y, new=x[::3] * 1.1)
            near(f"svr {options}", ours["predict"], theirs.predict(x[::3] * 1.1), rounding)
            near(f"svr {options}: intercept", ours["intercept"], theirs.intercept_[0], rounding)
        if options["kernel"] == "sigmoid":
            continue  # not positive definite: optima differ
        options = {k: v for k, v in options.items() if k != "C"}
        theirs = svm.OneClassSVM(nu=0.3, **options, **TIGHT, **LIMIT).fit(x)
        if not ended(theirs):
            continue
        ours = glia("OneClassSVM", dict(nu=0.3, **options, **TIGHT), x=x, new=x[::3] * 1.1)
        near(f"one class {options}", ours["decision_function"], theirs.decision_function(x[::3] * 1.1), 1e-6)


for part in (classifiers, others):
    part()
finish(f"scikit-learn {sklearn.__version__}")
