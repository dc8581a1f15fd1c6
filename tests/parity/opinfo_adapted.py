"""Calls of Glia with the arguments that PyTorch's database of operations has: see opinfo.py."""
import builtins
import re

import glia


class NotHere(Exception):
    """A sample of another kind than Glia's tensors, or of something that stands elsewhere."""


def words(f):
    return set(re.findall(r"(\w+)(?=:)", f.__doc__ or ""))


def called(f, *args, **kwargs):
    """With PyTorch's words for axes."""
    known = words(f)
    given = {}
    for name, value in kwargs.items():
        if name in ("dim", "dims", "axis"):
            name = next((w for w in ("axis", "axes", "shifts") if w in known), name)
        if name == "dim0":
            name = "axis0"
        if name == "dim1":
            name = "axis1"
        if name in ("out", "memory_format", "device", "layout", "requires_grad", "pin_memory"):
            continue
        given[name] = value
    return f(*args, **given)


def last(x):
    return x if x.ndim < 3 else glia.movedim(x, 1, -1)


def second(x):
    return x if x.ndim < 3 else glia.movedim(x, -1, 1)


def images(f):
    """The first argument and the result have channels; kernels are (out, in, ...) in PyTorch."""
    return lambda x, *args, **kwargs: second(f(last(x), *args, **kwargs))


def conv(name, dims, transposed=False):
    def sizes(n):
        n = list(n) if isinstance(n, (tuple, list)) else [n] * dims
        n = n * dims if len(n) == 1 else n
        return n[0] if dims == 1 else tuple(n)

    def f(x, weight, bias=None, stride=1, padding=0, *rest, dilation=1, groups=1, output_padding=0):
        if transposed:
            output_padding, groups, dilation = (list(rest) + [output_padding, groups, dilation][len(rest):])
        else:
            dilation, groups = (list(rest) + [dilation, groups][len(rest):])
        if isinstance(padding, str):
            raise NotHere("padding by its name is of the layers")
        batched = x.ndim == weight.ndim
        x = x if batched else glia.unsqueeze(x, 0)
        more = {"output_padding": sizes(output_padding)} if transposed else {}
        if transposed:  # (in, out / groups, ...) -> as the function wants it
            weight = glia.movedim(weight, 1, -1)
        else:
            weight = last(weight)
        y = second(getattr(glia, name)(last(x), weight, bias, stride=sizes(stride),
                                       padding=sizes(padding), dilation=sizes(dilation),
                                       groups=groups, **more))
        return y if batched else glia.squeeze(y, 0)
    return f


def adaptive(name, dims):
    def f(x, output_size, return_indices=False):
        batched = x.ndim == dims + 2
        x = last(x if batched else glia.unsqueeze(x, 0))
        size = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size] * dims
        size = [n if s is None else s for s, n in zip(size, x.shape[1:-1])]
        y = second(getattr(glia, f"adaptive_{name}_pool")(x, size))
        return y if batched else glia.squeeze(y, 0)
    return f


MODES = {"nearest": "nearest", "nearest-exact": "nearest_exact", "linear": "linear",
         "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic", "area": "area"}


def interpolate(x, size=None, scale_factor=None, mode="nearest", align_corners=None,
                recompute_scale_factor=None, antialias=False):
    spatial = x.shape[2:]
    more = {}
    if size is None:
        factors = scale_factor if isinstance(scale_factor, (tuple, list)) else [scale_factor] * len(spatial)
        size = [int(n * f) for n, f in zip(spatial, factors)]
        if not recompute_scale_factor:
            more["scale"] = [float(f) for f in factors]
    elif isinstance(size, int):
        size = [size] * len(spatial)
    return second(glia.interpolate(last(x), list(size), mode=MODES[mode],
                                   align_corners=bool(align_corners), antialias=antialias, **more))


def grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False):
    return second(glia.grid_sample(last(x), grid, mode=MODES[mode], padding=padding_mode,
                                   align_corners=bool(align_corners)))


def embedding_bag(weight, indices, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False,
                  mode="mean", sparse=False, per_sample_weights=None, include_last_offset=False,
                  padding_idx=None):
    if max_norm is not None:
        raise NotHere("max_norm is of the layer")
    return glia.embedding_bag(indices, weight, offsets, per_sample_weights, mode=mode,
                              include_last_offset=include_last_offset, padding_idx=padding_idx)


def searchsorted(x, values, *, out_int32=False, right=False, side=None, sorter=None):
    return glia.searchsorted(x, values if hasattr(values, "shape") else glia.tensor(values),
                             right=right or side == "right", sorter=sorter)


def instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None,
                  use_input_stats=True, momentum=0.1, eps=1e-5):
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    return second(glia.instance_norm(last(x), weight, bias, eps))


def spread(name):
    """A function of several tensors, which Glia takes as a list."""
    return lambda *x: getattr(glia, name)(list(flat(x)))


def axes_or_all(dim):
    return [] if dim is None else dim


def reduced(name):
    def f(x, dim=None, keepdim=False, *, dtype=None, correction=None, unbiased=None, **_):
        g = getattr(glia, name)
        more = {}
        if isinstance(dim, bool):  # var(x, unbiased)
            dim, unbiased = None, dim
        if name in ("var", "std", "var_mean", "std_mean"):
            more["correction"] = correction if correction is not None else (
                1 if unbiased is None else int(unbiased))
        if dtype is not None:
            x = glia.cast(x, dtype)
        return g(x, axes_or_all(dim), keepdim, **more)
    return f


def first_of(name):
    """Values alone: PyTorch gives the indices, too."""
    return lambda x, dim=None, keepdim=False, **_: getattr(glia, name)(x, axes_or_all(dim), keepdim)


def nn(name, **renamed):
    def f(*args, size_average=None, reduce=None, inplace=None, **kwargs):
        return called(getattr(glia, name), *args,
                      **{renamed.get(k, k): v for k, v in kwargs.items() if v is not None})
    return f


