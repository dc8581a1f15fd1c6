"""Functions on arrays: PyTorch's side of functions.h, and NumPy's where PyTorch has none."""
import torch
import torch.nn.functional as F

from compare import generator, indices, positive, uniform

INF = float("inf")


def unary(function, make=uniform):
    return function, lambda: [make(4, 3, 5)]


def binary(function, make=uniform):
    return function, lambda: [make(4, 3, 5), make(3, 1)]


def inside(*shape):
    return uniform(*shape, low=-0.95, high=0.95)


def fractions(*shape):
    return uniform(*shape, low=0.02, high=0.98)


def above_1(*shape):
    return uniform(*shape, low=1.1, high=5)


def few(*shape):
    """Small whole numbers as floats, so that many are equal."""
    return indices(4, *shape).double()


def with_nan(*shape):
    """Whose logarithms are numbers and NaN."""
    x = positive(*shape)
    x.view(-1)[1::7] = -1
    return x


def flat(*parts):
    return torch.cat([p.reshape(-1) for p in parts])


def integers(*shape):
    return indices(100, *shape) - 50


def shifts(*shape):
    return indices(80, *shape) - 5


def whole(function, *makes):
    return function, lambda: [make(4, 3, 5) for make in makes]


S = torch.special
OPS = {
    "tan": unary(torch.tan), "asin": unary(torch.asin, inside), "acos": unary(torch.acos, inside),
    "atan": unary(torch.atan), "sinh": unary(torch.sinh), "cosh": unary(torch.cosh),
    "asinh": unary(torch.asinh), "acosh": unary(torch.acosh, above_1),
    "atanh": unary(torch.atanh, inside), "log2": unary(torch.log2, positive),
    "log10": unary(torch.log10, positive), "exp2": unary(torch.exp2),
    "rad2deg": unary(torch.rad2deg), "deg2rad": unary(torch.deg2rad), "sinc": unary(torch.sinc),
    "hypot": binary(torch.hypot), "logaddexp": binary(torch.logaddexp),
    "logaddexp2": binary(torch.logaddexp2), "xlogy": binary(torch.xlogy, positive),
    "xlog1py": binary(S.xlog1py, positive), "entr": unary(S.entr, positive),
    "expit": unary(S.expit), "logit": unary(torch.logit, fractions),
    "logit_eps": unary(lambda x: torch.logit(x, 0.1), fractions),
    "lgamma": unary(torch.lgamma, positive), "digamma": unary(torch.digamma, above_1),
    "polygamma_1": unary(lambda x: torch.polygamma(1, x), positive),
    "polygamma_2": unary(lambda x: torch.polygamma(2, x), positive),
    "polygamma_5": unary(lambda x: torch.polygamma(5, x), positive),
    "gammainc": (lambda a, x: S.gammainc(a.detach(), x), lambda: [positive(9), positive(9)]),
    "gammaincc": (lambda a, x: S.gammaincc(a.detach(), x), lambda: [positive(9), positive(9)]),
    "erfc": unary(torch.erfc), "erfcx": unary(S.erfcx), "erfinv": unary(torch.erfinv, inside),
    "ndtr": unary(S.ndtr), "ndtri": unary(S.ndtri, fractions), "log_ndtr": unary(S.log_ndtr),
    "i0": unary(S.i0), "i0e": unary(S.i0e), "i1": unary(S.i1), "i1e": unary(S.i1e),
    "trunc": unary(torch.trunc), "frac": unary(torch.frac), "fmod": binary(torch.fmod),
    "copysign": binary(torch.copysign), "signbit": unary(torch.signbit),
    "nextafter": binary(torch.nextafter),
    "ldexp": (torch.ldexp, lambda: [uniform(4, 5), indices(9, 4, 5)]),
    "frexp_mantissa": unary(lambda x: torch.frexp(x).mantissa),
    "frexp_exponent": unary(lambda x: torch.frexp(x).exponent),
    "sgn": unary(torch.sgn), "true_divide": binary(torch.true_divide, positive),
    "float_power": binary(torch.float_power, positive),
    "lerp": whole(torch.lerp, uniform, uniform, uniform),
    "lerp_number": whole(lambda a, b: torch.lerp(a, b, 0.7), uniform, uniform),
    "addcmul": whole(lambda x, a, b: torch.addcmul(x, a, b, value=0.5), uniform, uniform, uniform),
    "addcdiv": whole(lambda x, a, b: torch.addcdiv(x, a, b, value=-2), uniform, uniform, positive),
    "clamp_min": unary(lambda x: torch.clamp_min(x, 0.5)),
    "clamp_max": unary(lambda x: torch.clamp_max(x, 0.5)),
    "fmax": binary(torch.fmax), "fmin": binary(torch.fmin),
    "heaviside": binary(torch.heaviside), "isinf": unary(torch.isinf),
    "isposinf": unary(torch.isposinf), "isneginf": unary(torch.isneginf),
    "isclose": (torch.isclose, lambda: [few(50), few(50) + 1e-9]),
    "isclose_loose": (lambda a, b: torch.isclose(a, b, 0.5, 0.1, True),
                      lambda: [uniform(50), uniform(50)]),
    "logical_and": whole(torch.logical_and, few, few),
    "logical_or": whole(torch.logical_or, few, few),
    "logical_xor": whole(torch.logical_xor, few, few),
    "bitwise_left_shift": whole(torch.bitwise_left_shift, integers, shifts),
    "bitwise_right_shift": whole(torch.bitwise_right_shift, integers, shifts),
    "gcd": whole(torch.gcd, integers, integers), "lcm": whole(torch.lcm, integers, integers),
    "sum_f64": unary(lambda x: x.sum(1, dtype=torch.float64)),
    "mean_f64": unary(lambda x: x.mean((0, 2), True, dtype=torch.float64)),
    "nansum": unary(lambda x: x.log().nansum(1), with_nan),
    "nanmean": unary(lambda x: x.log().nanmean(1), with_nan),
    "count_nonzero": unary(lambda x: x.count_nonzero(1), few),
    "std": unary(lambda x: x.std((0, 2))),
    "std_0": unary(lambda x: x.std(1, correction=0, keepdim=True)),
    "var_mean": unary(lambda x: flat(*torch.var_mean(x, 1))),
    "std_mean": unary(lambda x: flat(*torch.std_mean(x, 1))),
    "aminmax": unary(lambda x: flat(*torch.aminmax(x, dim=1))),
    "norm_2_all": unary(torch.norm),
    "norm_3": unary(lambda x: torch.linalg.vector_norm(x, 3, (0, 2), True)),
    "renorm": unary(lambda x: x.renorm(2, 1, 2.5)),
    "cov": (torch.cov, lambda: [uniform(4, 9)]),
    "cov_weights": (lambda x, f, a: torch.cov(x, correction=0, fweights=f + 1, aweights=a.detach()) + 0 * a.sum(),
                    lambda: [uniform(4, 9), indices(3, 9), positive(9)]),
    "corrcoef": (torch.corrcoef, lambda: [uniform(4, 9)]),
    "kthvalue": unary(lambda x: x.kthvalue(2, 1).values),
    "kthvalue_at": unary(lambda x: x.kthvalue(2, 1).indices),
    "median": unary(lambda x: x.median(1).values),
    "median_at": unary(lambda x: x.median(1).indices),
    "median_all": unary(torch.median),
    "nanmedian": unary(lambda x: x.log().nanmedian(1).values, with_nan),
    "nanmedian_all": unary(lambda x: x.log().nanmedian(), with_nan),
    "mode": (lambda x: x.mode(1).values, lambda: [few(6, 9, 2)]),
    "quantile": unary(lambda x: x.quantile(torch.tensor([0, 0.3, 0.5, 1], dtype=x.dtype), 1)),
    "quantile_all": unary(lambda x: x.quantile(0.4)),
    "quantile_nan": unary(lambda x: x.log().quantile(0.3, 1), with_nan),
    "nanquantile": unary(
        lambda x: x.log().nanquantile(torch.tensor([0.2, 0.7], dtype=x.dtype), 1), with_nan),
    "cummax": unary(lambda x: x.cummax(1).values),
    "cummax_at": (lambda x: x.cummax(1).indices, lambda: [few(6, 9, 2)]),
    "cummin": unary(lambda x: x.cummin(1).values),
    "cummin_at": (lambda x: x.cummin(1).indices, lambda: [few(6, 9, 2)]),
    "logcumsumexp": (lambda x: x.logcumsumexp(1), lambda: [uniform(3, 20, 2, low=-9, high=9)]),
    "diff": (lambda x: x.diff(2, 1), lambda: [uniform(3, 7, 2)]),
    "diff_joined": (lambda x, e: x.diff(1, 1, e, e), lambda: [uniform(3, 7, 2), uniform(3, 2, 2)]),
    "trapezoid": (lambda y: torch.trapezoid(y, dx=0.5, dim=1), lambda: [uniform(3, 7, 2)]),
    "trapezoid_at": (lambda y, x: torch.trapezoid(y, x[:, None].expand(7, 2), dim=1),
                     lambda: [uniform(3, 7, 2), uniform(7)]),
    "cumulative_trapezoid": (lambda y, x: torch.cumulative_trapezoid(y, x, dim=1),
                             lambda: [uniform(3, 7, 2), uniform(3, 7, 2)]),
    "gradient": (lambda x: flat(*torch.gradient(x, spacing=(0.5, 2.0, 1.0))),
                 lambda: [uniform(4, 5, 3)]),
    "gradient_2": (lambda x: flat(*torch.gradient(x, dim=1, edge_order=2)),
                   lambda: [uniform(4, 5, 3)]),
    "gradient_at": (lambda x, c: flat(*torch.gradient(x, spacing=(c.detach().abs().cumsum(0),),
                                                      dim=1)) + 0 * c.sum(),
                    lambda: [uniform(4, 5, 3), uniform(5)]),
    "index_select": (lambda x, i: x.index_select(1, i), lambda: [uniform(3, 6, 2), indices(6, 4)]),
    "index_copy": (lambda x, i, s: x.index_copy(1, i, s),
                   lambda: [uniform(3, 6, 2), torch.tensor([4, 0, 1]), uniform(3, 3, 2)]),
    "index_fill": (lambda x, i: x.index_fill(1, i, 2.5),
                   lambda: [uniform(3, 6, 2), indices(6, 4)]),
    "take_along_dim": (lambda x, i: x.take_along_dim(i, 1), lambda: [uniform(3, 6), indices(6, 1, 4)]),
    "take_along_dim_flat": (lambda x, i: x.take_along_dim(i),
                            lambda: [uniform(3, 6), indices(18, 7)]),
    "scatter": (lambda x, i, s: x.scatter(1, i, s),
                lambda: [uniform(3, 6), torch.tensor([[5, 0], [2, 3]]), uniform(2, 2)]),
    "scatter_number": (lambda x, i: x.scatter(1, i, 1.5), lambda: [uniform(3, 6), indices(6, 2, 4)]),
    "masked_fill": unary(lambda x: x.masked_fill(x > 0.5, 2)),
    "masked_select": unary(lambda x: x.masked_select(x > 0.5)),
    "masked_scatter": (lambda x, s: x.masked_scatter(x > 0.5, s),
                       lambda: [uniform(4, 5), uniform(30)]),
    "searchsorted": (lambda s, v: torch.searchsorted(s.sort().values, v),
                     lambda: [uniform(3, 20), uniform(3, 40)]),
    "searchsorted_right": (lambda s: torch.searchsorted(s.sort().values, s, right=True),
                           lambda: [few(3, 20)]),
    "bucketize": (lambda x, b: torch.bucketize(x, b.sort().values),
                  lambda: [uniform(4, 5), uniform(9)]),
    "isin": (torch.isin, lambda: [few(4, 5), torch.tensor([1.0, 3.0])]),
    "unique": (lambda x: x.unique(), lambda: [integers(200)]),
    "unique_inverse": (lambda x: x.unique(return_inverse=True)[1], lambda: [integers(20, 10)]),
    "unique_counts": (lambda x: x.unique(return_counts=True)[1], lambda: [integers(200)]),
    "unique_rows": (lambda x: x.unique(dim=0), lambda: [indices(3, 40, 3)]),
    "unique_rows_inverse": (lambda x: x.unique(dim=0, return_inverse=True)[1],
                            lambda: [indices(3, 40, 3)]),
    "unique_columns": (lambda x: x.unique(dim=1), lambda: [indices(2, 3, 40, 1)]),
    "unique_consecutive": (lambda x: x.unique_consecutive(), lambda: [indices(2, 60)]),
    "unique_consecutive_counts": (lambda x: x.unique_consecutive(return_counts=True)[1],
                                  lambda: [indices(2, 60)]),
    "unique_consecutive_rows": (lambda x: x.unique_consecutive(dim=0, return_inverse=True)[1],
                                lambda: [indices(2, 60, 2)]),
    "bincount": (torch.bincount, lambda: [indices(9, 60)]),
    "bincount_weights": (lambda w, x: torch.bincount(x, w.detach(), 12),
                         lambda: [uniform(60), indices(9, 60)]),
    "histc": (lambda x: x.detach().histc(7), lambda: [uniform(200)]),
    "histc_range": (lambda x: x.detach().histc(7, -1, 2), lambda: [uniform(200)]),
    "histogram": (lambda x: x.detach().histogram(7).hist, lambda: [uniform(200)]),
    "histogram_edges": (lambda x: x.detach().histogram(7).bin_edges, lambda: [uniform(200)]),
    "histogram_density": (lambda x: x.detach().histogram(7, range=(-1, 2), weight=x.detach().abs(),
                                                         density=True).hist,
                          lambda: [uniform(200)]),
    "histogram_given": (lambda x: x.detach().histogram(
        torch.tensor([-2, -1, 0.5, 0.75, 2], dtype=x.dtype)).hist, lambda: [uniform(200)]),
    "roll": unary(lambda x: x.roll((2, -1), (1, 2))), "roll_flat": unary(lambda x: x.roll(7)),
    "rot90": unary(lambda x: x.rot90(1, (0, 2))), "rot90_3": unary(lambda x: x.rot90(3, (1, 2))),
    "tril": unary(lambda x: x.tril(1)), "triu": unary(lambda x: x.triu(-1)),
    "diagonal": unary(lambda x: x.diagonal(1, 0, 2)),
    "diagonal_below": unary(lambda x: x.diagonal(-1, 1, 2)),
    "diag_embed": unary(lambda x: x.diag_embed(1)),
    "diag_embed_front": unary(lambda x: x.diag_embed(-2, 0, 2)),
    "diag_of_vector": (lambda x: x.diag(-1), lambda: [uniform(4)]),
    "diag_of_matrix": (lambda x: x.diag(1), lambda: [uniform(4, 6)]),
    "trace": (torch.trace, lambda: [uniform(4, 6)]),
    "movedim": unary(lambda x: x.movedim((0, 2), (1, 0))),
    "unfold": unary(lambda x: x.unfold(1, 2, 1)), "chunk": unary(lambda x: x.chunk(2, 2)[1]),
    "tensor_split": unary(lambda x: x.tensor_split(3, 2)[1]),
    "tensor_split_at": unary(lambda x: x.tensor_split((1, 3), 2)[1]),
    "unbind": unary(lambda x: x.unbind(1)[2]), "narrow": unary(lambda x: x.narrow(2, -3, 2)),
    "hstack": (lambda a, b: torch.hstack([a, b]), lambda: [uniform(3, 2), uniform(3, 4)]),
    "vstack": (lambda a, b: torch.vstack([a, b]), lambda: [uniform(3), uniform(3)]),
    "dstack": (lambda a, b: torch.dstack([a, b]), lambda: [uniform(3, 2), uniform(3, 2)]),
    "column_stack": (lambda a, b: torch.column_stack([a, b]), lambda: [uniform(3), uniform(3, 2)]),
    "repeat": unary(lambda x: x.repeat(2, 1, 3, 2)), "tile": unary(lambda x: x.tile(2, 3)),
    "repeat_interleave": unary(lambda x: x.repeat_interleave(3, 1)),
    "repeat_interleave_flat": unary(lambda x: x.repeat_interleave(2)),
    "repeat_interleave_each": (lambda x, r: x.repeat_interleave(r, 1),
                               lambda: [uniform(3, 6, 2), indices(4, 6)]),
    "block_diag": (torch.block_diag, lambda: [uniform(2, 3), uniform(4), uniform(1, 2)]),
    "meshgrid_xy": (lambda a, b: flat(*torch.meshgrid(a, b, indexing="xy")),
                    lambda: [uniform(3), uniform(4)]),
    "meshgrid_ij": (lambda a, b: flat(*torch.meshgrid(a, b, indexing="ij")),
                    lambda: [uniform(3), uniform(4)]),
    "cartesian_prod": (torch.cartesian_prod, lambda: [uniform(3), uniform(4)]),
    "combinations": (lambda x: torch.combinations(x, 3), lambda: [uniform(6)]),
    "combinations_with": (lambda x: torch.combinations(x, 2, True), lambda: [uniform(5)]),
    "vander": (lambda x: torch.linalg.vander(x, N=4).flip(-1), lambda: [uniform(5)]),
    "vander_rising": (lambda x: torch.linalg.vander(x), lambda: [uniform(5)]),
    "outer": (torch.outer, lambda: [uniform(4), uniform(5)]),
    "inner": (torch.inner, lambda: [uniform(2, 4, 3), uniform(5, 3)]),
    "dot": (torch.dot, lambda: [uniform(40), uniform(40)]),
    "tensordot": (lambda a, b: torch.tensordot(a, b, 2), lambda: [uniform(2, 4, 3), uniform(4, 3, 5)]),
    "tensordot_axes": (lambda a, b: torch.tensordot(a, b, ((2, 0), (0, 2))),
                       lambda: [uniform(2, 4, 3), uniform(3, 5, 2)]),
    "cross": (lambda a, b: torch.cross(a, b, 1), lambda: [uniform(2, 3, 4), uniform(2, 3, 4)]),
    "mv": (torch.mv, lambda: [uniform(4, 5), uniform(5)]),
    "bmm": (torch.bmm, lambda: [uniform(2, 4, 5), uniform(2, 5, 3)]),
    "addmm": (lambda x, a, b: torch.addmm(x, a, b, beta=0.5, alpha=2),
              lambda: [uniform(3), uniform(4, 5), uniform(5, 3)]),
    "addmv": (torch.addmv, lambda: [uniform(4), uniform(4, 5), uniform(5)]),
    "baddbmm": (lambda x, a, b: torch.baddbmm(x, a, b, beta=2),
                lambda: [uniform(2, 4, 3), uniform(2, 4, 5), uniform(2, 5, 3)]),
    "addr": (lambda x, a, b: torch.addr(x, a, b, alpha=3),
             lambda: [uniform(4, 5), uniform(4), uniform(5)]),
    "matrix_power": (lambda x: torch.matrix_power(x, 5), lambda: [uniform(2, 4, 4)]),
    "kron": (torch.kron, lambda: [uniform(2, 3, 2), uniform(2, 4)]),
    "pdist": (F.pdist, lambda: [uniform(6, 4)]),
    "einsum_product": (lambda a, b: torch.einsum("ij,jk->ik", a, b),
                       lambda: [uniform(4, 5), uniform(5, 3)]),
    "einsum_implicit": (lambda a, b: torch.einsum("ij,jk", a, b),
                        lambda: [uniform(4, 5), uniform(5, 3)]),
    "einsum_transposed": (lambda a: torch.einsum("ba", a), lambda: [uniform(4, 5)]),
    "einsum_batch": (lambda a, b: torch.einsum("...ij,...jk->...ik", a, b),
                     lambda: [uniform(2, 1, 4, 5), uniform(3, 5, 3)]),
    "einsum_bilinear": (lambda a, b, c: torch.einsum("bn,anm,bm->ba", a, b, c),
                        lambda: [uniform(4, 5), uniform(3, 5, 6), uniform(4, 6)]),
    "einsum_trace": (lambda a: torch.einsum("ii", a), lambda: [uniform(5, 5)]),
    "einsum_diagonal": (lambda a: torch.einsum("...ii->...i", a), lambda: [uniform(2, 5, 5)]),
    "einsum_sum": (lambda a: torch.einsum("ijk->j", a), lambda: [uniform(2, 5, 3)]),
    "einsum_outer": (lambda a, b: torch.einsum("i,j->ij", a, b), lambda: [uniform(4), uniform(5)]),
    "einsum_hadamard": (lambda a, b: torch.einsum("ij,ij->ij", a, b),
                        lambda: [uniform(4, 5), uniform(4, 5)]),
    "einsum_repeated": (lambda a, b: torch.einsum("iij,jk->ik", a, b),
                        lambda: [uniform(4, 4, 5), uniform(5, 3)]),
    "einsum_chain": (lambda *t: torch.einsum("ab,bc,cd,de,ea->", *t),
                     lambda: [uniform(2, 3), uniform(3, 4), uniform(4, 5), uniform(5, 6),
                              uniform(6, 2)]),
    "einsum_many": (lambda *t: torch.einsum("ab,bc,cd,de,ef,fg,gh->ah", *t),
                    lambda: [uniform(i, i + 1) for i in range(2, 9)]),
    "einsum_broadcast": (lambda a, b: torch.einsum("...i,i...->...", a, b),
                         lambda: [uniform(3, 1, 5), uniform(5, 4)]),
}
OPS |= {"norm_" + name: unary(lambda x, p=p: torch.linalg.vector_norm(x, p, 1) + (0 * x.sum() if p == 0 else 0))
        for name, p in (
    ("0", 0), ("half", 0.5), ("1", 1), ("1_5", 1.5), ("2", 2), ("inf", INF), ("minus_inf", -INF))}
