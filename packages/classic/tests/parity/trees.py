#!/usr/bin/env python3
"""Holds trees, forests and boosting against scikit-learn, live. Run by tests/parity/run.

Where sums are exact (weights that are counts, targets that are integers), trees are the same node by
node. Elsewhere two splits of the same gain differ by rounding alone, which follows the order of
equal values: then what is said of the samples that were fitted, or how well, is held.
"""
from package import peers

with peers():
    import numpy as np
    import sklearn
    from sklearn import datasets, ensemble, tree

from estimators import finish, glia, near

rng = np.random.default_rng(0)
SETS = {name: getattr(datasets, f"load_{name}")(return_X_y=True)
        for name in ("iris", "wine", "breast_cancer", "digits", "diabetes")}
CLASSES = {name: data for name, data in SETS.items() if name != "diabetes"}


def theirs_of(module, name, options):
    """Glia's options as scikit-learn's."""
    options = {"random_state": 0, **options}
    for flag in ("balanced", "balanced_subsample"):
        if options.pop(flag, False):
            options["class_weight"] = flag
    for numbers in ("monotonic_cst", "categorical_features"):
        if numbers in options:
            options[numbers] = [int(v) for v in options[numbers].split(",")]
    return getattr(module, name)(**options)


def same_trees(what, ours, trees):
    begin = ours["tree_begin"]
    assert len(begin) == len(trees) + 1, f"{what}: {len(begin) - 1} trees"
    joined = {k: np.concatenate([np.asarray(getattr(t, k)).reshape(t.node_count, -1) for t in trees])
              for k in ("children_left", "feature", "threshold", "impurity", "value")}
    for k in ("children_left", "feature", "threshold"):
        near(f"{what}: {k}", ours[k], joined[k].ravel(), 0)
    near(f"{what}: impurity", ours["impurity"], joined["impurity"].ravel(), 1e-12)
    near(f"{what}: value", ours["value"], joined["value"], 1e-12)


def with_missing(x):
    x = x.copy()
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


def single():
    kinds = [dict(), dict(max_features="sqrt", min_samples_leaf=3), dict(max_leaf_nodes=7),
             dict(max_depth=3, min_samples_split=0.1), dict(ccp_alpha=0.01, random_state=5),
             dict(min_weight_fraction_leaf=0.05, min_impurity_decrease=0.001)]
    for i, options in enumerate(kinds):
        for name, (x, y) in CLASSES.items():
            for splitter in ("best", "random"):
                options = {**options, "splitter": splitter, "criterion": ("gini", "entropy")[i % 2]}
                x = with_missing(x) if i % 3 == 1 else x
                theirs = theirs_of(tree, "DecisionTreeClassifier", options).fit(x, y)
                ours = glia("DecisionTreeClassifier", options, x=x, y=y, new=x)
                what = f"tree {name} {options}"
                same_trees(what, ours, [theirs.tree_])
                near(f"{what}: importances", ours["feature_importances"], theirs.feature_importances_, 1e-12)
                near(f"{what}: proba", ours["predict_proba"], theirs.predict_proba(x), 1e-12)
    x, y = SETS["diabetes"]
    signs = "0,1,1,-1,0,0,1,1,-1,0"
    for criterion in ("squared_error", "absolute_error", "poisson"):
        for options in (dict(), dict(max_leaf_nodes=17, max_features=0.5), dict(max_depth=4, splitter="random"),
                        dict(monotonic_cst=signs), dict(monotonic_cst=signs, max_leaf_nodes=20)):
            options = {**options, "criterion": criterion}
            x = with_missing(x) if "monotonic_cst" not in options and criterion != "absolute_error" else x
            theirs = theirs_of(tree, "DecisionTreeRegressor", options).fit(x, y)
            same_trees(f"tree diabetes {options}", glia("DecisionTreeRegressor", options, x=x, y=y), [theirs.tree_])


