#!/usr/bin/env python3
"""Holds language models of the Llama family against Transformers, SmolLM2's GGUF file against a
float64 pass in NumPy and the library tokenizers, and templates of conversations against Jinja.

Run by tests/parity/run. The part on SmolLM2 says SKIPPED where its file is absent.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import jinja2
    import numpy as np
    import torch
    for unneeded in ("torchvision", "torchaudio"):  # which may not fit the torch
        sys.modules.setdefault(unneeded, None)
    from gguf import GGUFReader, quants
    from safetensors.numpy import save_file
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

PROGRAM = compiled(pathlib.Path(__file__).with_name("llm.cpp"), "text")
rng = np.random.default_rng(0)
checked = 0


def fail(text):
    sys.exit(f"llama: {text}")


def cosine(a, b):
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


# ---- Random models beside Transformers, in f64 ----
for layers, heads, keys, width, ffn, tied in [(2, 4, 2, 64, 96, True), (1, 3, 1, 96, 160, False),
                                              (3, 4, 4, 32, 64, True)]:
    config = LlamaConfig(vocab_size=97, hidden_size=width, intermediate_size=ffn,
                         num_hidden_layers=layers, num_attention_heads=heads,
                         num_key_value_heads=keys, rms_norm_eps=1e-5, tie_word_embeddings=tied,
                         max_position_embeddings=8192, attn_implementation="eager",
                         rope_parameters={"rope_type": "default", "rope_theta": 100000.0})
    torch.manual_seed(layers)
    model = LlamaForCausalLM(config).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    state = {k: v.numpy() for k, v in model.state_dict().items() if not (tied and "lm_head" in k)}
    save_file(state, WORK / "llama.safetensors")
    (WORK / "config").write_text(f"97 {width} {ffn} {layers} {heads} {keys} 1e-5 100000 {int(tied)}")
    tokens = rng.integers(0, 97, (2, 30))
    np.save(WORK / "tokens.npy", tokens)
    subprocess.run([PROGRAM, "llama", WORK / "config", WORK / "llama.safetensors",
                    WORK / "tokens.npy", WORK / "a.npy", WORK / "b.npy"], check=True)
    with torch.no_grad():
        want = model.double()(torch.from_numpy(tokens)).logits.numpy()
    for name, bound in (("a", 2e-5), ("b", 5e-3)):  # the decoder keeps keys and values in f16
        got = np.load(WORK / f"{name}.npy").astype(np.float64)
        if not np.abs(got - want).max() < bound * np.abs(want).max():
            fail(f"logits {name} are {np.abs(got - want).max() / np.abs(want).max():.1e} apart")
        checked += want.size
print(f"llama: {checked:,} logits of random models are those of Transformers")

# ---- Templates ----
CHATML = ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
          "'<|im_start|>system\nBe kind<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] "
          "+ '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if "
          "add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
ZEPHYR = ("{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + "
          "message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ "
          "'<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == "
          "'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
          "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n"
          "{% endfor %}")
LLAMA3 = ("{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
          "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | "
          "trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}"
          "{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ "
          "'<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")
GEMMA = ("{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not "
         "supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != "
         "(loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif "
         "%}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = "
         "message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim "
         "+ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}"
         "{% endif %}")
MISTRAL = ("{%- if messages[0][\"role\"] == \"system\" %}\n    {%- set system_message = messages[0]"
           "[\"content\"] %}\n    {%- set loop_messages = messages[1:] %}\n{%- else %}\n    {%- set "
           "loop_messages = messages %}\n{%- endif %}\n{%- set ns = namespace(index=0) %}\n{{- "
           "bos_token }}\n{%- for message in loop_messages %}\n    {%- if message[\"role\"] == "
           "\"user\" %}\n        {%- if loop.last and system_message is defined %}\n            {{- "
           "\"[INST] \" + system_message + \"\\n\\n\" + message[\"content\"] + \"[/INST]\" }}\n        "
           "{%- else %}\n            {{- \"[INST] \" + message[\"content\"] + \"[/INST]\" }}\n        "
           "{%- endif %}\n    {%- elif message.role == 'assistant' %}\n        {{- \" \" + "
           "message.content|trim + eos_token}}\n        {%- set ns.index = ns.index + 1 %}\n    "
           "{%- endif %}\n{%- endfor %}\n{{ ns.index }}")
TALKS = [[("user", "Hi")], [("system", "Be brief. "), ("user", " Hi\nthere ")],
         [("user", "a"), ("assistant", " b "), ("user", "{{ c }}")],
         [("system", "s"), ("user", "a"), ("assistant", ""), ("user", "Gr\u00fc\u00dfe \u4f60")]]


def refuse(message):
    raise jinja2.TemplateError(message)


environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
environment.globals["raise_exception"] = refuse
texts = 0
for template in (CHATML, ZEPHYR, LLAMA3, GEMMA, MISTRAL):
    (WORK / "template").write_text(template)
    for talk in TALKS:
        try:
            want = environment.from_string(template).render(
                messages=[{"role": r, "content": c} for r, c in talk], add_generation_prompt=True,
                bos_token="<s>", eos_token="</s>")
        except jinja2.TemplateError:
            want = None
        run = subprocess.run([PROGRAM, "chat", WORK / "template", *[x for m in talk for x in m]],
                             capture_output=True)
        got = run.stdout.decode() if run.returncode == 0 else None
        if got != want:
            fail(f"a template gives {got!r}, not {want!r}")
        texts += 1
print(f"llama: {texts} conversations are as Jinja has them")

# ---- SmolLM2 ----
path = subprocess.run([PROGRAM, "find", "smollm2"], capture_output=True, check=True).stdout.decode()
if not path:
    print("SKIPPED: SmolLM2's file is absent")
    sys.exit(0)
reader = GGUFReader(path)
W = {t.name: quants.dequantize(t.data, t.tensor_type).astype(np.float64)
     .reshape([int(n) for n in t.shape[::-1]]) for t in reader.tensors}
get = {name: field.contents() for name, field in reader.fields.items()}
names = get["tokenizer.ggml.tokens"]
tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(names)},
                                 merges=[tuple(m.split(" ")) for m in get["tokenizer.ggml.merges"]]))
tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
    pre_tokenizers.Digits(individual_digits=True),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, kind in
                              zip(names, get["tokenizer.ggml.token_type"]) if kind == 3])


def logits_of(tokens, heads=9, keys=3, size=64):
    eps = get["llama.attention.layer_norm_rms_epsilon"]
    count = len(tokens)
    angle = np.arange(count)[:, None] * get["llama.rope.freq_base"] ** (
        -2 * np.arange(size // 2) / size)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]

    def norm(x, w):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w

    def turned(x):
        a, b = x[..., 0::2], x[..., 1::2]
        return np.stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(x.shape)

    x = W["token_embd.weight"][tokens]
    for i in range(get["llama.block_count"]):
        w = {k.split(".")[2]: v for k, v in W.items() if k.startswith(f"blk.{i}.")}
        h = norm(x, w["attn_norm"])
        q = turned((h @ w["attn_q"].T).reshape(count, heads, size))
        k = turned((h @ w["attn_k"].T).reshape(count, keys, size)).repeat(heads // keys, 1)
        v = (h @ w["attn_v"].T).reshape(count, keys, size).repeat(heads // keys, 1)
        s = np.einsum("thd,shd->hts", q, k) / np.sqrt(size)
        s = np.where(np.tril(np.ones((count, count), bool)), s, -np.inf)
        p = np.exp(s - s.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        x = x + np.einsum("hts,shd->thd", p, v).reshape(count, -1) @ w["attn_output"].T
        h = norm(x, w["ffn_norm"])
        gate = h @ w["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w["ffn_up"].T)) @ w["ffn_down"].T
    return norm(x, W["output_norm.weight"]) @ W["token_embd.weight"].T


LINES = ["The capital of France is", "<|im_start|>user\u00a0What is 12 + 1345?<|im_end|>",
         "Zw\u00f6lf Boxk\u00e4mpfer jagen Viktor quer \u00fcber den gro\u00dfen Sylter Deich.",
         "def f(x):    return x ** 2  # \u4f60\u597d, \U0001f600!"]
(WORK / "lines").write_text("\n".join(LINES) + "\n")
subprocess.run([PROGRAM, "real", path, WORK / "lines", WORK], check=True)
worst, least = 0, 1
for i, line in enumerate(LINES):
    tokens = np.load(WORK / f"{i}_tokens.npy")[0]
    if tokens.tolist() != tokenizer.encode(line).ids:
        fail(f"{line!r} has the tokens {tokens.tolist()}")
    want = logits_of(tokens)
    apart = np.abs(np.load(WORK / f"{i}_model.npy") - want).max() / np.abs(want).max()
    near = min(cosine(a, b) for a, b in zip(np.load(WORK / f"{i}_decoder.npy").astype(float), want))
    if not (apart < 1e-4 and near > 0.9999):
        fail(f"SmolLM2's logits are {apart:.1e} apart, by products of blocks of cosine {near}")
    worst, least = max(worst, apart), min(least, near)
print(f"llama: SmolLM2's logits are {worst:.1e} from those of NumPy in f64, those by products of "
      f"blocks have a cosine of {least:.7f} or more")
