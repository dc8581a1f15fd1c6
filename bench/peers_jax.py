"""The workloads in JAX, from the same weights: the whole step is jitted and its state donated.

`chain` and `chain_grad` are left out, as jit makes one kernel of them; so are the forward passes,
which ONNX Runtime stands for. Matrices are kept as (in, out) and images as NHWC.
"""
import functools
import os

os.environ.setdefault("PJRT_NPROC", os.environ["OMP_NUM_THREADS"])

import jax  # noqa: E402  (it reads the number of threads)
import jax.numpy as jnp  # noqa: E402


def stepper(function, state):
    """Calls `function(state, *inputs) -> (state, value)` with the state of the last call, and waits
    for the value."""
    jitted = jax.jit(function, donate_argnums=0)

    def run(*inputs):
        nonlocal state
        state, value = jitted(state, *inputs)
        return jax.block_until_ready(value)
    return run


def trainer(loss, parameters, optimizer, *inputs):
    """A step of training; the loss is one of the parameters and inputs, and gives its value."""
    start, update = optimizer

    def step(state, *inputs):
        parameters, moments = state
        value, gradient = jax.value_and_grad(loss)(parameters, *inputs)
        return update(parameters, gradient, moments), value
    return functools.partial(stepper(step, (parameters, start(parameters))), *inputs)


def zeros_like(tree):
    return jax.tree.map(jnp.zeros_like, tree)


def sgd(lr, momentum=0.0, weight_decay=0.0, clip=None):
    def update(parameters, gradient, moment):
        if clip:
            norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(gradient)))
            scale = jnp.minimum(1, clip / (norm + 1e-6))
            gradient = jax.tree.map(lambda g: scale * g, gradient)
        if weight_decay:
            gradient = jax.tree.map(lambda g, p: g + weight_decay * p, gradient, parameters)
        if momentum:
            gradient = moment = jax.tree.map(lambda m, g: momentum * m + g, moment, gradient)
        return jax.tree.map(lambda p, g: p - lr * g, parameters, gradient), moment
    return (zeros_like if momentum else lambda parameters: None), update


def adam(lr, betas=(0.9, 0.999), l2=0.0, weight_decay=0.0):
    """`l2` is added to the gradient, `weight_decay` decoupled (AdamW)."""
    b1, b2 = betas

    def update(parameters, gradient, moments):
        m, v, t = moments
        t = t + 1
        if l2:
            gradient = jax.tree.map(lambda g, p: g + l2 * p, gradient, parameters)
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, gradient)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, gradient)
        rate, root = lr / (1 - b1 ** t), jnp.sqrt(1 - b2 ** t)
        parameters = jax.tree.map(
            lambda p, m, v: p * (1 - lr * weight_decay) - rate * m / (jnp.sqrt(v) / root + 1e-8),
            parameters, m, v)
        return parameters, (m, v, t)
    return (lambda parameters: (zeros_like(parameters), zeros_like(parameters), 0.0)), update


def cross_entropy(logits, target):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), target[..., None], -1).mean()


def network(tensors):
    """The linear layers among them, [(weight, bias)]."""
    return [(tensors[f"{i}.weight"].T, tensors[f"{i}.bias"])
            for i in range(0, 1000, 2) if f"{i}.weight" in tensors]


def forward(layers, x):
    for i, (weight, bias) in enumerate(layers):
        x = (jax.nn.relu(x) if i else x) @ weight + bias
    return x


def mlp(tensors, lr):
    layers, x = network(tensors), tensors["x"]
    target = jnp.arange(x.shape[0]) % layers[-1][1].size
    return trainer(lambda layers, x: cross_entropy(forward(layers, x), target), layers,
                   sgd(lr or 1e-6, momentum=0.9), x)


def dqn(tensors, lr):
    action = jnp.arange(128)[:, None] % 2

    def loss(layers, x, target):
        value = jnp.take_along_axis(forward(layers, x), action, 1)[:, 0]
        return ((value - target) ** 2).mean()
    return trainer(loss, network(tensors), adam(lr or 1e-7), tensors["x"], tensors["target"])


