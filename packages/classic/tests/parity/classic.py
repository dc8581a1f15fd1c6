#!/usr/bin/env python3
"""Holds the estimators against scikit-learn, live: digits and random problems.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import warnings

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import sklearn
    from sklearn import metrics
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler, scale

PROGRAM = compiled(pathlib.Path(__file__).with_name("classic.cpp"))
checked = 0


def glia(estimator, **arrays):
    np.savez(WORK / "in.npz", **arrays)
    subprocess.run([PROGRAM, estimator, WORK / "in.npz", WORK / "out.npz"], check=True)
    with np.load(WORK / "out.npz") as out:
        return {name: out[name] for name in out.files}


def near(what, ours, theirs, tolerance):
    """Fails unless the largest difference is within tolerance of the largest value."""
    global checked
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    assert ours.shape == theirs.shape, f"{what}: {ours.shape}, not {theirs.shape}"
    error = np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30)
    assert error <= tolerance, f"{what}: relative difference {error:.2e} above {tolerance:.0e}"
    checked += 1


def compare_kmeans(what, x, new, init, tolerance, elkan=False, weight=None, **options):
    theirs = KMeans(n_clusters=len(init), init=init, n_init=1,
                    algorithm="elkan" if elkan else "lloyd", **options).fit(x, sample_weight=weight)
    arrays = dict(x=x, new=new, init=init, n_clusters=len(init), elkan=elkan, **options)
    if weight is not None:
        arrays["sample_weight"] = weight
    ours = glia("kmeans", **arrays)
    near(f"{what}: n_iter", ours["n_iter"], theirs.n_iter_, 0)
    near(f"{what}: labels", ours["labels"], theirs.labels_, 0)
    near(f"{what}: cluster_centers", ours["cluster_centers"], theirs.cluster_centers_, tolerance)
    near(f"{what}: inertia", ours["inertia"], theirs.inertia_, tolerance)
    near(f"{what}: predict", ours["predict"], theirs.predict(new), 0)
    near(f"{what}: transform", ours["transform"], theirs.transform(new), tolerance)
    near(f"{what}: score", ours["score"], theirs.score(new), tolerance)


def kmeans(digits):
    rng = np.random.default_rng(0)
    # Whole numbers have centres that are equally near; which is taken then is a matter of rounding.
    problems = {"digits": digits + 1e-3 * rng.standard_normal(digits.shape)}
    for n, d, k in ((200, 2, 3), (1000, 16, 20), (5000, 3, 50)):
        centers = 3 * rng.standard_normal((k, d))
        problems[f"blobs {n} x {d}"] = centers[rng.integers(k, size=n)] + rng.standard_normal((n, d))
    for name, x in problems.items():
        new = x[::7] + 0.01 * rng.standard_normal(x[::7].shape)
        for k in (1, 2, 10):
            init = x[rng.choice(len(x), k, replace=False)]
            for elkan in (False, True):
                compare_kmeans(f"{name}, k = {k}, elkan {elkan}", x, new, init, 1e-9, elkan)
        weight = rng.random(len(x)) * (rng.random(len(x)) > 0.2)
        compare_kmeans(f"{name}, weights", x, new, init, 1e-9, weight=weight)
        compare_kmeans(f"{name}, three steps", x, new, init, 1e-9, max_iter=3)
        compare_kmeans(f"{name}, tol = 0", x, new, init, 1e-9, tol=0)
        far = np.concatenate([init[:-1], 100 + init[-1:]])  # one cluster is empty
        for elkan in (False, True):
            compare_kmeans(f"{name}, empty, elkan {elkan}", x, new, far, 1e-9, elkan)
    x = problems["blobs 200 x 2"].astype(np.float32)
    compare_kmeans("f32", x, x, x[:5], 1e-5)


def protocol(digits):
    """scikit-learn's example of k-means on digits: scaled, 10 clusters, n_init = 4."""
    x = scale(digits)
    ours, theirs = [], []
    for seed in range(6):
        ours.append(glia("kmeans", x=x, new=x, n_clusters=10, n_init=4, random_state=seed)["inertia"])
        theirs.append(KMeans(10, n_init=4, random_state=seed).fit(x).inertia_)
    print(f"digits, k-means++: inertia {np.mean(ours):.0f} (least {np.min(ours):.0f}), "
          f"scikit-learn {np.mean(theirs):.0f} (least {np.min(theirs):.0f}); its example 69432")
    # The same distribution: means of six differ by a few of their standard deviations at most.
    spread = np.hypot(np.std(ours), np.std(theirs)) / np.sqrt(6)
    assert abs(np.mean(ours) - np.mean(theirs)) <= 4 * spread + 1
    assert abs(np.min(ours) / 69432 - 1) < 0.005
    best = glia("kmeans", x=x, new=x, n_clusters=10, n_init=20)["inertia"]
    assert best <= 69432, best
    random = glia("kmeans", x=x, new=x, n_clusters=10, n_init=10, random=1)["inertia"]
    assert abs(random / 69432 - 1) < 0.01, random


def others(digits):
    rng = np.random.default_rng(1)
    for name, x in (("digits", digits), ("random", 100 + rng.standard_normal((50, 7)))):
        ours, theirs = glia("scaler", x=x), StandardScaler().fit(x)
        for attribute in ("mean", "var", "scale"):
            near(f"scaler, {name}: {attribute}", ours[attribute], getattr(theirs, attribute + "_"), 1e-12)
        near(f"scaler, {name}", ours["transform"], theirs.transform(x), 1e-12)
        for whiten in (False, True):
            ours = glia("pca", x=x, n_components=5, whiten=whiten)
            theirs = PCA(5, whiten=whiten, svd_solver="full").fit(x)
            for attribute in ("components", "explained_variance", "explained_variance_ratio",
                              "singular_values", "mean"):
                near(f"pca, {name}: {attribute}", ours[attribute], getattr(theirs, attribute + "_"), 1e-9)
            near(f"pca, {name}", ours["transform"], theirs.transform(x), 1e-9)


def scores():
    rng = np.random.default_rng(2)
    functions = (metrics.homogeneity_score, metrics.completeness_score, metrics.v_measure_score,
                 metrics.adjusted_rand_score, metrics.adjusted_mutual_info_score)
    for n, classes, clusters in ((5, 2, 2), (50, 3, 9), (1000, 10, 10), (2000, 50, 3), (30, 30, 1)):
        truth = rng.integers(classes, size=n)
        for noise in (0, 0.3, 1):
            pred = np.where(rng.random(n) < noise, rng.integers(clusters, size=n), truth % clusters)
            ours = glia("scores", x=truth, pred=pred)["scores"]
            theirs = [f(truth, pred) for f in functions]
            assert np.abs(ours - theirs).max() < 1e-9, f"scores {n} {noise}: {ours} {theirs}"
            near(f"scores {n} {noise}", ours + 1, np.array(theirs) + 1, 1e-9)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    digits = load_digits().data
    kmeans(digits)
    others(digits)
    scores()
    protocol(digits)
    print(f"classic: {checked} comparisons with scikit-learn {sklearn.__version__}")
