#!/usr/bin/env python3
"""Holds maps of samples against scikit-learn and umap-learn, live. Run by tests/parity/run."""
import os
import warnings

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
from package import peers

with peers():
    import numpy as np
    import scipy.sparse
    import sklearn
    from sklearn import decomposition, manifold
    from sklearn.datasets import load_digits, load_iris, make_swiss_roll
    from sklearn.metrics import pairwise_distances
    import umap as umap_learn

from estimators import finish, glia, near

warnings.filterwarnings("ignore")
DIGITS = load_digits().data
IRIS = load_iris().data + 0.01 * np.random.default_rng(5).normal(size=(150, 4))  # none are equal
ROLL = make_swiss_roll(500, random_state=0)[0]


def same_up_to_signs(what, ours, theirs, tolerance=1e-6):
    signs = np.sign((ours * theirs).sum(0))
    near(what, ours * signs, theirs, tolerance)


def at_least(what, ours, theirs, slack):
    near(what, min(ours, theirs - slack), theirs - slack, 0)


def kernel_pca():
    rng = np.random.default_rng(0)
    for name, x in {"iris": IRIS, "digits": DIGITS[:300] / 16}.items():
        new, back = x[::7] + 0.01 * rng.normal(size=x[::7].shape), None
        for kernel in ("linear", "poly", "rbf", "sigmoid", "cosine"):
            options = dict(n_components=3, kernel=kernel, gamma=0.05, coef0=0.5)
            theirs = decomposition.KernelPCA(**options, fit_inverse_transform=True, alpha=0.1).fit(x)
            back = theirs.transform(new)
            ours = glia("KernelPCA", dict(**options, fit_inverse_transform=True, alpha=0.1), x=x,
                        new=new, back=back)
            what = f"kernel pca {name} {kernel}"
            near(f"{what}: eigenvalues", ours["eigenvalues"], theirs.eigenvalues_)
            same_up_to_signs(f"{what}: transform", ours["transform"], back)
            near(f"{what}: inverse", ours["inverse_transform"], theirs.inverse_transform(back), 1e-5)
    for solver in ("dense", "arpack"):
        x = DIGITS[:900]
        theirs = decomposition.KernelPCA(4, kernel="rbf", gamma=1e-3, eigen_solver="dense").fit(x)
        ours = glia("KernelPCA", dict(n_components=4, kernel="rbf", gamma=1e-3, eigen_solver=solver),
                    x=x, new=x[:20])
        near(f"kernel pca {solver}", ours["eigenvalues"], theirs.eigenvalues_)
        same_up_to_signs(f"kernel pca {solver}: transform", ours["transform"], theirs.transform(x[:20]))


def incremental_pca():
    for name, x in {"iris": IRIS, "digits": DIGITS[:, 1:60]}.items():
        for options in (dict(), dict(n_components=3, batch_size=50),
                        dict(n_components=2, whiten=True, batch_size=17)):
            theirs = decomposition.IncrementalPCA(**options).fit(x)
            ours = glia("IncrementalPCA", options, x=x, new=x[:9])
            what = f"incremental pca {name} {options}"
            kept = theirs.singular_values_ > 1e-6 * theirs.singular_values_[0]
            for of in ("explained_variance", "explained_variance_ratio", "singular_values", "mean", "var"):
                near(f"{what}: {of}", ours[of], getattr(theirs, of + "_"))
            near(f"{what}: noise", ours["noise_variance"], theirs.noise_variance_, 1e-7)
            near(f"{what}: components", ours["components"][kept], theirs.components_[kept], 1e-7)
            if kept.all():
                near(f"{what}: transform", ours["transform"], theirs.transform(x[:9]), 1e-7)


def factor_analysis():
    for name, x in {"iris": IRIS, "digits": DIGITS[:, 20:30]}.items():
        for rotation in (None, "varimax", "quartimax"):
            options = dict(n_components=2, tol=1e-8, svd_method="lapack", rotation=rotation)
            theirs = decomposition.FactorAnalysis(**options).fit(x)
            ours = glia("FactorAnalysis", options, x=x, new=x[:9])
            what = f"factors {name} {rotation}"
            near(f"{what}: loglike", ours["loglike"], theirs.loglike_, 1e-9)
            near(f"{what}: noise", ours["noise_variance"], theirs.noise_variance_, 1e-6)
            same_up_to_signs(f"{what}: components", ours["components"].T, theirs.components_.T, 1e-5)
            same_up_to_signs(f"{what}: transform", ours["transform"], theirs.transform(x[:9]), 1e-5)


