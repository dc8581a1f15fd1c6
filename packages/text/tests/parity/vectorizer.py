"""Counts of words and TF-IDF beside scikit-learn's, on lines of several languages.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

program = compiled(pathlib.Path(__file__).with_suffix(".cpp"))
words = ("the of and to in Straße ÄPFEL naïve don't x1 _a b 12 3.5 привет Мир 世界 你好 e-mail İstanbul "
         "été señor ½ Ⅷ co-op C3PO 'tis U.S.A. ok OK a I").split()
draw = np.random.default_rng(3)
lines = [" ".join(draw.choice(words, draw.integers(0, 30), p=(p := 1 / np.arange(1, len(words) + 1)) / p.sum()))
         for _ in range(400)]
file = WORK / "vectorizer.txt"
file.write_text("\n".join(lines) + "\n")
out = iter(subprocess.run([program, file], check=True, capture_output=True, text=True).stdout.splitlines())
compared = wrong = 0


def near(own, want, what):
    global compared, wrong
    own, want = np.asarray(own), np.asarray(want)
    compared += want.size
    if own.shape != want.shape or not np.allclose(own, want, rtol=1e-12, atol=0):
        wrong += 1
        print(f"{what}: {own.shape} and {want.shape} differ")


for model in (CountVectorizer(), CountVectorizer(lowercase=False, ngram_range=(1, 2), min_df=2, max_df=0.5, binary=True),
              TfidfVectorizer(), TfidfVectorizer(min_df=3, norm="l1", smooth_idf=False, sublinear_tf=True)):
    rows = model.fit_transform(lines)
    rows.sort_indices()
    own = next(out).split("\t")[:-1]
    # scikit-learn sorts by characters, UTF-8 by bytes: the same order.
    compared += len(own)
    if own != list(model.get_feature_names_out()):
        wrong += 1
        print(f"{model}: words differ: {set(own) ^ set(model.get_feature_names_out())}")
    near([float(x) for x in next(out).split()], getattr(model, "idf_", []), f"{model} idf")
    for name, want in (("indptr", rows.indptr), ("indices", rows.indices), ("data", rows.data)):
        near([float(x) for x in next(out).split()], want, f"{model} {name}")
print(f"vectorizer: {compared} comparisons, {wrong} differ")
sys.exit(wrong > 0)
