"""Reductions, movement, indexing, sorting, elementwise operations, casts and creation."""
import torch
import torch.nn.functional as F

from ops.table import (CONTIGUOUS, E, M, NAMES, OTHERS, above, bf16, bool_, f16, f32, f64, grad,
                       i32, i64, indices, loss, matrix, numbers, positive, scaled, u8, value,
                       width_of)


def reductions():
    for d in (f32, f64, bf16, u8, i64, i32, bool_):
        value(f"sum axis0 {NAMES[d]}", [matrix(d)], lambda x: x.sum(0))
    for d in (f32, f64, bf16, f16, u8, i64, i32, bool_):
        value(f"sum axis1 {NAMES[d]}", [matrix(d)], lambda x: x.sum(1))
    for d in (f32, i64, u8):
        value(f"sum all {NAMES[d]}", [matrix(d)], lambda x: x.sum())
    value("count true", [matrix(bool_)], lambda x: x.sum())
    cube, tall = numbers(256, 256, 256), numbers(1000000, 4)
    value("sum middle of 256^3", [cube], lambda x: x.sum(1))
    value("sum axes 0,2 of 256^3", [cube], lambda x: x.sum((0, 2)))
    value("sum axis1 of (1e6,4)", [tall], lambda x: x.sum(1))
    value("sum axis0 of (1e6,4)", [tall], lambda x: x.sum(0))
    value("sum axis1 of (4,1e6)", [numbers(4, 1000000)], lambda x: x.sum(1))
    value("sum axis1 (1e6,3)", [numbers(1000000, 3)], lambda x: x.sum(1))
    value("mean axis0", [matrix()], lambda x: x.mean(0))
    value("mean axes 0,1,2 NHWC", [numbers(32, 56, 56, 64)], lambda x: x.mean((0, 1, 2)))
    value("prod axis1", [matrix()], lambda x: x.prod(1))
    value("norm 16M", [numbers(E)], lambda x: x.norm())
    value("all(x > -100)", [matrix()], lambda x: (x > -100).all())
    value("any bool", [above(100, M, M)], lambda x: x.any())
    value("any axis0", [matrix(bool_)], lambda x: x.any(0))
    value("all axis1", [matrix(bool_)], lambda x: x.all(1))

    value("max all", [matrix()], lambda x: x.amax())
    value("max axis0", [matrix()], lambda x: x.amax(0))
    value("max axis1", [matrix()], lambda x: x.amax(1))
    value("argmax axis0", [matrix()], lambda x: x.argmax(0))
    value("argmax axis1", [matrix()], lambda x: x.argmax(1))
    for d in (f64, i64):
        value(f"max axis1 {NAMES[d]}", [matrix(d)], lambda x: x.amax(1))
    for d in OTHERS:
        value(f"max axis0 {NAMES[d]}", [matrix(d)], lambda x: x.amax(0))
        value(f"max all {NAMES[d]}", [matrix(d)], lambda x: x.amax())
        value(f"argmax axis1 {NAMES[d]}", [matrix(d)], lambda x: x.argmax(1))
    value("max axis1 (1e6,3)", [numbers(1000000, 3)], lambda x: x.amax(1))
    value("argmax all 16M", [numbers(E)], lambda x: x.argmax(0))
    value("argmax (100000,10)", [numbers(100000, 10)], lambda x: x.argmax(1))
    value("argmax axis1 of NHWC", [numbers(16, 128, 128, 21)], lambda x: x.argmax(3))

    value("var axis0", [matrix()], lambda x: x.var(0))
    value("var axis1", [matrix()], lambda x: x.var(1))
    value("var all", [matrix()], lambda x: x.var())
    for d in (bf16, f64):
        value(f"var axis0 {NAMES[d]}", [matrix(d)], lambda x: x.var(0))
    value("std axis0 f64", [numbers(M, 1024, dtype=f64)], lambda x: x.std(0))
    value("logsumexp axis0", [matrix()], lambda x: x.logsumexp(0))
    value("logsumexp axis1", [matrix()], lambda x: x.logsumexp(1))
    loss("max axis1 bwd", [matrix()], lambda x: x.amax(1).sum())
    loss("prod axis1 bwd (4096,64)", [numbers(M, 64)], lambda x: x.prod(1).sum())
    loss("var axis0 bwd", [matrix()], lambda x: x.var(0).sum())
    loss("logsumexp axis0 bwd", [numbers(M, 1024)], lambda x: x.logsumexp(0).sum())


