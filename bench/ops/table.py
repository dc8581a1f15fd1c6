"""What the operations of glia-bench-ops are in PyTorch: inputs, kinds and the table of them all.

Images and kernels are (N, H, W, C), like Glia's; where `layouts` says so, a function gets them and
gives its result as PyTorch wants them, (N, C, H, W).
"""
import dataclasses
from typing import Callable

import torch

M = 4096   # rows and columns of a large matrix
E = M * M  # 16 M elements
NAMES = {torch.float32: "f32", torch.float64: "f64", torch.bfloat16: "bf16", torch.float16: "f16",
         torch.int64: "i64", torch.int32: "i32", torch.uint8: "u8", torch.bool: "bool"}
f32, f64, bf16, f16, i64, i32, u8, bool_ = NAMES
OTHERS = (u8, bf16, f64, i64, i32)  # types that many operations are also timed with

# ---- Inputs -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Input:
    shape: tuple
    dtype: torch.dtype
    fill: Callable  # shape, dtype -> tensor
    fixed: bool = False  # no gradient is asked for, though it is a float

    def make(self):
        return self.fill(self.shape, self.dtype)


def normal(shape, dtype):
    return torch.randn(shape, dtype=f64 if dtype == f64 else f32).to(dtype)


def numbers(*shape, dtype=f32):
    """Floats: normal; integers: 0 to 99; bool: each with probability 1/2."""
    def fill(s, d):
        if d == bool_:
            return normal(s, f32) > 0
        return normal(s, d) if d.is_floating_point else torch.randint(0, 100, s).to(d)
    return Input(shape, dtype, fill)


def scaled(factor, *shape, dtype=f32):
    return Input(shape, dtype, lambda s, d: normal(s, d) * factor)


def positive(*shape, dtype=f32):
    """|normal|, or integers from 1 to 100."""
    return Input(shape, dtype, lambda s, d: normal(s, d).abs() if d.is_floating_point
                 else torch.randint(1, 101, s).to(d))


def above(threshold, *shape):
    return Input(shape, bool_, lambda s, d: normal(s, f32) > threshold)


def indices(high, *shape):
    return Input(shape, i64, lambda s, d: torch.randint(0, high, s))


def width_of(dtype):
    return M // 2 if dtype.itemsize == 8 else M


def matrix(dtype=f32):
    return numbers(M, width_of(dtype), dtype=dtype)


# ---- The table --------------------------------------------------------------------------------

VALUE, LOSS, GRAD = "value", "loss", "grad"
CONTIGUOUS = (torch.contiguous_format,)
BOTH = (torch.contiguous_format, torch.channels_last)


@dataclasses.dataclass(frozen=True)
class Op:
    name: str
    kind: str
    inputs: list
    function: Callable
    layouts: tuple = ()   # memory formats; not empty: arrays of rank 4 are images or kernels
    varies: bool = False  # from run to run: its results cannot be compared

    def wanted(self):
        """Numbers of the inputs that gradients are asked for."""
        return [i for i, x in enumerate(self.inputs)
                if self.kind != VALUE and x.dtype.is_floating_point and not x.fixed]


OPS = {}


def add(kind, name, inputs, function, **more):
    assert name not in OPS, name
    OPS[name] = Op(name, kind, inputs, function, **more)


def value(name, inputs, function, **more):
    add(VALUE, name, inputs, function, **more)


def loss(name, inputs, function, **more):
    """One element, and the gradients of the inputs."""
    add(LOSS, name, inputs, function, **more)


def grad(name, inputs, function, **more):
    """A value, and the gradients for a given cotangent of its shape."""
    add(GRAD, name, inputs, function, **more)
