"""Writes tests/golden/images.json: small image files made by Pillow, in base64,
with the pixels that Pillow's convert("RGB") reads from them; and hashes of
larger crops and resizes (the small ones are in resize.json).

    python3 -m venv /tmp/v && /tmp/v/bin/pip install pillow numpy
    /tmp/v/bin/python scripts/tools/golden_images.py > tests/golden/images.json
"""
import base64, io, json, sys
import numpy as np
import PIL
from PIL import Image, ImageOps

BILINEAR = Image.Resampling.BILINEAR
W, H = 13, 10


def picture(bands):
    """Smooth, so that JPEG stays small, with a corner that shows turns."""
    y, x = np.mgrid[0:H, 0:W]
    p = np.stack([x * 19, y * 25, (x + y) * 11, 255 - x * 15], -1)
    p[:3, :4] = (250, 30, 60, 10)
    return np.clip(p, 0, 255).astype(np.uint8)[..., :bands].squeeze()


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def entry(name, data, pixels=None, exact=True):
    if pixels is None:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        pixels = np.asarray(image.convert("RGB"))
    return {"name": name, "file": base64.b64encode(data).decode(),
            "h": pixels.shape[0], "w": pixels.shape[1],
            "tolerance": 0 if exact else 2, "out": pixels.ravel().tolist()}


def entries():
    rgb = Image.fromarray(picture(3))
    rgba = Image.fromarray(picture(4))
    grey = Image.fromarray(picture(1))
    cmyk = Image.fromarray(picture(4), "CMYK")
    palette = rgb.quantize(7)
    yield entry("rgb.jpg", saved(rgb, "JPEG", quality=90))
    yield entry("rgb_444.jpg", saved(rgb, "JPEG", quality=90, subsampling=0))
    yield entry("progressive.jpg", saved(rgb, "JPEG", progressive=True))
    yield entry("grey.jpg", saved(grey, "JPEG", quality=90))
    yield entry("cmyk.jpg", saved(cmyk, "JPEG", quality=90))
    for i in range(1, 10):  # 9 is not an orientation and means nothing
        exif = Image.Exif()
        exif[0x0112] = i
        yield entry(f"exif{i}.jpg", saved(rgb, "JPEG", quality=90, exif=exif))
    yield entry("rgb.png", saved(rgb, "PNG"))
    yield entry("rgba.png", saved(rgba, "PNG"))
    yield entry("grey.png", saved(grey, "PNG"))
    yield entry("grey_alpha.png", saved(rgba.convert("LA"), "PNG"))
    yield entry("one_bit.png", saved(grey.convert("1"), "PNG"))
    yield entry("palette.png", saved(palette, "PNG"))
    yield entry("palette_alpha.png", saved(palette, "PNG", transparency=2))
    wide = picture(1).astype(np.uint16) * 256 + 77
    high = np.repeat(picture(1)[..., None], 3, -1)  # the upper eight bits
    yield entry("grey16.png", saved(Image.fromarray(wide), "PNG"), high)
    yield entry("grey16.tif", saved(Image.fromarray(wide), "TIFF"), high)
    yield entry("rgb.tif", saved(rgb, "TIFF", compression="tiff_lzw"))
    yield entry("cmyk.tif", saved(cmyk, "TIFF", compression="tiff_lzw"))
    yield entry("rgb.webp", saved(rgb, "WEBP", lossless=True))
    yield entry("rgba.webp", saved(rgba, "WEBP", lossless=True, exact=True))
    yield entry("lossy.webp", saved(rgb, "WEBP", quality=90), exact=False)
    yield entry("two_frames.gif", saved(palette, "GIF", save_all=True,
                                        append_images=[palette.rotate(180)]))
    yield entry("rgb.bmp", saved(rgb, "BMP"))
    yield entry("rgb.ppm", saved(rgb, "PPM"))
    yield entry("grey.pgm", saved(grey, "PPM"))


def hashed(k, h, w):
    """The image rule of resize.json."""
    x = (np.arange(1, h * w * 3 + 1, dtype=np.uint64) * 2654435761
         + (k + 1) * 40503) % 2**32
    x = ((x ^ x >> 16) * 2246822519) % 2**32
    x ^= x >> 13
    return (x / 2.0**32 * 256).astype(np.uint8).reshape(h, w, 3)


def fnv1a(data):
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % 2**32
    return value


def resizes():
    """k, h, w, box (x, y, w, h), mirror, out_h, out_w."""
    for k, h, w, box, mirror, oh, ow in [
            (1, 224, 299, (37, 0, 224, 224), 0, 160, 160),
            (2, 224, 299, (37, 0, 224, 224), 1, 160, 160),
            (3, 375, 500, (62, 0, 375, 375), 0, 224, 224),
            (4, 375, 500, (11, 23, 301, 217), 1, 128, 128),
            (5, 400, 120, (0, 0, 120, 400), 0, 64, 110),
            (6, 400, 120, (7, 5, 110, 390), 1, 64, 110),
            (7, 90, 160, (3, 1, 150, 80), 0, 160, 160),
            (8, 90, 160, (3, 1, 150, 80), 1, 80, 150),
            (9, 90, 160, (3, 1, 150, 80), 0, 80, 150),
            (10, 97, 131, (0, 0, 131, 97), 1, 50, 131),
            (11, 97, 131, (0, 0, 131, 97), 0, 97, 50),
            (12, 1000, 9, (0, 0, 9, 1000), 1, 3, 31)]:
        image = Image.fromarray(hashed(k, h, w))
        if mirror:
            image = ImageOps.mirror(image)
        x, y, bw, bh = box
        out = image.crop((x, y, x + bw, y + bh)).resize((ow, oh), BILINEAR)
        yield {"k": k, "h": h, "w": w, "box": box, "mirror": mirror,
               "out_h": oh, "out_w": ow, "fnv1a": fnv1a(out.tobytes())}


json.dump({"_about": f"scripts/tools/golden_images.py, Pillow {PIL.__version__}",
           "files": list(entries()), "resizes": list(resizes())}, sys.stdout, separators=(",", ":"))
