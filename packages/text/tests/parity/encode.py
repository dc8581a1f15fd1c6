"""Encodes 10,000 lines of English, German, Chinese, emoji and random bytes by Hugging Face's
tokenizers and SentencePiece and by Glia: the numbers, where each token comes from, and the text that
they decode to must be equal. Trains tokenisers by both, and says how long each takes to encode.

Run by tests/parity/run.
"""
import base64
import codecs
import gzip
import os
import pathlib
import random
import subprocess
import sys
import time

from package import ROOT, WORK, compiled, peers

with peers():
    import sentencepiece
    import tokenizers as hf
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
DATA = pathlib.Path(os.environ.get("GLIA_DATA", ROOT.parent / "shared/data"))
if not (DATA / "gpt2-bpe").is_dir():
    print(f"SKIPPED: {DATA}/gpt2-bpe is not there")
    sys.exit(0)
WORK = WORK / "text"
WORK.mkdir(exist_ok=True)
program = compiled(pathlib.Path(__file__).with_suffix(".cpp"))


def lines(path, encoding="utf-8"):
    with gzip.open(DATA / path, "rt", encoding=encoding) as f:
        return f.read().splitlines()


def corpus():
    draw = random.Random(1)
    emoji = [chr(c) for c in (*range(0x1F300, 0x1F640), *range(0x1F900, 0x1F9F0), 0x2764, 0xFE0F, 0x200D)]
    odd = list("\t\n\r\u00a0\u3000\u200b\u0301\u0308\u00df\u0130\u0149\ufb01\u2126\u212b\u1e9b\u0323"
               "\u00bd\u2460\uff21\uffe5\u0e33\uac00\u1100\u1161\u11a8\u0627\u0651\u05d0\u05b7'\u2019\u2581<>[]#"
               " ...  ''s'll'RE\ufffd\x00\x7f\x85")
    out = lines("multi30k/train.en.gz")[:2500] + lines("multi30k/train.de.gz")[:2500]
    out += [line.split("\t")[1] for line in lines("tatoeba/cmn.txt.gz")[-2000:]]
    for _ in range(1000):
        words = draw.choice(out[:5000]).split()
        out.append(" ".join(w + draw.choice(emoji) * draw.randint(0, 3) for w in words))
    for _ in range(1000):
        text = list(draw.choice(out[:6000]))
        for _ in range(draw.randint(1, 8)):
            text.insert(draw.randint(0, len(text)), draw.choice(odd) * draw.randint(1, 3))
        out.append("".join(text))
    texts = [t.encode() for t in out]
    for _ in range(1000):
        texts.append(bytes(draw.getrandbits(8) for _ in range(draw.randint(0, 60))))
    return texts


def write(path, texts):
    with open(path, "wb") as f:
        for t in texts:
            f.write(b"%d\n%s\n" % (len(t), t))


def decoded(raw):
    """The text, and at which byte each of its characters begins, with the end."""
    if not hasattr(decoded, "spans"):
        codecs.register_error("spans", lambda e: decoded.spans.append((e.start, e.end)) or ("\ufffd", e.end))
    decoded.spans = []
    text = raw.decode("utf-8", "spans")
    bad, at, places = dict(decoded.spans), 0, []
    for c in text:
        places.append(at)
        at = bad[at] if c == "\ufffd" and at in bad else at + len(c.encode())
    return text, places + [at]


TEXTS = corpus()
write(WORK / "texts", TEXTS)
PAIRS = [decoded(t) for t in TEXTS]
compared = wrong = 0


def glia(command, *files):
    subprocess.run([program, command, *map(str, files), WORK / "texts", WORK / "out"], check=True)
    data = (WORK / "out").read_bytes()
    at = 0
    for _ in TEXTS:
        rows = []
        for _ in range(4):
            end = data.index(b"\n", at)
            rows.append([int(x) for x in data[at:end].split()])
            at = end + 1
        end = data.index(b"\n", at)
        size = int(data[at:end])
        rows.append(data[end + 1:end + 1 + size].decode())
        at = end + 2 + size
        yield rows


def count(name, what, n, faults):
    global compared, wrong
    compared += n
    wrong += len(faults)
    if faults:
        print(f"{name}: {what}: {len(faults)} of {n} differ, such as {faults[0]}")


