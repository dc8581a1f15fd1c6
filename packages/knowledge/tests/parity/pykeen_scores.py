"""Scores of triples from equal embeddings beside PyKEEN's interactions, live, in f64; and filtered ranks
beside its evaluator.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

sys.modules.setdefault("torchvision", None)  # pictures are of no use here, and it may not fit the torch
with peers():
    import numpy as np
    import torch
    from pykeen.evaluation import RankBasedEvaluator
    from pykeen.nn import modules

program = compiled(pathlib.Path(__file__).with_suffix(".cpp"))
E, R, D, N = 30, 7, 40, 200
draw = np.random.default_rng(1)
h, r, t = draw.integers(0, E, N), draw.integers(0, R, N), draw.integers(0, E, N)


def normal(*shape):
    return draw.normal(size=shape) * 0.5


def tensor(x):
    return torch.tensor(np.asarray(x))


def complexes(x):
    return torch.complex(*(tensor(part) for part in np.split(x, 2, axis=-1)))


def given(name, state, options=""):
    """The scores of Glia's model with that state."""
    lines = [f"{name} {E} {R} {D} {N} {options}".strip(), str(len(state))]
    for key, value in state.items():
        lines.append(f"{key} {value.ndim} " + " ".join(map(str, value.shape)))
        lines.append(" ".join(map(repr, map(float, value.ravel()))))
    lines += [" ".join(map(str, x)) for x in (h, r, t)]
    out = subprocess.run([program], input="\n".join(lines) + "\n", check=True, capture_output=True, text=True).stdout
    return np.array(out.split(), float)


def batch_norm(module, prefix, state):
    """Gives PyTorch's layer statistics that are not 0 and 1, and Glia's the same."""
    for key, value in (("weight", 1 + 0.2 * normal(*module.weight.shape)), ("bias", normal(*module.weight.shape)),
                       ("running_mean", normal(*module.weight.shape)),
                       ("running_var", 1 + draw.random(module.weight.shape))):
        getattr(module, key).data = tensor(value)
        state[f"{prefix}.{key}"] = value
    state[f"{prefix}.num_batches_tracked"] = np.zeros(())


def cases():
    e, w, e2, w2 = normal(E, D), normal(R, D), normal(E, 2 * D), normal(R, 2 * D)
    plain = {"entity": e, "relation": w}
    for p in (1, 2):
        yield f"transe p={p}", "transe", plain, p, modules.TransEInteraction(p=p), tensor(e[h]), tensor(w[r]), tensor(e[t])
    yield "distmult", "distmult", plain, 1, modules.DistMultInteraction(), tensor(e[h]), tensor(w[r]), tensor(e[t])
    both = {"entity": e2, "relation": w2}
    yield ("complex", "complex", both, 1, modules.ComplExInteraction(), complexes(e2[h]), complexes(w2[r]),
           complexes(e2[t]))
    m = normal(R, D, D)
    yield ("rescal", "rescal", {"entity": e, "relation": m}, 1, modules.RESCALInteraction(), tensor(e[h]),
           tensor(m[r]), tensor(e[t]))
    angle = draw.uniform(-3, 3, (R, D))
    turn = torch.polar(torch.ones(N, D, dtype=torch.double), tensor(angle[r]))
    yield ("rotate p=2", "rotate", {"entity": e2, "relation": angle}, 2, modules.RotatEInteraction(),
           complexes(e2[h]), turn, complexes(e2[t]))
    n = normal(R, D)
    unit = n / np.linalg.norm(n, axis=1, keepdims=True)
    yield ("transh p=2", "transh", plain | {"normal": n}, 2, modules.TransHInteraction(p=2), tensor(e[h]),
           (tensor(unit[r]), tensor(w[r])), tensor(e[t]))
    yield ("transr p=2", "transr", plain | {"projection": m}, 2, modules.TransRInteraction(p=2, power_norm=False),
           tensor(e[h]), (tensor(w[r]), tensor(m[r])), tensor(e[t]))

    back = normal(2 * R, D)  # with reciprocal relations
    core = normal(D, D, D)
    tucker = modules.TuckERInteraction(embedding_dim=D, relation_dim=D).double()
    tucker.core_tensor.data = tensor(core.transpose(1, 0, 2))
    state = {"entity": e, "relation": back, "core": core}
    batch_norm(tucker.head_batch_norm, "norm0", state)
    batch_norm(tucker.head_relation_batch_norm, "norm1", state)
    yield "tucker", "tucker", state, 1, tucker.eval(), tensor(e[h]), tensor(back[r]), tensor(e[t])

    conve = modules.ConvEInteraction(embedding_dim=D, embedding_height=10, embedding_width=D // 10).double()
    bias = normal(E)
    state = {"entity": e, "relation": back, "entity_bias": bias}
    norms = [m for m in conve.modules() if isinstance(m, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d))]
    for k, norm in enumerate(norms):
        batch_norm(norm, f"norm{k}", state)
    conv = next(m for m in conve.modules() if isinstance(m, torch.nn.Conv2d))
    full = next(m for m in conve.modules() if isinstance(m, torch.nn.Linear))
    state |= {"conv.weight": conv.weight.detach().numpy(), "conv.bias": conv.bias.detach().numpy()}
    # Glia's pictures have their channels last.
    own = full.weight.detach().numpy().reshape(D, 32, 18, D // 10 - 2).transpose(0, 2, 3, 1).reshape(D, -1)
    state |= {"out.weight": own, "out.bias": full.bias.detach().numpy()}
    yield "conve", "conve", state, 1, conve.eval(), tensor(e[h]), tensor(back[r]), (tensor(e[t]), tensor(bias[t]))


wrong = compared = 0
for title, name, state, p, interaction, hs, rs, ts in cases():
    with torch.no_grad():
        want = interaction(hs, rs, ts).numpy()
    own = given(name, state, str(p))
    off = np.abs(own - want).max() / max(1, np.abs(want).max())
    compared += N
    wrong += int((np.abs(own - want) > 1e-6 * np.maximum(1, np.abs(want))).sum())
    print(f"{title:<12} apart at most {off:.1e}")

# Ranks: scores with many ties, and known answers, which PyKEEN's evaluator takes as NaN.
evaluator = RankBasedEvaluator()
lines = [f"ranks {E} {N}", " ".join(map(str, h)), " ".join(map(str, t))]
for target, right in (("tail", t), ("head", h)):
    scores = draw.integers(0, 6, (N, E)).astype(float)
    known = draw.random((N, E)) < 0.2
    known[np.arange(N), right] = False
    lines += [" ".join(map(str, x.astype(int).ravel())) for x in (scores, known)]
    evaluator.process_scores_(hrt_batch=torch.tensor(np.stack([h, r, t], 1)), target=target,
                              true_scores=torch.tensor(scores[np.arange(N), right])[:, None],
                              scores=torch.tensor(np.where(known, np.nan, scores)))
want = evaluator.finalize()
own = subprocess.run([program], input="\n".join(lines) + "\n", check=True, capture_output=True, text=True).stdout.split()
names = ["arithmetic_mean_rank", "inverse_harmonic_mean_rank", "hits_at_1", "hits_at_3", "hits_at_10",
         "adjusted_arithmetic_mean_rank_index"]
for name, value in zip(names, map(float, own)):
    peer = want.get_metric(f"both.realistic.{name}")
    compared += 1
    wrong += abs(value - peer) > 1e-6
    print(f"{name:<36} {value:.6f}, PyKEEN {peer:.6f}")
print(f"pykeen: {compared} comparisons, {wrong} differ")
sys.exit(wrong > 0)
