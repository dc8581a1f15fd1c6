#!/usr/bin/env python3
"""Holds changes of pictures against torchvision.transforms.v2.functional, live: what goes by tables
and nearest pixels must be equal, what is a mean of pixels the rounded one of f64.

Run by tests/parity/run.
"""
import pathlib
import subprocess
import sys

from package import WORK, compiled, peers

with peers():
    import numpy as np
    import torch
    try:
        import torchvision
    except RuntimeError:  # built for another torch: its operators, which are not needed, are missing
        operators = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision.transforms.v2 as T
    import torchvision.transforms.v2.functional as F
    from torchvision import tv_tensors

PROGRAM = compiled(pathlib.Path(__file__).with_name("transforms.cpp"))
OPERATIONS = ["Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness",
              "Color", "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
              "Invert"]
PADDING = ["constant", "edge", "reflect", "symmetric"]
MODES = ["nearest", "bilinear"]
CORNERS = [(0, 0), (40, 3), (41, 29), (2, 25)], [(3, 2), (37, 0), (38, 30), (0, 24)]


def colours():
    for channels in (1, 3):
        yield "rgb_to_grayscale", [channels]
    for factor in (0, 0.3, 0.7, 1, 1.25, 1.9, 3.5):
        for name in ("brightness", "contrast", "saturation", "sharpness"):
            yield f"adjust_{name}", [factor]
    for factor in (-0.5, -0.31, -0.05, 0, 0.1, 0.25, 0.5):
        yield "adjust_hue", [factor]
    for gamma, gain in ((1, 1), (0.5, 1), (2.2, 1), (0.7, 1.5)):
        yield "adjust_gamma", [gamma, gain]
    for bits in range(9):
        yield "posterize", [bits]
    for threshold in (0, 17, 127.5, 128, 255):
        yield "solarize", [threshold]
    for name in ("invert", "autocontrast", "equalize"):
        yield name, []
    yield "erase", [2, 3, 7, 11, 99]
    for kernel in ((3, 3, 0.8, 0.8), (5, 9, 1.5, 0.7), (11, 3, 3, 0.1)):
        yield "gaussian_blur", kernel
    for at, name in enumerate(OPERATIONS):
        for magnitude in {"Posterize": (0, 3, 8), "Solarize": (0, 0.33, 1)}.get(
                name, (0.213, -0.17) if "Shear" in name else
                (4.3, -7.9) if "Trans" in name else (17.3, -41) if name == "Rotate" else (0.6, -0.81)):
            yield "operation", [at, magnitude]


def places(height, width):
    yield "horizontal_flip", []
    yield "vertical_flip", []
    for box in ((0, 0, 5, 7), (3, 2, 10, 9), (-4, -3, height + 9, width + 5)):
        yield "crop", box
    for size in ((10, 9), (height, width), (height + 5, width + 8), (7, width + 1)):
        yield "center_crop", size
    for mode in range(4):
        yield "pad", [4, mode, 31 if mode == 0 else 0]
    for box in ((2, 3, 10, 12, 20, 17), (0, 0, height, width, 9, 31)):
        yield "resized_crop", box
    for mode in (0, 1):
        # A colour beyond the edge for the nearest only: of a mean, torchvision counts the part that
        # lies outside twice.
        fill = 0 if mode else 77
        for numbers in ((29.3, 0, 0, 1, 0, 0), (0, 5, -3, 1, 0, 0), (-13, 2, 1, 1.3, 0, 0),
                        (7.1, 0, 0, 0.8, 21.3, -11.7)):
            yield "affine", [*numbers, mode, fill]
            yield "affine", [*numbers, mode, fill, 3.25, 7.5]
        for angle in (0, 31.7, -100.3, 180, 270.2):
            for expand in (0, 1):
                yield "rotate", [angle, mode, expand, fill]
        for angle in (90, 270):  # without expand, pixels of odd sizes lie half between others
            yield "rotate", [angle, mode, 1, fill]
        yield "perspective", [*np.ravel(CORNERS), mode]
        yield "elastic", [mode]


