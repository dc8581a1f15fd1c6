"""The Fashion-MNIST models, trained by both from the same weights and batches."""
import subprocess

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import tensors
from compare import FOLDER, HALF_TOLERANCE, PROGRAM, check, check_close, generator, indices, nchw, nhwc

STEPS, BATCH = 20, 64
LOSS_TOLERANCE, EXACT_TOLERANCE = 1e-5, 1e-9


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(784, 256), nn.Linear(256, 128)
        self.fc3, self.fc4 = nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, x):
        h = F.relu(self.fc1(x.flatten(1)))
        return self.fc4(F.relu(self.fc3(F.relu(self.fc2(h)))))


class ConvBlock(nn.Module):
    def __init__(self, channels_in, channels_out, pools):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.pools = pools

    def forward(self, x):
        h = self.conv(x)
        return F.relu(self.norm(F.max_pool2d(h, 2) if self.pools else h))


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1, self.block2 = ConvBlock(1, 32, True), ConvBlock(32, 32, False)
        self.block3, self.block4 = ConvBlock(32, 48, True), ConvBlock(48, 80, True)
        self.fc = nn.Linear(720, 10)

    def forward(self, x):
        h = self.block1(nchw(x))
        h = self.block4(self.block3(h + self.block2(h)))
        return self.fc(nhwc(h).flatten(1))


def train(model, images, labels, threads=2, half=False):
    """Losses, and the state before each step."""
    torch.set_num_threads(threads)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses, states = [], []
    for x, y in zip(images, labels):
        states.append({k: v.numpy().copy() for k, v in model.state_dict().items()})
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), states


def train_glia(name, images, labels, states, *more):
    tensors.save(FOLDER / "states.safetensors",
                 {f"{i}/{k}": v for i, state in enumerate(states) for k, v in state.items()})
    tensors.save(FOLDER / "batches.safetensors",
                 {"images": images.numpy(), "labels": labels.numpy()})
    subprocess.run([PROGRAM, "train", name, FOLDER, *more], check=True)
    return np.load(FOLDER / "losses.npy")


def difference(got, want):
    return np.max(np.abs(got - want) / np.abs(want))


def compare_training(name, make):
    """Twenty steps from the same weights: alone in f64, and in f32 each from PyTorch's weights.

    In f32 alone, what rounding does to a ReLU or to a maximum grows from step to step: PyTorch
    differs as much from itself on another number of threads, so that is printed, not required.
    """
    torch.manual_seed(5)
    model = make()
    images = torch.randn((STEPS, BATCH, 28, 28, 1), generator=generator)
    labels = indices(10, STEPS, BATCH)

    def copy(dtype=torch.float32):
        new = make()
        new.load_state_dict(model.state_dict())
        return new.to(dtype)

    exact = copy(torch.float64)
    losses, states = train(exact, images.double(), labels)
    worst = difference(train_glia(name, images.double(), labels, states[:1]), losses)
    check(name, worst <= EXACT_TOLERANCE, f"losses in f64 differ by {worst:.2e}")
    print(f"{name}, f64: {STEPS} losses from {losses[0]:.4f} to {losses[-1]:.4f}, "
          f"largest relative difference {worst:.1e}")

    # Glia's state dict in PyTorch's model gives Glia's predictions.
    final = {k: torch.as_tensor(v) for k, v in tensors.load(FOLDER / "final.safetensors").items()}
    check(name, list(final) == list(exact.state_dict()), "names or order of the state dicts")
    exact.load_state_dict(final)
    exact.eval()
    with torch.no_grad():
        check_close(f"{name}, logits of Glia's state dict", np.load(FOLDER / "logits.npy"),
                    exact(images[0].double()), EXACT_TOLERANCE)

    losses, states = train(copy(), images, labels)
    other, _ = train(copy(), images, labels, threads=1)
    worst = difference(train_glia(name, images, labels, states), losses)
    check(name, worst <= LOSS_TOLERANCE, f"losses in f32 from equal weights differ by {worst:.2e}")
    alone = difference(train_glia(name, images, labels, states[:1]), losses)
    if name == "mlp":
        check(name, alone <= LOSS_TOLERANCE, f"losses in f32 differ by {alone:.2e}")
    print(f"{name}, f32: {worst:.1e} from equal weights in each step, {alone:.1e} from equal "
          f"initial weights (PyTorch on one thread from PyTorch on two: "
          f"{difference(other, losses):.1e})")

    losses, states = train(copy(), images, labels, half=True)
    worst = difference(train_glia(name, images, labels, states, "bf16"), losses)
    check(name, worst <= HALF_TOLERANCE, f"losses in bf16 from equal weights differ by {worst:.2e}")
    alone = difference(train_glia(name, images, labels, states[:1], "bf16"), losses)
    print(f"{name}, bf16: {worst:.1e} from equal weights in each step, {alone:.1e} from equal "
          f"initial weights")
