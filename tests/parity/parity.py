"""PyTorch's side of the comparison: makes inputs, runs Glia's program on them, compares.

    parity.py PROGRAM FOLDER
"""
import subprocess
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import cases_functions
import cases_losses
import tensors
from compare import (FOLDER, HALF_TOLERANCE, PROGRAM, TOLERANCE, check, check_close, conv, faults,
                     generator, indices, nchw, nhwc, positive, uniform)
from printing import compare_printing
from training import Cnn, Mlp, compare_training


def unary(function, make=uniform):
    return function, lambda: [make(4, 3, 5)]


def binary(function, make=uniform):
    return function, lambda: [make(4, 3, 5), make(3, 1)]


def bag_offsets(count):
    return torch.tensor([0, 3, 3, count - 2])


def sparse_steps(optimizer):
    """Three steps on row-sparse gradients."""
    def run(weight, ids):
        bag = nn.EmbeddingBag.from_pretrained(weight.detach().clone(), freeze=False, mode="sum",
                                              sparse=True)
        steps = optimizer(bag.parameters())
        for _ in range(3):
            steps.zero_grad()
            (bag(ids) ** 2).sum().backward()
            steps.step()
        return bag.weight
    return run, lambda: [uniform(9, 5), indices(9, 6, 4)]


def general_steps(optimizer, steps=10, matrices=False):
    """Steps on two matrices and a vector."""
    def run(*start):
        p = [t.detach().clone().requires_grad_() for t in start]
        optim = optimizer([t for t in p if t.ndim == 2] if matrices else p)

        def closure():
            optim.zero_grad()
            loss = (torch.tanh(p[0] @ p[1] + p[2]) - 0.3).square().mean() + 0.01 * p[0].square().sum()
            loss.backward()
            return loss

        for _ in range(steps):
            optim.step(closure)
        return torch.cat([t.detach().reshape(-1) for t in p])
    return run, lambda: [uniform(6, 4, low=-1, high=1), uniform(4, 9, low=-1, high=1), uniform(9)]


def valley(steps, **options):
    """L-BFGS in Rosenbrock's valley."""
    def run(start):
        x = start.detach().clone().requires_grad_()
        optim = torch.optim.LBFGS([x], **options)
        losses = []

        def closure():
            optim.zero_grad()
            loss = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
            loss.backward()
            return loss

        for _ in range(steps):
            losses.append(optim.step(closure).detach())
        return torch.cat([x.detach(), torch.stack(losses)])
    return run, lambda: [uniform(4, low=-0.5, high=0.5)]


def averaged(**average):
    """An average of weights over ten steps of gradient descent."""
    def run(start):
        module = nn.ParameterList([start.detach().clone()])
        optim = torch.optim.SGD(module.parameters(), 0.1)
        model = torch.optim.swa_utils.AveragedModel(module, **average)
        for _ in range(10):
            optim.zero_grad()
            ((module[0] ** 2 - 1) ** 2).sum().backward()
            optim.step()
            model.update_parameters(module)
        return model.module[0].detach()
    return run, lambda: [uniform(7, low=-1.2, high=1.2)]


def sparse_product(x, rows, columns, values):
    matrix = torch.sparse_coo_tensor(torch.stack([rows, columns]), values, (6, len(x)))
    return torch.sparse.mm(matrix, x)
def recurrent(kind, gates, result=lambda r: r[0]):
    """One layer of 5 -> 6 over 7 steps of 3 sequences, from a given state."""
    def function(x, w_ih, w_hh, b_ih, b_hh, *states):
        layer = kind(5, 6).to(x.dtype)
        state = tuple(s[None] for s in states)
        weights = dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"),
                           (w_ih, w_hh, b_ih, b_hh)))
        return result(torch.func.functional_call(layer, weights,
                                                 (x, state if gates == 4 else state[0])))
    width = 6 * gates
    shapes = [(7, 3, 5), (width, 5), (width, 6), (width,), (width,), (3, 6)]
    return function, lambda: [uniform(*s, low=-1, high=1)
                              for s in shapes + [(3, 6)] * (gates == 4)]


