-- draw/images.lua -- images of a loader as people see them: normalisation
-- undone, labels as text.
local core = require "sota.core"
local check = require "sota.check"

local images = {}

--- dl must be a loader of images (data/loaders.lua).
function images.check_loader(dl, what)
  if type(dl) ~= "table" or not (dl.source and dl.with and dl.augment) then
    check.fail("%s: needs a loader of images, such as dls.train, not %s", what,
      check.describe(dl))
  end
  return dl
end

--- x (N, H, W, 3) as a model gets it, with values from 0 to 1 again.
---@param dl DataLoader whose normalisation it has
---@param x tensor
---@return tensor
function images.plain(dl, x)
  local mean, std = dl.augment:statistics()
  x = x:to "f32"
  if mean then x = x * core.tensor(std) + core.tensor(mean) end
  return x:clamp{min = 0, max = 1}
end

--- Image i of a batch: (H, W, 3).
function images.of(x, i) return x:select{dim = 1, index = i}:contiguous() end

--- The name of a class, or its number where there are no names.
function images.name(vocab, class)
  return vocab and vocab[class] or tostring(class)
end

-- Names of the labels that item i has, of rows y (N, K) of several labels; a
-- line for each where it has only shares of them.
local function names_of_row(vocab, y, i)
  local list, between = {}, "; "
  for k, v in ipairs(y:select{dim = 1, index = i}:totable()) do
    if v > 0.005 then
      local name = images.name(vocab, k)
      if v <= 0.995 then name, between = ("%.2f %s"):format(v, name), "\n" end
      list[#list + 1] = name
    end
  end
  return #list > 0 and table.concat(list, between) or "none"
end

--- The label of item i of a batch as text; nil where there are none. blended:
--- what callbacks/blend.lua left behind.
---@param vocab string[]?
---@param y tensor? class numbers (N), or rows (N, K)
---@param i integer
---@param blended? {order: integer[], share: number|number[]}
function images.label(vocab, y, i, blended)
  if not y then return nil end
  if y:dim() > 1 then return names_of_row(vocab, y, i) end
  local own = images.name(vocab, y[i])
  if not blended then return own end
  local share = type(blended.share) == "table" and blended.share[i]
    or blended.share
  local other = images.name(vocab, y[blended.order[i]])
  if other == own or share > 0.995 then return own end
  return ("%.2f %s\n%.2f %s"):format(share, own, 1 - share, other)
end

--- The same items of a loader, in that order, in the plain form of validation:
--- images (a list, values from 0 to 1).
---@param dl DataLoader
---@param items integer[] places in the set, from 1
---@return tensor[]
function images.read(dl, items)
  local rows = {}
  for i, item in ipairs(items) do rows[i] = dl.o.rows[item] end
  local part <close> = dl:with{rows = core.data.rows(rows), bs = #rows,
    train = false, shuffle = false, drop_last = false, workers = 0,
    decoded = false, name = "show"}
  local list = {}
  for _, x in part:batches(1) do
    local seen = images.plain(dl, x)
    for i = 1, seen:shape(1) do list[i] = images.of(seen, i) end
  end
  if #list < #items then
    check.fail("%d of %d images cannot be read", #items - #list, #items)
  end
  return list
end

--- `n` places of a set, spread over it evenly, so that all classes of a sorted
--- set are seen.
function images.spread(total, n)
  local list = {}
  for i = 1, math.min(n, total) do
    list[i] = math.floor((i - 0.5) * total / math.min(n, total)) + 1
  end
  return list
end

return images
