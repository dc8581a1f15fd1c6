"""The other side of glia-bench: its workloads in other frameworks, as their users would write them
at their fastest.

usage: peers.py WORKLOAD SIDE             time it: one line of JSON, {"workload", "peer", "ms"};
                                          sides: eager, compile (PyTorch), jax, ort (ONNX Runtime)
       peers.py WORKLOAD make FILE        write weights and inputs to start from (safetensors)
       peers.py WORKLOAD prove FILE N LR [SIDE]
                                          what the first N steps from FILE give: {"results"}
       peers.py WORKLOAD memory           most bytes of tensors during a step: {"peak_bytes"}
       peers.py list
Exit status 3: the side has no such workload. Needs torch and numpy, and jax or onnx and onnxruntime
for these sides. OMP_NUM_THREADS sets the threads (default 2).
"""
import functools
import json
import os
import statistics
import struct
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")


def median_ms(call, seconds=4.0):
    """Median of a call's time over rounds of about 0.2 s, after warming up."""
    def average(calls):
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - begin) / calls

    average(3)
    calls = max(1, int(0.2 / max(average(1), 1e-7)))
    rounds, end = [], time.perf_counter() + seconds
    while len(rounds) < 3 or time.perf_counter() < end:
        rounds.append(average(calls))
    return statistics.median(rounds) * 1e3


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, value in tensors.items():
        size = value.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(value.shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(value.detach().float().contiguous().numpy().tobytes())


def read_safetensors(path):
    import torch
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    result = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + at for at in entry["data_offsets"])
            values = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32)
            result[name] = values.reshape(entry["shape"])
    return result


def peak():
    """What the machine can do, as PyTorch reaches it."""
    import torch
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    product = median_ms(lambda: torch.matmul(a, b), 2)
    x, y = torch.randn(1 << 24), torch.randn(1 << 24)
    out = torch.empty_like(x)
    addition = median_ms(lambda: torch.add(x, y, out=out), 2)
    return {"ms": product, "gflops": 2e-6 * 2048 ** 3 / product,
            "gbytes": 12e-6 * (1 << 24) / addition}


def compiled(workload, setting, lr=None):
    import torch
    torch.compiler.reset()  # it would generalise what it compiled for other settings
    workload.compiling = True
    return workload.step(setting, lr)


def ways(name, workload, side):
    """The settings a side is tried with, and for each what makes the step from a learning rate
    (None: the usual one). Exits with status 3 where the side has no such workload."""
    found = []
    if side == "eager":
        found = [(setting, functools.partial(workload.step, setting))
                 for setting in workload.settings]
    elif side == "compile":
        found = [(setting, functools.partial(compiled, workload, setting))
                 for setting in workload.compiled]
    elif side == "jax":
        import peers_jax
        found = peers_jax.ways(name, workload.tensors())
    elif side == "ort":
        import peers_ort
        found = peers_ort.ways(name, workload)
    return found or sys.exit(3)


def main():
    import torch

    import peers_torch
    if sys.argv[1:] == ["list"]:
        print("\n".join([*peers_torch.WORKLOADS, *peers_torch.ALONE, "peak"]))
        return
    name, action, *rest = sys.argv[1:]
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    alone = {**peers_torch.ALONE, "peak": peak}
    if name in alone:
        if action != "eager":
            sys.exit(3)
        print(json.dumps({"workload": name, "peer": "eager", **alone[name]()}))
        return
    workload = peers_torch.WORKLOADS[name]()
    result = {"workload": name}
    if action == "make":
        write_safetensors(rest[0], workload.tensors())
        return
    if action == "memory":
        result["peak_bytes"] = peers_torch.peak_bytes(workload.step(workload.settings[0]))
    elif action == "prove":
        file, steps, lr, side = [*rest, "eager"][:4]
        workload.load(read_safetensors(file))
        _, make = ways(name, workload, side)[0]
        step = make(float(lr))
        result["results"] = [abs(step()).mean().item() for _ in range(int(steps))]
    else:
        times = {json.dumps(setting): median_ms(make()) / workload.times
                 for setting, make in ways(name, workload, action)}
        best = min(times, key=times.get)
        result.update(peer=action, ms=times[best], setting=best)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
