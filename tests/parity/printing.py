"""Arrays as NumPy prints them."""
import subprocess

import numpy as np

import tensors
from compare import FOLDER, PROGRAM, check


def printed_arrays():
    """Arrays of every dtype, magnitude and rank, mixed, special and abridged."""
    r = np.random.default_rng(3)
    shapes = [(), (1,), (3,), (7,), (30,), (2, 3), (3, 40), (2, 2, 2), (2, 1, 3, 2), (0,), (2, 0),
              (1001,), (40, 30), (4, 300), (300, 4), (2, 5, 7, 20)]
    for dtype in (np.bool_, np.uint8, np.int8, np.int32, np.int64):
        for shape in shapes:
            if dtype == np.bool_:
                yield r.integers(0, 2, shape).astype(dtype)
                continue
            limits = np.iinfo(dtype)
            yield r.integers(limits.min, limits.max, shape, dtype, endpoint=True)
            yield r.integers(max(limits.min, -9), 10, shape).astype(dtype)
    special = [0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -1.0, 0.1, 1e-4, 9.9e-5, 1e8, 999999.0]
    for dtype in (np.float16, np.float32, np.float64):
        least, most = (-7, 4) if dtype == np.float16 else (-45, 38)
        if dtype == np.float64:
            least, most = -320, 308
        def powers(shape, low, high):
            signs = r.choice([-1.0, 1.0], shape)
            return signs * 10.0 ** r.uniform(low, high, shape)
        with np.errstate(over="ignore"):
            for shape in shapes:
                yield r.standard_normal(shape).astype(dtype)
                yield np.round(r.standard_normal(shape) * 8).astype(dtype)
                yield np.round(r.standard_normal(shape), 2).astype(dtype)
                yield powers(shape, least, most).astype(dtype)
                yield powers(shape, -5, 3).astype(dtype)
                yield powers(shape, -1, 1.9).astype(dtype)
                yield powers(shape, 3, 9).astype(dtype)
                yield r.choice(special, shape).astype(dtype)
                yield r.choice(special[:7], shape).astype(dtype)
                yield r.choice(special[2:5], shape).astype(dtype)
            for value in special + [1e3, 1e6, 1e16, 123456789.0, 0.1 + 0.2, 1e-7, 5e-324]:
                yield np.array(value).astype(dtype)
                yield np.array([value, 1.5]).astype(dtype)


def compare_printing():
    if np.lib.NumpyVersion(np.__version__) < "2.4.0":
        return print("printing: not compared, NumPy", np.__version__, "prints other numbers of digits")
    arrays = {f"{i:05}": a for i, a in enumerate(printed_arrays())}
    tensors.save(FOLDER / "arrays.safetensors", arrays)
    subprocess.run([PROGRAM, "print", FOLDER], check=True)
    texts = (FOLDER / "texts").read_bytes().split(b"\0")[:-1]
    check("printing", len(texts) == len(arrays), f"{len(texts)} texts of {len(arrays)} arrays")
    for array, text in zip(arrays.values(), texts):
        check(f"printing {array.dtype} {array.shape}", text.decode() == str(array),
              f"\n{text.decode()}\nnot\n{array}")
    print(f"printing: {len(arrays)} arrays of every dtype as NumPy prints them")