def compare(name, peer, *files, offsets=True):
    """A peer's encodings of all texts beside Glia's."""
    ids, places, texts = [], [], []
    for (text, at), (own, begins, ends, _, back) in zip(PAIRS, glia("encode", *files)):
        e = peer.encode(text)
        if e.ids != own:
            ids.append((text, e.tokens, [peer.id_to_token(i) for i in own]))
            continue
        want = [(at[a], at[b]) for a, b in e.offsets]
        if want != list(zip(begins, ends)):
            k = next(i for i, x in enumerate(zip(begins, ends)) if x != want[i])
            places.append((text, e.tokens[k], want[k], (begins[k], ends[k])))
        if peer.decode(e.ids) != back:
            texts.append((text, peer.decode(e.ids), back))
    count(name, "numbers", len(TEXTS), ids)
    if offsets:
        count(name, "places", len(TEXTS), places)
    count(name, "texts", len(TEXTS), texts)


def saved(tokenizer, name):
    tokenizer.save(str(WORK / name))
    return WORK / name


def trained(model, trainer, **parts):
    t = hf.Tokenizer(model)
    for key, value in parts.items():
        setattr(t, key, value)
    t.train_from_iterator([text for text, _ in PAIRS[:8000]], trainer)
    return t


# ---- GPT-2's files and tokenizer.json of every kind of model --------------------------------------
with gzip.open(DATA / "gpt2-bpe/encoder.json.gz") as f:
    (WORK / "encoder.json").write_bytes(f.read())
with gzip.open(DATA / "gpt2-bpe/vocab.bpe.gz") as f:
    (WORK / "vocab.bpe").write_bytes(f.read())
gpt2 = hf.Tokenizer(models.BPE.from_file(str(WORK / "encoder.json"), str(WORK / "vocab.bpe")))
gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
gpt2.post_processor = processors.ByteLevel(trim_offsets=False)
gpt2.decoder = decoders.ByteLevel()
gpt2.add_special_tokens(["<|endoftext|>"])
compare("gpt-2", gpt2, DATA / "gpt2-bpe/encoder.json.gz", DATA / "gpt2-bpe/vocab.bpe.gz")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
for lower in (True, False):
    bert = trained(models.WordPiece(unk_token="[UNK]"),
                   trainers.WordPieceTrainer(vocab_size=8000, special_tokens=SPECIAL, show_progress=False),
                   normalizer=normalizers.BertNormalizer(lowercase=lower),
                   pre_tokenizer=pre_tokenizers.BertPreTokenizer(), decoder=decoders.WordPiece())
    bert.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    compare(f"bert {lower}", bert, saved(bert, "bert.json"), "-")
    vocab = sorted(bert.get_vocab(), key=bert.get_vocab().get)
    (WORK / "vocab.txt").write_text("\n".join(vocab) + "\n")
    compare(f"vocab.txt {lower}", bert, WORK / "vocab.txt", "uncased" if lower else "cased")
    bert.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    bert.enable_truncation(24)
    saved(bert, "bert.json")
    faults = []
    for i, (own, _, _, types, _) in enumerate(glia("pairs", WORK / "bert.json", "-")):
        e = bert.encode(PAIRS[i][0], PAIRS[-1 - i][0])
        if (e.ids, e.type_ids) != (own, types):
            faults.append((e.tokens, [bert.id_to_token(n) for n in own]))
    count("bert pairs", "numbers", len(TEXTS), faults)

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
BYTES = pre_tokenizers.ByteLevel.alphabet()


def bpe(**more):
    return trainers.BpeTrainer(vocab_size=6000, show_progress=False, **more)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(hf.Regex(pattern), behavior, invert)


def byte_bpe(first):
    return trained(models.BPE(), bpe(initial_alphabet=BYTES, special_tokens=["<s>", "</s>"]),
                   pre_tokenizer=first, decoder=decoders.ByteLevel())


plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
kinds = {
    "llama-3": pre_tokenizers.Sequence([split(LLAMA3), plain]),
    "qwen-2": pre_tokenizers.Sequence([split(LLAMA3.replace("{1,3}", "")), plain]),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                       pre_tokenizers.ByteLevel(add_prefix_space=False)]),
    "a regular expression": pre_tokenizers.Sequence(
        [split(r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|\p{N}{1,3}"
               r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"), plain]),
    "roberta": pre_tokenizers.ByteLevel(add_prefix_space=True),
    "bytes between": pre_tokenizers.Sequence([pre_tokenizers.ByteLevel(), pre_tokenizers.Digits()]),
}
for name, first in kinds.items():
    t = byte_bpe(first)
    if name == "roberta":
        t.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    compare(name, t, saved(t, "bpe.json"), "-")

t = trained(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True),
            bpe(special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))], limit_alphabet=300),
            normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
            pre_tokenizer=pre_tokenizers.Split("▁", "merged_with_next"))
t.pre_tokenizer = None
t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                               decoders.Strip(" ", 1, 0)])
t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
compare("llama-2", t, saved(t, "llama2.json"), "-")

t = trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"),
            bpe(special_tokens=["<unk>"], end_of_word_suffix="</w>", limit_alphabet=200),
            normalizer=normalizers.Lowercase(), pre_tokenizer=pre_tokenizers.Whitespace(),
            decoder=decoders.BPEDecoder("</w>"))
compare("sennrich", t, saved(t, "sennrich.json"), "-")

for name, model in {"unigram": "always", "unigram first": "first"}.items():
    t = trained(models.Unigram(),
                trainers.UnigramTrainer(vocab_size=4000, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False),
                normalizer=normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(),
                                                 normalizers.Replace(hf.Regex(" {2,}"), " ")]),
                pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme=model),
                decoder=decoders.Metaspace(prepend_scheme=model))
    t.add_special_tokens([hf.AddedToken("<mask>", lstrip=True, special=True), hf.AddedToken("man", single_word=True)])
    compare(name, t, saved(t, "unigram.json"), "-", offsets=False)

# ---- Each normaliser and pre-tokenizer by itself ---------------------------------------------------
steps = {f"normalizers {n}": {"normalizer": n} for n in (
    normalizers.NFC(), normalizers.NFD(), normalizers.NFKC(), normalizers.NFKD(), normalizers.StripAccents(),
    normalizers.Strip(), normalizers.Lowercase(), normalizers.Nmt(), normalizers.ByteLevel(),
    normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
    normalizers.Replace("a", "xyz"), normalizers.Replace(hf.Regex(r"\s+"), " "),
    normalizers.BertNormalizer(clean_text=False, strip_accents=True, lowercase=False, handle_chinese_chars=False))}
steps |= {f"pre-tokenizers {p}": {"pre_tokenizer": p} for p in (
    pre_tokenizers.Whitespace(), pre_tokenizers.WhitespaceSplit(), pre_tokenizers.BertPreTokenizer(),
    pre_tokenizers.Punctuation(), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(),
    pre_tokenizers.UnicodeScripts(), pre_tokenizers.CharDelimiterSplit("e"), pre_tokenizers.Metaspace(),
    pre_tokenizers.Metaspace(split=False), pre_tokenizers.ByteLevel(),
    *(pre_tokenizers.Split(hf.Regex("[ae ]"), b, i) for i in (False, True) for b in (
        "removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous")),
    pre_tokenizers.Split("an", "merged_with_previous"))}
for name, parts in steps.items():
    t = trained(models.WordLevel(unk_token="[UNK]"),
                trainers.WordLevelTrainer(vocab_size=100000, special_tokens=["[UNK]"], show_progress=False), **parts)
    # SentencePiece's and others' normalisers put characters where their offsets are a matter of taste.
    compare(name, t, saved(t, "words.json"), "-", offsets="NFK" not in name and "NFD" not in name and "NFC" not in name)

