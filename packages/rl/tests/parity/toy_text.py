"""Gymnasium's toy text, wrappers and MinAtar's Breakout beside Glia's: all that may happen, exactly;
and episodes of Glia's, in which the other side is given what was drawn and must do the same.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import compiled, peers

with peers():
    import gymnasium
    import numpy as np

PROGRAM = compiled(pathlib.Path(__file__).with_name("toy_text.cpp"))
failed = False


def lines(*words, text=""):
    out = subprocess.run([PROGRAM, *words], input=text, text=True, check=True,
                         stdout=subprocess.PIPE).stdout
    return [line.split() for line in out.splitlines()]


def tell(good, what):
    global failed
    failed |= not good
    print(f"{'ok  ' if good else 'FAIL'} {what}")


class Given:
    """In place of a generator of random numbers: what it gives next."""

    def __init__(self):
        self.numbers, self.cards = [], []

    def random(self):
        return self.numbers.pop(0)

    def choice(self, _):
        return self.cards.pop(0)


def models():
    make = gymnasium.make
    envs = {"lake4": make("FrozenLake-v1"), "lake8": make("FrozenLake8x8-v1"),
            "ice4": make("FrozenLake-v1", is_slippery=False), "cliff": make("CliffWalking-v1"),
            "slippery_cliff": make("CliffWalkingSlippery-v1"), "taxi": make("Taxi-v4")}
    wrong, seen = dict.fromkeys(envs, 0), dict.fromkeys(envs, 0)
    for name, *rest in lines("models"):
        env = envs[name].unwrapped
        if rest[0] == "initial":
            wrong[name] += [float.fromhex(x) for x in rest[1:]] != list(env.initial_state_distrib)
            continue
        state, action, *flat = rest
        got = [(float.fromhex(flat[i]), int(flat[i + 1]), float.fromhex(flat[i + 2]),
                flat[i + 3] == "1") for i in range(0, len(flat), 4)]
        expected = [(p, int(s), float(r), bool(t)) for p, s, r, t in env.P[int(state)][int(action)]]
        wrong[name] += got != expected
        seen[name] += 1
    for name, env in envs.items():
        env = env.unwrapped
        whole = seen[name] == env.observation_space.n * env.action_space.n
        tell(whole and not wrong[name], f"{name}: {seen[name]} states and actions, "
             f"{wrong[name]} differ")


def tabular_episodes(name):
    env = gymnasium.make(name).unwrapped
    env.reset(seed=0)
    given = env._np_random = Given()
    rows, wrong = lines("plays", name), 0
    for row in rows:
        state, action, following, seen = (int(x) for x in row[:4])
        outcomes = env.P[state][action]
        which = next(i for i, o in enumerate(outcomes) if (o[1], o[2]) == (following, float(row[4])))
        given.numbers = [sum(o[0] for o in outcomes[:which]) + outcomes[which][0] / 2]
        env.s = state
        observed, reward, ends, _, _ = env.step(action)
        wrong += (observed, float(reward), bool(ends)) != (seen, float(row[4]), row[5] == "1")
    tell(not wrong, f"{name}: {len(rows)} steps, {wrong} differ")


def blackjack():
    env = gymnasium.make("Blackjack-v1").unwrapped
    env.reset(seed=0)
    given = env._np_random = Given()
    rows, wrong, naturals = lines("plays", "Blackjack-v1"), 0, 0

    def hands(state):
        player, dealer = int(state[0]), int(state[1])
        return ([int(x) for x in state[2:2 + player]], [int(x) for x in state[26:26 + dealer]])

    for row in rows:
        before, action, after = hands(row[:50]), int(row[50]), hands(row[51:101])
        env.player, env.dealer = list(before[0]), list(before[1])
        given.cards = after[0][len(before[0]):] + after[1][len(before[1]):]
        observed, reward, ends, _, _ = env.step(action)
        got = tuple(int(x) for x in row[101:104]), float(row[104]), row[105] == "1"
        naturals += sorted(before[0]) == [1, 10]
        wrong += (tuple(int(x) for x in observed), reward, ends) != got or bool(given.cards)
        wrong += (env.player, env.dealer) != after
    tell(not wrong and naturals > 100,
         f"Blackjack-v1: {len(rows)} steps, {naturals} with a natural, {wrong} differ")


def breakout():
    try:
        from minatar import Environment
    except ImportError as missing:
        print(f"SKIPPED: Breakout: {missing}")
        return
    game = Environment("breakout", sticky_action_prob=0)
    env, rows, wrong, rewards = game.env, lines("plays", "breakout"), 0, 0
    for row in rows:
        n = [int(float(x)) for x in row]
        s, action, after = n[:39], n[39], n[40:79]
        env.ball_x, env.ball_y, env.ball_dir, env.pos, env.strike = s[0], s[1], s[2], s[3], s[4] != 0
        env.last_x, env.last_y, env.terminal = s[5], s[6], s[8] != 0
        env.brick_map = np.zeros((10, 10))
        env.brick_map[1:4] = np.array(s[9:]).reshape(3, 10)
        reward, ends = game.act([0, 1, 3][action])
        state = [env.ball_x, env.ball_y, env.ball_dir, env.pos, int(env.strike), env.last_x,
                 env.last_y, action, int(env.terminal), *env.brick_map[1:4].ravel().astype(int)]
        wrong += state != after or reward != n[-2] or int(ends) != n[-1]
        wrong += not np.array_equal(game.state().ravel().astype(int), n[79:-2])
        rewards += reward
    tell(not wrong and rewards > 500,
         f"MinAtar/Breakout: {len(rows)} steps, {rewards} bricks, {wrong} differ")


def wrappers():
    start = [0.01, -0.02, 0.03, -0.04]
    actions = [i // 2 % 2 for i in range(60)]
    env = gymnasium.make("CartPole-v1", disable_env_checker=True)
    env = gymnasium.wrappers.NormalizeReward(gymnasium.wrappers.NormalizeObservation(env))
    inner = env.unwrapped
    real = inner.reset

    def reset(**words):
        real(**words)
        inner.state = np.array(start)
        return np.array(start, np.float32), {}

    inner.reset = reset
    expected = [[*env.reset()[0], 0]]
    for action in actions:
        observed, reward, *_ = env.step(action)
        expected.append([*observed, reward])
    got = lines("normalised", text=" ".join(map(str, start + actions)))
    apart = np.abs(np.array(got, float) - np.array(expected, float))
    # Gymnasium's statistics of observations are f32.
    tell(apart[:, :4].max() < 1e-3 and apart[:, 4].max() < 1e-12,
         f"NormalizeObservation, NormalizeReward: {len(got)} steps, apart by "
         f"{apart[:, :4].max():.1e}, {apart[:, 4].max():.1e}")


gymnasium.logger.min_level = gymnasium.logger.ERROR
models()
for world in ("FrozenLake-v1", "FrozenLake8x8-v1", "CliffWalking-v1", "CliffWalkingSlippery-v1",
              "Taxi-v4"):
    tabular_episodes(world)
blackjack()
breakout()
wrappers()
sys.exit(failed)
