"""Layers and pooling from the same weights as PyTorch Geometric's, in f64: values and the gradients of
features, edges and weights.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys
import warnings

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import torch
    import torch_geometric.nn as G
    from torch_geometric.utils import softmax, to_dense_adj, to_dense_batch
    from torch_geometric.nn.dense import DenseGCNConv, dense_diff_pool

warnings.filterwarnings("ignore")
TOLERANCE = 1e-10
torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
NODES, TARGETS = 30, 12


def random_edges(count, sources=NODES, targets=NODES):
    """Some loops, some edges twice, and a node without any."""
    return torch.stack([torch.randint(0, sources - 1, (count,)), torch.randint(0, targets - 1, (count,))])


def simple_edges():
    """Each edge once; loops at some nodes: layers that replace loops then agree on which one counts."""
    mask = torch.rand(NODES - 1, NODES - 1) < 0.15
    return mask.nonzero().t().contiguous()


def mlp():
    return torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.ReLU(), torch.nn.Linear(6, 4))


edges = simple_edges()
E = edges.size(1)
weight = torch.rand(E) + 0.1
attr = torch.randn(E, 3)
many = random_edges(120)
both = random_edges(60, NODES, TARGETS)
deg = torch.bincount(torch.bincount(many[1], minlength=NODES))
SCALERS = ["identity", "amplification", "attenuation", "linear", "inverse_linear"]
one = torch.ones(E)

# Layer, edges, what it is given of them, and other arguments.
LAYERS = {
    "gcn": (G.GCNConv(5, 4), edges, None, {}),
    "gcn_weighted": (G.GCNConv(5, 4), edges, weight, {}),
    "gcn_improved": (G.GCNConv(5, 4, improved=True), edges, one, {}),
    "gcn_plain": (G.GCNConv(5, 4, normalize=False, bias=False), many, None, {}),
    "cheb": (G.ChebConv(5, 4, 3), edges, None, {}),
    "cheb_weighted": (G.ChebConv(5, 4, 3), edges, weight, {"lambda_max": 2.5}),
    "cheb_rw": (G.ChebConv(5, 4, 2, normalization="rw"), edges, None, {"lambda_max": None}),
    "cheb_none": (G.ChebConv(5, 4, 3, normalization=None), edges, None, {}),
    "sage": (G.SAGEConv(5, 4), many, None, {}),
    "sage_max": (G.SAGEConv(5, 4, aggr="max", normalize=True, project=True), many, None, {}),
    "sage_pair": (G.SAGEConv((5, 3), 4), both, None, {}),
    "gat": (G.GATConv(5, 4, heads=3), edges, None, {}),
    "gat_edge": (G.GATConv(5, 4, heads=2, concat=False, edge_dim=3, residual=True), edges, attr, {}),
    "gat_pair": (G.GATConv((5, 3), 4, heads=2, add_self_loops=False), both, None, {}),
    "gatv2": (G.GATv2Conv(5, 4, heads=3), edges, None, {}),
    "gatv2_edge": (G.GATv2Conv(5, 4, heads=2, concat=False, edge_dim=3), edges, attr, {}),
    "gin": (G.GINConv(mlp(), eps=0.3, train_eps=True), many, None, {}),
    "gin_fixed": (G.GINConv(mlp(), eps=0.2), many, None, {}),
    "gine": (G.GINEConv(mlp(), edge_dim=3), edges, attr, {}),
    "ggnn": (G.GatedGraphConv(7, 3), many, None, {}),
    "appnp": (G.APPNP(5, 0.2), edges, None, {}),
    "pna": (G.PNAConv(5, 6, ["mean", "min", "max", "std"], SCALERS, deg, towers=2), many, None, {}),
    "pna_edge": (G.PNAConv(6, 4, ["sum", "max", "var"], SCALERS[:3], deg, edge_dim=3, towers=2,
                           pre_layers=2, post_layers=2, divide_input=True), edges, attr, {}),
}


def run_layer(layer, edge_index, edge, more, width):
    """Inputs by name, and the results by name."""
    layer = layer.double()
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if "bias" in name or "att" in name:
                p.normal_()
    x = torch.randn(NODES, width, requires_grad=True)
    leaves = {"x": x}
    pair = edge_index is both
    if pair:
        leaves["xt"] = torch.randn(TARGETS, 3, requires_grad=True)
    if edge is not None:
        leaves["edge"] = edge.clone().requires_grad_()
    given = (x, leaves["xt"]) if pair else x
    args = [leaves["edge"]] if edge is not None else []
    out = layer(given, edge_index, *args, **more)
    seed = torch.randn_like(out)
    (out * seed).sum().backward()
    inputs = {k: v.detach().numpy() for k, v in leaves.items()}
    inputs |= {"edge_index": edge_index.numpy(), "seed": seed.numpy(), "deg": deg.numpy()}
    inputs |= {f"state.{k}": v.numpy() for k, v in layer.state_dict().items()}
    results = {"out": out.detach().numpy()}
    results |= {f"grad.{k}": v.grad.numpy() for k, v in leaves.items()}
    results |= {f"grad.state.{k}": p.grad.numpy() for k, p in layer.named_parameters()}
    return inputs, results


def run_pools():
    x = torch.randn(NODES, 5, requires_grad=True)
    batch = torch.tensor([0] * 7 + [1] * 13 + [2] * 10)
    same = batch[many[0]] == batch[many[1]]
    index = many[:, same]
    results = {}

    def add(name, y):
        results[name] = y.detach().numpy()
        results[f"grad.{name}"] = torch.autograd.grad(y.sin().sum(), x, retain_graph=True)[0].numpy()

    add("add", G.global_add_pool(x, batch))
    add("mean", G.global_mean_pool(x, batch))
    add("max", G.global_max_pool(x, batch))
    add("softmax", softmax(x[index[0]], index[1], num_nodes=NODES))
    add("var", G.aggr.VarAggregation()(x[index[0]], index[1], dim_size=NODES))
    add("min", G.aggr.MinAggregation()(x[index[0]], index[1], dim_size=NODES))
    top = G.TopKPooling(5, ratio=0.6)
    px, pe, _, _, perm, _ = top(x, index, batch=batch)
    add("topk", px)
    results["perm"], results["pooled_edges"] = perm.numpy(), pe.numpy()
    dense, mask = to_dense_batch(x, batch)
    add("dense", dense)
    adj = to_dense_adj(index, batch).double()
    results["adj"] = adj.numpy()
    dx, da, link, ent = dense_diff_pool(dense, adj, dense[..., :3], mask)
    for name, y in (("diff_x", dx), ("diff_adj", da), ("link_loss", link), ("ent_loss", ent)):
        add(name, y)
    conv = DenseGCNConv(5, 4)
    add("dense_gcn", conv(dense, adj, mask))
    inputs = {"x": x.detach().numpy(), "batch": batch.numpy(), "edge_index": index.numpy(),
              "topk": top.select.weight.detach().numpy(), "dense_bias": conv.bias.detach().numpy(),
              "dense_weight": conv.lin.weight.detach().numpy()}
    return inputs, results


program = compiled(pathlib.Path(__file__).with_name("layers.cpp"))
cases = {name: run_layer(*case, 6 if name == "pna_edge" else 5) for name, case in LAYERS.items()}
cases["pool"] = run_pools()
np.savez(WORK / "in.npz", **{f"{name}.{k}": v for name, (inputs, _) in cases.items()
                             for k, v in inputs.items()})
subprocess.run([program, WORK / "in.npz", WORK / "out.npz"], check=True)
out = np.load(WORK / "out.npz")
worst, compared, faults = 0, 0, []
for name, (_, results) in cases.items():
    for key, wanted in results.items():
        found = out[f"{name}.{key}"].reshape(wanted.shape)
        apart = float(np.abs(found - wanted).max() / max(1, np.abs(wanted).max())) if wanted.size else 0
        worst, compared = max(worst, apart), compared + 1
        if not apart <= TOLERANCE:
            faults.append(f"{name}.{key}: {apart:.2e} apart")
if faults:
    sys.exit("\n".join(faults))
print(f"layers: {compared} arrays of {len(cases)} cases as PyTorch Geometric's, "
      f"at most {worst:.1e} apart")
