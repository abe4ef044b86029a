"""A whole training step of fastai's xresnet in PyTorch on a made-up batch:
what tests/bench/train_step.lua times. Prints one line of JSON.

usage: torch_step.py [--arch A] [--size N] [--bs N] [--precision f32|bf16]
                     [--mode eager|compile|graphs] [--steps N]
                     [--device cpu|cuda]

NHWC (channels_last) and the fused AdamW, which are PyTorch's fastest; bf16 by
autocast; graphs: compiled with CUDA graphs. Steps before that do not count.
"""
import argparse
import json
import resource
import time

import torch
from fastai.vision.models import xresnet

WARM_UP = 2

p = argparse.ArgumentParser()
p.add_argument("--arch", default="xresnet50")
p.add_argument("--size", type=int, default=128)
p.add_argument("--bs", type=int, default=64)
p.add_argument("--precision", default="f32", choices=["f32", "bf16"])
p.add_argument("--mode", default="eager", choices=["eager", "compile", "graphs"])
p.add_argument("--steps", type=int, default=6)
p.add_argument("--threads", type=int, default=0)
p.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
o = p.parse_args()
if o.threads:
    torch.set_num_threads(o.threads)

torch.manual_seed(0)
torch.backends.cudnn.benchmark = True
torch.backends.cuda.matmul.allow_tf32 = True
model = getattr(xresnet, o.arch)(n_out=10).to(
    o.device, memory_format=torch.channels_last)
opt = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
loss_of = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
x = torch.randn(o.bs, 3, o.size, o.size).to(
    o.device, memory_format=torch.channels_last)
y = (torch.arange(o.bs) % 10).to(o.device)
net = model
if o.mode != "eager":
    net = torch.compile(model, mode="reduce-overhead"
                        if o.mode == "graphs" else "default")


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def step():
    with torch.autocast(o.device, dtype=torch.bfloat16,
                        enabled=o.precision == "bf16"):
        loss = loss_of(net(x), y)
    loss.backward()
    opt.step()
    opt.zero_grad(set_to_none=True)
    return loss.item()


before = peak_mib()
for _ in range(WARM_UP if o.mode != "graphs" else 4 * WARM_UP):
    step()
times = []
for _ in range(o.steps):
    began = time.perf_counter()
    loss = step()
    times.append(time.perf_counter() - began)
times.sort()
print(json.dumps({
    "arch": o.arch, "size": o.size, "bs": o.bs, "precision": o.precision,
    "mode": o.mode, "threads": torch.get_num_threads(),
    "median": o.bs / times[len(times) // 2], "best": o.bs / times[0],
    "peak_rss_mib": peak_mib(), "rss_before_mib": before, "loss": loss,
}))
