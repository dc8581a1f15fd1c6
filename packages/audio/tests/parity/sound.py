#!/usr/bin/env python3
"""Holds resample() against the sinc in a Hann window that defines it, summed by NumPy in f64 at each
sample, and against torchaudio if that is installed.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
try:
    import torch
    import torchaudio.functional as F
except (ImportError, OSError):
    F = None

PROGRAM = compiled(pathlib.Path(__file__).with_name("sound.cpp"))
rng = np.random.default_rng(0)
checked = 0
for length, old, new, width, rolloff in [(400, 16000, 8000, 6, 0.99), (333, 8000, 16000, 6, 0.99),
                                         (700, 44100, 16000, 16, 0.9), (5, 3, 7, 4, 0.5),
                                         (900, 110, 100, 6, 0.99), (1, 2, 1, 6, 1)]:
    x = rng.normal(size=(2, length)).astype(np.float32)
    np.save(WORK / "in.npy", x)
    subprocess.run([PROGRAM, WORK / "in.npy", *map(str, (old, new, width, rolloff)),
                    WORK / "out.npy"], check=True)
    out = np.load(WORK / "out.npy").astype(np.float64)
    # Output i lies at i old / new; each input counts by its distance in zero crossings.
    cut = min(old, new) * rolloff
    count = -(-length * new // old)
    t = (np.arange(length)[None] / old - np.arange(count)[:, None] / new) * cut
    weights = np.where(np.abs(t) < width, np.sinc(t) * np.cos(np.pi * t / width / 2) ** 2, 0)
    wants = {"the sinc": x.astype(np.float64) @ weights.T * cut / old}
    if F:
        wants["torchaudio"] = F.resample(torch.from_numpy(x), old, new, width, rolloff).numpy()
    for name, want in wants.items():
        if out.shape != want.shape or not np.abs(out - want).max() < 2e-5:
            sys.exit(f"resample {old} to {new}: not {name}")
        checked += 1
print(f"sound: {checked} changes of rate as {'torchaudio and ' if F else ''}the sinc has them")
