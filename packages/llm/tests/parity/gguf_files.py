#!/usr/bin/env python3
"""Holds GGUF files and blocks of weights against the package gguf: what each kind stands for, bit for
bit, what numbers are rounded to, byte for byte, and files either way.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
    from gguf import GGMLQuantizationType as Q
    from gguf import GGUFReader, GGUFWriter, quants
    from safetensors.numpy import load_file

PROGRAM = compiled(pathlib.Path(__file__).with_name("llm.cpp"), "text")
rng = np.random.default_rng(0)
checked = 0


def fail(text):
    sys.exit(f"gguf: {text}")


# Any bytes are levels; scales must be numbers.
SCALES = {Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2], Q.Q8_0: [0], Q.Q2_K: [80, 82],
          Q.Q3_K: [108], Q.Q4_K: [0, 2], Q.Q5_K: [0, 2], Q.Q6_K: [208]}
writer = GGUFWriter(WORK / "in.gguf", "test")
writer.add_uint32("a.count", 3)
writer.add_float32("a.eps", 1e-5)
writer.add_array("a.words", ["one", "", "zw\u00f6lf"])
writer.add_array("a.numbers", [1, -2, 3])
writer.add_bool("a.flag", True)
writer.add_int64("a.large", -(1 << 40))
want = {}
for kind, places in SCALES.items():
    block, size = quants.GGML_QUANT_SIZES[kind]
    data = rng.integers(0, 256, (7, 3, size), dtype=np.uint8)
    for at in places:
        scale = (rng.normal(size=(7, 3)) * 0.1).astype(np.float16)
        data[:, :, at:at + 2] = scale[..., None].view(np.uint8)
    data = data.reshape(7, 3 * size)
    want[kind.name] = quants.dequantize(data, kind)
    writer.add_tensor(kind.name, data, raw_dtype=kind)
for kind, dtype in ((Q.F32, np.float32), (Q.F16, np.float16)):
    want[kind.name] = rng.normal(size=(5, 33)).astype(dtype)
    writer.add_tensor(kind.name, want[kind.name])
x = rng.normal(size=(4, 64)).astype(np.float32)
data = quants.quantize(x, Q.BF16)
want["BF16"] = quants.dequantize(data, Q.BF16)
writer.add_tensor("BF16", data, raw_dtype=Q.BF16)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

subprocess.run([PROGRAM, "dequantize", WORK / "in.gguf", WORK / "out.safetensors"], check=True)
got = load_file(WORK / "out.safetensors")
for name, numbers in want.items():
    if got[name].shape != numbers.shape or not np.array_equal(got[name], numbers.astype(np.float32)):
        fail(f"{name} stands for other numbers: {np.abs(got[name] - numbers).max()}")
    checked += numbers.size

# Ordinary rows, zeros, one sign, far apart.
x = rng.normal(size=(200, 128)).astype(np.float32)
x[0] = 0
x[1] = np.abs(x[1])
x[2] = -np.abs(x[2])
x[3] *= 1e-7
x[4] *= 1e3
x[5, ::7] = 0
np.save(WORK / "x.npy", x)
subprocess.run([PROGRAM, "quantize", WORK / "x.npy", WORK / "in.gguf", WORK / "out.gguf"], check=True)
reader = GGUFReader(WORK / "out.gguf")
for tensor in reader.tensors:
    kind = tensor.tensor_type
    data = np.asarray(tensor.data).view(np.uint8).reshape(len(x), -1)
    exact = quants.quantize(x, kind).view(np.uint8).reshape(len(x), -1)
    if not np.array_equal(data, exact):
        fail(f"{kind.name}: {np.count_nonzero(data != exact)} of {data.size} bytes differ")
    checked += data.size
before = GGUFReader(WORK / "in.gguf")
for name, field in before.fields.items():
    if not name.startswith("GGUF.") and reader.fields[name].contents() != field.contents():
        fail(f"the setting {name} is another one")
    checked += not name.startswith("GGUF.")
print(f"gguf: {checked:,} numbers, bytes and settings are those of the package gguf")
