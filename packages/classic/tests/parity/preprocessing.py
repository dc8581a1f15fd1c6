#!/usr/bin/env python3
"""Holds transformers against scikit-learn, live: every option, new samples, and back.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import warnings

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import sklearn
    from sklearn import feature_selection as fs
    from sklearn import impute
    from sklearn import preprocessing as pp

PROGRAM = compiled(pathlib.Path(__file__).with_name("preprocessing.cpp"))
# Exponents are the most likely ones here, there to the tolerance of a search (1.5e-8).
TOLERANCES = {"PowerTransformer": 2e-6}


def cases(rng):
    """(spec, scikit-learn's estimator, x, y, new, goes back)"""
    x = np.column_stack([rng.standard_normal(80), rng.gamma(2, size=80) * 1e3, np.full(80, 3.5),
                         rng.integers(6, size=80), 1e-3 * rng.standard_normal(80) + 5])
    new = np.concatenate([x[:9], 2 * x[5:12] - x[3:10]])
    gaps = np.where(rng.random(x.shape) < 0.2, np.nan, x)
    new_gaps = np.where(rng.random(new.shape) < 0.2, np.nan, new)
    y = rng.integers(3, size=80)
    t = x[:, 0] + 0.5 * rng.standard_normal(80)
    codes = rng.integers(4, size=(80, 3)).astype(float)
    codes_gaps = np.where(rng.random(codes.shape) < 0.1, np.nan, codes)
    varied = np.delete(x, 2, axis=1)
    one = dict(x=x, new=new)
    with_gaps = dict(x=gaps, new=new_gaps)
    back = dict(inverse=True)
    yield "MinMaxScaler", pp.MinMaxScaler(), one | back
    yield ("MinMaxScaler feature_min=-2 feature_max=3 clip=true",
           pp.MinMaxScaler(feature_range=(-2, 3), clip=True), with_gaps)
    yield "MaxAbsScaler", pp.MaxAbsScaler(), with_gaps | back
    yield "RobustScaler", pp.RobustScaler(), with_gaps | back
    yield ("RobustScaler quantile_min=10 quantile_max=80 unit_variance=true",
           pp.RobustScaler(quantile_range=(10, 80), unit_variance=True), one)
    yield "RobustScaler with_centering=false", pp.RobustScaler(with_centering=False), one
    for norm in ("l1", "l2", "max"):
        yield f"Normalizer norm={norm}", pp.Normalizer(norm=norm), one
    yield "Binarizer threshold=0.5", pp.Binarizer(threshold=0.5), one
    for strategy in ("uniform", "quantile", "kmeans"):
        for encode in ("onehot", "ordinal"):
            theirs = pp.KBinsDiscretizer(
                strategy=strategy, encode=encode.replace("onehot", "onehot-dense"))
            yield (f"KBinsDiscretizer strategy={strategy} encode={encode}", theirs,
                   dict(x=varied, new=np.delete(new, 2, 1)) | back)
    for method in ("linear", "inverted_cdf"):
        yield (f"KBinsDiscretizer n_bins=7 encode=ordinal quantile_method={method}",
               pp.KBinsDiscretizer(n_bins=7, encode="ordinal", quantile_method=method), one)
    for distribution in ("uniform", "normal"):
        yield (f"QuantileTransformer n_quantiles=30 output_distribution={distribution}",
               pp.QuantileTransformer(n_quantiles=30, output_distribution=distribution),
               with_gaps | back)
        yield (f"QuantileTransformer output_distribution={distribution}",
               pp.QuantileTransformer(output_distribution=distribution), one | back)
    # Yeo-Johnson of numbers like 1e-3 z + 5 has a likelihood that is all but flat.
    yield "PowerTransformer", pp.PowerTransformer(), dict(x=gaps[:, :2], new=new_gaps[:, :2]) | back
    yield ("PowerTransformer method=box-cox standardize=false",
           pp.PowerTransformer(method="box-cox", standardize=False),
           dict(x=np.abs(x[:, :2]) + 0.1, new=np.abs(new[:, :2]) + 0.1) | back)
    for interaction in (False, True):
        yield (f"PolynomialFeatures degree=3 interaction_only={str(interaction).lower()}",
               pp.PolynomialFeatures(3, interaction_only=interaction), one)
    yield ("PolynomialFeatures degree=3 min_degree=2 include_bias=false",
           pp.PolynomialFeatures((2, 3), include_bias=False), one)
    for extrapolation in ("constant", "linear", "continue", "periodic"):
        for degree in (1, 3):
            # Of degree 1, scikit-learn 1.9 takes another knot for the end of all features but the first.
            kept = [0] if (degree, extrapolation) == (1, "linear") else [0, 1, 2, 3]
            yield (f"SplineTransformer degree={degree} extrapolation={extrapolation}",
                   pp.SplineTransformer(degree=degree, extrapolation=extrapolation),
                   dict(x=varied[:, kept], new=np.delete(new, 2, 1)[:, kept]))
    yield ("SplineTransformer n_knots=4 knots=quantile include_bias=false",
           pp.SplineTransformer(n_knots=4, knots="quantile", include_bias=False),
           dict(x=varied[:, [0, 1, 3]], new=varied[:10, [0, 1, 3]] * 1.5))
    for strategy in ("mean", "median", "most_frequent", "constant"):
        yield (f"SimpleImputer strategy={strategy} add_indicator=true",
               impute.SimpleImputer(strategy=strategy, add_indicator=True), with_gaps)
    yield ("SimpleImputer missing_values=3.5 keep_empty_features=true",
           impute.SimpleImputer(missing_values=3.5, keep_empty_features=True), one)
    # Of one scale: scikit-learn's distances come of products, and lose what is far from 0.
    z = rng.standard_normal((95, 5))
    z[rng.random(z.shape) < 0.2] = np.nan
    for weights in ("uniform", "distance"):
        yield (f"KNNImputer n_neighbors=4 weights={weights}",
               impute.KNNImputer(n_neighbors=4, weights=weights), dict(x=z[:80], new=z[80:]))
    for drop in (None, "first", "if_binary"):
        yield (f"OneHotEncoder drop={drop or 'none'}".replace("None", "none"),
               pp.OneHotEncoder(drop=drop, sparse_output=False), dict(x=codes, new=codes[:20]) | back)
    unseen = codes_gaps[:20].copy()
    unseen[3] = 9, -1, 2
    yield ("OneHotEncoder handle_unknown=ignore",
           pp.OneHotEncoder(handle_unknown="ignore", sparse_output=False),
           dict(x=codes_gaps, new=unseen))
    yield ("OrdinalEncoder handle_unknown=use_encoded_value unknown_value=-2",
           pp.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-2),
           dict(x=codes_gaps, new=unseen))
    yield ("OrdinalEncoder encoded_missing_value=-1", pp.OrdinalEncoder(encoded_missing_value=-1),
           dict(x=codes_gaps, new=codes_gaps[:20]))
    for what, target in (("continuous", t), ("multiclass", y), ("binary", y % 2)):
        for smooth in ("auto", 5.0):
            text = "" if smooth == "auto" else " smooth=5"
            yield (f"TargetEncoder target_type={what}{text}",
                   pp.TargetEncoder(target_type=what, smooth=smooth),
                   dict(x=codes_gaps, new=unseen, y=target))
    yield "VarianceThreshold", fs.VarianceThreshold(), with_gaps | dict(x=x)
    yield "VarianceThreshold threshold=1", fs.VarianceThreshold(1), with_gaps
    for score in ("f_classif", "f_regression", "chi2"):
        yield (f"SelectKBest score_func={score} k=2", fs.SelectKBest(getattr(fs, score), k=2),
               dict(x=np.abs(varied), new=np.abs(varied[:7]), y=t if score == "f_regression" else y))


