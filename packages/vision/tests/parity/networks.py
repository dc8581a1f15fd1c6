#!/usr/bin/env python3
"""Holds every network against torchvision's, live: parameters by names, orders and shapes; logits of
the same weights; gradients by each parameter of one network of each family. What torchvision has not
(MobileNet V1, U-Net, LeNet, Tiny Darknet, EfficientNet-Lite0) is written here as its paper says.

Run by tests/parity/run.
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

PROGRAM = compiled(pathlib.Path(__file__).with_name("networks.cpp"))
torch.manual_seed(0)
torch.set_num_threads(2)


def conv_norm(i, o, k=3, stride=1, groups=1, act=nn.ReLU, eps=1e-5):
    layers = [nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o, eps)]
    return nn.Sequential(*layers, *([act()] if act else []))


class LeNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, classes)

    def forward(self, x):
        for conv in (self.conv1, self.conv2):
            x = nn.functional.avg_pool2d(torch.tanh(conv(x)), 2)
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x.flatten(1))))))


class Pooled(nn.Module):
    """features, their mean, dropout and a linear layer."""
    def __init__(self, features, channels, classes):
        super().__init__()
        self.features = features
        self.classifier = nn.Sequential(nn.Dropout(0), nn.Linear(channels, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def mobilenet_v1(classes):
    layers, i = [conv_norm(3, 32, stride=2)], 32
    for o, s in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5,
                 (1024, 2), (1024, 1)):
        layers.append(nn.Sequential(conv_norm(i, i, stride=s, groups=i), conv_norm(i, o, 1)))
        i = o
    return Pooled(nn.Sequential(*layers), 1024, classes)


class Same(nn.Conv2d):
    def forward(self, x):
        pads = []
        for n, k, s in zip(x.shape[:1:-1], self.kernel_size, self.stride):
            p = max((-(-n // s) - 1) * s + k - n, 0)
            pads += [p // 2, p - p // 2]
        return nn.functional.conv2d(nn.functional.pad(x, pads), self.weight, None, self.stride, 0, 1,
                                    self.groups)


def lite_conv(i, o, k=3, stride=1, groups=1, act=True):
    return nn.Sequential(Same(i, o, k, stride, groups=groups, bias=False), nn.BatchNorm2d(o, 1e-3),
                         *([nn.ReLU6()] if act else []))


class LiteBlock(nn.Module):
    def __init__(self, i, o, k, s, expand):
        super().__init__()
        wide = i * expand
        self.block = nn.Sequential(*([lite_conv(i, wide, 1)] if expand > 1 else []),
                                   lite_conv(wide, wide, k, s, wide), lite_conv(wide, o, 1, act=False))
        self.around = s == 1 and i == o

    def forward(self, x):
        return self.block(x) + x if self.around else self.block(x)


def efficientnet_lite0(classes):
    layers, i = [lite_conv(3, 32, 3, 2)], 32
    for e, k, s, o, n in ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
                          (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)):
        stage = []
        for j in range(n):
            stage.append(LiteBlock(i, o, k, s if j == 0 else 1, e))
            i = o
        layers.append(nn.Sequential(*stage))
    layers.append(lite_conv(320, 1280, 1))
    return Pooled(nn.Sequential(*layers), 1280, classes)


class DarknetTiny(nn.Module):
    def __init__(self, classes):
        super().__init__()
        act = lambda: nn.LeakyReLU(0.1)
        pool = lambda: nn.MaxPool2d(2, ceil_mode=True)
        layers, i = [], 3

        def add(o, k):
            nonlocal i
            layers.append(conv_norm(i, o, k, act=act, eps=1e-3))
            i = o
        add(16, 3), layers.append(pool()), add(32, 3)
        for w in (16, 32, 64):
            layers.append(pool())
            add(w, 1), add(8 * w, 3), add(w, 1), add(8 * w, 3)
        add(128, 1)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Conv2d(128, classes, 1)

    def forward(self, x):
        return self.classifier(self.features(x)).mean((2, 3))


class UNet(nn.Module):
    """With the names of brain-segmentation's U-Net of PyTorch's hub."""
    def __init__(self, classes):
        super().__init__()
        w = 32
        double = lambda n, i, o: nn.Sequential(__import__("collections").OrderedDict([
            (n + "conv1", nn.Conv2d(i, o, 3, padding=1, bias=False)), (n + "norm1", nn.BatchNorm2d(o)),
            (n + "relu1", nn.ReLU()), (n + "conv2", nn.Conv2d(o, o, 3, padding=1, bias=False)),
            (n + "norm2", nn.BatchNorm2d(o)), (n + "relu2", nn.ReLU())]))
        for l in range(4):
            setattr(self, f"encoder{l + 1}", double(f"enc{l + 1}", 3 if l == 0 else w << l - 1, w << l))
        self.bottleneck = double("bottleneck", w * 8, w * 16)
        for l in range(3, -1, -1):
            setattr(self, f"upconv{l + 1}", nn.ConvTranspose2d(w << l + 1, w << l, 2, 2))
            setattr(self, f"decoder{l + 1}", double(f"dec{l + 1}", w << l + 1, w << l))
        self.conv = nn.Conv2d(w, classes, 1)

    def forward(self, x):
        skips = []
        for l in range(4):
            x = getattr(self, f"encoder{l + 1}")(x)
            skips.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for l in range(3, -1, -1):
            x = torch.cat([getattr(self, f"upconv{l + 1}")(x), skips[l]], 1)
            x = getattr(self, f"decoder{l + 1}")(x)
        return self.conv(x)


OWN = {"lenet": LeNet, "mobilenet_v1": mobilenet_v1, "efficientnet_lite0": efficientnet_lite0,
       "darknet_tiny": DarknetTiny, "unet": UNet}
WITH_GRADIENTS = {*OWN, "alexnet", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d",
                  "densenet121", "squeezenet1_0", "squeezenet1_1", "mobilenet_v2",
                  "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_b5",
                  "convnext_tiny", "vit_b_32", "fcn_resnet50"}
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

    only = set(sys.argv[2:])
    program = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worst_logits = worst_gradient = 0
    for name in NAMES:
        if only and name not in only:
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
        x = np.float32(np.random.default_rng(1).uniform(-1, 1, (2, size, size, 3)))
        np.savez(WORK / "in.npz", x=x)
        program.stdin.write(f"{name} {CLASSES} 3 {size} {int(train)} {WORK}/in.npz {WORK}/out.npz\n")
        program.stdin.flush()
        with torch.set_grad_enabled(train):
            out = net(torch.from_numpy(x).permute(0, 3, 1, 2).contiguous())
        out = out["out"] if isinstance(out, dict) else out
        if out.ndim == 4:
            out = out.permute(0, 2, 3, 1)
        if program.stdout.readline().strip() != name:
            sys.exit(f"{name}: Glia's side ended")
        got = np.load(WORK / "out.npz")
        error = relative(got["logits"], out.detach().numpy())
        worst_logits = max(worst_logits, error)
        if not error < 2e-5:
            sys.exit(f"{name}: logits differ by {error}")
        compared += 1
        if train:
            weights = torch.cos(torch.arange(out.numel(), dtype=torch.float32)).reshape(out.shape)
            (out * weights).sum().backward()
            norm = max(float(p.grad.abs().max()) for p in net.parameters())
            for key, p in net.named_parameters():
                want = p.grad.numpy()
                error = np.abs(got[key] - want).max() / max(np.abs(want).max(), 1e-5 * norm)
                worst_gradient = max(worst_gradient, error)
                if not error < 1e-3:
                    sys.exit(f"{name}: the gradient of {key} differs by {error}")
                compared += 1
        print(f"  {name}: {error:.1e}", file=sys.stderr)
    program.stdin.close()
print(f"networks: {len(NAMES)} networks with {parameters:,} parameters as torchvision's, {compared} "
      f"comparisons; logits within {worst_logits:.1e}, gradients within {worst_gradient:.1e}")