def padded(x, pad, mode="constant", value=None):
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + [
        (pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    if mode == "constant":
        return glia.pad(x, pairs, value or 0)
    return glia.pad(x, pairs, mode)


def sliced(x, source, dim, start, end, step):
    y = x + 0
    y[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)] = source
    return y


def layer_norm(x, shape, weight=None, bias=None, eps=1e-5):
    return glia.layer_norm(x, weight, bias, axes=len(shape), eps=eps)


def rms_norm(x, shape, weight=None, eps=None):
    return glia.rms_norm(x, weight, axes=len(shape), eps=eps)


def batch_norm(x, mean, var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    if training or mean is None:
        return second(glia.batch_norm(last(x), weight, bias, eps).out)
    scale = glia.rsqrt(var + eps)
    y = (last(x) - mean) * scale
    y = y * weight if weight is not None else y
    return second(y + bias if bias is not None else y)


def classes(name, input_channels=True):
    """A loss of classes, which are the second axis in PyTorch and the last one here."""
    def f(x, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
          reduction="mean", **more):
        x = glia.movedim(x, 1, -1) if x.ndim > 2 else x
        if str(target.dtype).startswith("f") and target.ndim == x.ndim > 2:
            target = glia.movedim(target, 1, -1)
        return getattr(glia, name)(x, target, weight=weight, ignore_index=ignore_index,
                                   reduction=reduction, **more)
    return f


def pool(name, dims):
    def f(x, kernel_size, stride=None, padding=0, *rest, **given):
        order = (["dilation", "ceil_mode", "return_indices"] if name == "max" else
                 ["ceil_mode", "count_include_pad", "divisor_override"])
        given.update(zip(order, rest))
        given = {k: v for k, v in given.items() if v is not None and k != "return_indices"}
        batched = x.ndim == dims + 2
        x = last(x if batched else glia.unsqueeze(x, 0))
        window = [kernel_size] * dims if isinstance(kernel_size, int) else list(kernel_size)
        if stride:
            given["stride"] = stride
        y = second(getattr(glia, name + "_pool")(x, window, padding=padding, **given))
        return y if batched else glia.squeeze(y, 0)
    return f


def extreme(name, other):
    def f(x, *args, dim=None, keepdim=False, **_):
        if args and hasattr(args[0], "shape"):
            return getattr(glia, other)(x, args[0])
        dim = args[0] if args else dim
        keepdim = args[1] if len(args) > 1 else keepdim
        return getattr(glia, name)(x, axes_or_all(dim), keepdim)
    return f


def arg(name):
    def f(x, dim=None, keepdim=False):
        if dim is None:
            out = getattr(glia, name)(glia.reshape(x, (-1,)), 0)
            return glia.reshape(out, (1,) * x.ndim) if keepdim else out
        return getattr(glia, name)(x, dim, keepdim)
    return f



ADAPTED = {
    "add": lambda x, y, alpha=1: x + y * alpha if alpha != 1 else x + y,
    "sub": lambda x, y, alpha=1: x - y * alpha if alpha != 1 else x - y,
    "rsub": lambda x, y, alpha=1: y - x * alpha, "mul": lambda x, y: x * y,
    "div": lambda x, y, rounding_mode=None: {None: lambda q: q, "floor": glia.floor,
                                             "trunc": glia.trunc}[rounding_mode](x / y),
    "neg": lambda x: -x, "eq": lambda x, y: x == y, "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y, "le": lambda x, y: x <= y, "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y, "T": lambda x: x.T if x.ndim == 2 else glia.permute(
        x, list(range(x.ndim))[::-1]), "mT": lambda x: glia.transpose(x), "H": lambda x: x.T,
    "t": lambda x: x.T if x.ndim == 2 else x,
    "bitwise_and": lambda x, y: x & y, "bitwise_or": lambda x, y: x | y,
    "bitwise_xor": lambda x, y: x ^ y, "bitwise_not": lambda x: ~x,
    "logical_not": lambda x: glia.logical_not(x),
    "__getitem__": lambda x, at: x[at], "cat": lambda x, dim=0: glia.concat(x, dim),
    "concat": lambda x, dim=0: glia.concat(x, dim),
    "select": lambda x, dim, i: glia.squeeze(glia.narrow(x, dim, i, 1), dim),
    "index_select": lambda x, dim, i: glia.take(x, i, dim),
    "gather": lambda x, dim, i, **_: glia.gather(x, i, dim),
    "scatter_add": lambda x, dim, i, src: glia.scatter_add(x, i, src, dim),
    "scatter_reduce": lambda x, dim, i, src, reduce, include_self=True: glia.scatter_reduce(
        x, i, src, dim, reduce, include_self),
    "index_add": lambda x, dim, i, src, alpha=1: glia.index_add(x, i, src * alpha, dim),
    "index_copy": lambda x, dim, i, src: glia.index_copy(x, i, src, dim),
    "index_reduce": lambda x, dim, i, src, reduce, include_self=True: glia.index_reduce(
        x, i, src, dim, reduce, include_self),
    "index_put": lambda x, at, v, accumulate=False: glia.index_put(x, list(at), v, accumulate),
    "unravel_index": lambda i, shape: glia.unravel_index(i, flat((number(shape),)) if not isinstance(
        number(shape), int) else (number(shape),)),
    "select_scatter": lambda x, src, dim, i: glia.select_scatter(x, src, dim, i),
    "diagonal_scatter": lambda x, src, offset=0, dim1=0, dim2=1: glia.diagonal_scatter(x, src, offset, dim1, dim2),
    "histogramdd": lambda x, bins, range=None, weight=None, density=False: histogramdd(
        x, bins, range, weight, density),
    "logdet": lambda x: glia.linalg.logdet(x),
    "lu_unpack": lambda lu, pivots, unpack_data=True, unpack_pivots=True: glia.linalg.lu_unpack(lu, pivots),
    "triangular_solve": lambda b, a, upper=True, transpose=False, unitriangular=False: (
        glia.linalg.solve_triangular(glia.transpose(a) if transpose else a, b, upper=upper != transpose,
                                     unitriangular=unitriangular), a),
    "zero": lambda x: glia.zeros_like(x),
    "cholesky": lambda a, upper=False: glia.linalg.cholesky(a, upper),
    "cholesky_inverse": lambda l, upper=False: glia.linalg.cholesky_inverse(l, upper),
    "cholesky_solve": lambda b, l, upper=False: glia.linalg.cholesky_solve(b, l, upper),
    "lu": lambda a, pivot=True, get_infos=False: glia.linalg.lu_factor(a),
    "lu_solve": lambda b, lu, pivots: glia.linalg.lu_solve(lu, pivots, b),
    "qr": lambda a, some=True: glia.linalg.qr(a, "reduced" if some else "complete"),
    "svd": lambda a, some=True, compute_uv=True: svd(a, some),
    "inverse": lambda a: glia.linalg.inv(a),
    "grid_sampler_2d": lambda x, grid, mode, padding, align: grid_sample(
        x, grid, ("bilinear", "nearest", "bicubic")[mode], ("zeros", "border", "reflection")[padding], align),
    "index_fill": lambda x, dim, i, v: glia.index_fill(x, i, v if not hasattr(v, "item") else v.item(), dim),
    "take": lambda x, i: glia.take(glia.reshape(x, (-1,)), i, 0),
    "take_along_dim": lambda x, i, dim=None: glia.take_along_dim(
        *((x, i, dim) if dim is not None else (glia.reshape(x, (-1,)), glia.reshape(i, (-1,)), 0))),
    "masked_fill": lambda x, m, v: glia.where(m, v, x),
    "where": lambda x, m, y: glia.where(m, x, y),
    "sum": reduced("sum"), "mean": reduced("mean"), "var": reduced("var"), "std": reduced("std"),
    "var_mean": reduced("var_mean"), "std_mean": reduced("std_mean"),
    "nansum": reduced("nansum"), "nanmean": reduced("nanmean"),
    "prod": reduced("prod"), "any": reduced("any"), "all": reduced("all"),
    "amax": reduced("max"), "amin": reduced("min"), "logsumexp": reduced("logsumexp"),
    "max": extreme("max", "maximum"), "min": extreme("min", "minimum"),
    "argmax": arg("argmax"), "argmin": arg("argmin"),
    "aminmax": lambda x, dim=None, keepdim=False: glia.aminmax(x, axes_or_all(dim), keepdim),
    "count_nonzero": lambda x, dim=None: glia.count_nonzero(x, axes_or_all(dim)),
    "norm": lambda x, p="fro", dim=None, keepdim=False, dtype=None: glia.norm(
        x, 2 if p in ("fro", None) else p, axes_or_all(dim), keepdim),
    "linalg.norm": lambda x, ord=None, dim=None, keepdim=False, dtype=None: linalg_norm(x, ord, dim, keepdim),
    "linalg.vander": lambda x, N=None: glia.vander(x, N, True),
    "nn.functional.unfold": lambda x, kernel_size, dilation=1, padding=0, stride=1: unfolded(
        x, kernel_size, stride=stride, padding=padding, dilation=dilation),
    "scatter": lambda x, dim, i, src=None, value=None, reduce=None: scattered(x, dim, i, src if src is not None else value, reduce),
    "linalg.vector_norm": lambda x, ord=2, dim=None, keepdim=False, dtype=None: glia.vector_norm(
        x, ord, axes_or_all(dim), keepdim),
    "dist": lambda x, y, p=2: glia.vector_norm(x - y, p),
    "softmax": lambda x, dim, dtype=None: glia.softmax(cast(x, dtype), dim),
    "log_softmax": lambda x, dim, dtype=None: glia.log_softmax(cast(x, dtype), dim),
    "nn.functional.softmin": lambda x, dim, dtype=None: glia.softmin(cast(x, dtype), dim),
    "cumsum": lambda x, dim, dtype=None: glia.cumsum(cast(x, dtype), dim),
    "cumprod": lambda x, dim, dtype=None: glia.cumprod(cast(x, dtype), dim),
    "transpose": lambda x, dim0, dim1: glia.transpose(x, dim0, dim1),
    "permute": lambda x, dims: glia.permute(x, dims), "expand": lambda x, *s: glia.expand(
        x, tuple(n if n >= 0 else x.shape[i - len(flat(s)) + x.ndim] for i, n in enumerate(flat(s)))),
    "expand_as": lambda x, y: glia.expand(x, y.shape), "reshape_as": lambda x, y: glia.reshape(x, y.shape),
    "reshape": lambda x, s: glia.reshape(x, s), "ravel": lambda x: glia.reshape(x, (-1,)),
    "squeeze": lambda x, dim=None: squeezed(x, dim), "flatten": lambda x, a=0, b=-1, start_dim=0,
    end_dim=-1: glia.flatten(x, a or start_dim, b if b != -1 else end_dim) if x.ndim else glia.reshape(x, (1,)),
    "unbind": lambda x, dim=0: glia.unbind(x, dim), "chunk": lambda x, n, dim=0: glia.chunk(x, n, dim),
    "split": lambda x, n, dim=0: glia.split(x, n, dim) if isinstance(n, int) else sections(x, n, dim),
    "split_with_sizes": lambda x, n, dim=0: sections(x, n, dim),
    "tensor_split": lambda x, n, dim=0: glia.tensor_split(
        x, n.tolist() if hasattr(n, "tolist") else list(n) if isinstance(n, tuple) else n, dim),
    "tile": lambda x, s: glia.tile(x, s), "repeat": lambda x, s: glia.repeat(x, s),
    "roll": lambda x, shifts, dims=(): glia.roll(x, shifts, dims),
    "flip": lambda x, dims: glia.flip(x, dims) if flat((dims,)) else x,
    "diff": lambda x, n=1, dim=-1, prepend=None, append=None: glia.diff(
        x, n=n, axis=dim, **{k: v for k, v in (("prepend", prepend), ("append", append)) if v is not None}),
    "clamp": lambda x, min=None, max=None: clamped(x, min, max),
    "full": lambda s, v, dtype=None, **_: glia.full(s, v, dtype or "f32"),
    "full_like": lambda x, v, **_: glia.full(x.shape, v, x.dtype),
    "ones": lambda s, dtype=None, **_: glia.ones(s, dtype or "f32"),
    "zeros": lambda s, dtype=None, **_: glia.zeros(s, dtype or "f32"),
    "new_ones": lambda x, s, dtype=None, **_: glia.ones(s, dtype or x.dtype),
    "new_zeros": lambda x, s, dtype=None, **_: glia.zeros(s, dtype or x.dtype),
    "new_full": lambda x, s, v, dtype=None, **_: glia.full(s, v, dtype or x.dtype),
    "zeros_like": lambda x, **_: glia.zeros_like(x), "ones_like": lambda x, **_: glia.ones_like(x),
    "eye": lambda n, m=None, dtype=None, **_: glia.eye(n, dtype or "f32") if m in (None, n) else glia.eye(n, m),
    "sort": lambda x, dim=-1, descending=False, stable=None: glia.sort(x, dim, descending),
    "argsort": lambda x, dim=-1, descending=False, stable=None: glia.argsort(x, dim, descending),
    "topk": lambda x, k, dim=-1, largest=True, sorted=True: glia.topk(x, k, dim) if largest else tuple(
        (-a if i == 0 else a) for i, a in enumerate(glia.topk(-x, k, dim))),
    "mm": lambda x, y: x @ y, "mv": lambda x, y: x @ y, "bmm": lambda x, y: x @ y,
    "__rmatmul__": lambda x, y: y @ x, "matmul": lambda x, y: x @ y,
    "__radd__": lambda x, y: y + x, "__rsub__": lambda x, y: y - x, "__rmul__": lambda x, y: y * x,
    "__rdiv__": lambda x, y: y / x, "__rmod__": lambda x, y: y % x, "__rpow__": lambda x, y: y ** x,
    "__rand__": lambda x, y: y & x, "__ror__": lambda x, y: y | x, "__rxor__": lambda x, y: y ^ x,
    "einsum": lambda ops, eq: glia.einsum(eq, ops),
    "meshgrid": lambda *x, indexing="ij": glia.meshgrid(flat(x), indexing),
    "linspace": lambda a, b, steps, dtype=None, **_: glia.linspace(number(a), number(b), steps, dtype or "f32"),
    "trace": lambda x: glia.trace(x), "true_divide": lambda x, y: x / y,
    "nn.functional.pad": padded, "constant_pad_nd": lambda x, pad, value=0: padded(x, pad, value=value),
    "nn.functional.layer_norm": layer_norm, "nn.functional.rms_norm": rms_norm,
    "nn.functional.batch_norm": batch_norm,
    "nn.functional.group_norm": lambda x, n, weight=None, bias=None, eps=1e-5: second(
        glia.group_norm(last(x), n, weight, bias, eps)),
    **{f"nn.functional.conv{d}d": conv(f"conv{d}d", d) for d in (1, 2, 3)},
    **{f"nn.functional.conv_transpose{d}d": conv(f"conv_transpose{d}d", d, True) for d in (1, 2, 3)},
    **{f"nn.functional.adaptive_{n}_pool{d}d": adaptive(n, d) for n in ("max", "avg") for d in (1, 2, 3)},
    "nn.functional.interpolate": interpolate, "nn.functional.grid_sample": grid_sample,
    "nn.functional.upsample_nearest": lambda x, size=None, scale_factor=None: interpolate(x, size, scale_factor),
    "nn.functional.upsample_bilinear": lambda x, size=None, scale_factor=None: interpolate(
        x, size, scale_factor, "bilinear", True),
    "nn.functional.embedding_bag": embedding_bag, "searchsorted": searchsorted,
    "bucketize": lambda x, b, out_int32=False, right=False: glia.bucketize(x, b, right),
    "nn.functional.instance_norm": instance_norm,
    "nn.functional.channel_shuffle": lambda x, n: second(glia.channel_shuffle(last(x), n)),
    "cdist": lambda x, y, p=2.0, compute_mode=None: glia.cdist(x, y, p),
    "unique_consecutive": lambda x, return_inverse=False, return_counts=False, dim=None: unique(
        glia.unique_consecutive(x, dim), return_inverse, return_counts),
    "tril_indices": lambda r, c, offset=0, **_: glia.tril_indices(r, c, offset),
    "triu_indices": lambda r, c, offset=0, **_: glia.triu_indices(r, c, offset),
    "block_diag": spread("block_diag"), "broadcast_tensors": spread("broadcast_tensors"),
    "cartesian_prod": spread("cartesian_prod"),
    **{f"atleast_{d}d": (lambda d: lambda *x: getattr(glia, f"atleast_{d}d")(*x) if not isinstance(
        x[0], (list, tuple)) and len(x) == 1 else [getattr(glia, f"atleast_{d}d")(y) for y in flat(x)])(d)
       for d in (1, 2, 3)},
    "diagonal": lambda x, offset=0, dim1=0, dim2=1: glia.diagonal(x, offset, dim1, dim2),
    "linalg.diagonal": lambda x, offset=0, dim1=-2, dim2=-1: glia.diagonal(x, offset, dim1, dim2),
    "diag_embed": lambda x, offset=0, dim1=-2, dim2=-1: glia.diag_embed(x, offset, dim1, dim2),
    "nonzero": lambda x, as_tuple=False: glia.unbind(glia.nonzero(x), 1) if as_tuple else glia.nonzero(x),
    "argwhere": lambda x: glia.nonzero(x), "igamma": lambda a, x: glia.gammainc(a, x),
    "igammac": lambda a, x: glia.gammaincc(a, x), "trapz": lambda *a, **k: called(glia.trapezoid, *a, **k),
    "nn.functional.gaussian_nll_loss": lambda x, t, v, full=False, eps=1e-6, reduction="mean":
        glia.gaussian_nll_loss(x, t, v, full, eps, reduction),
    "nn.functional.kl_div": lambda x, t, reduction="mean", log_target=False, **_: glia.kl_div(
        x, t, log_target=log_target, batchmean=reduction == "batchmean",
        reduction="sum" if reduction == "batchmean" else reduction),
    "nn.functional.ctc_loss": lambda x, t, n, m, blank=0, reduction="mean", zero_infinity=False:
        glia.ctc_loss(x, t, as_tensor(n), as_tensor(m), blank, zero_infinity, reduction),
    "fill": lambda x, value: glia.full(x.shape, number(value), x.dtype),
    "arange": lambda a, b=None, s=1, dtype=None, **_: glia.arange(
        *((a, b, s) if b is not None else (0, a, 1)), dtype or (
            "f32" if any(isinstance(n, float) for n in (a, b, s)) else "i64")),
    "tensordot": lambda x, y, dims=2: glia.tensordot(x, y, dims) if isinstance(dims, int) else (
        glia.tensordot(x, y, list(dims[0]), list(dims[1]))),
    "repeat_interleave": lambda x, repeats, dim=None, output_size=None: glia.repeat_interleave(
        x, repeats, dim),
    "gradient": lambda x, spacing=None, dim=None, edge_order=1: glia.gradient(
        x, axes=axes_or_all(dim), edge_order=edge_order, **(
            {} if spacing is None else {"spacing": [spacing] if isinstance(spacing, (int, float)) else list(spacing)}
            if not hasattr(flat((spacing,))[0], "shape") else {"coordinates": list(spacing)})),
    "hsplit": lambda x, n: ADAPTED["tensor_split"](x, n, 0 if x.ndim == 1 else 1),
    "vsplit": lambda x, n: ADAPTED["tensor_split"](x, n, 0),
    "dsplit": lambda x, n: ADAPTED["tensor_split"](x, n, 2),
    "unflatten": lambda x, dim, sizes: glia.reshape(
        x, x.shape[:dim % x.ndim] + flat((sizes,)) + x.shape[dim % x.ndim + 1:]),
    "msort": lambda x: glia.sort(x, 0)[0],
    "addbmm": lambda x, a, b, beta=1, alpha=1: x * beta + glia.sum(a @ b, 0) * alpha,
    "sum_to_size": lambda x, *s: sum_to_size(x, flat(s)),
    "nn.functional.cross_entropy": classes("cross_entropy"),
    "nn.functional.nll_loss": classes("nll_loss"),
    **{f"nn.functional.{n}_pool{d}d": pool(n, d) for n in ("max", "avg") for d in (1, 2, 3)},
    "round": lambda x, decimals=0: glia.round(x) if decimals == 0 else (
        glia.round(x * 10.0**decimals) / 10.0**decimals),
    "slice_scatter": lambda x, src, dim=0, start=None, end=None, step=1: sliced(x, src, dim, start, end, step),
    "slice": lambda x, dim=0, start=None, end=None, step=1: x[
        (slice(None),) * (dim % x.ndim) + (slice(start, end, step),)],
    "nn.functional.logsigmoid": lambda x: glia.log_sigmoid(x),
    "nn.functional.embedding": lambda w, i, padding_idx=None, max_norm=None, **_:
        glia.embedding(i, w, padding_idx=padding_idx) if max_norm is None else not_here("max_norm is of the layer"),
    "nn.functional.one_hot": lambda i, num_classes=-1: glia.one_hot(
        i, num_classes if num_classes >= 0 else int(glia.max(i).item()) + 1, "i64"),
    "nn.functional.softplus": lambda x, beta=1, threshold=20: glia.softplus(x, beta, threshold),
    "nn.functional.gelu": lambda x, approximate="none": glia.gelu(x, approximate),
    "nn.functional.normalize": lambda x, p=2, dim=1, eps=1e-12: glia.normalize(x, p, dim, eps),
    "nn.functional.cosine_similarity": lambda x, y, dim=1, eps=1e-8: glia.cosine_similarity(x, y, dim, eps),
    "nn.functional.pixel_shuffle": lambda x, upscale_factor: shuffled(
        glia.pixel_shuffle, x, upscale_factor),
    "nn.functional.pixel_unshuffle": lambda x, downscale_factor: shuffled(
        glia.pixel_unshuffle, x, downscale_factor),
    "nn.functional.scaled_dot_product_attention": lambda q, k, v, attn_mask=None, dropout_p=0.0,
    is_causal=False, scale=None, enable_gqa=False: glia.scaled_dot_product_attention(
        q, k, v, mask=attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa),
    "unique": lambda x, sorted=True, return_inverse=False, return_counts=False, dim=None: unique(
        glia.unique(x, dim), return_inverse, return_counts),
    "quantile": lambda x, q, dim=None, keepdim=False, interpolation="linear": glia.quantile(
        x, q if isinstance(q, float) else number(q), axes=axes_or_all(dim), keepdim=keepdim,
        interpolation=interpolation),
    "kthvalue": lambda x, k, dim=-1, keepdim=False: glia.kthvalue(x, k, dim, keepdim),
    "mode": lambda x, dim=-1, keepdim=False: glia.mode(x, dim, keepdim),
    "median": lambda x, *a, **k: called(glia.median, x, *a, **k),
    "polygamma": lambda x, n: glia.polygamma(n, x),
    "cross": lambda x, y, dim=None: glia.cross(x, y, -1 if dim is None else dim),
}
ADAPTED["grid_sampler_3d"] = ADAPTED["grid_sampler_2d"]


def window(f):
    """With torch.signal.windows' word for what is not periodic."""
    return lambda n, *, sym=True, dtype=None, **more: f(
        n, periodic=not sym, dtype=dtype or "f32",
        **{k: v for k, v in more.items() if k not in ("device", "layout", "requires_grad")})


ADAPTED.update({f"signal.windows.{name}": window(getattr(glia, name + "_window")) for name in (
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming",
    "hamming", "hann", "kaiser", "nuttall")})
# What is real is taken as complex, too.
ADAPTED.update({f"fft.{name}": (lambda f: lambda x, *args, **kwargs: called(
    f, glia.Complex(as_real(x), glia.zeros_like(as_real(x))), *args,
    **{k: v for k, v in kwargs.items() if v is not None}))(getattr(glia.fft, name))
    for name in ("hfft", "hfft2", "hfftn", "irfft", "irfft2", "irfftn")})
ADAPTED.update({f"nn.functional.max_unpool{d}d": (lambda d: lambda *a, **k: max_unpool(d, *a, **k))(d)
                for d in (1, 2, 3)})
SAME_AS = {"subtract": "sub", "special.expit": "sigmoid", "nn.functional.sigmoid": "sigmoid",
           "arccos": "acos", "special.polygamma": "polygamma", "pinverse": "linalg.pinv",
           "linalg.matrix_exp": "matrix_exp", "special.log_ndtr": "log_ndtr", "gradient": "gradient",
           "nn.functional.tanh": "tanh", "fmod": "fmod", "round": "round"}
# Functions of nn.functional whose result has the channels of its first argument.
IMAGES = {"nn.functional.local_response_norm"}


def not_here(why):
    raise NotHere(why)


def flat(x):
    return tuple(x[0]) if len(x) == 1 and isinstance(x[0], (tuple, list)) else tuple(x)


def cast(x, dtype):
    return x if dtype is None else glia.cast(x, dtype)


def as_tensor(x):
    return x if hasattr(x, "shape") else glia.tensor(x)


def as_real(x):
    return x if str(x.dtype).startswith("f") else glia.cast(x, "f32")


def histogramdd(x, bins, range, weight, density):
    more = {} if range is None else {"range": [(range[2 * i], range[2 * i + 1]) for i in
                                               builtins.range(len(range) // 2)]}
    if weight is not None:
        more["weight"] = weight
    bins = [bins] * x.shape[-1] if isinstance(bins, int) else list(bins)
    result = glia.histogramdd(x, bins, density=density, **more)
    return [result.hist, *result.bin_edges]


def max_unpool(dims, x, indices, kernel_size, stride=None, padding=0, output_size=None):
    def sizes(n):
        return [n] * dims if isinstance(n, int) else list(n)
    batched = x.ndim == dims + 2
    x, indices = (last(t if batched else glia.unsqueeze(t, 0)) for t in (x, indices))
    layer = glia.nn.MaxUnpool(sizes(kernel_size), sizes(stride) if stride else [], sizes(padding))
    y = second(layer(x, indices, list(output_size)[-dims:] if output_size else []))
    return y if batched else glia.squeeze(y, 0)


def svd(a, some):
    u, s, vh = glia.linalg.svd(a, not some)
    return u, s, glia.transpose(vh)


def unfolded(x, kernel, **options):
    pairs = {k: tuple(v) if isinstance(v, (tuple, list)) else (v, v) for k, v in options.items()}
    batched = x.ndim == 4
    y = glia.unfold(last(x if batched else glia.unsqueeze(x, 0)),
                    tuple(kernel) if isinstance(kernel, (tuple, list)) else (kernel, kernel), **pairs)
    kernel = kernel if isinstance(kernel, (tuple, list)) else (kernel, kernel)
    n, positions, _ = y.shape
    channels = x.shape[-3]
    y = glia.reshape(y, (n, positions, kernel[0] * kernel[1], channels))
    y = glia.reshape(glia.permute(y, (0, 3, 2, 1)), (n, channels * kernel[0] * kernel[1], positions))
    return y if batched else glia.squeeze(y, 0)


def scattered(x, dim, i, source, reduce):
    source = number(source) if getattr(source, "ndim", 1) == 0 else source
    if reduce is None:
        return glia.scatter(x, i, source, dim)
    if not hasattr(source, "shape"):
        source = glia.full(i.shape, source, x.dtype)
    return glia.scatter_reduce(x, i, source, dim, {"add": "sum", "multiply": "prod"}[reduce])


def linalg_norm(x, ord, dim, keepdim):
    if ord is None:
        return glia.norm(x, 2, axes_or_all(dim), keepdim)
    axes = flat((dim,)) if dim is not None else range(x.ndim)
    if len(axes) == 1:
        return glia.vector_norm(x, ord, list(axes), keepdim)
    if ord != "fro":
        raise NotHere("norms of matrices, as linalg.matrix_norm")
    return glia.norm(x, 2, list(axes), keepdim)


def sum_to_size(x, shape):
    lead = x.ndim - len(shape)
    axes = list(range(lead)) + [lead + i for i, n in enumerate(shape) if n == 1]
    return glia.reshape(glia.sum(x, axes, True) if axes else x, shape)


def number(x):
    return x.tolist() if hasattr(x, "tolist") else x


def squeezed(x, dim):
    shape = x.shape
    axes = range(len(shape)) if dim is None else [d % max(len(shape), 1) for d in flat((dim,))]
    return glia.reshape(x, tuple(n for i, n in enumerate(shape) if n != 1 or i not in axes))


def sections(x, sizes, dim):
    ends = [sum(sizes[:i]) for i in range(len(sizes))]
    return [glia.narrow(x, dim, a, n) for a, n in zip(ends, sizes)]


def clamped(x, low, high):
    if low is None:
        return glia.clamp_max(x, high)
    return glia.clamp_min(x, low) if high is None else glia.clamp(x, low, high)


def shuffled(f, x, n):
    lead = x.shape[:-3]
    flat_x = glia.reshape(x, (-1, *x.shape[-3:]))
    y = second(f(last(flat_x), n))
    return glia.reshape(y, (*lead, *y.shape[1:]))


def unique(result, inverse, counts):
    values, i, n = list(result)[:3]
    out = [values] + [i] * inverse + [n] * counts
    return out[0] if len(out) == 1 else out