def movement():
    for d in (f32, f64, u8, bf16):
        value(f"transposed copy {NAMES[d]}", [matrix(d)], lambda x: x.T.contiguous())
    value("x + x^T", [matrix()], lambda x: x + x.T)
    cube = numbers(256, 256, 256)
    for axes in ((0, 2, 1), (2, 1, 0), (1, 0, 2)):
        value(f"permute {','.join(map(str, axes))} of 256^3", [cube],
              lambda x, axes=axes: x.permute(axes).contiguous())
    value("NHWC to NCHW (32,64,64,64)", [numbers(32, 64, 64, 64)],
          lambda x: x.permute(0, 3, 1, 2).contiguous())
    value("NHWC to NCHW C=3 u8", [numbers(64, 224, 224, 3, dtype=u8)],
          lambda x: x.permute(0, 3, 1, 2).contiguous())
    value("heads (16,512,8,64)->(16,8,512,64)", [numbers(16, 512, 8, 64)],
          lambda x: x.permute(0, 2, 1, 3).contiguous())
    value("expand copy (1,4096)->(4096,4096)", [numbers(1, M)],
          lambda x: x.expand(M, M).contiguous())
    value("expand copy (4096,1)", [numbers(M, 1)], lambda x: x.expand(M, M).contiguous())
    value("unfold 1D windows 100000x64", [numbers(100063)],
          lambda x: x.unfold(0, 64, 1).contiguous())
    value("upsample 2x nearest NHWC", [numbers(16, 56, 56, 64)],
          lambda x: F.interpolate(x, scale_factor=2), layouts=CONTIGUOUS)
    grad("transpose bwd", [numbers(M, 2048)], lambda x: x.T * 2.0)

    value("flip axis1", [matrix()], lambda x: x.flip(1))
    value("flip axis0", [matrix()], lambda x: x.flip(0))
    value("slice ::2 axis1", [matrix()], lambda x: x[:, ::2].contiguous())
    value("slice ::2 axis0", [matrix()], lambda x: x[::2].contiguous())
    value("slice cols 1..4095", [matrix()], lambda x: x[:, 1:4095].contiguous())
    value("pad 2d", [matrix()], lambda x: F.pad(x, (1, 1, 1, 1)))
    value("pad NHWC C=3", [numbers(64, 224, 224, 3)], lambda x: F.pad(x, (0, 0, 1, 1, 1, 1)))
    value("roll by concat", [matrix()], lambda x: x.roll(-100, 1))
    loss("index slice bwd x[:, ::2]", [matrix()], lambda x: x[:, ::2].square().sum())
    grad("pad bwd", [numbers(32, 56, 56, 64)], lambda x: F.pad(x, (0, 0, 1, 1, 1, 1)))

    value("concat axis0 4", 4 * [numbers(1024, M)], lambda *x: torch.cat(x, 0))
    value("concat axis1 4", 4 * [numbers(M, 1024)], lambda *x: torch.cat(x, 1))
    value("concat axis1 64 narrow", 64 * [numbers(M, 4)], lambda *x: torch.cat(x, 1))
    value("stack last 4", 4 * [numbers(1000000)], lambda *x: torch.stack(x, 1))
    grad("concat bwd", 2 * [numbers(4096, 1000)], lambda a, b: torch.cat((a * 2.0, b * 2.0), 1))

    value("where", [matrix(bool_), matrix(), matrix()], torch.where)
    value("where scalar", [matrix(bool_), matrix()], lambda m, x: torch.where(m, x, 0.0))
    value("causal mask", [matrix()], lambda x: torch.where(
        torch.arange(M)[:, None] >= torch.arange(M), x, -1e9))
    value("tril", [matrix()], lambda x: x.tril())
    value("mask assign x[x<0]=0 by where", [matrix()], lambda x: torch.where(x < 0, 0.0, x))

    for d in (*OTHERS, bool_):
        n, w = NAMES[d], width_of(d)
        planes = numbers(64, 64, w, dtype=d)
        value(f"flip axis1 {n}", [matrix(d)], lambda x: x.flip(1))
        value(f"flip axis0 {n}", [matrix(d)], lambda x: x.flip(0))
        value(f"slice ::2 axis1 {n}", [matrix(d)], lambda x: x[:, ::2].contiguous())
        value(f"slice cols {n}", [matrix(d)], lambda x, w=w: x[:, 1:w - 1].contiguous())
        value(f"pad {n}", [matrix(d)], lambda x: F.pad(x, (1, 1, 1, 1)))
        value(f"concat axis1 {n}", 2 * [matrix(d)], lambda *x: torch.cat(x, 1))
        value(f"permute 0,2,1 {n}", [planes], lambda x: x.permute(0, 2, 1).contiguous())
        value(f"permute 1,0,2 {n}", [planes], lambda x: x.permute(1, 0, 2).contiguous())
        value(f"expand row {n}", [numbers(1, w, dtype=d)],
              lambda x, w=w: x.expand(M, w).contiguous())
        value(f"where {n}", [numbers(M, w, dtype=bool_), matrix(d), matrix(d)], torch.where)


