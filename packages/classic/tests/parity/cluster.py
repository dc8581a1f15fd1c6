#!/usr/bin/env python3
"""Holds clusterings and neighbours against scikit-learn, live: iris, its own examples and random
problems. Run by tests/parity/run."""
import collections

from package import peers

with peers():
    import numpy as np
    import sklearn
    from sklearn import cluster, metrics, neighbors
    from sklearn.datasets import load_iris, make_blobs, make_moons
    from sklearn.preprocessing import StandardScaler

from estimators import finish, glia, near


def same_partition(what, ours, theirs, but=0.0):
    """The same clusters by whatever numbers, but for a share of the samples; and which those are."""
    pairs = collections.Counter(zip(ours.tolist(), theirs.tolist()))
    match = {a: b for (a, b), _ in reversed(pairs.most_common())}
    assert len(set(match.values())) == len(match) == len(set(theirs)), f"{what}: {sorted(pairs)}"
    same = np.array([match[a] == b for a, b in zip(ours.tolist(), theirs.tolist())])
    assert match.get(-1, -1) == -1 and (~same).mean() <= but, f"{what}: other clusters {sorted(pairs)}"
    return same


def problems():
    rng = np.random.default_rng(0)
    iris = load_iris().data
    blobs, _ = make_blobs(750, centers=[[1, 1], [-1, -1], [1, -1]], cluster_std=0.4, random_state=0)
    moons, _ = make_moons(400, noise=0.06, random_state=1)
    return {"iris": iris, "blobs": StandardScaler().fit_transform(blobs), "moons": moons,
            "random": rng.normal(size=(300, 6)), "wide": rng.normal(size=(200, 40)),
            "repeated": np.repeat(rng.normal(size=(40, 3)), 5, axis=0)}


def dbscan():
    for name, x in problems().items():
        rng = np.random.default_rng(1)
        for eps, least, metric, weight in [(0.3, 10, "euclidean", None), (0.5, 5, "manhattan", None),
                                           (2.0, 4, "euclidean", rng.integers(1, 4, len(x))),
                                           (0.4, 5, "chebyshev", None), (0.1, 3, "cosine", None)]:
            theirs = cluster.DBSCAN(eps=eps, min_samples=least, metric=metric).fit(x, sample_weight=weight)
            ours = glia("DBSCAN", dict(eps=eps, min_samples=least, metric=metric), x=x,
                        sample_weight=weight)
            near(f"dbscan {name} {metric}: labels", ours["labels"], theirs.labels_, 0)
            near(f"dbscan {name} {metric}: cores", ours["core_sample_indices"],
                 theirs.core_sample_indices_, 0)
        square = metrics.pairwise_distances(x)
        theirs = cluster.DBSCAN(eps=0.4, min_samples=4, metric="precomputed").fit(square)
        ours = glia("DBSCAN", dict(eps=0.4, min_samples=4, metric="precomputed"), x=square)
        near(f"dbscan {name} precomputed", ours["labels"], theirs.labels_, 0)
    x = problems()["iris"]  # 2 clusters, 17 noise; adjusted Rand index 0.5206
    labels = glia("DBSCAN", x=x)["labels"]
    assert labels.max() == 1 and (labels == -1).sum() == 17
    near("dbscan iris ARI", metrics.adjusted_rand_score(load_iris().target, labels), 0.5206, 1e-4)
    labels = glia("DBSCAN", dict(eps=0.3, min_samples=10), x=problems()["blobs"])["labels"]
    assert labels.max() == 2 and (labels == -1).sum() == 18  # scikit-learn's example


def optics():
    for name, x in problems().items():
        for options in [dict(min_samples=5), dict(min_samples=10, xi=0.1), dict(min_samples=8, max_eps=1.0),
                        dict(min_samples=5, predecessor_correction=False, min_cluster_size=10),
                        dict(min_samples=6, metric="manhattan"),
                        dict(min_samples=5, cluster_method="dbscan", eps=0.5)]:
            theirs = cluster.OPTICS(algorithm="kd_tree", **options).fit(x)  # brute force rounds
            ours = glia("OPTICS", options, x=x)
            what = f"optics {name} {options}"
            near(f"{what}: ordering", ours["ordering"], theirs.ordering_, 0)
            near(f"{what}: reachability", ours["reachability"], theirs.reachability_)
            near(f"{what}: core distances", ours["core_distances"], theirs.core_distances_)
            near(f"{what}: predecessor", ours["predecessor"], theirs.predecessor_, 0)
            near(f"{what}: labels", ours["labels"], theirs.labels_, 0)
            if "cluster_method" not in options:
                near(f"{what}: hierarchy", ours["cluster_hierarchy"],
                     np.reshape(theirs.cluster_hierarchy_, (-1, 2)), 0)


def hdbscan():
    for name, x in problems().items():
        # No two distances are equal, unless min_samples has made them so: these may be merged in any
        # order, on which a sample or two may depend.
        x = x + np.random.default_rng(2).normal(size=x.shape) * 1e-4
        for options in [dict(min_samples=1), dict(min_samples=1, min_cluster_size=15),
                        dict(min_samples=1, min_cluster_size=8, cluster_selection_method="leaf"),
                        dict(min_samples=1, min_cluster_size=20, allow_single_cluster=True),
                        dict(min_samples=1, min_cluster_size=6, metric="manhattan", alpha=1.5),
                        dict(min_cluster_size=15), dict(min_cluster_size=10, min_samples=3)]:
            theirs = cluster.HDBSCAN(copy=True, algorithm="kd_tree", **options).fit(x)
            ours = glia("HDBSCAN", options, x=x)
            what = f"hdbscan {name} {options}"
            ties = 0 if options.get("min_samples") == 1 else 0.01
            same = same_partition(f"{what}: labels", ours["labels"], theirs.labels_, ties)
            near(f"{what}: probabilities", ours["probabilities"][same], theirs.probabilities_[same])


def nearest():
    rng = np.random.default_rng(3)
    for name, x in problems().items():
        x = x + rng.normal(size=x.shape) * 1e-4  # no distances are equal
        new = x[::7] + rng.normal(size=x[::7].shape) * 0.1
        y = (x[:, 0] > np.median(x[:, 0])) * 3 + (x[:, 1] > np.median(x[:, 1])) - 2
        targets = np.stack([x.sum(1), x[:, 0] ** 2], 1)
        for k, metric, weights in [(1, "euclidean", "uniform"), (5, "euclidean", "distance"),
                                   (4, "manhattan", "distance"), (7, "cosine", "uniform"),
                                   (3, "chebyshev", "uniform")]:
            options = dict(n_neighbors=k, metric=metric, weights=weights)
            theirs = neighbors.KNeighborsClassifier(**options).fit(x, y)
            ours = glia("KNeighborsClassifier", options, x=x, y=y, new=new)
            near(f"knn {name} {options}", ours["predict_proba"], theirs.predict_proba(new), 1e-6)
            near(f"knn {name} {options}", ours["predict"], theirs.predict(new), 0)
            theirs = neighbors.KNeighborsRegressor(**options).fit(x, targets)
            ours = glia("KNeighborsRegressor", options, x=x, y=targets, new=new)
            near(f"knn {name} {options}", ours["predict"], theirs.predict(new), 1e-6)


for part in (dbscan, optics, hdbscan, nearest):
    part()
finish(f"scikit-learn {sklearn.__version__}")
