#!/usr/bin/env python3
"""Holds naive Bayes, discriminants, covariances, isotonic curves, calibration, Gaussian processes and
estimators of many outputs against scikit-learn, live. Run by tests/parity/run."""
import pathlib
import subprocess
import warnings

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import sklearn
    from sklearn import (calibration, covariance, discriminant_analysis, gaussian_process, isotonic,
                         multiclass, multioutput, naive_bayes)
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.datasets import (load_breast_cancer, load_diabetes, load_digits, load_iris,
                                  load_linnerud, load_wine)
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import scale

from estimators import finish, glia, near

PROGRAM = compiled(pathlib.Path(__file__).with_name("bayes.cpp"))
RNG = np.random.default_rng(0)
SETS = {"iris": load_iris(return_X_y=True), "wine": load_wine(return_X_y=True),
        "cancer": load_breast_cancer(return_X_y=True),
        "digits": tuple(a[:500] for a in load_digits(return_X_y=True))}


def own(what, *text, **arrays):
    np.savez(WORK / "in.npz", **{k: v for k, v in arrays.items() if v is not None})
    subprocess.run([PROGRAM, what, *text, WORK / "in.npz", WORK / "out.npz"], check=True)
    with np.load(WORK / "out.npz") as out:
        return {k: out[k] for k in out.files}


def attributes(what, ours, theirs, names, tolerance=1e-8):
    for name in names:
        near(f"{what}: {name}", ours[name], getattr(theirs, name + "_"), tolerance)


def bayes():
    for name, (x, y) in SETS.items():
        new, weight = x[::5] * 1.01, RNG.integers(0, 4, len(x)).astype(float)
        k = len(np.unique(y))
        priors = np.arange(1, k + 1) / (k * (k + 1) / 2)
        for w in (None, weight):
            for options in ({}, dict(var_smoothing=1e-3), dict(priors=priors)):
                theirs = naive_bayes.GaussianNB(**options).fit(x, y, w)
                given = {o: ",".join(map(str, v)) if o == "priors" else v for o, v in options.items()}
                ours = glia("GaussianNB", given, x=x, y=y, sample_weight=w, new=new)
                what = f"GaussianNB {name} {list(options)} {w is not None}"
                attributes(what, ours, theirs, ("theta", "var", "class_prior", "class_count", "epsilon"))
                near(what, ours["predict_proba"], theirs.predict_proba(new))
                near(what, ours["predict"], theirs.predict(new), 0)
            for model in ("MultinomialNB", "ComplementNB", "BernoulliNB", "CategoricalNB"):
                for options in ({}, dict(alpha=0.3, fit_prior=False), dict(alpha=0, force_alpha=False),
                                dict(norm=True), dict(binarize=2.5)):
                    if ("norm" in options) > (model == "ComplementNB") or \
                            ("binarize" in options) > (model == "BernoulliNB"):
                        continue
                    whole = np.floor(x) if model == "CategoricalNB" else x
                    if model == "CategoricalNB" and whole.max() > 100:
                        continue
                    theirs = getattr(naive_bayes, model)(**options).fit(whole, y, w)
                    ours = glia(model, options, x=whole, y=y, sample_weight=w, new=whole[::5])
                    what = f"{model} {name} {options} {w is not None}"
                    near(what, ours["predict_proba"], theirs.predict_proba(whole[::5]))
                    attributes(what, ours, theirs, ("class_log_prior", "class_count"))
                    if model != "CategoricalNB":
                        attributes(what, ours, theirs, ("feature_count", "feature_log_prob"))
                    else:
                        near(what, ours["category_count"], np.hstack(theirs.category_count_))
                        near(what, ours["feature_log_prob"], np.hstack(theirs.feature_log_prob_))
        for model in ("GaussianNB", "MultinomialNB", "ComplementNB", "BernoulliNB"):
            # Without noise: scikit-learn takes that of the new part off, not what it had added before.
            gaussian = model == "GaussianNB"
            theirs = getattr(naive_bayes, model)(**dict(var_smoothing=0) if gaussian else {})
            order, half = RNG.permutation(len(x)), len(x) // 2
            a, b, w = x[order], y[order], weight[order] + 0.5
            if gaussian:
                a = a + RNG.normal(size=a.shape)
            theirs.partial_fit(a[:half], b[:half], np.unique(y), w[:half])
            theirs.partial_fit(a[half:], b[half:], sample_weight=w[half:])
            ours = own("partial", model, x=a, y=b, w=w, classes=np.unique(y), new=new)
            near(f"{model} {name} in parts", ours["joint"], theirs.predict_joint_log_proba(new))
            near(f"{model} {name} in parts", ours["log_proba"], theirs.predict_log_proba(new))


