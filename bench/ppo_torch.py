"""The recipe ppo on CartPole in PyTorch and Gymnasium: the same networks, settings and steps, for
comparison.

    ppo_torch.py [--steps 500000] [--envs 4] [--seed 0] [--threads 1]
    ppo_torch.py --pairs 3 --glia build/glia [--steps 40000] [--envs 4]

Prints the mean return of the last hundred episodes. With --pairs both programs run in turn; what is
told are steps by the processor time of the whole program, its start included.
"""
import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections import deque

import gymnasium
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

ROLLOUT, MINIBATCHES, PASSES, GAMMA, LAMBDA = 128, 4, 4, 0.99, 0.95


def layers(width, out, gain):
    made = []
    for a, b, g in ((width, 64, 2 ** 0.5), (64, 64, 2 ** 0.5), (64, out, gain)):
        made.append(nn.Linear(a, b))
        nn.init.orthogonal_(made[-1].weight, g)
        nn.init.zeros_(made[-1].bias)
        made.append(nn.Tanh())
    return nn.Sequential(*made[:-1])


def processor_seconds(command, environment):
    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime
    before = used()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return used() - before


def run_pairs(args):
    quotients = []
    environment = os.environ | {"GLIA_NUM_THREADS": str(args.threads)}
    for pair in range(args.pairs):
        options = ["--steps", str(args.steps), "--envs", str(args.envs), "--seed", str(pair)]
        with tempfile.TemporaryDirectory() as folder:
            glia = processor_seconds([args.glia, "train", "ppo", *options, "--out", folder,
                                      "--overwrite"], environment)
        other = processor_seconds([sys.executable, __file__, *options, "--threads",
                                   str(args.threads)], environment)
        quotients.append(other / glia)
        print(f"Glia {args.steps / glia:.0f} steps/s, PyTorch {args.steps / other:.0f}: "
              f"{quotients[-1]:.1f}x")
    print(f"median {statistics.median(quotients):.1f}x")


def train(args):
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    envs = gymnasium.vector.SyncVectorEnv(
        [lambda: gymnasium.make("CartPole-v1") for _ in range(args.envs)],
        autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP)
    actor, critic = layers(4, 2, 0.01), layers(4, 1, 1.0)
    parameters = [*actor.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2.5e-4, eps=1e-5)
    size = ROLLOUT * args.envs
    seen_all = torch.zeros(ROLLOUT, args.envs, 4)
    actions, log_probs, rewards, ends, values = (torch.zeros(ROLLOUT, args.envs) for _ in range(5))
    returns, sums = deque(maxlen=100), np.zeros(args.envs)
    seen = torch.from_numpy(envs.reset(seed=args.seed)[0])
    updates = args.steps // size
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = 2.5e-4 * (1 - update / updates)
        for t in range(ROLLOUT):
            seen_all[t] = seen
            with torch.no_grad():
                policy = Categorical(logits=actor(seen))
                actions[t] = policy.sample()
                log_probs[t] = policy.log_prob(actions[t])
                values[t] = critic(seen).flatten()
            following, reward, terminated, truncated, _ = envs.step(actions[t].long().numpy())
            rewards[t] = torch.from_numpy(reward)
            ends[t] = torch.from_numpy(terminated | truncated)
            seen = torch.from_numpy(following)
            sums += reward
            for i in np.flatnonzero(terminated | truncated):
                returns.append(sums[i])
                sums[i] = 0
        with torch.no_grad():
            after, later = torch.zeros(args.envs), critic(seen).flatten()
            advantages = torch.zeros_like(rewards)
            for t in reversed(range(ROLLOUT)):
                goes_on = 1 - ends[t]
                delta = rewards[t] + GAMMA * later * goes_on - values[t]
                advantages[t] = after = delta + GAMMA * LAMBDA * goes_on * after
                later = values[t]
            wanted = advantages + values
        flat = [x.reshape(size, *x.shape[2:])
                for x in (seen_all, actions, log_probs, advantages, wanted, values)]
        for _ in range(PASSES):
            for rows in np.array_split(rng.permutation(size), MINIBATCHES):
                o, a, l, d, w, v = (x[rows] for x in flat)
                policy, value = Categorical(logits=actor(o)), critic(o).flatten()
                ratio = (policy.log_prob(a) - l).exp()
                d = (d - d.mean()) / (d.std() + 1e-8)
                policy_loss = -torch.min(d * ratio, d * ratio.clamp(0.8, 1.2)).mean()
                bounded = v + (value - v).clamp(-0.2, 0.2)
                value_loss = 0.5 * torch.max((value - w) ** 2, (bounded - w) ** 2).mean()
                loss = policy_loss - 0.01 * policy.entropy().mean() + 0.5 * value_loss
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, 0.5)
                optimizer.step()
    print(f"return {np.mean(returns):.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=500000)
    parser.add_argument("--envs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--glia", default="build/glia")
    args = parser.parse_args()
    run_pairs(args) if args.pairs else train(args)


if __name__ == "__main__":
    main()
