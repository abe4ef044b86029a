#!/usr/bin/env python3
"""Makes tests/golden/ops.json: results and gradients of the general operations
by PyTorch, on small inputs. Run: python3 golden_ops.py > tests/golden/ops.json

A case is {op, options, in = {tensor...}, out = {tensor...}, grad = {...}}; a
tensor is {dtype, shape, data}; NaN and infinities are strings. Positions count
from 1. The gradient is of sum(out[1] * seed), seed i = 0.5 + (i % 7) / 4."""
import json
import math

import torch

torch.manual_seed(7)
NAMES = {torch.float32: "f32", torch.bfloat16: "bf16", torch.uint8: "u8",
         torch.int32: "i32"}
F, B, U, I = torch.float32, torch.bfloat16, torch.uint8, torch.int32
nan, inf = math.nan, math.inf
cases = []


def number(v):
    if isinstance(v, float) and not math.isfinite(v):
        return "nan" if math.isnan(v) else "inf" if v > 0 else "-inf"
    return float(f"{v:.9g}") if isinstance(v, float) else int(v)


def tensor(t):
    t = t.detach()
    if t.dtype == torch.bool:
        t = t.to(U)
    if t.dtype == torch.int64:
        t = t.to(I)
    flat = t.float() if t.dtype == B else t
    return {"dtype": NAMES[t.dtype], "shape": list(t.shape),
            "data": [number(v) for v in flat.reshape(-1).tolist()]}


def case(op, f, *inputs, grad=(), tol=None, **options):
    ins = [x.clone() for x in inputs]
    for i in grad:
        ins[i].requires_grad_(True)
    out = f(*ins)
    out = list(out) if isinstance(out, (tuple, list)) else [out]
    c = {"op": op, "options": options, "in": [tensor(x) for x in ins],
         "out": [tensor(o) for o in out]}
    if tol:
        c["tol"] = tol
    if grad:
        y = out[0]
        seed = (0.5 + (torch.arange(y.numel()) % 7) / 4).reshape(y.shape)
        y.backward(seed.to(y.dtype))
        c["grad"] = [tensor(ins[i].grad) if i in grad else None
                     for i in range(len(ins))]
    cases.append(c)


def f32(*v):
    return torch.tensor(v, dtype=F)


def rand(*shape):
    return torch.randn(shape)


# --- one input --------------------------------------------------------------
nn = torch.nn.functional
smooth = f32(-90, -30, -10, -5, -3, -1.5, -0.7, -0.1, -1e-3, 1e-3, 0.1, 0.7,
             1.5, 3, 5, 10, 19.9, 20.1, 30, 80)
positive = f32(1e-6, 0.01, 0.3, 1, 2, 7.5, 100, 12345)
special = f32(nan, inf, -inf)
unary = {
    "neg": (torch.neg, smooth, special), "abs": (torch.abs, smooth, special),
    "sign": (torch.sign, smooth, f32(inf, -inf, 0)),
    "square": (torch.square, smooth, special),
    "relu": (torch.relu, smooth, special),
    "exp": (torch.exp, smooth, special),
    "log": (torch.log, positive, f32(nan, inf, 0, -1)),
    "log1p": (torch.log1p, positive, f32(nan, inf, -1)),
    "sqrt": (torch.sqrt, positive, f32(nan, inf, 0, -1)),
    "rsqrt": (torch.rsqrt, positive, f32(nan, inf, 0)),
    "reciprocal": (torch.reciprocal, smooth, f32(nan, inf, -inf)),
    "sin": (torch.sin, smooth, f32(nan)), "cos": (torch.cos, smooth, f32(nan)),
    "tanh": (torch.tanh, smooth, special),
    "sigmoid": (torch.sigmoid, smooth, special),
    "floor": (torch.floor, smooth, special),
    "round": (torch.round, f32(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4), special),
    "gelu": (nn.gelu, smooth, f32(nan)),  # of inf PyTorch makes NaN
    "silu": (nn.silu, smooth, f32(nan, inf)),
    "mish": (nn.mish, smooth, f32(nan, inf)),
}
for name, (f, x, odd) in unary.items():
    case(name, f, x, grad=[0])
    case(name, f, odd)
    case(name, f, rand(3, 5).abs().to(B), tol=0.02)
    case(name, f, rand(0, 3))
