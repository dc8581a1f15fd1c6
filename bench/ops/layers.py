"""Products, convolution, pooling, norms, losses, attention, recurrent layers, compositions."""
import torch
import torch.nn.functional as F

from ops.table import (BOTH, CONTIGUOUS, E, M, NAMES, Input, above, bf16, bool_, f16, f32, f64,
                       grad, i32, i64, indices, loss, matrix, numbers, scaled, u8, value)


def products():
    for name, a, b, *dtype in (
            ("matmul 1024 f32", (1024, 1024), (1024, 1024)),
            ("matmul 1024 f64", (1024, 1024), (1024, 1024), f64),
            ("matmul 256 f64", (256, 256), (256, 256), f64),
            ("matmul 1024 bf16", (1024, 1024), (1024, 1024), bf16),
            ("matmul 1024 f16", (1024, 1024), (1024, 1024), f16),
            ("matmul 512 i64", (512, 512), (512, 512), i64),
            ("matmul 512 i32", (512, 512), (512, 512), i32),
            ("matmul 512 u8", (512, 512), (512, 512), u8),
            ("matmul 2048 f32", (2048, 2048), (2048, 2048)),
            ("matmul 128 f32", (128, 128), (128, 128)),
            ("matmul 32 f64", (32, 32), (32, 32), f64),
            ("matmul 512x8x512", (512, 8), (8, 512)),
            ("matmul (1,784)x(784,512)", (1, 784), (784, 512)),
            ("matmul odd 1023x517x331", (1023, 517), (517, 331)),
            ("matmul 8x8", (8, 8), (8, 8)),
            ("matmul 64x64", (64, 64), (64, 64)),
            ("bmm 1000x16x16", (1000, 16, 16), (1000, 16, 16)),
            ("bmm 10000x4x4", (10000, 4, 4), (10000, 4, 4)),
            ("bmm 100000x3x3", (100000, 3, 3), (100000, 3, 3)),
            ("bmm 1000x16x16 f64", (1000, 16, 16), (1000, 16, 16), f64),
            ("bmm 1000x16x16 bf16", (1000, 16, 16), (1000, 16, 16), bf16),
            ("bmm 64x128x128", (64, 128, 128), (64, 128, 128)),
            ("bmm 64x128x128 bf16", (64, 128, 128), (64, 128, 128), bf16),
            ("bmm 8x512x512 f32", (8, 512, 512), (8, 512, 512)),
            ("bmm 512x64x64 f32", (512, 64, 64), (512, 64, 64)),
            ("bmm 2000x8x8 f32", (2000, 8, 8), (2000, 8, 8)),
            ("bmm outer 10000x(16x1)x(1x16)", (10000, 16, 1), (10000, 1, 16)),
            ("bmm dot 100000x(1x16)x(16x1)", (100000, 1, 16), (100000, 16, 1)),
            ("bmm 256x(1x64)x(64x512)", (256, 1, 64), (256, 64, 512)),
            ("bmv 4096x(32x32)x32", (4096, 32, 32), (4096, 32, 1)),
            ("bmm broadcast (64,1,128,64)x(16,64,128)", (64, 1, 128, 64), (16, 64, 128)),
            ("tall (100000,32)x(32,32)", (100000, 32), (32, 32)),
            ("wide K (32,100000)x(100000,32)", (32, 100000), (100000, 32)),
            ("(1e6,3)x(3,3)", (1000000, 3), (3, 3)),
            ("(4096,4096)x(4096,2)", (M, M), (M, 2)),
            ("(8,4096)x(4096,4096)", (8, M), (M, M)),
            ("matvec 4096", (M, M), (M,)),
            ("vecmat 4096", (M,), (M, M)),
            ("matvec 2048 f64", (2048, 2048), (2048,), f64),
            ("dot 16M", (E,), (E,)),
            ("dot 1000", (1000,), (1000,)),
            ("outer by matmul 4096", (M, 1), (1, M))):
        d = dtype[0] if dtype else f32
        value(name, [numbers(*a, dtype=d), numbers(*b, dtype=d)], torch.matmul)

    square = numbers(1024, 1024)
    value("A^T B 1024", [square, square], lambda a, b: a.T @ b)
    value("A^T B 1024 bf16", 2 * [numbers(1024, 1024, dtype=bf16)], lambda a, b: a.T @ b)
    value("A^T B 512 f64", 2 * [numbers(512, 512, dtype=f64)], lambda a, b: a.T @ b)
    value("matvec 4096 A^T", [matrix(), numbers(M)], lambda a, b: a.T @ b)
    value("A^T B^T 1024", [square, square], lambda a, b: a.T @ b.T)
    value("bmm 64x128x128 B^T", 2 * [numbers(64, 128, 128)], lambda a, b: a @ b.mT)
    value("gram X^T X (100000,32)", [numbers(100000, 32)], lambda x: x.T @ x)
    value("matmul 1024 strided view", [numbers(1024, 2048), square], lambda a, b: a[:, ::2] @ b)
    value("matmul 512 f64 by f32 promoted", [numbers(512, 512, dtype=f64), numbers(512, 512)],
          lambda a, b: a @ b.double())
    value("outer 4096", [numbers(M, 1), numbers(1, M)], lambda a, b: a * b)
    value("row dots sum(a*b,-1) (100000,64)", 2 * [numbers(100000, 64)],
          lambda a, b: (a * b).sum(1))

    def layer(rows, inside, out, dtype=f32):
        return [numbers(*shape, dtype=dtype) for shape in ((rows, inside), (out, inside), (out,))]

    value("linear (4096,512)->512 f64", layer(4096, 512, 512, f64), F.linear)
    for rows in (1, 32):
        value(f"linear ({rows},784) W (512,784)", [numbers(rows, 784), numbers(512, 784)],
              F.linear)
    grad("linear fwd+bwd (512,1024)->1024", layer(512, 1024, 1024), F.linear)
    grad("linear fwd+bwd bf16 (512,1024)->1024", layer(512, 1024, 1024, bf16), F.linear)
    grad("linear fwd+bwd f64 (256,256)->256", layer(256, 256, 256, f64), F.linear)
    loss("bmm 1000x16x16 bwd", 2 * [numbers(1000, 16, 16)], lambda a, b: (a @ b).square().sum())


