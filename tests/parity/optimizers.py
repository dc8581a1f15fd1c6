"""All optimizers and schedules beside PyTorch and timm, live: trajectories of a hundred steps.

    optimizers.py PROGRAM FOLDER
"""
import importlib
import importlib.util
import math
import pathlib
import subprocess
import sys
import types
import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler as S

import tensors

STEPS = 100
# Of the largest value. Muon multiplies in bf16 in PyTorch, and Shampoo's roots end within 1e-10.
EXACT, BOUNDS = 1e-12, {"muon": 1 / 128, "shampoo": 1e-9, "shampoo_mean": 1e-9}
# In f32 rounding differs at each step: steps by signs may differ whole, and roots of products that
# are nearly singular are of those.
SINGLE, NOT_SINGLE = 1e-5, {"lion", "rprop", "muon", "shampoo", "shampoo_mean"}

warnings.filterwarnings("ignore")
random = np.random.default_rng(7)
START = [random.uniform(-1, 1, s) for s in ((6, 4), (4, 9), (9,))]
METRICS = np.round(np.exp(-np.arange(60) / 15) + random.normal(0, 0.05, 60), 3)
METRICS[20] = np.nan


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, params, lr, weight_decay):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                way = torch.sign(0.9 * m + 0.1 * p.grad)
                p.sub_(group["lr"] * (way + group["weight_decay"] * p))
                m.mul_(0.99).add_(p.grad, alpha=0.01)


class Shampoo(torch.optim.Optimizer):
    """Gupta et al. 2018, algorithm 2, by eigenvalues."""

    def __init__(self, params, lr=0.1, momentum=0, weight_decay=0, eps=1e-4, beta2=1, update_freq=1):
        super().__init__(params, dict(lr=lr))
        self.o = momentum, weight_decay, eps, beta2, update_freq
        self.t = 0

    @torch.no_grad()
    def step(self):
        momentum, decay, eps, beta2, every = self.o
        self.t += 1
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                g = way = p.grad + decay * p
                for axis in range(p.ndim):
                    n = p.shape[axis]
                    flat = g.transpose(0, axis).reshape(n, -1)
                    old = state.get(("L", axis), torch.zeros(n, n, dtype=p.dtype))
                    state["L", axis] = beta2 * old + (1 if beta2 == 1 else 1 - beta2) * flat @ flat.T
                    if (self.t - 1) % every == 0:
                        mean = state["L", axis] / (1 if beta2 == 1 else 1 - beta2 ** self.t)
                        values, vectors = torch.linalg.eigh(mean.double() + eps * torch.eye(n))
                        root = vectors @ torch.diag(values ** (-0.5 / p.ndim)) @ vectors.T
                        state["X", axis] = root.to(p.dtype)
                    way = torch.tensordot(state["X", axis], way, ([1], [axis])).movedim(0, axis)
                if momentum:
                    way = state["v"] = momentum * state.get("v", 0) + way
                p.sub_(group["lr"] * way)


def trajectory(make, matrices=False):
    def run(dtype):
        torch.set_default_dtype(dtype)  # of the numbers that PyTorch keeps as tensors
        p = [torch.tensor(a, dtype=dtype).requires_grad_() for a in START]
        optimizer = make([t for t in p if t.ndim == 2] if matrices else p)
        out = []
        for i in range(STEPS):
            optimizer.zero_grad()
            hidden = torch.tanh(p[0] @ p[1] + p[2])
            loss = (hidden - 0.3 * math.cos(0.1 * i)).square().mean() + 0.01 * p[0].square().sum()
            loss.backward()
            optimizer.step()
            out.append(torch.cat([t.detach().reshape(-1) for t in p]))
        torch.set_default_dtype(torch.float32)
        return torch.stack(out)
    return run


def rates(make, lr=0.3, option="lr", **optimizer):
    p = torch.zeros(1, requires_grad=True)
    sgd = torch.optim.SGD([p], lr=lr, **optimizer)
    scheduler = make(sgd)
    out = []
    for _ in range(STEPS):
        out.append(sgd.param_groups[0][option])
        sgd.step()
        scheduler.step()
    return torch.tensor(out, dtype=torch.float64)