whole = torch.tensor([-7, -1, 0, 3, 2000000], dtype=I)
for name in ("neg", "abs", "sign", "square", "relu"):
    case(name, unary[name][0], whole // 1000 if name == "square" else whole)
for name in ("exp", "sigmoid", "sin"):
    case(name, unary[name][0], torch.tensor([-2, 0, 3], dtype=I))
case("clamp", lambda x: x.clamp(-1, 5), f32(-3, -1, 0, 5, 6, nan, inf, -inf),
     grad=[0], min=-1, max=5)
case("clamp", lambda x: x.clamp(min=0), rand(2, 3), grad=[0], min=0)
case("clamp", lambda x: x.clamp(-1, 5), whole, min=-1, max=5)

# --- two inputs -------------------------------------------------------------
shapes = [((4,), (4,)), ((2, 3), ()), ((), (2, 3)), ((2, 3), (3,)),
          ((2, 1, 3), (4, 1)), ((2, 3, 4), (2, 3, 1)), ((3, 1), (1, 4)),
          ((0, 3), (3,)), ((), ())]
binary = {"add": torch.add, "sub": torch.sub, "mul": torch.mul,
          "div": torch.div, "maximum": torch.maximum,
          "minimum": torch.minimum}
for name, f in binary.items():
    for a, b in shapes:
        y = rand(*b) if name != "div" else rand(*b).abs() + 0.5
        case(name, f, rand(*a), y, grad=[0, 1])
    case(name, f, f32(nan, 1, inf, -inf), f32(1, nan, 2, 3))
    case(name, f, torch.tensor([7, -3, 2], dtype=I),
         torch.tensor([2, 5, 4], dtype=I))
    case(name, f, torch.tensor([7, -3, 2], dtype=I), f32(2, 5, 4))
    case(name, f, rand(3).to(B), f32(2, 5, 4), tol=1e-6)
    case(name, f, rand(3).to(B), rand(3).abs().to(B) + 1, tol=0.02)
    case(name, f, rand(3).to(B), torch.tensor(2.0), tol=0.02)
case("maximum", torch.maximum, f32(1, 2, 2), f32(2, 2, 1), grad=[0, 1])
case("mul", torch.mul, torch.tensor([65536, 3], dtype=I),
     torch.tensor([65536, 3], dtype=I))
case("pow", torch.pow, f32(0.5, 1, 2, 3.5, 0), f32(2, -1, 0.5, 3, 2),
     grad=[0, 1])
case("pow", torch.pow, f32(-2, -2, 0, nan), f32(2, 3, 0, 0), grad=[0])
case("pow", torch.pow, rand(2, 3).abs(), f32(2, 3, 0.5), grad=[0, 1])
for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    f = getattr(torch, name)
    case(name, f, f32(1, 2, 3, nan, inf), f32(2, 2, 2, nan, inf))
    case(name, f, torch.tensor([16777217, 1], dtype=I),
         torch.tensor([16777216, 1], dtype=I))
    case(name, f, torch.tensor([[1], [200]], dtype=U), f32(1, 2, 200))
    case(name, f, rand(2, 3).round(), torch.tensor(0.0))
mask = torch.tensor([[1, 0, 1], [0, 0, 2]], dtype=U)
for a, b in (((2, 3), (2, 3)), ((3,), (2, 1)), ((), (2, 3)), ((2, 1), ())):
    f = lambda m, x, y: torch.where(m != 0, x, y)
    case("where", f, mask, rand(*a), rand(*b), grad=[1, 2])
case("where", f, mask[0], torch.tensor([1, 2, 3], dtype=I),
     torch.tensor([4, 5, 16777217], dtype=I))
case("where", f, mask[:, :1], f32(nan), f32(1, 2, 3))


# --- reductions -------------------------------------------------------------
def dims_of(d):
    return {} if d is None else {"dims": [i + 1 for i in d]}


x4 = rand(2, 3, 4, 3)
for d in (None, (0,), (3,), (1, 2), (0, 2), (0, 1, 2), (1, 3), (0, 3)):
    t = tuple(range(4)) if d is None else d
    for keep in ((False, True) if d in (None, (1, 2)) else (False,)):
        kw = dict(keepdim=keep, **dims_of(d))
        case("sum", lambda x: x.sum(t, keep), x4, grad=[0], **kw)
        case("mean", lambda x: x.mean(t, keep), x4, grad=[0], **kw)
        case("norm", lambda x: torch.linalg.vector_norm(x, 2, t, keep), x4,
             grad=[0], **kw)
        case("var", lambda x: x.var(t, keepdim=keep), x4, grad=[0], **kw)
        case("std", lambda x: x.std(t, correction=0, keepdim=keep), x4,
             grad=[0], unbiased=False, **kw)
    case("any", lambda x: x.amax(t), (x4 > 1).to(U), **dims_of(d))
    case("all", lambda x: x.amin(t), (x4 > -1).to(U), **dims_of(d))
case("sum", torch.sum, torch.tensor(3.0), grad=[0])
case("sum", lambda x: x.sum(), torch.tensor([1000000, 7, -3], dtype=I))
case("sum", lambda x: x.sum(), torch.full((300,), 255, dtype=U))
case("mean", lambda x: x.float().mean(), torch.tensor([1, 2], dtype=I))
case("sum", lambda x: x.sum(0), rand(0, 3), dims=[1])
case("mean", lambda x: x.mean(0), rand(0, 3), dims=[1])
case("var", lambda x: x.var(0), rand(1, 3), dims=[1])
case("sum", lambda x: x.sum(), f32(1, nan, 2))
case("any", torch.any, f32(0, nan))
case("all", torch.all, rand(0))
case("sum", lambda x: x.sum(1), rand(3, 700).to(B), dims=[2], tol=0.3)
case("var", lambda x: x.double().var().float(),
     10000 + torch.arange(100.0) / 10)

ties = f32(3, 1, 3, 1)
for t in (x4, ties.reshape(2, 2), f32(1, nan, 2, nan).reshape(2, 2)):
    for name, g in (("max", torch.max), ("min", torch.min)):
        for d in range(t.dim()):
            def f(x):
                v, i = g(x, d)
                return v, i + 1
            case(name, f, t, grad=[0] if t is x4 else (), dim=d + 1)
            case("arg" + name, lambda x: f(x)[1], t, dim=d + 1)
        case("arg" + name, lambda x: g(x.reshape(-1), 0)[1] + 1, t)
case("max", lambda x: x.amax((0, 2)), x4, grad=[0], dim=[1, 3])
case("min", lambda x: x.amin((0, 1, 2, 3)), x4, grad=[0])
case("max", lambda x: tuple(a if k == 0 else a + 1 for k, a in
                            enumerate(x.max(1, keepdim=True))),
     torch.tensor([[5, 16777217, 16777216]], dtype=I), dim=2, keepdim=True)

# --- order ------------------------------------------------------------------
long = rand(2, 100)
for t in (x4, long, f32(2, nan, 1, inf, -inf, 2, 0, -0.0),
          torch.tensor([3, -5, 3, 16777217, 16777216], dtype=I)):
    for d in range(t.dim()):
        for down in (False, True):
            g = [0] if t.dtype == F and t is x4 else ()
            def f(x):
                v, i = torch.sort(x, dim=d, descending=down,
                                  stable=True)
                return v, i + 1
            case("sort", f, t, grad=g, dim=d + 1, descending=down)
            case("argsort", lambda x: f(x)[1], t, dim=d + 1, descending=down)
for d, k, big in ((0, 1, True), (3, 2, True), (2, 4, False), (1, 0, True)):
    def f(x):
        v, i = torch.topk(x, k, d, big)
        return v, i + 1
    case("topk", f, x4, grad=[0], k=k, dim=d + 1, largest=big)
for d in range(3):
    case("cumsum", lambda x: x.cumsum(d), rand(3, 4, 2), grad=[0], dim=d + 1)
case("cumsum", lambda x: x.cumsum(0), torch.tensor([1, 2, 3], dtype=I), dim=1)

# --- joining, picking -------------------------------------------------------
parts = [rand(2, 3, 2), rand(2, 1, 2), rand(2, 0, 2)]
case("cat", lambda *t: torch.cat(t, 1), *parts, grad=[0, 1, 2], dim=2)
case("cat", lambda *t: torch.cat(t), rand(2), rand(3), grad=[0, 1])
for d in range(3):
    case("stack", lambda *t: torch.stack(t, d), rand(2, 3), rand(2, 3),
         grad=[0, 1], dim=d + 1)
case("stack", lambda *t: torch.stack(t), torch.tensor(1.0), torch.tensor(2.0))
for d in range(3):
    n = (4, 3, 5)[d]
    shape = [4, 3, 5]
    shape[d] = 6
    at = torch.randint(0, n, shape)
    case("gather", lambda x, i: x.gather(d, i.long() - 1), rand(4, 3, 5),
         (at + 1).to(I), grad=[0], dim=d + 1)
    row = torch.tensor([n - 1, 0, 0, 1])
    case("index_select", lambda x, i: x.index_select(d, i.long() - 1),
         rand(4, 3, 5), (row + 1).to(I), grad=[0], dim=d + 1)
case("index_select", lambda x, i: x.index_select(0, i.long() - 1),
     torch.tensor([[1, 16777217], [3, 4]], dtype=I),
     torch.tensor([2, 1], dtype=I))
case("index_select", lambda x, i: x.index_select(0, i.long() - 1), rand(4, 2),
     torch.zeros(0, dtype=I))
case("one_hot", lambda i: nn.one_hot(i.long() - 1, 4).float(),
     torch.tensor([[1, 4], [2, 2]], dtype=I), classes=4)
for d in ((0,), (1, 2), (0, 1, 2)):
    case("flip", lambda x: x.flip(d), rand(2, 3, 4), grad=[0],
         dims=[i + 1 for i in d])

print(json.dumps({"_about": "General operations by PyTorch " +
                  torch.__version__ + "; scripts/tools/golden_ops.py",
                  "cases": cases}, separators=(",", ":")).replace(
                      '},{"op"', '},\n{"op"'))
