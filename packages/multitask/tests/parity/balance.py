#!/usr/bin/env python3
"""Holds min_norm_weights() and cagrad_weights() against SciPy's SLSQP on the papers' problems, live.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
    from scipy.optimize import minimize

PROGRAM = compiled(pathlib.Path(__file__).with_name("balance.cpp"))
rng = np.random.default_rng(0)
cases = {f"{tasks}_{size}_{i}": rng.normal(size=(tasks, size)) * rng.uniform(0.2, 5, (tasks, 1)) +
         rng.normal(size=size) for tasks, size in ((2, 3), (3, 10), (5, 4), (9, 30)) for i in range(4)}
np.savez(WORK / "in.npz", **cases)
subprocess.run([PROGRAM, WORK / "in.npz", WORK / "out.npz"], check=True)
out = np.load(WORK / "out.npz")


def least(f, tasks):
    """The least of f over weights that are at least 0 and 1 together."""
    starts = [np.full(tasks, 1 / tasks), *np.eye(tasks) * 0.9 + 0.1 / tasks]
    return min(minimize(f, start, bounds=[(0, 1)] * tasks, method="SLSQP",
                        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
                        options={"ftol": 1e-15, "maxiter": 1000}).fun for start in starts)


checked = 0
for name, g in cases.items():
    tasks = len(g)
    mean = g.mean(0)
    w = out[f"{name}.mgda"]
    wanted = least(lambda w: ((w @ g) ** 2).sum(), tasks)
    if not (abs(w.sum() - 1) < 1e-9 and w.min() >= 0 and
            ((w @ g) ** 2).sum() <= wanted * (1 + 1e-7) + 1e-9):
        sys.exit(f"mgda {name}: {((w @ g) ** 2).sum()} is more than {wanted}")
    for c in (0.3, 0.8):
        radius = c * np.linalg.norm(mean)
        found = out[f"{name}.cagrad{int(10 * c)}"] @ g
        # The dual: the worst improvement at the best place of the ball is the least of this.
        wanted = least(lambda w: w @ g @ mean + radius * np.linalg.norm(w @ g), tasks)
        worst = (g @ found).min()
        if not (np.linalg.norm(found - mean) <= radius * (1 + 1e-9) and
                abs(worst - wanted) <= 1e-6 * max(1, abs(wanted))):
            sys.exit(f"cagrad {name} {c}: improves by {worst}, not {wanted}")
        checked += 1
    checked += 1
print(f"balance: {checked} problems as SciPy solves them")
