-- calls.lua -- calls everything that is public with everything that is wrong.
--
--   torture tests/torture/calls.lua SEED COUNT [unclear]
--   torture tests/torture/calls.lua --run 'core.conv2d(V.closed(...))'
--
-- The calls follow from the seed. Each is a line of Lua, which is shown if the
-- process dies; any error is a right answer, if it has a text. With `unclear`,
-- messages that come from inside the library, not from a check, are listed.
local folder = arg[0]:match "^(.*)/[^/]*$"
package.path = folder .. "/?.lua;" .. package.path

local core = require "sota.core"
local sota = require "sota"
local values = require "values"
local subjects = require "subjects"
local scenes = require "scenes"

-- --- random numbers of our own: the library may seed math.random --------------

local state = 0
local function random(n)
  state = (state * 6364136223846793005 + 1442695040888963407)
  return (state >> 33) % n + 1
end

-- --- one call ----------------------------------------------------------------

local pool = {} -- results of earlier calls, and a few objects to begin with
local env = setmetatable({core = core, sota = sota, V = values.V,
  print_nothing = function() end, S = subjects, scene = scenes.play,
  P = function(i) return pool[i % #pool + 1] end}, {__index = _G})

local function keep(v)
  if type(v) ~= "table" and type(v) ~= "userdata" then return end
  local place = #pool < 40 and #pool + 1 or random(#pool)
  pool[place] = v
end

local function arguments(random_, n)
  local list = {}
  for i = 1, n do list[i] = values.any(random_) end
  return list
end

local function options(list)
  local given = {}
  for _, o in ipairs(list) do
    if random(3) > 1 and o.name:match "^[%a_][%w_]*$" then
      given[#given + 1] = ("%s = %s"):format(o.name, values.option(o, random))
    end
  end
  if random(10) == 1 then given[#given + 1] = "no_such_option = 1" end
  return "{" .. table.concat(given, ", ") .. "}"
end

-- An operation with about the right inputs.
local function operation()
  local op = subjects.ops[random(#subjects.ops)]
  local list = {}
  local n = op.inputs + random(3) - 2
  if random(3) > 1 then n = op.inputs end
  for i = 1, math.max(n, 0) do
    list[i] = random(6) == 1 and values.any(random) or values.tensor(random)
  end
  if op.variadic then list = {"{" .. table.concat(list, ", ") .. "}"} end
  if random(4) > 1 then list[#list + 1] = options(op.options) end
  return ("core.%s(%s)"):format(op.name, table.concat(list, ", "))
end

local function described()
  local f = subjects.described[random(#subjects.described)]
  local list = {}
  if random(3) == 1 then list = arguments(random, random(2)) end
  list[#list + 1] = options(f.options)
  return ("%s(%s)"):format(f.path, table.concat(list, ", "))
end

local function anything()
  local path = subjects.functions[random(#subjects.functions)]
  return ("%s(%s)"):format(path, table.concat(arguments(random, random(5) - 1), ", "))
end

local function method()
  local i = random(1 << 20)
  local names = subjects.methods(pool[i % #pool + 1])
  if #names == 0 then return anything() end
  local list = arguments(random, random(4) - 1)
  table.insert(list, 1, ("P(%d)"):format(i))
  local name = names[random(#names)]
  return ("P(%d)[%q](%s)"):format(i, name, table.concat(list, ", "))
end

local function scene() return scenes.text(random, values) end

local kinds = {operation, operation, operation, described, described, anything,
               anything, method, method, scene}

-- --- running it ----------------------------------------------------------------

local unclear, errors, ran = {}, 0, 0

local function check_message(line, why)
  errors = errors + 1
  if type(why) == "string" then
    local from_library = why:match "^[^\n]*scripts/sota/[%w_/]+%.lua:%d+: attempt to [^\n]*"
    if from_library then
      unclear[from_library] = unclear[from_library] or line
    end
    assert(why ~= "", line)
  end
end

local function too_long() error("torture: this call takes too long", 0) end

-- Now and then something more goes wrong.
local function plague()
  local which = random(12)
  if which == 1 then return "torture.fail_engine(" .. random(12) .. ")" end
  if which == 2 then -- a finalizer that has no memory to begin never runs: not now
    return "collectgarbage 'stop'; torture.fail_lua(" .. random(60) .. ")"
  end
  if which == 3 then return "torture.collect_each(" .. random(7) .. ")" end
  if which == 4 then return "collectgarbage 'generational'" end
  if which == 5 then return "collectgarbage 'stop'" end
  return ""
end

local function heal()
  torture.fail_engine(0)
  torture.fail_lua(0)
  torture.collect_each(0)
  collectgarbage "restart"
  collectgarbage "incremental"
end

local function resume(co) return table.pack(coroutine.resume(co)) end

local function run(line)
  torture.watch(line)
  local f = assert(load(line, "=call", "t", env))
  local co = coroutine.create(f)
  debug.sethook(co, too_long, "", 3000000)
  local whole, results = pcall(resume, co) -- what was made to fail may do so late
  heal()
  if not whole then results = {false, results, n = 2} end
  ran = ran + 1
  if not results[1] then check_message(line, results[2]) end
  for i = 2, results.n do keep(results[i]) end
  if coroutine.status(co) == "suspended" and random(2) == 1 then coroutine.close(co) end
  return results
end

values.V.again = function() return run("return " .. operation()) end

local function main(seed, count)
  core.set("memory-limit", "2GB")
  state = seed * 7919 + 17
  for _, o in ipairs(subjects.objects()) do keep(o) end
  local base = subjects.ready()
  for i = 1, count do
    local f = kinds[random(#kinds)]
    local before = plague()
    run(before .. (before == "" and "" or "; ") .. "return " .. f())
    if i % 100 == 0 then
      collectgarbage()
      subjects.still_there(base)
      if core.memory() > 400 << 20 then for k = #pool, 1, -1 do pool[k] = nil end
        for _, o in ipairs(subjects.objects()) do keep(o) end end
    end
  end
  for k = #pool, 1, -1 do pool[k] = nil end
end

-- The library writes on the screen what it is asked to; not here.
local shown = io.stderr
io.output "/dev/null"
print = function() end

if arg[1] == "--run" then
  pool = subjects.objects()
  local results = run("return " .. arg[2])
  shown:write(tostring(results[1]), " ", tostring(results[2]), "\n")
else
  main(tonumber(arg[1]) or 1, tonumber(arg[2]) or 2000)
  shown:write(("%d calls, %d of them errors, seed %s\n"):format(ran, errors, arg[1] or 1))
  if arg[3] == "unclear" then
    for why, line in pairs(unclear) do shown:write(why, "\n    ", line, "\n") end
  end
end
