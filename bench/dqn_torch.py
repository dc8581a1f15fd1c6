"""The recipe dqn in PyTorch and Gymnasium: the same networks, settings and steps, for comparison.

    dqn_torch.py [--steps 500000] [--seed 0] [--threads 1]
    dqn_torch.py --pairs 5 --glia build/glia [--steps 20000]

Prints steps a second, from the first step in the environment on, and the mean return of the last
hundred episodes. With --pairs both programs run in turn, and the median of their quotients is told.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque

import gymnasium
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def network(env):
    return nn.Sequential(nn.Linear(env.observation_space.shape[0], 120), nn.ReLU(),
                         nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, env.action_space.n))


class Buffer:
    """The last transitions, in one array for each of their parts."""

    def __init__(self, capacity, width):
        self.seen = np.zeros((capacity, width), np.float32)
        self.next = np.zeros((capacity, width), np.float32)
        self.actions = np.zeros(capacity, np.int64)
        self.rewards = np.zeros(capacity, np.float32)
        self.terminated = np.zeros(capacity, np.float32)
        self.capacity, self.size, self.at = capacity, 0, 0

    def add(self, seen, action, reward, following, terminated):
        i = self.at
        self.seen[i], self.next[i], self.actions[i] = seen, following, action
        self.rewards[i], self.terminated[i] = reward, terminated
        self.at = (i + 1) % self.capacity
        self.size = min(self.size + 1, self.capacity)

    def sample(self, rng, count):
        rows = rng.integers(0, self.size, count)
        return [torch.from_numpy(part[rows]) for part in
                (self.seen, self.actions, self.rewards, self.next, self.terminated)]


def run_pairs(args):
    """Both programs in turn, each with so many threads."""
    quotients = []
    environment = os.environ | {"GLIA_NUM_THREADS": str(args.threads)}
    for pair in range(args.pairs):
        options = ["--steps", str(args.steps), "--seed", str(pair)]
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([args.glia, "train", "dqn", *options, "--out", folder], check=True,
                           env=environment, stdout=subprocess.DEVNULL)
            summary = json.loads((pathlib.Path(folder) / "summary.json").read_text())
        text = subprocess.run([sys.executable, __file__, *options, "--threads", str(args.threads)],
                              check=True, capture_output=True, text=True).stdout
        glia, torch_ = summary["steps_per_second"], float(text.split()[0])
        quotients.append(glia / torch_)
        print(f"Glia {glia:.0f} steps/s, PyTorch {torch_:.0f}: {quotients[-1]:.2f}x")
    print(f"median {statistics.median(quotients):.2f}x")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=500000)
    parser.add_argument("--learning-starts", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--glia", default="build/glia")
    args = parser.parse_args()
    if args.pairs:
        return run_pairs(args)
    start = args.learning_starts or min(10000, args.steps // 10)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    env = gymnasium.make("CartPole-v1")
    q, target = network(env), network(env)
    target.load_state_dict(q.state_dict())
    optimizer = torch.optim.Adam(q.parameters(), lr=2.5e-4)
    buffer = Buffer(10000, env.observation_space.shape[0])
    returns, total = deque(maxlen=100), 0.0
    seen, _ = env.reset(seed=args.seed)
    began = time.perf_counter()
    for step in range(args.steps):
        epsilon = max(0.05, 1 + step / (0.5 * args.steps) * (0.05 - 1))
        if step < start or rng.random() < epsilon:
            action = int(rng.integers(env.action_space.n))
        else:
            with torch.no_grad():
                action = int(q(torch.from_numpy(seen)).argmax())
        following, reward, terminated, truncated, _ = env.step(action)
        buffer.add(seen, action, reward, following, terminated)
        seen, total = following, total + reward
        if terminated or truncated:
            returns.append(total)
            total = 0.0
            seen, _ = env.reset()
        if step < start:
            continue
        if step % 10 == 0:
            o, a, r, n, t = buffer.sample(rng, 128)
            with torch.no_grad():
                later = target(n).gather(1, q(n).argmax(1, keepdim=True)).squeeze(1)
                wanted = r + 0.99 * later * (1 - t)
            loss = F.mse_loss(q(o).gather(1, a[:, None]).squeeze(1), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if step % 500 == 0:
            target.load_state_dict(q.state_dict())
    seconds = time.perf_counter() - began
    print(f"{args.steps / seconds:.0f} steps/s, return {np.mean(returns):.2f}")


if __name__ == "__main__":
    main()
