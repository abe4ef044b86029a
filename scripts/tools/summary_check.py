#!/usr/bin/env python3
"""Compares learn:summary() with fvcore: parameters and multiply-adds of whole
networks on an image of 224 pixels. Needs torch, torchvision, fastai and fvcore
(pip install them; nothing else here does). Run: scripts/tools/summary_check.py
[sota-lua]

fvcore counts a multiplication with its addition as one, and batch norms too;
those are left out here, as there."""
import subprocess
import sys

import torch
import torchvision
from fastai.vision.models import xresnet
from fvcore.nn import FlopCountAnalysis

NAMES = ["resnet18", "resnet50", "resnext50_32x4d", "xresnet18", "xresnet50",
         "xse_resnet18"]
SCRIPT = """require "sota.all"
local dl = {bs = 1, augment = true, items = function() return 1 end,
            size = function() return 224, 224 end, spec = function() end}
for _, name in ipairs(arg) do
  local s = Learner({train = dl}, sota.models[name]{n_out = 1000}):summary()
  print(name, s.params, math.tointeger(s.macs))
end"""


def theirs(name):
    make = getattr(xresnet if name.startswith("x") else torchvision.models, name)
    model = make(n_out=1000) if name.startswith("x") else make(num_classes=1000)
    with torch.no_grad():
        counts = FlopCountAnalysis(model.eval(), torch.zeros(1, 3, 224, 224))
        counts.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        ops = counts.by_operator()
    params = sum(p.numel() for p in model.parameters())
    return params, int(sum(n for op, n in ops.items()
                           if op in ("conv", "linear", "matmul", "addmm")))


def ours(binary):
    run = subprocess.run([binary, "-", *NAMES], input=SCRIPT, check=True,
                         stdout=subprocess.PIPE, text=True)
    rows = (line.split("\t") for line in run.stdout.splitlines())
    return {name: (int(p), int(m)) for name, p, m in rows}


def main():
    found, bad = ours(sys.argv[1] if len(sys.argv) > 1 else "sota-lua"), 0
    for name in NAMES:
        want = theirs(name)
        bad += want != found.get(name)
        print(f"{name:18} {'same' if want == found.get(name) else 'DIFFERENT'}"
              f"  ours {found.get(name)}  theirs {want}")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