def convolution():
    for name, x, weight, options, *dtype in (
            ("3x3 64 56", (8, 56, 56, 64), (64, 3, 3, 64), dict(padding=1)),
            ("3x3 b1 56 64", (1, 56, 56, 64), (64, 3, 3, 64), dict(padding=1)),
            ("3x3 512 7x7 b1", (1, 7, 7, 512), (512, 3, 3, 512), dict(padding=1)),
            ("3x3 1024->64 14x14", (8, 14, 14, 1024), (64, 3, 3, 1024), dict(padding=1)),
            ("3x3 odd channels 13->17", (8, 28, 28, 13), (17, 3, 3, 13), dict(padding=1)),
            ("3x3 s2", (8, 56, 56, 64), (128, 3, 3, 64), dict(stride=2, padding=1)),
            ("3x3 f64", (8, 32, 32, 16), (32, 3, 3, 16), dict(padding=1), f64),
            ("3x3 f64 b4 14 64", (4, 14, 14, 64), (64, 3, 3, 64), dict(padding=1), f64),
            ("3x3 bf16", (8, 28, 28, 64), (64, 3, 3, 64), dict(padding=1), bf16),
            ("3x3 f16", (8, 28, 28, 64), (64, 3, 3, 64), dict(padding=1), f16),
            ("3x3 dilation 2", (8, 28, 28, 64), (64, 3, 3, 64), dict(padding=2, dilation=2)),
            ("3x3 d=4 aspp 256", (2, 32, 32, 256), (64, 3, 3, 256), dict(padding=4, dilation=4)),
            ("1x1 64->256", (8, 56, 56, 64), (256, 1, 1, 64), {}),
            ("1x1 b1 56 64->256", (1, 56, 56, 64), (256, 1, 1, 64), {}),
            ("1x1 512->512 7x7 b32", (32, 7, 7, 512), (512, 1, 1, 512), {}),
            ("1x1 s2", (8, 56, 56, 64), (128, 1, 1, 64), dict(stride=2)),
            ("2x2 s2", (32, 32, 32, 64), (128, 2, 2, 64), dict(stride=2)),
            ("4x4 s2 gan", (32, 32, 32, 64), (128, 4, 4, 64), dict(stride=2, padding=1)),
            ("5x5 32", (8, 28, 28, 32), (64, 5, 5, 32), dict(padding=2)),
            ("7x7 64", (4, 56, 56, 64), (64, 7, 7, 64), dict(padding=3)),
            ("15x15 16", (2, 64, 64, 16), (16, 15, 15, 16), dict(padding=7)),
            ("31x31", (1, 64, 64, 8), (8, 31, 31, 8), dict(padding=15)),
            ("1xk 1x7", (8, 28, 28, 64), (64, 1, 7, 64), dict(padding=(0, 3))),
            ("1xW full width", (16, 32, 100, 8), (32, 1, 100, 8), {}),
            # First layers.
            ("stem 7x7 s2", (8, 224, 224, 3), (64, 7, 7, 3), dict(stride=2, padding=3)),
            ("patch 16x16 s16", (8, 224, 224, 3), (192, 16, 16, 3), dict(stride=16)),
            ("11x11 s4", (8, 224, 224, 3), (64, 11, 11, 3), dict(stride=4, padding=2)),
            ("5x5 s2 3->32 96", (16, 96, 96, 3), (32, 5, 5, 3), dict(stride=2, padding=2)),
            ("first 1->32 28x28 b128", (128, 28, 28, 1), (32, 3, 3, 1), {}),
            ("5x5 1->6 lenet b256", (256, 28, 28, 1), (6, 5, 5, 1), {}),
            ("5x5 6->16 lenet b256", (256, 12, 12, 6), (16, 5, 5, 6), {}),
            ("huge image 3->3 5x5", (1, 1080, 1920, 3), (3, 5, 5, 3), dict(padding=2)),
            ("blur 1->1 9x9", (1, 1080, 1920, 1), (1, 9, 9, 1), dict(padding=4)),
            # In groups.
            ("3x3 groups 4", (8, 28, 28, 128), (128, 3, 3, 32), dict(padding=1, groups=4)),
            ("3x3 groups 32", (8, 28, 28, 128), (128, 3, 3, 4), dict(padding=1, groups=32)),
            ("depthwise 3x3", (8, 56, 56, 96), (96, 3, 3, 1), dict(padding=1, groups=96)),
            ("depthwise 3x3 s2", (8, 56, 56, 96), (96, 3, 3, 1),
             dict(stride=2, padding=1, groups=96)),
            ("depthwise 3x3 b1 112", (1, 112, 112, 32), (32, 3, 3, 1), dict(padding=1, groups=32)),
            ("depthwise 5x5 s1", (8, 28, 28, 120), (120, 5, 5, 1), dict(padding=2, groups=120)),
            ("depthwise 7x7", (8, 28, 28, 192), (192, 7, 7, 1), dict(padding=3, groups=192)),
            ("depthwise multiplier 2", (8, 28, 28, 32), (64, 3, 3, 1), dict(padding=1, groups=32)),
            ("depthwise dilated", (8, 28, 28, 64), (64, 3, 3, 1),
             dict(padding=2, dilation=2, groups=64)),
            ("depthwise 1d k31", (8, 1, 1024, 256), (256, 1, 31, 1),
             dict(padding=(0, 15), groups=256)),
            # One-dimensional.
            ("1d k5", (16, 1, 1024, 32), (64, 1, 5, 32), dict(padding=(0, 2))),
            ("1d as W=1 k5", (16, 1024, 1, 32), (64, 5, 1, 32), dict(padding=(2, 0))),
            ("1d k3 dilated 8", (16, 1, 4096, 32), (32, 1, 3, 32),
             dict(padding=(0, 8), dilation=(1, 8))),
            ("1d k31 64->64", (8, 1, 1024, 64), (64, 1, 31, 64), dict(padding=(0, 15))),
            ("1d wavenet d=512", (4, 1, 8192, 32), (64, 1, 2, 32), dict(dilation=(1, 512))),
            ("1d long 1->16 k64 s16", (8, 1, 65536, 1), (16, 1, 64, 1), dict(stride=(1, 16)))):
        d = dtype[0] if dtype else f32
        inputs = [numbers(*x, dtype=d), numbers(*weight, dtype=d)]

        def convolved(x, w, options=options):
            return F.conv2d(x, w, None, **options)
        value("conv " + name, inputs, convolved, layouts=BOTH)
        if d != f16:
            grad("conv fwd+bwd " + name, inputs, convolved, layouts=BOTH)