def attention(**options):
    return (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **options),
            lambda: [uniform(2, 3, 37, 8), uniform(2, 3, 41, 8), uniform(2, 3, 41, 8)])


# Name in parity.cpp: PyTorch's function, and what makes its inputs.
OPS = {
    "neg": unary(torch.neg), "abs": unary(torch.abs), "sign": unary(torch.sign),
    "square": unary(torch.square), "reciprocal": unary(torch.reciprocal, positive),
    "sqrt": unary(torch.sqrt, positive), "rsqrt": unary(torch.rsqrt, positive),
    "exp": unary(torch.exp), "expm1": unary(torch.expm1), "log": unary(torch.log, positive),
    "log1p": unary(torch.log1p, positive), "sin": unary(torch.sin), "cos": unary(torch.cos),
    "tanh": unary(torch.tanh), "erf": unary(torch.erf), "floor": unary(torch.floor),
    "ceil": unary(torch.ceil), "round": unary(torch.round), "relu": unary(torch.relu),
    "leaky_relu": unary(F.leaky_relu), "elu": unary(F.elu), "sigmoid": unary(torch.sigmoid),
    "log_sigmoid": unary(F.logsigmoid), "softplus": unary(F.softplus), "silu": unary(F.silu),
    "gelu": unary(F.gelu), "clamp": unary(lambda x: torch.clamp(x, -1, 1.5)),
    "add": binary(torch.add), "sub": binary(torch.sub), "mul": binary(torch.mul),
    "div": binary(torch.div, positive), "pow": binary(torch.pow, positive),
    "maximum": binary(torch.maximum), "minimum": binary(torch.minimum),
    "atan2": binary(torch.atan2), "floor_divide": binary(torch.floor_divide, positive),
    "remainder": binary(torch.remainder), "less": binary(torch.less),
    "where": binary(lambda a, b: torch.where(a < b, a, b)),
    "sum": unary(lambda x: x.sum((0, 2))), "prod": unary(lambda x: x.prod(1)),
    "max": unary(lambda x: x.amax(1)), "min": unary(lambda x: x.amin(-1, keepdim=True)),
    "mean": unary(lambda x: x.mean(-1)), "var": unary(lambda x: x.var((0, 1))),
    "argmax": unary(lambda x: x.argmax(1)), "cumsum": unary(lambda x: x.cumsum(1)),
    "cumprod": unary(lambda x: x.cumprod(1)), "sort": unary(lambda x: x.sort(1).values),
    "argsort": unary(lambda x: x.argsort(1, descending=True)),
    "topk": unary(lambda x: x.topk(2, 1).values), "permute": unary(lambda x: x.permute(2, 0, 1)),
    "slice": unary(lambda x: x[:, 1::2]), "flip": unary(lambda x: x.flip(0, 2)),
    "pad": unary(lambda x: F.pad(x, (1, 1, 2, 0, 0, 1), value=0.5)),
    "concat": (lambda a, b: torch.cat([a, b], 1), lambda: [uniform(2, 3, 4), uniform(2, 2, 4)]),
    "take": (lambda x, i: x[:, i], lambda: [uniform(3, 6, 2), indices(6, 4)]),
    "gather": (lambda x, i: x.gather(1, i), lambda: [uniform(3, 6), indices(6, 3, 4)]),
    "index_add": (lambda x, i, s: x.index_add(1, i, s),
                  lambda: [uniform(3, 6, 2), indices(6, 8), uniform(3, 8, 2)]),
    "scatter_add": (lambda x, i, s: x.scatter_add(1, i, s),
                    lambda: [uniform(3, 6), indices(6, 3, 9), uniform(3, 9)]),
    "embedding_sparse": (lambda w, i: F.embedding(i, w, padding_idx=2),
                         lambda: [uniform(5, 3), indices(5, 4, 6)]),
    "embedding_bag": (lambda w, i, s: F.embedding_bag(i, w, mode="sum", per_sample_weights=s),
                      lambda: [uniform(9, 5), indices(9, 6, 4), uniform(6, 4)]),
    "embedding_bag_mean": (lambda w, i, o: F.embedding_bag(i, w, o, mode="mean", padding_idx=1),
                           lambda: [uniform(5, 3), indices(5, 11), bag_offsets(11)]),
    "embedding_bag_max": (lambda w, i, o: F.embedding_bag(i, w, o, mode="max"),
                          lambda: [uniform(5, 3), indices(5, 11), bag_offsets(11)]),
    "adagrad_sparse": sparse_steps(
        lambda p: torch.optim.Adagrad(p, 0.1, 0.05, initial_accumulator_value=0.1)),
    "sgd_sparse": sparse_steps(lambda p: torch.optim.SGD(p, 0.01)),
    "sparse_adam": sparse_steps(lambda p: torch.optim.SparseAdam(list(p), 0.1)),
    "muon": general_steps(lambda p: torch.optim.Muon(p, 0.02), matrices=True),
    "muon_rms": general_steps(lambda p: torch.optim.Muon(
        p, 0.01, weight_decay=0, nesterov=False, adjust_lr_fn="match_rms_adamw"), matrices=True),
    "adafactor": general_steps(lambda p: torch.optim.Adafactor(p, 0.1)),
    "adafactor_decay": general_steps(lambda p: torch.optim.Adafactor(
        p, beta2_decay=-0.5, eps=(1e-4, 1e-2), d=2.0, weight_decay=0.1)),
    "lbfgs": general_steps(lambda p: torch.optim.LBFGS(p, 0.3, max_iter=4), 2),
    "lbfgs_wolfe": general_steps(
        lambda p: torch.optim.LBFGS(p, max_iter=4, line_search_fn="strong_wolfe"), 2),
    "lbfgs_valley": valley(5, lr=1e-3),
    "lbfgs_valley_wolfe": valley(4, max_iter=7, history_size=3, line_search_fn="strong_wolfe"),
    "ema": averaged(multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)),
    "swa": averaged(avg_fn=torch.optim.swa_utils.get_swa_avg_fn()),
    "spmm": (sparse_product,
             lambda: [uniform(7, 4), indices(6, 20), indices(7, 20), uniform(20)]),
    "matmul": (torch.matmul, lambda: [uniform(65, 130), uniform(130, 33)]),
    "matmul_batched": (torch.matmul, lambda: [uniform(2, 1, 5, 7), uniform(3, 7, 4)]),
    "linear": (F.linear, lambda: [uniform(4, 6, 7), uniform(5, 7), uniform(5)]),
    "conv2d": (lambda x, w, b: conv(x, w, b, stride=(2, 1), padding=1),
               lambda: [uniform(2, 9, 8, 3), uniform(6, 3, 2, 3), uniform(6)]),
    "conv2d_groups": (lambda x, w: conv(x, w, dilation=(1, 2), groups=2),
                      lambda: [uniform(2, 6, 7, 4), uniform(6, 3, 3, 2)]),
    "max_pool2d": (lambda x: nhwc(F.max_pool2d(nchw(x), (3, 2), 2, (1, 1))),
                   lambda: [uniform(2, 7, 6, 3)]),
    "avg_pool2d": (lambda x: nhwc(F.avg_pool2d(nchw(x), 2)), lambda: [uniform(2, 6, 8, 3)]),
    "softmax": unary(lambda x: x.softmax(1)), "log_softmax": unary(lambda x: x.log_softmax(-1)),
    "logsumexp": unary(lambda x: x.logsumexp(1)),
    "cross_entropy": (F.cross_entropy, lambda: [uniform(9, 5), indices(5, 9)]),
    "cross_entropy_smooth": (lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1),
                             lambda: [uniform(9, 5), indices(5, 9)]),
    "nll_loss": (lambda x, y: F.nll_loss(x.log_softmax(-1), y),
                 lambda: [uniform(9, 5), indices(5, 9)]),
    "mse_loss": (F.mse_loss, lambda: [uniform(4, 5), uniform(4, 5)]),
    "l1_loss": (F.l1_loss, lambda: [uniform(4, 5), uniform(4, 5)]),
    "smooth_l1_loss": (lambda a, b: F.smooth_l1_loss(a, b, beta=0.7),
                       lambda: [uniform(4, 5), uniform(4, 5)]),
    "bce_with_logits": (F.binary_cross_entropy_with_logits,
                        lambda: [uniform(4, 5), torch.rand((4, 5), generator=generator).double()]),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (6,), w, b),
                   lambda: [uniform(4, 3, 6), uniform(6), uniform(6)]),
    "batch_norm": (lambda x, w, b: nhwc(F.batch_norm(nchw(x), None, None, w, b, training=True)),
                   lambda: [uniform(3, 4, 5, 6), uniform(6), uniform(6)]),
}
# floor_divide has none in PyTorch, and zero in Glia; the others are results of training.
NO_GRADIENT = {"floor_divide", "adagrad_sparse", "sgd_sparse", "sparse_adam", "muon", "muon_rms",
               "adafactor", "adafactor_decay", "lbfgs", "lbfgs_wolfe", "lbfgs_valley",
               "lbfgs_valley_wolfe", "ema", "swa"}