OPS |= {"quantile_" + way: unary(
    lambda x, way=way: x.quantile(0.3, 1, keepdim=way == "lower", interpolation=way))
    for way in ("lower", "higher", "midpoint", "nearest")}
OPS |= {f"scatter_{how}{out}": (
    lambda x, i, s, how=how, out=out: x.scatter_reduce(1, i, s, how, include_self=not out),
    # Without x, PyTorch still counts it among what shares a gradient: no ties there.
    lambda make=uniform if out else few: [make(3, 6), indices(6, 3, 9), make(3, 9)])
    for how in ("sum", "prod", "mean", "amax", "amin") for out in ("", "_out")
    if (how, out) != ("amin", "_out")}
OPS |= {"cdist" + name: (
    lambda a, b, p=p: torch.cdist(a, b, p, compute_mode="donot_use_mm_for_euclid_dist"),
    lambda: [uniform(2, 5, 4), uniform(6, 4)]) for name, p in (("", 2), ("_1", 1), ("_3", 3), ("_inf", INF))}
NO_GRADIENT = {"nextafter", "heaviside", "histc", "histc_range", "histogram", "histogram_edges",
               "histogram_density", "histogram_given", "bincount_weights", "gammainc", "gammaincc"}

# Tried at all special points, at all pairs of them, and as triples along axis 1.
SPECIAL = ["tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "log2", "log10",
           "exp2", "rad2deg", "deg2rad", "sinc", "entr", "expit", "logit", "logit_eps", "lgamma",
           "digamma", "polygamma_1", "polygamma_2", "erfc", "erfcx", "erfinv", "ndtr", "ndtri",
           "log_ndtr", "i0", "i0e", "i1", "i1e", "trunc", "frac", "signbit", "frexp_mantissa",
           "frexp_exponent", "sgn", "clamp_min", "clamp_max", "isinf", "isposinf", "isneginf"]
