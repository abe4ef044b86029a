-- callbacks/look.lua -- for callbacks that look at a run from inside: what they
-- touch is put back.
local core = require "sota.core"

local look = {}

--- Is dl a loader of images, which pictures can be made of?
function look.is_of_images(dl)
  return type(dl) == "table" and dl.source and dl.with and dl.augment
end

--- Sets fields of a learner for a while: local held <close> = look.hold(learn,
--- {quiet = true}). Random numbers go on as if nothing had been.
function look.hold(learn, fields)
  local before = {}
  for k, v in pairs(fields) do
    before[k] = rawget(learn, k)
    learn[k] = v
  end
  local random = core.random_state()
  return setmetatable({}, {__close = function()
    for k in pairs(fields) do learn[k] = before[k] end
    core.random_state(random)
  end})
end

return look