OPS |= {
    "lstm": recurrent(nn.LSTM, 4), "gru": recurrent(nn.GRU, 3), "rnn": recurrent(nn.RNN, 1),
    "lstm_cell": recurrent(nn.LSTM, 4, lambda r: r[1][1][0]),
    "attention": attention(), "attention_causal": attention(is_causal=True, scale=0.7),
}


def in_bf16(function):
    def run(*tensors):
        with torch.autocast("cpu", torch.bfloat16):
            return function(*tensors)
    return run


OPS |= {
    "autocast_" + name: (in_bf16(OPS[name][0]), OPS[name][1])
    for name in ("matmul", "linear", "conv2d", "attention")
}
OPS |= {
    "autocast_pool": (in_bf16(lambda x, w: nhwc(F.max_pool2d(nchw(conv(x, w)), 2))),
                      lambda: [uniform(2, 10, 8, 4), uniform(6, 3, 3, 4)]),
    "autocast_loss": (in_bf16(lambda x, w, v, y: F.cross_entropy(
        F.linear(F.relu(F.linear(x, w)), v), y)),
        lambda: [uniform(64, 20, low=-1, high=1), uniform(32, 20, low=-0.3, high=0.3),
                 uniform(10, 32, low=-0.3, high=0.3), indices(10, 64)]),
}
OPS |= {
    "pow_0": unary(lambda x: x ** 0), "pow_half": unary(lambda x: x ** 0.5, positive),
    "pow_inverse": unary(lambda x: x ** -1, positive), "pow_3": unary(lambda x: x ** 3),
    "where_root": unary(lambda x: torch.where(x > 0, x.sqrt(), 0), positive),
    "where_safe_root": unary(lambda x: torch.where(x > 0, torch.where(x > 0, x, 1).sqrt(), 0)),
    "length": unary(lambda x: x.square().sum(1).sqrt()),
}


