"""PyTorch's side of glia-bench-ops: the same operations by the same names.

usage: ops_torch.py [FILTER] [--list | --json | --once | --serve]

Images are computed once in contiguous memory, (N, C, H, W), and once as channels_last; the faster
counts. OMP_NUM_THREADS sets the threads (default 2).
"""
import argparse
import json
import os
import statistics
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")

import torch  # noqa: E402

import ops.arrays  # noqa: E402, F401
import ops.layers  # noqa: E402, F401
from ops.table import GRAD, OPS, VALUE, normal  # noqa: E402


class Call:
    """An operation on given inputs, which are as Glia has them, in one layout."""

    def __init__(self, op, inputs, cotangent=None, layout=None):
        self.op, self.layout = op, layout
        self.inputs = [self.placed(x) for x in inputs]
        self.wanted = [self.inputs[i].requires_grad_() for i in op.wanted()]
        self.cotangent = cotangent
        if op.kind == GRAD:
            if cotangent is None:
                with torch.no_grad():
                    y = self.returned(op.function(*self.inputs))
                cotangent = normal(y.shape, y.dtype)
            self.cotangent = self.placed(cotangent)

    def placed(self, x):
        if self.layout is None or x.ndim != 4:
            return x
        # A copy: with one channel, the view itself would count as either layout.
        return x.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format).contiguous(
            memory_format=self.layout)

    def returned(self, x):
        return x if self.layout is None or x.ndim != 4 else x.permute(0, 2, 3, 1)

    def __call__(self):
        """The value and the gradients."""
        if self.op.kind == VALUE:
            with torch.no_grad():
                return [self.op.function(*self.inputs)]
        y = self.op.function(*self.inputs)
        return [y, *torch.autograd.grad(y, self.wanted, self.cotangent)]


def made(op, layout=None):
    return Call(op, [x.make() for x in op.inputs], layout=layout)


class Bench:
    """An operation with two sets of inputs, used in turn, in each of its layouts."""

    def __init__(self, op, sets=2):
        self.layouts = [[made(op, layout) for _ in range(sets)]
                        for layout in op.layouts or (None,)]

    def time(self, once):
        """Median and least ms of a call, and the number of calls, in the best layout."""
        return min((self.time_calls(calls, once) for calls in self.layouts),
                   key=lambda t: t["ms"])

    @staticmethod
    def time_calls(calls, once):
        """As many calls as take 250 ms, at least 7 and at most 400 or 3 s, after warming up."""
        def call(i):
            begin = time.perf_counter()
            results = calls[i % len(calls)]()
            ms = (time.perf_counter() - begin) * 1e3
            del results  # freed when the time is taken
            return ms

        first = call(0)
        if once:
            return {"ms": first, "least": first, "calls": 1}
        for i in range(1, 3 if first > 300 else 6):
            call(i)
        ms = []
        while (sum(ms) < 250 or len(ms) < 7) and len(ms) < 400 and sum(ms) < 3000:
            ms.append(call(len(ms)))
        return {"ms": statistics.median_high(ms), "least": min(ms), "calls": len(ms)}


class Runner:
    def __init__(self, options):
        self.options, self.last, self.bench = options, None, None

    def run(self, op):
        line = {"name": op.name}
        try:
            if self.last != op.name:
                self.bench = None
                self.bench, self.last = Bench(op, 1 if self.options.once else 2), op.name
            line.update(self.bench.time(self.options.once))
        except RuntimeError as error:
            self.last, line["error"] = None, str(error)
        if self.options.json or self.options.serve:
            line.update(threads=torch.get_num_threads(), torch=torch.__version__)
            print(json.dumps(line), flush=True)
        elif "error" in line:
            print(op.name, "error", line["error"], sep="\t", flush=True)
        else:
            print(op.name, f"{line['ms']:.5f}", f"{line['least']:.5f}", sep="\t", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("filter", nargs="?", default="", help="names that contain this")
    parser.add_argument("--list", action="store_true", help="print their names alone")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each")
    parser.add_argument("--once", action="store_true", help="call each once")
    parser.add_argument("--serve", action="store_true",
                        help="time each name that is read, and answer in JSON")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    runner = Runner(options)
    if options.serve:
        for line in sys.stdin:
            runner.run(OPS[line.rstrip("\n")])
        return
    for op in OPS.values():
        if options.filter in op.name:
            print(op.name) if options.list else runner.run(op)


if __name__ == "__main__":
    main()
