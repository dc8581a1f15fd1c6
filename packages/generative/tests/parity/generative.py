#!/usr/bin/env python3
"""Holds bounds, losses, flows, diffusion, networks and distances against the same in PyTorch, NumPy and
SciPy, from the same weights, in f64.

Run by tests/parity/run.
"""
import math
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import torch
    from scipy.linalg import sqrtm
    from scipy.special import logsumexp
    from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
PROGRAM = compiled(pathlib.Path(__file__).with_name("generative.cpp"), "math")
subprocess.run([PROGRAM, WORK / "out.npz"], check=True)
ALL = {key: torch.from_numpy(value) for key, value in np.load(WORK / "out.npz").items()}
checked = 0


def of(name, kind):
    prefix = f"{name}/{kind}."
    return {k.removeprefix(prefix): v.clone() for k, v in ALL.items() if k.startswith(prefix)}


def hold(what, mine, theirs, tolerance=1e-10):
    global checked
    mine, theirs = (torch.as_tensor(v, dtype=torch.float64).detach() for v in (mine, theirs))
    if mine.shape != theirs.shape:
        sys.exit(f"{what}: {tuple(mine.shape)} and {tuple(theirs.shape)}")
    off = float((mine - theirs).abs().max() / max(1, theirs.abs().max()))
    if not off <= tolerance:
        sys.exit(f"{what}: {off:.2g} apart")
    checked += 1


def hold_gradients(name, weights, loss):
    loss.backward()
    for key, mine in of(name, "grad").items():
        if weights[key].grad is not None:
            hold(f"{name} gradient {key}", mine, weights[key].grad)


def weights_of(name):
    return {k: v.requires_grad_() for k, v in of(name, "weights").items()}


def dense(w, x, prefix, last):
    """Linear layers of a Sequential by position, the activation between."""
    keys = sorted({int(k.removeprefix(prefix).split(".")[0]) for k in w if k.startswith(prefix)})
    for i in keys:
        x = F.linear(x, w[f"{prefix}{i}.weight"], w[f"{prefix}{i}.bias"])
        if i != keys[-1]:
            x = last(x)
    return x


def vae(name):
    w, given, out = weights_of(name), of(name, "in"), of(name, "out")
    x, noise = given["x"], given["noise"]
    mean, log_var = dense(w, x, "encoder.", torch.tanh).chunk(2, 1)
    q = torch.distributions.Normal(mean, (0.5 * log_var).exp())
    z = mean + (0.5 * log_var).exp() * noise
    made = dense(w, z, "decoder.", torch.tanh)
    if "gaussian" in name:
        p = torch.distributions.Normal(made, (0.5 * w["log_var"]).exp()).log_prob(x).sum(-1)
    else:
        p = -F.binary_cross_entropy_with_logits(made, x.expand_as(made), reduction="none").sum(-1)
    prior = torch.distributions.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(
        torch.zeros_like(mean), torch.ones_like(mean)))
    if "iwae" in name:
        weights = p + prior.log_prob(z).sum(-1) - q.log_prob(z).sum(-1)
        loss = -(torch.logsumexp(weights, 0) - math.log(len(z))).mean()
    else:
        loss = -(p.mean(0).mean() - 1.7 * kl.mean(0).clamp(min=0.2).sum())
    hold(f"{name} loss", out["loss"], loss)
    hold(f"{name} kl", out["kl"], kl.sum(1).mean())
    hold_gradients(name, w, loss)


def quantizer():
    w, out = weights_of("vq"), of("vq", "out")
    x = of("vq", "in")["x"].requires_grad_()
    at = torch.cdist(x.reshape(-1, 3), w["weight"]).argmin(1)
    code = w["weight"][at].reshape(x.shape)
    loss = F.mse_loss(code, x.detach()) + 0.25 * F.mse_loss(x, code.detach())
    loss = loss + (x + (code - x).detach()).square().sum() / 7
    hold("vq loss", out["loss"], loss)
    hold_gradients("vq", w, loss)
    hold("vq gradient", out["gradient"], x.grad)


def flow():
    w, given, out = weights_of("flow"), of("flow", "in"), of("flow", "out")

    def couple(i, x, back=False):
        kept = 3 if i % 2 else 2
        known, changed = (x[:, -kept:], x[:, :-kept]) if i % 2 else (x[:, :kept], x[:, kept:])
        s, t = dense(w, known, f"couplings.{i}.net.", torch.relu).chunk(2, 1)
        s = w[f"couplings.{i}.scale"] * torch.tanh(s)
        changed = (changed - t) * (-s).exp() if back else changed * s.exp() + t
        return torch.cat((changed, known) if i % 2 else (known, changed), 1), s.sum(1)

    x, total = given["x"], 0
    for i in range(4):
        x, log_det = couple(i, x)
        total = total + log_det
    density = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1) + total
    hold("flow density", out["density"], density)
    back = given["x"]
    for i in reversed(range(4)):
        back = couple(i, back, True)[0]
    hold("flow inverse", out["back"], back)
    hold_gradients("flow", w, density.sum())


