"""Steps of small networks from Python, in pairs with PyTorch's: processor time of one thread.

usage: GLIA_NUM_THREADS=1 python bench/python.py [--steps N] [--torch]
"""
import argparse
import time

import glia
from glia import nn, optim


def network(sizes):
    layers = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers += [glia.relu] * (i > 0) + [nn.Linear(a, b)]
    return nn.Sequential(*layers)


def mlp_small():
    """As mlp_small of bench/mlp.cpp."""
    net = network([784, 512, 512, 10])
    x, target = glia.randn((128, 784)), glia.remainder(glia.arange(128), 10)
    parameters = net.parameters()
    opt = optim.SGD(parameters, lr=1e-6, momentum=0.9)

    def step():
        loss = glia.cross_entropy(net(x), target)
        opt.step(glia.gradients(loss, parameters))
        return loss

    return step


def small():
    """A network so small that recording is what costs."""
    net = network([4, 32, 32, 2])
    x, target = glia.randn((16, 4)), glia.randn((16, 2))
    parameters = net.parameters()
    opt = optim.Adam(parameters, lr=1e-3)

    def step():
        loss = glia.mse_loss(net(x), target)
        opt.step(glia.gradients(loss, parameters))
        return loss

    return step


def torch_steps():
    import torch
    import torch.nn.functional as F
    torch.set_num_threads(1)

    def sequential(sizes):
        layers = []
        for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
            layers += [torch.nn.ReLU()] * (i > 0) + [torch.nn.Linear(a, b)]
        return torch.nn.Sequential(*layers)

    def step_of(net, opt, loss_of):
        def step():
            opt.zero_grad()
            loss = loss_of(net)
            loss.backward()
            opt.step()
            return loss
        return step

    x, t = torch.randn(128, 784), torch.arange(128) % 10
    big = sequential([784, 512, 512, 10])
    y, u = torch.randn(16, 4), torch.randn(16, 2)
    tiny = sequential([4, 32, 32, 2])
    return {"mlp_small": step_of(big, torch.optim.SGD(big.parameters(), lr=1e-6, momentum=0.9),
                                 lambda net: F.cross_entropy(net(x), t)),
            "small": step_of(tiny, torch.optim.Adam(tiny.parameters(), lr=1e-3),
                             lambda net: F.mse_loss(net(y), u))}


def microseconds(step, count):
    start = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - start) / count * 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--torch", action="store_true")
    arguments = parser.parse_args()
    peers = torch_steps() if arguments.torch else {}
    for name, make, count in [("mlp_small", mlp_small, 30), ("small", small, 2000)]:
        count = arguments.steps or count
        step = make()
        for f in filter(None, [step, peers.get(name)]):
            microseconds(f, count // 10 + 3)
        pairs = [[microseconds(f, count) for f in filter(None, [step, peers.get(name)])]
                 for _ in range(7)]
        best = [min(times) for times in zip(*pairs)]
        text = f"{name}: {best[0]:.1f} us a step"
        print(text + (f", PyTorch {best[1]:.1f} us: {best[1] / best[0]:.2f}x" if peers else ""))


if __name__ == "__main__":
    main()
