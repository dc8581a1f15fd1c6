"""Tensors: arrays of others, indexing, operators, printing, pickling."""
import copy
import operator
import pickle
import random

import numpy as np
import pytest

import glia

DTYPES = ["bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64"]


def numbers(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 2, shape) if dtype == "bool" else rng.integers(1, 9, shape)).astype(dtype)


# ---- Arrays ----


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_numpy_there_and_back(dtype, shape):
    a = numbers(shape, dtype)
    t = glia.from_numpy(a)
    assert t.shape == shape and t.dtype == dtype
    back = np.asarray(t)
    assert back.dtype == a.dtype and back.shape == a.shape
    np.testing.assert_array_equal(back, a)
    assert t.tolist() == a.tolist()


def test_memory_is_shared_both_ways():
    a = np.arange(6, dtype=np.float32)
    t = glia.from_numpy(a)
    assert np.shares_memory(a, t.numpy())
    assert np.shares_memory(np.asarray(t), np.from_dlpack(t))
    assert not np.shares_memory(a, np.array(t)) and not np.shares_memory(a, glia.tensor(a).numpy())
    assert not t.numpy().flags.writeable
    view = t.numpy()
    del t, a
    assert view.sum() == 15  # the array keeps what it shows


def test_strided_foreign_and_other_arrays_are_copied():
    a = np.arange(12, dtype=np.float64).reshape(3, 4)
    for view in (a.T, a[:, ::2], a[::-1]):
        np.testing.assert_array_equal(np.asarray(glia.from_numpy(view)), view)
    np.testing.assert_array_equal(np.asarray(glia.tensor(a.astype(">f8"))), a)
    assert glia.tensor(np.int16([1, -2])).dtype == "i32"
    assert glia.tensor(np.uint32([2**32 - 1])).tolist() == [2**32 - 1]
    with pytest.raises(ValueError):
        glia.tensor(np.uint64([2**63]))
    for bad in (np.array(["a"]), np.array([1j]), np.array([None])):
        with pytest.raises(TypeError):
            glia.tensor(bad)


def test_from_lists():
    assert glia.tensor([[1, 2], [3, 4]]).dtype == glia.i64
    assert glia.tensor([1, 2.5]).dtype == glia.f32 and glia.tensor([True]).dtype == "bool"
    assert glia.tensor([1, 2], dtype="f64").tolist() == [1.0, 2.0]
    assert glia.tensor([]).shape == (0,) and glia.tensor([[], []]).shape == (2, 0)
    assert glia.tensor(2**62).item() == 2**62 and glia.tensor([2**62 + 1]).tolist() == [2**62 + 1]
    assert glia.tensor([np.ones(2), np.zeros(2)]).shape == (2, 2)
    for bad in ([[1], [2, 3]], [[1], 2], [1, [2]]):
        with pytest.raises(glia.ShapeError):
            glia.tensor(bad)
    for bad in ("text", ["a"], [None], None, object()):
        with pytest.raises(TypeError):
            glia.tensor(bad)
    with pytest.raises(ValueError):
        glia.tensor(2**64)


def test_dlpack_with_torch():
    torch = pytest.importorskip("torch")
    x = torch.randn(3, 4)
    t = glia.from_dlpack(x)
    x[0, 0] = 7
    assert t[0, 0].item() == 7
    assert torch.equal(torch.from_dlpack(t), x)
    b = torch.randn(5).bfloat16()
    assert glia.from_dlpack(b).dtype == glia.bf16
    assert torch.equal(torch.from_dlpack(glia.from_dlpack(b)), b)


def test_arrays_as_arguments():
    a = np.float32([1, 4, 9])
    assert glia.sqrt(a).tolist() == [1, 2, 3]
    assert (glia.tensor([1.0, 2, 3]) + a).tolist() == [2, 6, 12]
    assert (glia.tensor([1.0]) * np.float32(2)).dtype == glia.f32


# ---- Indexing ----


def index_of(rng, size):
    kind = rng.randrange(6)
    if kind == 0 and size:
        return rng.randrange(-size, size)
    if kind == 1:
        ends = [None, *range(-size - 1, size + 2)]
        return slice(rng.choice(ends), rng.choice(ends), rng.choice([None, 1, 2, 3]))
    if kind == 2:
        ends = [None, *range(-size - 1, size + 2)]
        return slice(rng.choice(ends), rng.choice(ends), rng.choice([-1, -2]))
    if kind == 3 and size:
        return np.array([rng.randrange(-size, size) for _ in range(3)])
    if kind == 4:
        return np.array([rng.random() < 0.5 for _ in range(size)], dtype=bool)
    return slice(None)


def random_index(rng, shape):
    count = rng.randrange(len(shape) + 1)
    parts = [index_of(rng, shape[i]) for i in range(count)]
    if rng.random() < 0.3:
        parts.insert(rng.randrange(len(parts) + 1), None)
    if rng.random() < 0.3:
        parts.append(Ellipsis)
    return tuple(parts) if len(parts) != 1 or rng.random() < 0.5 else parts[0]


@pytest.mark.parametrize("seed", range(400))
def test_indexing_is_numpys(seed):
    rng = random.Random(seed)
    shape = tuple(rng.randrange(0 if rng.random() < 0.1 else 1, 6) for _ in range(rng.randrange(1, 5)))
    a = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    at = random_index(rng, shape)
    try:
        expected = a[at]
    except IndexError:
        with pytest.raises((IndexError, ValueError)):
            glia.from_numpy(a)[at]
        return
    got = np.asarray(glia.tensor(a)[at])
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got, expected)
    # The same place written: of indices that come twice, any may win.
    value = np.arange(expected.size, dtype=np.float32).reshape(expected.shape) + 100
    arrays = [i for i in (at if isinstance(at, tuple) else (at,)) if isinstance(i, np.ndarray)]
    if all(len(set(i.tolist())) == len(i) or i.dtype == bool for i in arrays):
        b, t = a.copy(), glia.tensor(a)
        unique = np.unique(expected).size == expected.size
        b[at] = value
        t[at] = value
        if unique:
            np.testing.assert_array_equal(np.asarray(t), b)


