#!/usr/bin/env python3
"""Holds linear models against scikit-learn and statsmodels, live: the numbers that both print for
diabetes, breast cancer, iris, Spector's and Longley's data, and random problems.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import warnings

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import sklearn
    import statsmodels
    import statsmodels.api as sm
    from sklearn import linear_model as skl
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
    from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score
    from sklearn.preprocessing import scale

import estimators
from estimators import glia, near

PROGRAM = compiled(pathlib.Path(__file__).with_name("linear.cpp"))


def function(what, arrays, **options):
    """What is no estimator: see linear.cpp."""
    np.savez(WORK / "in.npz", **{k: v for k, v in arrays.items() if v is not None})
    subprocess.run([PROGRAM, what, WORK / "in.npz", WORK / "out.npz",
                    *(f"{k}={v}" for k, v in options.items())], check=True,
                   stdout=subprocess.DEVNULL)
    with np.load(WORK / "out.npz") as out:
        return {name: out[name] for name in out.files}


def each_near(what, ours, theirs, tolerance):
    """The same of each number by itself, but for what is nothing beside 1e-12."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    error = np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-12)
    assert np.all(error <= tolerance), f"{what}: {ours} {theirs}"
    estimators.checked += 1


def printed(what, value, text):
    """Fails unless the value is what was printed, to its last digit."""
    digits = len(text.split(".")[1])
    assert f"{value:.{digits}f}" == text, f"{what}: {value} is not {text}"
    print(f"{what}: {text}")
    estimators.checked += 1


def compare(what, name, peer, x, y, new, tolerance, weight=None, proba=False, attributes=(),
            n_iter=False, **options):
    """An estimator beside scikit-learn's, fitted to the same."""
    theirs = peer.fit(x, y) if weight is None else peer.fit(x, y, sample_weight=weight)
    ours = glia(name, options, x=x, y=y, new=new, sample_weight=weight)
    near(f"{what}: coef", ours["coef"], theirs.coef_, tolerance)
    intercept = np.resize(theirs.intercept_, ours["intercept"].shape)
    near(f"{what}: intercept", ours["intercept"], intercept,
         max(tolerance, 1e-12) * (1 + np.abs(theirs.coef_).max()
                                  / max(np.abs(theirs.intercept_).max(), 1e-3)))
    if "decision_function" in ours:
        assert (ours["predict"] == theirs.predict(new)).all(), what
        near(f"{what}: decision", ours["decision_function"], theirs.decision_function(new),
             10 * tolerance)
        if proba:
            near(f"{what}: proba", ours["predict_proba"], theirs.predict_proba(new), 10 * tolerance)
    else:
        near(f"{what}: predict", ours["predict"], theirs.predict(new), 10 * tolerance)
    for attribute in attributes:
        near(f"{what}: {attribute}", ours[attribute], getattr(theirs, attribute + "_"),
             100 * tolerance)
    if n_iter:
        assert ours["n_iter"] == np.max(theirs.n_iter_), f"{what}: {ours['n_iter']} {theirs.n_iter_}"
    return ours


def random_problem(rng, n, d, outputs=None):
    x = rng.standard_normal((n, d)) * rng.uniform(0.5, 3, d) + rng.uniform(-2, 2, d)
    w = rng.standard_normal((d, outputs)) if outputs else rng.standard_normal(d)
    y = x @ w + 3 + rng.standard_normal((n, outputs) if outputs else n)
    return x, y


def least_squares(diabetes):
    x, y = diabetes
    ours = compare("diabetes, OLS", "LinearRegression", skl.LinearRegression(), x, y, x, 1e-10,
                   attributes=("rank",))
    printed("diabetes, OLS: R2", r2_score(y, ours["predict"]), "0.517748")
    printed("diabetes, OLS: MSE", float(np.mean((y - ours["predict"])**2)), "2859.70")
    printed("diabetes, OLS: intercept", float(ours["intercept"]), "152.1335")
    rng = np.random.default_rng(0)
    for n, d, outputs in ((50, 3, None), (30, 30, 2), (20, 40, None), (500, 8, 3)):
        x, y = random_problem(rng, n, d, outputs)
        new = rng.standard_normal((7, d))
        for solver in ("qr", "svd", "normal"):
            for weight in (None, rng.random(n) + 0.1):
                for intercept in (True, False):
                    compare(f"OLS {n} x {d} {solver}", "LinearRegression",
                            skl.LinearRegression(fit_intercept=intercept), x, y, new,
                            1e-6 if solver == "normal" or n <= d else 1e-10, weight,
                            solver=solver, fit_intercept=intercept)
        if not outputs or n > d:
            compare(f"OLS {n} x {d}, positive", "LinearRegression",
                    skl.LinearRegression(positive=True), x, y, new, 1e-6, positive=True)
    x, y = random_problem(rng, 200, 4)
    compare("OLS, descent", "LinearRegression", skl.LinearRegression(), x, y, x, 1e-8, solver="gd")
    compare("OLS, SGD", "LinearRegression", skl.LinearRegression(), x, y, x, 2e-2, solver="sgd",
            max_iter=300)