def indexing():
    def rows(x, at):
        return x.index_select(0, at)

    def added(x, at, source):
        return x.index_add(0, at, source)

    value("take rows (100000,64) 65536", [numbers(100000, 64), indices(100000, 65536)], rows)
    value("take cols (4096,4096) 512", [matrix(), indices(M, 512)],
          lambda x, at: x.index_select(1, at))
    value("take 1D 16M by 4M", [numbers(E), indices(E, 4000000)], rows)
    value("gather axis1", [matrix(), indices(M, M, 512)], lambda x, at: x.gather(1, at))
    value("gather axis0", [matrix(), indices(M, 512, M)], lambda x, at: x.gather(0, at))
    for d in (*OTHERS, bool_):
        value(f"take rows {NAMES[d]}", [matrix(d), indices(M, M)], rows)
        value(f"gather axis1 {NAMES[d]}", [matrix(d), indices(width_of(d), M, 512)],
              lambda x, at: x.gather(1, at))
    value("index pairs", [matrix(), indices(M, 1000000), indices(M, 1000000)],
          lambda x, i, j: x[i, j])
    value("one_hot 65536 x 100", [indices(100, 65536)], lambda at: F.one_hot(at, 100).float())
    grad("gather axis1 bwd", [numbers(M, 1024), indices(1024, M, 64)],
         lambda x, at: x.gather(1, at))
    for name, height, width, count in (("embedding fwd+bwd", 30000, 256, 8192),
                                       ("embedding 100 x 64, (65536)", 100, 64, 65536),
                                       ("embedding 50000 x 512, (4096)", 50000, 512, 4096)):
        grad(name, [numbers(height, width), indices(height, count)],
             lambda table, at: F.embedding(at, table))

    value("scatter_add axis1", [matrix(), indices(M, M, 512), numbers(M, 512)],
          lambda x, at, source: x.scatter_add(1, at, source))
    value("scatter_add axis0", [matrix(), indices(M, 512, M), numbers(512, M)],
          lambda x, at, source: x.scatter_add(0, at, source))
    value("scatter_add 1D 4M into 1e6",
          [numbers(1000000), indices(1000000, 4000000), numbers(4000000)],
          lambda x, at, source: x.scatter_add(0, at, source))
    value("index_add rows", [numbers(100000, 64), indices(100000, 65536), numbers(65536, 64)],
          added)
    value("index_add into 10 rows", [numbers(10, 64), indices(10, 65536), numbers(65536, 64)],
          added)
    for d in (bf16, f64):
        value(f"index_add rows {NAMES[d]}",
              [numbers(10000, 64, dtype=d), indices(10000, 65536), numbers(65536, 64, dtype=d)],
              added)
    value("bincount by one_hot-free index_add", [indices(1000, 4000000)],
          lambda at: torch.zeros(1000).index_add(0, at, torch.ones(4000000)))
    grad("scatter_add bwd", [numbers(1000, 1000), numbers(1000, 500)], lambda x, source:
         x.scatter_add(1, (torch.arange(500) * 7 % 1000).expand(1000, 500), source))

    value("mask select 16M", [matrix(), matrix(bool_)], lambda x, mask: x[mask])
    value("mask rows (1e5,64)", [numbers(100000, 64), numbers(100000, dtype=bool_)],
          lambda x, mask: x[mask])
    value("nonzero 16M 1%", [above(2.3, M, M)], lambda x: x.nonzero())
    value("mask index_update", [matrix(), above(1, M, M)], lambda x, mask: x.masked_fill(mask, 0.0))
    value("index_update rows",
          [numbers(100000, 64), indices(100000, 10000), numbers(10000, 64)],
          lambda x, at, source: x.index_copy(0, at, source),
          varies=True)  # which of equal rows wins is left open