def test_assignment_is_of_the_object():
    t = glia.zeros((2, 3))
    same, other = t, t + 0
    t[0] = 5
    t[1, ::2] = [1, 2]
    assert same.tolist() == [[5, 5, 5], [1, 0, 2]] and other.tolist() == [[0] * 3] * 2
    t[t > 4] = -1
    assert t.tolist() == [[-1, -1, -1], [1, 0, 2]]
    p = glia.nn.Parameter(glia.zeros((2,)))
    p[1] = 3
    assert p.tensor().tolist() == [0, 3]
    with pytest.raises(TypeError):
        del t[0]


def test_sequences():
    t = glia.tensor([[1, 2], [3, 4]])
    assert len(t) == 2 and [row.tolist() for row in t] == [[1, 2], [3, 4]]
    first, second = t
    assert second.tolist() == [3, 4]
    for bad in (2, -3, 10**30):
        with pytest.raises(IndexError):
            t[bad]
    with pytest.raises(TypeError):
        len(glia.tensor(1))
    assert list(range(5))[glia.tensor(3)] == 3


# ---- Operators ----

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv,
             operator.mod, operator.lt, operator.le, operator.gt, operator.ge, operator.eq,
             operator.ne, operator.pow]


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
def test_operators(op):
    a, b = numbers((2, 3), "float32", 1), numbers((3,), "float32", 2)
    x, y = glia.tensor(a), glia.tensor(b)
    for got, expected in [(op(x, y), op(a, b)), (op(x, 2), op(a, np.float32(2))),
                          (op(2.5, x), op(np.float32(2.5), a)), (op(x, b), op(a, b))]:
        np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-6)


def test_bits_products_and_signs():
    a = numbers((3, 3), "int64")
    x = glia.tensor(a)
    for op in (operator.and_, operator.or_, operator.xor):
        np.testing.assert_array_equal(np.asarray(op(x, 3)), op(a, 3))
    np.testing.assert_array_equal(np.asarray(x @ x), a @ a)
    np.testing.assert_array_equal(np.asarray(-x), -a)
    np.testing.assert_array_equal(np.asarray(~x), ~a)
    np.testing.assert_array_equal(np.asarray(abs(-x)), a)
    y = x
    y += 1
    assert y is not x and x.tolist() == a.tolist()
    with pytest.raises(TypeError):
        x + "a"
    with pytest.raises(glia.ShapeError):
        x @ 2
    assert (x == None) is False  # noqa: E711
    assert x in [x] and {x: 1}[x] == 1


def test_truth_and_numbers():
    assert glia.tensor([2]) and not glia.tensor(0.0)
    assert float(glia.tensor(2)) == 2.0 and int(glia.tensor(2.9)) == 2
    assert glia.tensor(True).item() is True and glia.tensor(3).item() == 3
    assert f"{glia.tensor(1.5):.3f}" == "1.500"
    with pytest.raises(ValueError):
        bool(glia.tensor([1, 2]))
    with pytest.raises(ValueError):
        glia.tensor([1, 2]).item()


def test_methods_are_the_functions():
    x = glia.tensor([[1.0, 2], [3, 4]])
    assert x.sum().item() == 10 and x.mean(0).tolist() == [2, 3]
    assert x.reshape((4,)).shape == (4,) and x.T.tolist() == [[1, 3], [2, 4]]
    assert x.max(axes=1, keepdim=True).shape == (2, 1)
    p = glia.nn.Parameter(x)
    assert p.sum().item() == 10 and (p * 2).tolist()[1] == [6, 8] and p.shape == (2, 2)


# ---- Printing, copies, pickles ----


def test_printing():
    assert repr(glia.tensor([1.5, 2])) == "tensor([1.5 2. ], dtype=f32)"
    assert repr(glia.tensor([[1, 2], [3, 4]])) == "tensor([[1 2]\n        [3 4]], dtype=i64)"
    assert str(glia.tensor([1, 2])) == "[1 2]"
    assert repr(glia.f32) == "glia.f32" and repr(glia.bool_) == "glia.bool_"


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_pickles(dtype):
    t = glia.cast(glia.tensor(numbers((2, 3), "int64")), dtype)
    back = pickle.loads(pickle.dumps(t))
    assert back.dtype == t.dtype and back.tolist() == t.tolist()
    assert copy.deepcopy(t).tolist() == t.tolist()
    assert pickle.loads(pickle.dumps(t.dtype)) is not None
    p = pickle.loads(pickle.dumps(glia.nn.Parameter(glia.ones((2,)))))
    assert isinstance(p, glia.nn.Parameter) and p.tolist() == [1, 1]


def test_dtypes():
    for name in ("f32", "float32", np.float32, np.dtype("float32"), glia.f32, float):
        assert glia.zeros((1,), name).dtype == glia.f32
    assert glia.f32 == "float32" and glia.f32 != glia.f64 and hash(glia.f32) == hash(glia.f32)
    assert glia.i64.itemsize == 8 and glia.bf16.is_float and glia.u8.is_integer
    for bad in ("f33", str, None, 3):
        with pytest.raises(TypeError):
            glia.zeros((1,), bad)
