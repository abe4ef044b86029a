-- data/views.lua -- fixed views of each image, for test-time augmentation: the
-- mirror image, the corners and the middle.
local views = {}

local SHARE = 7 / 8 -- of each side that a crop keeps: 224 of 256

-- The corners and the middle of h x w, as {top, left} from 0.
local function places(h, w, ch, cw)
  local bottom, right = h - ch, w - cw
  return {{0, 0}, {0, right}, {bottom, 0}, {bottom, right},
          {bottom // 2, right // 2}}
end

-- Crop number i of x (N, H, W, C).
local function crop(x, i)
  local h, w = x:shape(2), x:shape(3)
  local ch, cw = math.floor(h * SHARE + 0.5), math.floor(w * SHARE + 0.5)
  local top, left = table.unpack(places(h, w, ch, cw)[i])
  return x:slice{dim = 2, first = top + 1, last = top + ch}
    :slice{dim = 3, first = left + 1, last = left + cw}:contiguous()
end

-- Name -> how many views: the crops (or the image), then the mirror image of
-- each.
local kinds = {
  flip = {count = 2, crops = false, parts = 1},
  fivecrop = {count = 5, crops = true, parts = 5},
  tencrop = {count = 10, crops = true, parts = 5},
}

views.names = {"flip", "fivecrop", "tencrop"}

--- How many views of that name there are.
function views.count(name) return kinds[name].count end

-- What the model sees in view v of stored pixels x.
local function view(dl, kind, v, x, rows)
  local part = (v - 1) % kind.parts + 1
  local seen = dl:transform(kind.crops and crop(x, part) or x, rows, 1)
  return v > kind.parts and seen:flip{dims = {3}} or seen
end

--- A loader, for get_preds, whose batches are those of dl (in validation form)
--- once for each view in turn; each image is read once. Only the first view
--- comes with targets. `sizes` lists the items of each batch of dl.
---@param dl DataLoader
---@param name "flip"|"fivecrop"|"tencrop"
---@return table loader, integer[] sizes
function views.loader(dl, name)
  local kind, sizes = kinds[name], {}
  local function batches()
    local next_batch, state, control, closing = dl.source:batches(1)
    local i, x, y, rows
    local v = kind.count
    return function()
      if v == kind.count then
        if x then x:close() end
        i, x, y, rows = next_batch(state, control)
        if not i then return nil end
        v, sizes[#sizes + 1] = 0, x:shape(1)
        x:keep() -- past this step
      end
      v = v + 1
      return view(dl, kind, v, x, rows), v == 1 and y or nil
    end, closing
  end
  local loader = {spec = function()
    return {n = #dl * kind.count, batches = batches}
  end}
  return loader, sizes
end

return views
