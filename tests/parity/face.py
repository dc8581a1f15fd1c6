"""Compares functions of the Python module with PyTorch's: values and gradients, in f64 and f32.

A table is a list of cases: a name, PyTorch's function, Glia's, and the inputs as arrays of NumPy in
PyTorch's layout. `channels` says which inputs, and whether the result, have their channels second in
PyTorch and last in Glia.
"""
import dataclasses
from typing import Callable

import numpy as np
import torch

import glia

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-5}
faults = []
checked = 0


@dataclasses.dataclass
class Case:
    name: str
    torch: Callable
    glia: Callable
    inputs: list
    channels: tuple = ()  # inputs with channels second in PyTorch
    result: bool = True   # the result has them, too
    gradients: bool = True


def last(a):
    """Channels second -> last."""
    return np.ascontiguousarray(np.moveaxis(a, 1, -1)) if a.ndim > 2 else a


def second(a):
    return np.moveaxis(a, -1, 1) if a.ndim > 2 else a


def close(name, found, want, tolerance):
    global checked
    checked += 1
    found, want = np.asarray(found, np.float64), np.asarray(want, np.float64)
    if found.shape != want.shape:
        faults.append(f"{name}: shape {found.shape}, PyTorch {want.shape}")
        return
    if found.size == 0:
        return
    both = np.isfinite(want)
    if not np.array_equal(found[~both], want[~both], equal_nan=True):
        faults.append(f"{name}: other infinities or NaN")
        return
    if not both.any():
        return
    scale = max(np.abs(want[both]).max(), 1e-30)
    error = np.abs(found - want)[both].max() / scale
    if not error <= tolerance:
        faults.append(f"{name}: {error:.2g} of the largest value")


def run(cases):
    for case in cases:
        for dtype, tolerance in TOLERANCE.items():
            name = f"{case.name} {dtype.__name__}"
            arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in case.inputs]
            theirs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
            ours = [glia.from_numpy(last(a) if i in case.channels else a)
                    for i, a in enumerate(arrays)]
            ours = [glia.trainable(t) if a.dtype.kind == "f" else t for t, a in zip(ours, arrays)]
            try:
                want, found = case.torch(*theirs), case.glia(*ours)
                # One weight for each result element, in the same layout on both sides.
                shape = tuple(want.shape)
                weights = np.cos(np.arange(max(want.numel(), 1)))[:want.numel()].reshape(shape)
                value = np.asarray(found)
                close(name, second(value) if case.result else value, want.detach().numpy(), tolerance)
                if not case.gradients or not want.requires_grad:
                    continue
                weights = weights.astype(dtype)
                wanted = [t for t in theirs if t.requires_grad]
                slopes = torch.autograd.grad((want * torch.tensor(weights)).sum(), wanted,
                                             allow_unused=True)
                mine = glia.from_numpy(last(weights) if case.result else weights)
                floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
                own = glia.gradients(glia.sum(found * mine), [ours[i] for i in floats])
                for i, g, w in zip(floats, own, slopes):
                    if w is None:
                        continue
                    g = np.asarray(g)
                    close(f"{name}, gradient {i}", second(g) if i in case.channels else g,
                          w.numpy(), 10 * tolerance)
            except Exception as error:  # noqa: BLE001
                faults.append(f"{name}: {type(error).__name__}: {error}")


def report(what):
    for fault in faults:
        print("FAULT", fault)
    print(f"{what}: {checked} comparisons, {len(faults)} faults")
    return 1 if faults else 0
