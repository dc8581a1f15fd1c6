"""What all comparisons share: random inputs, the bounds of differences, and the faults found."""
import pathlib
import sys

import torch
import torch.nn.functional as F

PROGRAM, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])  # as parity.py is called
# Of the largest value of a result: sums are made in another order.
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}
HALF_TOLERANCE = 1 / 128  # one rounding to bf16 of each side

generator = torch.Generator().manual_seed(20)
faults = []


def check(name, good, text=""):
    if not good:
        faults.append(f"{name}: {text}")


def check_close(name, got, want, tolerance):
    got, want = torch.as_tensor(got), want.detach()
    if got.dtype == torch.uint16:
        got = got.view(torch.bfloat16)
    if got.shape != want.shape or got.dtype != want.dtype:
        return check(name, False, f"{got.dtype} {tuple(got.shape)}, "
                                  f"not {want.dtype} {tuple(want.shape)}")
    if not want.dtype.is_floating_point:
        return check(name, torch.equal(got, want), "integers differ")
    finite = want.isfinite()
    if not torch.equal(got[~finite].nan_to_num(0.5), want[~finite].nan_to_num(0.5)):
        return check(name, False, "infinities or NaNs differ")
    got, want = got[finite], want[finite]
    scale = max(want.abs().max().item() if want.numel() else 0, 1e-30)
    error = (got - want).abs().max().item() / scale if want.numel() else 0
    check(name, error <= tolerance, f"{error:.2e} of the largest value")


def uniform(*shape, low=-3.0, high=3.0):
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def positive(*shape):
    return uniform(*shape, low=0.2)


def indices(size, *shape):
    return torch.randint(0, size, shape, generator=generator)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def nchw(x):
    return x.permute(0, 3, 1, 2)


def conv(x, w, *rest, **options):
    """NHWC images, weights (O, kH, kW, C)."""
    return nhwc(F.conv2d(nchw(x), nchw(w), *rest, **options))
