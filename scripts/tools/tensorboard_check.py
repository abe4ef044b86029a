#!/usr/bin/env python3
"""Reads event files with the real TensorBoard and says what is in them.

    pip install tensorboard
    python3 scripts/tools/tensorboard_check.py FOLDER [TAG ...]

Fails when a record cannot be read, an image is no PNG of the size that it
claims, a histogram's counts do not add up to its number of elements, or one of
the tags is missing. Not a dependency of the tests: these know the same bytes.
"""
import struct
import sys
import zlib

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.backend.event_processing import event_file_loader


def check_png(image):
    data = image.encoded_image_string
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    assert struct.unpack(">II", data[16:24]) == (image.width, image.height)
    at = 8
    while at < len(data):  # every chunk, with its sum
        size = struct.unpack(">I", data[at:at + 4])[0]
        body = data[at + 4:at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(body)
        at += 12 + size


def main(folder, wanted):
    acc = event_accumulator.EventAccumulator(folder, size_guidance={
        event_accumulator.SCALARS: 0, event_accumulator.IMAGES: 0,
        event_accumulator.HISTOGRAMS: 0})
    acc.Reload()
    tags = acc.Tags()
    for tag in tags["scalars"]:
        points = acc.Scalars(tag)
        print(f"scalar     {tag}: {len(points)} points, last {points[-1].value:.6g} at {points[-1].step}")
    for tag in tags["images"]:
        images = acc.Images(tag)
        for image in images:
            check_png(image)
        print(f"image      {tag}: {len(images)}, {images[-1].width} x {images[-1].height}")
    for tag in tags["histograms"]:
        for event in acc.Histograms(tag):
            h = event.histogram_value
            assert sum(h.bucket) == h.num, (tag, sum(h.bucket), h.num)
            assert list(h.bucket_limit) == sorted(h.bucket_limit)
    print(f"histograms {len(tags['histograms'])}")
    missing = set(wanted) - {t for kind in ("scalars", "images", "histograms") for t in tags[kind]}
    assert not missing, f"missing: {missing}"
    # The web page's own way: every old value becomes a tensor of a plugin.
    import glob
    plugins = set()
    for name in glob.glob(folder + "/*tfevents*"):
        for event in event_file_loader.EventFileLoader(name).Load():
            for value in event.summary.value:
                plugins.add(value.metadata.plugin_data.plugin_name)
    print("plugins    " + " ".join(sorted(plugins)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
