-- data/summary.lua -- DataBlock:summary: what every step makes of a data set.
local core = require "sota.core"
local transforms = require "sota.data.transforms"

local summary = {}

local function say(fmt, ...) print(fmt:format(...)) end

local function row(name, fmt, ...)
  say("  %-34s %s", name, fmt:format(...))
end

local function numbers(list)
  local parts = {}
  for c, v in ipairs(list) do
    parts[c] = ("%.3f"):format(v):gsub("^%-(0%.0+)$", "%1") -- no minus zero
  end
  return table.concat(parts, " ")
end

local function list_text(names, most)
  local text = table.concat(names, ", ", 1, math.min(#names, most))
  return #names > most and text .. ", ..." or text
end

-- --- the set ----------------------------------------------------------------

local function show_set(dls)
  local files, train, valid = dls.train.files, dls.train, dls.valid
  row("items", "%d; the first: %s", #files, files:path(1))
  row("split", "%d for training, %d for validation", train:items(),
    valid:items())
  row("classes", "%d: %s", dls.c, list_text(dls.vocab:totable(), 12))
end

-- --- one item ---------------------------------------------------------------

-- The first n item transforms as a loader of the first training item; nil while
-- they do not fix a size.
local function size_after(dl, n)
  local list = table.move(dl.o.item_tfms, 1, n, 1, {})
  local ok, pipeline = pcall(transforms.pipeline, list)
  if not ok then return nil end
  local rows = core.data.rows{dl.o.rows[1]}
  for _, x in dl:with{pipeline = pipeline, rows = rows, bs = 1, workers = 0,
                      shuffle = false}.source:batches(1) do
    return x:shape(2), x:shape(3)
  end
end

local function show_item(dl)
  local path = dl.files:path(dl.o.rows[1])
  local h, w = core.data.image_size(path)
  say("One item: %s", path)
  row("label", "%s", table.concat(dl.files:labels(dl.o.rows[1]), ", "))
  row("image", "%d x %d pixels (height x width)", h, w)
  for i, t in ipairs(dl.o.item_tfms) do
    local th, tw = size_after(dl, i)
    row(tostring(t), "%s", th and ("%d x %d"):format(th, tw)
      or "no fixed size yet")
  end
end

-- --- one batch --------------------------------------------------------------

local function shape_text(t)
  return t:dtype() .. " " .. table.concat(t:shape(), "x")
end

local function channels(x)
  local dims = {1, 2, 3}
  return ("%s, mean %s, std %s"):format(shape_text(x),
    numbers(x:mean(dims):totable()), numbers(x:std(dims):totable()))
end

local function show_batch(dl)
  for _, x, y, rows in dl.source:batches(1) do
    say("One batch of %d, training form", x:shape(1))
    row("from the loader", "%s", shape_text(x))
    local mean, std = dl.augment:statistics()
    for i, t in ipairs(dl.o.batch_tfms) do
      local list = table.move(dl.o.batch_tfms, 1, i, 1, {})
      local augment = transforms.augment(list, mean, std)
      row(t.name, "%s", channels(augment:apply(x, {seed = dl.seed, epoch = 1,
        items = rows:totable(), train = true})))
    end
    row("y", "%s", (tostring(y):gsub("\n%s*", " ")))
    return
  end
end

--- Prints all of it.
function summary.print(block, source, options)
  local o = {bs = 4, workers = 0}
  for k, v in pairs(options) do o[k] = v end
  say("%s", tostring(block))
  say("Opening %s", tostring(source))
  local dls = block:dataloaders(source, o)
  show_set(dls)
  show_item(dls.train)
  core.no_grad(show_batch, dls.train)
  dls:close()
end

return summary
