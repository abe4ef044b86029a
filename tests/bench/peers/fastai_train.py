"""What recipes/imagenette.lua trains, in fastai on the CPU: wall time with
loading and validation. Prints one line of JSON; the epoch table is on stderr.

usage: fastai_train.py --data FOLDER [--arch A] [--size N] [--item-size N]
         [--epochs N] [--bs N] [--lr X] [--workers N] [--precision f32|bf16]

Channels-last, which is PyTorch's fastest here. bf16 by autocast.
"""
import argparse
import json
import sys
import time
from pathlib import Path

import torch
from fastai.vision.all import (Callback, CrossEntropyLossFlat, Learner,
                               accuracy, set_seed)
from fastai.vision.models import xresnet

from fastai_data import loaders

p = argparse.ArgumentParser()
p.add_argument("--data", type=Path, required=True)
p.add_argument("--arch", default="xresnet18")
p.add_argument("--size", type=int, default=64)
p.add_argument("--item-size", type=int, default=80)
p.add_argument("--epochs", type=int, default=5)
p.add_argument("--bs", type=int, default=64)
p.add_argument("--lr", type=float, default=3e-3)
p.add_argument("--workers", type=int, default=2)
p.add_argument("--seed", type=int, default=1)
p.add_argument("--precision", default="f32", choices=["f32", "bf16"])
o = p.parse_args()
set_seed(o.seed)


class Autocast(Callback):
    """fastai's to_bf16 is for GPUs: the same for the CPU."""
    order = 10

    def before_batch(self):
        self.learn.xb = tuple(x.to(memory_format=torch.channels_last)
                              for x in self.xb)
        self.cast = torch.autocast("cpu", dtype=torch.bfloat16,
                                   enabled=o.precision == "bf16")
        self.cast.__enter__()

    def after_pred(self):
        self.learn.pred = self.pred.float()

    def after_loss(self):
        self.cast.__exit__(None, None, None)


dls = loaders(o.data, o.item_size, o.size, o.bs, o.workers)
model = getattr(xresnet, o.arch)(n_out=dls.c)
model = model.to(memory_format=torch.channels_last)
learn = Learner(dls, model, loss_func=CrossEntropyLossFlat(),
                metrics=accuracy, cbs=Autocast())
began = time.perf_counter()
with learn.no_logging(), learn.no_bar():
    learn.fit_one_cycle(o.epochs, o.lr)
seconds = time.perf_counter() - began
for row in learn.recorder.values:
    print(*(f"{v:.4f}" for v in row), file=sys.stderr)
print(json.dumps({"seconds": seconds,
                  "accuracy": float(learn.recorder.values[-1][-1])}))
