#!/usr/bin/env python3
"""Times training steps of a VAE, a DCGAN and a diffusion U-Net beside the same in PyTorch, eager, in turn
in one run, each on one thread: medians, by the wall's clock and by the processor's, of which it fails if
Glia takes more.

Run by tests/parity/run.
"""
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

from package import compiled, peers

with peers():
    import torch
    from torch import nn
    from torch.nn import functional as F

PROGRAM = compiled(pathlib.Path(__file__).with_name("generative_steps.cpp"))
ROUNDS = 2


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        line = lambda *sizes: nn.Sequential(*(  # noqa: E731
            layer for a, b in zip(sizes, sizes[1:-1]) for layer in (nn.Linear(a, b), nn.Tanh())),
            nn.Linear(*sizes[-2:]))
        self.encoder, self.decoder = line(784, 200, 200, 100), line(50, 200, 200, 784)

    def forward(self, x):
        mean, log_var = self.encoder(x).chunk(2, 1)
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        kl = 0.5 * (mean.square() + log_var.exp() - log_var - 1)
        likelihood = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        return (likelihood + kl.sum()) / len(x)


def vae_step():
    net, x = Vae(), (torch.rand(100, 784) < 0.3).float()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)

    def step():
        optimizer.zero_grad()
        loss = net(x)
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def dcgan_step():
    # What Glia's reshape of (N, h, w, c) is does not matter for the time.
    generator = nn.Sequential(nn.Linear(64, 7 * 7 * 64, bias=False), nn.Unflatten(1, (64, 7, 7)),
                              nn.BatchNorm2d(64), nn.ReLU(),
                              nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32),
                              nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh())
    critic = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2),
                           nn.Conv2d(32, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64),
                           nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(7 * 7 * 64, 1))
    average = torch.optim.swa_utils.AveragedModel(
        generator, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    one = torch.optim.Adam(generator.parameters(), 5e-4, (0.5, 0.9))
    two = torch.optim.Adam(critic.parameters(), 5e-4, (0.5, 0.9))
    x = torch.rand(64, 1, 28, 28) * 2 - 1

    def step():
        two.zero_grad()
        with torch.no_grad():
            fake = generator(torch.randn(64, 64))
        loss = F.softplus(-critic(x)).mean() + F.softplus(critic(fake)).mean()
        loss.backward()
        two.step()
        one.zero_grad()
        own = F.softplus(-critic(generator(torch.randn(64, 64)))).mean()
        own.backward()
        one.step()
        average.update_parameters(generator)
        return loss.item() + own.item()
    return step


class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, into), nn.GroupNorm(8, out)
        self.conv1, self.conv2 = nn.Conv2d(into, out, 3, 1, 1), nn.Conv2d(out, out, 3, 1, 1)
        self.time = nn.Linear(128, out)
        self.shortcut = nn.Conv2d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x, told):
        h = self.conv1(F.silu(self.norm1(x))) + self.time(told)[..., None, None]
        return self.conv2(F.silu(self.norm2(h))) + self.shortcut(x)


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.qkv = nn.GroupNorm(8, width), nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        n, c, height, width = x.shape
        rows = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = (p.reshape(n, -1, 4, c // 4).transpose(1, 2) for p in self.qkv(rows).chunk(3, 2))
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, -1, c)
        return x + self.out(seen).transpose(1, 2).reshape(x.shape)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(32, 128), nn.SiLU(), nn.Linear(128, 128))
        self.label, self.conv_in = nn.Embedding(11, 128), nn.Conv2d(1, 32, 3, 1, 1)
        self.down = nn.ModuleList([Block(32, 32), Block(32, 64), Block(64, 64)])
        self.smaller = nn.ModuleList([nn.Conv2d(32, 32, 3, 2, 1), nn.Conv2d(64, 64, 3, 2, 1)])
        self.attend = nn.ModuleList([Attention(64) for _ in range(4)])
        self.middle = nn.ModuleList([Block(64, 64), Block(64, 64)])
        self.up = nn.ModuleList([Block(128, 64), Block(128, 64), Block(128, 64), Block(96, 64),
                                 Block(96, 32), Block(64, 32)])
        self.larger = nn.ModuleList([nn.Conv2d(64, 64, 3, 1, 1), nn.Conv2d(64, 64, 3, 1, 1)])
        self.norm, self.conv_out = nn.GroupNorm(8, 32), nn.Conv2d(32, 1, 3, 1, 1)

    def forward(self, x, positions, labels):
        told = F.silu(self.time(positions) + self.label(labels))
        h = self.conv_in(x)
        skips = [h]
        for i, block in enumerate(self.down):
            h = block(h, told)
            if i == 2:
                h = self.attend[0](h)
            skips.append(h)
            if i < 2:
                h = self.smaller[i](h)
                skips.append(h)
        h = self.middle[1](self.attend[1](self.middle[0](h, told)), told)
        for i, block in enumerate(self.up):
            h = block(torch.cat((h, skips.pop()), 1), told)
            if i < 2:
                h = self.attend[2 + i](h)
            if i in (1, 3):
                h = self.larger[i // 2](F.interpolate(h, scale_factor=2))
        return self.conv_out(F.silu(self.norm(h)))


def unet_step():
    net = UNet()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    x, labels = torch.rand(32, 1, 28, 28) * 2 - 1, torch.randint(0, 10, (32,))
    at = torch.arange(1000)[:, None] / 10000 ** (torch.arange(16) / 16)
    positions = torch.stack((at.sin(), at.cos()), 2).reshape(1000, 32)
    alpha = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)

    def step():
        optimizer.zero_grad()
        t, noise = torch.randint(0, 1000, (32,)), torch.randn_like(x)
        a = alpha[t].reshape(-1, 1, 1, 1)
        loss = F.mse_loss(net(a.sqrt() * x + (1 - a).sqrt() * noise, positions[t], labels), noise)
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def processor():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return 1e3 * (use.ru_utime + use.ru_stime)


def timed(step, steps):
    walls, processors = [], []
    for i in range(-3, steps):
        start, before = time.perf_counter(), processor()
        step()
        if i >= 0:
            processors.append(processor() - before)
            walls.append(1e3 * (time.perf_counter() - start))
    return statistics.median(walls), statistics.median(processors)


torch.manual_seed(0)
torch.set_num_threads(1)
slower = []
for name, make, steps in (("vae", vae_step, 20), ("dcgan", dcgan_step, 6), ("unet", unet_step, 2)):
    theirs_step, mine, theirs = make(), [], []
    for _ in range(ROUNDS):
        out = subprocess.run([PROGRAM, name, str(steps)], check=True, capture_output=True, text=True,
                             env={**os.environ, "GLIA_NUM_THREADS": "1"})
        mine.append([float(word) for word in out.stdout.split()])
        theirs.append(timed(theirs_step, steps))
    (wall, busy), (their_wall, their_busy) = (
        [statistics.median(column) for column in zip(*rows)] for rows in (mine, theirs))
    print(f"{name}: {wall:.2f} ms a step, {busy:.2f} of processors; PyTorch {their_wall:.2f}, "
          f"{their_busy:.2f}: {their_wall / wall:.2f} and {their_busy / busy:.2f} times as long")
    if busy > their_busy:
        slower.append(name)
if slower:
    sys.exit(f"slower than PyTorch: {', '.join(slower)}")