def graphs():
    # Whole numbers have neighbours that are equally far, of which each side takes what it likes.
    digits = DIGITS[:700] + 0.01 * np.random.default_rng(3).normal(size=(700, 64))
    for name, x in {"roll": ROLL, "digits": digits}.items():
        for k in (5, 12):
            theirs = manifold.Isomap(n_neighbors=k).fit(x)
            ours = glia("Isomap", dict(n_neighbors=k), x=x, new=x[::9] + 0.01)
            what = f"isomap {name} {k}"
            near(f"{what}: ways", ours["dist_matrix"], theirs.dist_matrix_)
            same_up_to_signs(f"{what}: map", ours["embedding"], theirs.embedding_)
            same_up_to_signs(f"{what}: transform", ours["transform"], theirs.transform(x[::9] + 0.01))
            if (name, k) == ("digits", 5):
                continue  # the graph has four parts: any mixture of four vectors is as good
            theirs = manifold.LocallyLinearEmbedding(n_neighbors=k, eigen_solver="dense").fit(x)
            ours = glia("LocallyLinearEmbedding", dict(n_neighbors=k), x=x, new=x[::9] + 0.01)
            what = f"locally linear {name} {k}"
            near(f"{what}: error", ours["reconstruction_error"], theirs.reconstruction_error_, 1e-6)
            # Of the roll by 5 the second eigenvalue is 1e-12, as near to the first one, 0, as rounding
            # in a matrix of norm 14 moves a vector by 1e-3.
            tolerance = 2e-3 if (name, k) == ("roll", 5) else 1e-4
            same_up_to_signs(f"{what}: map", ours["embedding"], theirs.embedding_, tolerance)
            same_up_to_signs(f"{what}: transform", ours["transform"], theirs.transform(x[::9] + 0.01),
                             tolerance)
    for name, x in {"roll": ROLL, "digits": digits, "iris": IRIS}.items():
        for affinity in ("nearest_neighbors", "rbf"):
            if (name, affinity) == ("iris", "nearest_neighbors"):
                continue  # in two parts
            gamma = 1 / x.var() / x.shape[1]
            theirs = manifold.SpectralEmbedding(affinity=affinity, gamma=gamma, random_state=0,
                                                eigen_tol=1e-12).fit(x)
            ours = glia("SpectralEmbedding", dict(affinity=affinity, gamma=gamma), x=x)
            same_up_to_signs(f"spectral {name} {affinity}", ours["embedding"], theirs.embedding_, 1e-5)


def scaling():
    rng = np.random.default_rng(1)
    for name, x in {"iris": IRIS, "digits": DIGITS[:120]}.items():
        theirs = manifold.ClassicalMDS(2).fit(x)
        ours = glia("ClassicalMDS", x=x)
        near(f"classical {name}: eigenvalues", ours["eigenvalues"], theirs.eigenvalues_)
        same_up_to_signs(f"classical {name}", ours["embedding"], theirs.embedding_)
        x = x + 0.01 * rng.normal(size=x.shape)  # nor are distances
        start = rng.normal(size=(len(x), 2))
        distances = pairwise_distances(x)
        for metric in (True, False):
            model = manifold.MDS(2, metric_mds=metric, n_init=1, init="random", max_iter=200,
                                 metric="precomputed")
            theirs = model.fit_transform(distances, init=start)
            ours = glia("MDS", dict(metric_mds=metric, max_iter=200), x=x, init=start)
            near(f"mds {name} {metric}: iterations", ours["n_iter"], model.n_iter_, 0)
            near(f"mds {name} {metric}: stress", ours["stress"], model.stress_, 1e-6)
            near(f"mds {name} {metric}: places", ours["embedding"], theirs, 1e-5)


