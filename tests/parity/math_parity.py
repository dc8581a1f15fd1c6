"""Linear algebra and Fourier transforms beside PyTorch and SciPy, live: values and gradients.

    math_parity.py PROGRAM FOLDER          compares
    math_parity.py --time PROGRAM ROUNDS   prints both sides' processor time on one thread
"""
import pathlib
import subprocess
import sys
import time

import numpy as np
import scipy.fft
import scipy.linalg
import torch

import tensors

T = torch.linalg
TOLERANCE = {torch.float32: 3e-4, torch.float64: 1e-9}


def flat(*parts):
    return torch.cat([p.reshape(-1) for p in parts])


def parts(x):
    return flat(x.real, x.imag)


def definite(a):
    return a @ a.mT + torch.eye(a.shape[-1], dtype=a.dtype) * a.shape[-1]


def symmetric(a):
    return (a + a.mT) * 0.5


def cosine(kind, norm):
    """The sum as a matrix, from SciPy."""
    def function(x):
        n = x.shape[-1]
        matrix = scipy.fft.dct(np.eye(n), kind, norm=norm, axis=0)
        return x @ torch.from_numpy(matrix).to(x.dtype).mT
    return function


def windows(x):
    w = dict(dtype=torch.float64)
    return flat(torch.hann_window(9, **w), torch.hamming_window(9, False, 0.5, 0.4, **w),
                torch.blackman_window(9, **w), torch.bartlett_window(9, **w),
                torch.kaiser_window(9, True, 7, **w)) + x.sum() * 0


def stft(x, w):
    y = torch.stft(x, 16, 5, 12, w, normalized=True, return_complex=True)
    return parts(y)


def istft(a, b, w):
    return torch.istft(C(a, b), 16, 4, window=w)


def by_scipy(function):
    """A function of arrays in f64, without derivatives."""
    def run(*tensors):
        made = [t.detach().double().numpy() for t in tensors]
        return torch.from_numpy(np.ascontiguousarray(function(*made))).to(tensors[0].dtype)
    return run


def spd(a):
    return a @ a.T + np.eye(len(a)) * len(a)


def powers(w):
    return np.array([(w.real ** 3).sum(), (w.imag ** 2).sum()])


