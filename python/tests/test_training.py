"""Optimizers, data and the training loop."""
import numpy as np
import pytest

import glia
from glia import data, nn, optim, training


def problem(seed=0):
    glia.manual_seed(seed)
    x = glia.randn((64, 2))
    y = glia.sum(x * x, 1, keepdim=True)
    return x, y, nn.Sequential(nn.Linear(2, 32), glia.tanh, nn.Linear(32, 1))


@pytest.mark.parametrize("make", [
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9), lambda p: optim.Adam(p, lr=1e-2),
    lambda p: optim.AdamW(p, lr=1e-2, betas=(0.9, 0.99)), lambda p: optim.Adagrad(p, lr=0.1)])
def test_optimizers_learn(make):
    x, y, net = problem()
    opt = make(net.parameters())
    first = glia.mse_loss(net(x), y).item()
    for _ in range(150):
        loss = glia.mse_loss(net(x), y)
        opt.step(glia.gradients(loss, net.parameters()))
    assert loss.item() < first / 4 and opt.steps() == 150


def test_step_by_a_loss_and_its_state():
    x, y, net = problem()
    opt = optim.LBFGS(net.parameters(), line_search_fn="strong_wolfe")
    before = opt.step(lambda: glia.mse_loss(net(x), y)).item()
    assert glia.mse_loss(net(x), y).item() < before
    adam = optim.Adam([net[0].weight, net[2].weight], lr=0.1)
    adam.step([glia.ones((32, 2)), None])
    state = adam.state_dict()
    assert "state.0.exp_avg" in state
    other = optim.Adam([net[0].weight, net[2].weight])
    other.load_state_dict(state)
    assert abs(other.lr() - 0.1) < 1e-12 and other.option("betas.1") == 0.999
    with pytest.raises(glia.ShapeError):
        adam.step([glia.ones((3,)), None])


def test_gradients_that_somebody_holds_stay():
    p = nn.Parameter(glia.ones((1000,)))
    opt = optim.SGD([p], lr=0.1)
    held = glia.gradients(glia.sum(p * p), [p])
    first = held[0]
    opt.step(held)
    assert first.tolist() == [2.0] * 1000 and held[0] is first
    opt.step([first])
    assert first.tolist() == [2.0] * 1000


def test_wrappers_and_schedules():
    x, y, net = problem()
    opt = optim.Lookahead(optim.SGD(net.parameters(), lr=0.05))  # keeps what it wraps
    opt.set_schedule(optim.linear_warmup(5, optim.cosine(0.05, 20)))
    for _ in range(8):
        opt.step(glia.gradients(glia.mse_loss(net(x), y), net.parameters()))
    assert 0 < opt.lr() <= 0.05
    opt.set_schedule(lambda step: 0.25)
    opt.step(glia.gradients(glia.mse_loss(net(x), y), net.parameters()))
    assert opt.lr() == 0.25
    with optim.DeferredSteps():
        opt.step(glia.gradients(glia.mse_loss(net(x), y), net.parameters()))
    clipped = optim.clip_grad_norm([glia.ones((4,))], max_norm=1.0)
    assert abs(clipped.norm.item() - 2) < 1e-6
    gradients, norm = clipped
    assert len(gradients) == 1


def test_pipelines():
    x, y = np.arange(10), np.arange(10.0)
    set_ = data.from_tensors(x, y).shuffle(3).batch(4)
    batches = [(a.tolist(), b.tolist()) for a, b in set_]
    assert [len(a) for a, _ in batches] == [4, 4, 2] and len(set_) == 3
    assert sorted(sum((a for a, _ in batches), [])) == list(range(10))
    doubled = data.from_tensors(x).map(lambda s: {"x": s[0] * 2, "name": "n"})
    first = next(iter(doubled))
    assert first["x"].item() == 0 and first["name"] == "n" and first.keys() == ["x", "name"]
    assert [s[0].item() for s in data.from_tensors(x).filter(lambda s: s[0].item() % 3 == 0)] == [0, 3, 6, 9]
    noisy = data.from_tensors(x).augment(7, lambda random, s: (s[0], random.uniform()))
    assert [s[1] for s in noisy] == [s[1] for s in data.from_tensors(x).augment(
        7, lambda random, s: (s[0], random.uniform())).prefetch(4, 2)]
    for got in set_.map(lambda s: (s[0], s[1])).prefetch(3, 2):  # Python on threads of C++
        assert len(got) == 2
    named = data.from_samples([{"a": 1.5, "t": "x"}, {"a": 2.5, "t": "y"}]).batch(2)
    (batch,) = named
    assert batch["a"].tolist() == [1.5, 2.5] and batch["t"] == ["x", "y"]


def test_errors_of_stages_come_through():
    def bad(sample):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        list(data.from_tensors(np.arange(3)).map(bad))
    with pytest.raises(Exception, match="mine"):
        list(data.from_tensors(np.arange(3)).map(bad).prefetch(2, 2))


def test_trainer(tmp_path):
    x, y, net = problem()
    opt = optim.Adam(net.parameters(), lr=1e-2)
    seen = []

    def forward(batch):
        a, b = batch
        return training.Outcome(glia.mse_loss(net(a), b))

    trainer = training.Trainer(training.supervised(net, opt, forward), epochs=3)
    trainer.add(training.Callback(on_epoch=lambda t: seen.append(t.epoch())))
    set_ = data.from_tensors(x, y).shuffle(1).batch(16)
    trainer.fit(set_, set_)
    history = trainer.history()
    assert len(history) == 3 and len(seen) == 3
    values = dict(history[-1].values)
    assert values["train_loss"] < dict(history[0].values)["train_loss"] and "test_loss" in values
    path = str(tmp_path / "checkpoint.safetensors")
    trainer.save(path)
    again = training.Trainer(training.supervised(net, opt, forward), epochs=3)
    again.load(path)
    assert again.finished()


def test_tasks_of_parts():
    x, y, net = problem()
    opt = optim.SGD(net.parameters(), lr=0.01)

    class Counter:
        count = 0

        def state_dict(self):
            return {"count": glia.tensor(self.count)}

        def load_state_dict(self, state):
            self.count = state["count"].item()

    counter = Counter()

    def step(batch):
        loss = glia.mse_loss(net(x), y)
        opt.step(glia.gradients(loss, net.parameters()))
        counter.count += 1
        return [training.Metric("loss", loss)]

    task = training.Task(parts=[training.Part("model", net), training.Part("optimizer", opt),
                                training.Part("counter", counter)], step=step)
    trainer = training.Trainer(task, steps=6, interval=3)
    trainer.fit()
    assert counter.count == 6 and trainer.step() == 6
