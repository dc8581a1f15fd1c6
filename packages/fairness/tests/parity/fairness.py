#!/usr/bin/env python3
"""Holds metrics and mitigation against Fairlearn, and the accountant against Opacus, live. Run by
tests/parity/run."""
import pathlib
import subprocess
import warnings

from package import WORK, compiled, peers

with peers():
    import fairlearn.metrics as metrics
    import fairlearn.reductions as reductions
    import numpy as np
    from fairlearn.postprocessing import ThresholdOptimizer
    from fairlearn.preprocessing import CorrelationRemover
    from opacus.accountants import RDPAccountant
    from opacus.accountants.analysis import rdp as opacus_rdp
    from opacus.accountants.utils import get_noise_multiplier
    from sklearn.base import BaseEstimator
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

warnings.filterwarnings("ignore")
PROGRAM = compiled(pathlib.Path(__file__).with_name("fairness.cpp"), "classic")
RNG = np.random.default_rng(0)
n = 1200
group, other, control = RNG.integers(0, 3, n), RNG.integers(0, 2, n), RNG.integers(0, 2, n)
skill = RNG.normal(size=n)
y = (skill + 0.5 * (group - 1) + 0.5 * RNG.normal(size=n) > 0).astype(int)
x = np.stack([skill + 0.4 * RNG.normal(size=n), group + 0.3 * RNG.normal(size=n), RNG.normal(size=n)], 1)
x = x.astype(np.float32).astype(np.float64)
model = LogisticRegression().fit(x, y)
p, scores, weight = model.predict(x), model.predict_proba(x)[:, 1].round(3), RNG.uniform(0.1, 2, n)
q, sigma, steps = [0.01, 0.004, 0.1, 0.5, 1], [1.1, 0.7, 2, 1.5, 4], [1000, 4000, 300, 50, 20]
np.savez(WORK / "in.npz", x=x, y=y, p=p, group=group, other=other, control=control, scores=scores,
         weight=weight, q=q, sigma=sigma, steps=steps)
subprocess.run([PROGRAM, WORK / "in.npz", WORK / "out.npz"], check=True)
ours = dict(np.load(WORK / "out.npz"))
bad = []


def near(name, value, tolerance=1e-9):
    value = np.asarray(value, dtype=float)
    off = np.nanmax(np.abs(ours[name].reshape(value.shape) - value), initial=0)
    print(f"{name}: off by {off:.1e}")
    if not off <= tolerance or (np.isnan(ours[name].reshape(value.shape)) != np.isnan(value)).any():
        bad.append(name)


for weighted in (False, True):
    for method in ("between_groups", "to_overall"):
        end = ("_w" if weighted else "") + ("_o" if method == "to_overall" else "")
        o = dict(sensitive_features=group, method=method, sample_weight=weight if weighted else None)
        near("dpd" + end, metrics.demographic_parity_difference(y, p, **o))
        near("dpr" + end, metrics.demographic_parity_ratio(y, p, **o))
        near("eod" + end, metrics.equalized_odds_difference(y, p, **o))
        near("eor" + end, metrics.equalized_odds_ratio(y, p, **o))
        near("opd" + end, metrics.equal_opportunity_difference(y, p, **o))
        near("opr" + end, metrics.equal_opportunity_ratio(y, p, **o))
frame = metrics.MetricFrame(
    metrics={"selection": metrics.selection_rate, "fpr": metrics.false_positive_rate}, y_true=y, y_pred=p,
    sensitive_features=np.stack([group, other], 1), control_features=control)
near("by_group", frame.by_group["selection"].to_numpy().reshape(2, 6))
near("fpr_by_group", frame.by_group["fpr"].to_numpy().reshape(2, 6))
near("difference", frame.difference()["selection"].to_numpy())
near("ratio_overall", frame.ratio(method="to_overall")["selection"].to_numpy())


class Scores(BaseEstimator):
    """Says the scores that it is given."""
    is_fitted_ = True

    def fit(self, x, y):
        return self

    def predict(self, x):
        return np.asarray(x)[:, 0]


for constraint in ("demographic_parity", "equalized_odds", "true_positive_rate_parity",
                   "false_positive_rate_parity"):
    for flip in (False, True):
        fair = ThresholdOptimizer(estimator=Scores(), constraints=constraint, prefit=True, flip=flip,
                                  predict_method="predict")
        fair.fit(scores[:, None], y, sensitive_features=group)
        near(f"threshold_{constraint}" + ("_flip" if flip else ""),
             fair._pmf_predict(scores[:, None], sensitive_features=group)[:, 1], 1e-7)
for constraint in ("DemographicParity", "EqualizedOdds", "TruePositiveRateParity",
                   "FalsePositiveRateParity", "ErrorRateParity"):
    fair = reductions.ExponentiatedGradient(
        DecisionTreeClassifier(max_depth=4, min_samples_leaf=15, random_state=0),
        getattr(reductions, constraint)(difference_bound=0.01), max_iter=20, run_linprog_step=False)
    fair.fit(x, y, sensitive_features=group)
    near(f"reduction_{constraint}", fair._pmf_predict(x)[:, 1], 1e-7)
    near(f"gap_{constraint}", fair.best_gap_, 1e-7)
    near(f"iter_{constraint}", fair.best_iter_)
    near(f"weights_{constraint}", fair.weights_.sort_index().to_numpy())
alphas = RDPAccountant.DEFAULT_ALPHAS
epsilon, rdp = [], []
for rate, noise, count in zip(q, sigma, steps):
    accountant = RDPAccountant()
    accountant.history = [(noise, rate, count)]
    epsilon.append(accountant.get_epsilon(1e-5))
    rdp.append(opacus_rdp.compute_rdp(q=rate, noise_multiplier=noise, steps=1, orders=alphas))
near("epsilon", epsilon, 1e-6)
near("rdp", np.array(rdp), 1e-6)
near("noise", get_noise_multiplier(target_epsilon=2, target_delta=1e-5, sample_rate=0.01, steps=1000,
                                   accountant="rdp"), 5e-3)
columns = np.column_stack([group, other, x])
near("decorrelated", CorrelationRemover(sensitive_feature_ids=[0, 1], alpha=0.7).fit(columns).transform(columns),
     1e-9)
assert not bad, bad
