"""Compares glia-bench-ops with PyTorch, operation by operation, and writes bench/ops.md.

Each side is a process that is asked for one operation after the other, in turn: Glia, PyTorch,
Glia, PyTorch, ... for as many rounds as wanted. --prove times nothing: both sides compute each
operation from the same inputs, and values and gradients are compared.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

import compare

HERE = pathlib.Path(__file__).resolve().parent
# The most that results may differ, as part of the largest value: sums are made in other orders, and
# 16-bit results rounded once (values) or more often (gradients). Where both sides are further apart,
# Glia's result must be as near to the same computed in f64.
BOUNDS = {"float32": 2e-5, "float64": 1e-12, "bfloat16": 1 / 64, "float16": 1 / 512}


# ---- Times ------------------------------------------------------------------------------------

class Side:
    """A process that times the operations it is asked for."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def time(self, name):
        self.process.stdin.write(name + "\n")
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"compare_ops: {self.process.args[0]} ended at {name}")
        return json.loads(answer)


def timed(options, names):
    """A row for each name: name, PyTorch's ms, Glia's ms, ratio, or name and what is wrong."""
    more = ["--gradients-only"] if options.gradients_only else []
    ours = Side(options.glia, "--serve", *more)
    theirs = Side(options.python, HERE / "ops_torch.py", "--serve")
    rows, facts = [], {}
    for name in names:
        pairs = [(ours.time(name), theirs.time(name)) for _ in range(options.rounds)]
        wrong = next((f"{who}: {answer['error']}" for pair in pairs
                      for who, answer in zip(("Glia", "PyTorch"), pair) if "error" in answer), "")
        if wrong:
            rows.append((name, wrong))
        else:
            mine, other = (statistics.median(answer["ms"] for answer in column)
                           for column in zip(*pairs))
            rows.append((name, other, mine, other / mine))
            facts = {**pairs[0][1], **pairs[0][0]}
        if len(rows[-1]) == 2 or options.below is None or rows[-1][3] < options.below:
            print(*shown(rows[-1]), sep="\t", flush=True)
    return rows, facts


def shown(row):
    name, *figures = row
    return [name, *(f"{x:.4g}" for x in figures[:2]), f"{figures[2]:.2f}"] if figures[1:] else row


def summary(rows, below):
    ratios = [row[3] for row in rows if len(row) == 4]
    if not ratios:
        return "nothing could be timed"
    less = sum(ratio < below for ratio in ratios)
    return (f"geometric mean of {len(ratios)} ratios {statistics.geometric_mean(ratios):.2f}; "
            f"{less} ({100 * less / len(ratios):.1f} %) below {below:g}")


def write(options, rows, facts):
    good = sorted((row for row in rows if len(row) == 4), key=lambda row: row[3])
    bad = [row for row in rows if len(row) == 2]
    versions = [compare.version_of(options.python, package) for package in ("torch", "numpy")]
    what = "gradients alone" if options.gradients_only else "values and gradients"
    lines = [
        "# Single operations", "",
        f"Made by `bench/compare_ops.py` on {datetime.date.today()}: medians of {options.rounds} "
        "rounds, both sides in turn, in ms. `ratio`: PyTorch / Glia;",
        f"of images, PyTorch in its faster layout. Operations with `bwd` compute {what}.",
        "The files of `bench/ops` define each, in C++ and in Python.", "",
        f"- Processor: {compare.processor()}, instruction set {facts.get('cpu')}, "
        f"{facts.get('threads')} threads",
        f"- Versions: {', '.join(v for v in versions if v)}, Python {platform.python_version()}, "
        f"Linux {platform.release()}",
        f"- All: {summary(rows, 1)}",
        *(f"- Not timed: `{name}`: {wrong}" for name, wrong in bad), "",
        "| operation | PyTorch | Glia | ratio |", "| --- | --- | --- | --- |",
        *("| " + " | ".join(shown(row)) + " |" for row in good)]
    options.out.write_text("\n".join(lines) + "\n")
    print(f"written: {options.out}")


# ---- Proof ------------------------------------------------------------------------------------

def difference(got, want):
    """The largest difference as part of the largest value; what is wrong if it is not one."""
    import torch
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype} {tuple(got.shape)}, not {want.dtype} {tuple(want.shape)}"
    if not want.dtype.is_floating_point:
        return int((got != want).sum()) and f"{int((got != want).sum())} of {want.numel()} differ"
    wide = got.double(), want.double()
    finite = wide[1].isfinite()
    if not torch.equal(wide[0][~finite].nan_to_num(0.5), wide[1][~finite].nan_to_num(0.5)):
        return "infinities or NaNs differ"
    got, want = (x[finite] for x in wide)
    return ((got - want).abs().max() / want.abs().max().clamp(min=1e-30)).item() if len(got) else 0