def discriminants():
    for name, (x, y) in SETS.items():
        x = scale(x) if name != "digits" else x + RNG.normal(size=x.shape)
        new = x[::4] * 1.1
        k = len(np.unique(y))
        for options in (dict(), dict(store_covariance=True), dict(solver="lsqr"), dict(solver="eigen"),
                        dict(solver="lsqr", shrinkage="auto"), dict(solver="eigen", shrinkage="auto"),
                        dict(solver="eigen", shrinkage=0.3), dict(n_components=1),
                        dict(priors=np.full(k, 1 / k))):
            theirs = discriminant_analysis.LinearDiscriminantAnalysis(**options).fit(x, y)
            given = {o: ",".join(map(str, v)) if o == "priors" else v for o, v in options.items()}
            ours = glia("LinearDiscriminantAnalysis", given, x=x, y=y, new=new)
            what = f"LDA {name} {options}"
            attributes(what, ours, theirs, ("means", "priors", "coef", "intercept"))
            near(what, ours["predict_proba"], theirs.predict_proba(new))
            near(what, ours["decision_function"], theirs.decision_function(new))
            near(what, ours["predict"], theirs.predict(new), 0)
            if hasattr(theirs, "covariance_"):
                attributes(what, ours, theirs, ("covariance",))
            if options.get("solver") != "lsqr":
                attributes(what, ours, theirs, ("explained_variance_ratio",))
                # Axes have any sign.
                near(what, np.abs(ours["transform"]), np.abs(theirs.transform(new)))
        if name == "digits":  # pixels of a class are more than its samples
            x, new = x[:, 20:30], new[:, 20:30]
        for options in (dict(), dict(reg_param=0.2), dict(solver="eigen"), dict(store_covariance=True),
                        dict(solver="eigen", shrinkage="auto"), dict(solver="eigen", shrinkage=0.5)):
            options = dict(tol=1e-12, **options)
            theirs = discriminant_analysis.QuadraticDiscriminantAnalysis(**options).fit(x, y)
            ours = glia("QuadraticDiscriminantAnalysis", options, x=x, y=y, new=new)
            what = f"QDA {name} {options}"
            near(what, ours["scalings"], np.array(theirs.scalings_))
            near(what, ours["decision_function"], theirs.decision_function(new), 1e-7)
            near(what, ours["predict_proba"], theirs.predict_proba(new))
            near(what, ours["predict"], theirs.predict(new), 0)
            if hasattr(theirs, "covariance_") and theirs.covariance_[0] is not None:
                near(what, ours["covariance"], np.array(theirs.covariance_))