def tenths(integers, like):
    return (integers + 1).to(like.dtype) / 10


def special(*shape):
    """Whose logarithms are numbers, NaN and infinities."""
    x = positive(*shape)
    x.view(-1)[::7], x.view(-1)[3::7], x.view(-1)[5::14] = 0, torch.inf, -1
    return x


def clipped(norm_type):
    def run(*gradients):
        parameters = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
        for p, g in zip(parameters, gradients):
            p.grad = g.detach().clone()
        norm = nn.utils.clip_grad_norm_(parameters, 0.5, norm_type)
        return torch.cat([norm.reshape(1)] + [p.grad.reshape(-1) for p in parameters])
    return run, lambda: [uniform(4, 3), torch.zeros(5, dtype=torch.float64), uniform(7)]


CLASSES = [lambda: uniform(9, 5), lambda: indices(5, 9), lambda: indices(20, 5)]
OPS |= {
    "cross_entropy_weight": (
        lambda x, y, w: F.cross_entropy(x, y, tenths(w, x), ignore_index=2),
        lambda: [f() for f in CLASSES]),
    "cross_entropy_weight_smooth": (
        lambda x, y, w: F.cross_entropy(x, y, tenths(w, x), ignore_index=2, label_smoothing=0.2),
        lambda: [f() for f in CLASSES]),
    "cross_entropy_weight_each": (
        lambda x, y, w: F.cross_entropy(x, y, tenths(w, x), reduction="none", label_smoothing=0.2),
        lambda: [f() for f in CLASSES]),
    "cross_entropy_weight_soft": (
        lambda x, y, w: F.cross_entropy(x, y.softmax(-1), tenths(w, x), label_smoothing=0.2),
        lambda: [uniform(9, 5), uniform(9, 5), indices(20, 5)]),
    "nll_loss_weight": (
        lambda x, y, w: F.nll_loss(x.log_softmax(-1), y, tenths(w, x), ignore_index=2),
        lambda: [f() for f in CLASSES]),
    "bce_weight": (
        lambda x, y, w, p: F.binary_cross_entropy_with_logits(
            x, y, tenths(w, x), pos_weight=tenths(p, x)),
        lambda: [uniform(4, 5), uniform(4, 5, low=0, high=1), indices(20, 4, 1), indices(20, 5)]),
    "nan_to_num": unary(lambda x: torch.nan_to_num(x.log()), special),
    "nan_to_num_given": unary(lambda x: torch.nan_to_num(x.log(), 0.5, 4, -3), special),
    "smooth_l1_far": (lambda x, y: F.smooth_l1_loss(x.log(), y, reduction="none"),
                      lambda: [special(4, 5), uniform(4, 5)]),
    "max_nan": unary(lambda x: torch.max(x.log()), special),
    "amax_nan": unary(lambda x: torch.amax(x.log(), 1), special),
    "clip_norm_0": clipped(0), "clip_norm_1": clipped(1), "clip_norm_2": clipped(2),
    "clip_norm_3": clipped(3), "clip_norm_minus_1": clipped(-1),
    "clip_norm_largest": clipped(torch.inf), "clip_norm_least": clipped(-torch.inf),
}
NO_GRADIENT |= {name for name in OPS if name.startswith("clip_norm")}

