"""Recurrent layers, attention and transformers beside PyTorch's: results, gradients of inputs and
weights, and state dicts in both directions.

    sequence.py PROGRAM FOLDER
"""
import subprocess
import sys

import torch
from torch import nn
from torch.nn.utils import rnn

import tensors
from compare import FOLDER, PROGRAM, TOLERANCE, check, check_close, faults, uniform


def small(*shape):
    return uniform(*shape, low=-1, high=1)


LENGTHS = torch.tensor([3, 7, 1])


def recurrent(kind, time=7, states=(4, 3), size=6, count=1, batch_first=False, **options):
    """From given states."""
    layer = kind(5, 6, batch_first=batch_first, **options)
    projected = options.get("proj_size", size)
    shape = (3, time, 5) if batch_first else (time, 3, 5)
    made = [small(*shape), small(*states, projected)] + [small(*states, size)] * (count - 1)

    def run(module, x, *given):
        out, last = module(x, given if count == 2 else given[0])
        return (out, *last) if count == 2 else (out, last)
    return layer, run, made


def packed(kind, count=1, **options):
    layer, _, made = recurrent(kind, count=count, num_layers=2, bidirectional=True, **options)

    def run(module, x, *given):
        *states, lengths = given
        p = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        out, last = module(p, tuple(states) if count == 2 else states[0])
        if count == 2:
            return rnn.pad_packed_sequence(out, True)[0], *last
        return rnn.pad_packed_sequence(out, False, 0.5, len(x))[0], last
    return layer, run, made + [LENGTHS]


def heads(shapes, masks=(), call=(), **options):
    def run(module, q, k, v, *given):
        return module(q, k, v, **dict(zip(("key_padding_mask", "attn_mask"), given)), **dict(call))
    layer = nn.MultiheadAttention(12, 3, **{"batch_first": True, **options})
    for p in layer.parameters():
        if p.ndim == 1:
            nn.init.normal_(p)  # biases that are not zero
    return layer, run, [small(*s) for s in shapes] + list(masks)


PADDING = torch.arange(6) >= torch.tensor([[4], [6]])  # (2, 6)
BOTH = {"num_layers": 2, "bidirectional": True}
BARE = {"bias": False, "batch_first": True}
LAYER = {"dim_feedforward": 20, "dropout": 0.0, "layer_norm_eps": 1e-3, "batch_first": True}
QKV = [(2, 4, 12), (2, 6, 12), (2, 6, 12)]


