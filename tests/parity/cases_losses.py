"""Activations, norms and losses: PyTorch's side of losses.h."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from compare import generator, indices, nchw, nhwc, positive, uniform


def unary(function, make=uniform):
    return function, lambda: [make(4, 3, 5)]


def channels_first(function):
    return lambda x, *rest: function(x.movedim(-1, 1), *rest).movedim(1, -1)


def probabilities(*shape):
    return uniform(*shape, low=0.02, high=0.98)


def signs(*shape):
    """1 and -1, as floats."""
    return (indices(2, *shape) * 2 - 1).double()


def steps(make):
    """Five steps of SGD on a layer that starts from a given state; images are (N, H, W, C)."""
    def run(x, *state):
        layer = make().to(x.dtype)
        layer.load_state_dict(dict(zip(layer.state_dict(), (t.detach() for t in state))))
        images = x.ndim == 4
        call = (lambda: nhwc(layer(nchw(x.detach())))) if images else (lambda: layer(x.detach()))
        optimizer = torch.optim.SGD(layer.parameters(), 0.1)
        for _ in range(5):
            optimizer.zero_grad()
            call().square().mean().backward()
            optimizer.step()
        layer.eval()
        return torch.cat([call().reshape(-1)] +
                         [t.reshape(-1) for t in layer.state_dict().values()]).detach()

    def inputs():
        state = [uniform(*t.shape, low=-1, high=1) for t in make().state_dict().values()]
        conv = any(t.ndim == 4 for t in state)
        return [uniform(2, 5, 6, 2) if conv else uniform(7, 4), *state]
    return run, inputs


def ctc(joined=False, blank=0, **options):
    def run(x, labels, frames, counts):
        targets = labels if blank else labels + 1
        return F.ctc_loss(x.log_softmax(-1).transpose(0, 1), targets, frames, counts, blank=blank,
                          **options)

    def inputs():
        counts = torch.tensor([4, 0, 3, 5, 2])
        labels = indices(5, 14) if joined else indices(5, 5, 5)
        if not joined:
            labels[0] = 2  # all alike: a blank between each two
        return [uniform(5, 12, 6), labels, torch.tensor([12, 7, 5, 11, 0 if options else 8]), counts]
    return run, inputs


MATRICES = lambda: [uniform(4, 5), uniform(4, 5)]
AFFINE = lambda shape: lambda: [uniform(*shape), uniform(shape[-1]), uniform(shape[-1])]
VECTORS = lambda: [uniform(6, 5), uniform(6, 5), uniform(6, 5)]

ACTIVATIONS = {
    "threshold": unary(lambda x: F.threshold(x, 0.5, -2)),
    "relu6": unary(lambda x: F.relu6(x * 4)), "hardtanh": unary(F.hardtanh),
    "hardtanh_wide": unary(lambda x: F.hardtanh(x, -2, 0.5)),
    "hardswish": unary(lambda x: F.hardswish(x * 2)),
    "hardsigmoid": unary(lambda x: F.hardsigmoid(x * 2)), "hardshrink": unary(F.hardshrink),
    "softshrink": unary(lambda x: F.softshrink(x, 1)), "tanhshrink": unary(F.tanhshrink),
    "softsign": unary(F.softsign), "mish": unary(F.mish), "selu": unary(F.selu),
    "celu": unary(lambda x: F.celu(x, 2)), "softplus_beta": unary(lambda x: F.softplus(x, 2, 3)),
    "softplus_threshold": unary(lambda x: F.softplus(x * 8)),
    "gelu_tanh": unary(lambda x: F.gelu(x, approximate="tanh")), "rrelu": unary(F.rrelu),
}
OPS = ACTIVATIONS | {
    "prelu": (F.prelu, lambda: [uniform(4, 5), uniform(1)]),
    "prelu_channels": (channels_first(F.prelu), lambda: [uniform(4, 3, 5), uniform(5)]),
    "glu": (lambda x: F.glu(x, 1), lambda: [uniform(4, 6, 5)]),
    "softmin": unary(lambda x: F.softmin(x, 1)),
    "group_norm": (channels_first(lambda x, w, b: F.group_norm(x, 3, w, b)), AFFINE((4, 5, 7, 6))),
    "group_norm_rows": (lambda x, w, b: F.group_norm(x, 2, w, b, 1e-3), AFFINE((4, 6))),
    "group_norm_plain": (channels_first(lambda x: F.group_norm(x, 2)), lambda: [uniform(3, 7, 4)]),
    "instance_norm": (channels_first(lambda x, w, b: F.instance_norm(x, weight=w, bias=b)),
                      AFFINE((3, 4, 5, 6))),
    "rms_norm": (lambda x, w: F.rms_norm(x, (6,), w), lambda: [uniform(4, 3, 6), uniform(6)]),
    "rms_norm_axes": (lambda x, w: F.rms_norm(x, (3, 6), w, 1e-3),
                      lambda: [uniform(4, 3, 6), uniform(3, 6)]),
    "local_response_norm": (
        channels_first(lambda x: F.local_response_norm(x, 3, 0.5, 0.6, 2)),
        lambda: [uniform(2, 3, 4, 7)]),
    "local_response_norm_even": (channels_first(lambda x: F.local_response_norm(x, 4)),
                                 lambda: [uniform(2, 3, 4, 7)]),
    "local_response_norm_wide": (channels_first(lambda x: F.local_response_norm(x, 25)),
                                 lambda: [uniform(2, 3, 7)]),
    "normalize": unary(lambda x: F.normalize(x, dim=-1)),
    "normalize_3": unary(lambda x: F.normalize(x, 3, 1)),
    "pairwise_distance": (F.pairwise_distance, MATRICES),
    "pairwise_distance_1": (lambda a, b: F.pairwise_distance(a, b, 1, keepdim=True), MATRICES),
    "pairwise_distance_3": (lambda a, b: F.pairwise_distance(a, b, 3), MATRICES),
    "pairwise_distance_most": (lambda a, b: F.pairwise_distance(a, b, torch.inf), MATRICES),
    "cosine_similarity": (lambda a, b: F.cosine_similarity(a, b, -1),
                          lambda: [uniform(4, 3, 5), uniform(3, 5)]),
    "cosine_similarity_axis": (lambda a, b: F.cosine_similarity(a, b, 0), MATRICES),
    "huber_loss": (lambda x, y: F.huber_loss(x, y, delta=0.7), MATRICES),
    "huber_loss_each": (lambda x, y: F.huber_loss(x, y, reduction="none", delta=2), MATRICES),
    "bce_loss": (F.binary_cross_entropy, lambda: [probabilities(4, 5), probabilities(4, 5)]),
    "bce_loss_weight": (
        lambda x, y, w: F.binary_cross_entropy(x, y, w.detach(), reduction="sum") + 0 * w.sum(),
        lambda: [probabilities(4, 5), probabilities(4, 5), positive(5)]),
    "poisson_nll_loss": (F.poisson_nll_loss, MATRICES),
    "poisson_nll_loss_full": (
        lambda x, y: F.poisson_nll_loss(x, y, log_input=False, full=True, reduction="none"),
        lambda: [positive(4, 5), positive(4, 5)]),
    "gaussian_nll_loss": (F.gaussian_nll_loss, lambda: MATRICES() + [positive(4, 5)]),
    "gaussian_nll_loss_rows": (
        lambda x, y, v: F.gaussian_nll_loss(x, y, v, full=True, eps=0.5, reduction="none"),
        lambda: MATRICES() + [positive(4)]),
    "kl_div": (F.kl_div, lambda: [uniform(4, 5), probabilities(4, 5)]),
    "kl_div_log": (lambda x, y: F.kl_div(x, y, log_target=True, reduction="sum"), MATRICES),
    "kl_div_batch": (lambda x, y: F.kl_div(x, y, reduction="batchmean"),
                     lambda: [uniform(4, 5), probabilities(4, 5)]),
    "hinge_embedding_loss": (lambda x, y: F.hinge_embedding_loss(x, 2 * y - 1),
                             lambda: [uniform(4, 5), indices(2, 4, 5)]),
    "hinge_embedding_loss_each": (
        lambda x, y: F.hinge_embedding_loss(x, 2 * y - 1, 0.4, reduction="none"),
        lambda: [uniform(4, 5), indices(2, 4, 5)]),
    "soft_margin_loss": (lambda x, y: F.soft_margin_loss(x, (2 * y - 1).to(x.dtype)),
                         lambda: [uniform(4, 5), indices(2, 4, 5)]),
    "margin_ranking_loss": (lambda a, b, y: F.margin_ranking_loss(a, b, y, 0.3),
                            lambda: MATRICES() + [signs(4, 5)]),
    "multi_margin_loss": (F.multi_margin_loss, lambda: [uniform(9, 5), indices(5, 9)]),
    "multi_margin_loss_weight": (
        lambda x, y, w: F.multi_margin_loss(x, y, 2, 0.7, w.detach(), reduction="sum") + 0 * w.sum(),
        lambda: [uniform(9, 5), indices(5, 9), positive(5)]),
    "multilabel_margin_loss": (lambda x, y: F.multilabel_margin_loss(x, y - 1),
                               lambda: [uniform(9, 5), indices(6, 9, 5)]),
    "multilabel_margin_loss_each": (
        lambda x, y: F.multilabel_margin_loss(x, y - 1, reduction="none"),
        lambda: [uniform(9, 5), indices(6, 9, 5)]),
    "multilabel_soft_margin_loss": (F.multilabel_soft_margin_loss,
                                    lambda: [uniform(4, 5), probabilities(4, 5)]),
    "multilabel_soft_margin_loss_weight": (
        lambda x, y, w: F.multilabel_soft_margin_loss(x, y, w.detach(), reduction="none") +
        0 * w.sum(),
        lambda: [uniform(4, 5), probabilities(4, 5), positive(5)]),
    "cosine_embedding_loss": (lambda a, b, y: F.cosine_embedding_loss(a, b, 2 * y - 1, 0.1),
                              lambda: [uniform(6, 5), uniform(6, 5), indices(2, 6)]),
    "triplet_margin_loss": (F.triplet_margin_loss, VECTORS),
    "triplet_margin_loss_swap": (
        lambda a, p, n: F.triplet_margin_loss(a, p, n, 2, 3, swap=True, reduction="none"), VECTORS),
    "triplet_margin_with_distance_loss": (
        lambda a, p, n: F.triplet_margin_with_distance_loss(
            a, p, n, distance_function=lambda x, y: 1 - F.cosine_similarity(x, y), margin=0.5,
            swap=True, reduction="sum"), VECTORS),
    "ctc_loss": ctc(), "ctc_loss_each": ctc(zero_infinity=True, reduction="none"),
    "ctc_loss_sum": ctc(zero_infinity=True, reduction="sum"),
    "ctc_loss_joined": ctc(joined=True, zero_infinity=True),
    "ctc_loss_blank": ctc(blank=5, zero_infinity=True),
    "weight_norm_linear": steps(lambda: parametrizations.weight_norm(nn.Linear(4, 3))),
    "weight_norm_whole": steps(
        lambda: parametrizations.weight_norm(nn.Linear(4, 3, bias=False), dim=None)),
    "weight_norm_conv": steps(lambda: parametrizations.weight_norm(nn.Conv2d(2, 3, (2, 3)))),
    "spectral_norm_linear": steps(lambda: parametrizations.spectral_norm(nn.Linear(4, 3))),
    "spectral_norm_conv": steps(
        lambda: parametrizations.spectral_norm(nn.Conv2d(2, 3, (2, 3)), n_power_iterations=2)),
}
NO_GRADIENT = {name for name in OPS if "weight_norm" in name or "spectral_norm" in name}
SPECIAL = list(ACTIVATIONS)


def left_out(name, part, x):
    """Special points at which Glia means to differ; None: none."""
    if name == "hardswish" and part == "out":
        return x == -torch.inf  # 0, the limit; PyTorch gives NaN
    if name == "hardsigmoid" and part != "out":
        # A slope of NaN has no meaning; PyTorch's sixth in f64 is one of f32.
        return x.isnan() | (x.abs() < 3 if x.dtype == torch.float64 else x.isnan())
    return None