OPS |= cases_functions.OPS
NO_GRADIENT |= cases_functions.NO_GRADIENT
OPS |= cases_losses.OPS
NO_GRADIENT |= cases_losses.NO_GRADIENT


# Sums, scans, norms and losses in f32: the error against f64 is at most PyTorch's, or one rounding
# of the result: half of the last place, and half a place of a double rounding.
ROUNDING = 2**-23
EXACT = {
    "exact_sum": lambda x: x.sum(), "exact_sum_rows": lambda x: x.sum(-1),
    "exact_sum_columns": lambda x: x.sum(0), "exact_mean": lambda x: x.mean(),
    "exact_mean_rows": lambda x: x.mean(-1), "exact_mean_columns": lambda x: x.mean(0),
    "exact_var": lambda x: x.var(), "exact_var_rows": lambda x: x.var(-1),
    "exact_var_columns": lambda x: x.var(0), "exact_cumsum": lambda x: x.cumsum(0),
    "exact_cumsum_rows": lambda x: x.cumsum(-1), "exact_logsumexp": lambda x: x.logsumexp(-1),
    "exact_logsumexp_columns": lambda x: x.logsumexp(0),
    "exact_softmax": lambda x: x.softmax(-1), "exact_log_softmax": lambda x: x.log_softmax(-1),
    "exact_length": lambda x: x.square().sum(-1).sqrt(),
    "exact_layer_norm": lambda x: F.layer_norm(x, x.shape[-1:]),
    "exact_batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "exact_mse_loss": lambda x: F.mse_loss(x, x.flip(0)),
    "exact_l1_loss": lambda x: F.l1_loss(x, x.flip(0)),
    "exact_smooth_l1_loss": lambda x: F.smooth_l1_loss(x, x.flip(0)),
    "exact_cross_entropy": lambda x, y: F.cross_entropy(x, y, reduction="none"),
    "exact_cross_entropy_mean": F.cross_entropy, "exact_nll_loss": F.nll_loss,
    "exact_bce": lambda x: F.binary_cross_entropy_with_logits(x, torch.full_like(x, 0.25)),
}
EXACT_PRODUCTS = {
    "exact_prod_rows": lambda x: x.prod(-1), "exact_prod_columns": lambda x: x.prod(0),
    "exact_cumprod": lambda x: x.cumprod(0),
}
# These round at least three times on the way: so much is theirs, whatever PyTorch's error is.
THREE_ROUNDINGS = {"exact_var", "exact_var_rows", "exact_var_columns", "exact_softmax",
                   "exact_log_softmax", "exact_layer_norm", "exact_batch_norm"}
