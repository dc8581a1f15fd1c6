#!/usr/bin/env python3
"""Holds conformal sets and intervals against MAPIE, live, on real data. Run by tests/parity/run."""
import pathlib
import subprocess
import warnings

from package import WORK, compiled, peers

with peers():
    import mapie
    import numpy as np
    from mapie.classification import SplitConformalClassifier
    from mapie.regression import (ConformalizedQuantileRegressor, CrossConformalRegressor,
                                  SplitConformalRegressor)
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
    from sklearn.linear_model import LinearRegression, QuantileRegressor
    from sklearn.model_selection import KFold
    from sklearn.naive_bayes import GaussianNB

from estimators import finish, near

PROGRAM = compiled(pathlib.Path(__file__).with_name("conformal.cpp"))
RNG = np.random.default_rng(0)


def glia(what, **arrays):
    np.savez(WORK / "in.npz", **arrays)
    subprocess.run([PROGRAM, what, WORK / "in.npz", WORK / "out.npz"], check=True)
    with np.load(WORK / "out.npz") as out:
        return {k: out[k] for k in out.files}


def thirds(x, y):
    order = RNG.permutation(len(x))
    x, y, n = x[order], y[order], len(x) // 3
    return x[:n], y[:n], x[n:2 * n], y[n:2 * n], x[2 * n:], y[2 * n:]


def sets():
    """Of the same probabilities MAPIE's sets; and how often they hold the truth."""
    covered = {}
    for name, data in (("digits", load_digits()), ("wine", load_wine()), ("cancer", load_breast_cancer())):
        x = data.data + 0.01 * RNG.normal(size=data.data.shape)
        for repeat in range(20):
            train, y, hold, hold_y, new, new_y = thirds(x, data.target)
            model = GaussianNB(var_smoothing=1e-3).fit(train, y)
            for level in (0.8, 0.9, 0.95):
                arrays = dict(p=model.predict_proba(hold), y=hold_y, new=model.predict_proba(new), level=level,
                              seed=2 * repeat)
                ours = {score: glia(score, **arrays)["sets"] for score in ("lac", "aps", "aps_randomized")}
                if repeat < 3:
                    theirs = SplitConformalClassifier(model, confidence_level=level, prefit=True)
                    theirs.conformalize(hold, hold_y)
                    # MAPIE takes scores up to 1e-8 above the threshold, which sure models have many of.
                    scores = np.sort(1 - arrays["p"][np.arange(len(hold)), hold_y])
                    threshold = scores[int(np.ceil(level * (len(hold) + 1))) - 1]
                    clear = np.abs(1 - arrays["new"] - threshold) > 2e-8
                    near(f"{name} {level}", ours["lac"][clear], theirs.predict_set(new)[1][:, :, 0][clear], 0)
                    assert (ours["lac"] <= theirs.predict_set(new)[1][:, :, 0]).all()
                for score, own in ours.items():
                    covered.setdefault((name, score, level), []).append(own[np.arange(len(new)), new_y].mean())
    for (name, score, level), rates in covered.items():
        mean, spread = np.mean(rates), np.std(rates) / np.sqrt(len(rates))
        print(f"{name}, {score} at {level}: coverage {mean:.4f} +- {spread:.4f}")
        assert mean >= level - 4 * spread - 0.002, (name, score, level)


def intervals():
    x, y = load_diabetes(return_X_y=True)
    covered = {}
    for repeat in range(20):
        train, ty, hold, hold_y, new, new_y = thirds(x, y)
        for level in (0.8, 0.9):
            arrays = dict(x=train, y=ty, hold=hold, hold_y=hold_y, new=new, level=level)
            ours = glia("split", **arrays)
            theirs = SplitConformalRegressor(LinearRegression(), confidence_level=level, prefit=False)
            theirs.fit(train, ty).conformalize(hold, hold_y)
            point, both = theirs.predict_interval(new)
            near(f"split {level}", ours["prediction"], point)
            near(f"split {level}", ours["lower"], both[:, 0, 0])
            near(f"split {level}", ours["upper"], both[:, 1, 0])
            covered.setdefault(("split", level), []).append(
                np.mean((ours["lower"] <= new_y) & (new_y <= ours["upper"])))

            all_x, all_y = np.concatenate([train, hold]), np.concatenate([ty, hold_y])
            ours = glia("cross", **{**arrays, "x": all_x, "y": all_y})
            theirs = CrossConformalRegressor(LinearRegression(), confidence_level=level, method="plus",
                                             cv=KFold(5)).fit_conformalize(all_x, all_y)
            point, both = theirs.predict_interval(new, aggregate_predictions=None)
            near(f"cross {level}", ours["prediction"], point)
            near(f"cross {level}", ours["lower"], both[:, 0, 0])
            near(f"cross {level}", ours["upper"], both[:, 1, 0])
            covered.setdefault(("cross", level), []).append(
                np.mean((ours["lower"] <= new_y) & (new_y <= ours["upper"])))
        if repeat >= 5:
            continue
        for level in (0.8, 0.9):
            arrays = dict(x=train, y=ty, hold=hold, hold_y=hold_y, new=new, level=level)
            models = [QuantileRegressor(quantile=q, alpha=0).fit(train, ty)
                      for q in ((1 - level) / 2, 1 - (1 - level) / 2, 0.5)]
            theirs = ConformalizedQuantileRegressor(models, confidence_level=level, prefit=True)
            theirs.conformalize(hold, hold_y)
            for symmetric in (False, True):
                ours = glia("quantile", symmetric=symmetric, **arrays)
                point, both = theirs.predict_interval(new, symmetric_correction=symmetric)
                near(f"quantile {level}", ours["prediction"], point, 1e-6)
                near(f"quantile {level}", ours["lower"], both[:, 0, 0], 1e-6)
                near(f"quantile {level}", ours["upper"], both[:, 1, 0], 1e-6)
                covered.setdefault((f"quantile {symmetric}", level), []).append(
                    np.mean((ours["lower"] <= new_y) & (new_y <= ours["upper"])))
    for (name, level), rates in covered.items():
        mean, spread = np.mean(rates), np.std(rates) / np.sqrt(len(rates))
        print(f"diabetes, {name} at {level}: coverage {mean:.4f} +- {spread:.4f}")
        assert mean >= level - 4 * spread - 0.005, (name, level)


warnings.filterwarnings("ignore")
for part in (sets, intervals):
    part()
finish(f"MAPIE {mapie.__version__}")
