-- draw/batch.lua -- show_batch: what the model gets to see.
--
--   dls:show_batch()                   nine images of a training batch
--   dls:show_batch{unique = true}      one image, augmented nine times
--   dls:show_batch{before = true}      above each, the image before batch_tfms
--   learn:show_batch()                 after the callbacks too: Mixup, CutMix
local core = require "sota.core"
local check = require "sota.check"
local grid = require "sota.draw.grid"
local images = require "sota.draw.images"

local batch = {}

local arguments = check.public("show_batch", {
  {"n", "integer", 9, min = 1, max = 400, help = "how many images"},
  {"unique", "boolean", false, help = "one image, augmented n times"},
  {"before", "boolean", false,
   help = "above each image, what it was before batch_tfms"},
  {"nrow", "integer", min = 1, help = "rows of images"},
  {"ncol", "integer", min = 1, help = "images in a row"},
  {"title", "string", help = "a heading"},
  {"to", "string", help = "a file to save it as, .png or .svg"},
}, {
  help = "A picture of a batch as the model sees it: augmented, with "
    .. "normalisation undone, with labels. Of dls, dls.train, dls.valid or a "
    .. "Learner, whose callbacks (Mixup) act on it first.",
  example = 'dls:show_batch{n = 12}:save "batch.png"',
})

-- --- getting images -----------------------------------------------------------

-- A training batch: stored pixels, what becomes of them, labels, their rows.
local function next_batch(dl)
  dl.last_epoch = (dl.last_epoch or 0) + 1
  local epoch = dl.train and dl.last_epoch or 1
  for _, raw, y, rows in dl.source:batches(epoch) do
    return raw, dl:transform(raw, rows, epoch), y or nil
  end
  check.fail("show_batch: there is no batch: the loader has %d items and "
    .. "batches of %d", dl:items(), dl.bs)
end

-- The first image of a batch in n versions: raw, x (lists), y.
local function versions(dl, n)
  local first
  dl.last_epoch = (dl.last_epoch or 0) + 1
  for _, _, _, rows in dl.source:batches(dl.last_epoch) do
    first = rows[1]
    break
  end
  if not first then next_batch(dl) end -- says that there is none
  local one <close> = dl:with{rows = core.data.rows{first}, bs = 1,
    drop_last = false, workers = 0, decoded = false, name = "show"}
  local raw, x, y = {}, {}, nil
  for i = 1, n do
    raw[i], x[i], y = next_batch(one)
  end
  return core.cat(raw, {dim = 1}), core.cat(x, {dim = 1}), y
end

-- --- cells --------------------------------------------------------------------

local function cells_of(x, n, label)
  local cells = {}
  for i = 1, math.min(n, x:shape(1)) do
    cells[i] = {image = images.of(x, i), title = label(i)}
  end
  return cells
end

-- Rows of images as they were over rows of what became of them.
local function interleave(above, below, ncol)
  local cells = {}
  for first = 1, #below, ncol do
    for _, list in ipairs{above, below} do
      for i = first, first + ncol - 1 do
        cells[#cells + 1] = list[i] or {}
      end
    end
  end
  return cells
end

local function picture(a, raw, x, label)
  local cells, ncol = cells_of(x, a.n, label), a.ncol
  if a.before then
    ncol = ncol or math.min(#cells, 6)
    local above = cells_of(raw, a.n, function() return "before" end)
    cells = interleave(above, cells, ncol)
  end
  local pic = grid.picture(cells, {title = a.title or "a batch",
    heading = a.title, nrow = not a.before and a.nrow or nil, ncol = ncol})
  return a.to and pic:save(a.to) or pic
end

--- A picture of a batch of a loader.
---@param dl DataLoader
---@param options? {n: integer, unique: boolean, before: boolean, nrow: integer, ncol: integer, title: string, to: string}
---@return Picture
function batch.of_loader(dl, ...)
  local a = arguments(...)
  images.check_loader(dl, "show_batch")
  return core.scope(core.no_grad, function()
    local raw, x, y
    if a.unique then raw, x, y = versions(dl, a.n)
    else raw, x, y = next_batch(dl) end
    return picture(a, raw, images.plain(dl, x), function(i)
      return images.label(dl.vocab, y, a.unique and 1 or i)
    end)
  end)
end

-- --- with the callbacks -------------------------------------------------------

local fields = {"xb", "yb", "bs", "training", "batch_loss", "blended"}

-- Lets the learner's callbacks do what they do before a training batch; what
-- that leaves in the learner, and random numbers, are put back at the end.
local function hold(learn)
  local before, random = {}, core.random_state()
  for _, name in ipairs(fields) do before[name] = rawget(learn, name) end
  return setmetatable({}, {__close = function()
    for _, name in ipairs(fields) do rawset(learn, name, before[name]) end
    core.random_state(random)
  end})
end

local function act(learn)
  local list = {}
  for i, cb in ipairs(learn.cbs) do list[i] = {cb = cb, place = i} end
  table.sort(list, function(a, b)
    local x, y = a.cb.order or 0, b.cb.order or 0
    if x ~= y then return x < y end
    return a.place < b.place
  end)
  for _, e in ipairs(list) do
    local cb = e.cb
    if cb.before_batch and cb.run ~= false and cb.run_train ~= false then
      cb:before_batch(learn)
    end
  end
end

local function plain_list(blended)
  if not blended then return nil end
  local share = blended.share
  return {order = blended.order:totable(),
          share = type(share) == "number" and share or share:totable()}
end

--- A picture of a training batch after the learner's callbacks.
---@param learn Learner
---@param options? {n: integer, before: boolean, nrow: integer, ncol: integer, title: string, to: string}
---@return Picture
function batch.of_learner(learn, ...)
  local a = arguments(...)
  local dl = images.check_loader(learn.dls.train, "show_batch")
  if a.unique then return batch.of_loader(dl, a) end
  return core.scope(core.no_grad, function()
    local raw, x, y = next_batch(dl)
    local held <close> = hold(learn)
    learn.xb, learn.yb, learn.bs, learn.training = x, y, x:shape(1), true
    learn.blended = nil
    act(learn)
    local seen, labels = images.plain(dl, learn.xb), learn.yb
    local blended = plain_list(learn.blended)
    return picture(a, raw, seen, function(i)
      return images.label(dl.vocab, labels, i, blended)
    end)
  end)
end

return batch
