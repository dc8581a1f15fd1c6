#!/usr/bin/env python3
"""Times package classic beside scikit-learn, in pairs of processes, and prints a table.

classic.py [--glia build/bench/glia-bench-classic] [--pairs 3] [NAME...]. Both sides get the same
data and must find the same; memory is the peak above what the process had with its data.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent


def blobs(n, d, k, apart, seed=0):
    rng = np.random.default_rng(seed)
    return apart * rng.normal(size=(k, d))[rng.integers(k, size=n)] + rng.normal(size=(n, d))


def data(name):
    rng = np.random.default_rng(1)
    if name == "kmeans":
        x = blobs(100_000, 64, 100, 1.0)
        return dict(x=x, init=x[rng.choice(len(x), 100, replace=False)])
    if name == "dbscan":
        return dict(x=blobs(20_000, 3, 30, 3.0))
    if name == "pca":
        return dict(x=rng.normal(size=(20_000, 256)) @ np.diag(np.linspace(4, 1, 256)))
    if name == "lasso path":
        x = rng.normal(size=(2_000, 1_000))
        y = x[:, :50] @ rng.normal(size=50) + rng.normal(size=2_000)
        return dict(x=x - x.mean(0), y=y - y.mean())
    if name in ("logistic", "softmax"):
        x = rng.normal(size=(50_000 if name == "logistic" else 10_000, 50))
        logits = x @ rng.normal(size=(50, 2 if name == "logistic" else 10))
        return dict(x=x, y=(logits + rng.gumbel(size=logits.shape)).argmax(1))
    if name == "forest":
        x = rng.normal(size=(100_000, 20)).astype(np.float32)
        return dict(x=x, y=(np.sin(x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=len(x)) > 0) * 1)
    if name == "neighbors":
        return dict(x=blobs(20_000, 64, 50, 1.0))
    if name == "svm":
        x = rng.normal(size=(10_000, 20))
        return dict(x=x, y=(np.sin(x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=10_000) > 0) * 1)
    return dict(x=blobs(10_000, 50, 20, 0.7))


# What it is, how often a process repeats it, and how near the answers must be.
WORKLOADS = {
    "kmeans": ("K-Means, 100,000 x 64, k = 100, 20 iterations", 3, 1e-9),
    "dbscan": ("DBSCAN, 20,000 x 3", 3, 0),
    "pca": ("PCA, 20,000 x 256 to 32, and transform", 7, 1e-9),
    "lasso path": ("lasso path of 100, 2,000 x 1,000", 3, 2e-3),
    "logistic": ("logistic regression, 50,000 x 50", 5, 1e-3),
    "softmax": ("softmax regression of 10 classes, 10,000 x 50", 3, 1e-3),
    "forest": ("forest of 100 trees asked, 100,000 x 20", 5, 2e-2),
    "neighbors": ("5 nearest of all, 20,000 x 64", 3, 1e-8),
    "svm": ("SVM, 10,000 x 20", 1, 1e-2),
    "t-sne": ("t-SNE, 10,000 x 50, with trustworthiness", 1, 3e-2),
}


def scikit_learn(name, d):
    from sklearn import cluster, decomposition, ensemble, linear_model, manifold, neighbors, svm
    x, y = d["x"], d.get("y")
    if name == "kmeans":
        m = cluster.KMeans(100, init=d["init"], n_init=1, max_iter=20, tol=0).fit(x)
        return m.inertia_, m.n_iter_
    if name == "dbscan":
        m = cluster.DBSCAN(eps=0.3, min_samples=10, n_jobs=2).fit(x)
        return m.labels_.max(), len(m.core_sample_indices_)
    if name == "pca":
        m = decomposition.PCA(32)
        z = m.fit_transform(x)
        return m.explained_variance_.sum(), np.abs(z).sum()
    if name == "lasso path":
        alphas, coefs, _ = linear_model.lasso_path(x, y)
        return np.abs(coefs).sum(), alphas.max()
    if name == "logistic":
        m = linear_model.LogisticRegression().fit(x, y)
        return np.abs(m.coef_).sum(), m.score(x, y)
    if name == "softmax":
        return (linear_model.LogisticRegression().fit(x, y).score(x, y),)
    if name == "forest":
        if "model" not in d:
            d["model"] = ensemble.RandomForestClassifier(random_state=0, n_jobs=2).fit(x[:5000], y[:5000])
        p = d["model"].predict_proba(x)
        return ((p ** 2).sum() / len(p),)
    if name == "neighbors":
        distances, indices = neighbors.NearestNeighbors(n_jobs=2).fit(x).kneighbors(x)
        return distances.sum(), indices.sum()
    if name == "svm":
        m = svm.SVC().fit(x, y)
        return m.n_support_.sum(), m.score(x, y)
    m = manifold.TSNE(n_jobs=2, random_state=0).fit(x)
    return m.kl_divergence_, manifold.trustworthiness(x, m.embedding_)


def memory_mb(name):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024


def serve(name, file, rounds):
    with np.load(file) as stored:
        d = {k: stored[k] for k in stored.files}
    import sklearn  # noqa: F401, so that loading is not measured
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, times, busy = memory_mb("VmRSS"), [], []
    for _ in range(rounds):
        start, cpu = time.perf_counter(), time.process_time()
        answer = scikit_learn(name, d)
        times.append(1e3 * (time.perf_counter() - start))
        busy.append(1e3 * (time.process_time() - cpu))
    print(json.dumps(dict(ms=statistics.median(times), cpu_ms=statistics.median(busy), mb=memory_mb("VmHWM") - before,
                          answer=[float(a) for a in answer])))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(WORKLOADS))
    parser.add_argument("--glia", default=HERE.parent / "build/bench/glia-bench-classic")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        name, file, rounds = options.serve
        return serve(name, file, int(rounds))
    threads = os.environ | {"OMP_NUM_THREADS": options.threads, "GLIA_NUM_THREADS": options.threads}
    print("| what | scikit-learn ms | Glia ms | times as fast | of processors' time | scikit-learn MB "
          "| Glia MB |\n| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in options.names or WORKLOADS:
        title, rounds, tolerance = WORKLOADS[name]
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "in.npz"
            np.savez(file, **data(name))
            sides = ([sys.executable, __file__, "--serve"], [options.glia])
            pairs = [[json.loads(subprocess.run([*side, name, file, str(rounds)], check=True, env=threads,
                                                stdout=subprocess.PIPE).stdout) for side in sides]
                     for _ in range(options.pairs)]
        for theirs, ours in pairs:
            near = np.allclose(ours["answer"], theirs["answer"], rtol=tolerance)
            assert near, f"{name}: {ours['answer']}, not {theirs['answer']}"
        middle = lambda side, of: statistics.median(pair[side][of] for pair in pairs)
        ratio = lambda of: statistics.median(theirs[of] / ours[of] for theirs, ours in pairs)
        print(f"| {title} | {middle(0, 'ms'):,.1f} | {middle(1, 'ms'):,.1f} | {ratio('ms'):.2f} | "
              f"{ratio('cpu_ms'):.2f} | "
              f"{middle(0, 'mb'):,.0f} | {middle(1, 'mb'):,.0f} |", flush=True)


if __name__ == "__main__":
    main()
