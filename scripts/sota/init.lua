-- init.lua -- local sota = require "sota"
--
-- The core's functions and operations (sota.tensor, sota.conv2d...), and the
-- parts of the library, each loaded when it is first used.
local core = require "sota.core"
require "sota.show"

-- A new part of the library is one line here: sota.<part> is that module.
local parts = {
  nn = "sota.nn",
  models = "sota.models",
  losses = "sota.losses",
  metrics = "sota.metrics",
  show = "sota.show",
  options = "sota.options",
  help = "sota.help",
  data = "sota.data",
  draw = "sota.draw",
  optim = "sota.optim",
  callbacks = "sota.callbacks",
  Learner = "sota.learner",
  Interpretation = "sota.interpretation",
  model_file = "sota.model_file",
  profile = "sota.profile",
}

local sota = {}
for name, value in pairs(core) do
  if not parts[name] then sota[name] = value end -- the library's part wraps it
end
for name, value in pairs(require "sota.tensors") do sota[name] = value end

return setmetatable(sota, {
  names = parts, -- as keys: what there will be
  __index = function(_, name)
    if not parts[name] then return nil end
    local part = require(parts[name])
    rawset(sota, name, part)
    return part
  end,
})