def pooling():
    images, fewer = numbers(32, 56, 56, 64), numbers(16, 56, 56, 64)
    for name, x, function in (
            ("max_pool 3x3 s2", images, lambda x: F.max_pool2d(x, 3, 2, 1)),
            ("max_pool 2x2 C=1", numbers(256, 28, 28, 1), lambda x: F.max_pool2d(x, 2)),
            ("max_pool f64", numbers(8, 56, 56, 64, dtype=f64), lambda x: F.max_pool2d(x, 2)),
            ("max_pool 2x2 s1", fewer, lambda x: F.max_pool2d(x, 2, 1)),
            ("max_pool 5x5 s1 p2", numbers(16, 28, 28, 64), lambda x: F.max_pool2d(x, 5, 1, 2)),
            ("avg_pool 2x2", images, lambda x: F.avg_pool2d(x, 2)),
            ("avg_pool 3x3 s1 p1", fewer, lambda x: F.avg_pool2d(x, 3, 1, 1)),
            ("avg_pool 7x7 global", numbers(32, 7, 7, 512), lambda x: F.avg_pool2d(x, 7)),
            ("global mean NHWC", images, lambda x: x.mean((2, 3)))):
        value(name, [x], function, layouts=BOTH)
    grad("max_pool 2x2 fwd+bwd", [images], lambda x: F.max_pool2d(x, 2), layouts=BOTH)
    grad("max_pool 3x3 s2 fwd+bwd", [images], lambda x: F.max_pool2d(x, 3, 2, 1), layouts=BOTH)
    grad("avg_pool 2x2 fwd+bwd", [images], lambda x: F.avg_pool2d(x, 2), layouts=BOTH)


