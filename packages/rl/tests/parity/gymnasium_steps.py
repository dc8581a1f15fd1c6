"""Steps Gymnasium's environments and Glia's from the same states with the same actions, and compares
states, observations, rewards and flags bit for bit.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import compiled, peers

with peers():
    import gymnasium
    import numpy as np

EPISODES, STEPS = 40, 1050

# The state as Gymnasium keeps it and as Glia does, and where episodes of the comparison start.
ENVS = {
    "CartPole-v1": lambda r: r.uniform(-0.05, 0.05, 4) * (1, 1, 1, r.choice((1, 40))),
    "MountainCar-v0": lambda r: r.uniform((-1.2, -0.07), (0.6, 0.07)),
    "MountainCarContinuous-v0": lambda r: r.uniform((-1.2, -0.07), (0.6, 0.07)),
    "Acrobot-v1": lambda r: r.uniform(-1, 1, 4) * (3.14, 3.14, 12.5, 28),
    "Pendulum-v1": lambda r: r.uniform((-20, -8), (20, 8)),
}


# Some episodes of what would else end soon are kept going.
CONTROL = {"CartPole-v1": lambda state: int(state[2] + state[3] / 2 > 0)}


def glia_state(name, env, fresh):
    values = [float(x) for x in env.unwrapped.state]
    if name == "CartPole-v1":
        values.append(float(env.unwrapped.steps_beyond_terminated is not None))
    if name == "MountainCarContinuous-v0":
        values.append(float(not fresh))
    return values


def episode(name, random):
    """The line that Glia gets, and the lines that it should answer."""
    env = gymnasium.make(name)
    env.reset(seed=0)
    env.unwrapped.state = ENVS[name](random)
    start = glia_state(name, env, True)
    discrete = isinstance(env.action_space, gymnasium.spaces.Discrete)
    # Actions keep to one side for a while, so that states come to their ends; boxes are left.
    chosen, steps = [], []
    bias, kept = random.uniform(-1, 1), name in CONTROL and random.uniform() < 0.5
    for i in range(STEPS):
        if i % 40 == 0:
            bias = random.uniform(-1, 1)
        if discrete:
            n = int(env.action_space.n)
            action = int(np.clip(np.round((n - 1) / 2 + n * (bias + random.normal() / 2)), 0, n - 1))
            if kept and i < 700:
                action = CONTROL[name](env.unwrapped.state)
            chosen.append(str(action))
        else:
            high = float(env.action_space.high[0])
            action = np.array([high * 1.5 * (bias + random.normal() / 4)], np.float32)
            chosen.append(float(action[0]).hex())
        seen, reward, terminated, truncated, _ = env.step(action)
        steps.append([*glia_state(name, env, False), *(float(x) for x in seen), float(reward),
                      float(terminated), float(truncated)])
        if i > 5 and (terminated and random.uniform() < 0.2 or truncated and random.uniform() < 0.1):
            break
    line = [name, str(len(start)), *(x.hex() for x in start), str(len(chosen)),
            "0" if discrete else "1", *chosen]
    return " ".join(line), steps


def main():
    program = compiled(pathlib.Path(__file__).with_name("steps.cpp"))
    gymnasium.logger.min_level = gymnasium.logger.ERROR
    failed = False
    for number, name in enumerate(ENVS):
        random = np.random.default_rng(number)
        lines, expected, ends, truncations = [], [], 0, 0
        for _ in range(EPISODES):
            line, steps = episode(name, random)
            lines.append(line)
            expected += steps
            ends += any(s[-2] for s in steps)
            truncations += any(s[-1] for s in steps)
        out = subprocess.run([program], input="\n".join(lines), text=True, check=True,
                             stdout=subprocess.PIPE).stdout.splitlines()
        got = [[float.fromhex(x) if "x" in x else float(x) for x in line.split()] for line in out]
        wrong = [i for i, (a, b) in enumerate(zip(got, expected)) if a != b]
        good = not wrong and len(got) == len(expected)
        failed |= not good
        print(f"{'ok  ' if good else 'FAIL'} {name}: {len(expected)} steps, {EPISODES} episodes, "
              f"{ends} terminated, {truncations} truncated, {len(wrong)} steps differ")
        if wrong:
            print(f"  first: glia      {got[wrong[0]]}\n         gymnasium {expected[wrong[0]]}")
    sys.exit(failed)


main()
