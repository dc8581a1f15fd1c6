"""Convolutions, pools and resampling against PyTorch."""
import itertools
import sys

import numpy as np
import torch
import torch.nn.functional as F

import face
import glia
from face import Case

rng = np.random.default_rng(5)


def rand(*shape):
    return rng.uniform(-1, 1, shape)


def spatial(n):
    return {1: (11,), 2: (9, 8), 3: (6, 7, 5)}[n]


def weight_last(w):
    return w


cases = []
conv = {1: (F.conv1d, glia.conv1d), 2: (F.conv2d, glia.conv2d), 3: (F.conv3d, glia.conv3d)}
back = {1: (F.conv_transpose1d, glia.conv_transpose1d), 2: (F.conv_transpose2d, glia.conv_transpose2d),
        3: (F.conv_transpose3d, glia.conv_transpose3d)}
for n in (1, 2, 3):
    for stride, padding, dilation, groups in itertools.product((1, 2), (0, 1), (1, 2), (1, 2)):
        how = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
        both = {k: v if n == 1 or k == "groups" else (v,) * n for k, v in how.items()}
        kernel = (3, 2, 3)[:n]
        x, w, b = rand(2, 4, *spatial(n)), rand(6, 4 // groups, *kernel), rand(6)
        cases.append(Case(f"conv{n}d {how}", lambda x, w, b, f=conv[n][0], how=how: f(x, w, b, **how),
                          lambda x, w, b, f=conv[n][1], how=both: f(x, w, b, **how),
                          [x, w, b], channels=(0, 1)))
        more = 1 if stride == 2 else 0
        wt = rand(4, 6 // groups, *kernel)
        how_t = dict(how, output_padding=more)
        both_t = dict(both, output_padding=more if n == 1 else (more,) * n)
        cases.append(Case(f"conv_transpose{n}d {how_t}",
                          lambda x, w, b, f=back[n][0], how=how_t: f(x, w, b, **how),
                          lambda x, w, b, f=back[n][1], how=both_t: f(x, w, b, **how),
                          [x, wt, b], channels=(0, 1)))
    pools = {1: (F.max_pool1d, F.avg_pool1d), 2: (F.max_pool2d, F.avg_pool2d),
             3: (F.max_pool3d, F.avg_pool3d)}[n]
    for stride, padding, dilation, ceil in itertools.product((1, 2, 3), (0, 1), (1, 2), (False, True)):
        x = rand(2, 3, *spatial(n))
        how = dict(stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil)
        ours = dict(stride=[stride], padding=[padding], dilation=[dilation], ceil_mode=ceil)
        cases.append(Case(f"max_pool{n}d {how}", lambda x, f=pools[0], how=how: f(x, 3, **how),
                          lambda x, how=ours: glia.max_pool(x, [3], **how), [x], channels=(0,)))
        cases.append(Case(f"max_pool{n}d indices {how}",
                          lambda x, f=pools[0], how=how: f(x, 3, return_indices=True, **how)[1].double(),
                          lambda x, how=ours: glia.cast(
                              glia.max_pool_with_indices(x, [3], **how).indices, "f64"),
                          [x], channels=(0,), gradients=False))
        if dilation == 1:
            for include in (True, False):
                how = dict(stride=stride, padding=padding, ceil_mode=ceil, count_include_pad=include)
                ours = dict(stride=[stride], padding=[padding], ceil_mode=ceil,
                            count_include_pad=include)
                cases.append(Case(f"avg_pool{n}d {how}", lambda x, f=pools[1], how=how: f(x, 3, **how),
                                  lambda x, how=ours: glia.avg_pool(x, [3], **how), [x],
                                  channels=(0,)))
    x = rand(2, 3, *spatial(n))
    lp = {1: F.lp_pool1d, 2: F.lp_pool2d, 3: F.lp_pool3d}[n]
    for p in (1.0, 2.0, 3.0):
        cases.append(Case(f"lp_pool{n}d {p}", lambda x, f=lp, p=p: f(x, p, 2),
                          lambda x, p=p: glia.lp_pool(x, p, [2]), [np.abs(x)], channels=(0,)))
    cases.append(Case(f"lp_pool{n}d 1.0 of both signs", lambda x, f=lp: f(x, 1.0, 2),
                      lambda x: glia.lp_pool(x, 1.0, [2]), [x], channels=(0,)))
    unpool = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}[n]

    def unpooled(x, pool=pools[0], unpool=unpool):
        out, at = pool(x, 3, stride=1, return_indices=True)
        return unpool(out, at, 3, 1, output_size=x.shape[2:])

    def ours_unpooled(x):
        found = glia.max_pool_with_indices(x, [3], stride=[1])
        return glia.max_unpool(found.out, found.indices, list(x.shape[1:-1]))
    # Of windows with one largest value PyTorch gives all the gradient, Glia one.
    cases.append(Case(f"max_unpool{n}d overlapping", unpooled, ours_unpooled, [x], channels=(0,),
                      gradients=False))
    for size in ((1, 1, 1), (2, 3, 4), (3, 4, 5)):
        size = size[:n]
        adaptive = [getattr(F, f"adaptive_{kind}_pool{n}d") for kind in ("avg", "max")]
        cases.append(Case(f"adaptive_avg_pool{n}d {size}", lambda x, f=adaptive[0], s=size: f(x, s),
                          lambda x, s=size: glia.adaptive_avg_pool(x, list(s)), [x], channels=(0,)))
        cases.append(Case(f"adaptive_max_pool{n}d {size}", lambda x, f=adaptive[1], s=size: f(x, s),
                          lambda x, s=size: glia.adaptive_max_pool(x, list(s)), [x], channels=(0,)))
    for mode in ("nearest", "nearest-exact", "area", {1: "linear", 2: "bilinear", 3: "trilinear"}[n],
                 *(["bicubic"] if n == 2 else [])):
        ours = {"nearest-exact": "nearest_exact", "bilinear": "linear", "trilinear": "linear",
                "bicubic": "cubic"}.get(mode, mode)
        for corners in ((False, True) if ours in ("linear", "cubic") else (None,)):
            for size in ((3, 4, 5), (13, 17, 11)):
                size = size[:n]
                cases.append(Case(
                    f"interpolate {mode} {size} {corners}",
                    lambda x, s=size, m=mode, c=corners: F.interpolate(x, s, mode=m, align_corners=c),
                    lambda x, s=size, m=ours, c=corners: glia.interpolate(
                        x, list(s), mode=m, align_corners=bool(c)), [x], channels=(0,)))
    for mode, ours in (("reflect", "reflect"), ("replicate", "replicate"), ("circular", "circular")):
        pads = [(2, 1), (0, 3), (1, 1)][:n]
        flat = [p for pair in reversed(pads) for p in pair]
        cases.append(Case(f"pad {mode} {n}d", lambda x, p=flat, m=mode: F.pad(x, p, m),
                          lambda x, p=pads, m=ours: glia.pad(x, [(0, 0), *p, (0, 0)], m), [x],
                          channels=(0,)))

far = dict(stride=(3, 2), padding=(1, 2), output_padding=(2, 3), dilation=4, groups=2)
cases.append(Case("conv_transpose2d, output padding above the stride",
                  lambda x, w: F.conv_transpose2d(x, w, **far),
                  lambda x, w: glia.conv_transpose2d(x, w, **dict(far, dilation=(4, 4))),
                  [rand(2, 4, 5, 6), rand(4, 3, 3, 2)], channels=(0, 1)))
deep = dict(stride=(1, 2, 1), padding=(1, 0, 2), output_padding=(2, 1, 1), dilation=3)
cases.append(Case("conv_transpose3d, output padding above the stride",
                  lambda x, w: F.conv_transpose3d(x, w, **deep),
                  lambda x, w: glia.conv_transpose3d(x, w, **dict(deep, dilation=(3, 3, 3))),
                  [rand(2, 4, 3, 4, 5), rand(4, 3, 2, 3, 2)], channels=(0, 1)))
x = rand(2, 3, 9, 8)
for mode in ("bilinear", "bicubic"):
    for size in ((3, 4), (5, 20)):
        cases.append(Case(f"interpolate antialias {mode} {size}",
                          lambda x, s=size, m=mode: F.interpolate(x, s, mode=m, antialias=True),
                          lambda x, s=size, m=mode: glia.interpolate(
                              x, list(s), mode={"bilinear": "linear", "bicubic": "cubic"}[m],
                              antialias=True), [x], channels=(0,)))
cases.append(Case("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), lambda x: glia.pixel_shuffle(x, 2),
                  [rand(2, 12, 3, 5)], channels=(0,)))
cases.append(Case("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2),
                  lambda x: glia.pixel_unshuffle(x, 2), [rand(2, 3, 6, 4)], channels=(0,)))
cases.append(Case("channel_shuffle", lambda x: F.channel_shuffle(x, 3),
                  lambda x: glia.channel_shuffle(x, 3), [rand(2, 12, 3, 5)], channels=(0,),
                  gradients=False))
cases.append(Case("bilinear", F.bilinear, glia.bilinear,
                  [rand(5, 3), rand(5, 4), rand(6, 3, 4), rand(6)], result=False))

for kernel, stride, padding, dilation in (((3, 2), 1, 0, 1), ((2, 2), 2, 1, 1), ((3, 3), 1, 2, 2)):
    how = dict(stride=stride, padding=padding, dilation=dilation)
    ours = {k: (v, v) for k, v in how.items()}
    area = kernel[0] * kernel[1]

    def unfolded(x, k=kernel, how=how, area=area):
        rows = F.unfold(x, k, **how)  # (N, C k, L)
        n, _, count = rows.shape
        return rows.reshape(n, 3, area, count).permute(0, 3, 2, 1).reshape(n, count, -1)
    cases.append(Case(f"unfold {kernel} {how}", unfolded,
                      lambda x, k=kernel, how=ours: glia.unfold(x, k, **how), [x], channels=(0,),
                      result=False))
    count = F.unfold(torch.tensor(x), kernel, **how).shape[-1]

    def folded(rows, k=kernel, how=how, area=area):
        n, count, _ = rows.shape
        columns = rows.reshape(n, count, area, 3).permute(0, 3, 2, 1).reshape(n, -1, count)
        return F.fold(columns, (9, 8), k, **how)
    cases.append(Case(f"fold {kernel} {how}", folded,
                      lambda r, k=kernel, how=ours: glia.fold(r, (9, 8), k, **how),
                      [rand(2, count, 3 * area)]))

for n in (2, 3):
    theta = rand(2, n, n + 1)
    size = (5, 6, 4)[:n]
    x = rand(2, 3, *spatial(n))
    grid = rng.uniform(-1.4, 1.4, (2, *size, n))
    for corners in (False, True):
        cases.append(Case(f"affine_grid {n}d {corners}",
                          lambda t, s=size, c=corners: F.affine_grid(t, (2, 3, *s), align_corners=c),
                          lambda t, s=size, c=corners: glia.affine_grid(t, list(s), c), [theta],
                          result=False))
        for mode in ("bilinear", "nearest", *(["bicubic"] if n == 2 else [])):
            for padding in ("zeros", "border", "reflection"):
                ours = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
                cases.append(Case(
                    f"grid_sample {n}d {mode} {padding} {corners}",
                    lambda x, g, m=mode, p=padding, c=corners: F.grid_sample(x, g, m, p, c),
                    lambda x, g, m=ours, p=padding, c=corners: glia.grid_sample(
                        x, g, mode=m, padding=p, align_corners=c), [x, grid], channels=(0,),
                    gradients=mode != "nearest"))

for n in (2, 3):
    x = rand(2, 3, *((12, 11) if n == 2 else (7, 8, 9)))
    size, window = ((4, 5), (2, 3)) if n == 2 else ((3, 3, 4), (2, 2, 2))
    samples = rng.uniform(0, 1, (2, 3, n))
    f = F.fractional_max_pool2d if n == 2 else F.fractional_max_pool3d
    cases.append(Case(f"fractional_max_pool{n}d",
                      lambda x, u, f=f, s=size, w=window, n=n: f(
                          x, w, output_size=s, _random_samples=u.detach().flip(2) if n == 2 else u.detach()),
                      lambda x, u, s=size, w=window: glia.fractional_max_pool(
                          x, list(w), list(s), glia.transpose(u)).out, [x, samples], channels=(0,)))

face.run(cases)
sys.exit(face.report("convolutions, pools, pictures"))