def covariances():
    for name, (x, _) in SETS.items():
        x = x + 0.1 * RNG.normal(size=x.shape)
        for model in ("EmpiricalCovariance", "ShrunkCovariance", "LedoitWolf", "OAS"):
            for centred in (False, True):
                theirs = getattr(covariance, model)(assume_centered=centred).fit(x)
                ours = glia(model, dict(assume_centered=centred), x=x)
                what = f"{model} {name} {centred}"
                attributes(what, ours, theirs, ("location", "covariance"))
                attributes(what, ours, theirs, ("precision",), 1e-6)
                if hasattr(theirs, "shrinkage_"):
                    attributes(what, ours, theirs, ("shrinkage",))
    x = RNG.normal(size=(200, 3)) @ RNG.normal(size=(3, 3))
    x[:30] += 20
    for options in ({}, dict(support_fraction=0.7), dict(assume_centered=True)):
        for data in (x, x[:, :1]):
            # Both begin at random: of several beginnings the least determinant is the same.
            theirs = min((covariance.MinCovDet(random_state=seed, **options).fit(data) for seed in range(20)),
                         key=lambda m: np.linalg.slogdet(m.raw_covariance_)[1])
            ours = min((glia("MinCovDet", dict(random_state=seed, **options), x=data) for seed in range(40)),
                       key=lambda m: np.linalg.slogdet(m["raw_covariance"])[1])
            what = f"MinCovDet {data.shape} {options}"
            least = [np.linalg.slogdet(c)[1] for c in (ours["raw_covariance"], theirs.raw_covariance_)]
            assert least[0] <= least[1] + 1e-9, f"{what}: log det {least}"
            if least[0] < least[1] - 1e-9:
                print(f"{what}: log det {least[0]:.6f}, of scikit-learn {least[1]:.6f}")
                continue
            attributes(what, ours, theirs, ("raw_location", "raw_covariance", "location", "covariance",
                                            "support", "dist"))
    for share in (0.1, 0.3):
        theirs = min((covariance.EllipticEnvelope(contamination=share, random_state=seed).fit(x)
                      for seed in range(20)), key=lambda m: np.linalg.slogdet(m.raw_covariance_)[1])
        ours = min((glia("EllipticEnvelope", dict(contamination=share, random_state=seed), x=x, new=x * 1.1)
                    for seed in range(6)), key=lambda m: np.linalg.slogdet(m["raw_covariance"])[1])
        near("EllipticEnvelope", ours["offset"], theirs.offset_)
        near("EllipticEnvelope", ours["decision_function"], theirs.decision_function(x * 1.1))
        near("EllipticEnvelope", ours["predict"], theirs.predict(x * 1.1), 0)


