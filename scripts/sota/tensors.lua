-- tensors.lua -- PyTorch's names for making tensors, over the core's.
local core = require "sota.core"
local check = require "sota.check"

local tensors = {}

-- rand(2, 3) and rand{2, 3}: the sizes as a list.
local function sizes(...)
  local first = ...
  return type(first) == "table" and first or {...}
end

--- Uniform in [0, 1): rand(2, 3).
---@example sota.rand(2, 3)
function tensors.rand(...) return core.uniform{shape = sizes(...)} end

--- Standard normal: randn(2, 3).
---@example sota.randn(2, 3)
function tensors.randn(...) return core.normal{shape = sizes(...)} end

--- The numbers 1 to n in random order, i32.
---@example sota.randperm(5)
function tensors.randperm(n) return core.permutation(n) end

local function like(name, make)
  tensors[name] = function(t, ...)
    if not core.is_tensor(t) then
      check.fail("%s: wants a tensor, not %s", name, check.describe(t))
    end
    return make(t:shape(), t, ...)
  end
end

--- Tensors of the shape, dtype and device of another.
local function kind(t) return {dtype = t:dtype(), device = t:device()} end
like("zeros_like", function(shape, t) return core.zeros(shape, kind(t)) end)
like("ones_like", function(shape, t) return core.ones(shape, kind(t)) end)
like("full_like", function(shape, t, v) return core.full(shape, v, kind(t)) end)
like("rand_like", function(shape) return tensors.rand(shape) end)
like("randn_like", function(shape) return tensors.randn(shape) end)

--- n x n with ones on the diagonal.
---@param n integer
---@example sota.eye(3)
function tensors.eye(n)
  local rows = core.arange(n)
  return rows:reshape(n, 1):eq(rows:reshape(1, n)):to "f32"
end

--- n numbers from first to last, both included, evenly apart.
---@example sota.linspace(0, 1, 5)
function tensors.linspace(first, last, n)
  if n == 1 then return core.tensor{first} end
  return (core.arange(n) - 1) * ((last - first) / (n - 1)) + first
end

return tensors