def array(x):
    import torch
    x = x.detach().contiguous()
    return (x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).numpy()


def tensor(values):
    import torch
    x = torch.from_numpy(values)
    return x.view(torch.bfloat16) if x.dtype == torch.uint16 else x


def in_f64(op, inputs, cotangent, layout):
    """The results of the same operation in f64; None where PyTorch cannot compute it so."""
    import ops_torch

    def wide(x):
        return x.detach().double() if x is not None and x.dtype.is_floating_point else x
    try:
        call = ops_torch.Call(op, [wide(x) for x in inputs], wide(cotangent), layout)
        return [call.returned(x).detach() for x in call()]
    except RuntimeError:
        return None


def proof(options, op, folder):
    """The largest difference of one operation's results, and what is wrong, if anything."""
    import ops_torch
    import tensors

    layout = op.layouts[0] if op.layouts else None
    inputs = [x.make() for x in op.inputs]
    call = ops_torch.Call(op, inputs, layout=layout)
    cotangent = None if call.cotangent is None else call.returned(call.cotangent)
    arrays = {str(i): array(x) for i, x in enumerate(inputs)}
    if cotangent is not None:
        arrays["cotangent"] = array(cotangent)
    tensors.save(folder / "in", arrays)
    command = [options.glia, op.name, "--prove", folder / "in", folder / "out"]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode != 0:
        return 0, result.stderr.strip()
    ours = tensors.load(folder / "out")
    wants = call()
    if len(ours) != len(wants):
        return 0, f"{len(ours)} results, not {len(wants)}"
    worst, exact, wrong = 0, None, []
    for i, want in enumerate(wants):
        name = f"grad{op.wanted()[i - 1]}" if i else "value"
        got, want = tensor(ours[name]), call.returned(want).detach()
        if op.varies:
            if (got.shape, got.dtype) != (want.shape, want.dtype):
                wrong.append(f"{name}: {got.dtype} {tuple(got.shape)}")
            continue
        apart = difference(got, want)
        if isinstance(apart, str):
            wrong.append(f"{name}: {apart}")
            continue
        bound = BOUNDS.get(str(want.dtype).removeprefix("torch."), 0)
        if not apart <= bound:
            exact = exact or in_f64(op, inputs, cotangent, layout)
            mine, other = (difference(x.double(), exact[i]) if exact else None for x in (got, want))
            if not isinstance(mine, float) or mine > bound:
                wrong.append(f"{name}: apart by {apart:.1e}, from f64 {mine} (PyTorch: {other})")
                continue
            apart = mine
        worst = max(worst, apart)
    return worst, "; ".join(wrong)


def prove(options, names):
    """Whether all agree."""
    sys.path.insert(0, str(HERE.parent / "tests/parity"))  # tensors.py
    import torch

    import ops_torch
    torch.manual_seed(0)
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            worst, wrong = proof(options, ops_torch.OPS[name], pathlib.Path(folder))
            faults += bool(wrong)
            print(name, wrong or f"{worst:.0e}", sep="\t", flush=True)
    print(f"{len(names)} operations, {faults} differ")
    return faults == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("filters", nargs="*", help="only names that contain one of these")
    parser.add_argument("--glia", default=HERE.parent / "build" / "bench" / "glia-bench-ops")
    parser.add_argument("--python", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--below", type=float, help="print only those with a ratio below this")
    parser.add_argument("--cpu", help="cap Glia's instruction set: avx512, avx2 or baseline")
    parser.add_argument("--gradients-only", action="store_true",
                        help="Glia computes values only where gradients need them")
    parser.add_argument("--prove", action="store_true", help="compare results and time nothing")
    parser.add_argument("--out", type=pathlib.Path,
                        help="the page to write (default: ops.md here, if all are compared)")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    if options.cpu:
        os.environ["GLIA_CPU"] = options.cpu

    listed = subprocess.run([str(options.glia), "--list"], check=True, stdout=subprocess.PIPE,
                            text=True).stdout.splitlines()
    names = [name for name in listed
             if not options.filters or any(part in name for part in options.filters)]
    if not names:
        sys.exit("compare_ops: no operation has such a name")
    if options.prove:
        sys.exit(0 if prove(options, names) else 1)
    if names == listed and options.out is None:
        options.out = HERE / "ops.md"
    rows, facts = timed(options, names)
    print(summary(rows, options.below or 1))
    if options.out:
        write(options, rows, facts)


if __name__ == "__main__":
    main()