def main():
    rng = np.random.default_rng(0)
    arrays, theirs = {}, []
    for i, (spec, estimator, data) in enumerate(cases(rng)):
        if "smooth=5" in spec and not data["y"].dtype.kind == "f":
            data["y"] = data["y"].astype(np.int64)
        estimator.fit(data["x"], data.get("y"))
        result = estimator.transform(data["new"])
        arrays[f"{i}.spec"] = np.frombuffer(spec.encode(), dtype=np.uint8)
        arrays |= {f"{i}.{name}": data[name] for name in ("x", "new", "y") if name in data}
        inverse = None
        if data.get("inverse"):
            arrays[f"{i}.inverse"] = result
            inverse = estimator.inverse_transform(result)
        theirs.append((spec, result, inverse))
    x, y = rng.standard_normal((90, 6)) + 3, rng.integers(3, size=90)
    t = x @ [1, 0, 0.2, 0, 0, 0.01] + rng.standard_normal(90)
    np.savez(WORK / "in.npz", **arrays, x=x, y=y, t=t)
    subprocess.run([PROGRAM, WORK / "in.npz", WORK / "out.npz"], check=True)
    checked, worst = 0, 0.0
    with np.load(WORK / "out.npz") as ours:
        def compare(what, got, want, tolerance):
            nonlocal checked, worst
            want = np.asarray(want, dtype=float)
            assert got.shape == want.shape, f"{what}: {got.shape}, not {want.shape}"
            assert np.array_equal(np.isnan(got), np.isnan(want)), f"{what}: NaN\n{got}\n{want}"
            # Each feature by its own size.
            size = np.maximum(np.abs(np.nan_to_num(want)).max(axis=0), 1e-9)
            error = (np.nan_to_num(np.abs(got - want)) / size).max()
            assert error <= tolerance, f"{what}: apart by {error:.1e}\n{got}\n{want}"
            worst = max(worst, error if tolerance == 1e-12 else 0)
            checked += 1

        for i, (spec, result, inverse) in enumerate(theirs):
            tolerance = TOLERANCES.get(spec.split()[0], 1e-12)
            compare(spec, ours[f"{i}.transform"], result, tolerance)
            if inverse is not None:
                compare(spec + ", back", ours[f"{i}.inverse"], inverse, max(tolerance, 1e-12))
        for name, found in (("f_classif", fs.f_classif(x, y)), ("f_regression", fs.f_regression(x, t)),
                            ("chi2", fs.chi2(np.abs(x), y))):
            compare(name, ours[name], found[0], 1e-11)
            compare(name + " p", ours[name + " p"], found[1], 1e-10)
    print(f"preprocessing: {checked} comparisons with scikit-learn {sklearn.__version__}, "
          f"apart by {worst:.1e} at most")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
