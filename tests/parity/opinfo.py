"""Runs the sample inputs of PyTorch's own database of operations through the Python face.

usage: opinfo.py [--list] [--most N] [NAME...]   needs torch and expecttest; with --list says what differs

An operation is called by its name, with axes under Glia's word for them, or as ADAPTED says where
the arguments differ; images go in and out with their channels last. Prints how many operations that
users call exist, and how many samples agree.
"""
import argparse
import collections
import re
import sys

import glia
import torch
from opinfo_adapted import ADAPTED, IMAGES, SAME_AS, NotHere, called, images, nn
from torch.testing._internal.common_methods_invocations import op_db

# What nobody calls on numbers of their own, or has no values to compare.
LEFT_OUT = {
    r"(_.*|jiterator_.*|torch\.ops\..*|torch\._.*|.*_copy|.*_backward|native_.*|hash_tensor)": "internal",
    r"(resize_.*|as_strided.*|to_sparse|sparse\..*|(new_)?empty.*|view.*|resolve_.*|contiguous|clone|"
    r"item|to|zero_|unsafe_.*|masked\..*|positive|broadcast_shapes|scalar_tensor|nonzero_static)":
        "of PyTorch's storage or kinds of tensors",
    r"(bfloat16|bool|byte|char|double|float|half|int|long|short|cdouble|cfloat|chalf|type)": "casts",
    r"(bernoulli|cauchy|exponential|geometric|log_normal|multinomial|normal|rand.*|uniform|"
    r".*dropout.*|.*rrelu|.*fractional_max.*|.*_lowrank)": "random",
    r"(complex|conj.*|imag|real|mH|view_as_.*)": "of complex numbers",
    r"(special\..*(polynomial|bessel|airy).*|special\.zeta)": "of orthogonal polynomials and the like",
}
# The one result of several that is determined: vectors may have either sign, and any basis.
UNIQUE = {"linalg.lstsq": 0, "linalg.svd": 1, "svd": 1, "linalg.eigh": 0}
TOLERANCE = dict(rtol=2e-5, atol=2e-5)


def function_of(name):
    """What Glia calls it, or None."""
    name = SAME_AS.get(name, name)
    if name in ADAPTED:
        return ADAPTED[name]
    if name in IMAGES:
        return images(nn(name.rpartition(".")[2]))
    at = glia
    for part in name.split("."):
        if part in ("nn", "functional", "special", "linalg" if not hasattr(glia, "linalg") else "nn"):
            continue
        at = getattr(at, part, None)
        if at is None:
            return None
    return nn(name.rpartition(".")[2]) if name.startswith("nn.") else (
        lambda *args, **kwargs: called(at, *args, **kwargs))


def to_glia(x):
    if callable(x) and not isinstance(x, (torch.Tensor, torch.dtype)):
        raise NotHere("functions of PyTorch")
    if isinstance(x, torch.Tensor):
        if x.is_complex() or x.layout != torch.strided or x.dtype in (torch.int16, torch.uint16):
            raise NotHere("complex numbers or other kinds of tensors")
        x = x.detach().resolve_neg().contiguous()
        return glia.tensor(x.item()).cast(str(x.dtype).removeprefix("torch.")) if x.ndim == 0 else (
            glia.from_dlpack(x.clone()))
    if isinstance(x, torch.dtype):
        if x.is_complex or x == torch.int16:
            raise NotHere("complex numbers or i16")
        return str(x).removeprefix("torch.")
    if isinstance(x, (torch.device, torch.memory_format, torch.layout)):
        return None
    if isinstance(x, (complex, torch.SymInt)):
        raise NotHere("complex numbers")
    if isinstance(x, torch.Size):
        return tuple(x)
    if isinstance(x, (list, tuple)):
        return type(x)(map(to_glia, x))
    if isinstance(x, dict):
        return {k: to_glia(v) for k, v in x.items()}
    return x