def ols_statistics():
    data = [("Longley", sm.datasets.longley.load_pandas(), 1e-8),
            ("stackloss", sm.datasets.stackloss.load_pandas(), 1e-10)]
    rng = np.random.default_rng(1)
    problems = [(name, d.exog.to_numpy(np.float64), d.endog.to_numpy(np.float64), tolerance)
                for name, d, tolerance in data]
    problems.append(("random", *random_problem(rng, 80, 3), 1e-9))
    codes = {"nonrobust": 0, "HC0": 1, "HC1": 2, "HC2": 3, "HC3": 4, "HAC": 5}
    for name, x, y, tolerance in problems:
        for weight in (None, rng.random(len(y)) + 0.5, "scaled"):
            scaled = isinstance(weight, str)
            if scaled:  # statsmodels' own digits end where the condition of Longley's columns begins
                x, weight = scale(x), None
            model = sm.OLS(y, sm.add_constant(x)) if weight is None else \
                sm.WLS(y, sm.add_constant(x), weight)
            for cov_type, code in codes.items() if scaled else [("nonrobust", 0)]:
                keywords = {"maxlags": 2, "use_correction": 1} if cov_type == "HAC" else {}
                theirs = model.fit(cov_type=cov_type, cov_kwds=keywords or None)
                ours = function("ols", dict(x=x, y=y, new=x[::3], sample_weight=weight), cov_type=code,
                            **keywords)
                what = f"{name}, {cov_type}, weights {weight is not None}"
                loose = tolerance if not scaled else 1e-9
                for attribute in ("params", "bse", "tvalues", "resid", "fittedvalues"):
                    near(f"{what}: {attribute}", ours[attribute], getattr(theirs, attribute), loose)
                each_near(f"{what}: pvalues", ours["pvalues"], theirs.pvalues, 1e-4)
                near(f"{what}: conf_int", ours["conf_int"], theirs.conf_int(), loose)
                near(f"{what}: conf_int 99 %", ours["conf_int_1"], theirs.conf_int(0.01), loose)
                numbers = [theirs.nobs, theirs.df_model, theirs.df_resid, theirs.ssr, theirs.ess,
                           theirs.centered_tss, theirs.uncentered_tss, theirs.scale, theirs.rsquared,
                           theirs.rsquared_adj, theirs.fvalue, theirs.f_pvalue, theirs.llf,
                           theirs.aic, theirs.bic, theirs.condition_number]
                each_near(f"{what}: numbers", ours["numbers"], numbers, 1e-5)
                resid = theirs.wresid
                jb, jbpv, skew, kurtosis = sm.stats.stattools.jarque_bera(resid)
                each_near(f"{what}: tests", ours["tests"],
                          [sm.stats.stattools.durbin_watson(resid), jb, jbpv, skew, kurtosis], 1e-5)
                frame = theirs.get_prediction(sm.add_constant(x)[::3]).summary_frame()
                for column in ("mean", "mean_se", "mean_ci_lower", "mean_ci_upper", "obs_ci_lower",
                               "obs_ci_upper"):
                    near(f"{what}: {column}", ours[column], frame[column], loose)


def huber_objective(x, y, weight, coef, intercept, sigma, epsilon=1.35, alpha=1e-4):
    rest = np.abs(y - x @ coef - intercept)
    loss = np.where(rest > epsilon * sigma, 2 * epsilon * rest - sigma * epsilon**2, rest**2 / sigma)
    weight = np.ones(len(y)) if weight is None else weight
    return weight @ (sigma + loss) + alpha * coef @ coef