def cases():
    yield "lstm", *recurrent(nn.LSTM, count=2, **BOTH)
    yield "lstm_bare", *recurrent(nn.LSTM, count=2, states=(1, 3), **BARE)
    yield "lstm_projected", *recurrent(nn.LSTM, count=2, proj_size=4, **BOTH)
    yield "gru", *recurrent(nn.GRU, **BOTH)
    yield "rnn", *recurrent(nn.RNN, **BOTH)
    yield "rnn_relu", *recurrent(nn.RNN, states=(1, 3), nonlinearity="relu", **BARE)
    yield "lstm_packed", *packed(nn.LSTM, 2)
    yield "gru_packed", *packed(nn.GRU)
    yield "rnn_packed", *packed(nn.RNN)
    yield ("lstm_cell", nn.LSTMCell(5, 6), lambda m, x, h, c: m(x, (h, c)),
           [small(3, 5), small(3, 6), small(3, 6)])
    yield ("gru_cell", nn.GRUCell(5, 6, bias=False), lambda m, x, h: (m(x, h),),
           [small(3, 5), small(3, 6)])
    yield ("rnn_cell", nn.RNNCell(5, 6, nonlinearity="relu"), lambda m, x, h: (m(x, h),),
           [small(3, 5), small(3, 6)])
    yield "heads", *heads(QKV)
    yield "heads_each", *heads(QKV, [PADDING], {"average_attn_weights": False}.items(), bias=False)
    yield "heads_masks", *heads([(4, 2, 12), (6, 2, 12), (6, 2, 12)],
                                [PADDING, small(6, 4, 6)], batch_first=False)
    yield "heads_added", *heads([(2, 4, 12), (2, 6, 5), (2, 6, 7)], [PADDING], kdim=5, vdim=7,
                                add_bias_kv=True, add_zero_attn=True)
    yield ("encoder",
           nn.TransformerEncoder(nn.TransformerEncoderLayer(12, 3, activation="gelu",
                                                            norm_first=True, **LAYER),
                                 2, nn.LayerNorm(12), enable_nested_tensor=False),
           lambda m, x, mask: (m(x, src_key_padding_mask=mask),), [small(2, 6, 12), PADDING])
    yield ("encoder_layer", nn.TransformerEncoderLayer(12, 3, bias=False, **LAYER),
           lambda m, x, mask: (m(x, mask),), [small(2, 6, 12), small(6, 6)])
    yield ("decoder_layer", nn.TransformerDecoderLayer(12, 3, norm_first=True, **LAYER),
           lambda m, x, memory, mask: (m(x, memory, mask),),
           [small(2, 4, 12), small(2, 6, 12), torch.ones(4, 4).triu(1).bool()])
    yield ("transformer",
           nn.Transformer(12, 3, 2, 2, 20, 0.0, batch_first=True),
           lambda m, src, tgt, mask: (m(
               src, tgt, src_key_padding_mask=mask, memory_key_padding_mask=mask,
               tgt_mask=m.generate_square_subsequent_mask(tgt.shape[1], dtype=tgt.dtype)),),
           [small(2, 6, 12), small(2, 4, 12), PADDING])


def main():
    torch.manual_seed(3)
    inputs, wanted, states = {}, {}, {}
    for name, module, run, made in cases():
        for dtype in (torch.float32, torch.float64):
            case = f"{name}.{str(dtype).split('.')[1]}"
            module = module.to(dtype)
            module.zero_grad()
            given = [t.to(dtype) if t.dtype.is_floating_point else t for t in made]
            given = [t.detach().clone().requires_grad_(t.dtype.is_floating_point) for t in given]
            results = [r for r in run(module, *given) if r is not None]
            states[case] = list(module.state_dict())
            for key, value in module.state_dict().items():
                inputs[f"{case}/state/{key}"] = value.numpy()
                wanted[f"{case}/state/{key}"] = (value.clone(), dtype)
            for i, t in enumerate(given):
                inputs[f"{case}/in/{i}"] = t.detach().numpy()
            weights = [small(*r.shape).to(dtype) for r in results]
            for i, (r, w) in enumerate(zip(results, weights)):
                inputs[f"{case}/weight/{i}"] = w.numpy()
                wanted[f"{case}/out/{i}"] = (r, dtype)
            sum((r * w).sum() for r, w in zip(results, weights)).backward()
            for i, t in enumerate(t for t in given if t.dtype.is_floating_point):
                wanted[f"{case}/grad/{i}"] = (t.grad, dtype)
            for key, p in module.named_parameters():
                wanted[f"{case}/grad/{key}"] = (p.grad.clone(), dtype)
    tensors.save(FOLDER / "inputs.safetensors", inputs)
    subprocess.run([PROGRAM, FOLDER], check=True)
    got = tensors.load(FOLDER / "outputs.safetensors")
    check("results", got.keys() == wanted.keys(), str(sorted(got.keys() ^ wanted.keys())))
    for name in got.keys() & wanted.keys():
        want, dtype = wanted[name]
        check_close(name, got[name], want, TOLERANCE[dtype])
    for case, keys in states.items():
        own = [k.split("/", 2)[2] for k in got if k.startswith(f"{case}/state/")]
        check(case, own == keys, f"the state dict is in the order {own}, not {keys}")
    print(f"{len(states)} layers of sequences, {len(wanted)} results, gradients and weights")
    for fault in faults:
        print("FAILED", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
