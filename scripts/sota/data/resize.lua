-- data/resize.lua -- the same loader at another size: every size in its item
-- and batch transforms scaled alike, so that small images are also less work to
-- decode.
local transforms = require "sota.data.transforms"

local resize = {}

local function scaled(v, factor)
  if type(v) == "table" then
    return {scaled(v[1], factor), scaled(v[2] or v[1], factor)}
  end
  return math.max(1, math.floor(v * factor + 0.5))
end

-- The list with every option `size` scaled.
local function scaled_list(list, factor)
  local out = {}
  for i, t in ipairs(list) do
    local options = {}
    for k, v in pairs(t.options) do options[k] = v end
    if options.size then options.size = scaled(options.size, factor) end
    out[i] = transforms[t.name](options)
  end
  return out
end

--- The longer side of the images that a loader gives.
function resize.side(dl) return math.max(dl:size()) end

--- A new loader over the same items, in the same order, whose images have
--- `side` pixels on their longer side; statistics of Normalize stay. It keeps no
--- decoded images (shrunk on load, they would take the room of the full ones)
--- but those that are all of the set (data/cifar.lua).
---@param dl DataLoader
---@param side integer
---@param bs? integer its own
---@return DataLoader
function resize.loader(dl, side, bs)
  local factor = side / resize.side(dl)
  local item_tfms = scaled_list(dl.o.item_tfms, factor)
  local batch_tfms = scaled_list(dl.o.batch_tfms, factor)
  return dl:with_tfms(item_tfms, batch_tfms, {bs = bs})
end

return resize
