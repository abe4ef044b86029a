-- check.lua -- the harness of the Lua tests.
--
--   local check = require "check"
--   check.test("what it shows", function() check.equal(1 + 1, 2) end)
--   check.done()
--
-- A test fails when it raises, and when it leaves a tensor behind.
local core = require "sota.core"

local check = {}

local passed, failed = 0, 0

local function live()
  collectgarbage()
  collectgarbage() -- what the first one's finalizers let go of
  return core.live_tensors()
end

--- Runs f as a test of that name.
function check.test(name, f)
  local before = live()
  local ok, why = xpcall(f, debug.traceback)
  if ok and live() > before then
    ok, why = false, ("%d tensors leaked"):format(core.live_tensors() - before)
  end
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    print(("FAILED %s: %s"):format(name, why))
  end
end

--- What f() warned of, a list of texts.
function check.warnings(f)
  local lines, old = {}, warn
  local restore <close> = setmetatable({}, {__close = function() warn = old end})
  function warn(text) lines[#lines + 1] = text end
  f()
  return lines
end

--- Prints the count and ends the program, with 1 if a test failed.
function check.done()
  print(("%d passed, %d failed"):format(passed, failed))
  os.exit(failed == 0 and passed > 0, true)
end

local function text(v)
  return type(v) == "string" and ("%q"):format(v) or tostring(v)
end

--- Deep equality, tensors by their values.
function check.equal(got, want, what)
  if core.is_tensor(got) then got = got:totable() end
  if type(got) == "table" and type(want) == "table" then
    for k, v in pairs(want) do
      check.equal(got[k], v, (what or "") .. "[" .. tostring(k) .. "]")
    end
    for k in pairs(got) do
      if want[k] == nil then
        error(("%s: unwanted key %s"):format(what or "table", text(k)), 2)
      end
    end
  elseif got ~= want then
    error(("%sgot %s, want %s"):format(what and what .. ": " or "", text(got),
      text(want)), 2)
  end
end

local function flat(v, into)
  if core.is_tensor(v) then v = v:totable() end
  if type(v) ~= "table" then
    into[#into + 1] = v
  else
    for _, item in ipairs(v) do flat(item, into) end
  end
  return into
end

--- Numbers (tensor, nested tables or number) agree within
--- tol * max(1, |want|) each. Shapes are not compared.
function check.close(got, want, tol, what)
  local a, b = flat(got, {}), flat(want, {})
  what = what and what .. ": " or ""
  if #a ~= #b then
    error(("%s%d numbers, want %d"):format(what, #a, #b), 2)
  end
  for i = 1, #a do
    local slack = tol * math.max(1, math.abs(b[i]))
    if not (math.abs(a[i] - b[i]) <= slack) then
      error(("%snumber %d of %d is %.9g, want %.9g within %g"):format(what, i,
        #a, a[i], b[i], slack), 2)
    end
  end
end

--- Rows of numbers agree within tol, relative to the largest of all: some
--- logits cancel to almost nothing.
function check.close_to_largest(got, want, tol, what)
  local largest = 0
  for _, v in ipairs(flat(want, {})) do
    largest = math.max(largest, math.abs(v))
  end
  check.close(flat(got / largest, {}), flat(core.tensor(want) / largest, {}),
    tol, what)
end

--- f(...) raises a message that contains want, and that points at this file.
function check.fails(want, f, ...)
  local ok, why = pcall(f, ...)
  if ok then error("no error; want: " .. want, 2) end
  if not tostring(why):find(want, 1, true) then
    error(("message %s, want %s"):format(text(why), text(want)), 2)
  end
  return why
end

--- A file of tests/golden, decoded.
function check.golden(name)
  local folder = os.getenv "SL_GOLDEN"
    or error "set SL_GOLDEN to the folder tests/golden"
  local file <close> = assert(io.open(folder .. "/" .. name .. ".json"))
  return core.json.decode(file:read "a")
end

--- hval of the golden files: pattern k times scale, in PyTorch's layout; with
--- four dimensions the result is permuted to NHWC (weights to OHWI).
function check.pattern(k, shape, scale)
  local t = core.hash_fill(core.zeros(shape), k, scale)
  if #shape == 4 then t = t:permute{1, 3, 4, 2}:contiguous() end
  return t
end

--- An image (N, H, W, C) back in PyTorch's order.
function check.nchw(t)
  return t:dim() == 4 and t:permute{1, 4, 2, 3} or t
end

return check