def sorting():
    value("cumsum axis0", [matrix()], lambda x: x.cumsum(0))
    value("cumsum axis1", [matrix()], lambda x: x.cumsum(1))
    value("cumsum 16M", [numbers(E)], lambda x: x.cumsum(0))
    value("cumsum i64 axis1", [matrix(i64)], lambda x: x.cumsum(1))
    for d in (bf16, f64):
        value(f"cumsum axis1 {NAMES[d]}", [matrix(d)], lambda x: x.cumsum(1))
    value("cumprod axis1", [matrix()], lambda x: x.cumprod(1))
    loss("cumsum bwd", [numbers(M, 1024)], lambda x: x.cumsum(1).square().sum())

    def in_order(x, axis):
        return torch.sort(x, dim=axis, stable=True).values

    for name, x, axis in (("sort (1000,1000)", numbers(1000, 1000), 1),
                          ("sort axis0 (1000,1000)", numbers(1000, 1000), 0),
                          ("sort 1e6", numbers(1000000), 0),
                          ("sort (100000,8)", numbers(100000, 8), 1),
                          ("sort (10000,64)", numbers(10000, 64), 1),
                          ("sort 1e6 f64", numbers(1000000, dtype=f64), 0),
                          *((f"sort rows 512 {NAMES[d]}", numbers(4096, 512, dtype=d), 1)
                            for d in OTHERS)):
        value(name, [x], lambda x, axis=axis: in_order(x, axis))
    value("argsort 1e6 i64", [indices(10**9, 1000000)], lambda x: x.argsort(stable=True))
    loss("sort bwd (1000,1000)", [numbers(1000, 1000)], lambda x: in_order(x, 1).square().sum())

    for name, k, shape in (("topk 10 of (1000,10000)", 10, (1000, 10000)),
                           ("topk 5 of 1e6", 5, (1000000,)),
                           ("topk 500 of (64,10000)", 500, (64, 10000)),
                           ("topk 5000 of 1e6", 5000, (1000000,)),
                           ("topk 50 of (8,50257)", 50, (8, 50257))):
        value(name, [numbers(*shape)], lambda x, k=k: x.topk(k).values)


