"""Models of what users have on MovieLens 100K: the loss of ALS after each sweep and its speed beside
implicit's, from the same first factors; EASE beside its closed form in NumPy, SLIM beside scikit-learn's
elastic net.

Run by tests/parity/run.
"""
import os
import pathlib
import subprocess
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"
from package import WORK, compiled, peers

with peers():
    import implicit.cpu.als
    import numpy as np
    import scipy.sparse
    from sklearn.linear_model import ElasticNet

sys.path.insert(0, str(pathlib.Path(__file__).parent / "shared"))
from movielens import put, ratings

FACTORS, SWEEPS = 64, 15
program = compiled(pathlib.Path(__file__).with_suffix(".cpp"))
rows = ratings()
user = np.unique([r[0] for r in rows], return_inverse=True)[1]
item = np.unique([r[1] for r in rows], return_inverse=True)[1]
rating = np.array([r[2] for r in rows])
users, items = user.max() + 1, item.max() + 1
random = np.random.default_rng(1)
first = [(random.random((n, FACTORS)) * 0.01).astype(np.float32) for n in (users, items)]
for name, values, dtype in (("user", user, np.int32), ("item", item, np.int32), ("rating", rating, np.float64),
                            ("first0", first[0], np.float32), ("first1", first[1], np.float32)):
    put(name, values, dtype)
said = subprocess.run([program, WORK], check=True, capture_output=True, text=True).stdout.split()
own_seconds, own = float(said[0]), np.array(said[1:], float)

matrix = scipy.sparse.csr_matrix((rating.astype(np.float32), (user, item)))
matrix.sort_indices()


def peer(with_losses):
    model = implicit.cpu.als.AlternatingLeastSquares(
        factors=FACTORS, regularization=0.01, alpha=1, iterations=SWEEPS, num_threads=1,
        calculate_training_loss=with_losses)
    model.user_factors, model.item_factors = (f.copy() for f in first)
    losses = []
    start = time.process_time()
    model.fit(matrix, show_progress=False,
              callback=lambda i, t, loss: losses.append(loss) if with_losses else None)
    return time.process_time() - start, np.array(losses)


want = peer(True)[1]
peer_seconds = min(peer(False)[0] for _ in range(3))
off = np.abs(own / want - 1)
print(f"als: loss after {SWEEPS} sweeps {own[-1]:.6f}, implicit's {want[-1]:.6f}, apart at most {off.max():.1e}; "
      f"{own_seconds:.3f} s, implicit {peer_seconds:.3f} s: {peer_seconds / own_seconds:.1f} times")
wrong = int((off > 1e-4).sum()) + int(len(own) != SWEEPS)

x = np.zeros((users, items))
x[user, item] = 1
gram = x.T @ x
inverse = np.linalg.inv(gram + 250 * np.eye(items))
weights = np.eye(items) - inverse / np.diag(inverse)
own = np.fromfile(WORK / "ease", np.float32).reshape(items, items)
off = np.abs(own - weights).max()
print(f"ease: {own.size} weights, apart at most {off:.1e}")
wrong += int(off > 1e-6)

own = np.fromfile(WORK / "slim", np.float32).reshape(items, items)
worst = 0
for j in range(0, items, 120):
    net = ElasticNet(alpha=0.02, l1_ratio=0.1, positive=True, fit_intercept=False, max_iter=2000, tol=1e-9)
    others = x.copy()
    others[:, j] = 0
    worst = max(worst, np.abs(net.fit(others, x[:, j]).coef_ - own[:, j]).max())
print(f"slim: {len(range(0, items, 120))} columns beside scikit-learn's elastic net, apart at most {worst:.1e}")
wrong += int(worst > 1e-5)
sys.exit(wrong > 0)
