-- test_ops.lua -- the general operations against PyTorch: tests/golden/ops.json
-- (made by scripts/tools/golden_ops.py).
local sota = require "sota.core"

local file = assert(io.open(os.getenv "SL_GOLDEN" .. "/ops.json"))
local golden = sota.json.decode(file:read "a")
file:close()

local odd = {nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge}

local function flat(t)
  local n = 1
  for _, size in ipairs(t:shape()) do n = n * size end
  if n == 0 then return {} end
  if #t:shape() == 0 then return {t:totable()} end
  return t:reshape {n}:totable()
end

local function build(g)
  local values = {}
  for i, v in ipairs(g.data) do values[i] = odd[v] or v end
  if #values == 0 then return sota.zeros(g.shape, {dtype = g.dtype}) end
  if #g.shape == 0 then return sota.tensor(values[1], {dtype = g.dtype}) end
  local t = sota.tensor(values, {dtype = g.dtype})
  return t:reshape(g.shape):contiguous():detach()
end

local function close(have, want, tol)
  if want ~= want then return have ~= have end
  if want == have then return true end
  return math.abs(have - want) <= tol * (1 + math.abs(want))
end

local function compare(t, g, tol, what)
  assert(t:dtype() == g.dtype, what .. ": dtype " .. t:dtype())
  local shape, size = t:shape(), g.shape
  assert(#shape == #size, what .. ": rank " .. #shape)
  for d = 1, #size do
    assert(shape[d] == size[d], what .. ": size " .. d .. ": " .. shape[d])
  end
  for i, v in ipairs(flat(t)) do
    local want = odd[g.data[i]] or g.data[i]
    assert(close(v, want, tol), ("%s: element %d is %.9g, PyTorch has %.9g")
      :format(what, i, v, want))
  end
end

local function call(case, ins)
  if case.op == "cat" or case.op == "stack" then
    return {sota[case.op](ins, case.options)}
  end
  table.insert(ins, case.options)
  local out = {sota[case.op](table.unpack(ins))}
  table.remove(ins)
  return out
end

local function seed(t)
  local n, values = #flat(t), {}
  for i = 0, n - 1 do values[i + 1] = 0.5 + i % 7 / 4 end
  if n == 0 then return sota.zeros(t:shape()) end
  if #t:shape() == 0 then return sota.tensor(values[1]) end
  return sota.tensor(values):reshape(t:shape()):contiguous():detach()
end

local function check(case, what)
  local ins, tol = {}, case.tol or 2e-6
  for i, g in ipairs(case["in"]) do
    ins[i] = build(g)
    if case.grad and type(case.grad[i]) == "table" then
      ins[i]:requires_grad(true)
    end
  end
  local out = call(case, ins)
  assert(#out == #case.out, what .. ": " .. #out .. " results")
  for i, g in ipairs(case.out) do
    compare(out[i], g, tol, what .. ", result " .. i)
  end
  if not case.grad then return end
  out[1]:backward(seed(out[1]))
  for i, g in ipairs(case.grad) do
    if type(g) == "table" then
      compare(ins[i]:grad(), g, 1e-5, what .. ", gradient " .. i)
    end
  end
end

local failed, per_op = 0, {}
for i, case in ipairs(golden.cases) do
  local what = ("case %d (%s %s)"):format(i, case.op,
    sota.json.encode(case.options))
  local ok, why = pcall(check, case, what)
  per_op[case.op] = (per_op[case.op] or 0) + 1
  if not ok then
    print(why)
    failed = failed + 1
  end
end
assert(#golden.cases > 300, "the file is not whole")
print(("%d cases, %d failed"):format(#golden.cases, failed))
os.exit(failed == 0)