L = scipy.linalg
C = torch.complex
SQUARE, BATCH, TALL, WIDE = (6, 6), (3, 4, 4), (7, 4), (4, 7)
CASES = {
    "solve": (T.solve, [(SQUARE, (6, 3)), (BATCH, (4, 2)), (BATCH, (3, 4))]),
    "solve_right": (lambda a, b: T.solve(a, b.mT, left=False), [(SQUARE, (6, 3))]),
    "solve_triangular": (lambda a, b: T.solve_triangular(a, b, upper=True), [(SQUARE, (6, 3)), (BATCH, (3, 4, 2))]),
    "inv": (T.inv, [(SQUARE,), (BATCH,)]),
    "det": (T.det, [(SQUARE,), (BATCH,)]),
    "slogdet": (lambda a: T.slogdet(a)[1], [(SQUARE,), (BATCH,)]),
    "cholesky": (lambda a: T.cholesky(definite(a)), [(SQUARE,), (BATCH,)]),
    "lu": (lambda a: flat(*T.lu(a)[1:]), [(SQUARE,), (BATCH,), (TALL,), (WIDE,)]),
    "lu_factor": (lambda a: T.lu_factor(a)[0], [(SQUARE,), (TALL,), (WIDE,)]),
    "qr": (lambda a: flat(*T.qr(a)), [(SQUARE,), (BATCH,), (TALL,), (WIDE,)]),
    "svdvals": (T.svdvals, [(SQUARE,), (BATCH,), (TALL,), (WIDE,)]),
    "svd": (lambda a: (lambda u, s, v: flat(u ** 2, s, v ** 2))(*T.svd(a, False)), [(SQUARE,), (BATCH,), (TALL,), (WIDE,)]),
    "eigvalsh": (lambda a: T.eigvalsh(symmetric(a)), [(SQUARE,), (BATCH,)]),
    "eigh": (lambda a: (lambda w, v: flat(w, v ** 2))(*T.eigh(symmetric(a))), [(SQUARE,), (BATCH,)]),
    "eigvals": (lambda a: (lambda w: flat((w.real ** 3).sum(), (w.imag ** 2).sum()))(T.eigvals(a)), [(SQUARE,), (BATCH,)]),
    "eig": (lambda a: (T.eig(a)[1].abs() ** 4).sum((-2, -1)), [(SQUARE,), (BATCH,)]),
    "pinv": (T.pinv, [(SQUARE,), (BATCH,), (TALL,), (WIDE,)]),
    "lstsq": (lambda a, b: T.lstsq(a, b).solution, [(TALL, (7, 2)), (WIDE, (4, 2)), (SQUARE, (6, 1))]),
    "matrix_exp": (torch.matrix_exp, [(SQUARE,), (BATCH,)]),
    "sqrtm": (by_scipy(lambda a: L.sqrtm(spd(a))), [(SQUARE,), ((30, 30),)]),
    "sqrtm_turned": (by_scipy(L.sqrtm), [(SQUARE,), ((30, 30),)]),
    "logm": (by_scipy(lambda a: L.logm(spd(a))), [(SQUARE,), ((30, 30),)]),
    "logm_turned": (by_scipy(L.logm), [(SQUARE,), ((30, 30),)]),
    "eigvalsh_pair": (by_scipy(lambda a, b: L.eigh((a + a.T) / 2, spd(b), eigvals_only=True)), [(SQUARE, SQUARE)]),
    "eigh_pair": (by_scipy(lambda a, b: L.eigh((a + a.T) / 2, spd(b))[1] ** 2), [(SQUARE, SQUARE)]),
    "eigvals_pair": (by_scipy(lambda a, b: powers(L.eigvals(a, spd(b)))), [(SQUARE, SQUARE)]),
    "eig_pair": (by_scipy(lambda a, b: (np.abs(L.eig(a, spd(b))[1]) ** 4).sum()), [(SQUARE, SQUARE)]),
    "null_space": (by_scipy(lambda a: (lambda z: z @ z.T)(L.null_space(a))), [(WIDE,), (TALL,)]),
    "orth": (by_scipy(lambda a, b: (lambda q: q @ q.T)(L.orth(a @ b))), [((6, 3), (3, 5))]),
    "householder_product": (T.householder_product, [((6, 4), (3,)), ((2, 5, 3), (2, 3))]),
    "matrix_power": (lambda a: T.matrix_power(a, 5), [(BATCH,)]),
    "matrix_rank": (lambda a: T.matrix_rank(a).double(), [(TALL,)]),
    "vector_norm": (lambda a: T.vector_norm(a, 3, -1), [(BATCH,)]),
    "fro": (T.matrix_norm, [(BATCH,), (WIDE,)]),
    "nuc": (lambda a: T.matrix_norm(a, "nuc"), [(BATCH,), (WIDE,)]),
    "norm_2": (lambda a: T.matrix_norm(a, 2), [(BATCH,), (WIDE,)]),
    "norm_inf": (lambda a: T.matrix_norm(a, float("inf")), [(BATCH,), (WIDE,)]),
    "cond": (T.cond, [(BATCH,), (WIDE,)]),
    "cond_1": (lambda a: T.matrix_norm(a, 1) * T.matrix_norm(T.inv(a), 1), [(BATCH,)]),
    "multi_dot": (lambda *a: T.multi_dot(a), [((3, 4), (4, 9), (9, 2))]),
    "cross": (T.cross, [((5, 3), (5, 3)), ((1, 3), (4, 3))]),
    "vander": (lambda x: T.vander(x, N=4), [((5,),), ((2, 5),)]),
    "cholesky_inverse": (lambda a: torch.cholesky_inverse(T.cholesky(definite(a))), [(SQUARE,)]),
    "cholesky_solve": (lambda a, b: torch.cholesky_solve(b, T.cholesky(definite(a))), [(SQUARE, (6, 2))]),
    "tensorinv": (lambda a: T.tensorinv(a, 2), [((2, 6, 3, 4),)]),
    "tensorsolve": (T.tensorsolve, [((2, 6, 3, 4), (2, 6))]),
    "fft": (lambda a, b: parts(torch.fft.fft(C(a, b), 11)), [((3, 8), (3, 8)), ((3, 13), (3, 13))]),
    "ifft": (lambda a, b: parts(torch.fft.ifft(C(a, b), dim=0, norm="ortho")), [((9, 2), (9, 2))]),
    "fft2": (lambda a, b: parts(torch.fft.fft2(C(a, b))), [((2, 6, 5), (2, 6, 5))]),
    "rfft": (lambda a: parts(torch.fft.rfft(a)), [((3, 8),), ((3, 17),)]),
    "irfft": (lambda a, b: torch.fft.irfft(C(a, b)), [((3, 8), (3, 8))]),
    "irfft_odd": (lambda a, b: torch.fft.irfft(C(a, b), 15), [((3, 8), (3, 8))]),
    "hfft": (lambda a, b: torch.fft.hfft(C(a, b)), [((3, 8), (3, 8))]),
    "ihfft": (lambda a: parts(torch.fft.ihfft(a)), [((3, 8),)]),
    "rfftn": (lambda a: parts(torch.fft.rfftn(a, (5, 8), norm="forward")), [((3, 4, 9),)]),
    "irfftn": (lambda a, b: torch.fft.irfftn(C(a, b)), [((3, 4, 5), (3, 4, 5))]),
    "fftshift": (torch.fft.fftshift, [((3, 4),)]),
    "stft": (stft, [((2, 60), (12,))]),
    "istft": (istft, [((2, 9, 7), (2, 9, 7), (16,))]),
    "windows": (windows, [((1,),)]),
}
CASES |= {f"dct{k}{'o' if norm else ''}": (cosine(k, norm), [((2, 7),), ((2, 8),)])
          for k in (1, 2, 3, 4) for norm in (None, "ortho")}