def forests():
    kinds = [dict(), dict(min_samples_leaf=3), dict(max_leaf_nodes=7, bootstrap=True, max_samples=0.5),
             dict(max_depth=4, bootstrap=True, oob_score=True), dict(max_features=3, criterion="entropy")]
    for name, (x, y) in CLASSES.items():
        weight = rng.integers(0, 4, len(x)).astype(float)
        for model in ("RandomForestClassifier", "ExtraTreesClassifier"):
            for i, options in enumerate(kinds):
                options, w = {"n_estimators": 15, **options}, weight if i % 2 else None
                theirs = theirs_of(ensemble, model, options).fit(x, y, sample_weight=w)
                ours = glia(model, options, x=x, y=y, sample_weight=w, new=x)
                what = f"{model} {name} {options}"
                same_trees(what, ours, [t.tree_ for t in theirs.estimators_])
                near(f"{what}: proba", ours["predict_proba"], theirs.predict_proba(x), 1e-12)
                near(f"{what}: importances", ours["feature_importances"], theirs.feature_importances_, 1e-12)
                if "oob_score" in options:
                    near(f"{what}: oob", ours["oob_score"], theirs.oob_score_, 1e-12)
    x, y = SETS["diabetes"]
    for model in ("RandomForestRegressor", "ExtraTreesRegressor"):
        for options in (dict(), dict(max_features=0.5, min_samples_leaf=3, bootstrap=True, oob_score=True),
                        dict(criterion="absolute_error", max_depth=5), dict(criterion="poisson", max_features="log2")):
            options = {"n_estimators": 10, **options}
            for targets in (y, np.c_[y, y[::-1]]):
                theirs = theirs_of(ensemble, model, options).fit(x, targets)
                ours = glia(model, options, x=x, y=targets, new=x)
                what = f"{model} {options} {targets.ndim}"
                same_trees(what, ours, [t.tree_ for t in theirs.estimators_])
                near(f"{what}: predict", ours["predict"], theirs.predict(x), 1e-12)
                if "oob_score" in options:
                    near(f"{what}: oob", ours["oob_score"], theirs.oob_score_, 1e-12)
    # Weights of classes that are no counts: as good, tree for tree.
    for flag in ("balanced", "balanced_subsample"):
        x, y = CLASSES["breast_cancer"]
        options = {"n_estimators": 50, flag: True, "bootstrap": True, "oob_score": True}
        theirs = theirs_of(ensemble, "RandomForestClassifier", options).fit(x, y)
        ours = glia("RandomForestClassifier", options, x=x, y=y)
        near(f"forest {flag}: oob", ours["oob_score"], theirs.oob_score_, 0.01)
    for name, (x, _) in SETS.items():
        for options in (dict(), dict(max_samples=0.3, contamination=0.1), dict(max_features=0.5, random_state=7),
                        dict(bootstrap=True)):
            theirs = theirs_of(ensemble, "IsolationForest", options).fit(x)
            ours = glia("IsolationForest", options, x=x, new=x)
            near(f"isolation {name} {options}", ours["decision_function"], theirs.decision_function(x), 1e-12)


def histograms():
    for name, (x, y) in CLASSES.items():
        rounds = 10 if name == "digits" else 40
        weight = rng.integers(0, 4, len(x)).astype(float)
        for i, options in enumerate((dict(), dict(learning_rate=0.3, l2_regularization=1.0, max_leaf_nodes=7),
                                     dict(max_depth=3, min_samples_leaf=5, max_bins=20), dict(balanced=True))):
            options, w = {"max_iter": rounds, **options}, weight if i % 2 and "balanced" not in options else None
            x = with_missing(x) if i == 2 else x
            theirs = theirs_of(ensemble, "HistGradientBoostingClassifier", options).fit(x, y, sample_weight=w)
            ours = glia("HistGradientBoostingClassifier", options, x=x, y=y, sample_weight=w, new=x)
            what = f"histograms {name} {options}"
            nodes = np.concatenate([t.nodes for step in theirs._predictors for t in step])
            leaf = nodes["is_leaf"] == 1
            near(f"{what}: features", ours["feature"][~leaf], nodes["feature_idx"][~leaf], 0)
            near(f"{what}: thresholds", ours["threshold"][~leaf], nodes["num_threshold"][~leaf], 0)
            near(f"{what}: proba", ours["predict_proba"], theirs.predict_proba(x), 1e-10)
    x, y = SETS["diabetes"]
    weight = rng.integers(0, 4, len(x)).astype(float)
    for i, options in enumerate((dict(), dict(loss="absolute_error"), dict(loss="poisson"), dict(loss="gamma"),
                                 dict(loss="quantile", quantile=0.8), dict(max_bins=16, max_leaf_nodes=None),
                                 dict(monotonic_cst="1,-1,0,0,0,1,-1,0,1,0"))):
        for w in (None, weight):
            new = with_missing(x) if i % 2 else x
            theirs = theirs_of(ensemble, "HistGradientBoostingRegressor", options).fit(new, y, sample_weight=w)
            ours = glia("HistGradientBoostingRegressor", options, x=new, y=y, sample_weight=w, new=new)
            near(f"histograms diabetes {options}", ours["predict"], theirs.predict(new), 1e-10)
    names = np.c_[x, rng.integers(0, 30, len(x)) * 2.5, rng.integers(3, 8, len(x)) + 2 * (y > 150)]
    for new in (names, with_missing(names)):
        options = dict(categorical_features="10,11", min_samples_leaf=5)
        theirs = theirs_of(ensemble, "HistGradientBoostingRegressor", options).fit(new, y)
        ours = glia("HistGradientBoostingRegressor", options, x=new, y=y, new=new)
        near("histograms, categories", ours["predict"], theirs.predict(new), 1e-10)