def of_timm():
    """Its files alone: the package imports torchvision, which may not be there."""
    found = importlib.util.find_spec("timm")
    if not found:
        raise ImportError("timm is not installed")
    for name, folder in (("timm", ""), ("timm.optim", "optim")):
        package = types.ModuleType(name)
        package.__path__ = [str(pathlib.Path(p) / folder) for p in found.submodule_search_locations]
        sys.modules[name] = package
    return (importlib.import_module("timm.optim.lamb").Lamb,
            importlib.import_module("timm.optim.lars").Lars)


def one_cycle(optimizer, **options):
    """Which may be asked once more behind its last step."""
    scheduler = S.OneCycleLR(optimizer, 0.3, STEPS, **options)
    scheduler.total_steps += 1
    return scheduler


def plateau(**options):
    p = torch.zeros(1, requires_grad=True)
    sgd = torch.optim.SGD([p], lr=0.5)
    scheduler = S.ReduceLROnPlateau(sgd, **options)
    out = []
    for metric in METRICS:
        scheduler.step(metric)
        out += [sgd.param_groups[0]["lr"], scheduler.best, scheduler.num_bad_epochs]
    return torch.tensor(out, dtype=torch.float64)


def scaled():
    p = torch.ones(3, dtype=torch.float64, requires_grad=True)
    sgd = torch.optim.SGD([p], lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024, growth_interval=3)
    out = []
    for i in range(STEPS):
        bad = i % 7 == 3 or 40 < i < 45
        sgd.zero_grad()
        scaler.scale(p.square().sum() * (math.inf if bad else 1)).backward()
        scaler.unscale_(sgd)
        torch.nn.utils.clip_grad_norm_([p], 1)
        scaler.step(sgd)
        scaler.update()
        out += [scaler.get_scale(), p[0].item()]
    return torch.tensor(out, dtype=torch.float64)


