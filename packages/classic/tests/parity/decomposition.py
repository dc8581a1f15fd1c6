#!/usr/bin/env python3
"""Holds decompositions against scikit-learn, live. Run by tests/parity/run."""
from package import peers

with peers():
    import numpy as np
    import sklearn
    from sklearn import decomposition
    from sklearn.datasets import load_digits, load_iris

from estimators import finish, glia, near


def problems():
    rng = np.random.default_rng(0)
    return {"iris": load_iris().data, "digits": load_digits().data[:600],
            "wide": rng.normal(size=(40, 90)) @ np.diag(np.linspace(1, 3, 90)),
            "tall": rng.normal(size=(700, 12)) @ rng.normal(size=(12, 12)) + 50}


def pca():
    share = glia("PCA", x=load_iris().data)["explained_variance_ratio"]
    near("iris", share, [0.924619, 0.053066, 0.017103, 0.005212], 1e-6)
    for name, x in problems().items():
        for options in [{}, dict(n_components=3, svd_solver="full"),
                        dict(n_components=2, whiten=True, svd_solver="covariance_eigh"),
                        dict(n_components=0.9), dict(svd_solver="covariance_eigh"),
                        dict(svd_solver="randomized", n_components=2)]:
            tolerance = 1e-8
            theirs = decomposition.PCA(**{"svd_solver": "full", **options})
            if options.get("svd_solver") == "randomized":  # a share of random vectors' error stays
                tolerance = 2e-2
                theirs = decomposition.PCA(n_components=2, svd_solver="full")
            theirs.fit(x)
            ours = glia("PCA", options, x=x, new=x[:9])
            what = f"pca {name} {options}"
            kept = theirs.explained_variance_ > 1e-12 * theirs.explained_variance_[0]
            for of in ("explained_variance", "explained_variance_ratio", "singular_values", "mean"):
                near(f"{what}: {of}", ours[of], getattr(theirs, of + "_"), tolerance)
            near(f"{what}: noise", ours["noise_variance"], theirs.noise_variance_, max(tolerance, 1e-7))
            near(f"{what}: components", ours["components"][kept], theirs.components_[kept],
                 10 * tolerance)
            near(f"{what}: transform", ours["transform"][:, kept], theirs.transform(x[:9])[:, kept],
                 10 * tolerance)


def truncated():
    for name, x in problems().items():
        theirs = decomposition.TruncatedSVD(3, algorithm="arpack").fit(x)
        ours = glia("TruncatedSVD", dict(n_components=3, randomized=False), x=x, new=x[:5])
        for of in ("components", "explained_variance", "explained_variance_ratio", "singular_values"):
            near(f"svd {name}: {of}", ours[of], getattr(theirs, of + "_"))
        near(f"svd {name}", ours["transform"], theirs.transform(x[:5]))


def nmf():
    for name, x in problems().items():
        x = np.abs(x)
        for options in [dict(n_components=3), dict(n_components=4, init="nndsvd"),
                        dict(n_components=3, alpha_w=0.001, l1_ratio=0.5)]:
            settings = {k.replace("alpha_w", "alpha_W"): v for k, v in options.items()}
            theirs = decomposition.NMF(max_iter=2000, tol=1e-6, random_state=0, **settings)
            made = theirs.fit_transform(x)
            ours = glia("NMF", dict(max_iter=2000, tol=1e-6, **options), x=x, new=x[:8])
            what = f"nmf {name} {options}"
            near(f"{what}: error", ours["reconstruction_err"], theirs.reconstruction_err_, 1e-3)
            near(f"{what}: W H", ours["transform"] @ ours["components"],
                 theirs.transform(x[:8]) @ theirs.components_, 3e-2)


def ica():
    t = np.linspace(0, 8, 2000)
    rng = np.random.default_rng(0)
    s = np.c_[np.sin(2 * t), np.sign(np.sin(3 * t)), rng.laplace(size=2000)]
    x = s @ np.array([[1, 1, 1], [0.5, 2, 1], [1.5, 1, 2]]).T
    for fun in ("logcosh", "exp", "cube"):
        theirs = decomposition.FastICA(3, fun=fun, whiten="unit-variance", random_state=0, tol=1e-8,
                                       max_iter=1000).fit_transform(x)
        ours = glia("FastICA", dict(fun=fun, tol=1e-8, max_iter=1000), x=x, new=x)["transform"]
        match = np.abs(np.corrcoef(ours.T, theirs.T)[:3, 3:])
        near(f"ica {fun}: the same sources", np.sort(match.max(1)), np.ones(3), 1e-4)
        near(f"ica {fun}: of variance 1", ours.var(0), np.ones(3), 1e-8)


for part in (pca, truncated, nmf, ica):
    part()
finish(f"scikit-learn {sklearn.__version__}")
