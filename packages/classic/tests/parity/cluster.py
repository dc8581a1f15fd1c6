#!/usr/bin/env python3
"""Holds clusterings and neighbours against scikit-learn, live: iris, its own examples and random
problems. Run by tests/parity/run."""
import collections

from package import peers

with peers():
    import numpy as np
    import sklearn
    from sklearn import cluster, metrics, mixture, neighbors, semi_supervised
    from sklearn.datasets import load_digits, load_iris, make_blobs, make_moons
    from sklearn.preprocessing import StandardScaler, scale

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
    rng = np.random.default_rng(7)
    for name, x in problems().items():
        # Of equally far samples, which comes first is a matter of rounding.
        x = x + 1e-6 * rng.standard_normal(x.shape)
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


def hierarchy():
    for name, x in problems().items():
        x = x + np.random.default_rng(4).normal(size=x.shape) * 1e-6  # no distances are equal
        for method in ("ward", "complete", "average", "single"):
            for metric in ("euclidean",) if method == "ward" else ("euclidean", "manhattan", "cosine"):
                if (name, metric) == ("repeated", "cosine"):
                    continue  # less apart than the cosine's rounding
                theirs = cluster.AgglomerativeClustering(5, linkage=method, metric=metric,
                                                         compute_distances=True).fit(x)
                options = dict(n_clusters=5, linkage=method, metric=metric)
                ours = glia("AgglomerativeClustering", options, x=x)
                what = f"hierarchy {name} {method} {metric}"
                near(f"{what}: distances", ours["distances"], theirs.distances_, 1e-7)
                near(f"{what}: children", np.sort(ours["children"], 1), np.sort(theirs.children_, 1), 0)
                same_partition(what, ours["labels"], theirs.labels_)
        far = float(np.quantile(theirs.distances_, 0.95))
        theirs = cluster.AgglomerativeClustering(None, distance_threshold=far).fit(x)
        ours = glia("AgglomerativeClustering", dict(distance_threshold=far), x=x)
        same_partition(f"hierarchy {name} threshold", ours["labels"], theirs.labels_)


def gaussians():
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3)) + far
                        for far in ([0, 0, 0], [15, 0, 3], [0, 18, -4])])
    for kind in ("full", "tied", "diag", "spherical"):
        theirs = mixture.GaussianMixture(3, covariance_type=kind, tol=1e-12, max_iter=1000,
                                         random_state=0).fit(x)
        ours = glia("GaussianMixture", dict(n_components=3, covariance_type=kind, tol=1e-12,
                                            max_iter=1000), x=x, new=x[::5])
        a, b = np.argsort(ours["means"][:, 0] + ours["means"][:, 1]), np.argsort(theirs.means_[:, :2].sum(1))
        near(f"mixture {kind}: weights", ours["weights"][a], theirs.weights_[b], 1e-6)
        near(f"mixture {kind}: means", ours["means"][a], theirs.means_[b], 1e-6)
        if kind == "tied":
            near("mixture tied: covariance", ours["covariances"], theirs.covariances_, 1e-6)
        else:
            near(f"mixture {kind}: covariances", ours["covariances"][a], theirs.covariances_[b], 1e-6)
        near(f"mixture {kind}: bound", ours["lower_bound"], theirs.lower_bound_, 1e-8)
        near(f"mixture {kind}: probabilities", ours["predict_proba"][:, a],
             theirs.predict_proba(x[::5])[:, b], 1e-6)


def spectral():
    data = problems()
    for name, options in [("moons", dict(n_clusters=2, affinity="nearest_neighbors")),
                          ("moons", dict(n_clusters=2, gamma=30)), ("blobs", dict(n_clusters=3)),
                          ("iris", dict(n_clusters=3, gamma=0.5))]:
        x = data[name]
        theirs = cluster.SpectralClustering(random_state=0, eigen_solver="arpack", **options).fit(x)
        ours = glia("SpectralClustering", options, x=x)
        same_partition(f"spectral {name} {options}", ours["labels"], theirs.labels_)


def spreading():
    rng = np.random.default_rng(6)
    for name, x in problems().items():
        x = x + rng.normal(size=x.shape) * 1e-4
        y = np.where(rng.random(len(x)) < 0.2, np.argmax(x[:, :3], 1) * 2, -1)
        y[:6] = np.argmax(x[:6, :3], 1) * 2
        for kind in ("LabelSpreading", "LabelPropagation"):
            for options in (dict(gamma=2), dict(kernel="knn", n_neighbors=9)):
                theirs = getattr(semi_supervised, kind)(**options).fit(x, y)
                ours = glia(kind, options, x=x, y=y, new=x[::3] + 0.01)
                what = f"{kind} {name} {options}"
                near(what, ours["label_distributions"], theirs.label_distributions_, 1e-7)
                near(f"{what}: transduction", ours["transduction"], theirs.transduction_, 0)
                near(f"{what}: steps", ours["n_iter"], theirs.n_iter_, 0)
                if "kernel" not in options:
                    near(f"{what}: new", ours["predict_proba"], theirs.predict_proba(x[::3] + 0.01), 1e-7)
    x, y = load_digits(return_X_y=True)  # scikit-learn's example: 340 digits, 40 of them labelled
    order = np.arange(len(y))
    np.random.RandomState(2).shuffle(order)
    x, y = x[order[:340]], y[order[:340]]
    known = np.where(np.arange(340) < 40, y, -1)
    ours = glia("LabelSpreading", dict(gamma=0.25, max_iter=20), x=x, y=known)
    share = (ours["transduction"][40:] == y[40:]).mean()
    near("digits, 40 labelled of 340", share, 0.896667, 1e-5)


def batches():
    x = scale(load_digits().data)
    theirs = [cluster.MiniBatchKMeans(10, random_state=s, n_init=3).fit(x).inertia_ for s in range(8)]
    ours = [glia("MiniBatchKMeans", dict(n_clusters=10, random_state=s, n_init=3), x=x)["inertia"] for s in range(8)]
    # Both draw; their means over seeds are as near as the spread lets them be.
    near("mini-batch k-means: mean inertia", np.mean(ours), np.mean(theirs), 0.03)


for part in (spectral, spreading, batches, hierarchy, gaussians, dbscan, optics, hdbscan, nearest):
    part()
finish(f"scikit-learn {sklearn.__version__}")