def pinball(x, y, weight, coef, intercept, quantile, alpha):
    rest = y - x @ coef - intercept
    weight = np.ones(len(y)) if weight is None else weight
    loss = weight @ np.maximum(quantile * rest, (quantile - 1) * rest)
    return loss / weight.sum() + alpha * np.abs(coef).sum()


def penalised(diabetes):
    x, y = diabetes
    for name, peer, r2, nonzero, options in (
            ("Lasso", skl.Lasso(alpha=0.1), "0.508839", 7, dict(alpha=0.1)),
            ("Lasso", skl.Lasso(alpha=1), "0.357379", 3, dict(alpha=1)),
            ("Ridge", skl.Ridge(alpha=1), "0.451231", 10, dict(alpha=1)),
            ("ElasticNet", skl.ElasticNet(alpha=0.1), "0.102989", 10, dict(alpha=0.1))):
        ours = compare(f"diabetes, {name} {options}", name, peer, x, y, x, 1e-9,
                       n_iter=name != "Ridge", attributes=() if name == "Ridge" else ("dual_gap",),
                       **options)
        printed(f"diabetes, {name} {options}: R2", r2_score(y, ours["predict"]), r2)
        if name == "Lasso":
            assert np.count_nonzero(ours["coef"]) == nonzero
    rng = np.random.default_rng(2)
    for n, d in ((60, 10), (20, 50), (400, 30)):
        x, y = random_problem(rng, n, d)
        weight = rng.random(n) + 0.1
        for w in (None, weight):
            for solver in ("auto", "svd", "cholesky"):
                compare(f"Ridge {n} x {d} {solver}", "Ridge", skl.Ridge(alpha=2.5), x, y, x, 1e-9, w,
                        solver=solver, alpha=2.5)
            for l1_ratio in (0.2, 0.7, 1):
                for positive in (False, True):
                    for precompute in (False, True):
                        what = f"ElasticNet {n} x {d}, {l1_ratio}, {positive}, {precompute}"
                        options = dict(alpha=0.1, l1_ratio=l1_ratio, positive=positive,
                                       precompute=precompute)
                        compare(what, "ElasticNet", skl.ElasticNet(**options), x, y, x, 1e-8, w,
                                n_iter=True, **options)
        compare(f"ElasticNet {n} x {d}, no intercept", "ElasticNet",
                skl.ElasticNet(alpha=0.3, fit_intercept=False, tol=1e-10, max_iter=100000), x, y, x,
                1e-6, alpha=0.3, fit_intercept=False, tol=1e-10, max_iter=100000)
        compare(f"ElasticNet {n} x {d}, random", "ElasticNet",
                skl.ElasticNet(alpha=0.3, tol=1e-10, max_iter=100000), x, y, x, 1e-4, alpha=0.3,
                tol=1e-10, max_iter=100000, selection="random")
        centred, target = x - x.mean(0), y - y.mean()
        for l1_ratio in (0.5, 1):
            alphas, coefs, gaps = skl.enet_path(centred, target, l1_ratio=l1_ratio, n_alphas=30,
                                                max_iter=100000)
            ours = function("path", dict(x=centred, y=target), l1_ratio=l1_ratio, n_alphas=30)
            near(f"path {n} x {d}: alphas", ours["alphas"], alphas, 1e-12)
            near(f"path {n} x {d}: coefs", ours["coefs"], coefs, 1e-6)
        if n > d:
            compare(f"RidgeCV {n} x {d}", "RidgeCV", skl.RidgeCV(alphas=[0.1, 1, 10, 100]), x, y, x,
                    1e-9, attributes=("alpha", "best_score"), alphas="0.1,1,10,100")
            compare(f"LassoCV {n} x {d}", "LassoCV", skl.LassoCV(max_iter=100000, tol=1e-8), x, y, x,
                    1e-6, attributes=("alpha",), max_iter=100000, tol=1e-8)
            peer = skl.ElasticNetCV(l1_ratio=[0.3, 0.9], max_iter=100000, tol=1e-8)
            ours = compare(f"ElasticNetCV {n} x {d}", "ElasticNetCV", peer, x, y, x, 1e-6,
                           attributes=("alpha", "l1_ratio"), l1_ratio="0.3,0.9", max_iter=100000,
                           tol=1e-8)
            near("ElasticNetCV: mse_path", ours["mse_path"], peer.mse_path_, 1e-5)
        for lasso in (False, True) if n > d else (True,):  # scikit-learn's least angles grow there
            alphas, active, coefs = skl.lars_path(centred, target, method="lasso" if lasso else "lar")
            ours = function("lars", dict(x=centred, y=target), lasso=int(lasso))
            count = min(len(alphas), len(ours["alphas"])) - (1 if n <= d else 0)
            near(f"lars {n} x {d} {lasso}: alphas", ours["alphas"][:count], alphas[:count], 1e-8)
            near(f"lars {n} x {d} {lasso}: coefs", ours["coefs"][:, :count], coefs[:, :count], 1e-7)
        if n > d:
            compare(f"Lars {n} x {d}", "Lars", skl.Lars(n_nonzero_coefs=4), x, y, x, 1e-9,
                    n_nonzero_coefs=4)
        compare(f"LassoLars {n} x {d}", "LassoLars", skl.LassoLars(alpha=0.1), x, y, x, 1e-8,
                alpha=0.1)
        for w in (None, weight):
            peer = skl.BayesianRidge()
            ours = compare(f"BayesianRidge {n} x {d}", "BayesianRidge", peer, x, y, x, 1e-7, w,
                           attributes=("alpha", "lambda", "sigma"), n_iter=True)
            near("BayesianRidge: std", function("bayes", dict(x=x, y=y, new=x, sample_weight=w))["std"],
                  peer.predict(x, return_std=True)[1], 1e-6)
        if n > d:
            y[::9] += 50
            for w in (None, weight):
                peer = skl.HuberRegressor(max_iter=10000, tol=1e-9)
                ours = compare(f"HuberRegressor {n} x {d}", "HuberRegressor", peer, x, y, x, 1e-3, w,
                               attributes=("scale",), max_iter=10000, tol=1e-9)
                # SciPy stops where the objective falls by less than 2e-9 of it.
                mine = huber_objective(x, y, w, ours["coef"], ours["intercept"], ours["scale"])
                least = huber_objective(x, y, w, peer.coef_, peer.intercept_, peer.scale_)
                assert mine <= least * (1 + 1e-14), (mine, least)
        for w in (None, weight):
            for quantile, alpha in ((0.5, 0), (0.2, 0.01), (0.9, 0.1)):
                if alpha == 0 and n <= d:
                    continue
                peer = skl.QuantileRegressor(quantile=quantile, alpha=alpha).fit(x, y, w)
                ours = glia("QuantileRegressor", dict(quantile=quantile, alpha=alpha), x=x, y=y, new=x,
                            sample_weight=w)
                near(f"QuantileRegressor {n} x {d} {quantile} {alpha}",
                     pinball(x, y, w, ours["coef"], ours["intercept"], quantile, alpha),
                     pinball(x, y, w, peer.coef_, peer.intercept_, quantile, alpha), 1e-9)


