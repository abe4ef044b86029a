-- data/loaders.lua -- DataLoader: batches of one set; DataLoaders: the two that
-- a learner needs.
local core = require "sota.core"
local cache = require "sota.data.cache"
local check = require "sota.check"
local transforms = require "sota.data.transforms"

local loaders = {}

local DataLoader = {}
DataLoader.__index = DataLoader
DataLoader.__name = "DataLoader"

loaders.DataLoader = DataLoader

-- o: files, rows, vocab, multi, train, bs, shuffle, drop_last, seed, workers,
-- on_bad, name, pipeline, augment (shared with the other loader), item_tfms and
-- batch_tfms (lists), decoded (core.data.decoded: images kept for next time)
function loaders.new(o)
  local self = setmetatable({o = o, train = o.train, bs = o.bs, seed = o.seed,
                             augment = o.augment, files = o.files,
                             vocab = o.vocab or nil, multi = o.multi, pass = 0},
    DataLoader)
  self.source = check.call(core.data.loader, {
    files = o.files, rows = o.rows, pipeline = o.pipeline,
    vocab = o.vocab or nil,
    multi = o.multi, train = o.train, batch_size = o.bs, shuffle = o.shuffle,
    drop_last = o.drop_last, seed = o.seed, workers = o.workers,
    on_bad = o.on_bad, name = o.name,
    decoded = o.decoded or nil,
  })
  self.bs = self.source:batch_size()
  return self
end

--- Number of batches in an epoch.
function DataLoader:__len() return #self.source end

--- Number of items of the set.
---@example dls.train:items()
function DataLoader:items() return #self.o.rows end

--- Items of each class, in the order of vocab.
---@example dls.train:counts()
function DataLoader:counts() return self.source:counts() end

--- Seconds spent waiting for data so far.
---@example dls.train:waited()
function DataLoader:waited() return self.source:waited() end

--- Decoded images kept: megabytes in memory, and of the file on disk.
---@return number memory, number disk
---@example dls.train:cached()
function DataLoader:cached()
  if not self.o.decoded then return 0, 0 end
  local memory, disk = self.o.decoded:bytes()
  return memory / 2 ^ 20, disk / 2 ^ 20
end

--- Files that could not be read: a list of {row=, path=, reason=}.
---@example dls.train:bad()
function DataLoader:bad() return self.source:bad() end

--- Height and width of the images that a model gets.
---@example dls.train:size()
function DataLoader:size()
  local h, w = self.source:size()
  return self.augment:size(h, w)
end

--- What a model sees of stored pixels.
---@example dls.valid:one_batch() -- which calls transform
function DataLoader:transform(x, rows, epoch)
  return self.augment:apply(x, {seed = self.seed, epoch = epoch,
    pass = self.pass, items = rows:totable(), train = self.train})
end

--- for i, x, y in dl:batches() do ... end: x (N, H, W, 3), y class numbers (N).
--- The loader's threads end with the loop, however it ends. Without an epoch a
--- training loader draws another order each time.
---@param epoch? integer from 1
---@param first? integer the batch to begin with, from 1
---@example for i, xb, yb in dls.valid:batches() do print(i, yb) end
function DataLoader:batches(epoch, first)
  if not epoch then
    self.last_epoch = (self.last_epoch or 0) + 1
    epoch = self.train and self.last_epoch or 1
  end
  local next_batch, state, control, closing = self.source:batches(epoch, first)
  local function step()
    local i, x, y, rows = next_batch(state, control)
    if not i then return nil end
    return i, self:transform(x, rows, epoch), y or nil, rows
  end
  return step, nil, nil, closing
end

--- The first batch of an epoch.
---@return tensor x, tensor y
---@example dls.valid:one_batch()
function DataLoader:one_batch()
  for _, x, y, rows in self:batches() do return x, y, rows end
  check.fail("one_batch: there are no batches")
end

--- For core.fit: a function that gives x, y at each call, and what ends it.
---@example dls.train:spec(function() return 1 end).n
function DataLoader:spec(epoch_of)
  return {
    n = #self,
    batches = function(epoch, start)
      local step, _, _, closing = self:batches(epoch_of(epoch), start + 1)
      return function()
        local i, x, y, rows = step()
        self.rows_now = rows -- of the batch that is worked on
        if i then return x, y end
      end, closing
    end,
  }
end