def reference(name, a, image, boxes, mask, displacement):
    """What torchvision makes of picture, boxes and mask; the picture may be of floats."""
    size = image.shape[-2:]
    boxes = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size)
    image, mask = tv_tensors.Image(image), tv_tensors.Mask(mask)
    both = lambda f: [f(image), f(boxes), f(mask)]
    if name == "operation":
        operation = OPERATIONS[a[0]]
        if operation == "Posterize":
            a = [a[0], int(a[1])]
        policy = T.RandAugment()
        return [policy._apply_image_or_video_transform(image, operation, a[1], policy.interpolation,
                                                       policy._fill)]
    if name == "gaussian_blur":
        return [F.gaussian_blur(image, [a[1], a[0]], [a[3], a[2]])]
    if name == "erase":
        return [F.erase(image, *a[:4], torch.tensor(a[4], dtype=image.dtype))]
    if name == "pad":
        if a[1] > 0:
            return [F.pad(image, [a[0]] * 4, padding_mode=PADDING[a[1]])]
        return [F.pad(image, [a[0]] * 4, fill=a[2]), F.pad(boxes, [a[0]] * 4),
                F.pad(mask, [a[0]] * 4)]
    if name == "resized_crop":
        return both(lambda x: F.resized_crop(x, *a[:4], a[4:], antialias=True))
    if name == "center_crop":
        return both(lambda x: F.center_crop(x, list(a)))
    if name == "affine":
        return both(lambda x: F.affine(
            x, a[0], a[1:3], a[3], a[4:6], center=a[8:] or None,
            **({} if x is boxes else dict(fill=None) if x is mask else
               dict(interpolation=MODES[a[6]], fill=[a[7]] if a[7] else None))))
    if name == "rotate":
        return both(lambda x: F.rotate(
            x, a[0], expand=bool(a[2]),
            **({} if x is boxes else dict(fill=None) if x is mask else
               dict(interpolation=MODES[a[1]], fill=[a[3]] if a[3] else None))))
    if name == "perspective":
        points = [[list(p) for p in corners] for corners in CORNERS]
        return both(lambda x: F.perspective(
            x, *points, **(dict(interpolation=MODES[a[16]]) if x is image else {})))
    if name == "elastic":
        return both(lambda x: F.elastic(
            x, displacement, **(dict(interpolation=MODES[a[0]]) if x is image else {})))
    if name in ("horizontal_flip", "vertical_flip"):
        return both(getattr(F, name))
    if name == "crop":
        return both(lambda x: F.crop(x, *a))
    return [getattr(F, name)(image, *a)]


# What is a mean of pixels, not of a table.
def is_mean(name, a):
    return (name in ("gaussian_blur", "resized_crop") or (name == "affine" and a[6]) or
            (name == "rotate" and a[1]) or (name == "perspective" and a[16]) or
            (name == "elastic" and a[0]))


rng = np.random.default_rng(0)
checked = 0
for height, width, channels in ((33, 47, 3), (28, 28, 1), (24, 19, 3)):
    smooth = rng.normal(size=(height, width, channels)).cumsum(0).cumsum(1)
    image = np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))
    image[5:9, 3:12] = rng.integers(0, 256, (4, 9, channels), np.uint8)
    corners = rng.uniform(0, 1, (6, 2, 2)) * [width, height]
    boxes = np.float32(np.concatenate([corners.min(1), corners.max(1)], 1))
    mask = rng.integers(0, 5, (height, width), np.uint8)
    displacement = np.float32(rng.uniform(-0.2, 0.2, (height, width, 2)))
    cases = [(name, list(a)) for name, a in colours()
             if channels == 3 or name not in ("adjust_hue", "adjust_saturation")]
    cases += [(name, list(a)) for name, a in places(height, width)]
    np.savez(WORK / "in.npz", image=image, boxes=boxes, mask=mask, displacement=displacement)
    (WORK / "cases.txt").write_text(
        "".join(f"{name} {' '.join(repr(float(v)) for v in a)}\n" for name, a in cases))
    subprocess.run([PROGRAM, WORK / "in.npz", WORK / "cases.txt", WORK / "out.npz"], check=True)
    out = np.load(WORK / "out.npz")
    picture = torch.from_numpy(image).permute(2, 0, 1)
    for i, (name, a) in enumerate(cases):
        a = [int(v) if float(v).is_integer() else float(v) for v in a]
        if name == "adjust_gamma":
            a = [float(v) for v in a]
        # Coordinates in f64 on both sides: those of f32 take other pixels at a tie.
        exact = name in ("affine", "rotate", "perspective", "elastic", "operation") and (
            name != "operation" or 0 < a[0] < 6)
        source = picture.double() if exact or is_mean(name, a) else picture
        want = reference(name, a, source, torch.from_numpy(boxes).double(),
                         torch.from_numpy(mask)[None].double(), torch.from_numpy(displacement)[None])
        for part, expected in zip(("image", "boxes", "mask"), want):
            if f"{i}.{part}" not in out:
                continue
            got = out[f"{i}.{part}"].astype(np.float64)
            expected = expected.double().numpy()
            if part == "image":
                expected = expected.transpose(1, 2, 0)
            if part == "mask":
                expected = expected[0]
            if got.shape != expected.shape:
                sys.exit(f"{name} {a} of {image.shape}: {part} is {got.shape}, not {expected.shape}")
            # What is a mean is rounded; boxes are f32.
            tolerance = (2e-4 if part == "boxes" else
                         0.502 if part == "image" and is_mean(name, a) else 0)
            worst = np.abs(got - expected).max()
            if not worst <= tolerance:
                sys.exit(f"{name} {a} of {image.shape}: {part} differs by {worst}")
            checked += 1
print(f"transforms: {checked} pictures, boxes and masks as torchvision's")
