"""The workloads in PyTorch: the definition that the other sides follow."""
import functools
import gc
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import torch
from torch import nn
from torch.nn import functional


def peak_bytes(step):
    """The most bytes of tensors during a step: those alive before, and the profiler's record of
    what is allocated and freed."""
    step()
    storages = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.Tensor) and thing.layout == torch.strided:
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=cpu, profile_memory=True) as profile:
        step()
    most = alive = sum(storages.values())
    changes = [(event.start_ns(), event.nbytes())
               for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for _, change in sorted(changes):
        alive += change
        most = max(most, alive)
    return most


class Workload:
    """What is timed. Eager is tried with each of `settings`, torch.compile with each of `compiled`,
    and the fastest counts; of no settings: there is no such side. A call does the work `times`."""
    settings, compiled = [{}], [{}]
    times = 1
    compiling = False

    def compile(self, function, **options):
        """The function, compiled if that is the side."""
        return torch.compile(function, **options) if self.compiling else function


class Model(Workload):
    """A network and its inputs."""

    def __init__(self, model, inputs):
        self.model, self.inputs = model, inputs

    def tensors(self):
        return {**self.model.state_dict(), **self.inputs}

    def load(self, tensors):
        self.inputs = {name: tensors[name] for name in self.inputs}
        self.model.load_state_dict({name: value for name, value in tensors.items()
                                    if name not in self.inputs})


class Training(Model):
    """With an optimizer. The loss and its gradient are compiled together, the optimizer alone,
    unless it is one fused call already."""
    clip = None

    def __init__(self, model, inputs, optimizer, settings, lr):
        super().__init__(model, inputs)
        self.optimizer, self.settings, self.lr = optimizer, settings, lr
        self.compiled = settings

    def batch(self):
        """The arguments of the loss in the next step."""
        return ()

    def step(self, setting, lr=None):
        optimizer = self.optimizer(self.model.parameters(), lr=lr or self.lr, **setting)
        forward = self.compile(self.loss)
        update = optimizer.step if setting.get("fused") else self.compile(optimizer.step)

        def run():
            optimizer.zero_grad()
            loss = forward(*self.batch())
            loss.backward()
            if self.clip:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
            update()
            return loss
        return run


def linear_layers(sizes):
    layers = []
    for i, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
        layers += [nn.ReLU()] * (i > 0) + [nn.Linear(rows, columns)]
    return nn.Sequential(*layers)


class Mlp(Training):
    def __init__(self, sizes, batch):
        super().__init__(linear_layers(sizes), {"x": torch.randn(batch, sizes[0])},
                         functools.partial(torch.optim.SGD, momentum=0.9),
                         [{"foreach": True}, {"fused": True}], 1e-6)
        self.target = torch.arange(batch) % sizes[-1]

    def loss(self):
        return functional.cross_entropy(self.model(self.inputs["x"]), self.target)


class Dqn(Training):
    def __init__(self):
        super().__init__(linear_layers([4, 120, 84, 2]),
                         {"x": torch.randn(128, 4), "target": torch.randn(128)}, torch.optim.Adam,
                         [{}, {"fused": True}, {"foreach": True}], 1e-7)
        self.action = (torch.arange(128) % 2)[:, None]

    def loss(self):
        value = self.model(self.inputs["x"]).gather(1, self.action).squeeze(1)
        return functional.mse_loss(value, self.inputs["target"])


def resnet20():
    class Block(nn.Module):
        def __init__(self, channels, out, stride):
            super().__init__()
            self.c1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
            self.b1 = nn.BatchNorm2d(out)
            self.c2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
            self.b2 = nn.BatchNorm2d(out)
            self.stride, self.half = stride, (out - channels) // 2

        def forward(self, x):
            h = self.b2(self.c2(functional.relu(self.b1(self.c1(x)))))
            if self.stride > 1:
                x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.half, self.half))
            return functional.relu(h + x)

    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    channels = 16
    for out in (16, 32, 64):
        for i in range(3):
            layers.append(Block(channels, out, 2 if i == 0 and out > 16 else 1))
            channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class ResNetTraining(Training):
    def __init__(self):
        super().__init__(resnet20(), {"x": torch.randn(128, 3, 32, 32)},
                         functools.partial(torch.optim.SGD, momentum=0.9, weight_decay=1e-4),
                         [{"channels_last": False}, {"channels_last": True}], 1e-6)
        self.target = torch.arange(128) % 10

    def step(self, setting, lr=None):
        if setting.get("channels_last"):
            self.model.to(memory_format=torch.channels_last)
            self.inputs["x"] = self.inputs["x"].contiguous(memory_format=torch.channels_last)
        return super().step({}, lr)

    def loss(self):
        return functional.cross_entropy(self.model(self.inputs["x"]), self.target)