--- The same set in a form that is read several times: decoded images are kept
--- in memory, as far as they fit.
---@param options? table as for with
---@param megabytes? integer a quarter of the memory that is free
---@example dls.train:kept()
function DataLoader:kept(options, megabytes)
  local o = {decoded = self.o.decoded}
  for k, v in pairs(options or {}) do o[k] = v end
  megabytes = megabytes or cache.memory()
  if not o.decoded and megabytes > 0 then
    o.decoded = core.data.decoded(self.files, megabytes << 20)
  end
  return self:with(o)
end

--- The same set in another form: options replace those it was made with.
---@example dls.valid:with{bs = 4}
function DataLoader:with(options)
  local o = {}
  for k, v in pairs(self.o) do o[k] = v end
  for k, v in pairs(options) do o[k] = v end
  return loaders.new(o)
end

-- The list, and a Normalize when the old list had one and this has none: the
-- model was trained on normalised pixels.
local function normalized(list, old)
  for _, t in ipairs(list) do
    if t.name == "Normalize" then return list end
  end
  for _, t in ipairs(old) do
    if t.name == "Normalize" then list[#list + 1] = t end
  end
  return list
end

--- The same set with other transforms: those given replace the loader's. Its
--- Normalize stays, unless batch_tfms have one; so do its statistics.
---@param item_tfms any transforms of single images; nil: the loader's
---@param batch_tfms any transforms of batches; nil: the loader's
---@param options? table more, as for with
---@return DataLoader
---@example dls.train:with_tfms(Resize(24))
function DataLoader:with_tfms(item_tfms, batch_tfms, options)
  local items = item_tfms and transforms.list(item_tfms, "item")
    or self.o.item_tfms
  local batch = batch_tfms
    and normalized(transforms.list(batch_tfms, "batch"), self.o.batch_tfms)
    or self.o.batch_tfms
  local o = {item_tfms = items, batch_tfms = batch,
    decoded = self.o.resident and self.o.decoded or false,
    pipeline = transforms.pipeline(items),
    augment = transforms.augment(batch, self.augment:statistics())}
  for k, v in pairs(options or {}) do o[k] = v end
  return self:with(o)
end

function DataLoader:__tostring()
  local h, w = self:size()
  return ("DataLoader (%s): %d items, %d batches of %d, %dx%d pixels, %d "
    .. "workers"):format(self.train and "train" or "valid", self:items(),
    #self, self.bs, h, w, self.source:workers())
end

--- A picture of a batch: draw/batch.lua.
---@param options? {n: integer, unique: boolean, before: boolean, nrow: integer, ncol: integer, title: string, to: string}
---@return Picture
function DataLoader:show_batch(...)
  return require "sota.draw.batch".of_loader(self, ...)
end

--- Ends the loader's threads and gives its memory back.
---@example dls.valid:with{}:close()
function DataLoader:close() self.source:close() end
DataLoader.__close = DataLoader.close

-- --- both -------------------------------------------------------------------

local DataLoaders = {}
DataLoaders.__index = DataLoaders
DataLoaders.__name = "DataLoaders"
loaders.DataLoaders = DataLoaders

--- DataLoaders(train, valid): made by DataBlock:dataloaders.
function loaders.pair(train, valid, info)
  local self = setmetatable({train = train, valid = valid, bs = train.bs,
    vocab = train.vocab, c = train.vocab and #train.vocab or nil}, DataLoaders)
  for k, v in pairs(info or {}) do self[k] = v end
  return self
end

--- The first training batch: x (N, H, W, 3), y (N).
---@example local xb, yb = dls:one_batch()
function DataLoaders:one_batch() return self.train:one_batch() end

--- A picture of a training batch: draw/batch.lua.
---@param options? {n: integer, unique: boolean, before: boolean, nrow: integer, ncol: integer, title: string, to: string}
---@return Picture
function DataLoaders:show_batch(...) return self.train:show_batch(...) end

--- A loader over other files, in the form of the validation set.
---@param paths string|string[] one path or a list
---@param options? {bs: integer}
---@example learn:get_preds{dl = dls:test_dl(image)}
function DataLoaders:test_dl(paths, options)
  options = options or {}
  if type(paths) == "string" then paths = {paths} end
  local files = paths
  if type(paths) == "table" then
    files = core.data.files()
    for _, path in ipairs(paths) do files:add(path) end
  end
  if #files == 0 then check.fail("test_dl: there are no files in the list") end
  local rows = {}
  for i = 1, #files do rows[i] = i end
  local dl = self.valid:with{files = files, rows = core.data.rows(rows),
    vocab = false, multi = false, decoded = false,
    bs = math.min(options.bs or self.bs, #files),
    workers = #files < 8 and 0 or nil, name = "test"}
  dl.vocab = nil
  return dl
end

local function stats_text(self)
  local mean, std = self.train.augment:statistics()
  if not mean then return "not normalised" end
  return ("normalised by mean %.3f %.3f %.3f, std %.3f %.3f %.3f"):format(
    mean[1], mean[2], mean[3], std[1], std[2], std[3])
end

function DataLoaders:__tostring()
  local lines = {tostring(self.train), tostring(self.valid), stats_text(self)}
  if self.vocab then
    local train, valid = self.train:counts(), self.valid:counts()
    lines[#lines + 1] = ("%d classes (training, validation items):"):format(
      self.c)
    for k = 1, math.min(self.c, 40) do
      lines[#lines + 1] = ("  %3d  %-24s %6d %6d"):format(k, self.vocab[k],
        train and train[k] or 0, valid and valid[k] or 0)
    end
    if self.c > 40 then lines[#lines + 1] = "  ..." end
  end
  return table.concat(lines, "\n")
end

-- RFC 4180: a field in quotes where it must be.
local function csv_field(text)
  return text:find '[",\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
end

--- The images that were skipped so far (on_bad_image = "skip"), and why. With a
--- file name, they are also written there as CSV, if there are any (a list of an
--- earlier run is removed), and warned of in one line.
---@param file? string such as "out/bad_images.csv"
---@return {path: string, reason: string, set: string}[]
---@example dls:bad_images()
function DataLoaders:bad_images(file)
  local list = {}
  for _, set in ipairs{"train", "valid"} do
    for _, b in ipairs(self[set]:bad()) do
      list[#list + 1] = {path = b.path, reason = b.reason, set = set}
    end
  end
  if not file then return list end
  if #list == 0 then
    os.remove(file)
    return list
  end
  local lines = {"path,set,reason\n"}
  for i, b in ipairs(list) do
    lines[i + 1] = ("%s,%s,%s\n"):format(csv_field(b.path), b.set,
      csv_field(b.reason))
  end
  local ok, why = core.write_file(file, table.concat(lines))
  if not ok then check.fail("bad_images: %s", why) end
  warn(("%d images were skipped; %s lists them"):format(#list, file))
  return list
end

--- Ends the loaders' threads and gives their memory back.
---@example block:dataloaders(path):close()
function DataLoaders:close()
  self.train:close()
  self.valid:close()
end
DataLoaders.__close = DataLoaders.close

-- How many batches Normalize is to be measured on.
local function batches_to_measure(list)
  for _, t in ipairs(list) do if t.batches then return t.batches end end
  return 1
end

-- The statistics of one set of pixels from those of its parts: {n, mean, std},
-- deviations unbiased.
local function pooled(parts)
  local n, mean, std = 0, {0, 0, 0}, {0, 0, 0}
  for _, p in ipairs(parts) do
    n = n + p.n
    for c = 1, 3 do mean[c] = mean[c] + p.n * p.mean[c] end
  end
  for c = 1, 3 do
    mean[c] = mean[c] / n
    for _, p in ipairs(parts) do
      std[c] = std[c] + (p.n - 1) * p.std[c] ^ 2
        + p.n * (p.mean[c] - mean[c]) ^ 2
    end
    std[c] = math.sqrt(std[c] / (n - 1))
  end
  return mean, std
end

-- Normalize without statistics measures them on the first training batches.
-- The loader has other batch transforms afterwards.
function loaders.measure(train)
  if not train.augment:needs_statistics() then return end
  local parts, wanted = {}, batches_to_measure(train.o.batch_tfms)
  local h, w = train:size()
  local line <close> = core.progress("measuring for Normalize",
    math.min(wanted, #train), "batches")
  for _, x, _, rows in train.source:batches(1) do
    local mean, std = train.augment:measure(x, {seed = train.seed, epoch = 1,
      items = rows:totable(), train = true})
    parts[#parts + 1] = {n = x:shape(1) * h * w, mean = mean, std = std}
    line:update(#parts)
    if #parts == wanted then break end
  end
  if #parts < 2 then return end
  train.augment = transforms.augment(train.o.batch_tfms, pooled(parts))
  train.o.augment = train.augment
end

return loaders