SPECIAL_PAIRS = ["hypot", "logaddexp", "logaddexp2", "xlogy", "xlog1py", "fmod", "copysign",
                 "nextafter", "fmax", "fmin", "heaviside", "isclose", "isclose_loose", "logical_and",
                 "logical_or", "logical_xor", "float_power", "gammainc", "gammaincc"]
SPECIAL_ROWS = ["cummax", "cummax_at", "cummin", "cummin_at", "logcumsumexp", "median", "quantile",
                "norm_1", "norm_2", "norm_3", "norm_inf", "norm_minus_inf", "aminmax", "mode"]


def left_out(name, part, given):
    """Where Glia means to differ, and why."""
    x = given[0]
    exact = x.dtype == torch.float64
    if name == "sgn":
        return x.isnan()  # NaN as in NumPy
    if name in ("digamma", "polygamma_1"):
        # Poles are infinite, where PyTorch has 1e15; its trigamma is good to 1e-10 only.
        return (x == x.floor()) & (x <= 0) | x.isinf() | exact & x.isfinite()
    if name == "polygamma_2":
        return x.isinf()  # 0 and NaN; PyTorch's zeta function gives NaN, and is infinite below
    if name == "sinc" and part != "out":
        return x.abs() < 1e-2  # PyTorch subtracts two numbers that are all but equal
    if name in ("i0", "i1"):
        return ~x.isfinite()  # infinite, and NaN has a derivative of NaN
    if name == "i1e" and part != "out":
        return x.isnan()
    if name == "log_ndtr" and part != "out":
        return x < -1e11  # PyTorch's quotient overflows
    if name in ("logit", "logit_eps") and part != "out":
        return (x == 0) | x.isnan()  # infinite, with either sign in PyTorch
    if name == "fmod" and part == "out":
        return (x / given[1]).isinf() & x.isfinite()  # exact; PyTorch's vectors of f32 give NaN
    if name in ("gammainc", "gammaincc"):
        return x.isnan() | given[1].isnan() | (x.abs() < 1e-30) & (x != 0)  # PyTorch: ends of a range
    if name.startswith("norm") and part != "out":
        return x.isnan()  # NaN, which PyTorch leaves out of some norms' derivatives
    if name == "quantile":
        rows = ~x.isfinite().all(1, keepdim=True)  # PyTorch also weighs the other neighbour by 0
        return rows.expand(x.shape) if part != "out" else rows.expand(x.shape[0], 4, 1).movedim(1, 0)
    if name == "mode":
        rows = x.isnan().any(1, keepdim=True)  # NaN is no more than its own equal
        return rows.squeeze(1) if part == "out" else rows.expand(x.shape)
    return None
