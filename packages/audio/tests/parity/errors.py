#!/usr/bin/env python3
"""Holds word and character error rates against jiwer's on random texts.

Run by tests/parity/run.
"""
import pathlib
import random
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import jiwer

PROGRAM = compiled(pathlib.Path(__file__).with_name("errors.cpp"))
random.seed(0)
WORDS = ["a", "be", "sea", "größe", "naïve", "日本", "語", "one", "won", "to", "two", "🙂"]


def text(least):
    return " ".join(random.choice(WORDS) for _ in range(random.randint(least, 9)))


references = [text(1) for _ in range(400)]
hypotheses = []
for reference in references:
    words = reference.split()
    for _ in range(random.randint(0, 4)):
        at = random.randint(0, len(words))
        words[at:at + random.randint(0, 1)] = random.sample(WORDS, random.randint(0, 2))
    hypotheses.append(random.choice([" ", "  "]).join(words))
hypotheses[0] = ""
for name, lines in [("references", references), ("hypotheses", hypotheses)]:
    (WORK / name).write_text("\n".join(lines) + "\n")
out = subprocess.run([PROGRAM, WORK / "references", WORK / "hypotheses"], check=True, text=True,
                     stdout=subprocess.PIPE).stdout.splitlines()
checked = 0
for i, (reference, hypothesis) in enumerate(
        [*zip(references, hypotheses), (references, hypotheses)]):
    numbers = out[i].split()
    for peer, rate, found in [(jiwer.process_words, "wer", numbers[:3]),
                              (jiwer.process_characters, "cer", numbers[3:])]:
        want = peer(reference, hypothesis)
        errors = want.substitutions + want.deletions + want.insertions
        length = want.hits + want.substitutions + want.deletions
        if (int(found[0]), int(found[1])) != (errors, length) or \
                abs(float(found[2]) - getattr(want, rate)) > 1e-12:
            sys.exit(f"{rate} of {hypothesis!r} for {reference!r}: {found}, not {errors} {length}")
        checked += 2
print(f"errors: {checked} comparisons with jiwer")