T = torch.optim
OPTIMIZERS = {
    "sgd": trajectory(lambda p: T.SGD(p, 0.3)),
    "sgd_momentum": trajectory(
        lambda p: T.SGD(p, 0.1, momentum=0.9, dampening=0.3, weight_decay=0.01)),
    "sgd_nesterov": trajectory(lambda p: T.SGD(p, 0.1, momentum=0.9, nesterov=True)),
    "sgd_maximize": trajectory(lambda p: T.SGD(p, 0.01, weight_decay=0.1, maximize=True)),
    "adam": trajectory(lambda p: T.Adam(p, 0.02)),
    "adam_amsgrad": trajectory(lambda p: T.Adam(p, 0.02, weight_decay=0.05, amsgrad=True)),
    "adamw": trajectory(lambda p: T.AdamW(p, 0.02, (0.8, 0.95), weight_decay=0.1)),
    "adamw_amsgrad": trajectory(lambda p: T.AdamW(p, 0.02, amsgrad=True)),
    "adagrad": trajectory(lambda p: T.Adagrad(p, 0.1, 0.02, 0.01, 0.1)),
    "adadelta": trajectory(lambda p: T.Adadelta(p, weight_decay=0.01)),
    "adamax": trajectory(lambda p: T.Adamax(p, 0.02, weight_decay=0.01)),
    "nadam": trajectory(lambda p: T.NAdam(p, 0.02)),
    "nadam_decoupled": trajectory(
        lambda p: T.NAdam(p, 0.02, weight_decay=0.1, decoupled_weight_decay=True)),
    "radam": trajectory(lambda p: T.RAdam(p, 0.02, weight_decay=0.01)),
    "radam_decoupled": trajectory(
        lambda p: T.RAdam(p, 0.02, (0.9, 0.98), weight_decay=0.1, decoupled_weight_decay=True)),
    "rmsprop": trajectory(lambda p: T.RMSprop(p, weight_decay=0.01)),
    "rmsprop_centered": trajectory(lambda p: T.RMSprop(p, 0.005, momentum=0.5, centered=True)),
    "rprop": trajectory(T.Rprop),
    "asgd": trajectory(lambda p: T.ASGD(p, 0.3)),
    "asgd_decay": trajectory(
        lambda p: T.ASGD(p, 0.2, lambd=0.1, alpha=0.6, t0=20, weight_decay=0.01)),
    "adafactor": trajectory(lambda p: T.Adafactor(p, 0.05)),
    "lion": trajectory(lambda p: Lion(p, 1e-3, 0.1)),
    "shampoo": trajectory(Shampoo),
    "shampoo_mean": trajectory(lambda p: Shampoo(p, 0.02, 0.9, 0.01, 1e-6, 0.95, 3)),
}
SCHEDULES = {
    "constant": lambda: torch.full((STEPS,), 0.3, dtype=torch.float64),
    "step_lr": lambda: rates(lambda o: S.StepLR(o, 7, 0.5)),
    "multi_step_lr": lambda: rates(lambda o: S.MultiStepLR(o, [10, 40, 40, 70], 0.3)),
    "constant_lr": lambda: rates(lambda o: S.ConstantLR(o, 0.25, 20)),
    "linear_lr": lambda: rates(lambda o: S.LinearLR(o, 0.1, 0.9, 30)),
    "exponential_lr": lambda: rates(lambda o: S.ExponentialLR(o, 0.95)),
    "polynomial_lr": lambda: rates(lambda o: S.PolynomialLR(o, 80, 1.7)),
    "cosine_annealing_lr": lambda: rates(lambda o: S.CosineAnnealingLR(o, 30, 0.02)),
    "cosine": lambda: rates(lambda o: S.CosineAnnealingLR(o, 99, 0.02)),
    "cosine_annealing_warm_restarts":
        lambda: rates(lambda o: S.CosineAnnealingWarmRestarts(o, 13, 1, 0.01)),
    "cosine_annealing_warm_restarts_longer":
        lambda: rates(lambda o: S.CosineAnnealingWarmRestarts(o, 9, 2, 0.01)),
    "cyclic_lr": lambda: rates(lambda o: S.CyclicLR(o, 0.01, 0.3, 8, 13, cycle_momentum=False)),
    "cyclic_lr_triangular2":
        lambda: rates(lambda o: S.CyclicLR(o, 0.01, 0.3, 8, mode="triangular2",
                                           cycle_momentum=False)),
    "cyclic_lr_exp_range":
        lambda: rates(lambda o: S.CyclicLR(o, 0.01, 0.3, 8, mode="exp_range", gamma=0.98,
                                           cycle_momentum=False)),
    "lambda_lr": lambda: rates(lambda o: S.LambdaLR(o, lambda t: 0.97 ** t)),
    "multiplicative_lr":
        lambda: rates(lambda o: S.MultiplicativeLR(o, lambda t: 0.8 if t % 10 == 0 else 1.0)),
    "sequential_lr":
        lambda: rates(lambda o: S.SequentialLR(
            o, [S.ConstantLR(o, 0.1, 20), S.ExponentialLR(o, 0.9)], [20])),
    "chained_scheduler":
        lambda: rates(lambda o: S.ChainedScheduler(
            [S.ConstantLR(o, 0.1, 20), S.ExponentialLR(o, 0.95)], o)),
    "swa_lr": lambda: rates(lambda o: T.swa_utils.SWALR(o, 0.05, 30)),
    "swa_lr_linear": lambda: rates(lambda o: T.swa_utils.SWALR(o, 0.05, 30, "linear")),
    "linear_warmup":
        lambda: rates(lambda o: S.SequentialLR(
            o, [S.LinearLR(o, 0.1, 1, 9), S.ExponentialLR(o, 0.95)], [9])),
    "inverse_sqrt_lr":
        lambda: rates(lambda o: S.LambdaLR(o, lambda t: min(t / 10, (max(t, 1) / 10) ** -0.5))),
    "wsd_lr":
        lambda: rates(lambda o: S.LambdaLR(o, lambda t: np.interp(t, [0, 10, 60, 90],
                                                                  [0, 1, 1, 1 / 30]))),
    "one_cycle": lambda: rates(lambda o: one_cycle(o, cycle_momentum=False)),
    "one_cycle_linear":
        lambda: rates(lambda o: one_cycle(o, pct_start=0.4, anneal_strategy="linear",
                                          cycle_momentum=False)),
    "one_cycle_three": lambda: rates(lambda o: one_cycle(o, three_phase=True, cycle_momentum=False)),
    "one_cycle_momentum": lambda: rates(one_cycle, option="momentum", momentum=0.9),
    "one_cycle_momentum_three":
        lambda: rates(lambda o: one_cycle(o, anneal_strategy="linear", three_phase=True,
                                          base_momentum=0.8, max_momentum=0.9),
                      option="momentum", momentum=0.9),
    "plateau": plateau,
    "plateau_patient": lambda: plateau(factor=0.5, patience=2, threshold=0.01, cooldown=3,
                                       min_lr=1e-3),
    "plateau_max": lambda: plateau(mode="max", factor=0.7, patience=1, threshold=0.05,
                                   threshold_mode="abs"),
    "scaled": scaled,
}
if hasattr(T, "Muon"):
    OPTIMIZERS["muon"] = trajectory(lambda p: T.Muon(p, 0.02), matrices=True)
