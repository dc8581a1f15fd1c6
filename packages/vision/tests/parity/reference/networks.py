"""Networks that torchvision has not, in PyTorch, with the names that Glia has."""
from collections import OrderedDict

import torch
from torch import nn


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
        double = lambda n, i, o: nn.Sequential(OrderedDict([
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
