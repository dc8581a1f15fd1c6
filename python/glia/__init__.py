"""Glia: deep learning on a lazy graph, with the names of PyTorch and NumPy."""
import os as _os

from ._glia import *  # noqa: F401,F403
from . import _glia

_glia._set_folder(_os.path.dirname(__file__))