class ResNetInference(Model):
    """Freezing folds the normalisation into the weights when it compiles."""
    settings = [{"channels_last": False}, {"channels_last": True}]
    compiled = [{"channels_last": True}, {"channels_last": True, "freezing": True}]

    def __init__(self, batch):
        super().__init__(resnet20(), {"x": torch.randn(batch, 3, 32, 32)})
        with torch.no_grad():  # running statistics of something
            self.model(torch.randn(16, 3, 32, 32))
        self.model.eval()

    def step(self, setting, lr=None):
        model, x = self.model, self.inputs["x"]
        if setting.get("channels_last"):
            model = model.to(memory_format=torch.channels_last)
            x = x.contiguous(memory_format=torch.channels_last)
        model = self.compile(model, options={"freezing": setting.get("freezing", False)})

        def run():
            with torch.inference_mode():
                return model(x)
        return run


class Inputs(Workload):
    """Work on tensors alone."""

    def __init__(self, **shapes):
        self.inputs = {name: torch.randn(*shape) for name, shape in shapes.items()}

    def tensors(self):
        return self.inputs

    def load(self, tensors):
        self.inputs = tensors


class Bandwidth(Inputs):
    def __init__(self):
        shape = (4096, 1024)
        super().__init__(x=shape, r=shape, dy=shape)

    def step(self, setting, lr=None):
        x, r = (self.inputs[name].requires_grad_() for name in "xr")
        g, c, b = (torch.full((1024,), value, requires_grad=True) for value in (1.0, 0.0, 0.0))
        leaves = [x, r, g, c, b]
        shown = iter(range(1 << 62))

        def forward():
            h = functional.gelu(functional.layer_norm(x, (1024,), g, c) + b)
            return functional.softmax(functional.dropout(h, 0 if lr else 0.1) + r, -1)
        forward = self.compile(forward)

        def run():
            for leaf in leaves:
                leaf.grad = None
            y = forward()
            y.backward(self.inputs["dy"])
            i = next(shown)  # the proof sees the value and the gradients in turn
            return y if i == 0 else leaves[(i - 1) % 5].grad
        return run


class Elementwise(Inputs):
    def __init__(self, operands, function):
        super().__init__(**{f"x{i}": (1 << 24,) for i in range(operands)})
        self.function = function

    def step(self, setting, lr=None):
        operands, function = list(self.inputs.values()), self.compile(self.function)

        def run():
            with torch.inference_mode():
                return function(*operands)
        return run


class LstmTrain(Training):
    """128 -> 256 over 100 steps of 32 sequences, gradients clipped."""
    clip = 1.0

    def __init__(self):
        super().__init__(nn.LSTM(128, 256), {"x": torch.randn(100, 32, 128)}, torch.optim.SGD, [{}],
                         0.1)

    def loss(self):
        return (self.model(self.inputs["x"])[0] ** 2).mean()


class LstmB1(Model):
    """24 -> 32 over 63 steps of one sequence, forward."""

    def __init__(self):
        super().__init__(nn.LSTM(24, 32), {"x": torch.randn(63, 1, 24)})

    def step(self, setting, lr=None):
        model = self.compile(self.model)

        def run():
            with torch.inference_mode():
                return model(self.inputs["x"])[0]
        return run


