#!/usr/bin/env python3
"""Holds every metric against scikit-learn's, live, with and without weights.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import warnings

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import sklearn
    from sklearn import metrics as m
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import pairwise

PROGRAM = compiled(pathlib.Path(__file__).with_name("metrics.cpp"))
checked = 0
worst = 0.0


def problem(rng, n, classes, ties):
    y = np.concatenate([np.arange(classes), rng.integers(classes, size=n - classes)])
    p = np.where(rng.random(n) < 0.4, rng.integers(classes, size=n), y)
    logits = rng.standard_normal((n, classes)) + 1.5 * (np.arange(classes) == y[:, None])
    if ties:
        logits = np.round(logits)
    proba = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    yb = np.where(rng.random(n) < 0.4, 1, 0)
    yb[:2] = 0, 1
    score = yb + rng.standard_normal(n)
    score = np.round(score, 1) if ties else score
    yl = (rng.random((n, 4)) < 0.4).astype(np.int64)
    sl = yl + rng.standard_normal((n, 4))
    sl = np.round(sl) if ties else sl
    rt = rng.gamma(2, size=(n, 2))
    x = rng.standard_normal((n, 5)) + y[:, None]
    gaps = np.where(rng.random((n, 5)) < 0.2, np.nan, x)
    return dict(
        y=y, p=p, yb=yb, pb=(score > 0.5).astype(np.int64), yl=yl, sl=sl,
        pl=(sl > 0.5).astype(np.int64), score=score, proba=proba, decision=logits,
        pb_proba=np.round(1 / (1 + np.exp(-score)), 3 if ties else 16), rt=rt,
        rp=rt + 0.3 * rng.random((n, 2)), r1=rt[:, 0], q1=rt[:, 0] * (0.5 + rng.random(n)),
        gains=rng.integers(4, size=(n, 4)), up=np.sort(rng.random(n)), x=x,
        x2=rng.standard_normal((7, 5)), gaps=gaps, sphere=rng.standard_normal((9, 2)),
        w=rng.random(n) * (rng.random(n) > 0.1))


def expected(d):
    y, p, yb, pb, yl, pl, sl = (d[k] for k in ("y", "p", "yb", "pb", "yl", "pl", "sl"))
    score, proba, r1, q1, rt, rp = (d[k] for k in ("score", "proba", "r1", "q1", "rt", "rp"))
    out = {}
    for tag, w in (("", None), (" weighted", d["w"])):
        s = dict(sample_weight=w)
        out |= {
            "accuracy" + tag: m.accuracy_score(y, p, **s),
            "accuracy labels" + tag: m.accuracy_score(yl, pl, **s),
            "zero_one" + tag: m.zero_one_loss(y, p, **s),
            "hamming" + tag: m.hamming_loss(y, p, **s),
            "hamming labels" + tag: m.hamming_loss(yl, pl, **s),
            "balanced" + tag: m.balanced_accuracy_score(y, p, **s),
            "balanced adjusted" + tag: m.balanced_accuracy_score(y, p, adjusted=True, **s),
            "kappa" + tag: m.cohen_kappa_score(y, p, **s),
            "kappa linear" + tag: m.cohen_kappa_score(y, p, weights="linear", **s),
            "kappa quadratic" + tag: m.cohen_kappa_score(y, p, weights="quadratic", **s),
            "matthews" + tag: m.matthews_corrcoef(y, p, **s),
            "confusion" + tag: m.confusion_matrix(y, p, **s),
            "multilabel" + tag: m.multilabel_confusion_matrix(y, p, **s),
            "multilabel labels" + tag: m.multilabel_confusion_matrix(yl, pl, **s),
        }
        for how in ("true", "pred", "all"):
            out[f"confusion {how}{tag}"] = m.confusion_matrix(y, p, normalize=how, **s)
        for average in ("micro", "macro", "weighted", "samples", "binary"):
            for labels in (False, True):
                if (average == "binary") if labels else (average == "samples"):
                    continue
                a, b = (yl, pl) if labels else (yb, pb) if average == "binary" else (y, p)
                tail = f" {average}{' labels' if labels else ''}{tag}"
                k = dict(average=average, zero_division=0, **s)
                out["precision" + tail] = m.precision_score(a, b, **k)
                out["recall" + tail] = m.recall_score(a, b, **k)
                out["f1" + tail] = m.f1_score(a, b, **k)
                out["f2" + tail] = m.fbeta_score(a, b, beta=2, **k)
                out["jaccard" + tail] = m.jaccard_score(a, b, **k)
        each = m.precision_recall_fscore_support(y, p, zero_division=0, **s)
        for name, value in zip(("precision", "recall", "f1", "support"), each):
            out[f"{name} each{tag}"] = value
        out["lr+" + tag], out["lr-" + tag] = m.class_likelihood_ratios(yb, pb, **s)
        roc = m.roc_curve(yb, score, **s)
        everything = m.roc_curve(yb, score, drop_intermediate=False, **s)
        pr = m.precision_recall_curve(yb, score, **s)
        few = m.precision_recall_curve(yb, score, drop_intermediate=True, **s)
        det = m.det_curve(yb, score, **s)
        out |= {
            "roc fpr" + tag: roc[0], "roc tpr" + tag: roc[1], "roc at" + tag: roc[2][1:],
            "roc all fpr" + tag: everything[0], "roc all tpr" + tag: everything[1],
            "pr precision" + tag: pr[0], "pr recall" + tag: pr[1], "pr at" + tag: pr[2],
            "pr few recall" + tag: few[1], "det fpr" + tag: det[0], "det fnr" + tag: det[1],
            "roc_auc" + tag: m.roc_auc_score(yb, score, **s),
            "roc_auc part" + tag: m.roc_auc_score(yb, score, max_fpr=0.3, **s),
            "ap" + tag: m.average_precision_score(yb, score, **s),
        }
        for average in ("macro", "micro", "weighted"):
            k = dict(average=average, **s)
            out[f"roc_auc ovr {average}{tag}"] = m.roc_auc_score(y, proba, multi_class="ovr", **k)
            out[f"roc_auc labels {average}{tag}"] = m.roc_auc_score(yl, sl, **k)
            out[f"ap classes {average}{tag}"] = m.average_precision_score(y, proba, **k)
            out[f"ap labels {average}{tag}"] = m.average_precision_score(yl, sl, **k)
            if average != "micro" and not tag:
                out[f"roc_auc ovo {average}"] = m.roc_auc_score(y, proba, multi_class="ovo",
                                                                average=average)
        out |= {
            "log_loss" + tag: m.log_loss(y, proba, **s),
            "log_loss binary" + tag: m.log_loss(yb, d["pb_proba"], **s),
            "brier" + tag: m.brier_score_loss(y, proba, **s),
            "brier binary" + tag: m.brier_score_loss(yb, d["pb_proba"], **s),
            "d2_log" + tag: m.d2_log_loss_score(y, proba, **s),
            "d2_brier" + tag: m.d2_brier_score(y, proba, **s),
            "hinge" + tag: m.hinge_loss(y, d["decision"], **s),
            "hinge binary" + tag: m.hinge_loss(yb, score, **s),
            "top2" + tag: m.top_k_accuracy_score(y, proba, k=2, **s),
            "top1 binary" + tag: m.top_k_accuracy_score(yb, score, k=1, **s),
            "r2" + tag: m.r2_score(rt, rp, **s),
            "explained" + tag: m.explained_variance_score(rt, rp, **s),
            "mse" + tag: m.mean_squared_error(rt, rp, **s),
            "rmse" + tag: m.root_mean_squared_error(rt, rp, **s),
            "msle" + tag: m.mean_squared_log_error(rt, rp, **s),
            "rmsle" + tag: m.root_mean_squared_log_error(rt, rp, **s),
            "mae" + tag: m.mean_absolute_error(rt, rp, **s),
            "medae" + tag: m.median_absolute_error(rt, rp, **s),
            "mape" + tag: m.mean_absolute_percentage_error(rt, rp, **s),
            "pinball" + tag: m.mean_pinball_loss(rt, rp, alpha=0.3, **s),
            "poisson" + tag: m.mean_poisson_deviance(r1, q1, **s),
            "gamma" + tag: m.mean_gamma_deviance(r1, q1, **s),
            "d2_pinball" + tag: m.d2_pinball_score(rt, rp, alpha=0.3, **s),
            "d2_mae" + tag: m.d2_absolute_error_score(rt, rp, **s),
            "dcg" + tag: m.dcg_score(d["gains"], sl, **s),
            "dcg k" + tag: m.dcg_score(d["gains"], sl, k=3, log_base=3, **s),
            "ndcg" + tag: m.ndcg_score(d["gains"], sl, **s),
            "ndcg k" + tag: m.ndcg_score(d["gains"], sl, k=2, **s),
            "coverage" + tag: m.coverage_error(yl, sl, **s),
            "lrap" + tag: m.label_ranking_average_precision_score(yl, sl, **s),
            "ranking_loss" + tag: m.label_ranking_loss(yl, sl, **s),
        }
        for power in (-1, 0, 1, 1.5, 2, 3):
            tail = f" {int(power * 10)}{tag}"
            out["tweedie" + tail] = m.mean_tweedie_deviance(r1, q1, power=power, **s)
            out["d2_tweedie" + tail] = m.d2_tweedie_score(r1, q1, power=power, **s)
    out["max_error"] = m.max_error(r1, q1)
    out["auc"] = m.auc(d["up"], r1)
    for strategy in ("uniform", "quantile"):
        curve = calibration_curve(yb, d["pb_proba"], n_bins=7, strategy=strategy)
        out["calibration true " + strategy], out["calibration pred " + strategy] = curve
    x, x2 = d["x"], d["x2"]
    out |= {
        "homogeneity": m.homogeneity_score(y, p), "completeness": m.completeness_score(y, p),
        "v_measure": m.v_measure_score(y, p, beta=0.5), "ari": m.adjusted_rand_score(y, p),
        "rand": m.rand_score(y, p), "fmi": m.fowlkes_mallows_score(y, p),
        "mi": m.mutual_info_score(y, p),
        "contingency": m.cluster.contingency_matrix(y, p),
        "pairs": m.cluster.pair_confusion_matrix(y, p),
        "silhouettes": m.silhouette_samples(x, y), "silhouette": m.silhouette_score(x, y),
        "silhouette given": m.silhouette_score(x, y),
        "calinski": m.calinski_harabasz_score(x, y), "davies": m.davies_bouldin_score(x, y),
    }
    for average in ("min", "geometric", "arithmetic", "max"):
        k = dict(average_method=average)
        out["nmi " + average] = m.normalized_mutual_info_score(y, p, **k)
        out["ami " + average] = m.adjusted_mutual_info_score(y, p, **k)
    for metric in ("euclidean", "sqeuclidean", "manhattan", "chebyshev", "cosine"):
        out["distance " + metric] = m.pairwise_distances(x, x2, metric)
    a, b = np.abs(x), np.abs(x2)
    out |= {
        "distance self": m.pairwise_distances(x, metric="manhattan"),
        "distance cosine self": m.pairwise_distances(x, metric="cosine"),
        "distance chebyshev self": m.pairwise_distances(x, metric="chebyshev"),
        "haversine": pairwise.haversine_distances(d["sphere"]),
        "nan_euclidean": pairwise.nan_euclidean_distances(d["gaps"], x2),
        "linear": pairwise.linear_kernel(x, x2), "cosine": pairwise.cosine_similarity(x, x2),
        "poly": pairwise.polynomial_kernel(x, x2),
        "sigmoid": pairwise.sigmoid_kernel(x, x2, gamma=0.1),
        "rbf": pairwise.rbf_kernel(x, x2), "laplacian": pairwise.laplacian_kernel(x, x2, gamma=0.2),
        "additive_chi2": pairwise.additive_chi2_kernel(a, b),
        "chi2": pairwise.chi2_kernel(a, b, gamma=0.5),
    }
    report = m.classification_report(y, p, zero_division=0)
    report += m.classification_report(yl, pl, target_names=["a", "the second", "c", "d"], digits=3,
                                      zero_division=0)
    report += m.classification_report(y, p, labels=[0, 2], zero_division=0)
    return out, report


def compare(what, d):
    global checked, worst
    np.savez(WORK / "in.npz", **d)
    subprocess.run([PROGRAM, WORK / "in.npz", WORK / "out.npz"], check=True)
    with np.load(WORK / "out.npz") as ours:
        theirs, report = expected(d)
        for name in ours.files:
            if name.startswith("dcg first"):
                continue  # the order of equal scores is not defined
            want, got = np.asarray(theirs.pop(name), dtype=float), ours[name]
            assert got.shape == want.shape, f"{what}, {name}: {got.shape}, not {want.shape}"
            assert np.array_equal(np.isnan(got), np.isnan(want)), f"{what}, {name}: NaN"
            error = np.nan_to_num(np.abs(got - want)).max() / max(1, np.abs(np.nan_to_num(want)).max())
            # scikit-learn's distances come of products, and its chance of agreement of lgamma.
            limit = 1e-9 if name.startswith("ami") else 1e-12
            assert error <= limit, f"{what}, {name}: {got} and {want}, apart by {error:.1e}"
            worst = max(worst, error if limit == 1e-12 else 0)
            checked += 1
        assert not theirs, f"not computed: {sorted(theirs)}"
    text = pathlib.Path(f"{WORK / 'out.npz'}.txt").read_text()
    assert text == report, f"{what}: classification_report\n{text}\n{report}"
    checked += 1


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(0)
    for n, classes, ties in ((12, 3, False), (60, 3, True), (300, 6, False), (2000, 4, True)):
        compare(f"{n} samples, {classes} classes, ties {ties}", problem(rng, n, classes, ties))
    print(f"metrics: {checked} comparisons with scikit-learn {sklearn.__version__}, "
          f"apart by {worst:.1e} at most")