def normalisation():
    def along_0(x):
        return x.softmax(0)

    def along_1(x):
        return x.softmax(1)

    value("softmax axis0", [matrix()], along_0)
    value("softmax axis1", [matrix()], along_1)
    for d in (bf16, f64):
        value(f"softmax axis0 {NAMES[d]}", [matrix(d)], along_0)
    value("softmax axis1 f64", [numbers(M, 1024, dtype=f64)], along_1)
    value("softmax axis1 bf16", [matrix(bf16)], along_1)
    value("softmax middle (64,64,4096)", [numbers(64, 64, 4096)], along_1)
    value("softmax (64,50000)", [numbers(64, 50000)], along_1)
    value("softmax over 3 of (1e6,3)", [numbers(1000000, 3)], along_1)
    value("softmax over axis 0 of (3,1e6)", [numbers(3, 1000000)], along_0)
    value("log_softmax axis0", [matrix()], lambda x: x.log_softmax(0))
    grad("softmax fwd+bwd axis1", [matrix()], along_1)
    grad("softmax fwd+bwd axis0", [matrix()], along_0)
    grad("softmax bwd bf16", [numbers(M, 1024, dtype=bf16)], along_1)

    def affine(*shape, dtype=f32):
        return [numbers(*s, dtype=dtype) for s in (shape, shape[-1:], shape[-1:])]

    def layer(x, weight, bias):
        return F.layer_norm(x, x.shape[-1:], weight, bias)

    def batch(x, weight, bias):
        return F.batch_norm(x, None, None, weight, bias, training=True)

    def rms(x, weight):
        return F.rms_norm(x, x.shape[-1:], weight, 1e-6)

    value("layer_norm (8192,1024)", affine(8192, 1024), layer)
    value("layer_norm f64 (8192,256)", affine(8192, 256, dtype=f64), layer)
    value("layer_norm bf16", affine(8192, 1024, dtype=bf16), layer)
    value("layer_norm (100000,16)", [numbers(100000, 16)], lambda x: F.layer_norm(x, (16,)))
    grad("layer_norm fwd+bwd", affine(8192, 1024), layer)
    grad("layer_norm fwd+bwd f64", affine(4096, 256, dtype=f64), layer)
    grad("layer_norm bwd bf16", affine(8192, 1024, dtype=bf16), layer)
    grad("batch_norm fwd+bwd (32,28,28,64)", affine(32, 28, 28, 64), batch, layouts=BOTH)
    grad("batch_norm fwd+bwd f64 (8,28,28,64)", affine(8, 28, 28, 64, dtype=f64), batch,
         layouts=BOTH)
    value("rms norm (8192,1024)", [numbers(8192, 1024), numbers(1024)], rms)
    grad("rms norm bwd", [numbers(8192, 1024), numbers(1024)], rms)
    value("group norm (32,28,28,64) 8 groups", [numbers(32, 28, 28, 64)],
          lambda x: F.group_norm(x, 8), layouts=CONTIGUOUS)
    value("instance norm NHWC", [numbers(32, 28, 28, 64)], F.instance_norm,
          layouts=CONTIGUOUS)
    value("standardise columns (100000,64)", [numbers(100000, 64)],
          lambda x: (x - x.mean(0)) / x.std(0))


