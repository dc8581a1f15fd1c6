#!/usr/bin/env python3
"""Holds features of sound against librosa's and kaldi-native-fbank's, to 1e-4 of the largest number.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import kaldi_native_fbank as knf
    import librosa
    import numpy as np

PROGRAM = compiled(pathlib.Path(__file__).with_name("features.cpp"))
rng = np.random.default_rng(0)
checked, worst = 0, 0.0


def sound(rate, seconds):
    t = np.arange(int(rate * seconds)) / rate
    tone = sum(np.sin(2 * np.pi * f * t * (1 + 0.3 * t)) / (i + 1) for i, f in
               enumerate([130, 260, 520, 1500, 3100]))
    return (0.1 * tone * (1 + np.sin(9 * t)) + 0.003 * rng.normal(size=t.size)).astype(np.float32)


def check(want, kind, x, *numbers, tolerance=1e-4):
    global checked, worst
    np.save(WORK / "in.npy", x)
    subprocess.run([PROGRAM, kind, WORK / "in.npy", WORK / "out.npy",
                    *(str(float(n)) for n in numbers)], check=True)
    out, want = np.load(WORK / "out.npy"), np.asarray(want)
    if out.shape != want.shape:
        sys.exit(f"{kind} {numbers}: {out.shape}, not {want.shape}")
    error = np.abs(out - want).max() / max(1, np.abs(want).max())
    worst = max(worst, error)
    if not error < tolerance:
        sys.exit(f"{kind} {numbers}: differs by {error}")
    checked += 1


for rate, n_fft, mels, low, high in [(22050, 2048, 128, 0, 11025), (16000, 400, 80, 20, 7600),
                                     (8000, 256, 40, 0, 4000), (44100, 1024, 13, 50, 8000)]:
    for htk in [False, True]:
        for norm in ["slaney", None]:
            check(librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=mels, fmin=low, fmax=high,
                                      htk=htk, norm=norm),
                  "filters", np.zeros(1, np.float32), rate, n_fft, mels, low, high, htk,
                  norm is not None)

for rate, n_fft, hop, win, mels, htk, norm, power, center, reflect in [
        (22050, 2048, 512, 2048, 128, 0, 1, 2, 1, 0), (16000, 400, 160, 400, 80, 0, 1, 2, 1, 1),
        (16000, 512, 160, 400, 40, 1, 0, 1, 1, 0), (8000, 256, 80, 200, 23, 1, 1, 2, 0, 0),
        (16000, 400, 160, 320, 40, 0, 0, 1.5, 1, 1)]:
    x = sound(rate, 0.7)
    spectrogram = dict(sr=rate, n_fft=n_fft, hop_length=hop, win_length=win, n_mels=mels,
                       htk=bool(htk), norm="slaney" if norm else None, power=power,
                       center=bool(center), pad_mode="reflect" if reflect else "constant",
                       fmin=0, fmax=rate / 2)
    numbers = (rate, n_fft, hop, win, mels, 0, rate / 2, htk, norm, power, center, reflect)
    mel = librosa.feature.melspectrogram(y=x, **spectrogram)
    check(mel, "mel", x, *numbers)
    check(np.stack([mel, mel]), "mel", np.stack([x, x]), *numbers)
    check(librosa.power_to_db(mel), "logmel", x, *numbers)
    for n_mfcc, lifter in [(13, 0), (20, 22)]:
        check(librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=n_mfcc, lifter=lifter),
              "mfcc", x, *numbers, n_mfcc, lifter)

x = sound(16000, 0.3)
for coef in [0.97, 0.5]:
    check(librosa.effects.preemphasis(x, coef=coef), "preemphasis", x, coef)
    check(librosa.effects.preemphasis(x, coef=coef, zi=[0]), "preemphasis0", x, coef)
features = librosa.feature.mfcc(y=sound(16000, 1), sr=16000)
for width, order in [(9, 1), (9, 2), (5, 1), (3, 1), (11, 3)]:
    for mode, name in [(0, "interp"), (1, "nearest")]:
        for axis in [-1, 0]:
            check(librosa.feature.delta(features, width=width, order=order, axis=axis, mode=name),
                  "delta", features, width, order, axis, mode)
centred = features.T - features.T.mean(0)
check(centred, "cmvn", features.T, -2, 0)
check(centred / features.T.std(0), "cmvn", features.T, -2, 1)

WINDOWS = ["povey", "hanning", "hamming", "rectangular", "blackman"]
for rate, length, shift, pre, dc, window, snip, bins, low, high, power in [
        (16000, 25, 10, .97, 1, 0, 1, 23, 20, 0, 1), (16000, 25, 10, .97, 1, 0, 0, 80, 20, -400, 1),
        (8000, 25, 10, 0, 0, 2, 1, 40, 0, 3800, 0), (16000, 32, 8, .5, 1, 1, 0, 40, 64, 0, 1),
        (22050, 20, 10, .97, 1, 4, 1, 30, 20, 0, 1), (16000, 25, 12.5, .9, 0, 3, 1, 23, 20, 0, 1)]:
    x = 32768 * sound(rate, 0.9)
    numbers = (rate, length, shift, pre, dc, window, snip, bins, low, high, power)
    for ceps, lifter, energy in [(None, 0, 0), (13, 22, 1), (20, 0, 0)]:
        o = knf.FbankOptions() if ceps is None else knf.MfccOptions()
        f = o.frame_opts
        f.samp_freq, f.frame_length_ms, f.frame_shift_ms, f.dither = rate, length, shift, 0
        f.preemph_coeff, f.remove_dc_offset = pre, bool(dc)
        f.window_type, f.snip_edges = WINDOWS[window], bool(snip)
        o.mel_opts.num_bins, o.mel_opts.low_freq, o.mel_opts.high_freq = bins, low, high
        if ceps is None:
            o.use_power = bool(power)
        else:
            if not power:
                continue
            o.num_ceps, o.cepstral_lifter, o.use_energy = ceps, lifter, bool(energy)
        online = (knf.OnlineFbank if ceps is None else knf.OnlineMfcc)(o)
        online.accept_waveform(rate, x.tolist())
        online.input_finished()
        want = np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])
        if ceps is None:
            check(want, "fbank", x, *numbers)
        else:
            check(want, "kaldi_mfcc", x, *numbers, ceps, lifter, energy)
print(f"features: {checked} comparisons with librosa {librosa.__version__} and "
      f"kaldi-native-fbank {knf.__version__}, at most {worst:.1e} of the largest number apart")
