#!/usr/bin/env python3
"""Holds resize() against PyTorch's antialiased bilinear interpolation, live.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import torch

PROGRAM = compiled(pathlib.Path(__file__).with_name("resize.cpp"))
rng = np.random.default_rng(0)
checked = 0
for height, width, channels in [(28, 28, 1), (97, 61, 3), (7, 5, 4), (300, 11, 3), (1, 40, 1)]:
    image = rng.integers(0, 256, (height, width, channels), np.uint8)
    np.save(WORK / "in.npy", image)
    for size in [(28, 28), (32, 20), (1, 1), (7, 64), (150, 90)]:
        subprocess.run([PROGRAM, WORK / "in.npy", *map(str, size), WORK / "out.npy"], check=True)
        out = np.load(WORK / "out.npy").astype(np.float64)
        x = torch.from_numpy(image).double().permute(2, 0, 1)[None]
        want = torch.nn.functional.interpolate(x, size, mode="bilinear", antialias=True)[0]
        worst = np.abs(out - want.permute(1, 2, 0).numpy()).max()
        if worst > 0.502:  # ours is rounded
            sys.exit(f"resize {image.shape} to {size}: differs by {worst}")
        checked += 1
print(f"resize: {checked} sizes as PyTorch's")