def compare(program, folder):
    generator = torch.Generator().manual_seed(5)
    inputs, theirs, dtypes = {}, {}, {}
    for name, (function, shapes) in CASES.items():
        for dtype in (torch.float64, torch.float32):
            for at, case in enumerate(shapes):
                key = f"{name} {at} {dtype}".replace("torch.", "")
                made = [torch.randn(s, generator=generator, dtype=torch.float64) for s in case]
                if name in ("stft", "istft"):
                    made[-1] = made[-1].abs() + 0.5
                if name in ("solve", "inv", "solve_triangular", "solve_right", "matrix_power", "cond", "cond_1"):
                    made[0] = made[0] + 3 * torch.eye(*made[0].shape[-2:], dtype=torch.float64)
                if name.endswith("_turned"):
                    made[0] = made[0] + 2 * made[0].shape[-1] * torch.eye(made[0].shape[-1], dtype=torch.float64)
                made = [m.to(dtype).requires_grad_() for m in made]
                if name == "windows" and dtype != torch.float64:
                    continue
                y = function(*made)
                theirs[key + ".y"] = y.detach().resolve_neg().numpy()
                if y.requires_grad:
                    for i, g in enumerate(torch.autograd.grad(y.sin().sum(), made, allow_unused=True)):
                        if g is not None:
                            theirs[f"{key}.g{i}"] = g.resolve_neg().numpy()
                dtypes[key] = dtype
                for i, m in enumerate(made):
                    inputs[f"{key}.{i}"] = m.detach().numpy()
    tensors.save(folder / "math.in", inputs)
    subprocess.run([program, folder / "math.in", folder / "math.out"], check=True)
    ours = tensors.load(folder / "math.out")
    worst, faults = {}, 0
    for key, y in theirs.items():
        x, dtype = ours[key], dtypes[key.rsplit(".", 1)[0]]
        difference = np.abs(x.reshape(y.shape).astype(np.float64) - y).max(initial=0) / max(np.abs(y).max(initial=0), 1e-3)
        worst[dtype] = max(worst.get(dtype, 0), difference)
        if not difference <= TOLERANCE[dtype]:
            faults += 1
            print(f"{key}: relative difference {difference:.1e}")
    print(f"linear algebra and Fourier transforms: {len(theirs)} arrays beside PyTorch {torch.__version__}, "
          f"{faults} differ; at most {worst[torch.float32]:.0e} in f32, {worst[torch.float64]:.0e} in f64")
    return faults


def times(rounds):
    def least(f):
        best = float("inf")
        f()
        for _ in range(rounds):
            start = time.process_time()
            f()
            best = min(best, time.process_time() - start)
        return best
    for batch, n in ((1, 1000), (100, 64), (10000, 8)):
        shape = (n, n) if batch == 1 else (batch, n, n)
        a, b = torch.randn(shape), torch.randn(shape)
        d, s, of = definite(a), symmetric(a), f" {batch} x {n}"
        yield "solve" + of, least(lambda: T.solve(a, b))
        yield "inv" + of, least(lambda: T.inv(a))
        yield "det" + of, least(lambda: T.det(a))
        yield "cholesky" + of, least(lambda: T.cholesky(d))
        yield "lu" + of, least(lambda: T.lu_factor(a))
        yield "qr" + of, least(lambda: T.qr(a))
        yield "matrix_exp" + of, least(lambda: torch.matrix_exp(a * 0.01))
        if batch > 1:
            yield "svd" + of, least(lambda: T.svd(a))
            yield "eigh" + of, least(lambda: T.eigh(s))
            yield "eig" + of, least(lambda: T.eig(a))
    for lines, n in ((1000, 1024), (1000, 1000), (4000, 256), (100, 16384), (1, 1 << 20), (1, 1024), (300, 1009), (1, 100003)):
        x, of = torch.randn(lines, n, dtype=torch.complex64), f" {lines} x {n}"
        r = x.real.contiguous()
        yield "fft" + of, least(lambda: torch.fft.fft(x))
        yield "rfft" + of, least(lambda: torch.fft.rfft(r))
        if lines > 1 and n < 2000:
            yield "fft of columns" + of, least(lambda: torch.fft.fft(x, dim=0))


def main():
    if sys.argv[1] == "--time":
        torch.set_num_threads(1)
        text = subprocess.run([sys.argv[2], "time", sys.argv[3]], check=True, capture_output=True, text=True).stdout
        ours = dict(line.split("\t") for line in text.splitlines())
        with torch.no_grad():
            for name, theirs in times(int(sys.argv[3])):
                mine = float(ours[name])
                print(f"{name:26} {mine * 1e3:9.3f} ms  PyTorch {theirs * 1e3:9.3f} ms  {theirs / mine:5.2f}x")
        return 0
    return 1 if compare(sys.argv[1], pathlib.Path(sys.argv[2])) else 0


if __name__ == "__main__":
    sys.exit(main())
