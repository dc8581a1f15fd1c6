#!/usr/bin/env python3
"""Holds every network against torchvision's, live: parameters by names, orders and shapes; logits of
the same weights in f32; logits and gradients by each parameter of one network of each family in f64.
What torchvision has not (MobileNet V1, U-Net, LeNet, Tiny Darknet, EfficientNet-Lite0) is in
reference/networks.py, as its paper says.

Run by tests/parity/run; numbers are those of a few small networks then. "all" behind the folder, or
names, compares those of others too, which takes half an hour.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import torch
    from torch import nn
    try:
        import torchvision
    except RuntimeError:  # built for another torch: its operators, which are not needed, are missing
        operators = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models
    from reference.networks import (DarknetTiny, LeNet, UNet, efficientnet_lite0, mobilenet_v1)

PROGRAM = compiled(pathlib.Path(__file__).with_name("networks.cpp"))
torch.manual_seed(0)
torch.set_num_threads(2)

OWN = {"lenet": LeNet, "mobilenet_v1": mobilenet_v1, "efficientnet_lite0": efficientnet_lite0,
       "darknet_tiny": DarknetTiny, "unet": UNet}
WITH_GRADIENTS = {*OWN, "alexnet", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d",
                  "densenet121", "squeezenet1_0", "squeezenet1_1", "mobilenet_v2",
                  "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_b5",
                  "convnext_tiny", "vit_b_32", "fcn_resnet50"}
QUICK = {"lenet", "darknet_tiny", "resnet18", "squeezenet1_1", "mobilenet_v2", "efficientnet_lite0"}
VIT = {"vit_b_16": 16, "vit_b_32": 32, "vit_l_16": 16, "vit_l_32": 32, "vit_h_14": 14}
NAMES = sorted([*OWN, *VIT, "alexnet", *(f"vgg{n}{b}" for n in (11, 13, 16, 19) for b in ("", "_bn")),
                *(f"resnet{n}" for n in (18, 34, 50, 101, 152)), "resnext50_32x4d",
                "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2",
                *(f"densenet{n}" for n in (121, 161, 169, 201)), "squeezenet1_0", "squeezenet1_1",
                "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large",
                *(f"efficientnet_b{n}" for n in range(8)),
                *(f"convnext_{s}" for s in ("tiny", "small", "base", "large")), "fcn_resnet50",
                "fcn_resnet101"])


def made(name, classes, size):
    """The network without dropout and stochastic depth, on no device: weights come later."""
    with torch.device("meta"):
        if name in OWN:
            return OWN[name](classes)
        if name.startswith("fcn"):
            return getattr(models.segmentation, name)(weights=None, weights_backbone=None,
                                                      num_classes=classes)
        more = {"image_size": size} if name in VIT else {}
        return getattr(models, name)(num_classes=classes, **more)


def weights_like(value, name, seed):
    shape = tuple(value.shape)
    n = value.numel()
    scale = np.sqrt(6.0 * (shape[0] if len(shape) > 1 else 1) / n)
    shift = 0
    if name.endswith("layer_scale"):
        scale = 1
    elif len(shape) == 1:
        scale = 0.2
        shift = 1 if name.endswith(("running_var", "weight")) else 0
    x = np.arange(n, dtype=np.uint32)
    x += np.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)
    for shift_by, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x ^= x >> np.uint32(shift_by)
        x *= np.uint32(factor)
    x ^= x >> np.uint32(16)
    u = (x >> np.uint32(8)).astype(np.float32) / np.float32(16777216)
    return torch.from_numpy(((u - np.float32(0.5)) * np.float32(scale) +
                             np.float32(shift)).reshape(shape))


def relative(got, want):
    return float(np.abs(got - want).max() / (np.abs(want).max() + 1e-30))


compared = parameters = 0
CLASSES = 10
with np.errstate(over="ignore"):
    shapes = subprocess.run([PROGRAM], input="".join(f"{n} 1000 3 {224 if n != 'lenet' else 32} 0\n"
                                                     for n in NAMES),
                            capture_output=True, text=True, check=True).stdout.split("\n\n")
    for name, text in zip(NAMES, shapes):
        own = [line.split(" ", 1) for line in text.splitlines()]
        net = made(name, 1000, 224)
        want = [[k, "(" + ", ".join(map(str, v.shape)) + ")"] for k, v in net.state_dict().items()]
        own = [[k, s.replace(",)", ")")] for k, s in own]
        if own != want:
            first = next((a, b) for a, b in zip(own + [None], want + [None]) if a != b)
            sys.exit(f"{name}: names and shapes differ: {first}")
        compared += 1
        parameters += sum(p.numel() for p in net.parameters())

    only = set(sys.argv[2:]) or QUICK
    program = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worst_logits = worst_gradient = 0
    for name in NAMES:
        if "all" not in only and name not in only:
            continue
        size = {"lenet": 32, "vit_h_14": 28}.get(name, 64)
        train = name in WITH_GRADIENTS
        net = made(name, CLASSES, size).to_empty(device="cpu").eval()
        for m in net.modules():
            if isinstance(m, nn.Dropout):
                m.p = 0
        state = net.state_dict()
        for seed, (key, value) in enumerate(state.items()):
            if value.dtype == torch.float32:
                value.copy_(weights_like(value, key, seed))
        if train:  # in f64, both
            net = net.double()
        x = np.float32(np.random.default_rng(1).uniform(-1, 1, (2, size, size, 3)))
        np.savez(WORK / "in.npz", x=x)
        program.stdin.write(f"{name} {CLASSES} 3 {size} {int(train)} {WORK}/in.npz {WORK}/out.npz\n")
        program.stdin.flush()
        with torch.set_grad_enabled(train):
            dtype = next(net.parameters()).dtype
            out = net(torch.from_numpy(x).to(dtype).permute(0, 3, 1, 2).contiguous())
        out = out["out"] if isinstance(out, dict) else out
        if out.ndim == 4:
            out = out.permute(0, 2, 3, 1)
        if program.stdout.readline().strip() != name:
            sys.exit(f"{name}: Glia's side ended")
        got = np.load(WORK / "out.npz")
        error = relative(got["logits"], out.detach().numpy())
        if not train:
            worst_logits = max(worst_logits, error)
        if not error < (1e-10 if train else 1e-5):
            sys.exit(f"{name}: logits differ by {error}")
        compared += 1
        if train:
            weights = torch.cos(torch.arange(out.numel(), dtype=dtype)).reshape(out.shape)
            (out * weights).sum().backward()
            norm = max(float(p.grad.abs().max()) for p in net.parameters())
            for key, p in net.named_parameters():
                want = p.grad.numpy()
                error = np.abs(got[key] - want).max() / max(np.abs(want).max(), 1e-5 * norm)
                worst_gradient = max(worst_gradient, error)
                if not error < 1e-8:
                    sys.exit(f"{name}: the gradient of {key} differs by {error}")
                compared += 1
    program.stdin.close()
print(f"networks: {len(NAMES)} networks with {parameters:,} parameters as torchvision's, {compared} "
      f"comparisons; logits within {worst_logits:.1e}, gradients within {worst_gradient:.1e}")