def tsne():
    # Step by step the same, where rounding does not grow: without exaggeration, from far apart.
    start = decomposition.PCA(2).fit_transform(IRIS)
    options = dict(method="exact", max_iter=250, perplexity=20, learning_rate=10.0,
                   early_exaggeration=1.0)
    theirs = manifold.TSNE(init=start.copy(), **options).fit(IRIS)
    ours = glia("TSNE", options, x=IRIS, init=start)
    near("t-sne exact, 250 steps", ours["embedding"], theirs.embedding_)
    near("t-sne exact, 250 steps: as trusted", ours["trustworthiness"],
         manifold.trustworthiness(IRIS, ours["embedding"]), 1e-12)
    # Where it ends is a matter of rounding: means over beginnings.
    for name, x, method, perplexity, seeds in (
            ("iris", IRIS, "exact", 30, 5), ("iris", IRIS, "barnes_hut", 30, 5),
            ("digits", DIGITS[:500], "exact", 8, 2), ("digits", DIGITS, "barnes_hut", 30, 2)):
        options = dict(perplexity=perplexity, method=method)
        results = []
        for seed in range(seeds):
            options["init"] = "random" if seed else "pca"
            theirs = manifold.TSNE(**options, random_state=seed).fit(x)
            ours = glia("TSNE", dict(**options, random_state=seed), x=x)
            near(f"t-sne {name}: learning rate", ours["learning_rate"], theirs.learning_rate_, 1e-12)
            results.append((ours["kl_divergence"], theirs.kl_divergence_, ours["trustworthiness"],
                            manifold.trustworthiness(x, theirs.embedding_)))
        divergence, their_divergence, trust, their_trust = np.mean(results, 0)
        what = f"t-sne {name} {method} {perplexity}"
        print(f"{what}: divergence {divergence:.4f}, scikit-learn {their_divergence:.4f}; "
              f"trustworthiness {trust:.4f}, {their_trust:.4f}")
        at_least(f"{what}: divergence", -divergence, -their_divergence, 0.05 * their_divergence)
        at_least(f"{what}: trustworthiness", trust, their_trust, 0.005)


def umap():
    apart = DIGITS[:800] + 0.01 * np.random.default_rng(4).normal(size=(800, 64))
    for name, x in {"roll": ROLL, "digits": apart}.items():
        for options in (dict(), dict(n_neighbors=8, set_op_mix_ratio=0.5, local_connectivity=2.5)):
            theirs = umap_learn.UMAP(**options, random_state=0, n_epochs=200).fit(x)
            ours = glia("UMAP", dict(**options, n_epochs=200), x=x)
            what = f"umap {name} {options}"
            near(f"{what}: a", ours["a"], theirs._a, 1e-6)
            near(f"{what}: b", ours["b"], theirs._b, 1e-6)
            n = len(x)
            graph = scipy.sparse.csr_matrix((ours["graph_values"], ours["graph_columns"],
                                             ours["graph_starts"]), shape=(n, n)).toarray()
            graph[graph < graph.max() / 200] = 0  # umap-learn has lost those, which no epoch draws
            near(f"{what}: graph", graph, theirs.graph_.toarray(), 1e-4)
            trust = manifold.trustworthiness(x, theirs.embedding_)
            print(f"{what}: trustworthiness {ours['trustworthiness']:.4f}, umap-learn {trust:.4f}")
            at_least(f"{what}: trustworthiness", ours["trustworthiness"], trust, 0.01)
    x, new = DIGITS[:1200], DIGITS[1200:]
    theirs = umap_learn.UMAP(random_state=0).fit(x)
    ours = glia("UMAP", x=x, new=new)
    both = [manifold.trustworthiness(new, places) for places in (ours["transform"], theirs.transform(new))]
    print(f"umap: trustworthiness of others {both[0]:.4f}, umap-learn {both[1]:.4f}")
    at_least("umap: trustworthiness of others", *both, 0.01)
    return umap_learn.__version__


for part in (kernel_pca, incremental_pca, factor_analysis, graphs, scaling, tsne):
    part()
finish(f"scikit-learn {sklearn.__version__} and umap-learn {umap()}")
