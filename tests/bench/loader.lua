-- loader.lua -- how fast images become batches: the chapter's pipeline, Resize
-- to --item-size, then aug_transforms to --size, normalised, nothing trained.
--
--   sota-lua tests/bench/loader.lua --data FOLDER [--item-size 160]
--     [--size 128] [--bs 64] [--workers -1] [--epochs 2] [--images 0]
--     [--cache auto|no|MEGABYTES|FOLDER]
--
-- --data/train/<class>/<image>; --images: only so many of them; 0: all. --cache
-- with a folder keeps decoded images there and none in memory. A row
-- an epoch: images a second of wall time, milliseconds of processor time an
-- image over all threads, and what 1000 ms of one core would thus give: the
-- figure to compare on a machine that others use too. The last rows part an
-- epoch: items (decoded, resized, copied to a tensor) and augmentation alone.
require "sota.all"

local o = {["item-size"] = 160, size = 128, bs = 64, workers = -1, epochs = 2,
           images = 0, cache = "auto"}

local function usage(why)
  io.stderr:write("bench: ", why, "\n")
  os.exit(2)
end

for i = 1, #arg, 2 do
  local name, value = arg[i]:match "^%-%-(.+)", arg[i + 1]
  if not name or (o[name] == nil and name ~= "data") then
    usage(("unknown option %s"):format(arg[i]))
  end
  if not value then usage(("option --%s wants a value"):format(name)) end
  o[name] = math.tointeger(tonumber(value)) or value
end
if not o.data then usage "--data FOLDER is missing" end

-- Every k-th file, so that all classes are there.
local function some_files(folder)
  local all = get_image_files(folder .. "/train")
  if o.images == 0 or o.images >= #all then return all end
  local paths = {}
  for i = 1, o.images do paths[i] = all:path((i - 1) * #all // o.images + 1) end
  return paths
end

local cache = o.cache
if cache == "no" then
  cache = false
elseif type(cache) == "string" and cache ~= "auto" then
  cache = {memory = 0, disk = true, folder = cache}
end

local dls = DataBlock{
  get_items = some_files, get_y = parent_label,
  splitter = RandomSplitter{valid_pct = 0.02, seed = 1},
  item_tfms = Resize(o["item-size"]),
  batch_tfms = {aug_transforms{size = o.size, min_scale = 0.75},
                Normalize.from_stats(imagenet_stats)},
}:dataloaders(o.data, {bs = o.bs, workers = o.workers, seed = 1, cache = cache})

-- Seconds of wall time, to 10 ms: all that files give to Lua.
local function clock()
  local file <close> = assert(io.open "/proc/uptime")
  return file:read "n"
end

-- f() gives how many images it made; their costs as a row.
local function row(name, f)
  collectgarbage()
  local wall, cpu = clock(), os.clock()
  local n = f()
  wall, cpu = clock() - wall, os.clock() - cpu
  print(("%-12s %7d images %8.0f img/s %8.3f ms cpu/img %8.0f img/s a core")
    :format(name, n, n / wall, 1000 * cpu / n, n / cpu))
end

local function whole(epoch)
  local n = 0
  for _, x in dls.train:batches(epoch) do n = n + x:shape(1) end
  return n
end

local function items(epoch)
  local n, x, rows = 0
  for _, batch, _, r in dls.train.source:batches(epoch) do
    n, x, rows = n + batch:shape(1), batch, r
  end
  return n, x, rows
end

print(dls.train)
for e = 1, o.epochs do
  row(("epoch %d"):format(e), function() return whole(e) end)
end
local x, rows
row("items", function()
  local n
  n, x, rows = items(o.epochs + 1)
  return n
end)
row("augment", function()
  local times = 20
  for e = 1, times do dls.train:transform(x, rows, e) end
  return times * x:shape(1)
end)
dls:close()