def adamw(tensors, lr):
    values, gradients = ([tensors[f"{kind}.{i}"] for i in range(len(tensors) // 2)]
                         for kind in "pg")
    start, update = adam(lr or 1e-3, weight_decay=1e-2)

    def step(state, gradients):
        values, moments = update(state[0], gradients, state[1])
        return (values, moments), values[0] + 0
    return functools.partial(stepper(step, (values, start(values))), gradients)


def resnet20(tensors, lr):
    """The running statistics, of which the loss knows nothing, are not kept."""
    parameters = {name: value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
                  for name, value in tensors.items()
                  if name.endswith(("weight", "bias"))}
    x, target = tensors["x"].transpose(0, 2, 3, 1), jnp.arange(128) % 10

    def convolution(p, conv, norm, x, stride=1):
        x = jax.lax.conv_general_dilated(x, p[conv + ".weight"], (stride, stride), [(1, 1), (1, 1)],
                                         dimension_numbers=("NHWC", "HWIO", "NHWC"))
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        scale = p[norm + ".weight"] * jax.lax.rsqrt(variance + 1e-5)
        return (x - mean) * scale + p[norm + ".bias"]

    def loss(p, x):
        x = jax.nn.relu(convolution(p, "0", "1", x))
        for block in range(3, 12):
            stride = 2 if block in (6, 9) else 1
            h = jax.nn.relu(convolution(p, f"{block}.c1", f"{block}.b1", x, stride))
            h = convolution(p, f"{block}.c2", f"{block}.b2", h)
            if stride == 2:
                more = x.shape[-1] // 2
                x = jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (more, more)))
            x = jax.nn.relu(h + x)
        logits = x.mean((1, 2)) @ p["14.weight"].T + p["14.bias"]
        return cross_entropy(logits, target)
    return trainer(loss, parameters, sgd(lr or 1e-6, momentum=0.9, weight_decay=1e-4), x)


def dropout(key, x, rate):
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def layer_norm(x, weight, bias):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * weight + bias


def bandwidth(tensors, lr, rng):
    proof = lr is not None
    leaves = (tensors["x"], tensors["r"], jnp.ones(1024), jnp.zeros(1024), jnp.zeros(1024))

    def step(key, leaves, dy):
        key, drop = jax.random.split(key)

        def function(x, r, g, c, b):
            h = jax.nn.gelu(layer_norm(x, g, c) + b, approximate=False)
            return jax.nn.softmax((h if proof else dropout(drop, h, 0.1)) + r)
        value, back = jax.vjp(function, *leaves)
        return key, (value, *back(dy)) if proof else back(dy)
    run = functools.partial(stepper(step, jax.random.key(0, impl=rng)), leaves, tensors["dy"])
    if not proof:
        return run
    results = run()  # the value and the gradients in turn
    return iter([*results]).__next__


def elementwise(function, tensors, lr):
    operands, jitted = list(tensors.values()), jax.jit(function)
    return lambda: jitted(*operands).block_until_ready()


