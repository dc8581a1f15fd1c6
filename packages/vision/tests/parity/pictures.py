#!/usr/bin/env python3
"""Holds the reading of pictures and their resizing against Pillow, likeness against scikit-image,
overlaps against torchvision and COCO's measure against pycocotools, live.

Run by tests/parity/run.
"""
import contextlib
import io
import json
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
    from PIL import Image

PROGRAM = compiled(pathlib.Path(__file__).with_name("pictures.cpp"))
rng = np.random.default_rng(0)
counts = {}


def run(*words):
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{words}: {done.stderr}")
    return done.stdout


def hold(what, got, want, tolerance):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    if got.shape != want.shape or not np.abs(got - want).max() <= tolerance:
        sys.exit(f"{what}: {got.shape} and {want.shape}, differs by "
                 f"{np.abs(got - want).max() if got.shape == want.shape else 'shape'}")
    counts[what.split()[0]] = counts.get(what.split()[0], 0) + 1


def smooth(h, w, c):
    x = rng.normal(size=(h, w, c)).cumsum(0).cumsum(1)
    return np.uint8(255 * (x - x.min()) / np.ptp(x))


def formats():
    rgb, grey = smooth(37, 53, 3), smooth(41, 30, 1)[:, :, 0]
    rgba = np.concatenate([rgb, smooth(37, 53, 1)], 2)
    deep = np.uint16(np.arange(20 * 30).reshape(20, 30) * 109)
    files = {}

    def save(name, array, exact=True, **more):
        path = WORK / name
        (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(path, **more)
        files[path] = exact
    for how in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        save(f"rgb_{how}.tif", rgb, compression=how)
        save(f"grey_{how}.tif", grey, compression=how)
        save(f"rgba_{how}.tif", rgba, compression=how)
        save(f"deep_{how}.tif", deep, compression=how)
    save("bits.tif", Image.fromarray(grey).convert("1"))
    save("palette.tif", Image.fromarray(rgb).quantize(32))
    save("lzw_predicted.tif", rgb, compression="tiff_lzw", tiffinfo={317: 2})
    save("many_strips.tif", smooth(300, 200, 3), compression="tiff_lzw", strip_size=4096)
    save("rgb.gif", Image.fromarray(rgb).quantize(200))
    save("few.gif", Image.fromarray(rgb).quantize(3))
    save("grey.gif", Image.fromarray(grey))
    save("lines.gif", Image.fromarray(smooth(200, 150, 3)).quantize(256), interlace=1)
    save("whole.webp", rgb, lossless=True)
    save("alpha.webp", rgba, lossless=True, exact=True)
    save("lossy.webp", rgb, quality=80)
    save("rgb.ppm", rgb)
    save("grey.pgm", grey)
    save("bits.pbm", Image.fromarray(grey).convert("1"))
    save("deep.pgm", deep)
    save("deep.png", deep)
    save("rgb.png", rgb)
    turned = Image.Exif()
    turned[0x0112] = 6
    save("turned.jpg", Image.fromarray(rgb), exact=False, exif=turned, quality=95)
    run("read", *files)
    for path, exact in files.items():
        image = Image.open(path)
        got, full = np.load(f"{path}.npy"), np.load(f"{path}.float.npy")
        if image.mode in ("I;16", "I", "I;16B"):
            want = np.asarray(image).astype(np.float64)
            hold("formats " + path.name, full[:, :, 0] * 65535, want, 0.01)
            hold("formats " + path.name, got[:, :, 0], want // 256, 1)
            continue
        if path.name == "turned.jpg":
            image = image.transpose(Image.Transpose.ROTATE_270)
        image = image.convert({"P": "RGB", "1": "L"}.get(image.mode, image.mode))
        want = np.asarray(image).reshape(got.shape[0], got.shape[1], -1)
        if path.suffix == ".gif" and want.shape[2] == 1 and got.shape[2] == 3:
            want = want.repeat(3, 2)
        hold("formats " + path.name, got, want, 0 if exact else 2)
        hold("formats " + path.name, full, want / 255, 1e-6 if exact else 2 / 255)


def resizing():
    filters = [Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC,
               Image.Resampling.LANCZOS]
    for shape in ((64, 48, 3), (37, 91, 3), (50, 50, 1)):
        image = smooth(*shape)
        image[5:12, 3:9] = rng.integers(0, 256, (7, 6, shape[2]))
        np.save(WORK / "in.npy", image)
        pil = Image.fromarray(image if shape[2] == 3 else image[:, :, 0])
        for size in ((32, 24), (17, 100), (90, 31), (128, 96), (1, 1)):
            for i, f in enumerate(filters):
                run("resize", WORK / "in.npy", WORK / "out.npy", *size, i)
                want = np.asarray(pil.resize(size[::-1], f)).reshape(*size, -1)
                hold(f"resize {shape} to {size} by {f}", np.load(WORK / "out.npy"), want, 1)


def likeness():
    try:
        from skimage.metrics import peak_signal_noise_ratio, structural_similarity
    except ImportError:
        return print("  SKIPPED: no scikit-image")
    for shape in ((40, 33, 3), (64, 64, 1)):
        a = smooth(*shape)
        b = np.uint8(np.clip(a + rng.normal(0, 12, shape), 0, 255))
        np.save(WORK / "a.npy", a), np.save(WORK / "b.npy", b)
        got = [float(v) for v in run("alike", WORK / "a.npy", WORK / "b.npy").split()]
        hold("likeness psnr", got[0], peak_signal_noise_ratio(a, b), 1e-9)
        hold("likeness ssim", got[1], structural_similarity(a, b, channel_axis=2), 1e-9)
        hold("likeness gaussian", got[2],
             structural_similarity(a, b, channel_axis=2, gaussian_weights=True, sigma=1.5,
                                   use_sample_covariance=False), 1e-9)


def overlaps():
    try:
        import torch
        try:
            import torchvision
        except RuntimeError:
            operators = torch.library.Library("torchvision", "DEF")
            for name in ("nms", "qnms"):
                operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision.ops import box_iou
    except ImportError:
        return print("  SKIPPED: no torchvision")
    corners = rng.uniform(0, 60, (200, 2))
    boxes = np.float32(np.concatenate([corners, corners + rng.uniform(0, 40, (200, 2))], 1))
    scores = np.float32(rng.permutation(200) / 200)
    np.savez(WORK / "in.npz", boxes=boxes, scores=scores)
    run("boxes", WORK / "in.npz", WORK / "out.npz")
    out = np.load(WORK / "out.npz")
    iou = box_iou(torch.from_numpy(boxes), torch.from_numpy(boxes)).numpy()
    hold("overlaps iou", out["iou"], iou, 1e-6)
    kept = []
    for i in np.argsort(-scores):
        if all(iou[i, j] <= 0.4 for j in kept):
            kept.append(i)
    hold("overlaps nms", out["kept"], kept, 0)


def coco():
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        return print("  SKIPPED: no pycocotools")
    for seed in range(4):
        r = np.random.default_rng(seed)
        images, things, found, arrays = [], [], [], {}
        for i in range(30):
            images.append({"id": i + 1, "file_name": f"{i}.png", "width": 320, "height": 320})
            boxes, scores, labels = [], [], []
            for _ in range(r.integers(0, 9)):
                size = r.choice([12, 30, 60, 130]) * r.uniform(0.7, 1.4, 2)
                x, y = r.uniform(0, 320 - size)
                # Numbers that f32 has, too.
                box = [float(np.float32(np.round(v * 4) / 4)) for v in (x, y, *size)]
                label = int(r.integers(1, 4))
                things.append({"id": len(things) + 1, "image_id": i + 1, "category_id": label,
                               "bbox": box, "area": box[2] * box[3] * (0.6 if seed == 1 else 1),
                               "iscrowd": int(seed > 1 and r.random() < 0.15)})
                for _ in range(r.integers(0, 4) if seed < 3 else r.integers(10, 40)):
                    b = np.round((np.array(box) + r.normal(0, 0.12, 4) * np.mean(box[2:])) * 4) / 4
                    b = [*np.maximum(b[:2], 0), *np.maximum(b[2:], 1)]
                    boxes.append([b[0], b[1], b[0] + b[2], b[1] + b[3]])
                    scores.append(np.float32(np.round(r.random() * 50) / 50))
                    labels.append(label - 1 if r.random() < 0.9 else int(r.integers(0, 3)))
                    found.append({"image_id": i + 1, "category_id": labels[-1] + 1,
                                  "bbox": [float(v) for v in b], "score": float(scores[-1])})
            arrays[f"{i:02}.0"] = np.float32(boxes).reshape(-1, 4)
            arrays[f"{i:02}.1"] = np.float32(scores)
            arrays[f"{i:02}.2"] = np.int64(labels)
        path = WORK / "truth.json"
        path.write_text(json.dumps({"images": images, "annotations": things, "categories": [
            {"id": k, "name": str(k)} for k in (1, 2, 3)]}))
        np.savez(WORK / "found.npz", **arrays)
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(path))
            judge = COCOeval(truth, truth.loadRes(found), "bbox")
            judge.evaluate(), judge.accumulate(), judge.summarize()
        got = [float(v) for v in run("coco", path, WORK / "found.npz").split()]
        for g, want in zip(got, judge.stats):
            hold(f"coco seed {seed}", g, want, 1e-12)


for part in (formats, resizing, likeness, overlaps, coco):
    part()
print("pictures: " + ", ".join(f"{k} {v}" for k, v in counts.items()) +
      f": {sum(counts.values())} comparisons")
