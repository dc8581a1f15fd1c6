#!/usr/bin/env python3
"""Runs ONNX's own tests: those of the installed `onnx` (every operator up to its newest opset) and,
where it is installed, Debian's libonnx-testdata. At least 98 in a hundred must pass, and what does
not is what KNOWN says.

Run by tests/parity/run.
"""
import os
import pathlib
import subprocess
import sys
import warnings

from package import WORK, compiled, peers

warnings.filterwarnings("ignore")
with peers():
    import numpy as np
    import onnx
    from onnx import numpy_helper
    from onnx.backend.test.case.node import collect_testcases

# A part of the name, and why.
KNOWN = {
    "image_decoder": "pictures are read by the package vision",
    "tree_ensemble": "trees are those of the package classic",
    "training_dropout": "expects the numbers that NumPy draws",
    "gradient_of": "the operator Gradient of the preview: gradients() is asked instead",
    "bf16": "differs by a unit in the last place of bfloat16, rtol is an eighth of that",
    "fp16": "differs by a unit in the last place of float16",
    "dft_inverse": "differs by less than 1e-6 where the result is 0",
    "deform_conv_with_padding": "differs by less than 1e-6 where the result is 0",
}
# Of libonnx-testdata 1.12 besides.
OLD = {
    "adam_multiple": "the file leaves out the epsilon that it was made with",
    "castlike_FLOAT_to_BFLOAT16": "an input has another shape than the model says",
    "castlike_BFLOAT16_to_FLOAT": "an input has another shape than the model says",
    "cast_FLOAT_to_BFLOAT16": "expects bits that are cut off instead of rounded",
}
PROGRAM = compiled(pathlib.Path(__file__).with_name("backend.cpp"))


def message(value, kind):
    if kind.HasField("sequence_type"):
        return numpy_helper.from_list(list(value))
    if kind.HasField("optional_type"):
        return numpy_helper.from_optional(value)
    return value if hasattr(value, "SerializeToString") else numpy_helper.from_array(np.asarray(value))


def write(case, folder):
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    (folder / "tolerance").write_text(f"{case.rtol} {case.atol}")
    for k, data in enumerate(case.data_sets or []):
        at = folder / f"test_data_set_{k}"
        at.mkdir()
        graph = case.model.graph
        for what, values, infos in zip(("input", "output"), data, (graph.input, graph.output)):
            for i, value in enumerate(values):
                bytes_ = message(value, infos[i].type).SerializeToString()
                (at / f"{what}_{i}.pb").write_bytes(bytes_)


def run(title, known, *folders):
    out = subprocess.run([PROGRAM, *folders], check=True, capture_output=True, text=True).stdout
    *faults, last = out.splitlines()
    passed, count = map(int, last.split(" of "))
    unknown = [f for f in faults if not any(k in f.split(":")[0] for k in known)]
    print(f"{title}: {passed} of {count} tests, {100 * passed / count:.1f} %")
    for f in faults:
        reason = next((known[k] for k in known if k in f.split(":")[0]), "NOT KNOWN")
        print(f"  {f.split(': ')[0]}: {reason}")
    if unknown or passed < 0.98 * count:
        sys.exit("\n".join(unknown) or "fewer than 98 in a hundred")


for case in collect_testcases(None):
    if case.model is not None:
        write(case, WORK / "onnx" / case.name)
run(f"onnx {onnx.__version__}", KNOWN, WORK / "onnx")
data = pathlib.Path(os.environ.get("GLIA_ONNX_TESTDATA", "/usr/share/libonnx-testdata/data"))
if data.is_dir():
    run("libonnx-testdata", KNOWN | OLD,
        *(data / s for s in ("node", "simple", "pytorch-operator", "pytorch-converted")))
else:
    print("SKIPPED libonnx-testdata: it is not installed")
