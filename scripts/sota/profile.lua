-- profile.lua -- sota.profile(f): where the time of f goes. The command's
-- --profile does the same for a whole script.
local core = require "sota.core"
local check = require "sota.check"

local arguments = check.spec("profile", {
  {"f", "callable", required = true},
  {"trace", "string"}, {"rows", "integer", 30, min = 0},
})

--- Runs f() and reports on stderr what took how long: phases, operations,
--- layers. An error in f is raised after the report.
---@param f function
---@param options? {trace: string, rows: integer} trace: file for a Chrome trace; rows: most lines of a table
---@return any ... what f returns
---@example sota.profile(function() return model(x) end)
return function(...)
  local a = arguments(...)
  core.profile.start(a.trace)
  local stop <close> = setmetatable({}, {__close = function()
    core.profile.stop(a.rows)
  end})
  return a.f()
end