# ---- SentencePiece -------------------------------------------------------------------------------
text_file = WORK / "sentences.txt"
text_file.write_text("\n".join(t.replace("\n", " ").replace("\x00", "") for t, _ in PAIRS[:8000]))
for name, options in {
        "unigram": {"model_type": "unigram"},
        "bpe": {"model_type": "bpe"},
        "bpe of bytes": {"model_type": "bpe", "byte_fallback": True, "character_coverage": 0.98,
                         "normalization_rule_name": "identity", "remove_extra_whitespaces": False},
        "unigram of bytes": {"model_type": "unigram", "byte_fallback": True, "character_coverage": 0.98,
                             "user_defined_symbols": ["<sep>", "girl"]},
        "bpe with own": {"model_type": "bpe", "user_defined_symbols": ["<sep>", "girl"], "add_dummy_prefix": False},
}.items():
    prefix = WORK / "spm"
    sentencepiece.SentencePieceTrainer.train(input=str(text_file), model_prefix=str(prefix), vocab_size=4000,
                                             minloglevel=2, num_threads=1, **options)
    spm = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    ids, texts = [], []
    for (text, _), (own, _, _, _, back) in zip(PAIRS, glia("encode", f"{prefix}.model", "-")):
        want = spm.encode(text)
        if want != own:
            k = next(i for i, (a, b) in enumerate(zip(want + [0], own + [0])) if a != b)
            ids.append((text, *([spm.id_to_piece(i) for i in all[k:k + 6]] for all in (want, own))))
        elif spm.decode(want) != back:
            texts.append((text, spm.decode(want), back))
    count(f"sentencepiece {name}", "numbers", len(TEXTS), ids)
    count(f"sentencepiece {name}", "texts", len(TEXTS), texts)
    if name == "unigram":  # the same map of characters in a tokenizer.json
        charsmap = bytes(spm.serialized_model_proto())
        at = charsmap.index(b"nmt_nfkc") + 8
        assert charsmap[at] == 0x12
        size = shift = 0
        at += 1
        while True:
            b = charsmap[at]
            at += 1
            size |= (b & 127) << shift
            shift += 7
            if b < 128:
                break
        t = trained(models.WordLevel(unk_token="[UNK]"),
                    trainers.WordLevelTrainer(vocab_size=100000, special_tokens=["[UNK]"], show_progress=False),
                    normalizer=normalizers.Precompiled(charsmap[at:at + size]),
                    pre_tokenizer=pre_tokenizers.WhitespaceSplit())
        compare("precompiled", t, saved(t, "precompiled.json"), "-", offsets=False)

# ---- Training --------------------------------------------------------------------------------------
write(WORK / "train", TEXTS[:8000])
for kind, make in {
        "byte-bpe": lambda: trained(models.BPE(), trainers.BpeTrainer(vocab_size=5000, initial_alphabet=BYTES, show_progress=False),
                                    pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False)),
        "words": lambda: trained(models.WordLevel(unk_token="<unk>"),
                                 trainers.WordLevelTrainer(vocab_size=5000, special_tokens=["<unk>"], show_progress=False),
                                 pre_tokenizer=pre_tokenizers.Whitespace()),
}.items():
    subprocess.run([program, "train", kind, "5000", WORK / "train", WORK / "trained.json"], check=True)
    own, peer = hf.Tokenizer.from_file(str(WORK / "trained.json")).get_vocab(), make().get_vocab()
    count(f"train {kind}", "tokens", len(peer), [(k, v, own.get(k)) for k, v in peer.items() if own.get(k) != v])

# ---- Speed -----------------------------------------------------------------------------------------
for name, peer, files in (("gpt-2", gpt2, (WORK / "encoder.json", WORK / "vocab.bpe")),
                          ("bert", hf.Tokenizer.from_file(str(WORK / "bert.json")), (WORK / "bert.json", "-")),
                          ("unigram", hf.Tokenizer.from_file(str(WORK / "unigram.json")), (WORK / "unigram.json", "-"))):
    took = []
    result = subprocess.run([program, "time", *map(str, files), WORK / "texts"], check=True, capture_output=True, text=True)
    own = sorted(float(line.split()[0]) for line in result.stdout.splitlines())
    for _ in range(5):
        start = time.perf_counter()
        for text, _ in PAIRS:
            peer.encode(text)
        took.append(time.perf_counter() - start)
    took.sort()
    size = sum(map(len, TEXTS)) / 1e6
    print(f"{name}: {size / own[2]:.1f} MB/s with offsets, Hugging Face {size / took[2]:.1f}: {took[2] / own[2]:.1f}x")

print(f"tokenizers: {compared} comparisons, {wrong} differ")
sys.exit(wrong > 0)
