#!/usr/bin/env python3
"""Holds splits, cross-validation and searches against scikit-learn, and TPE against Optuna, live.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import warnings

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import sklearn
    from sklearn import model_selection as ms
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.neighbors import NearestCentroid

PROGRAM = compiled(pathlib.Path(__file__).with_name("model_selection.cpp"))
checked = 0


def glia(what, argument="", **arrays):
    np.savez(WORK / "in.npz", **{k: v for k, v in arrays.items() if v is not None})
    subprocess.run([PROGRAM, what, argument, WORK / "in.npz", WORK / "out.npz"], check=True)
    with np.load(WORK / "out.npz") as out:
        return {name: out[name] for name in out.files}


def near(what, ours, theirs, tolerance=0):
    """Fails unless the largest difference is within tolerance of the largest value."""
    global checked
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    assert ours.shape == theirs.shape, f"{what}: {ours.shape}, not {theirs.shape}"
    error = np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30)
    assert error <= tolerance, f"{what}: relative difference {error:.2e} above {tolerance:.0e}"
    checked += 1


def our_splits(name, **arrays):
    out = glia("splits", name, **arrays)
    cut = [np.split(out[side], np.cumsum(out[side + "s"])[:-1]) for side in ("train", "test")]
    return list(zip(*cut))


def splits():
    rng = np.random.default_rng(0)
    kinds = ("KFold", "StratifiedKFold", "GroupKFold", "StratifiedGroupKFold")
    for n, classes, groups, folds in ((20, 2, 6, 2), (61, 3, 11, 5), (200, 12, 40, 10), (97, 5, 97, 7)):
        x = np.zeros((n, 1))
        y = rng.permutation(np.arange(n) % classes) - 1
        g = rng.permutation(np.arange(n) % groups)
        for kind in kinds:
            theirs = list(getattr(ms, kind)(folds).split(x, y, g))
            ours = our_splits(kind, x=x, y=y, groups=g, n_splits=folds)
            for (a, b), (c, d) in zip(ours, theirs, strict=True):
                near(f"{kind}: train", a, c)
                near(f"{kind}: test", b, d)
            # Shuffled: a partition, with as many of each class in each test.
            drawn = our_splits(kind, x=x, y=y, groups=g, n_splits=folds, shuffle=1)
            near(f"{kind}, shuffled", np.sort(np.concatenate([t for _, t in drawn])), np.arange(n))
            if kind == "StratifiedKFold":
                peer = ms.StratifiedKFold(folds, shuffle=True, random_state=0).split(x, y)
                for (_, a), (_, b) in zip(drawn, peer, strict=True):
                    near("counts", np.bincount(y[a] + 1, minlength=classes),
                         np.bincount(y[b] + 1, minlength=classes))
            if "Group" in kind:
                for train, test in drawn:
                    assert not set(g[train]) & set(g[test]), kind
        for sizes in ({}, {"test_size": 0.3}, {"train_size": 15}, {"test_size": 5, "train_size": 0.5}):
            for kind in ("ShuffleSplit", "StratifiedShuffleSplit", "GroupShuffleSplit"):
                if kind != "ShuffleSplit" and (classes > 3 or not sizes or 15 in sizes.values()):
                    continue
                if kind == "GroupShuffleSplit" and "train_size" in sizes:
                    continue
                peer = list(getattr(ms, kind)(4, **sizes, random_state=0).split(x, y, g))
                for (a, b), (c, d) in zip(our_splits(kind, x=x, y=y, groups=g, n_splits=4, **sizes),
                                          peer, strict=True):
                    if kind != "GroupShuffleSplit":
                        near(f"{kind} {sizes}", [len(a), len(b)], [len(c), len(d)])
                    else:
                        near(f"{kind} {sizes}", [len(set(g[a])), len(set(g[b]))],
                             [len(set(g[c])), len(set(g[d]))])
    x, y = np.zeros((12, 1)), np.arange(12) % 2
    g, fold = np.array([4, 4, -1, 7, 7, 7, 9, 9, 4, 1, 1, 1]), np.array([0, 0, -1, 5, 5, 5, 9, 9, 0, 0, -1, 5])
    for kind, make, options in (
            ("LeaveOneOut", ms.LeaveOneOut(), {}), ("LeavePOut", ms.LeavePOut(3), {"p": 3}),
            ("LeaveOneGroupOut", ms.LeaveOneGroupOut(), {}),
            ("LeavePGroupsOut", ms.LeavePGroupsOut(2), {"p": 2}),
            ("PredefinedSplit", ms.PredefinedSplit(fold), {"test_fold": fold}),
            ("TimeSeriesSplit", ms.TimeSeriesSplit(), {}),
            ("TimeSeriesSplit", ms.TimeSeriesSplit(3, max_train_size=3, test_size=2, gap=1),
             {"n_splits": 3, "max_train_size": 3, "test_size": 2, "gap": 1})):
        theirs = list(make.split(x, y, g)) if "Group" in kind else list(make.split(x, y))
        for (a, b), (c, d) in zip(our_splits(kind, x=x, y=y, groups=g, **options), theirs, strict=True):
            near(f"{kind}: train", a, c)
            near(f"{kind}: test", b, d)


class Centroids(ClassifierMixin, BaseEstimator):
    """NearestCentroid without the first features."""

    def __init__(self, skip=0):
        self.skip = skip

    def fit(self, x, y):
        self.nearest_ = NearestCentroid().fit(x[:, self.skip:], y)
        self.classes_ = self.nearest_.classes_
        return self

    def predict(self, x):
        return self.nearest_.predict(x[:, self.skip:])


def compare_search(what, ours, search, tolerance):
    table = search.cv_results_
    n = search.n_splits_
    for side in ("test", "train"):
        theirs = np.stack([table[f"split{i}_{side}_score"] for i in range(n)], 1)
        near(f"{what}: split {side}", ours[f"split_{side}"], theirs, tolerance)
    near(f"{what}: mean", ours["mean_test"], table["mean_test_score"], tolerance)
    near(f"{what}: std", ours["std_test"], table["std_test_score"], max(tolerance, 1e-12))
    near(f"{what}: rank", ours["rank_test"], table["rank_test_score"])
    near(f"{what}: best", ours["best_index"], search.best_index_)
    near(f"{what}: best score", ours["best_score"], search.best_score_, tolerance)


def classifiers():
    for load in (load_breast_cancer, load_wine):
        x, y = load(return_X_y=True)
        for cv in (5, 10):
            what = f"{load.__name__}, {cv} folds"
            ours = glia("validation", "accuracy", x=x, y=y, cv=cv)
            theirs = ms.cross_validate(Centroids(), x, y, cv=cv, return_train_score=True)
            near(f"{what}: score", ours["score"], ms.cross_val_score(Centroids(), x, y, cv=cv), 1e-15)
            near(f"{what}: test", ours["test"], theirs["test_score"], 1e-15)
            near(f"{what}: train", ours["train"], theirs["train_score"], 1e-15)
            near(f"{what}: predict", ours["predict"], ms.cross_val_predict(Centroids(), x, y, cv=cv))
            # Sorted classes: a first part of a training may have one of them only.
            sizes, train, test = ms.learning_curve(Centroids(), x, y, cv=cv)
            near(f"{what}: sizes", ours["sizes"], sizes)
            fits = ~np.isnan(test)
            near(f"{what}: curve", ours["curve_test"][fits], test[fits], 1e-15)
            near(f"{what}: curve, train", ours["curve_train"][fits], train[fits], 1e-15)
            if load is load_wine and cv == 5:
                score, scores, pvalue = ms.permutation_test_score(Centroids(), x, y, cv=cv)
                near(f"{what}: p", ours["pvalue"], pvalue)
                spread = np.hypot(scores.std(), ours["permutation"].std()) / 10
                assert abs(scores.mean() - ours["permutation"].mean()) < 4 * spread, what

            search = ms.GridSearchCV(Centroids(), {"skip": [0, 2, 5, 1]}, cv=cv, return_train_score=True)
            ours = glia("grid", "skip=0|2|5|1", x=x, y=y, cv=cv)
            compare_search(f"{what}: grid", ours, search.fit(x, y), 1e-15)
            near(f"{what}: grid, predict", ours["predict"], search.predict(x))
            near(f"{what}: nested", ours["nested"], ms.cross_val_score(search, x, y, cv=cv), 1e-15)


def clusterers():
    x = load_digits().data[:600]
    init = x[::61][:6]
    peer = KMeans(len(init), init=init, n_init=1)
    ours = glia("validation", x=x, init=init, cv=4)
    theirs = ms.cross_validate(peer, x, cv=4, return_train_score=True)
    near("k-means: test", ours["test"], theirs["test_score"], 1e-9)
    near("k-means: train", ours["train"], theirs["train_score"], 1e-9)
    near("k-means: predict", ours["predict"], ms.cross_val_predict(peer, x, cv=4))
    train, test = ms.validation_curve(peer, x, None, param_name="max_iter", param_range=[1, 2, 5], cv=4)
    near("k-means: by max_iter", ours["by_test"], test, 1e-9)
    near("k-means: by max_iter, train", ours["by_train"], train, 1e-9)
    sizes, train, test = ms.learning_curve(peer, x, None, cv=4)
    near("k-means: sizes", ours["sizes"], sizes)
    near("k-means: curve", ours["curve_test"], test, 1e-9)
    for factor, most, aggressive in ((3, 9, False), (2, 9, False), (3, 3, True), (2.5, 20, False)):
        grid = {"tol": [10.0 ** -k for k in range(10)]}
        search = ms.HalvingGridSearchCV(peer, grid, factor=factor, resource="max_iter", cv=4,
                                        max_resources=most, aggressive_elimination=aggressive)
        search.fit(x)
        ours = glia("halving", "tol=" + "|".join(str(t) for t in grid["tol"]), x=x, init=init, cv=4,
                    factor=factor, max_resources=most, aggressive=aggressive)
        near("halving: n_resources", ours["n_resources"], search.n_resources_)
        near("halving: n_candidates", ours["n_candidates"], search.n_candidates_)
        near("halving: iter", ours["iter"], search.cv_results_["iter"])
        near("halving: best score", ours["best_score"], search.best_score_, 1e-9)


def bowl(trial):
    u = trial.suggest_float("u", -5, 5) - 2
    v = np.log10(trial.suggest_float("v", 1e-3, 1e3, log=True)) + 1
    w = 0 if trial.suggest_categorical("w", ["a", "b", "c", "d"]) == "c" else 2
    n = trial.suggest_int("n", 1, 20) - 7
    return u * u + v * v + w + n * n / 10


def tpe():
    try:
        import optuna
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
        from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
        from optuna.samplers._tpe.sampler import default_gamma, default_weights
    except ImportError as missing:
        print(f"SKIPPED: TPE beside Optuna: {missing}")
        return
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rng = np.random.default_rng(5)
    space = {"u": FloatDistribution(-5, 5), "v": FloatDistribution(1e-3, 1e3, log=True),
             "w": CategoricalDistribution(["a", "b", "c", "d"]), "n": IntDistribution(1, 20),
             "m": IntDistribution(1, 1000, log=True)}
    text = "u=-5.0..5.0,v=log:1e-3..1000.0,w=a|b|c|d,n=1..20,m=log:1..1000"
    parameters = _ParzenEstimatorParameters(prior_weight=1.0, consider_magic_clip=True,
                                            consider_endpoints=False, weights=default_weights,
                                            multivariate=True)

    def draw(count):
        # Whole numbers each once, as far as there are enough: of equal ones NumPy's order is its own.
        return np.stack([rng.uniform(-5, 5, count), 10 ** rng.uniform(-3, 3, count),
                         rng.integers(4, size=count), rng.permutation(np.arange(count) % 20 + 1),
                         rng.permutation(900)[:count] + 1], 1).astype(float)

    for count in (1, 2, 9, 20):
        trials, candidates = draw(count), draw(20)
        scores = rng.standard_normal(count)
        ours = glia("densities", text, trials=np.column_stack([trials, scores]), candidates=candidates)
        order = np.argsort(-scores, kind="stable")
        below = default_gamma(count)
        for name, chosen in (("good", np.sort(order[:below])), ("others", np.sort(order[below:]))):
            estimator = _ParzenEstimator({k: trials[chosen, i] for i, k in enumerate(space)}, space,
                                         parameters)
            theirs = estimator.log_pdf({k: candidates[:, i] for i, k in enumerate(space)})
            near(f"TPE, {count} trials: {name}", ours[name], theirs, 1e-9)
    # Many trials: the oldest weigh less. Numbers alone, without equal ones.
    few = {"u": space["u"], "v": space["v"]}
    trials, candidates, scores = draw(300)[:, :2], draw(20)[:, :2], rng.standard_normal(300)
    ours = glia("densities", "u=-5.0..5.0,v=log:1e-3..1000.0",
                trials=np.column_stack([trials, scores]), candidates=candidates)
    chosen = np.sort(np.argsort(-scores, kind="stable")[default_gamma(300):])
    estimator = _ParzenEstimator({k: trials[chosen, i] for i, k in enumerate(few)}, few, parameters)
    near("TPE, 300 trials", ours["others"], estimator.log_pdf({"u": candidates[:, 0], "v": candidates[:, 1]}),
         1e-9)

    seeds = 10
    ours = -glia("bowl", "u=-5.0..5.0,v=log:1e-3..1000.0,w=a|b|c|d,n=1..20", seeds=seeds)["best"]
    theirs, chance = [], []
    for seed in range(seeds):
        for bests, sampler in ((theirs, optuna.samplers.TPESampler(seed=seed)),
                               (chance, optuna.samplers.RandomSampler(seed=seed))):
            study = optuna.create_study(sampler=sampler)
            study.optimize(bowl, n_trials=60)
            bests.append(study.best_value)
    print(f"TPE, a bowl, 60 trials, {seeds} seeds: {np.mean(ours):.3f}, Optuna {optuna.__version__} "
          f"{np.mean(theirs):.3f}, draws {np.mean(chance):.3f}")
    spread = np.hypot(np.std(ours), np.std(theirs)) / np.sqrt(seeds)
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * spread


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    splits()
    classifiers()
    clusterers()
    tpe()
    print(f"model selection: {checked} comparisons with scikit-learn {sklearn.__version__}")
