"""Log-likelihoods, gradients and best tags of conditional random fields beside pytorch-crf's, in f64.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import compiled, peers

with peers():
    import numpy as np
    import torch
    import torchcrf

program = compiled(pathlib.Path(__file__).with_suffix(".cpp"))
draw = np.random.default_rng(1)
cases = []
for n, t, k in ((1, 1, 1), (1, 1, 5), (3, 7, 4), (4, 12, 17), (2, 40, 9)):
    scale = draw.choice([0.1, 1, 5])
    lengths = draw.integers(1, t + 1, n)
    lengths[0] = t
    cases.append((draw.normal(size=(n, t, k)) * scale, draw.normal(size=(k, k)) * scale, draw.normal(size=k),
                  draw.normal(size=k), draw.integers(0, k, (n, t)), lengths))
text = ""
for e, a, s, f, tags, lengths in cases:
    text += " ".join(map(str, e.shape)) + "\n"
    text += "\n".join(" ".join(repr(float(x)) for x in v.ravel()) for v in (e, a, s, f)) + "\n"
    text += "\n".join(" ".join(map(str, v.ravel())) for v in (tags, lengths)) + "\n"
lines = iter(subprocess.run([program], input=text, check=True, capture_output=True, text=True).stdout.splitlines())
compared = wrong = 0
for e, a, s, f, tags, lengths in cases:
    crf = torchcrf.CRF(e.shape[2], batch_first=True).double()
    with torch.no_grad():
        crf.transitions.copy_(torch.tensor(a))
        crf.start_transitions.copy_(torch.tensor(s))
        crf.end_transitions.copy_(torch.tensor(f))
    x = torch.tensor(e, requires_grad=True)
    mask = torch.arange(e.shape[1])[None] < torch.tensor(lengths)[:, None]
    likelihood = crf(x, torch.tensor(tags), mask=mask, reduction="none")
    likelihood.sum().backward()
    wants = (likelihood, x.grad, crf.transitions.grad, crf.start_transitions.grad, crf.end_transitions.grad)
    for want in wants:
        own = np.array([float(v) for v in next(lines).split()])
        want = np.zeros(own.size) if want is None else want.detach().numpy().ravel()
        compared += want.size
        wrong += int((np.abs(own - want) > 1e-9 * np.maximum(1, np.abs(want))).sum())
    best = [tag for path in crf.decode(x, mask=mask) for tag in path]
    compared += len(best)
    wrong += sum(p != q for p, q in zip(best, map(int, next(lines).split())))
print(f"crf: {compared} comparisons, {wrong} differ")
sys.exit(wrong > 0)