def losses():
    for name, shape, d in (("(4096,8000)", (4096, 8000), f32), ("(65536,10)", (65536, 10), f32),
                           ("f64 (4096,1000)", (4096, 1000), f64)):
        loss("cross_entropy fwd+bwd " + name,
             [numbers(*shape, dtype=d), indices(shape[1], shape[0])], F.cross_entropy)
    loss("mse fwd+bwd 16M", 2 * [numbers(E)], F.mse_loss)
    target = Input((E // 4,), f32, lambda s, d: torch.rand(s), fixed=True)
    loss("bce fwd+bwd 4M", [numbers(E // 4), target], F.binary_cross_entropy_with_logits)
    value("kl divergence", 2 * [numbers(4096, 1000)], lambda a, b: F.kl_div(
        b.log_softmax(1), a.log_softmax(1), reduction="sum", log_target=True))


def attention():
    attend = F.scaled_dot_product_attention

    def qkv(batch, heads, queries, keys, features, dtype=f32):
        return [numbers(batch, heads, steps, features, dtype=dtype)
                for steps in (queries, keys, keys)]

    def causal(q, k, v):
        return attend(q, k, v, is_causal=True)

    usual, shorter = qkv(4, 8, 512, 512, 64), qkv(4, 8, 256, 256, 64)
    value("attention (4,8,512,64)", usual, attend)
    value("attention causal", usual, causal)
    value("attention f64 (2,8,256,64)", qkv(2, 8, 256, 256, 64, f64), attend)
    value("attention bf16", qkv(4, 8, 512, 512, 64, bf16), attend)
    value("attention head 16 (16,8,128,16)", qkv(16, 8, 128, 128, 16), attend)
    value("attention T 2048 d 64", qkv(1, 8, 2048, 2048, 64), attend)
    value("attention d 128", qkv(2, 8, 512, 512, 128), attend)
    value("attention d 80", qkv(2, 8, 512, 512, 80), attend)
    value("attention decode 1x1024", qkv(8, 16, 1, 1024, 64), attend)
    value("attention float mask", [*usual, numbers(512, 512)], attend)
    value("attention bool mask", [*usual, numbers(4, 1, 512, 512, dtype=bool_)], attend)
    value("attention key padding", [*usual, above(-1, 4, 1, 1, 512)], attend)
    grad("attention causal fwd+bwd", usual, causal)
    grad("attention dropout fwd+bwd", shorter, lambda q, k, v: attend(q, k, v, dropout_p=0.1),
         varies=True)
    seen = Input((256, 256), bool_, lambda s, d: torch.ones(s, dtype=d).tril())
    grad("attention fwd+bwd mask", [*shorter, seen], attend)
    grad("attention fwd+bwd bf16", qkv(4, 8, 256, 256, 64, bf16), attend)
    grad("attention fwd+bwd f64", qkv(2, 4, 128, 128, 32, f64), attend)


def recurrent():
    def layer(steps, batch, inside, hidden, gates, dtype=f32):
        bias = numbers(gates * hidden, dtype=dtype)
        return [numbers(steps, batch, inside, dtype=dtype),
                scaled(0.1, gates * hidden, inside, dtype=dtype),
                scaled(0.1, gates * hidden, hidden, dtype=dtype), bias, bias]

    def over(function, states):
        """All states of one layer; what nn.LSTM, nn.GRU and nn.RNN call."""
        def run(x, *weights):
            first = torch.zeros(1, x.shape[1], weights[1].shape[1], dtype=x.dtype)
            return function(x, (first, first) if states == 2 else first, weights, True, 1, 0.0,
                            torch.is_grad_enabled(), False, False)[0]
        return run

    lstm = over(torch.lstm, 2)
    value("lstm (64,32,128)->128", layer(64, 32, 128, 128, 4), lstm)
    grad("lstm fwd+bwd", layer(64, 32, 128, 128, 4), lstm)
    grad("lstm fwd+bwd f64", layer(32, 16, 64, 64, 4, f64), lstm)
    grad("lstm fwd+bwd long (1000,4,32)->32", layer(1000, 4, 32, 32, 4), lstm)
    grad("gru fwd+bwd", layer(64, 32, 128, 128, 3), over(torch.gru, 1))
    grad("rnn fwd+bwd", layer(64, 32, 128, 128, 1), over(torch.rnn_tanh, 1))


def compositions():
    def horner(x):
        y = x
        for _ in range(20):
            y = y * x + 0.5
        return y

    def intersections(a, b):
        def side(low, high):
            return (torch.minimum(a[..., high], b[..., high]) -
                    torch.maximum(a[..., low], b[..., low])).clamp(min=0)
        return side(0, 2) * side(1, 3)

    def rotated(x, angles):
        a, b, c, s = x[..., :32], x[..., 32:], angles.cos(), angles.sin()
        return torch.cat((a * c - b * s, a * s + b * c), 3)

    value("diff x[1:] - x[:-1] axis1", [matrix()], lambda x: x[:, 1:] - x[:, :-1])
    value("total variation", [matrix()], lambda x: (x[:, 1:] - x[:, :-1]).abs().sum())
    value("pairwise distances 1000x1000x64", [numbers(1000, 1, 64), numbers(1, 1000, 64)],
          lambda a, b: (a - b).square().sum(2))
    loss("pairwise distances bwd", [numbers(500, 1, 64), numbers(1, 500, 64)],
         lambda a, b: ((a - b).square().sum(2) + 1e-6).sqrt().sum())
    value("kNN topk 10 of 2000x2000x32", 2 * [numbers(2000, 32)],
          lambda a, b: torch.cdist(a, b).topk(10, largest=False).values)
    value("cosine similarity (100000,64)", 2 * [numbers(100000, 64)], F.cosine_similarity)
    value("horner 20 terms 4M", [numbers(4000000)], horner)
    value("gumbel argmax (4096,1000)", [numbers(4096, 1000)],
          lambda x: (x - torch.log(-torch.log(torch.rand_like(x) + 1e-9))).argmax(1), varies=True)
    value("histogram by compare (1e6, 20 bins)", [numbers(1000000, 1)],
          lambda x: torch.histc(x, 20, -3, 3))
    value("box iou 1000x1000", [numbers(1000, 1, 4), numbers(1, 1000, 4)], intersections)
    value("rotary (4,8,512,64)", [numbers(4, 8, 512, 64), numbers(512, 32)], rotated)


for family in (products, convolution, pooling, normalisation, losses, attention, recurrent,
               compositions):
    family()
