"""Ratings foretold beside Surprise's, live, on one of its five folds of MovieLens 100K and from the
same first factors: each number, the error, and the seconds of processor time of either side.

Run by tests/parity/run. The ratings are those of the catalogue, or come with RecBole's wheel.
"""
import pathlib
import subprocess
import sys
import time

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import surprise
    from surprise import (NMF, SVD, BaselineOnly, CoClustering, KNNBaseline, KNNBasic, KNNWithMeans,
                          KNNWithZScore, SlopeOne, SVDpp)

sys.path.insert(0, str(pathlib.Path(__file__).parent / "shared"))
from movielens import put, ratings


class Given(surprise.dataset.DatasetAutoFolds):
    def __init__(self, rows):
        self.reader = surprise.Reader(rating_scale=(1, 5))
        self.raw_ratings = rows
        self.has_been_split = False


program = compiled(pathlib.Path(__file__).with_suffix(".cpp"))
rows = ratings()
order = np.random.default_rng(1).permutation(len(rows))
held = len(rows) // 5
train = Given(rows).construct_trainset([rows[k] for k in order[held:]])
inner = [(train.to_inner_uid(rows[k][0]), train.to_inner_iid(rows[k][1]), rows[k][2]) for k in order[held:]]
test = [(rows[k][0], rows[k][1], rows[k][2]) for k in order[:held]
        if rows[k][0] in train._raw2inner_id_users and rows[k][1] in train._raw2inner_id_items]
put("user", [u for u, _, _ in inner], np.int32)
put("item", [i for _, i, _ in inner], np.int32)
put("rating", [r for _, _, r in inner], np.float64)
put("test_user", [train.to_inner_uid(u) for u, _, _ in test], np.int32)
put("test_item", [train.to_inner_iid(i) for _, i, _ in test], np.int32)
truth = np.array([r for _, _, r in test])
users, items = train.n_users, train.n_items


def drawn(*shapes, of="normal"):
    """What Surprise draws before the first step, by the same calls."""
    random = np.random.RandomState(3)
    return [random.normal(0, 0.1, s) if of == "normal" else random.uniform(0, 1, s) for s in shapes]


random = np.random.RandomState(3)
clusters = [random.randint(3, size=users), random.randint(3, size=items)]
items_by = {"name": "pearson_baseline", "user_based": False}
cases = {  # of each: the model, first values, how near
    "baseline": (BaselineOnly(verbose=False), [], 1e-10),
    "knn-basic": (KNNBasic(verbose=False), [], 1e-9),
    "knn-means": (KNNWithMeans(verbose=False), [], 1e-9),
    "knn-zscore": (KNNWithZScore(verbose=False), [], 1e-9),
    "knn-baseline": (KNNBaseline(verbose=False), [], 1e-9),
    "knn-baseline-items": (KNNBaseline(sim_options=items_by, verbose=False), [], 1e-9),
    "svd": (SVD(random_state=3), drawn((users, 100), (items, 100)), 1e-9),
    "svdpp": (SVDpp(random_state=3, n_epochs=3, cache_ratings=True),
              drawn((users, 20), (items, 20), (items, 20)), 1e-9),
    "nmf": (NMF(random_state=3), drawn((users, 15), (items, 15), of="uniform"), 1e-8),
    "slope-one": (SlopeOne(), [], 1e-10),
    "co-clustering": (CoClustering(random_state=3), clusters, 1e-9),
}
wrong = compared = 0
print(f"{'model':<20}{'RMSE':>9}{'Surprise':>10}{'differ':>10}{'seconds':>10}{'Surprise':>10}{'times':>7}")
for name, (model, first, near) in cases.items():
    for k, values in enumerate(first):
        put(f"first{k}", values, np.int64 if name == "co-clustering" else np.float64)
    said = subprocess.run([program, WORK, name], check=True, capture_output=True, text=True).stdout
    own = np.fromfile(WORK / "said", np.float64)
    start = time.process_time()
    model.fit(train)
    want = np.array([p.est for p in model.test(test)])
    peer = time.process_time() - start
    differ = np.abs(own - want)
    compared += len(own)
    wrong += int((differ > near).sum())
    rmse = [float(np.sqrt(np.mean((x - truth) ** 2))) for x in (own, want)]
    print(f"{name:<20}{rmse[0]:9.4f}{rmse[1]:10.4f}{differ.max():10.1e}{float(said):10.3f}{peer:10.3f}"
          f"{peer / float(said):7.1f}")
print(f"surprise: {compared} comparisons, {wrong} differ")
sys.exit(wrong > 0)
