"""Epochs of training beside PyTorch Geometric in pairs, one after the other: GCN, SAGE and GAT on Cora, GIN
on batches of small graphs, each side on one thread. Prints wall and processor times of both; it fails
only where a loss is no number, since times of a busy machine prove nothing.

Run by tests/parity/run.
"""
import gzip
import io
import math
import os
import pathlib
import resource
import subprocess
import sys
import tarfile
import time
import warnings

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import torch
    import torch.nn.functional as F
    import torch_geometric.nn as G
    from torch_geometric.data import Data
    from torch_geometric.loader import DataLoader

warnings.filterwarnings("ignore")
ROUNDS = 2
torch.set_num_threads(1)
os.environ["GLIA_NUM_THREADS"] = "1"
DATA = pathlib.Path(os.environ.get("GLIA_DATA", "data"))


def cora():
    with gzip.open(DATA / "cora/nodes.tsv.gz", "rt") as f:
        rows = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
    x = np.zeros((len(rows), 1433), np.float32)
    for i, row in enumerate(rows):
        x[i, [int(w) for w in row[3].split()]] = 1
    x /= np.maximum(x.sum(1, keepdims=True), 1)
    edges = np.loadtxt(io.StringIO(gzip.open(DATA / "cora/edges.tsv.gz", "rt").read()), np.int64).T
    return {"x": x, "edge_index": np.concatenate([edges, edges[::-1]], 1),
            "y": np.array([int(r[1]) for r in rows]),
            "train": np.array([i for i, r in enumerate(rows) if r[2] == "train"])}


def tu(name):
    texts = {}
    with tarfile.open(DATA / f"tu/{name}.tar.gz") as tar:
        for member in tar:
            if member.isfile():
                texts[member.name.split(f"{name.upper()}_")[-1]] = tar.extractfile(member).read()

    def numbers(text):
        return np.loadtxt(io.BytesIO(texts[text].replace(b",", b" ")), np.int64)

    labels, kinds = numbers("graph_labels.txt"), numbers("node_labels.txt")
    return {"x": np.eye(kinds.max() - kinds.min() + 1, dtype=np.float32)[kinds - kinds.min()],
            "owner": numbers("graph_indicator.txt") - 1, "edge_index": numbers("A.txt").T - 1,
            "y": np.unique(labels, return_inverse=True)[1].astype(np.int64)}


class Net(torch.nn.Module):
    def __init__(self, kind, inputs):
        super().__init__()
        self.gat, self.p = kind == "gat", 0.6 if kind == "gat" else 0.5
        if self.gat:
            self.one = G.GATConv(inputs, 8, heads=8, dropout=0.6)
            self.two = G.GATConv(64, 7, concat=False, dropout=0.6)
        else:
            layer, more = (G.GCNConv, {"cached": True}) if kind == "gcn" else (G.SAGEConv, {})
            self.one, self.two = layer(inputs, 16, **more), layer(16, 7, **more)

    def forward(self, x, edge_index):
        x = self.one(F.dropout(x, self.p, self.training), edge_index)
        x = F.elu(x) if self.gat else x.relu()
        return self.two(F.dropout(x, self.p, self.training), edge_index)


def two_layers(inputs):
    return torch.nn.Sequential(torch.nn.Linear(inputs, 32), torch.nn.BatchNorm1d(32), torch.nn.ReLU(),
                               torch.nn.Linear(32, 32))


class GIN(torch.nn.Module):
    """Glia's GINClassifier."""

    def __init__(self, inputs):
        super().__init__()
        self.convs = torch.nn.ModuleList(G.GINConv(two_layers(32 if i else inputs)) for i in range(4))
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm1d(32) for _ in range(4))
        self.outs = torch.nn.ModuleList(torch.nn.Linear(32 if i else inputs, 2) for i in range(5))

    def forward(self, b):
        h, score = b.x, 0
        for i, out in enumerate(self.outs):
            score = score + F.dropout(out(G.global_add_pool(h, b.batch, b.num_graphs)), 0.5, self.training)
            if i < 4:
                h = self.norms[i](self.convs[i](h, b.edge_index)).relu()
        return score


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def measure(warm, count, step):
    for _ in range(warm):
        loss = step()
    wall, busy = time.perf_counter(), cpu()
    for _ in range(count):
        loss = step()
    return (time.perf_counter() - wall) / count, (cpu() - busy) / count, loss


def torch_graph(kind, d):
    torch.manual_seed(0)
    x, e, y, train = (torch.from_numpy(np.ascontiguousarray(d[k])) for k in ("x", "edge_index", "y", "train"))
    net = Net(kind, x.size(1))
    optimizer = torch.optim.Adam(net.parameters(), 0.005 if kind == "gat" else 0.01, weight_decay=5e-4)

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x, e)[train], y[train])
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def torch_batches(d):
    torch.manual_seed(0)
    graphs = []
    for g in range(len(d["y"])):
        mine = np.flatnonzero(d["owner"] == g)
        edges = d["edge_index"][:, d["owner"][d["edge_index"][0]] == g] - mine[0]
        graphs.append(Data(x=torch.from_numpy(d["x"][mine]), edge_index=torch.from_numpy(edges),
                           y=torch.tensor([d["y"][g]])))
    net = GIN(d["x"].shape[1])
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    loader = DataLoader(graphs, 32, shuffle=True, drop_last=True)

    def step():
        for batch in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(batch), batch.y)
            loss.backward()
            optimizer.step()
        return loss.item()
    return step


def compare(name, mode, data, step, warm, theirs, ours):
    """Rounds of both in turn; of each the least."""
    rows = {"PyG": [], **{m: [] for m in mode}}
    for _ in range(ROUNDS):
        rows["PyG"].append(measure(warm, theirs, step))
        for m in mode:
            text = subprocess.run([PROGRAM, m, data, str(ours)], check=True, capture_output=True).stdout
            rows[m].append(tuple(float(v) for v in text.split()))
    least = {side: [min(r[k] for r in found) for k in (0, 1)] for side, found in rows.items()}
    if not all(math.isfinite(r[2]) for found in rows.values() for r in found):
        sys.exit(f"{name}: a loss is no number")
    for m in mode:
        print(f"{name} {m}: an epoch takes {1e3 * least[m][0]:.2f} ms (processor {1e3 * least[m][1]:.2f}), "
              f"PyTorch Geometric's {1e3 * least['PyG'][0]:.2f} ({1e3 * least['PyG'][1]:.2f}): "
              f"{least['PyG'][0] / least[m][0]:.1f} times, by the processor {least['PyG'][1] / least[m][1]:.1f}", flush=True)


if not (DATA / "cora").is_dir():
    print("SKIPPED: cora is not in GLIA_DATA")
    sys.exit(0)
PROGRAM = compiled(pathlib.Path(__file__).with_name("speed.cpp"))
d = cora()
np.savez(WORK / "cora.npz", **d)
for kind, count in (("gcn", 10), ("sage", 10), ("gat", 6)):
    compare("cora", [kind, f"{kind}-sparse"], WORK / "cora.npz", torch_graph(kind, d), 2, count, 2 * count)
for name, count in (("mutag", 3), ("proteins", 1)):
    if not (DATA / f"tu/{name}.tar.gz").exists():
        print(f"SKIPPED: {name} is not in GLIA_DATA")
        continue
    d = tu(name)
    np.savez(WORK / f"{name}.npz", **d)
    compare(name, ["gin"], WORK / f"{name}.npz", torch_batches(d), 1, count, 2 * count)
