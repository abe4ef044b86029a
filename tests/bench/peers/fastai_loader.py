"""How fast fastai makes batches of the chapter's pipeline: what
tests/bench/loader.lua times. Prints one line of JSON.

usage: fastai_loader.py --data FOLDER [--item-size N] [--size N] [--bs N]
                        [--workers N] [--images N]

One pass over the training set, whole batches, as a training would make it: the
start of the workers is in it. --images: only so many images (0: all).
"""
import argparse
import json
import time
from pathlib import Path

from fastai_data import loaders

p = argparse.ArgumentParser()
p.add_argument("--data", type=Path, required=True)
p.add_argument("--item-size", type=int, default=160)
p.add_argument("--size", type=int, default=128)
p.add_argument("--bs", type=int, default=64)
p.add_argument("--workers", type=int, default=2)
p.add_argument("--images", type=int, default=0)
o = p.parse_args()

train = loaders(o.data, o.item_size, o.size, o.bs, o.workers, o.images).train
began = time.perf_counter()
n = sum(len(batch[0]) for batch in train)
seconds = time.perf_counter() - began
print(json.dumps({"images": n, "seconds": seconds, "img_per_s": n / seconds}))
