-- memory.lua [STEP [FIRST [LAST]]] -- the engine's FIRST-th (1) allocation fails
-- in the training of train.lua, then the one STEP (1) later, and so on until a
-- training ends that asked for fewer (or LAST). Each ends with the right result
-- or with an error that says that memory is out; no tensor is left behind; and
-- the same training, begun again in the same folder, comes to the right result.
--   FAST=1 build/tests/torture tests/torture/memory.lua 1
local core = require "sota.core"
local here = arg[0]:match "^(.*)/[^/]*$"
local step, first = tonumber(arg[1] or 1), tonumber(arg[2] or 1)
local last = tonumber(arg[3] or math.huge)

local work = os.tmpname()
os.remove(work)
local cleanup <close> = setmetatable({}, {__close = function()
  os.execute(("rm -rf '%s'"):format(work))
end})

-- Runs the training; its last line, or nil and why.
local function train()
  local line
  local env = setmetatable({arg = {work}, print = function(text) line = text end},
    {__index = _G})
  local out = io.output()
  local ok, why = pcall(assert(loadfile(here .. "/train.lua", "t", env)))
  io.output(out)
  if ok then return line end
  return nil, tostring(why)
end

local function live()
  collectgarbage()
  collectgarbage()
  return core.live_tensors()
end

local function empty()
  os.execute(("rm -rf '%s'"):format(work))
  core.make_dirs(work)
end

io.output "/dev/null" -- where the library's tables go
empty()
torture.watch "a training without faults"
local want, why = train()
assert(want, why)

local runs, errors, bad = 0, 0, 0
local function complain(n, fmt, ...)
  bad = bad + 1
  io.stderr:write(("allocation %d: "):format(n), fmt:format(...), "\n")
end

local function one(n)
  empty()
  local before = live()
  torture.watch("a training whose allocation " .. n .. " fails")
  torture.fail_engine(n)
  local result, reason = train()
  if torture.fail_engine(0) > 0 then return false end
  runs = runs + 1
  if not result then
    errors = errors + 1
    if not reason:find "memory" then complain(n, "no word of memory: %s", reason) end
  elseif result ~= want then
    complain(n, "another result: %s, not %s", result, want)
  end
  if live() > before then complain(n, "%d tensors are left", live() - before) end
  torture.watch("again, after allocation " .. n .. " failed")
  result, reason = train()
  if result ~= want then complain(n, "again: %s", result or reason) end
  return true
end

local n = first
while n <= last and one(n) do n = n + step end
io.stderr:write(("%d allocations failed, up to the %dth; %d ended a training, %d complaints\n"):
  format(runs, n - step, errors, bad))
assert(bad == 0 and runs > 0)
