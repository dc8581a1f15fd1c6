#!/usr/bin/env python3
"""Holds what glia::onnx::write makes of layers, functions and networks against ONNX's checker and
ONNX Runtime, for two sizes of the batch.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import onnx
    import onnxruntime

PROGRAM = compiled(pathlib.Path(__file__).with_name("export.cpp"))
out = subprocess.run([PROGRAM, WORK], check=True, capture_output=True, text=True).stdout
faults = [line for line in out.splitlines() if ":" in line]
names = [line for line in out.splitlines() if ":" not in line]
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
worst = 0
for name in names:
    path = WORK / f"{name}.onnx"
    try:
        onnx.checker.check_model(str(path), full_check=True)
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        for k in range(2):
            x = np.load(WORK / f"{name}_{k}_in.npy")
            want = np.load(WORK / f"{name}_{k}_out.npy").astype(np.float64)
            got = session.run(None, {session.get_inputs()[0].name: x})[0]
            if got.shape != want.shape:
                raise ValueError(f"shape {got.shape}, not {want.shape}")
            difference = np.abs(got - want).max() / max(1, np.abs(want).max())
            worst = max(worst, difference)
            if not difference < 1e-5:
                raise ValueError(f"differs by {difference:.2g} of the largest number")
    except Exception as e:  # of the checker or the runtime
        faults.append(f"{name}: {str(e).splitlines()[0][:300]}")
if faults:
    sys.exit("\n".join(faults))
print(f"export: {len(names)} models as ONNX Runtime {onnxruntime.__version__} computes them, within "
      f"{worst:.1g} of the largest number")