# Both sides round several times on the way, and which is nearer is chance: to a tenth.
ROUNDED_ON_THE_WAY = {"exact_softmax", "exact_log_softmax", "exact_cross_entropy",
                      "exact_cross_entropy_mean", "exact_layer_norm", "exact_batch_norm"}
# What lies near the mean is as far off as the mean is rounded: relative to the largest value.
OF_LARGEST = {"exact_layer_norm", "exact_batch_norm"}
OF_CLASSES = {"exact_cross_entropy", "exact_cross_entropy_mean", "exact_nll_loss"}


def exact_cases():
    """Inputs, and what distinguishes them."""
    for rows, columns in (100, 768), (9000, 16), (6, 20000), (3000, 7), (257, 130):
        for magnitude, low, offset in ((1, 0, 0), (1, 0, 1), (1, 0, 100), (1, 0, 1e4), (1, -1, 0),
                                       (1e-3, 0, 0), (1e3, 0, 0)):
            even = low + (1 - low) * torch.rand(rows, columns, generator=generator)
            yield (f"{rows}x{columns} from {low} of {magnitude:g} at {offset:g}", EXACT,
                   magnitude * (even + offset))
        for value in 0.1, 0.3, 1000.1:
            yield f"{rows}x{columns} of {value}", EXACT, torch.full((rows, columns), value)
        near = 1 + 1e-3 * torch.rand(rows, columns, generator=generator)
        yield f"{rows}x{columns} near 1", EXACT_PRODUCTS, near


def relative_error(name, got, want):
    """Of each number, but of small ones of the largest: zeros are as likely."""
    got, want = got.double(), want.double()
    least = (want.abs().max() * (1 if name in OF_LARGEST else 1e-3)).clamp_min(1e-30)
    return ((got - want).abs() / want.abs().clamp_min(least)).max().item()


def compare_exact():
    inputs, errors = {}, {}
    for text, functions, x in exact_cases():
        name = "+".join(functions) + "." + text
        y = indices(x.shape[1], x.shape[0])
        inputs[f"{name}/in0"], inputs[f"{name}/in1"] = x.numpy(), y.numpy()
        for one, function in functions.items():
            more = [y] if one in OF_CLASSES else []
            want = function(x.double(), *more)
            errors[f"{one}.{text}"] = want, relative_error(one, function(x, *more), want)
    tensors.save(FOLDER / "inputs.safetensors", inputs)
    subprocess.run([PROGRAM, "ops", FOLDER], check=True)
    got = tensors.load(FOLDER / "outputs.safetensors")
    worst = 0
    for case, (want, theirs) in errors.items():
        name = case.split(".")[0]
        error = relative_error(name, torch.as_tensor(got[case + "/out"]), want)
        bound = max((1.1 if name in ROUNDED_ON_THE_WAY else 1) * theirs,
                    (1.5 if name in THREE_ROUNDINGS else 1) * ROUNDING)
        worst = max(worst, error / bound)
        check(case, error <= bound, f"error {error:.2e}, PyTorch's {theirs:.2e}")
    print(f"{len(errors)} sums, scans, norms and losses, errors up to {worst:.2f} of the bound")


