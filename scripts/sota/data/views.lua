-- data/views.lua -- fixed views of each image, for test-time augmentation: the
-- mirror image, the corners and the middle.
local core = require "sota.core"

local views = {}

local SHARE = 7 / 8 -- of each side that a crop keeps: 224 of 256

-- The corners and the middle of h x w, as {top, left} from 0.
local function places(h, w, ch, cw)
  local bottom, right = h - ch, w - cw
  return {{0, 0}, {0, right}, {bottom, 0}, {bottom, right},
          {bottom // 2, right // 2}}
end

local function crop(x, place, ch, cw)
  local top, left = place[1], place[2]
  return x:slice{dim = 2, first = top + 1, last = top + ch}
    :slice{dim = 3, first = left + 1, last = left + cw}:contiguous()
end

local function crops(x)
  local list, h, w = {}, x:shape(2), x:shape(3)
  local ch, cw = math.floor(h * SHARE + 0.5), math.floor(w * SHARE + 0.5)
  for i, place in ipairs(places(h, w, ch, cw)) do
    list[i] = crop(x, place, ch, cw)
  end
  return list
end

-- Name -> {how many views, are there crops, is there the mirror image of each}.
local kinds = {
  flip = {2, false, true},
  fivecrop = {5, true, false},
  tencrop = {10, true, true},
}

views.names = {"flip", "fivecrop", "tencrop"}

--- How many views of that name there are.
function views.count(name) return kinds[name][1] end

-- What the model sees in each view of stored pixels x.
local function each_view(dl, name, x, rows)
  local list = {}
  for _, part in ipairs(kinds[name][2] and crops(x) or {x}) do
    local seen = dl:transform(part, rows, 1)
    list[#list + 1] = seen
    if kinds[name][3] then list[#list + 1] = seen:flip{dims = {3}} end
  end
  return list
end

--- A loader, for get_preds, whose batches are those of dl (in validation form)
--- once for each view in turn; each image is read once. Only the first view
--- comes with targets. `sizes` lists the items of each batch of dl.
---@param dl DataLoader
---@param name "flip"|"fivecrop"|"tencrop"
---@return table loader, integer[] sizes
function views.loader(dl, name)
  local sizes = {}
  local function batches()
    local next_batch, state, control, closing = dl.source:batches(1)
    local waiting = {}
    return function()
      if #waiting == 0 then
        local i, x, y, rows = next_batch(state, control)
        if not i then return nil end
        sizes[#sizes + 1] = x:shape(1)
        waiting = core.no_grad(each_view, dl, name, x, rows)
        return table.remove(waiting, 1), y or nil
      end
      return table.remove(waiting, 1)
    end, closing
  end
  local loader = {spec = function()
    return {n = #dl * views.count(name), batches = batches}
  end}
  return loader, sizes
end

return views