def logistic():
    spector = sm.datasets.spector.load_pandas()
    x, y = spector.exog.to_numpy(np.float64), spector.endog.to_numpy(np.float64)
    ours = function("glm", dict(x=x, y=y), family=1)
    for name, value, text in zip(("const", "GPA", "TUCE", "PSI"), ours["params"],
                                 ("-13.021347", "2.826113", "0.095158", "2.378688")):
        printed(f"Spector, logit: {name}", float(value), text)
    printed("Spector, logit: llf", float(ours["likelihoods"][0]), "-12.889634")
    theirs = sm.Logit(y, sm.add_constant(x)).fit(disp=0, tol=1e-12)
    for attribute in ("params", "bse", "tvalues"):
        near(f"Spector: {attribute}", ours[attribute], getattr(theirs, attribute), 1e-7)
    each_near("Spector: pvalues", ours["pvalues"], theirs.pvalues, 1e-5)
    near("Spector: cov_params", ours["cov_params"], theirs.cov_params(), 1e-6)
    each_near("Spector: likelihoods", ours["likelihoods"],
              [theirs.llf, theirs.llnull, theirs.aic, theirs.bic, theirs.prsquared, theirs.llr,
               theirs.llr_pvalue], 1e-8)
    for solver, steps in (("lbfgs", 10000), ("newton-cholesky", 100), ("ascent", 1000000)):
        ours = glia("LogisticRegression",
                    dict(penalty="none", solver=solver, tol=1e-10, max_iter=steps), x=x, y=y, new=x)
        found = [*ours["intercept"], *ours["coef"][0]]
        for name, value, text in zip(("const", "GPA", "TUCE", "PSI"), found,
                                     ("-13.021347", "2.826113", "0.095158", "2.378688")):
            printed(f"Spector, {solver}: {name}", float(value), text)
        printed(f"Spector, {solver}: llf", float(ours["log_likelihood"]), "-12.889634")

    cancer, iris = load_breast_cancer(), load_iris()
    x, y = scale(cancer.data), cancer.target
    for solver, steps in (("lbfgs", 10000), ("newton-cholesky", 100), ("ascent", 1000000),
                          ("saga", 20000)):
        tol = 1e-9 if solver != "saga" else 1e-8
        ours = compare(f"breast cancer, {solver}", "LogisticRegression",
                       skl.LogisticRegression(tol=1e-10, max_iter=10000), x, y, x, 1e-4, proba=True,
                       solver=solver, tol=tol, max_iter=steps)
        p = ours["predict_proba"][:, 1]
        printed(f"breast cancer, {solver}: log-loss", log_loss(y, p), "0.053392")
        printed(f"breast cancer, {solver}: AUC", roc_auc_score(y, p), "0.997450")
        printed(f"breast cancer, {solver}: accuracy", accuracy_score(y, ours["predict"]), "0.987698")
    # scikit-learn 1.2.1 printed 0.119638 where its tol of 1e-4 ended; the least loss is this.
    for solver, steps in (("lbfgs", 10000), ("newton-cholesky", 100), ("ascent", 1000000)):
        ours = compare(f"iris, {solver}", "LogisticRegression",
                       skl.LogisticRegression(tol=1e-10, max_iter=10000), iris.data, iris.target,
                       iris.data, 1e-4 if solver != "ascent" else 1e-3, proba=True, solver=solver, tol=1e-9, max_iter=steps)
        if solver != "ascent":  # which still is a little above after so many steps
            printed(f"iris, {solver}: log-loss", log_loss(iris.target, ours["predict_proba"]), "0.119637")
        printed(f"iris, {solver}: accuracy", accuracy_score(iris.target, ours["predict"]), "0.9733")
    # Ten folds of breast cancer, scaled by each training part.
    from sklearn.model_selection import StratifiedKFold
    right = []
    for train, test in StratifiedKFold(10).split(cancer.data, y):
        mean, std = cancer.data[train].mean(0), cancer.data[train].std(0)
        ours = glia("LogisticRegression", dict(tol=1e-8, max_iter=1000),
                    x=(cancer.data[train] - mean) / std, y=y[train],
                    new=(cancer.data[test] - mean) / std)
        right.append(np.mean(ours["predict"] == y[test]))
    printed("breast cancer, 10 folds", float(np.mean(right)), "0.9807")

    rng = np.random.default_rng(3)
    x = rng.standard_normal((150, 6))
    z = x @ rng.standard_normal((6, 3)) + rng.standard_normal((150, 3))
    y3, y2 = z.argmax(1), (z[:, 0] > 0).astype(int)
    weight = rng.random(150)
    for y in (y2, y3):
        for w in (None, weight):
            for C in (0.1, 1, 30):
                for intercept in (True, False):
                    compare(f"logistic {y.max() + 1}, C = {C}", "LogisticRegression",
                            skl.LogisticRegression(C=C, fit_intercept=intercept, tol=1e-10,
                                                   max_iter=10000), x, y, x, 1e-5, w, proba=True,
                            C=C, fit_intercept=intercept, tol=1e-9, max_iter=1000)
            for penalty, l1_ratio in (("l1", 1), ("elasticnet", 0.4)):
                compare(f"logistic {y.max() + 1}, {penalty}", "LogisticRegression",
                        skl.LogisticRegression(solver="saga", C=0.3, l1_ratio=l1_ratio, tol=1e-10,
                                               max_iter=20000), x, y, x, 1e-4, w, proba=True, C=0.3,
                        solver="saga", penalty=penalty, l1_ratio=l1_ratio, tol=1e-10, max_iter=20000)
            compare("logistic, balanced", "LogisticRegression",
                    skl.LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=10000), x, y,
                    x, 1e-5, w, balanced=True, tol=1e-9, max_iter=1000)
    compare("logistic, weights of classes", "LogisticRegression",
            skl.LogisticRegression(class_weight={0: 1, 1: 2, 2: 0.5}, tol=1e-10, max_iter=10000), x,
            y3, x, 1e-5, class_weight="1,2,0.5", tol=1e-9, max_iter=1000)
    from sklearn.multiclass import OneVsRestClassifier
    peer = OneVsRestClassifier(skl.LogisticRegression(tol=1e-10, max_iter=10000)).fit(x, y3)
    ours = glia("LogisticRegression", dict(multi_class="ovr", tol=1e-9, max_iter=1000), x=x, y=y3,
                new=x)
    near("logistic, one against the rest", ours["predict_proba"], peer.predict_proba(x), 1e-5)