def elementwise():
    def vector(d):
        return numbers(E // 2 if d.itemsize == 8 else E, dtype=d)

    for d in (f32, f64, bf16, f16, i64, i32, u8):
        n, x = NAMES[d], vector(d)
        value(f"add {n}", [x, x], lambda a, b: a + b)
        value(f"mul scalar {n}", [x], lambda x: x * 3)
        value(f"less {n}", [x, x], lambda a, b: a < b)
        if d.is_floating_point:
            for name, function in (("exp", torch.exp), ("tanh", torch.tanh), ("gelu", F.gelu),
                                   ("sigmoid", torch.sigmoid), ("relu", torch.relu)):
                value(f"{name} {n}", [x], function)
            value(f"sqrt abs {n}", [x], lambda x: x.abs().sqrt())
            value(f"clamp {n}", [x], lambda x: x.clamp(-1, 1))
            value(f"div {n}", [x, x], lambda a, b: a / b)
        else:
            value(f"floor_divide {n}", [x, positive(*x.shape, dtype=d)], lambda a, b: a // b)
            value(f"remainder scalar {n}", [x], lambda x: x % 7)
            value(f"maximum {n}", [x, x], torch.maximum)
            value(f"bit and {n}", [x, x], lambda a, b: a & b)
            value(f"equal scalar {n}", [x], lambda x: x == 7)

    x, x64, quarter64, above_0 = vector(f32), vector(f64), numbers(E // 4, dtype=f64), positive(E)
    for name, x_, function in (
            ("log f32", x, torch.log), ("log f64", x64, torch.log), ("sin f32", x, torch.sin),
            ("sin f64", x64, torch.sin), ("sin f32 args to 1e7", scaled(1e7, E), torch.sin),
            ("erf", x, torch.erf), ("erf f64", quarter64, torch.erf),
            ("log1p", above_0, torch.log1p), ("expm1", x, torch.expm1),
            ("softplus", x, F.softplus), ("silu", x, F.silu), ("elu", x, F.elu),
            ("floor f32", x, torch.floor), ("round f64", x64, torch.round),
            ("isnan", x, torch.isnan), ("sign i32", vector(i32), torch.sign),
            ("logical_not", vector(bool_), torch.logical_not),
            ("pow 2.5", above_0, lambda x: x ** 2.5), ("pow 3", x, lambda x: x ** 3),
            ("pow 2", x, lambda x: x ** 2), ("pow -0.5", above_0, lambda x: x ** -0.5)):
        value(name, [x_], function)
    value("bool and", 2 * [vector(bool_)], lambda a, b: a & b)
    value("remainder f32", [x, x], lambda a, b: a % b)
    value("atan2", [x, x], torch.atan2)
    value("atan2 f64", 2 * [quarter64], torch.atan2)
    value("pow tensor", [above_0, x], lambda a, b: a ** b)
    value("pow tensor f64", [positive(E // 4, dtype=f64), quarter64], lambda a, b: a ** b)
    grad("gelu bwd 16M", [x], F.gelu)
    grad("tanh bwd f64 4M", [quarter64], torch.tanh)
    grad("swiglu bwd (4096,1024)", 2 * [numbers(4096, 1024)], lambda a, b: F.silu(a) * b)

    for name, a, b in (("row + col broadcast", numbers(M, 1), numbers(1, M)),
                       ("matrix + row", matrix(), numbers(M)),
                       ("matrix + row bf16", matrix(bf16), numbers(M, dtype=bf16)),
                       ("matrix + row f64", matrix(f64), numbers(M // 2, dtype=f64)),
                       ("add 1000", numbers(1000), numbers(1000)),
                       ("add 1", numbers(1), numbers(1)),
                       ("add (100,100)", numbers(100, 100), numbers(100, 100))):
        value(name, [a, b], lambda a, b: a + b)
    for name, a, b in (("matrix * col", matrix(), numbers(M, 1)),
                       ("(64,1,256,256)*(64,16,1,1)", numbers(64, 1, 256, 256),
                        numbers(64, 16, 1, 1)),
                       ("NHWC * channel C=3", numbers(64, 224, 224, 3), numbers(3))):
        value(name, [a, b], lambda a, b: a * b)
    value("strided add x[:, ::2] + y", [matrix(), numbers(M, 2048)], lambda a, b: a[:, ::2] + b)
    grad("row broadcast bwd (65536,256)", [numbers(65536, 256), numbers(256)], lambda a, b: a * b)


def casts():
    for a, b in ((u8, f32), (f32, u8), (f32, bf16), (bf16, f32), (f16, f32), (f32, f16),
                 (f32, f64), (f64, f32), (i64, f32), (f32, i64), (i32, i64), (i64, i32),
                 (bool_, f32), (i64, f64), (u8, i64), (bf16, f16), (f32, bool_)):
        value(f"cast {NAMES[a]}->{NAMES[b]}", [numbers(E if a == bool_ else E // 2, dtype=a)],
              lambda x, b=b: x.to(b),
              varies=(a, b) == (f32, u8))  # of negative numbers, which C++ leaves open
    mean, std = torch.tensor([.485, .456, .406]), torch.tensor([.229, .224, .225])
    value("u8 image normalise", [numbers(64, 224, 224, 3, dtype=u8)],
          lambda x: (x.float() / 255 - mean) / std)


def creation():
    for name, function in (
            ("rand 16M", lambda: torch.rand(E)),
            ("rand bf16 16M", lambda: torch.rand(E, dtype=bf16)),
            ("uniform 16M", lambda: torch.empty(E).uniform_(-1, 1)),
            ("randn 16M", lambda: torch.randn(E)),
            ("randn 4M f64", lambda: torch.randn(E // 4, dtype=f64)),
            ("normal 4M", lambda: torch.normal(1.0, 2.0, (E // 4,))),
            ("randint 4M", lambda: torch.randint(0, 100, (E // 4,))),
            ("bernoulli 16M", lambda: torch.empty(E, dtype=bool_).bernoulli_(0.5)),
            ("randperm 1e6", lambda: torch.randperm(1000000))):
        value(name, [], function, varies=True)
    value("dropout 16M", [numbers(E)], lambda x: F.dropout(x, 0.1), varies=True)
    value("dropout 4M f64", [numbers(E // 4, dtype=f64)], lambda x: F.dropout(x, 0.1), varies=True)
    grad("dropout fwd+bwd 16M", [numbers(E)], lambda x: F.dropout(x, 0.1), varies=True)
    value("bernoulli mask mul f64 4M", [numbers(E // 4, dtype=f64)],
          lambda x: x * torch.empty(E // 4, dtype=bool_).bernoulli_(0.5), varies=True)
    for name, function in (("arange 16M", lambda: torch.arange(E)),
                           ("linspace 16M", lambda: torch.linspace(0, 1, E)),
                           ("zeros 16M", lambda: torch.zeros(E)),
                           ("full 16M", lambda: torch.full((E,), 3.0)),
                           ("ones i64 8M", lambda: torch.ones(E // 2, dtype=i64)),
                           ("eye 4096", lambda: torch.eye(M))):
        value(name, [], function)


for family in (reductions, movement, indexing, sorting, elementwise, casts, creation):
    family()
