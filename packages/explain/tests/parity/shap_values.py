#!/usr/bin/env python3
"""Holds SHAP values against shap, live, of the same trees, and partial dependence against
scikit-learn. Run by tests/parity/run."""
import pathlib
import resource
import subprocess
import warnings

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import shap
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import (GradientBoostingClassifier, RandomForestClassifier,
                                  RandomForestRegressor)
    from sklearn.inspection import partial_dependence
    from sklearn.linear_model import LinearRegression

warnings.filterwarnings("ignore")
PROGRAM = compiled(pathlib.Path(__file__).with_name("explain.cpp"), "classic")

x, y = load_diabetes(return_X_y=True)
x = x.astype(np.float32).astype(np.float64)
classes, three = (y > 140).astype(int), np.digitize(y, [100, 200])
rows, background = x[:12], x[100:130]
line = LinearRegression().fit(x, y)
np.savez(WORK / "in.npz", x=x, y=y, classes=classes, three=three, rows=rows, background=background,
         coef=line.coef_, intercept=line.intercept_)
subprocess.run([PROGRAM, "shap", WORK / "in.npz", WORK / "out.npz"], check=True)
ours = dict(np.load(WORK / "out.npz"))

models = {
    "forest": RandomForestRegressor(20, max_depth=6, random_state=0).fit(x, y),
    "boosted": GradientBoostingClassifier(n_estimators=20, random_state=0).fit(x, classes),
    "classes": RandomForestClassifier(10, max_depth=5, random_state=0).fit(x, three),
}
bad = []


def near(name, value, tolerance):
    value = np.asarray(value)
    off = np.abs(ours[name].reshape(value.shape) - value).max() / max(np.abs(value).max(), 1e-12)
    print(f"{name}: {off:.1e} of the largest, beside shap or scikit-learn")
    if not off < tolerance:
        bad.append(name)


near("forest_prediction", models["forest"].predict(rows), 1e-9)
for name, model in models.items():
    path = shap.TreeExplainer(model)
    near(f"{name}_path", path.shap_values(rows), 1e-6)
    near(f"{name}_path_base", np.ravel(path.expected_value), 1e-6)
    # Of these forests TreeExplainer's interventional values are 2 % off the definition, which
    # KernelExplainer follows: by all 2^10 coalitions.
    if name == "boosted":
        other = shap.TreeExplainer(model, shap.maskers.Independent(background, 1000), "raw",
                                   "interventional")
    else:
        other = shap.KernelExplainer(model.predict if name == "forest" else model.predict_proba, background)
    options = {} if name == "boosted" else dict(l1_reg=False, silent=True)
    values = other.shap_values(rows, **options)
    near(f"{name}_interventional", values, 1e-6)
    if name == "forest":
        near("kernel", values, 1e-6)
# Path-dependent values of all rows by a forest of 100 trees: processor seconds of both, in turn.
forest = RandomForestRegressor(100, max_depth=8, random_state=0).fit(x, y)
explainer = shap.TreeExplainer(forest)
spent = []
for turn in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF)
    values = explainer.shap_values(x, check_additivity=False)
    after = resource.getrusage(resource.RUSAGE_SELF)
    theirs = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    own = float(subprocess.run([PROGRAM, "time", WORK / "in.npz", WORK / "time.npz"], check=True,
                               capture_output=True, text=True).stdout)
    spent.append((own, theirs))
ours["timed"] = np.load(WORK / "time.npz")["values"]
near("timed", values, 1e-6)
own, theirs = min(s[0] for s in spent), min(s[1] for s in spent)
print(f"442 rows, 100 trees of depth 8: {own:.3f} s of processor time, shap {theirs:.3f} s ({theirs / own:.2f}x)")
near("linear", shap.LinearExplainer(line, shap.maskers.Independent(background, 1000)).shap_values(rows), 1e-9)
pdp = partial_dependence(models["forest"], x, [2], grid_resolution=20, kind="average", method="brute")
near("pdp_grid", pdp["grid_values"][0], 1e-9)
near("pdp", pdp["average"][0], 1e-9)
assert not bad, bad