def isotonics():
    for n in (1, 2, 10, 500):
        x = RNG.integers(0, max(n // 2, 1), n).astype(float)
        y = 0.01 * x + RNG.normal(size=n)
        new = np.linspace(-1, n / 2 + 1, 300)
        for options in ({}, dict(increasing=False), dict(increasing="auto"),
                        dict(out_of_bounds="clip", y_min=-0.5, y_max=0.7)):
            for w in (None, RNG.integers(0, 3, n).astype(float) + (np.arange(n) == 0)):
                theirs = isotonic.IsotonicRegression(**options).fit(x, y, w)
                ours = glia("IsotonicRegression", options, x=x[:, None], y=y, sample_weight=w,
                            new=new[:, None])
                what = f"isotonic {n} {options} {w is not None}"
                attributes(what, ours, theirs, ("X_thresholds", "y_thresholds"))
                near(what, ours["predict"], theirs.predict(new))


def calibrations():
    parts = {"GaussianNB": naive_bayes.GaussianNB(),
             "LinearDiscriminantAnalysis": discriminant_analysis.LinearDiscriminantAnalysis()}
    for name in ("iris", "cancer", "wine"):
        x, y = SETS[name]
        new = x[::3] * 1.02
        for part, estimator in parts.items():
            for method in ("sigmoid", "isotonic", "temperature"):
                for ensemble in (True, False):
                    for w in (None, RNG.random(len(x)) + 0.1):
                        if w is not None and part != "GaussianNB":
                            continue
                        theirs = calibration.CalibratedClassifierCV(estimator, method=method, cv=4,
                                                                    ensemble=ensemble).fit(x, y, w)
                        ours = glia(f"CalibratedClassifierCV:{part}",
                                    dict(method=method, cv=4, ensemble=ensemble), x=x, y=y,
                                    sample_weight=w, new=new)
                        # scikit-learn ends its search where the slope is 1e-6, and of a temperature
                        # where losses differ by rounding alone, 1e-8 of log T, times logits to -27;
                        # here both go to the end. Isotonic curves are exact, but steep where
                        # naive Bayes is nearly sure: there they show its last digits.
                        steep = part == "GaussianNB"
                        tolerance = 1e-8 if method == "isotonic" and not steep else 1e-5
                        near(f"calibrated {name} {part} {method} {ensemble} {w is not None}",
                             ours["predict_proba"], theirs.predict_proba(new), tolerance)


def error():
    """The expected calibration error as Guo et al. 2017 define it, by NumPy."""
    for n, k, bins in ((1000, 3, 15), (300, 10, 5), (50, 2, 15)):
        logits = 2 * RNG.normal(size=(n, k))
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        y = np.array([RNG.choice(k, p=q) for q in p])
        confidence, right = p.max(1), p.argmax(1) == y
        of = np.ceil(confidence * bins) - 1
        gaps = [(np.mean(of == b), abs(right[of == b].mean() - confidence[of == b].mean()))
                for b in np.unique(of)]
        ours = own("error", "", y=y, p=p, n_bins=bins)
        near("ece", ours["ece"], sum(share * gap for share, gap in gaps))
        near("mce", ours["mce"], max(gap for _, gap in gaps))


KERNELS = ["ConstantKernel(2.0) * RBF(length_scale=1.5)",
           "RBF(length_scale=[1.0, 2.0, 0.5])",
           "Matern(length_scale=1.2, nu=0.5) + WhiteKernel(noise_level=0.2)",
           "Matern(length_scale=[1.0, 3.0, 2.0], nu=1.5)", "Matern(length_scale=0.8, nu=2.5)",
           "RationalQuadratic(length_scale=1.1, alpha=0.7)",
           "ExpSineSquared(length_scale=1.3, periodicity=2.2) * RBF(length_scale=4.0)",
           "DotProduct(sigma_0=0.6) ** 2 + ConstantKernel(0.5)",
           "ConstantKernel(1.5) * (RBF(length_scale=2.0) + DotProduct(sigma_0=1.0)) + WhiteKernel(0.1)"]


def text_of(kernel):
    """scikit-learn's constructors take constants by position."""
    return kernel.replace("ConstantKernel(", "ConstantKernel(constant_value=").replace(
        "WhiteKernel(0", "WhiteKernel(noise_level=0")


def kernel_of(kernel):
    return eval(kernel, vars(gaussian_process.kernels))  # the texts above


def processes():
    wide = RNG.normal(size=(40, 3))
    y = np.sin(wide[:, 0]) + 0.3 * wide[:, 1] * wide[:, 2] + 0.1 * RNG.normal(size=40)
    queries = RNG.normal(size=(15, 3))
    for kernel in KERNELS:
        # What repeats is a covariance along a line alone.
        features = 1 if "ExpSine" in kernel else 3
        x, new = wide[:, :features], queries[:, :features]
        for targets in (y, np.stack([y, x[:, 0] ** 2], 1)):
            for normal in (False, True):
                theirs = gaussian_process.GaussianProcessRegressor(
                    kernel_of(kernel), alpha=0.01, normalize_y=normal, optimizer=None).fit(x, targets)
                at = theirs.kernel_.theta + 0.1
                ours = own("gpr", text_of(kernel), x=x, y=targets, new=new, alpha=0.01, at=at, fit=0,
                           normalize_y=normal)
                what = f"gpr {kernel} {targets.ndim} {normal}"
                mean, std = theirs.predict(new, return_std=True)
                near(what, ours["mean"], mean)
                near(what, ours["predict"], mean)
                near(what, ours["std"], std)
                near(what, ours["cov"], theirs.predict(new, return_cov=True)[1])
                near(what, ours["theta"], theirs.kernel_.theta)
                near(what, ours["kernel"], theirs.kernel_(new, x))
                value, gradient = theirs.log_marginal_likelihood(at, eval_gradient=True)
                near(what, ours["at"], value)
                near(what, ours["gradient"], gradient)
        theirs = gaussian_process.GaussianProcessRegressor(kernel_of(kernel), alpha=0.01).fit(x, y)
        # Both go uphill from the same place, to a top that is as high; a period has many tops.
        ours = own("gpr", text_of(kernel), x=x, y=y, new=new, alpha=0.01, at=theirs.kernel_.theta,
                   restarts=8 if "ExpSine" in kernel else 0)
        assert ours["value"] >= theirs.log_marginal_likelihood_value_ - 1e-5, f"{kernel}: {ours['value']}"
        near(f"gpr {kernel} fitted", ours["at"], theirs.log_marginal_likelihood_value_)
    x, new = wide, queries
    # Any nu, by Bessel functions: values alone, since scikit-learn's slopes are differences.
    for nu in (0.3, 1.0, 3.7):
        theirs = gaussian_process.GaussianProcessRegressor(
            gaussian_process.kernels.Matern(nu=nu), alpha=0.01, optimizer=None).fit(x, y)
        ours = own("gpr", f"Matern(nu={nu})", x=x, y=y, new=new, alpha=0.01, at=np.zeros(1), fit=0)
        near(f"matern {nu}", ours["mean"], theirs.predict(new))
        near(f"matern {nu} slope", ours["gradient"],
             theirs.log_marginal_likelihood(np.zeros(1), eval_gradient=True)[1], 1e-4)

    for name, (x, y) in (("iris", SETS["iris"]), ("cancer", SETS["cancer"])):
        order = RNG.permutation(len(x))[:80]
        x, y, new = scale(x)[order][:, :4], y[order], scale(x)[::9][:, :4]
        for kernel in ("ConstantKernel(3.0) * RBF(length_scale=1.5)", "Matern(length_scale=2.0, nu=1.5)",
                       "RBF(length_scale=[1.0, 2.0, 1.5, 3.0]) + WhiteKernel(0.1)"):
            for pairs in (False, True):
                theirs = gaussian_process.GaussianProcessClassifier(
                    kernel_of(kernel), optimizer=None,
                    multi_class="one_vs_one" if pairs else "one_vs_rest").fit(x, y)
                at = kernel_of(kernel).theta + 0.05
                ours = own("gpc", text_of(kernel), x=x, y=y, new=new, at=at, fit=0, pairs=pairs)
                what = f"gpc {name} {kernel} {pairs}"
                near(what, ours["predict"], theirs.predict(new), 0)
                near(what, ours["value"], theirs.log_marginal_likelihood_value_)
                if not pairs:
                    near(what, ours["proba"], theirs.predict_proba(new))
                if len(np.unique(y)) == 2:
                    value, gradient = theirs.log_marginal_likelihood(at, eval_gradient=True)
                    near(what, ours["at"], value)
                    near(what, ours["gradient"], gradient, 1e-6)
        if name == "cancer":
            theirs = gaussian_process.GaussianProcessClassifier(kernel_of("1.0 * RBF(1.0)")).fit(x, y)
            ours = own("gpc", "1 * RBF(length_scale=1)", x=x, y=y, new=new, at=np.zeros(2))
            near("gpc fitted", ours["value"], theirs.log_marginal_likelihood_value_, 1e-6)


def many():
    parts = {"GaussianNB": naive_bayes.GaussianNB(),
             "LinearDiscriminantAnalysis": discriminant_analysis.LinearDiscriminantAnalysis()}
    for name, (x, y) in SETS.items():
        x = x + 0.1 * RNG.normal(size=x.shape)
        new = x[::3] * 1.01
        for part, estimator in parts.items():
            for model in ("OneVsRestClassifier", "OneVsOneClassifier"):
                theirs = getattr(multiclass, model)(estimator).fit(x, y)
                ours = glia(f"{model}:{part}", x=x, y=y, new=new)
                what = f"{model} {name} {part}"
                near(what, ours["predict"], theirs.predict(new), 0)
                if model == "OneVsRestClassifier":
                    near(what, ours["predict_proba"], theirs.predict_proba(new))
                if model == "OneVsOneClassifier" or part != "GaussianNB":
                    near(what, ours["decision_function"], theirs.decision_function(new))
    x, labels = SETS["iris"][0], np.stack([SETS["iris"][1] == 1, SETS["iris"][0][:, 1] > 3], 1).astype(int)
    theirs = multiclass.OneVsRestClassifier(parts["LinearDiscriminantAnalysis"]).fit(x, labels)
    ours = glia("OneVsRestClassifier:LinearDiscriminantAnalysis", x=x, y=labels, new=x[::2])
    near("labels", ours["predict"], theirs.predict(x[::2]), 0)
    near("labels", ours["predict_proba"], theirs.predict_proba(x[::2]))
    classes = np.stack([SETS["iris"][1], labels[:, 1]], 1)
    theirs = multioutput.MultiOutputClassifier(parts["GaussianNB"]).fit(x, classes)
    ours = glia("MultiOutputClassifier:GaussianNB", x=x, y=classes, new=x[::2])
    near("outputs", ours["predict"], theirs.predict(x[::2]), 0)
    for order in ([0, 1], [1, 0]):
        for cv in (None, 3):
            options = dict(order=",".join(map(str, order)), cv=cv)
            theirs = multioutput.ClassifierChain(parts["GaussianNB"], order=order, cv=cv).fit(x, labels)
            ours = glia("ClassifierChain:GaussianNB", options, x=x, y=labels, new=x[::2])
            near(f"chain {options}", ours["predict"], theirs.predict(x[::2]), 0)
            near(f"chain {options}", ours["predict_proba"], theirs.predict_proba(x[::2]))
            data = load_linnerud()
            theirs = multioutput.RegressorChain(Ridge(), order=order + [2], cv=cv).fit(data.data, data.target)
            ours = glia("RegressorChain:Ridge", dict(order=options["order"] + ",2", cv=cv), x=data.data,
                        y=data.target, new=data.data)
            near(f"chain {options}", ours["predict"], theirs.predict(data.data))
    theirs = multioutput.MultiOutputRegressor(Ridge()).fit(data.data, data.target)
    ours = glia("MultiOutputRegressor:Ridge", x=data.data, y=data.target, new=data.data)
    near("outputs", ours["predict"], theirs.predict(data.data))


def regressions():
    x, y = load_diabetes(return_X_y=True)
    both = np.stack([y, x[:, 0] * 100], 1)
    for kernel in ("linear", "poly", "rbf", "sigmoid", "laplacian", "cosine", "chi2"):
        for w in (None, RNG.random(300)):
            data = (x - x.min()) if kernel == "chi2" else x
            options = dict(kernel=kernel, alpha=0.5)
            if kernel == "chi2":
                options["gamma"] = 1.0
            theirs = KernelRidge(**options).fit(data[:300], both[:300], w)
            ours = glia("KernelRidge", options, x=data[:300], y=both[:300], sample_weight=w, new=data[300:])
            near(f"kernel ridge {kernel}", ours["dual_coef"], theirs.dual_coef_)
            near(f"kernel ridge {kernel}", ours["predict"], theirs.predict(data[300:]))
    data = load_linnerud()
    for x, y in ((x, y), (x, both), (data.data, data.target)):
        for options in ({}, dict(n_components=1), dict(n_components=3, scale=False, tol=1e-12, max_iter=5000)):
            theirs = PLSRegression(**options).fit(x, y)
            ours = glia("PLSRegression", options, x=x, y=y, new=x[:9])
            what = f"pls {x.shape} {options}"
            attributes(what, ours, theirs, ("coef", "x_weights", "x_loadings", "x_rotations", "y_weights",
                                            "y_loadings", "x_scores", "y_scores"))
            near(what, ours["predict"], theirs.predict(x[:9]))
            near(what, ours["transform"], theirs.transform(x[:9]))


warnings.filterwarnings("ignore")
for part in (bayes, discriminants, covariances, isotonics, calibrations, error, processes, many, regressions):
    part()
finish(f"scikit-learn {sklearn.__version__}")
