-- callbacks/base.lua -- Callback: classes of callbacks.
--
--   local Greeter = Callback{
--     name = "Greeter", order = 60,
--     options = {{"times", "integer", 1, min = 1}},
--     after_epoch = function(self, learn)
--       for _ = 1, self.times do print("epoch", learn.epoch) end
--     end,
--   }
--   Learner(dls, model, {cbs = {Greeter, Greeter(3), Greeter{times = 2}}})
--
-- Every event of the loop (engine/train/loop.h) may be a field; so may other
-- methods. What the loop itself looks at: order (0; those below 50 come before
-- the recorder), run_train and run_valid (false: not for those batches), run
-- (false: not at all). What lr_find looks at: trial (false: not in its trial
-- run). configure(self, spec, learn) is called when a fit begins,
-- skipped_fit(self, learn) when a checkpoint says that it was done before. What a
-- checkpoint keeps: the fields that are listed in `state` (numbers, strings,
-- booleans), and tensors(self), a list of tensors that it fills again. A
-- callback without options or state of its own can also be a plain table:
-- cbs = {after_epoch = function(self, learn) ... end}.
local core = require "sota.core"
local check = require "sota.check"

local base = {}

local is_event = {}
for _, event in ipairs(core.events) do is_event[event] = true end

--- A misspelt event would never be told: an error now.
---@param t table a callback or a class
---@param what string for the message
function base.check_events(t, what)
  for key, value in pairs(t) do
    local meant = type(key) == "string" and type(value) == "function"
      and (key:find "^before_" or key:find "^after_")
    if meant and not is_event[key] then
      check.fail("%s: there is no event '%s'%s", what, key,
        check.did_you_mean(key, core.events))
    end
  end
end

local Class = {} -- the metatable of classes

--- Class(...): reads the options; then init(self), if the class has one.
function Class.__call(class, ...)
  local self = setmetatable(class.arguments(...), class)
  if class.init then self:init() end
  return self
end

function Class.__tostring(class) return "class " .. class.name end

local function text(self)
  local shown = {}
  for _, p in ipairs(self.arguments) do
    shown[#shown + 1] = ("%s = %s"):format(p[1], tostring(self[p[1]]))
  end
  return ("%s{%s}"):format(self.name, table.concat(shown, ", "))
end

--- Callback{name =, order =, options =, <event> = function(self, learn), ...}
--- makes a class. options is a list as for check.spec; name.init(self) may
--- prepare an instance. With help = and example =, and help for each option,
--- help() knows it.
---@param class table
---@return table class call it to get a callback; or use it as one
---@example Callback{name = "Greeter", after_epoch = function(self, learn) print("epoch", learn.epoch) end}
function base.Callback(class)
  if type(class) ~= "table" then
    check.fail("Callback: wants a table of events, such as {after_epoch = "
      .. "function(self, learn) ... end}, not %s", check.describe(class))
  end
  class.name = class.name or "Callback"
  base.check_events(class, class.name)
  local options = class.options or {}
  class.arguments = class.help and check.public(class.name, options, class)
    or check.spec(class.name, options)
  class.__index, class.__name = class, class.name
  class.__tostring = class.__tostring or text
  return setmetatable(class, Class)
end

--- Is v a class of callbacks, not a callback?
function base.is_class(v) return getmetatable(v) == Class end

--- Is v one callback, not a list of them?
local function is_one(v)
  if type(v) ~= "table" then return false end
  return base.is_class(getmetatable(v)) or (#v == 0 and next(v) ~= nil)
end

--- The first of a flat list that has the method, or nil.
function base.with(list, method)
  for _, cb in ipairs(list) do
    if type(cb[method]) == "function" then return cb end
  end
end

--- Appends what a user gave as cbs (a callback, its class, a plain table of
--- events, or a list of any of these) to a flat list.
---@param v any
---@param into table
---@return table into
function base.flatten(v, into)
  if v == nil or v == false then return into end
  if base.is_class(v) then
    into[#into + 1] = v()
  elseif is_one(v) then
    base.check_events(v, "cbs")
    into[#into + 1] = v
  elseif type(v) == "table" then
    for _, cb in ipairs(v) do base.flatten(cb, into) end
  else
    check.fail("cbs: a callback is a table, not %s", check.describe(v))
  end
  return into
end

return base
