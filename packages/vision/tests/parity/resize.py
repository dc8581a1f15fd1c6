#!/usr/bin/env python3
"""Holds resize() against PyTorch's antialiased bilinear interpolation, live.

usage: resize.py FOLDER    a scratch folder; GLIA_BUILD names the build
"""
import os
import pathlib
import subprocess
import sys

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(0)

ROOT = pathlib.Path(__file__).resolve().parents[4]
BUILD = pathlib.Path(os.environ.get("GLIA_BUILD", ROOT / "build")).resolve()
WORK = pathlib.Path(sys.argv[1])
PROGRAM = WORK / "resize"

subprocess.run(["g++", "-std=c++20", "-O1", f"-I{ROOT / 'include'}",
                f"-I{ROOT / 'packages/vision/include'}",
                str(ROOT / "packages/vision/tests/parity/resize.cpp"), f"-L{BUILD}",
                "-lglia_vision", "-lglia_train", "-lglia", f"-Wl,-rpath,{BUILD}",
                "-o", str(PROGRAM)], check=True)
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