def results(x):
    if isinstance(x, (list, tuple)):
        return [r for part in x for r in results(part)]
    if isinstance(x, torch.Tensor):
        return [x.detach()]
    if hasattr(x, "__dlpack__"):
        return [torch.from_dlpack(x) if x.numel() else torch.zeros(
            x.shape, dtype=getattr(torch, {"f32": "float32", "f64": "float64", "i64": "int64", "bool": "bool",
                                           "i32": "int32", "u8": "uint8", "i8": "int8", "bf16": "bfloat16",
                                           "f16": "float16"}[str(x.dtype)]))]
    if hasattr(x, "__iter__") and not isinstance(x, (str, bytes)):
        return [r for part in x for r in results(part)]
    if x is None:
        raise TypeError("no result")
    return [torch.as_tensor(x)]


def compare(op, f, sample):
    """Empty if they agree; else what differs."""
    if sample.kwargs.get("dropout_p") or sample.kwargs.get("p") == 0.5 and "dropout" in op.name:
        raise NotHere("random")
    args = to_glia((sample.input, *sample.args))
    kwargs = to_glia(sample.kwargs)
    try:
        want = results(op(sample.input, *sample.args, **sample.kwargs))
    except Exception as error:
        raise NotHere(f"PyTorch: {error}")
    if any(w.is_complex() for w in want):
        raise NotHere("complex numbers")
    try:
        got = results(f(*args, **kwargs))
    except AttributeError as error:
        return ("missing" if "module 'glia" in str(error) else "refused"), str(error)
    except (glia.Error, TypeError, IndexError, KeyError, ValueError) as error:
        return "refused", str(error).splitlines()[0][:150]
    if op.name in UNIQUE and len(got) > UNIQUE[op.name]:
        got, want = [got[UNIQUE[op.name]]], [want[UNIQUE[op.name]]]
    if len(got) < len(want):  # values without their indices
        want = want[:len(got)]
    for g, w in zip(got, want):
        if g.shape != w.shape:
            return "differs", f"shape {tuple(g.shape)}, not {tuple(w.shape)}"
        try:
            torch.testing.assert_close(g.to(w.dtype), w, equal_nan=True, **TOLERANCE)
        except AssertionError as error:
            return "differs", " ".join(str(error).split())[:150]
    return "", ""


def dtype_of(op):
    for dtype in (torch.float32, torch.int64, torch.bool):
        if op.supports_dtype(dtype, "cpu"):
            return dtype
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--most", type=int, help="samples that may differ; more are a failure")
    arguments = parser.parse_args()
    left_out, missing, seen = collections.Counter(), [], {}
    for op in op_db:
        if arguments.names and op.name not in arguments.names:
            continue
        reason = next((why for pattern, why in LEFT_OUT.items() if re.fullmatch(pattern, op.name)), None)
        if reason or dtype_of(op) is None:
            left_out[reason or "complex numbers alone"] += 1
            continue
        f = function_of(op.name)
        if f is None:
            missing.append(op.name)
            continue
        counts = seen.setdefault(op.name, [0, 0, 0, 0, set()])  # agree, differ, refused, passed over
        torch.manual_seed(0)
        for sample in op.sample_inputs("cpu", dtype_of(op), requires_grad=False):
            try:
                kind, text = compare(op, f, sample)
            except NotHere:
                counts[3] += 1
                continue
            if kind == "missing":
                missing.append(op.name)
                break
            counts[{"": 0, "differs": 1, "refused": 2}[kind]] += 1
            if kind:
                counts[4].add(f"{kind}: {text}")
    for name in missing:
        seen.pop(name, None)
    agree, differ, refused, passed = (sum(c[i] for c in seen.values()) for i in range(4))
    whole = sum(c[1] == c[2] == 0 for c in seen.values())
    missing = sorted(set(missing))
    if arguments.list or arguments.names:
        for name, c in sorted(seen.items()):
            if c[1] or c[2]:
                print(f"{name}: {c[0]} agree, {c[1]} differ, {c[2]} refused")
                for text in sorted(c[4])[:4]:
                    print(f"    {text}")
        print("not there:", ", ".join(missing))
    print("left out:", ", ".join(f"{n} {why}" for why, n in left_out.items()))
    total = len(seen) + len(missing)
    print(f"operations: {len(seen)} of {total} exist ({100 * len(seen) / max(total, 1):.1f} %), "
          f"{whole} take every sample and agree")
    print(f"samples: {agree} agree, {differ} differ, {refused} refused, {passed} of other kinds")
    return int(arguments.most is not None and differ > arguments.most)


if __name__ == "__main__":
    sys.exit(main())
