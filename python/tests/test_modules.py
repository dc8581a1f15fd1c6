"""Layers of C++ and modules of Python."""
import copy
import pickle

import numpy as np
import pytest

import glia
from glia import nn


class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.linear = nn.Linear(size, size)
        self.scale = nn.Parameter(glia.ones((size,)))
        self.seen = nn.Buffer(glia.zeros((), "i64"))

    def forward(self, x):
        return x + self.linear(self.norm(x)) * self.scale


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [Block(4), Block(4)]
        self.heads = {"a": nn.Linear(4, 2), "b": nn.Linear(4, 3)}
        self.drop = nn.Dropout(0.5)
        self.name = "net"

    def forward(self, x, head="a"):
        for block in self.blocks:
            x = block(x)
        return self.heads[head](self.drop(x))


def test_fields():
    net = Net()
    names = [name for name, _ in net.named_parameters()]
    assert names[:5] == ["blocks.0.scale", "blocks.0.norm.weight", "blocks.0.norm.bias",
                         "blocks.0.linear.weight", "blocks.0.linear.bias"]
    assert names[-1] == "heads.b.bias" and len(net.parameters()) == len(names) == 14
    assert [name for name, _ in net.named_buffers()] == ["blocks.0.seen", "blocks.1.seen"]
    assert net.parameter_count() == sum(p.numel() for p in net.parameters())
    assert net(glia.ones((2, 4)), head="b").shape == (2, 3)
    assert "blocks.0.linear" in net.summary()


def test_state_dicts():
    a, b = Net(), Net()
    state = a.state_dict()
    assert state["heads.a.weight"].shape == (2, 4)
    result = b.load_state_dict(state)
    assert result.missing == [] and result.unexpected == []
    a.eval(), b.eval()
    x = glia.randn((3, 4))
    np.testing.assert_array_equal(np.asarray(a(x)), np.asarray(b(x)))
    b.load_state_dict({name: np.asarray(t) for name, t in state.items()})
    before = b.state_dict()["heads.a.bias"].tolist()
    with pytest.raises(glia.Error, match="heads.a.bias"):
        b.load_state_dict({k: v for k, v in state.items() if k != "heads.a.bias"})
    assert b.state_dict()["heads.a.bias"].tolist() == before
    result = b.load_state_dict({"nothing": glia.ones((1,))}, strict=False)
    assert "nothing" in result.unexpected and len(result.missing) == len(state)


def test_modes_and_freezing():
    net = Net()
    assert net.training and net.blocks[0].linear.training
    assert net.eval() is net and not net.drop.training and not net.blocks[1].training
    net.train()
    assert net.drop.training
    net.blocks[0].freeze()
    assert len(net.parameters()) == 9 and len(net.all_parameters()) == 14
    assert net.to("f64") is net and net.blocks[0].scale.dtype == glia.f64
    kinds = [type(m).__name__ for m in nn.modules(net)]
    assert kinds[-1] == "Net" and kinds.count("Linear") == 4


def test_weights_of_layers():
    layer = nn.Linear(3, 2)
    assert isinstance(layer.weight, nn.Parameter) and layer.weight is layer.weight
    assert nn.Linear(3, 2, bias=False).bias is None
    layer.weight = glia.ones((2, 3))
    assert layer(glia.ones((1, 3)) * 0).tolist() == [layer.bias.tolist()]
    with pytest.raises(glia.ShapeError):
        layer.weight = glia.ones((3, 3))
    tied = nn.Linear(3, 2)
    tied.weight = layer.weight  # one place from now on
    layer.weight.set(glia.zeros((2, 3)))
    assert tied.weight.tolist() == [[0] * 3] * 2 and tied.weight.same_place(layer.weight)
    place = nn.Linear(3, 2).weight  # outlives its layer
    assert place.shape == (2, 3) and len(place.tolist()) == 2


def test_sequential():
    net = nn.Sequential(nn.Linear(2, 8), glia.tanh, lambda x: x * 2, nn.Linear(8, 1))
    assert list(net.state_dict()) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert net(glia.ones((5, 2))).shape == (5, 1) and len(net) == 4
    assert isinstance(net[0], nn.Linear) and len(net[1:]) == 3
    with pytest.raises(TypeError):
        nn.Sequential(3)


@pytest.mark.parametrize("layer, x", [
    (lambda: nn.Linear(3, 2, bias=False), (2, 3)),
    (lambda: nn.Conv2d(3, 4, kernel=3, padding=1), (2, 5, 5, 3)),
    (lambda: nn.BatchNorm2d(3, momentum=0.2), (2, 3)),
    (lambda: nn.LayerNorm((3,)), (2, 3)),
    (lambda: nn.MaxPool2d(2, stride=(1, 2)), (1, 4, 4, 2)),
    (lambda: nn.Sequential(nn.Linear(3, 3), glia.relu), (2, 3)),
    (lambda: Block(3), (2, 3))])
def test_copies_and_pickles(layer, x):
    net, x = layer(), glia.randn(x)
    net(x)
    net.eval()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert type(other) is type(net) and not other.training
        np.testing.assert_array_equal(np.asarray(other(x)), np.asarray(net(x)))
        for p, q in zip(net.all_parameters(), other.all_parameters()):
            assert not p.same_place(q)


class Doubled(nn.Linear):
    def __init__(self, size):
        super().__init__(size, size)
        self.factor = 2

    def __call__(self, x):
        return super().__call__(x) * self.factor


def test_layers_that_python_derives():
    layer = Doubled(2)
    net = nn.Sequential(layer)
    other = pickle.loads(pickle.dumps(net))
    x = glia.ones((1, 2))
    assert other[0].factor == 2 and other(x).tolist() == net(x).tolist()


def test_recurrent():
    lstm = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    out, h, c = lstm(glia.ones((5, 2, 3)))
    assert out.shape == (5, 2, 8) and h.shape == c.shape == (4, 2, 4)
    assert "weight_ih_l1_reverse" in lstm.state_dict()
    result = lstm(glia.ones((5, 2, 3)), h, c)
    assert result.out.shape == out.shape and "LSTMResult" in repr(result)


def test_losses():
    x, t = glia.randn((4, 3)), glia.tensor([0, 1, 2, 0])
    mean = nn.CrossEntropyLoss()(x, t).item()
    total = glia.cross_entropy(x, t, reduction="sum").item()
    assert abs(mean * 4 - total) < 1e-5
    with pytest.raises(TypeError, match="reduction"):
        glia.cross_entropy(x, t, reduction="other")


def test_functional_call():
    net = nn.Linear(2, 1, bias=False)
    w = glia.trainable(glia.tensor([[1.0, 2.0]]))
    out = nn.functional_call(net, [w], glia.ones((1, 2)))
    assert out.tolist() == [[3]] and glia.gradients(glia.sum(out), [w])[0].tolist() == [[1, 1]]