def diffusion():
    given, out = of("diffusion", "in"), of("diffusion", "out")
    x, noise, said = given["x"], given["noise"], given["said"]
    n = np.arange(1000)
    curve = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2
    betas = {"linear": np.linspace(1e-4, 0.02, 1000),
             "cosine": np.minimum(1 - curve[1:] / curve[:-1], 0.999)}
    for schedule, b in betas.items():
        alpha = np.cumprod(1 - b)
        at = torch.from_numpy(alpha[[0, 400, 999]]).reshape(3, 1, 1, 1)
        for kind, target in enumerate((noise, x, at.sqrt() * noise - (1 - at).sqrt() * x)):
            name = f"{schedule}{kind}"
            hold(f"{name} betas", out[f"{name}.betas"], b)
            hold(f"{name} noised", out[f"{name}.noised"], at.sqrt() * x + (1 - at).sqrt() * noise)
            hold(f"{name} target", out[f"{name}.target"], target)
            for clip in ("free", "clip"):
                def posterior(t, before):
                    """The mean and deviation of q(x_before | x_t, x_0) (Ho et al., equations 6 and 7)."""
                    a, a_before = alpha[t], alpha[before] if before >= 0 else 1.0
                    step = a / a_before
                    mean = (math.sqrt(a_before) * (1 - step) / (1 - a) * data(t)
                            + math.sqrt(step) * (1 - a_before) / (1 - a) * x)
                    return mean + math.sqrt((1 - a_before) / (1 - a) * (1 - step)) * noise

                def data(t):
                    a, s = math.sqrt(alpha[t]), math.sqrt(1 - alpha[t])
                    found = ((x - s * said) / a, said, a * x - s * said)[kind]
                    return found.clamp(-1, 1) if clip == "clip" else found

                def implicit(t, before, eta):
                    """Song et al., equation 12."""
                    a, a_before = alpha[t], alpha[before]
                    sigma = eta * math.sqrt((1 - a_before) / (1 - a)) * math.sqrt(1 - a / a_before)
                    e = (x - math.sqrt(a) * data(t)) / math.sqrt(1 - a)
                    return (math.sqrt(a_before) * data(t)
                            + math.sqrt(1 - a_before - sigma ** 2) * e + sigma * noise)

                hold(f"{name} ddpm", out[f"{name}.{clip}.ddpm"], posterior(400, 399), 1e-9)
                hold(f"{name} last", out[f"{name}.{clip}.last"], posterior(20, -1), 1e-9)
                hold(f"{name} ddim", out[f"{name}.{clip}.ddim"], implicit(400, 350, 0))
                hold(f"{name} half", out[f"{name}.{clip}.half"], implicit(400, 350, 0.5))


