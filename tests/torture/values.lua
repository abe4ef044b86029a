-- values.lua -- what hostile calls are made of: source texts of values, so that
-- a call can be shown and run again. random(n) is given by the caller.
local core = require "sota.core"

local values = {}

-- --- plain values ------------------------------------------------------------

local plain = {
  "nil", "true", "false", "0", "1", "-1", "2", "3", "7", "0.5", "-0.5", "1e-8",
  "1/0", "-1/0", "0/0", "-0.0", "math.maxinteger", "math.mininteger", "2^31",
  "2147483647", "-2147483648", "4294967296", "2^53", "1e308", "1 << 40",
  "'' ", "'x'", "'f32'", "'i32'", "'u8'", "'bf16'", "'cpu'", "'relu'", "'lr'",
  "'mean'", "'accuracy'", "'a\\0b'", "'%s%n%d'", "('x'):rep(5000)", "'\\xff\\xfe'",
  "'no/such/file'", "'.'", "'data'", "'junk.bin'", "'{'", "'[1,2'",
  "('['):rep(5000)", "'#ff0000'",
}

local tables = {
  "{}", "{1}", "{2}", "{1, 2}", "{2, 3}", "{2, 1}", "{3, 3}", "{-1}", "{0}",
  "{0, 0}", "{1, 1, 1, 1}", "{1, 3, 2}", "{1, 4, 2, 3}", "{1/0, 0/0}",
  "{math.maxinteger, 4}", "{1 << 31, 1 << 31, 4}", "{1 << 20, 1 << 20}",
  "{4194305, 4194305, 211106198978564}", "{nil, 2}", "{{}}", "{{1, 2}, {3, 4}}",
  "{{1, 2}, {3}}", "{{1}, 2}", "{'a'}", "{'a', 'b', 'a'}", "{x = 1}",
  "{dim = 1}", "{[1] = 1, [3] = 3}", "{[0] = 1, [-1] = 2}", "V.cyclic()",
  "V.deep(100)", "V.deep(3000)", "V.long(1000)", "V.lies(2^31 | 0)",
  "V.lies(math.maxinteger)", "V.lies(math.mininteger)", "V.lies(1 << 61)",
  "V.lies(-1)", "V.lies(3)", "V.lies('x')", "V.raises()", "V.collects()",
  "V.odd_gc()",
}

local functions = {
  "print_nothing", "V.throws", "V.throws_nil", "V.throws_table", "V.yields",
  "V.collects_garbage", "V.closes_all", "V.junk", "V.recurses", "V.opens_scopes",
  "V.changes_settings", "V.trains",
}

local others = {
  "io.stdout", "coroutine.create(V.yields)", "coroutine.wrap(V.throws)",
  "V.dropped()", "core", "sota.nn.Linear", "_G", "core.json.null",
}

-- --- tensors -----------------------------------------------------------------

local shapes = {
  "", "1", "3", "4", "0", "2, 3", "3, 2", "3, 3", "4, 3", "2, 0, 3", "2, 3, 4",
  "2, 5, 5, 3", "4, 3, 3, 3", "2, 8, 8, 4", "4, 1, 1, 3", "1, 1, 1, 1",
  "2, 2, 2, 2, 2", "2, 2, 2, 2, 2, 2",
}

local makers = {
  "sota.randn{%s}", "sota.randn{%s}", "core.zeros{%s}", "core.ones{%s}",
  "core.full({%s}, 0/0)", "core.full({%s}, 1/0)", "core.full({%s}, -1e30)",
  "core.ones({%s}, {dtype = 'i32'})", "core.zeros({%s}, {dtype = 'u8'})",
  "core.full({%s}, 1 << 30, {dtype = 'i32'})", "V.half{%s}", "V.grad{%s}",
  "V.grad{%s}", "V.result{%s}",
}

local views = {
  "V.turned(%s)", "V.every_other(%s)", "V.spread(%s)", "V.closed(%s)",
  "V.row(%s)", "V.backwards(%s)",
}

-- --- making them -------------------------------------------------------------

