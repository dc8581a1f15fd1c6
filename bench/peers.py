"""The workloads of glia-bench in PyTorch (eager), as its users would write them at their fastest.

usage: peers.py WORKLOAD eager            time it: one line of JSON, {"workload", "peer", "ms"}
       peers.py WORKLOAD make FILE        write weights and inputs to start from (safetensors)
       peers.py WORKLOAD prove FILE N LR  what the first N steps from FILE give: {"results"}
       peers.py list
Needs torch and numpy. OMP_NUM_THREADS sets the threads (default 2).
"""
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")


def median_ms(call, seconds=4.0):
    """Median of a call's time over rounds of about 0.2 s, after warming up."""
    def average(calls):
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - begin) / calls

    average(3)
    calls = max(1, int(0.2 / max(average(1), 1e-7)))
    rounds, end = [], time.perf_counter() + seconds
    while len(rounds) < 3 or time.perf_counter() < end:
        rounds.append(average(calls))
    return statistics.median(rounds) * 1e3


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, value in tensors.items():
        size = value.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(value.shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(value.detach().contiguous().numpy().tobytes())


def read_safetensors(path):
    import torch
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    result = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + at for at in entry["data_offsets"])
            values = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32)
            result[name] = values.reshape(entry["shape"])
    return result


class Training:
    """A network, its inputs and loss; `optimizers` are the settings of which the fastest counts."""

    def __init__(self, sizes, batch, optimizer, settings, lr):
        import torch
        layers = []
        for i, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
            layers += [torch.nn.ReLU()] * (i > 0) + [torch.nn.Linear(rows, columns)]
        self.model = torch.nn.Sequential(*layers)
        self.inputs = {"x": torch.randn(batch, sizes[0])}
        self.optimizer, self.settings, self.lr = optimizer, settings, lr

    def tensors(self):
        return {**self.model.state_dict(), **self.inputs}

    def load(self, tensors):
        self.inputs = {name: tensors[name] for name in self.inputs}
        self.model.load_state_dict({name: value for name, value in tensors.items()
                                    if name not in self.inputs})

    def step(self, setting, lr=None):
        optimizer = self.optimizer(self.model.parameters(), lr=lr or self.lr, **setting)

        def run():
            optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            optimizer.step()
            return loss
        return run


class Mlp(Training):
    def __init__(self, sizes, batch):
        import torch
        super().__init__(sizes, batch, lambda parameters, **options: torch.optim.SGD(
            parameters, momentum=0.9, **options), [{"foreach": True}, {"fused": True}], 1e-6)
        self.target = torch.arange(batch) % sizes[-1]

    def loss(self):
        import torch
        return torch.nn.functional.cross_entropy(self.model(self.inputs["x"]), self.target)


class Dqn(Training):
    def __init__(self):
        import torch
        super().__init__([4, 120, 84, 2], 128, torch.optim.Adam,
                         [{}, {"fused": True}, {"foreach": True}], 1e-7)
        self.inputs["target"] = torch.randn(128)
        self.action = (torch.arange(128) % 2)[:, None]

    def loss(self):
        import torch
        value = self.model(self.inputs["x"]).gather(1, self.action).squeeze(1)
        return torch.nn.functional.mse_loss(value, self.inputs["target"])


class LstmTrain(Training):
    """128 -> 256 over 100 steps of 32 sequences, gradients clipped."""

    def __init__(self):
        import torch
        self.model = torch.nn.LSTM(128, 256)
        self.inputs = {"x": torch.randn(100, 32, 128)}
        self.settings, self.lr = [{}], 0.1

    def step(self, setting, lr=None):
        import torch
        optimizer = torch.optim.SGD(self.model.parameters(), lr or self.lr)

        def run():
            optimizer.zero_grad()
            loss = (self.model(self.inputs["x"])[0] ** 2).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimizer.step()
            return loss
        return run


class LstmB1(Training):
    """24 -> 32 over 63 steps of one sequence, forward."""

    def __init__(self):
        import torch
        self.model = torch.nn.LSTM(24, 32)
        self.inputs = {"x": torch.randn(63, 1, 24)}
        self.settings = [{}]

    def step(self, setting, lr=None):
        import torch

        def run():
            with torch.inference_mode():
                return self.model(self.inputs["x"])[0]
        return run


