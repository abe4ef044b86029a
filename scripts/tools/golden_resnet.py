#!/usr/bin/env python3
"""Makes tests/golden/resnet.json: torchvision's plain ResNets. Needs torch and
torchvision. Run: python3 golden_resnet.py > tests/golden/resnet.json

For each model the parameters' number with 10 classes, the entries of its
state_dict, and a checksum of their names and shapes in order: FNV-1a, 32 bits,
of lines "name 64 3 7 7\\n". Of some also logits and loss with weights by the
portable hash of tests/lua/hashed.lua, and the norm of each gradient."""
import json
import math

import numpy as np
import torch
import torchvision

NAMES = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
         "resnext50_32x4d", "resnext101_32x8d", "wide_resnet50_2",
         "wide_resnet101_2"]
K0, SIZE, LABELS = 300, 64, [0, 3, 5, 9]


def hval(k, shape, scale):
    j = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
    m = np.uint64(0xFFFFFFFF)
    x = (j * np.uint64(2654435761) + np.uint64((k + 1) * 40503)) & m
    x ^= x >> np.uint64(16)
    x = (x * np.uint64(2246822519)) & m
    x ^= x >> np.uint64(13)
    u = x.astype(np.float64) / 2.0**32
    return torch.tensor(((2 * u - 1) * scale).astype(np.float32)).reshape(shape)


def fill(model):
    for i, (name, p) in enumerate(model.named_parameters()):
        shape = list(p.shape)
        if p.dim() > 1:
            v = hval(K0 + i, shape, math.sqrt(6 * shape[0] / p.numel()))
        elif name.endswith("weight"):
            v = 1 + hval(K0 + i, shape, 0.3)
        else:
            v = hval(K0 + i, shape, 0.1)
        p.data.copy_(v)


def checksum(state):
    h = 2166136261
    for name, t in state.items():
        for byte in " ".join([name, *map(str, t.shape)]).encode() + b"\n":
            h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h


def rounded(values):
    return [[float(f"{v:.7g}") for v in row] for row in values.tolist()]


def forward(model):
    fill(model)
    x = hval(1, [4, 3, SIZE, SIZE], 1)
    logits = model(x)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(LABELS))
    loss.backward()
    norms = {n: float(f"{p.grad.norm():.7g}")
             for n, p in model.named_parameters()}
    with torch.no_grad():
        after = model.eval()(x)
    return {"logits_train": rounded(logits), "loss": loss.item(),
            "grad_l2": norms, "logits_eval_after_1_train_fwd": rounded(after)}


out = {"_about": "torchvision " + torchvision.__version__ + "; see "
       "scripts/tools/golden_resnet.py", "k0": K0, "models": {}, "forward": {}}
for name in NAMES:
    model = getattr(torchvision.models, name)(num_classes=10)
    state = model.state_dict()
    out["models"][name] = {
        "n_params": sum(p.numel() for p in model.parameters()),
        "entries": len(state), "checksum": checksum(state)}
    if name in ("resnet18", "resnext50_32x4d"):
        out["forward"][name] = forward(model)
print(json.dumps(out, separators=(",", ":")))