def tolerance(name, dtype):
    if name.startswith("muon"):
        # PyTorch multiplies in bf16, 2^-8 in each of five iterations; steps are a tenth of weights.
        return 0.1 * 5 * 2**-8
    if name.startswith("lbfgs"):
        # Each iteration goes on from the roundings of the last, and searches branch on them: of f32
        # no bound can be told.
        return None if dtype == torch.float32 else 1e-10
    if name.startswith(("polygamma_1", "digamma")) and dtype == torch.float64:
        return 1e-9  # PyTorch's trigamma is not better
    if name.startswith("hardsigmoid.float64"):
        return 1e-7  # PyTorch's slope is a sixth of f32
    half = name.startswith("autocast") and dtype == torch.float32
    return HALF_TOLERANCE if half else TOLERANCE[dtype]


def compare_ops():
    inputs, wanted = {}, {}
    for op, (function, make) in OPS.items():
        for dtype in (torch.float32, torch.float64):
            name = f"{op}.{str(dtype).split('.')[1]}"
            given = [x.to(dtype) if x.dtype.is_floating_point else x for x in make()]
            for x in given:
                x.requires_grad_(x.dtype.is_floating_point)
            out = function(*given)
            for i, x in enumerate(given):
                inputs[f"{name}/in{i}"] = x.detach().numpy()
            wanted[f"{name}/out"] = (out, dtype)
            if not out.dtype.is_floating_point or op in NO_GRADIENT:
                continue
            weight = uniform(*out.shape).to(dtype)
            inputs[f"{name}/weight"] = weight.numpy()
            out.backward(weight.to(out.dtype))
            for i, x in enumerate(given):
                if x.requires_grad:
                    wanted[f"{name}/grad{i}"] = (x.grad, dtype)
    tensors.save(FOLDER / "inputs.safetensors", inputs)
    subprocess.run([PROGRAM, "ops", FOLDER], check=True)
    got = tensors.load(FOLDER / "outputs.safetensors")
    check("results", got.keys() == wanted.keys(), str(sorted(got.keys() ^ wanted.keys())))
    for name in got.keys() & wanted.keys():
        want, dtype = wanted[name]
        if (bound := tolerance(name, dtype)) is not None:
            check_close(name, got[name], want, bound)
    print(f"{len(OPS)} operations, {len(wanted)} results and gradients")


# ---- Special points -------------------------------------------------------------------------

INF, NAN = float("inf"), float("nan")
POINTS = [0.0, -0.0, 0.5, 1, -1, 2, -2.5, 3, -3, 20, 1e-3, 1e-12, -1e12, 1e30, -1e30, 1e-42, INF, -INF,
          NAN]
SPECIAL_TOLERANCE = {torch.float32: (1e-5, 1e-6), torch.float64: (1e-12, 1e-13)}


def pairs():
    a, b = torch.meshgrid(torch.tensor(POINTS).double(), torch.tensor(POINTS).double(),
                          indexing="ij")
    return [a.flatten(), b.flatten()]


def triples(axis):
    few = torch.tensor([0.0, -0.0, 1, 2, -1.5, INF, -INF, NAN]).double()
    rows = torch.cartesian_prod(few, few, few)
    return [rows[:, :, None] if axis == 1 else rows[:, None] if axis == 2 else rows.T[None]]


# Operations and the points they are tried at: all of POINTS, all pairs, all triples along an axis.
SPECIAL = {name: lambda: [torch.tensor(POINTS).double()] for name in (
    "neg", "abs", "sign", "square", "reciprocal", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p",
    "sin", "cos", "tanh", "erf", "floor", "ceil", "round", "relu", "leaky_relu", "elu", "sigmoid",
    "log_sigmoid", "softplus", "silu", "gelu", "clamp", "pow_0", "pow_half", "pow_inverse", "pow_3",
    "where_root", "where_safe_root")}
SPECIAL |= {name: SPECIAL["abs"] for name in cases_functions.SPECIAL}
SPECIAL |= {name: pairs for name in cases_functions.SPECIAL_PAIRS}
SPECIAL |= {name: lambda: triples(1) for name in cases_functions.SPECIAL_ROWS}
SPECIAL |= {name: SPECIAL["abs"] for name in cases_losses.SPECIAL}
SPECIAL |= {name: pairs for name in (
    "add", "sub", "mul", "div", "pow", "maximum", "minimum", "atan2", "floor_divide", "remainder",
    "where")}
