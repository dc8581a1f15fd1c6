"""The forward passes in ONNX Runtime: the PyTorch models, exported."""
import io
import os
import warnings

import onnxruntime
import torch

WORKLOADS = ["resnet20_infer1", "resnet20_infer64", "lstm_b1"]


def ways(name, workload):
    """Settings, and for each what makes its step; see peers.py."""
    return [({}, lambda lr=None: step(workload))] if name in WORKLOADS else []


def step(workload):
    file, x = io.BytesIO(), workload.inputs["x"]
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(workload.model, (x,), file, input_names=["x"], dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    session = onnxruntime.InferenceSession(file.getvalue(), options, ["CPUExecutionProvider"])
    names, inputs = [session.get_outputs()[0].name], {"x": x.numpy()}
    return lambda: session.run(names, inputs)[0]