def gpt():
    """4 layers of 128, 4 heads, 256 tokens in 128 places."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.l1, self.l2 = nn.LayerNorm(128), nn.LayerNorm(128)
            self.qkv, self.o = nn.Linear(128, 384), nn.Linear(128, 128)
            self.f, self.g = nn.Linear(128, 512), nn.Linear(512, 128)

        def forward(self, h):
            q, k, v = self.qkv(self.l1(h)).view(*h.shape[:2], 3, 4, 32).permute(2, 0, 3, 1, 4)
            a = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            h = h + self.o(a.transpose(1, 2).reshape(h.shape))
            return h + self.g(functional.gelu(self.f(self.l2(h))))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.te, self.pe = nn.Embedding(256, 128), nn.Embedding(128, 128)
            self.b = nn.ModuleList(Block() for _ in range(4))
            self.ln = nn.LayerNorm(128)

        def forward(self, x):
            h = self.te(x) + self.pe.weight[:x.shape[1]]
            for block in self.b:
                h = block(h)
            return self.ln(h) @ self.te.weight.T

    return Gpt()


class GptTrain(Training):
    def __init__(self):
        super().__init__(gpt(), {"ids": torch.randint(0, 256, (16, 129)).float()},  # files hold f32
                         functools.partial(torch.optim.AdamW, betas=(0.9, 0.95), weight_decay=0.1),
                         [{"fused": True}, {"foreach": True}], 1e-7)

    def loss(self):
        ids = self.inputs["ids"].long()
        return functional.cross_entropy(self.model(ids[:, :-1]).view(-1, 256),
                                        ids[:, 1:].reshape(-1))


class GptDecode(Model):
    """Greedy, 128 tokens with a cache of keys and values. It is read up to the token, or in full
    behind a mask, which keeps all shapes the same."""
    settings = compiled = [{"cache": "slice"}, {"cache": "mask"}]
    times = 128

    def __init__(self):
        super().__init__(gpt(), {})
        for name, value in self.model.named_parameters():
            if ".l" not in name and not name.startswith("ln"):
                nn.init.normal_(value, 0, 0.02)

    def step(self, setting, lr=None):
        model, masked = self.model, setting.get("cache") == "mask"

        def parameters(*layers):
            return [value for layer in layers for value in (layer.weight, layer.bias)]
        blocks = [parameters(b.l1, b.qkv, b.o, b.l2, b.f, b.g) for b in model.b]
        positions = torch.arange(128)
        masks = torch.zeros(128, 128).masked_fill(positions[:, None] < positions, -torch.inf)

        def token(last, at, keys, values):
            """The logits of the token behind `last`, whose place is `at`."""
            h = functional.embedding(last, model.te.weight) + model.pe.weight[at]
            for block, key, value in zip(blocks, keys, values):
                l1w, l1b, qkvw, qkvb, ow, ob, l2w, l2b, fw, fb, gw, gb = block
                z = functional.linear(functional.layer_norm(h, (128,), l1w, l1b), qkvw, qkvb)
                q, k, v = z.view(3, 1, 4, 1, 32)
                if masked:
                    key.index_copy_(2, at, k)
                    value.index_copy_(2, at, v)
                    a = functional.scaled_dot_product_attention(q, key, value, masks[at])
                else:
                    key[:, :, at] = k[:, :, 0]
                    value[:, :, at] = v[:, :, 0]
                    a = functional.scaled_dot_product_attention(q, key[:, :, :at + 1],
                                                                value[:, :, :at + 1])
                h = h + functional.linear(a.view(1, 128), ow, ob)
                u = functional.linear(functional.layer_norm(h, (128,), l2w, l2b), fw, fb)
                h = h + functional.linear(functional.gelu(u), gw, gb)
            h = functional.layer_norm(h, (128,), model.ln.weight, model.ln.bias)
            return functional.linear(h, model.te.weight)
        token = self.compile(token, dynamic=not masked)
        places = list(positions.split(1)) if masked else range(128)

        def run():
            with torch.inference_mode():
                keys, values = ([torch.zeros(1, 4, 128, 32) for _ in range(4)] for _ in range(2))
                last = torch.tensor([1])
                for at in places:
                    logits = token(last, at, keys, values)
                    last = logits.argmax(-1)
                return logits
        return run


class AdamW(Workload):
    """The optimizer alone, on gradients that stay."""
    settings = [{"fused": True}, {"foreach": True}, {"foreach": False}]
    compiled = [{"foreach": True}]

    def __init__(self, count, size):
        self.values = [torch.randn(size) for _ in range(count)]
        self.gradients = [torch.randn(size) for _ in range(count)]

    def tensors(self):
        return {f"{kind}.{i}": value
                for kind, values in (("p", self.values), ("g", self.gradients))
                for i, value in enumerate(values)}

    def load(self, tensors):
        self.values = [tensors[f"p.{i}"] for i in range(len(self.values))]
        self.gradients = [tensors[f"g.{i}"] for i in range(len(self.gradients))]

    def step(self, setting, lr=None):
        parameters = [value.clone().requires_grad_() for value in self.values]
        for parameter, gradient in zip(parameters, self.gradients):
            parameter.grad = gradient
        optimizer = torch.optim.AdamW(parameters, lr=lr or 1e-3, **setting)
        update = self.compile(optimizer.step)

        def run():
            update()
            return parameters[0]
        return run


class EmbeddingBag(Training):
    def __init__(self):
        rng = numpy.random.default_rng(0)
        size = 1_000_000
        weight = 1 / numpy.arange(1, size + 1) ** 1.05
        below = numpy.cumsum(weight / weight.sum())
        ids = numpy.stack([numpy.searchsorted(below, rng.random((4096, 20))).clip(0, size - 1)
                           for _ in range(16)])
        target = (rng.random(4096) < 0.5).astype("f4")
        model = nn.ModuleDict({"table": nn.EmbeddingBag(size, 64, mode="sum", sparse=True),
                               "out": nn.Linear(64, 1)})
        super().__init__(model, {"ids": torch.from_numpy(ids), "target": torch.from_numpy(target)},
                         torch.optim.Adagrad, [{"sparse": True}, {"sparse": False}], 0.01)
        self.compiled = [{"sparse": False}]  # the compiler takes no sparse gradients

    def step(self, setting, lr=None):
        self.model["table"].sparse = setting.get("sparse", True)
        self.batches = itertools.cycle([(ids,) for ids in self.inputs["ids"].long()])
        return super().step({}, lr)

    def batch(self):
        return next(self.batches)

    def loss(self, ids):
        logits = self.model["out"](self.model["table"](ids))[:, 0]
        return functional.binary_cross_entropy_with_logits(logits, self.inputs["target"])


class Gcn(Training):
    nodes, edges, features, classes = 2708, 5278, 1433, 7

    def __init__(self):
        nodes = self.nodes
        x = (torch.rand(nodes, self.features) < 0.0127).float()
        model = torch.nn.ParameterDict({
            "w1": torch.randn(self.features, 16) * 0.05, "b1": torch.zeros(16),
            "w2": torch.randn(16, self.classes) * 0.3, "b2": torch.zeros(self.classes)})
        super().__init__(model, {"from": torch.randint(nodes, (self.edges,)),
                                 "to": torch.randint(nodes, (self.edges,)),
                                 "x": x / x.sum(1, keepdim=True).clip(1),
                                 "label": torch.randint(self.classes, (nodes,))},
                         functools.partial(torch.optim.Adam, weight_decay=5e-4),
                         [{"mode": "scatter"}, {"mode": "csr"}], 0.01)

    def step(self, setting, lr=None):
        sides = [self.inputs[name].long() for name in ("from", "to")]
        self_loops = torch.arange(self.nodes)
        source = torch.cat([*sides, self_loops])
        target = torch.cat([sides[1], sides[0], self_loops])
        degree = torch.bincount(target, minlength=self.nodes).float()
        value = (degree[source] * degree[target]).rsqrt()
        if setting.get("mode") == "csr":
            graph = torch.sparse_coo_tensor(torch.stack([target, source]), value,
                                            (self.nodes, self.nodes)).to_sparse_csr()
            self.gather = lambda h: graph @ h
        else:
            self.gather = lambda h: torch.zeros(self.nodes, h.shape[1]).index_add_(
                0, target, h[source] * value[:, None])
        self.dropout = 0 if lr else 0.5
        return super().step({}, lr)

    def loss(self):
        x, p, label = self.inputs["x"], self.model, self.inputs["label"].long()
        h = functional.relu(self.gather(functional.dropout(x, self.dropout) @ p["w1"]) + p["b1"])
        z = self.gather(functional.dropout(h, self.dropout) @ p["w2"]) + p["b2"]
        return functional.cross_entropy(z[:140], label[:140])


class Chain(Workload):
    """Dependent products of 16 elements; with_gradient: then their sum's gradient.
    Compiled as a whole they would be one kernel, which is not what is asked."""
    compiled = []

    def __init__(self, length, with_gradient):
        self.length, self.with_gradient = length, with_gradient

    def tensors(self):
        return {}

    def load(self, tensors):
        pass

    def step(self, setting, lr=None):
        z = torch.ones(16, requires_grad=self.with_gradient)
        y = torch.full((16,), 0.999)

        def run():
            with torch.set_grad_enabled(self.with_gradient):
                a = z
                for _ in range(self.length):
                    a = a * y
                return torch.autograd.grad(a.sum(), z)[0] if self.with_gradient else a
        return run


class Varying(Training):
    """Batches whose shapes are always new. The compiler would compile for each."""
    compiled = []

    def __init__(self, model, inputs):
        super().__init__(model, inputs, torch.optim.Adam, [{}, {"foreach": True}, {"fused": True}],
                         1e-6)

    def step(self, setting, lr=None):
        self.batches = itertools.cycle(self.all_batches())
        return super().step(setting, lr)

    def batch(self):
        return next(self.batches)


class VaryingText(Varying):
    """An LSTM classifier on 32 sentences, padded to the longest of 5 to 60 words."""

    def __init__(self):
        count, longest = 56, 60
        lengths = torch.stack([torch.randint(5, 6 + i * 29 % count, (32,)) for i in range(count)])
        lengths[:, 0] = 5 + torch.arange(count) * 29 % count
        super().__init__(nn.ModuleDict({"table": nn.Embedding(1000, 64), "lstm": nn.LSTM(64, 128),
                                        "out": nn.Linear(128, 4)}),
                         {"ids": torch.randint(1000, (count, longest, 32)), "lengths": lengths})
        self.target = torch.arange(32) % 4

    def all_batches(self):
        return [(ids[:int(lengths.max())].contiguous(), lengths - 1) for ids, lengths in
                zip(self.inputs["ids"].long(), self.inputs["lengths"].long())]

    def loss(self, ids, last):
        states = self.model["lstm"](self.model["table"](ids))[0]
        return functional.cross_entropy(self.model["out"](states[last, torch.arange(32)]),
                                        self.target)


class VaryingGraphs(Varying):
    """A graph isomorphism network of 3 layers on 32 random graphs of 10 to 60 nodes."""

    def __init__(self):
        count, nodes = 64, 32 * 60
        layers = {f"g{i}": nn.ModuleDict({"a": nn.Linear(16 if i == 0 else 64, 64),
                                          "b": nn.Linear(64, 64)}) for i in range(3)}
        super().__init__(nn.ModuleDict({**layers, "out": nn.Linear(64, 2)}),
                         {"sizes": torch.randint(10, 61, (count, 32)),
                          "neighbours": torch.randint(1 << 20, (count, nodes, 2)),
                          "x": torch.randn(nodes, 16)})
        self.target = torch.arange(32) % 2

    def all_batches(self):
        batches = []
        for sizes, drawn in zip(self.inputs["sizes"].long(), self.inputs["neighbours"].long()):
            graph = torch.repeat_interleave(torch.arange(32), sizes)
            size, nodes = sizes[graph], torch.arange(len(graph))
            first = (sizes.cumsum(0) - sizes)[graph]
            other = first[:, None] + drawn[:len(graph)] % size[:, None]
            here = nodes[:, None].expand(-1, 2)
            # In the order of edges: both ways, one after the other.
            source = torch.stack([here, other], -1).reshape(-1)
            target = torch.stack([other, here], -1).reshape(-1)
            batches.append((self.inputs["x"][:len(graph)].clone(), source, target, graph))
        return batches

    def loss(self, h, source, target, graph):
        for i in range(3):
            layer = self.model[f"g{i}"]
            h = functional.relu(layer["a"](h.index_add(0, target, h[source])))
            h = functional.relu(layer["b"](h))
        sums = torch.zeros(32, 64).index_add(0, graph, h)
        return functional.cross_entropy(self.model["out"](sums), self.target)


class VaryingTrees(Varying):
    """The child-sum Tree-LSTM on 16 random trees of 10 to 40 nodes, all of one height at once."""

    def __init__(self):
        count, most, hidden = 48, 40, 64
        parents = torch.full((count, 16, most), -2)
        for tree in parents.view(-1, most):
            size = int(torch.randint(10, most + 1, ()))
            tree[0] = -1
            for i in range(1, size):
                tree[i] = torch.randint(i, ())
        model = {"table": nn.Embedding(1000, hidden), "out": nn.Linear(hidden, 4),
                 "wx": nn.Linear(hidden, 3 * hidden), "uh": nn.Linear(hidden, 3 * hidden),
                 "fx": nn.Linear(hidden, hidden), "fh": nn.Linear(hidden, hidden)}
        super().__init__(nn.ModuleDict(model), {"parents": parents,
                                                "ids": torch.randint(1000, (count, 16, most))})
        self.target = torch.arange(16) % 4

    @staticmethod
    def levels(parents, ids):
        """Of each height: words, rows of children, places of their parents, the parents' words."""
        above, words = parents.reshape(-1).tolist(), ids.reshape(-1).tolist()
        most = parents.shape[1]
        above = [p if p < 0 else i // most * most + p for i, p in enumerate(above)]
        height, row = [0] * len(above), [0] * len(above)
        for i in reversed(range(len(above))):
            if above[i] >= 0:
                height[above[i]] = max(height[above[i]], height[i] + 1)
        levels, rows = [], 0
        for level in range(max(height) + 1):
            mine, first = [i for i in range(len(above)) if height[i] == level and above[i] != -2], rows
            for i in mine:
                row[i], rows = rows, rows + 1
            edges = [i for i in range(len(above)) if above[i] >= 0 and height[above[i]] == level]
            levels.append([torch.tensor(values, dtype=torch.int64) for values in (
                [words[i] for i in mine], [row[i] for i in edges],
                [row[above[i]] - first for i in edges], [words[above[i]] for i in edges])])
        return levels, torch.tensor(row[::most])

    def all_batches(self):
        return [self.levels(parents, ids) for parents, ids in
                zip(self.inputs["parents"].long(), self.inputs["ids"].long())]

    def loss(self, levels, roots):
        m, states, cells = self.model, None, None
        for ids, child, parent, parent_ids in levels:
            gates = m["wx"](m["table"](ids))
            kept = 0
            if len(child):
                below = states[child]
                none = torch.zeros(len(ids), 64)
                gates = gates + m["uh"](none.index_add(0, parent, below))
                forget = torch.sigmoid(m["fx"](m["table"](parent_ids)) + m["fh"](below))
                kept = none.index_add(0, parent, forget * cells[child])
            i, o, u = gates.split(64, 1)
            cell = torch.sigmoid(i) * torch.tanh(u) + kept
            state = torch.sigmoid(o) * torch.tanh(cell)
            states = state if states is None else torch.cat([states, state])
            cells = cell if cells is None else torch.cat([cells, cell])
        return functional.cross_entropy(m["out"](states[roots]), self.target)


class VaryingAudio(Varying):
    """Two convolutions and a GRU on 8 recordings of 1 to 4 s at 16 kHz."""

    def __init__(self):
        second = 16000
        super().__init__(nn.ModuleDict({"c0": nn.Conv1d(1, 32, 400, 160),
                                        "c1": nn.Conv1d(32, 64, 3, padding=1),
                                        "gru": nn.GRU(64, 64, batch_first=True),
                                        "out": nn.Linear(64, 10)}),
                         {"lengths": torch.randint(second, 4 * second + 1, (24,)),
                          "x": torch.randn(8, 4 * second, 1)})

    def all_batches(self):
        x = self.inputs["x"].transpose(1, 2)
        return [(x[:, :, :length].contiguous(),) for length in self.inputs["lengths"].long()]

    def loss(self, x):
        m = self.model
        h = functional.relu(m["c1"](functional.relu(m["c0"](x))))
        return functional.cross_entropy(m["out"](m["gru"](h.transpose(1, 2))[0].mean(1)),
                                        torch.arange(8))


WORKLOADS = {
    "chain": lambda: Chain(1000, False),
    "chain_grad": lambda: Chain(100, True),
    "dqn_step": Dqn,
    "mlp_small": lambda: Mlp([784, 512, 512, 10], 128),
    "mlp_large": lambda: Mlp([4096, 4096, 4096, 1000], 256),
    "lstm_train": LstmTrain,
    "lstm_b1": LstmB1,
    "gpt_train": GptTrain,
    "gpt_decode": GptDecode,
    "adamw_small": lambda: AdamW(200, 64),
    "adamw_large": lambda: AdamW(50, 200_000),
    "resnet20_train": ResNetTraining,
    "resnet20_infer1": lambda: ResNetInference(1),
    "resnet20_infer64": lambda: ResNetInference(64),
    "bandwidth": Bandwidth,
    "add16m": lambda: Elementwise(2, torch.add),
    "embedding_bag": EmbeddingBag,
    "gcn": Gcn,
    "gelu16m": lambda: Elementwise(1, functional.gelu),
    "varying_audio": VaryingAudio,
    "varying_graphs": VaryingGraphs,
    "varying_text": VaryingText,
    "varying_trees": VaryingTrees,
}

PREDICT = """
import sys, torch
model = torch.nn.Sequential(torch.nn.Linear(1024, 1280), torch.nn.ReLU(),
                            torch.nn.Linear(1280, 1024))
model.load_state_dict(torch.load(sys.argv[1]))
with torch.inference_mode():
    model(torch.zeros(1, 1024))
print([line for line in open('/proc/self/status') if 'VmHWM' in line][0].split()[1])
"""


def start():
    """A new process that loads a 10 MB model and predicts once: its time, and its memory."""
    model = torch.nn.Sequential(torch.nn.Linear(1024, 1280), nn.ReLU(),
                                torch.nn.Linear(1280, 1024))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.pt")
        torch.save(model.state_dict(), path)
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            output = subprocess.run([sys.executable, "-c", PREDICT, path], check=True,
                                    capture_output=True, text=True).stdout
            times.append(time.perf_counter() - begin)
    return {"ms": statistics.median(times) * 1e3, "rss_mb": int(output) / 1024}


def loader():
    """An epoch of 50,000 images by whole batches, and by a DataLoader with and without workers."""
    images = torch.randint(0, 256, (50000, 3, 32, 32), dtype=torch.uint8)
    mean = torch.tensor([0.49, 0.48, 0.45])[:, None, None]
    std = torch.tensor([0.25, 0.24, 0.26])[:, None, None]

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, i):
            x = functional.pad(images[i], (4, 4, 4, 4))
            down, right = torch.randint(0, 9, (2,)).tolist()
            x = x[:, down:down + 32, right:right + 32]
            return ((x.flip(2) if torch.rand(()) < 0.5 else x).float() / 255 - mean) / std

    def batched():
        order = torch.randperm(len(images))
        padded = functional.pad(images, (4, 4, 4, 4))
        at = torch.arange(32)
        for first in range(0, len(order), 256):
            x = padded[order[first:first + 256]]
            n = len(x)
            rows = (torch.randint(0, 9, (n,))[:, None] + at)[:, None, :, None]
            columns = (torch.randint(0, 9, (n,))[:, None] + at)[:, None, None, :]
            x = x[torch.arange(n)[:, None, None, None], torch.arange(3)[None, :, None, None],
                  rows, columns]
            x = torch.where((torch.rand(n) < 0.5)[:, None, None, None], x.flip(3), x)
            x = (x.float() / 255 - mean) / std

    def by_loader(workers):
        for _ in torch.utils.data.DataLoader(Images(), 256, True, num_workers=workers):
            pass

    times = {}
    for way, call in (("batched", batched), ("0 workers", lambda: by_loader(0)),
                      ("2 workers", lambda: by_loader(2))):
        begin = time.perf_counter()
        call()
        times[way] = (time.perf_counter() - begin) * 1e3
    best = min(times, key=times.get)
    return {"ms": times[best], "setting": best}


ALONE = {"start": start, "loader": loader}  # timed by themselves, eager only