def lstm(tensors, lr, unroll):
    parameters = {"input": tensors["weight_ih_l0"].T, "hidden": tensors["weight_hh_l0"].T,
                  "bias": tensors["bias_ih_l0"], "bias2": tensors["bias_hh_l0"]}

    def loss(p, x):
        def cell(state, z):
            h, c = state
            i, f, g, o = jnp.split(z + h @ p["hidden"], 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h
        zero = jnp.zeros((32, 256))
        z = x @ p["input"] + (p["bias"] + p["bias2"])
        return (jax.lax.scan(cell, (zero, zero), z, unroll=unroll)[1] ** 2).mean()
    return trainer(loss, parameters, sgd(lr or 0.1, clip=1.0), tensors["x"])


def gpt(tensors, lr, fused):
    ids = tensors.pop("ids").astype(int)
    parameters = {name: value if name in ("te.weight", "pe.weight") else value.T
                  for name, value in tensors.items()}
    mask = jnp.tril(jnp.ones((128, 128), bool))

    def loss(p, x, y):
        def norm(name, h):
            return layer_norm(h, p[name + ".weight"], p[name + ".bias"])

        def linear(name, h):
            return h @ p[name + ".weight"] + p[name + ".bias"]
        h = p["te.weight"][x] + p["pe.weight"]
        for i in range(4):
            qkv = linear(f"b.{i}.qkv", norm(f"b.{i}.l1", h)).reshape(16, 128, 3, 4, 32)
            if fused:
                a = jax.nn.dot_product_attention(*jnp.moveaxis(qkv, 2, 0), is_causal=True)
            else:
                q, k, v = qkv.transpose(2, 0, 3, 1, 4)
                scores = jnp.where(mask, q @ k.swapaxes(-1, -2) * 32 ** -0.5, -jnp.inf)
                a = (jax.nn.softmax(scores) @ v).swapaxes(1, 2)
            h = h + linear(f"b.{i}.o", a.reshape(h.shape))
            u = jax.nn.gelu(linear(f"b.{i}.f", norm(f"b.{i}.l2", h)), approximate=False)
            h = h + linear(f"b.{i}.g", u)
        return cross_entropy(norm("ln", h) @ p["te.weight"].T, y)
    return trainer(loss, parameters, adam(lr or 1e-7, (0.9, 0.95), weight_decay=0.1),
                   ids[:, :-1], ids[:, 1:])


def embedding_bag(tensors, lr, sparse):
    """Adagrad. Sparse: only rows that were read are changed, each once, as the others' gradient is
    zero."""
    lr = lr or 0.01
    batches, target = list(tensors["ids"].astype("int32")), tensors["target"]
    parameters = tensors["table.weight"], tensors["out.weight"][0], tensors["out.bias"]

    def loss(rows, weight, bias):
        z = rows.sum(1) @ weight + bias
        return (jnp.maximum(z, 0) - z * target + jnp.log1p(jnp.exp(-abs(z)))).mean()

    def moved(p, sums):
        return lambda g: (p - lr * g / (jnp.sqrt(sums + g * g) + 1e-10), sums + g * g)

    def step(state, ids):
        (table, *out), (table_sums, *out_sums) = state
        value, (rows, *gradient) = jax.value_and_grad(loss, (0, 1, 2))(table[ids], *out)
        if sparse:
            at, which = jnp.unique(ids, size=ids.size, fill_value=len(table), return_inverse=True)
            g = jnp.zeros((ids.size, 64)).at[which.ravel()].add(rows.reshape(-1, 64))
            change, squares = moved(table.at[at].get(mode="fill", fill_value=0),
                                    table_sums.at[at].get(mode="fill", fill_value=0))(g)
            table = table.at[at].set(change, mode="drop", unique_indices=True)
            table_sums = table_sums.at[at].set(squares, mode="drop", unique_indices=True)
        else:
            table, table_sums = moved(table, table_sums)(jnp.zeros_like(table).at[ids].add(rows))
        others = [moved(p, s)(g) for p, s, g in zip(out, out_sums, gradient)]
        return ((table, *(p for p, _ in others)), (table_sums, *(s for _, s in others))), value
    run, calls = stepper(step, (parameters, zeros_like(parameters))), iter(range(1 << 62))
    return lambda: run(batches[next(calls) % len(batches)])


def gcn(tensors, lr, rng):
    proof = lr is not None
    nodes = 2708
    sides = [tensors[name].astype("int32") for name in ("from", "to")]
    source = jnp.concatenate([*sides, jnp.arange(nodes)])
    target = jnp.concatenate([*sides[::-1], jnp.arange(nodes)])
    degree = jnp.bincount(target, length=nodes).astype("float32")
    value = jax.lax.rsqrt(degree[source] * degree[target])[:, None]
    label = tensors["label"].astype("int32")[:140]
    parameters = {name: tensors[name] for name in ("w1", "b1", "w2", "b2")}
    start, update = adam(lr or 0.01, l2=5e-4)

    def gather(h):
        return jax.ops.segment_sum(h[source] * value, target, nodes)

    def loss(p, x, keys):
        drop = (lambda key, h: h) if proof else functools.partial(dropout, rate=0.5)
        h = jax.nn.relu(gather(drop(keys[0], x) @ p["w1"]) + p["b1"])
        z = gather(drop(keys[1], h) @ p["w2"]) + p["b2"]
        return cross_entropy(z[:140], label)

    def step(state, x):
        parameters, moments, key = state
        key, *keys = jax.random.split(key, 3)
        value, gradient = jax.value_and_grad(loss)(parameters, x, keys)
        return (*update(parameters, gradient, moments), key), value
    return functools.partial(
        stepper(step, (parameters, start(parameters), jax.random.key(0, impl=rng))), tensors["x"])


RANDOM = [{"rng": "threefry2x32"}, {"rng": "rbg"}]
WORKLOADS = {
    "dqn_step": (dqn, [{}]),
    "mlp_small": (mlp, [{}]),
    "mlp_large": (mlp, [{}]),
    "lstm_train": (lstm, [{"unroll": 1}, {"unroll": 4}]),
    "gpt_train": (gpt, [{"fused": False}, {"fused": True}]),
    "adamw_small": (adamw, [{}]),
    "adamw_large": (adamw, [{}]),
    "resnet20_train": (resnet20, [{}]),
    "bandwidth": (bandwidth, RANDOM),
    "add16m": (functools.partial(elementwise, jnp.add), [{}]),
    "gelu16m": (functools.partial(elementwise, functools.partial(jax.nn.gelu, approximate=False)),
                [{}]),
    "embedding_bag": (embedding_bag, [{"sparse": True}, {"sparse": False}]),
    "gcn": (gcn, RANDOM),
}


def ways(name, tensors):
    """Settings, and for each what makes its step; see peers.py."""
    make, settings = WORKLOADS.get(name, (None, []))

    def step(setting, lr=None):
        copied = {key: jnp.array(value.detach().numpy()) for key, value in tensors.items()}
        return make(copied, lr, **setting)
    return [(setting, functools.partial(step, setting)) for setting in settings]
