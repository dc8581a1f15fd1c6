"""Derivatives, transformations and functions of Python."""
import numpy as np
import pytest

import glia


def test_gradients():
    x, y = glia.trainable(glia.tensor([1.0, 2])), glia.trainable(glia.tensor([3.0, 4]))
    gx, gy = glia.gradients(glia.sum(x * x * y), [x, y])
    assert gx.tolist() == [6, 16] and gy.tolist() == [1, 4]
    (second,) = glia.gradients(glia.sum(glia.gradients(glia.sum(x * x * x), [x])[0]), [x])
    assert second.tolist() == [6, 12]
    (seeded,) = glia.gradients(x * 2, [x], seed=glia.tensor([1.0, 10]))
    assert seeded.tolist() == [2, 20]
    p = glia.nn.Parameter(glia.ones((2,)))
    for those in ([p], glia.nn.Module().parameters() + [p], (q for q in [p])):
        assert glia.gradients(glia.sum(p * 3), those)[0].tolist() == [3, 3]
    with pytest.raises(glia.Error, match="test_autodiff.py"):
        glia.gradients(glia.sum(x), [glia.ones((2,))])


def test_no_grad():
    x = glia.trainable(glia.ones((2,)))
    with glia.NoGrad():
        assert not (x * 2).requires_grad
        with glia.NoGrad():
            pass
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_functions_of_python():
    x = glia.tensor([0.5, 1.0], dtype="f64")
    value, tangent = glia.jvp(lambda a: glia.sin(a), [x], [glia.ones((2,), "f64")])
    np.testing.assert_allclose(np.asarray(tangent), np.cos([0.5, 1]))
    value, (cotangent,) = glia.vjp(lambda a: glia.sin(a), [x], glia.ones((2,), "f64"))
    np.testing.assert_allclose(np.asarray(cotangent), np.cos([0.5, 1]))
    (jacobian,) = glia.jacobian(lambda a: a * a, [x])
    np.testing.assert_allclose(np.asarray(jacobian), np.diag([1.0, 2]))
    assert glia.gradcheck(lambda a, b: a * glia.exp(b), [x, x]) == ""
    assert glia.gradcheck(lambda a: glia.stop_gradient(a) * a, [x]) != ""


def test_vmap():
    f = glia.vmap(lambda row, v: glia.sum(row * v), in_axes=[0, -1])
    assert f(glia.tensor([[1.0, 2], [3, 4]]), glia.tensor([1.0, 10])).tolist() == [21, 43]


def test_checkpoint_and_custom_functions():
    x = glia.trainable(glia.tensor([2.0]))
    calls = []

    def cube(a):
        calls.append(1)
        return a * a * a

    assert glia.gradients(glia.sum(glia.checkpoint(cube, [x])), [x])[0].tolist() == [12]
    assert calls
    f = glia.custom_function(lambda a: a * 2, lambda inputs, out, grad: [grad * 5])
    assert glia.gradients(glia.sum(f(x)), [x])[0].tolist() == [5]


def test_what_a_function_raises_comes_through():
    def bad(a):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        glia.vmap(bad)(glia.ones((2,)))
    with pytest.raises(TypeError, match="one Tensor"):
        glia.vmap(lambda a: 3)(glia.ones((2,)))


def test_autocast():
    a = glia.ones((2, 2))
    with glia.Autocast("bf16"):
        assert glia.matmul(a, a).dtype == glia.bf16
    assert glia.matmul(a, a).dtype == glia.f32