SPECIAL |= {name: lambda: triples(1) for name in (
    "prod", "max", "cumsum", "cumprod", "sort", "softmax", "logsumexp", "length")}
SPECIAL |= {"min": lambda: triples(2), "mean": lambda: triples(2), "log_softmax": lambda: triples(2),
            "var": lambda: triples(0)}


def left_out(name, part, given):
    """Where Glia means to differ, and why."""
    x = given[0]
    if name == "sign" and part == "out":
        return x.isnan()  # NaN as in NumPy; PyTorch gives 0
    if name == "gelu" and part == "out":
        return x == INF  # PyTorch's vectors of f32 give NaN, its single numbers infinity
    if name == "remainder" and part == "out":
        return (x / given[1]).isinf() & x.isfinite()  # exact; PyTorch's vectors of f32 give NaN
    if name == "var" and part != "out":
        # The variance is NaN itself.
        return ~x.isfinite().all(1, keepdim=True).expand(x.shape)
    if name in ("prod", "cumprod") and part != "out":
        # The product of the others; PyTorch divides the whole product by each, inf / inf.
        return ~x.isfinite().all(1, keepdim=True).expand(x.shape)
    if name == "logsumexp" and part != "out":
        return (x == -INF).all(1, keepdim=True).expand(x.shape)  # 0: no element has a share
    if name in cases_losses.OPS:
        return cases_losses.left_out(name, part, x)
    return cases_functions.left_out(name, part, given)


def compare_special():
    inputs, wanted = {}, {}
    for op, make in SPECIAL.items():
        for dtype in (torch.float32, torch.float64):
            name = f"{op}.special_{str(dtype).split('.')[1]}"
            given = [x.to(dtype).contiguous().requires_grad_() for x in make()]
            out = OPS[op][0](*given)
            for i, x in enumerate(given):
                inputs[f"{name}/in{i}"] = x.detach().numpy()
            wanted[f"{name}/out"] = (op, "out", out.detach(), given)
            if op in NO_GRADIENT or not out.dtype.is_floating_point:
                continue
            inputs[f"{name}/weight"] = np.ones(tuple(out.shape), inputs[f"{name}/in0"].dtype)
            out.backward(torch.ones_like(out))
            for i, x in enumerate(given):
                wanted[f"{name}/grad{i}"] = (op, f"grad{i}", x.grad, given)
    tensors.save(FOLDER / "inputs.safetensors", inputs)
    subprocess.run([PROGRAM, "ops", FOLDER], check=True)
    got = tensors.load(FOLDER / "outputs.safetensors")
    check("special points", got.keys() == wanted.keys(), str(sorted(got.keys() ^ wanted.keys())))
    points = 0
    for name in got.keys() & wanted.keys():
        op, part, want, given = wanted[name]
        found = torch.as_tensor(got[name])
        relative, absolute = SPECIAL_TOLERANCE.get(want.dtype, (0, 0))
        same = torch.isclose(found, want, relative, absolute, equal_nan=True)
        skipped = left_out(op, part, [x.detach() for x in given])
        if skipped is not None:
            same |= skipped
        points += same.numel()
        if not same.all():
            at = (~same).nonzero()[0]
            place = tuple(at.tolist())
            row = [x.detach()[place] if x.shape == want.shape else x.detach()[place[0]]
                   for x in given]
            check(name, False, f"{(~same).sum()} of {same.numel()} differ; at {row}: "
                               f"{found[place].item()}, not {want[place].item()}")
    print(f"{len(SPECIAL)} operations at special points, {points} numbers")


def main():
    compare_ops()
    compare_printing()
    compare_exact()
    compare_special()
    compare_training("mlp", Mlp)
    compare_training("cnn", Cnn)
    for fault in faults:
        print("FAILED", fault)
    print("parity with PyTorch", torch.__version__, "FAILED" if faults else "holds")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