local function one(list, random) return list[random(#list)] end

function values.tensor(random)
  local text = one(makers, random):format(one(shapes, random))
  if random(4) == 1 then text = one(views, random):format(text) end
  if random(40) == 1 then text = "V.kept(" .. text .. ")" end
  return text
end

function values.any(random)
  local kind = random(20)
  if kind <= 6 then return one(plain, random) end
  if kind <= 10 then return one(tables, random) end
  if kind <= 14 then return values.tensor(random) end
  if kind <= 16 then return one(functions, random) end
  if kind == 17 then return one(others, random) end
  return ("P(%d)"):format(random(1 << 20))
end

-- A value that fits the type of an option, most of the time.
local fitting = {
  integer = {"0", "1", "2", "3", "-1", "5", "math.maxinteger", "1 << 31"},
  number = {"0", "1", "0.5", "-1", "1e-5", "0/0", "1/0", "1e308"},
  boolean = {"true", "false"},
  ["integer[]"] = {"{1}", "{2}", "{1, 2}", "{2, 2}", "{0}", "{-1}", "{1, 1, 1, 1}",
                   "{3, 2, 1}", "{4, 4}", "{1 << 62, 4}", "{}"},
  ["number[]"] = {"{0.5}", "{1, 2}", "{0/0}", "{}", "{0.1, 0.2, 0.3}"},
  dtype = {"'f32'", "'i32'", "'u8'", "'bf16'"},
  tensor = {"sota.randn{3}", "sota.randn{2, 3}", "sota.randn{2, 5, 5, 3}"},
}

function values.option(o, random)
  if random(4) == 1 then return values.any(random) end
  if o.names then return ("%q"):format(one(o.names, random)) end
  local kind = o.type and o.type:match "^[%w%[%]]+"
  return fitting[kind] and one(fitting[kind], random) or values.any(random)
end

-- --- V: what the texts call --------------------------------------------------

local V = {}
values.V = V

local open = setmetatable({}, {__mode = "v"})

local function note(t)
  open[#open % 64 + 1] = t
  return t
end

function V.half(shape) return note(sota.randn(shape):cast("bf16")) end

function V.grad(shape)
  local t = sota.randn(shape)
  t:requires_grad(true)
  return note(t)
end

function V.result(shape) return note((V.grad(shape) * 2):relu()) end
function V.kept(t) return t:keep() end
function V.closed(t) t:close() return t end
function V.turned(t)
  local dims = {}
  for i = t:dim(), 1, -1 do dims[#dims + 1] = i end
  return note(t:permute(dims))
end
function V.every_other(t) return note(t:slice{dim = 1, first = 1, last = -1, step = 2}) end
function V.backwards(t) return note(t:flip{1}) end
function V.row(t) return note(t:select{dim = 1, index = 1}) end
function V.spread(t)
  local shape = {3}
  for i, n in ipairs(t:shape()) do shape[i + 1] = n end
  return note(t:expand(shape))
end

function V.cyclic()
  local t = {1, 2}
  t[3], t.self = t, t
  return t
end

function V.deep(n)
  local t = {1}
  for _ = 1, n do t = {t} end
  return t
end

function V.long(n)
  local t = {}
  for i = 1, n do t[i] = i end
  return t
end

function V.lies(n)
  return setmetatable({1, 2, 3}, {
    __len = function() return n end,
    __index = function(_, k) return k end,
  })
end

function V.raises()
  local function f() error "metamethod" end
  return setmetatable({}, {__index = f, __len = f, __gc = f, __newindex = f,
    __tostring = f, __pairs = f, __eq = f, __call = f, __close = f, __name = 5})
end

function V.collects()
  local function f()
    torture.fail_lua(0)
    collectgarbage()
    return 1
  end
  return setmetatable({1}, {__index = f, __len = f, __call = f})
end

function V.odd_gc()
  setmetatable({}, {__gc = function() for _, t in pairs(open) do t:close() end end})
  return {1}
end

function V.throws() error "thrown" end
function V.throws_nil() error(nil) end
function V.throws_table() error{code = {}} end
function V.yields(...) return coroutine.yield(...) end
function V.junk() return setmetatable({}, {__index = V}), 0/0, {} end
function V.collects_garbage(x)
  torture.fail_lua(0)
  collectgarbage()
  collectgarbage "step"
  return x
end
function V.closes_all(x, ...)
  for _, t in pairs(open) do t:close() end
  for _, v in ipairs{x, ...} do if core.is_tensor(v) then v:close() end end
  return x
end
local depth = 0
function V.recurses(...)
  depth = depth + 1
  local ok, x = pcall(depth < 5 and V.again or V.throws, ...)
  depth = depth - 1
  return ok and x or nil
end
function V.opens_scopes(x)
  local function inner(n)
    if n == 0 then return x end
    return core.scope(inner, n - 1)
  end
  return inner(80)
end
function V.changes_settings(x)
  core.set("threads", 1)
  core.set("threads", 2)
  core.set("seed", 3)
  return x
end
function V.trains(x)
  local w = V.grad{2, 2}
  local loss = (w * w):sum()
  loss:backward()
  return x
end
function V.dropped()
  local co = coroutine.create(function()
    local t <close> = sota.randn{3}
    coroutine.yield(t)
  end)
  coroutine.resume(co)
  return co
end

return values
