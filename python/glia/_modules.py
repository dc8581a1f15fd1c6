"""Modules of Python: Sequential, copies and pickles of layers, calls with other parameters."""
import copyreg

from . import _glia

Module = _glia.nn.Module


class Sequential(Module):
    """Callables one after another: modules, functions such as glia.relu, lambdas. Names are
    positions: "0.weight", "2.weight"."""

    def __init__(self, *layers):
        super().__init__()
        for layer in layers:
            self.append(layer)

    def append(self, layer):
        """Adds a layer behind the others."""
        if not callable(layer):
            raise TypeError(f"Sequential: {layer!r} cannot be called")
        self.__dict__[str(len(self))] = layer
        return self

    def __len__(self):
        return len(self.__dict__)

    def __getitem__(self, i):
        layers = list(self.__dict__.values())
        return Sequential(*layers[i]) if isinstance(i, slice) else layers[i]

    def __iter__(self):
        return iter(self.__dict__.values())

    def forward(self, x):
        for layer in self.__dict__.values():
            x = layer(x)
        return x

    def __repr__(self):
        layers = (getattr(layer, "__name__", None) or repr(layer) for layer in self)
        return f"Sequential({', '.join(layers)})"


def _new(cls):
    """A module of Python without its __init__: what is unpickled fills it."""
    made = cls.__new__(cls)
    Module.__init__(made)
    return made


def _made(cls, base, args, state, training, attributes):
    """A layer of C++, or derived from one, by what that was made with, and its state."""
    made = cls.__new__(cls)
    base.__init__(made, *args)
    made.__dict__.update(attributes)
    made.load_state_dict(state)
    made.train(training)
    return made


def _set_state(self, state):
    self.__dict__.update(state[0])
    Module.train(self, state[1])


def _reduce(self):
    return _new, (type(self),), (dict(self.__dict__), self.training)


def _reduce_layer(self):
    base = next(c for c in type(self).__mro__ if c in _layers)
    attributes = {k: v for k, v in self.__dict__.items() if k != "_made_with"}
    return _made, (type(self), base, self._made_with, self.state_dict(), self.training, attributes)


_layers: set[type] = set()


def _install(root):
    # A function is pickled by its name.
    copyreg.pickle(type(root.relu), lambda function: function.__name__)
    Module.__reduce__ = _reduce
    Module.__setstate__ = _set_state
    for space in vars(root).values():
        if not isinstance(space, type(root)):
            continue
        for cls in vars(space).values():
            if isinstance(cls, type) and issubclass(cls, Module) and cls is not Module:
                cls.__reduce__ = _reduce_layer
                _layers.add(cls)
    root.nn.Sequential = Sequential
    root.nn.modules = modules
    root.nn.functional_call = functional_call


def modules(module):
    """All modules below this one, children first, and itself."""
    found = []
    module.apply(found.append)
    return found


def functional_call(module, values, *args, **kwargs):
    """module(*args, **kwargs) with these values of its parameters, in the order of
    all_parameters(), through which gradients flow."""
    with _glia.nn.Substituted(module, values):
        return module(*args, **kwargs)