skipped = {"muon"} - OPTIMIZERS.keys()
try:
    Lamb, Lars = of_timm()
    OPTIMIZERS |= {
        "lars": trajectory(lambda p: Lars(p, 1, 0.9, weight_decay=0.01, trust_coeff=0.02)),
        "lars_nesterov": trajectory(
            lambda p: Lars(p, 0.05, 0.8, nesterov=True, trust_clip=True, always_adapt=True)),
        "lamb": trajectory(lambda p: Lamb(p, 0.02)),
        "lamb_plain": trajectory(
            lambda p: Lamb(p, 1e-3, bias_correction=False, weight_decay=0, grad_averaging=False,
                           max_grad_norm=0.05)),
        "lamb_clip": trajectory(
            lambda p: Lamb(p, 0.05, max_grad_norm=None, trust_clip=True, always_adapt=True)),
    }
except ImportError as reason:
    print(f"SKIPPED: LARS and LAMB: {reason}")
    skipped |= {"lars", "lars_nesterov", "lamb", "lamb_plain", "lamb_clip"}


def difference(got, want):
    got, want = torch.as_tensor(got), want.detach()
    if got.shape != want.shape or got.dtype != want.dtype:
        return math.inf
    return ((got - want).abs().max() / want.abs().max()).item()


def main(program, folder):
    folder = pathlib.Path(folder)
    torch.set_num_threads(1)
    tensors.save(folder / "optim.safetensors",
                 {f"p.{i}": a for i, a in enumerate(START)} | {"metrics": METRICS})
    subprocess.run([program, folder / "optim.safetensors", folder / "optim.out"], check=True)
    got = tensors.load(folder / "optim.out")
    faults, worst = [], {"": 0.0, ".f32": 0.0}
    known = {name.removesuffix(".f32") for name in got}
    for name in sorted(known ^ (OPTIMIZERS.keys() | SCHEDULES.keys() | skipped)):
        faults.append(f"{name}: on one side alone")
    for name, run in OPTIMIZERS.items():
        for suffix, dtype, bound in (("", torch.float64, EXACT), (".f32", torch.float32, SINGLE)):
            if suffix and name in NOT_SINGLE:
                continue
            bound = bound if suffix else BOUNDS.get(name, bound)
            error = difference(got[name + suffix], run(dtype))
            if bound in (EXACT, SINGLE):
                worst[suffix] = max(worst[suffix], error)
            if not error <= bound:
                faults.append(f"{name}{suffix}: {error:.2e} of the largest value")
    for name, run in SCHEDULES.items():
        error = difference(got[name], run())
        if not error <= 1e-12:
            faults.append(f"{name}: {error:.2e} of the largest value")
    print(f"{len(OPTIMIZERS)} optimizers, {STEPS} steps: within {worst['']:.1e} in f64, "
          f"{worst['.f32']:.1e} in f32; {len(SCHEDULES)} schedules and scales")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main(*sys.argv[1:])
