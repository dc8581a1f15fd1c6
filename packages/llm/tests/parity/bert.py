#!/usr/bin/env python3
"""Holds BERT and embeddings of sentences against Transformers in f64: random models with masks and
pairs, and all-MiniLM-L6-v2 on sentences of a catalogue of its own.

Run by tests/parity/run. The part on MiniLM says SKIPPED where its files are absent.
"""
import json
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import torch
    for unneeded in ("torchvision", "torchaudio"):  # which may not fit the torch
        sys.modules.setdefault(unneeded, None)
    from transformers import AutoTokenizer, BertConfig, BertModel
    from transformers.utils import logging
logging.disable_progress_bar()

PROGRAM = compiled(pathlib.Path(__file__).with_name("llm.cpp"), "text")
rng = np.random.default_rng(0)
checked = 0
for width, heads, layers in [(32, 4, 2), (48, 3, 1), (64, 1, 3)]:
    folder = WORK / f"bert{width}"
    config = BertConfig(vocab_size=61, hidden_size=width, intermediate_size=2 * width,
                        num_hidden_layers=layers, num_attention_heads=heads,
                        max_position_embeddings=40)
    torch.manual_seed(width)
    model = BertModel(config).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    model.save_pretrained(folder)
    tokens, types = rng.integers(0, 61, (5, 17)), rng.integers(0, 2, (5, 17))
    mask = np.arange(17)[None] < rng.integers(1, 18, (5, 1))
    for name, x in (("t", tokens), ("m", mask), ("y", types)):
        np.save(WORK / f"{name}.npy", x)
    subprocess.run([PROGRAM, "bert", folder, *(WORK / f"{n}.npy" for n in "tmyhp")], check=True)
    with torch.no_grad():
        want = model.double()(torch.from_numpy(tokens), torch.from_numpy(mask).long(),
                              torch.from_numpy(types))
    got = np.load(WORK / "h.npy")
    apart = np.abs(got - want.last_hidden_state.numpy())[mask].max()
    pooled = np.abs(np.load(WORK / "p.npy") - want.pooler_output.numpy()).max()
    if not max(apart, pooled) < 2e-5:
        sys.exit(f"bert: {apart:.1e} and {pooled:.1e} apart")
    checked += mask.sum() * width
print(f"bert: {checked:,} numbers of random models are those of Transformers")

folder = subprocess.run([PROGRAM, "find", "minilm"], capture_output=True, check=True).stdout.decode()
if not folder:
    print("SKIPPED: MiniLM's files are absent")
    sys.exit(0)
words = "The A old new red kettle dog lawyer swims sleeps argues quickly under the bridge in 1987 ".split()
LINES = [" ".join(rng.choice(words, rng.integers(1, 60))) + rng.choice([".", "?", "!", ""])
         for _ in range(96)] + ["Caf\u00e9 \u00fcber \u4f60\u597d \U0001f600", "x" * 300, "a " * 700, "[SEP]"]
(WORK / "lines").write_text("\n".join(LINES) + "\n")
subprocess.run([PROGRAM, "sentences", folder, WORK / "lines", WORK / "v.npy"], check=True)
tokenizer, model = AutoTokenizer.from_pretrained(folder), BertModel.from_pretrained(folder).eval()
length = json.loads((pathlib.Path(folder) / "sentence_bert_config.json").read_text())["max_seq_length"]
got, worst = np.load(WORK / "v.npy"), 0
model = model.double()
for line, v in zip(LINES, got):
    batch = tokenizer([line], truncation=True, max_length=length, return_tensors="pt")
    with torch.no_grad():
        want = model(**batch).last_hidden_state[0].mean(0).numpy()
    worst = max(worst, np.abs(v - want / np.linalg.norm(want)).max())
if not worst < 1e-5:
    sys.exit(f"bert: MiniLM's vectors are {worst:.1e} apart")
print(f"bert: {got.size:,} numbers of MiniLM's vectors are within {worst:.1e} of Transformers")