def gpt():
    """4 layers of 128, 4 heads, 256 tokens in 128 places."""
    import torch
    from torch import nn
    from torch.nn import functional

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
        import torch
        self.model = gpt()
        self.inputs = {"ids": torch.randint(0, 256, (16, 129)).float()}  # files hold f32
        self.settings, self.lr = [{"fused": True}, {"foreach": True}], 1e-7
        self.optimizer = lambda parameters, **options: torch.optim.AdamW(
            parameters, betas=(0.9, 0.95), weight_decay=0.1, **options)

    def loss(self):
        import torch
        ids = self.inputs["ids"].long()
        return torch.nn.functional.cross_entropy(self.model(ids[:, :-1]).view(-1, 256),
                                                 ids[:, 1:].reshape(-1))


class GptDecode(Training):
    """Greedy, 128 tokens. The proof computes every token anew, without a cache."""

    def __init__(self):
        import torch
        self.model = gpt()
        self.inputs = {}
        for name, value in self.model.named_parameters():
            if ".l" not in name and not name.startswith("ln"):
                torch.nn.init.normal_(value, 0, 0.02)
        self.settings = []

    def step(self, setting, lr=None):
        import torch

        def run():
            tokens = [1]
            with torch.inference_mode():
                for _ in range(128):
                    logits = self.model(torch.tensor([tokens]))[:, -1]
                    tokens.append(logits.argmax().item())
            return logits
        return run


class AdamW:
    """The optimizer alone, on gradients that stay."""
    settings = [{"fused": True}, {"foreach": True}, {"foreach": False}]

    def __init__(self, count, size):
        import torch
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
        import torch
        parameters = [value.clone().requires_grad_() for value in self.values]
        for parameter, gradient in zip(parameters, self.gradients):
            parameter.grad = gradient
        optimizer = torch.optim.AdamW(parameters, lr=lr or 1e-3, **setting)

        def run():
            optimizer.step()
            return parameters[0]
        return run


class Chain:
    """Dependent products of 16 elements; with_gradient: then their sum's gradient."""
    settings = [{}]

    def __init__(self, length, with_gradient):
        self.length, self.with_gradient = length, with_gradient

    def tensors(self):
        return {}

    def load(self, tensors):
        pass

    def step(self, setting, lr=None):
        import torch
        z = torch.ones(16, requires_grad=self.with_gradient)
        y = torch.full((16,), 0.999)

        def run():
            with torch.set_grad_enabled(self.with_gradient):
                a = z
                for _ in range(self.length):
                    a = a * y
                return torch.autograd.grad(a.sum(), z)[0] if self.with_gradient else a
        return run


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
    import torch
    model = torch.nn.Sequential(torch.nn.Linear(1024, 1280), torch.nn.ReLU(),
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


def peak():
    """What the machine can do, as PyTorch reaches it."""
    import torch
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    product = median_ms(lambda: torch.matmul(a, b), 2)
    x, y = torch.randn(1 << 24), torch.randn(1 << 24)
    out = torch.empty_like(x)
    addition = median_ms(lambda: torch.add(x, y, out=out), 2)
    return {"ms": product, "gflops": 2e-6 * 2048 ** 3 / product,
            "gbytes": 12e-6 * (1 << 24) / addition}


def main():
    if sys.argv[1:] == ["list"]:
        print("\n".join([*WORKLOADS, "start", "peak"]))
        return
    name, action, *rest = sys.argv[1:]
    import torch
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    if name in ("start", "peak"):
        print(json.dumps({"workload": name, "peer": "eager", **(start() if name == "start"
                                                               else peak())}))
        return
    workload = WORKLOADS[name]()
    if action == "make":
        write_safetensors(rest[0], workload.tensors())
    elif action == "prove":
        workload.load(read_safetensors(rest[0]))
        step = workload.step({}, float(rest[2]))
        results = [step().detach().abs().mean().item() for _ in range(int(rest[1]))]
        print(json.dumps({"workload": name, "results": results}))
    elif action == "eager" and workload.settings:
        times = {json.dumps(setting): median_ms(workload.step(setting))
                 for setting in workload.settings}
        best = min(times, key=times.get)
        print(json.dumps({"workload": name, "peer": action, "ms": times[best], "setting": best}))
    else:
        sys.exit(3)


if __name__ == "__main__":
    main()
