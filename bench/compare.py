"""Compares glia-bench with other frameworks in pairs, A B A B ..., and writes bench/results.md.

First the same weights and inputs go through five steps of both sides (bench/peers.py), whose
results must agree within 1e-4. Then every time is taken by a process of its own, the sides in
turn, and the median of the ratios of the pairs counts. See bench/README.md.
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

HERE = pathlib.Path(__file__).resolve().parent
OWN_PEERS = HERE / "peers.py"
WORKLOADS = ["chain", "chain_grad", "dqn_step", "mlp_small", "mlp_large", "adamw_small",
             "adamw_large", "resnet20_train", "resnet20_infer1", "resnet20_infer64", "bandwidth",
             "add16m", "gelu16m", "lstm_train", "lstm_b1", "gpt_train", "gpt_decode",
             "embedding_bag", "gcn", "varying_text", "varying_graphs", "varying_trees",
             "varying_audio", "loader", "start"]
# Of sides that do not have all workloads. Compilers fold chains away.
COMPILED = [name for name in WORKLOADS if name not in ("chain", "chain_grad", "loader", "start")
            and not name.startswith("varying")]
SIDES = {"compile": COMPILED, "jax": COMPILED,
         "ort": ["resnet20_infer1", "resnet20_infer64", "lstm_b1"]}
# Rates at which the optimizers of the proof move the weights enough to be seen.
PROOF_RATE = {"mlp_small": 0.01, "mlp_large": 0.01, "resnet20_train": 0.01,
              "embedding_bag": 0.01, "gcn": 0.01}


def output(*command):
    """The last line that a command prints; None if it says, by status 3, that it has no such."""
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if result.returncode == 3:
        return None
    if result.returncode != 0:
        sys.exit(f"compare: status {result.returncode} from {' '.join(map(str, command))}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def prove(glia, python, workload, folder):
    """The largest relative difference of what five steps gave; exits if it is above 1e-4."""
    start, rate = folder / f"{workload}.safetensors", PROOF_RATE.get(workload, 1e-3)
    subprocess.run([python, OWN_PEERS, workload, "make", start], check=True)
    theirs = output(python, OWN_PEERS, workload, "prove", start, 5, rate)["results"]
    ours = output(glia, workload, "--prove", 5, "--start", start, "--lr", rate)["results"]
    worst = max(abs(a - b) / max(abs(b), 1e-30) for a, b in zip(ours, theirs, strict=True))
    if not worst <= 1e-4:
        sys.exit(f"compare: {workload}: the work differs: {ours} and {theirs}")
    return worst


def memory(glia, python, workload):
    """Peak MB of tensors during a step, or of the whole process of `start`: Glia's, PyTorch's."""
    ours = output(glia, workload, "--json", "--seconds", 0.2)
    if workload == "start":
        theirs = output(python, OWN_PEERS, workload, "eager")
        return f"{ours['rss_mb']:.4g}, {theirs['rss_mb']:.4g}"
    theirs = output(python, OWN_PEERS, workload, "memory")
    return f"{ours['peak_bytes'] / 1e6:.4g}, {theirs['peak_bytes'] / 1e6:.4g}"


def floor_ms(facts, machine):
    return max(facts.get("flops", 0) / machine["gflops"] / 1e6,
               facts.get("bytes", 0) / machine["gbytes"] / 1e6)


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def version_of(python, package):
    code = f"import importlib.metadata as m; print(m.version('{package}'))"
    result = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return f"{package} {result.stdout.strip()}" if result.returncode == 0 else None


HEAD = ["workload", "against", "pairs", "Glia, ms", "other, ms", "ratio", "least", "of floor",
        "peak MB", "planning, ms", "results differ by"]


def means(rows):
    """Geometric means of the ratios: to PyTorch eager, and to the best of the others."""
    ratios = {}
    for row in rows:
        ratios.setdefault(row[0], {})[row[1]] = float(row[5])
    eager = [r["eager"] for r in ratios.values() if "eager" in r]
    others = [min(v for side, v in r.items() if side != "eager")
              for r in ratios.values() if set(r) - {"eager"}]
    return [f"- Geometric mean of {len(values)} ratios {what}: {statistics.geometric_mean(values):.2f}"
            for values, what in ((eager, "to PyTorch eager"), (others, "to the best of the others"))
            if values]


def write(out, machine, versions, rows):
    lines = [
        "# Results", "",
        f"Made by `bench/compare.py` on {datetime.date.today()}, each time from a process of its own.",
        "`ratio` is the median of the pairs' ratios (other / Glia), `least` the smallest. `of floor`:",
        "the time that the work must take at the rates below, as part of Glia's. `peak MB`: the most",
        "bytes of tensors during a step, parameters included, of Glia and of PyTorch eager (of `start`:",
        "of the whole process). `planning`: making all plans of the process, once. `results differ by`: the",
        "largest relative difference of five steps from the same weights.", "",
        f"- Processor: {processor()}, instruction set {machine['cpu']}, {machine['threads']} "
        f"threads, measured {machine['gflops']:.0f} GFLOP/s (f32 matrix product) and "
        f"{machine['gbytes']:.1f} GB/s (addition of two long arrays)",
        f"- Versions: {', '.join(v for v in versions if v)}, Python "
        f"{platform.python_version()}, Linux {platform.release()}",
        *means(rows), "",
        "| " + " | ".join(HEAD) + " |", "| " + " | ".join("---" for _ in HEAD) + " |",
        *("| " + " | ".join(row) + " |" for row in rows)]
    out.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("workloads", nargs="*", default=WORKLOADS)
    parser.add_argument("--glia", default=HERE.parent / "build" / "bench" / "glia-bench")
    parser.add_argument("--peers", default=os.environ.get("GLIA_PEERS", OWN_PEERS),
                        help="script that times the others: NAME SIDE (default: peers.py here)")
    parser.add_argument("--sides", default="eager",
                        help="others to compare with, by commas: eager,compile,jax,ort; "
                        "eager:5 for five pairs")
    parser.add_argument("--python", default=sys.executable, help="the Python that has them")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--out", default=HERE / "results.md", type=pathlib.Path)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "2")

    def glia(name):
        return output(options.glia, name, "--json")

    machine = glia("peak")
    other = output(options.python, OWN_PEERS, "peak", "eager")
    machine.update({key: max(machine[key], other[key]) for key in ("gflops", "gbytes")})
    versions = [version_of(options.python, package)
                for package in ("torch", "jax", "onnxruntime", "numpy")]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for workload in options.workloads:
            difference = megabytes = None
            if workload not in ("start", "loader"):
                difference = prove(options.glia, options.python, workload, pathlib.Path(folder))
            if workload != "loader":
                megabytes = memory(options.glia, options.python, workload)
            # A round: Glia, then each of the others.
            wanted = {}
            for text in options.sides.split(","):
                side, _, count = text.partition(":")
                if workload in SIDES.get(side, WORKLOADS):
                    wanted[side] = int(count or options.pairs)
            facts, pairs = {}, {side: [] for side in wanted}
            for turn in range(max(wanted.values(), default=0)):
                facts = glia(workload)
                for side in (side for side in wanted if turn < wanted[side]):
                    theirs = output(options.python, options.peers, workload, side)
                    if theirs is not None:
                        pairs[side].append((facts["ms"], theirs["ms"]))
            for side, times in pairs.items():
                if not times:
                    continue
                mine, other = (statistics.median(column) for column in zip(*times))
                ratios = [b / a for a, b in times]
                floor = floor_ms(facts, machine)
                rows.append([workload, side, str(len(times)), f"{mine:.4g}", f"{other:.4g}",
                             f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}",
                             f"{100 * floor / mine:.0f} %" if floor else "",
                             megabytes or "", f"{facts.get('planning_ms', 0):.1f}",
                             "" if difference is None else f"{difference:.0e}"])
                print(*rows[-1], sep="\t", flush=True)
            write(options.out, machine, versions, rows)
    print(f"written: {options.out}")



if __name__ == "__main__":
    main()