def generalised():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((200, 3)) * 0.4
    mean = np.exp(x @ [0.5, -0.3, 0.2] + 0.7)
    links = {"identity": 1, "log": 2, "logit": 3, "probit": 4, "cloglog": 5, "inverse_power": 6,
             "inverse_squared": 7, "sqrt": 8}
    makers = {"identity": sm.families.links.Identity, "log": sm.families.links.Log,
              "logit": sm.families.links.Logit, "probit": sm.families.links.Probit,
              "cloglog": sm.families.links.CLogLog, "inverse_power": sm.families.links.InversePower,
              "inverse_squared": sm.families.links.InverseSquared, "sqrt": sm.families.links.Sqrt}
    f = sm.families
    problems = [
        ("Gaussian", 0, f.Gaussian, mean + rng.standard_normal(200), ("identity",), {}),
        ("Binomial", 1, f.Binomial, (rng.random(200) < mean / (1 + mean)) * 1.0,
         ("logit", "probit", "cloglog"), {}),
        ("Poisson", 2, f.Poisson, rng.poisson(mean) * 1.0, ("log", "sqrt"), {}),
        ("Gamma", 3, f.Gamma, rng.gamma(3, mean / 3), ("inverse_power", "log"), {}),
        ("InverseGaussian", 4, f.InverseGaussian, rng.wald(mean, 5), ("log", "inverse_squared"), {}),
        ("NegativeBinomial", 5, lambda link: f.NegativeBinomial(link, alpha=0.5),
         rng.negative_binomial(2, 2 / (2 + mean)) * 1.0, ("log",), {"nb_alpha": 0.5}),
        ("Tweedie", 6, lambda link: f.Tweedie(link, var_power=1.6),
         rng.gamma(3, mean / 3) * (rng.random(200) < 0.7), ("log",), {"var_power": 1.6})]
    weight, offset = rng.integers(1, 4, 200) * 1.0, 0.1 * rng.standard_normal(200)
    for name, code, family, y, names, options in problems:
        for link in names:
            for w in (None, weight):
                for o in (None, offset) if link in ("log", "logit", "identity") else (None,):
                    what = f"GLM {name} {link}, weights {w is not None}, offset {o is not None}"
                    try:
                        theirs = sm.GLM(y, sm.add_constant(x), family=family(makers[link]()),
                                        freq_weights=w, offset=o).fit(tol=1e-13, maxiter=300)
                    except ValueError as error:
                        print(f"{what}: statsmodels says {error}")
                        continue
                    ours = function("glm", dict(x=x, y=y, sample_weight=w, offset=o), family=code,
                                link=links[link], **options)
                    for attribute in ("params", "bse", "tvalues", "fittedvalues", "resid_pearson",
                                      "resid_deviance"):
                        near(f"{what}: {attribute}", ours[attribute], getattr(theirs, attribute),
                             1e-5)
                    each_near(f"{what}: pvalues", ours["pvalues"], theirs.pvalues, 1e-3)
                    each_near(f"{what}: numbers", ours["numbers"],
                              [w.sum() if w is not None else 200, theirs.df_model, theirs.df_resid,
                               theirs.deviance, theirs.null_deviance, theirs.pearson_chi2,
                               theirs.scale], 1e-5)
                    if name != "Tweedie":
                        each_near(f"{what}: llf", ours["likelihoods"][0], theirs.llf, 1e-5)
                    if name not in ("Tweedie", "Gaussian"):  # its llnull is not of the best scale
                        each_near(f"{what}: llnull", ours["likelihoods"][1], theirs.llnull, 1e-5)
    for w in (None, weight):
        for alpha in (0, 0.1, 1):
            y = problems[2][3]
            compare(f"PoissonRegressor {alpha}", "PoissonRegressor",
                    skl.PoissonRegressor(alpha=alpha, tol=1e-10, max_iter=10000), x, y, x, 1e-5, w,
                    alpha=alpha, tol=1e-10)
            y = problems[3][3]
            compare(f"GammaRegressor {alpha}", "GammaRegressor",
                    skl.GammaRegressor(alpha=alpha, tol=1e-10, max_iter=10000), x, y, x, 1e-5, w,
                    alpha=alpha, tol=1e-10)
            for power in (0, 1.5, 3):
                compare(f"TweedieRegressor {power} {alpha}", "TweedieRegressor",
                        skl.TweedieRegressor(power=power, alpha=alpha, tol=1e-10, max_iter=10000), x,
                        y, x, 1e-5, w, alpha=alpha, tol=1e-10, power=power)


