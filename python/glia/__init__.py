"""Glia: deep learning on a lazy graph, with the names of PyTorch and NumPy.

    import glia
    x = glia.randn((256, 2))
    net = glia.nn.Sequential(glia.nn.Linear(2, 32), glia.tanh, glia.nn.Linear(32, 1))
    opt = glia.optim.Adam(net.parameters(), lr=1e-2)
    loss = glia.mse_loss(net(x), glia.sum(x * x, 1, keepdim=True))
    opt.step(glia.gradients(loss, net.parameters()))
"""
import os as _os

from . import _glia
from ._glia import *  # noqa: F401,F403
from ._glia import __version__, _dtype, _restored  # noqa: F401 (the last two for pickles)
from . import _modules, _recipes

_glia._set_folder(_os.path.dirname(__file__))
_modules._install(_glia)
_recipes._install()