def boosting():
    for name, (x, y) in CLASSES.items():
        x, y = x[:600], y[:600]
        for options in (dict(n_estimators=20), dict(n_estimators=15, max_leaf_nodes=5, max_depth=None)):
            theirs = theirs_of(ensemble, "GradientBoostingClassifier", options).fit(x, y)
            ours = glia("GradientBoostingClassifier", options, x=x, y=y, new=x)
            near(f"boosting {name} {options}: scores", ours["train_score"], theirs.train_score_, 1e-8)
            near(f"boosting {name} {options}: proba", ours["predict_proba"], theirs.predict_proba(x), 1e-8)
    x, y = SETS["diabetes"]
    for options in (dict(), dict(loss="absolute_error"), dict(loss="quantile", alpha=0.5)):
        theirs = theirs_of(ensemble, "GradientBoostingRegressor", options).fit(x, y)
        ours = glia("GradientBoostingRegressor", options, x=x, y=y, new=x)
        near(f"boosting {options}: scores", ours["train_score"], theirs.train_score_, 1e-8)
        near(f"boosting {options}: predict", ours["predict"], theirs.predict(x), 1e-8)
    theirs = theirs_of(ensemble, "GradientBoostingRegressor", dict(loss="huber")).fit(x, y)
    ours = glia("GradientBoostingRegressor", dict(loss="huber"), x=x, y=y)
    near("boosting huber: the first score", ours["train_score"][0], theirs.train_score_[0], 1e-8)
    near("boosting huber: scores", ours["train_score"], theirs.train_score_, 0.03)


def others():
    for name, (x, y) in CLASSES.items():
        theirs = ensemble.BaggingClassifier(n_estimators=8, max_features=0.7, random_state=3).fit(x, y)
        ours = glia("BaggingClassifier", dict(n_estimators=8, max_features=0.7, random_state=3), x=x, y=y, new=x)
        near(f"bagging {name}", ours["predict_proba"], theirs.predict_proba(x), 1e-12)
        theirs = ensemble.AdaBoostClassifier(n_estimators=20, random_state=1).fit(x, y)
        ours = glia("AdaBoostClassifier", dict(n_estimators=20, random_state=1), x=x, y=y, new=x)
        # The first steps, until two stumps are as good but for rounding.
        near(f"adaboost {name}: errors", ours["estimator_errors"][:3], theirs.estimator_errors_[:3], 1e-8)
        near(f"adaboost {name}: score", (ours["predict"] == y).mean(), theirs.score(x, y), 0.05)
    x, y = SETS["diabetes"]
    for loss in ("linear", "square", "exponential"):
        theirs = ensemble.AdaBoostRegressor(n_estimators=15, random_state=2, loss=loss).fit(x, y)
        ours = glia("AdaBoostRegressor", dict(n_estimators=15, random_state=2, loss=loss), x=x, y=y, new=x)
        near(f"adaboost diabetes {loss}", ours["predict"], theirs.predict(x), 1e-8)
        near(f"adaboost diabetes {loss}: weights", ours["estimator_weights"], theirs.estimator_weights_, 1e-8)
    theirs = ensemble.BaggingRegressor(n_estimators=8, max_samples=0.5, random_state=3).fit(x, y)
    ours = glia("BaggingRegressor", dict(n_estimators=8, max_samples=0.5, random_state=3), x=x, y=y, new=x)
    near("bagging diabetes", ours["predict"], theirs.predict(x), 1e-12)


for part in (single, forests, histograms, boosting, others):
    part()
finish(f"scikit-learn {sklearn.__version__}")
