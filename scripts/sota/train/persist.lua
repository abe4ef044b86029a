-- train/persist.lua -- what must not end a training, and what must not be lost:
-- files that cannot be written because a disk is full or fails.
local core = require "sota.core"

local persist = {pause = 5} -- seconds between two tries, at the end

--- The sentence of an error, without where it was raised.
function persist.reason(why)
  local text = tostring(why):gsub("\nstack traceback.*", "")
  return (text:gsub("^[^\n:]*%.lua:%d+: ", ""):gsub("^safetensors: ", ""))
end

--- To the user, unless the learner is quiet.
function persist.say(learn, fmt, ...)
  if not learn.quiet then io.stderr:write(fmt:format(...), "\n") end
end

-- What time, or someone who makes room, may mend.
local function may_pass(why)
  why = tostring(why)
  return why:find("cannot write", 1, true) or why:find("cannot make", 1, true)
    or why:find("out of memory", 1, true)
end

-- Ctrl-C and faults of the program are no matter of files.
local function attempt(f)
  local ok, why = pcall(f)
  if not ok and not may_pass(why) then error(why, 0) end
  return ok, ok or persist.reason(why)
end

--- Runs f, which writes; that it failed is said once, and training goes on. The
--- caller tries again later. state.failing is set as long as it fails.
---@param state table
---@param learn table
---@param what string the name in messages: "checkpoint"
---@param f fun()
---@param hint? string what the user gets to know besides
---@return boolean it is written
function persist.try(state, learn, what, f, hint)
  local ok, why = attempt(f)
  if not ok and not state.failing then
    persist.say(learn, "%s: %s; training goes on, it is tried again later%s",
      what, why, hint or "")
  elseif ok and state.failing then
    persist.say(learn, "%s: written again", what)
  end
  state.failing = not ok
  return ok
end

--- Runs f until it works: the result of hours is not given up because a disk is
--- full.
---@return boolean it is written; false: the user pressed Ctrl-C
function persist.insist(learn, what, f)
  local ok, why = attempt(f)
  if ok then return true end
  persist.say(learn, "%s: %s; waiting until it can be written (Ctrl-C: go on "
    .. "without)", what, why)
  repeat
    if not core.sleep(persist.pause) then return false end
  until attempt(f)
  persist.say(learn, "%s: written", what)
  return true
end

return persist