def stochastic(diabetes):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((120, 5))
    z = x @ rng.standard_normal((5, 3))
    y2, y3 = (z[:, 0] + 0.3 * rng.standard_normal(120) > 0).astype(int), z.argmax(1)
    weight = rng.random(120)
    for loss in ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron"):
        for penalty in ("l2", "l1", "elasticnet"):
            for rate in ("optimal", "constant", "invscaling", "adaptive"):
                # kOptimal's first steps are so long that differences of rounding grow with each.
                options = dict(loss=loss, penalty=penalty, learning_rate=rate, alpha=1e-3,
                               shuffle=False, eta0=0.01, max_iter=1 if rate == "optimal" else 30)
                for y in (y2, y3):
                    compare(f"SGDClassifier {options}", "SGDClassifier",
                            skl.SGDClassifier(**options), x, y, x, 1e-9, weight, n_iter=True,
                            **options)
        options = dict(loss=loss, shuffle=False, average=10, max_iter=20, learning_rate="constant",
                       eta0=0.01)
        compare(f"SGDClassifier {loss}, mean", "SGDClassifier", skl.SGDClassifier(**options), x, y3,
                x, 1e-9, **options)
    options = dict(shuffle=False, learning_rate="invscaling", eta0=0.1)
    compare("SGDClassifier, balanced", "SGDClassifier",
            skl.SGDClassifier(class_weight="balanced", **options), x, y3, x, 1e-9, balanced=True,
            **options)
    for loss in ("log_loss", "modified_huber"):
        compare(f"SGDClassifier {loss}, proba", "SGDClassifier",
                skl.SGDClassifier(loss=loss, **options), x, y3, x, 1e-9, proba=True, loss=loss,
                **options)
    compare("Perceptron", "Perceptron", skl.Perceptron(shuffle=False), x, y3, x, 1e-10, n_iter=True,
            shuffle=False)
    compare("Perceptron, l1", "Perceptron", skl.Perceptron(shuffle=False, penalty="l1"), x, y2, x,
            1e-10, penalty="l1", shuffle=False)
    target = z[:, 0] + 0.1 * rng.standard_normal(120)
    for loss in ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"):
        for penalty in ("l2", "l1", "elasticnet"):
            for rate in ("invscaling", "constant", "optimal", "adaptive"):
                options = dict(loss=loss, penalty=penalty, learning_rate=rate, shuffle=False,
                               alpha=1e-2, max_iter=1 if rate == "optimal" else 25)
                compare(f"SGDRegressor {options}", "SGDRegressor", skl.SGDRegressor(**options), x,
                        target, x, 1e-9, weight, n_iter=True, **options)
    compare("SGDRegressor, mean", "SGDRegressor", skl.SGDRegressor(shuffle=False, average=True), x,
            target, x, 1e-9, shuffle=False, average=1)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    diabetes = load_diabetes(return_X_y=True)
    least_squares(diabetes)
    ols_statistics()
    penalised(diabetes)
    logistic()
    generalised()
    stochastic(diabetes)
    estimators.finish(f"scikit-learn {sklearn.__version__} and statsmodels {statsmodels.__version__}")
