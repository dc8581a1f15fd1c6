"""What the parity scripts of estimators share: glia(NAME, options, arrays), and comparisons."""
import subprocess

import numpy as np
from package import ROOT, WORK, compiled

PROGRAM = compiled(ROOT / "packages/classic/tests/parity/estimator.cpp")
checked = 0


def glia(name, options=None, **arrays):
    """Any estimator, fitted to x (and y, sample_weight): its state, and what it says of `new`."""
    np.savez(WORK / "in.npz", **{k: v for k, v in arrays.items() if v is not None})
    words = [f"{k}={'none' if v is None else str(v).lower() if isinstance(v, bool) else v}"
             for k, v in (options or {}).items()]
    subprocess.run([PROGRAM, name, *words, WORK / "in.npz", WORK / "out.npz"], check=True)
    with np.load(WORK / "out.npz") as out:
        return {k: out[k] for k in out.files}


def near(what, ours, theirs, tolerance=1e-8):
    """Fails unless the largest difference is within tolerance of the largest value."""
    global checked
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape, f"{what}: {ours.shape}, not {theirs.shape}"
    finite = np.isfinite(theirs)
    assert (np.isfinite(ours) == finite).all(), f"{what}: infinite elsewhere"
    scale = max(np.abs(theirs[finite]).max(initial=0), 1e-30)
    error = np.abs(ours[finite] - theirs[finite]).max(initial=0) / scale
    assert error <= tolerance, f"{what}: relative difference {error:.2e} above {tolerance:.0e}"
    checked += 1


def finish(peer):
    print(f"{checked} comparisons with {peer}")