def unet():
    w, given, out = weights_of("unet"), of("unet", "in"), of("unet", "out")
    conv = lambda k, x, stride=1: F.conv2d(  # noqa: E731
        x, w[f"{k}.weight"], w[f"{k}.bias"], stride, w[f"{k}.weight"].shape[-1] // 2)
    lin = lambda k, x: F.linear(x, w[f"{k}.weight"], w[f"{k}.bias"])  # noqa: E731
    norm = lambda k, x: F.group_norm(x, 4, w[f"{k}.weight"], w[f"{k}.bias"])  # noqa: E731

    def block(k, x):
        h = conv(f"{k}.conv1", F.silu(norm(f"{k}.norm1", x))) + lin(f"{k}.time", told)[..., None, None]
        h = conv(f"{k}.conv2", F.silu(norm(f"{k}.norm2", h)))
        return h + (conv(f"{k}.shortcut", x) if f"{k}.shortcut.weight" in w else x)

    def attend(k, x):
        n, c, height, width = x.shape
        rows = norm(f"{k}.norm", x).flatten(2).transpose(1, 2)
        q, key, v = (part.reshape(n, -1, 2, c // 2).transpose(1, 2)
                     for part in lin(f"{k}.qkv", rows).chunk(3, 2))
        seen = F.scaled_dot_product_attention(q, key, v).transpose(1, 2).reshape(n, -1, c)
        return x + lin(f"{k}.out", seen).transpose(1, 2).reshape(x.shape)

    told = lin("time2", F.silu(lin("time1", given["positions"])))
    told = F.silu(told + w["label.weight"][given["labels"].long()])
    h = conv("conv_in", given["x"].permute(0, 3, 1, 2))
    skips = [h]
    for i in range(2):
        h = block(f"down.{i}.blocks.0", h)
        if i == 1:
            h = attend("down.1.attentions.0", h)
        skips.append(h)
        if i == 0:
            h = conv("down.0.resize", h, 2)
            skips.append(h)
    h = block("middle.1", attend("attention", block("middle.0", h)))
    for i in range(2):
        for b in range(2):
            h = block(f"up.{i}.blocks.{b}", torch.cat((h, skips.pop()), 1))
            if i == 0:
                h = attend(f"up.0.attentions.{b}", h)
        if i == 0:
            h = conv("up.0.resize", F.interpolate(h, scale_factor=2))
    h = conv("conv_out", F.silu(norm("norm_out", h))).permute(0, 2, 3, 1)
    hold("unet", out["out"], h, 1e-9)
    loss = h.square().sum()
    loss.backward()
    for key, mine in of("unet", "grad").items():
        hold(f"unet gradient {key}", mine, w[key].grad, 1e-8)


def adversarial():
    given, out = of("losses", "in"), of("losses", "out")
    r, f = given["real"], given["fake"]
    one, zero = torch.ones_like(r), torch.zeros_like(r)
    bce = F.binary_cross_entropy_with_logits
    critics = (bce(r, one) + bce(f, zero), f.mean() - r.mean(),
               F.relu(1 - r).mean() + F.relu(1 + f).mean(),
               0.5 * (F.mse_loss(r, one) + F.mse_loss(f, zero)))
    generators = bce(f, one), -f.mean(), -f.mean(), 0.5 * F.mse_loss(f, one)
    for i in range(4):
        hold(f"critic loss {i}", out[f"critic{i}"], critics[i])
        hold(f"generator loss {i}", out[f"generator{i}"], generators[i])

    w, given, out = weights_of("generator"), of("generator", "in"), of("generator", "out")
    # Pictures flatten in the order (h, w, c).
    x = F.linear(given["x"], w["0.weight"]).reshape(5, 4, 4, 4).permute(0, 3, 1, 2)
    x = torch.relu(F.batch_norm(x, None, None, w["2.weight"], w["2.bias"], True))
    x = torch.tanh(F.conv_transpose2d(x, w["4.weight"], w["4.bias"], 2, 1)).permute(0, 2, 3, 1)
    hold("generator", out["out"], x)
    hold_gradients("generator", w, x.square().sum())

    w, given, out = weights_of("critic"), of("critic", "in"), of("critic", "out")

    def critic(x):
        x = F.leaky_relu(F.conv2d(x.permute(0, 3, 1, 2), w["0.weight"], w["0.bias"], 2, 1), 0.2)
        return F.linear(x.permute(0, 2, 3, 1).flatten(1), w["3.weight"], w["3.bias"])

    real = given["x"].requires_grad_()
    between = (given["part"] * real + (1 - given["part"]) * given["fake"]).detach().requires_grad_()
    slope, = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    length = (slope.square().sum((1, 2, 3)) + 1e-12).sqrt()
    at_real, = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    loss = (critic(given["fake"]).mean() - critic(real).mean() + 10 * (length - 1).square().mean()
            + 0.5 * at_real.square().sum() / 5)
    hold("critic", out["loss"], loss)
    hold_gradients("critic", w, loss)


def distances():
    given, out = of("metrics", "in"), of("metrics", "out")
    a, b = given["real"].numpy(), given["fake"].numpy()
    c, d = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    fid = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c + d - 2 * sqrtm(c @ d).real)
    hold("fid", out["fid"], fid)
    x, y = a[:250], b
    kernel = lambda p, q: (p @ q.T / 6 + 1) ** 3  # noqa: E731
    off = ~np.eye(250, dtype=bool)
    kid = kernel(x, x)[off].mean() + kernel(y, y)[off].mean() - 2 * kernel(x, y).mean()
    hold("kid", out["kid"], kid)
    far = lambda p, q: np.sqrt(((p[:, None] - q[None]) ** 2).sum(2))  # noqa: E731
    ra, rb = np.sort(far(a, a), 1)[:, 3], np.sort(far(b, b), 1)[:, 3]
    between = far(b, a)
    hold("precision, recall, density, coverage", out["near"],
         [(between <= ra).any(1).mean(), (between.T <= rb).any(1).mean(),
          (between <= ra).sum() / 3 / len(b), (between.min(0) <= ra).mean()])
    square = far(a, b) ** 2
    hold("parzen", out["parzen"], logsumexp(-square / 2 / 0.36, axis=1) - math.log(len(b))
         - 3 * math.log(2 * math.pi * 0.36))


for kind in ("bernoulli", "gaussian"):
    for bound in ("elbo", "iwae"):
        vae(f"vae_{kind}_{bound}")
quantizer()
flow()
diffusion()
unet()
adversarial()
distances()
print(f"generative: {checked} values and gradients as PyTorch, NumPy and SciPy have them")
