-- data/block.lua -- DataBlock: from a folder to batches, by what it is made of.
local core = require "sota.core"
local cache = require "sota.data.cache"
local check = require "sota.check"
local items = require "sota.data.items"
local loaders = require "sota.data.loaders"
local transforms = require "sota.data.transforms"

local block = {}

--- What x is: an image.
---@example DataBlock{blocks = {ImageBlock, CategoryBlock}}
block.ImageBlock = setmetatable({role = "x"}, {
  __tostring = function() return "ImageBlock" end})
--- What y is: one class of several. CategoryBlock{vocab = {...}} fixes the
--- classes and their order.
---@example CategoryBlock{vocab = {"cat", "dog"}}
block.CategoryBlock = setmetatable({role = "y"}, {
  __tostring = function() return "CategoryBlock" end})
--- What y is: any number of classes. MultiCategoryBlock{vocab = {...}} fixes
--- them and their order.
---@example DataBlock{blocks = {ImageBlock, MultiCategoryBlock}}
block.MultiCategoryBlock = setmetatable({role = "y", multi = true}, {
  __tostring = function() return "MultiCategoryBlock" end})

-- CategoryBlock{vocab = {...}} fixes the classes and their order.
for _, b in ipairs{block.CategoryBlock, block.MultiCategoryBlock} do
  local meta = getmetatable(b)
  local arguments = check.spec(tostring(b), {{"vocab", "table"}})
  function meta.__call(_, ...)
    local a = arguments(...)
    return setmetatable({role = "y", multi = b.multi, vocab = a.vocab}, meta)
  end
end
getmetatable(block.ImageBlock).__call = function(b) return b end

local DataBlock = {}
DataBlock.__index = DataBlock
DataBlock.__name = "DataBlock"

local arguments = check.spec("DataBlock", {
  {"blocks", "table"}, {"get_items", "callable"}, {"get_x", "callable"},
  {"get_y", "callable"}, {"splitter", "callable"}, {"item_tfms", "any"},
  {"batch_tfms", "any"},
})

--- From a folder to batches, by what it is made of. Functions of Lua run once,
--- when a data set is opened.
---@class DataBlockOptions
---@field blocks? table {ImageBlock, CategoryBlock}
---@field get_items? fun(source): files|table  get_image_files
---@field get_x? fun(item): string  the path of an item's image
---@field get_y? fun(item): string|string[]  its label, or labels; parent_label
---@field splitter? function  RandomSplitter()
---@field item_tfms? any  transforms of single images, such as Resize(460)
---@field batch_tfms? any  transforms of batches, such as aug_transforms{}
---@example DataBlock{blocks = {ImageBlock, CategoryBlock}, get_items = get_image_files, get_y = parent_label, splitter = RandomSplitter(), item_tfms = Resize(64)}
function block.DataBlock(...)
  local a = arguments(...)
  a.blocks = a.blocks or {block.ImageBlock, block.CategoryBlock}
  if #a.blocks ~= 2 or type(a.blocks[1]) ~= "table" or a.blocks[1].role ~= "x"
      or type(a.blocks[2]) ~= "table" or a.blocks[2].role ~= "y" then
    check.fail("DataBlock: blocks must be {ImageBlock, CategoryBlock} or "
      .. "{ImageBlock, MultiCategoryBlock}")
  end
  a.item_tfms = transforms.list(a.item_tfms, "item")
  a.batch_tfms = transforms.list(a.batch_tfms, "batch")
  a.get_items = a.get_items or items.get_image_files
  a.get_y = a.get_y or items.parent_label
  a.splitter = a.splitter or items.RandomSplitter()
  return setmetatable(a, DataBlock)
end

-- The files of a source: what get_items gave, or paths taken from its items.
-- The second result is the list of items when they are not just paths.
local function open_files(self, source)
  local list = self.get_items(source)
  if type(list) == "userdata" and not self.get_x then return list, nil end
  if type(list) ~= "userdata" and type(list) ~= "table" then
    check.fail("DataBlock: get_items gave %s; a list of items is wanted",
      check.describe(list))
  end
  local files, kept = core.data.files(), {}
  local line <close> = core.progress("opening", #list, "items")
  for i = 1, #list do
    if i % 256 == 0 then line:update(i) end
    local item = type(list) == "userdata" and list:path(i) or list[i]
    local path = item
    if self.get_x then path = self.get_x(item) end
    if type(path) ~= "string" then
      check.fail("DataBlock: item %d gives %s, not the path of an image; "
        .. "get_x(item) must return one", i, check.describe(path))
    end
    files:add(path)
    kept[i] = item
  end
  if #files == 0 then check.fail("DataBlock: get_items found no items") end
  return files, kept
end

local function bad_label(files, i, label)
  check.fail("DataBlock: get_y gave %s for %s; the name of a class is wanted",
    check.describe(label), files:path(i))
end

local function label_files(self, files, list)
  if self.get_y == items.parent_label and not list then
    return files:label_by_folder(1)
  end
  local multi = self.blocks[2].multi
  local line <close> = core.progress("labelling", #files, "files")
  for i = 1, #files do
    if i % 256 == 0 then line:update(i) end
    local label = self.get_y(list and list[i] or files:path(i))
    if type(label) == "number" then label = tostring(label) end
    if type(label) == "table" and multi then
      for _, name in ipairs(label) do
        if type(name) ~= "string" then bad_label(files, i, name) end
      end
    elseif type(label) ~= "string" then
      bad_label(files, i, label)
    end
    files:set_label(i, label)
  end
end

local function split_files(self, files, list)
  local train, valid = self.splitter(files, list)
  if type(train) == "table" then train = core.data.rows(train) end
  if type(valid) == "table" then valid = core.data.rows(valid) end
  if not train or not valid then
    check.fail("DataBlock: the splitter must return the rows for training and "
      .. "the rows for validation")
  end
  return train, valid
end

local loader_arguments = check.spec("dataloaders", {
  {"bs", "integer", 64, min = 1}, {"val_bs", "integer", min = 1},
  {"seed", "integer", min = 0}, {"workers", "integer", -1, min = -1},
  {"shuffle", "boolean", true}, {"drop_last", "boolean"},
  {"on_bad_image", "string", "error", choices = {"error", "skip"}},
  {"device", "string"}, cache.option,
})

-- What is common to both loaders, with every step of opening done.
local function open(self, source, o)
  local files, list = open_files(self, source)
  local train, valid = split_files(self, files, list)
  label_files(self, files, list)
  local y = self.blocks[2]
  local vocab = y.vocab and check.call(core.data.vocab, y.vocab)
      or check.call(core.data.vocab, files, train)
  local common = {files = files, vocab = vocab, multi = y.multi or false,
    seed = o.seed or core.get "seed", workers = o.workers,
    on_bad = o.on_bad_image, item_tfms = self.item_tfms,
    batch_tfms = self.batch_tfms,
    pipeline = transforms.pipeline(self.item_tfms),
    augment = transforms.augment(self.batch_tfms),
    decoded = cache.open(files, o.cache)}
  return common, train, valid
end

-- Random crops that are enlarged are less sharp than the whole images of
-- validation: a network that has only seen the one is worse at the other.
local function warn_of_enlarged_crops(self, train)
  local item = train.source:size()
  for _, t in ipairs(self.batch_tfms) do
    local o = t.options or {}
    local size, least = tonumber(o.size), tonumber(o.min_scale)
    if size and least and least < 1 and item <= size then
      local wanted = math.ceil(size / math.sqrt(least))
      warn(("item images of %d pixels are cropped and enlarged to %d for "
        .. "training, but not for validation: accuracy suffers; take items of at "
        .. "least %d, such as Resize(%d)"):format(item, size, wanted, wanted))
    end
  end
end

local function one(common, own)
  local o = {}
  for k, v in pairs(common) do o[k] = v end
  for k, v in pairs(own) do o[k] = v end
  return loaders.new(o)
end

--- Opens the data set: files found, split and labelled, loaders made. cache:
--- decoded images are kept for later epochs, "auto" in a quarter of the free
--- memory, a set that does not fit also in a file of the user's cache; false:
--- not at all; a number: megabytes of memory, no file; or {memory = megabytes,
--- disk = megabytes or false, folder = path}.
---@param source any what get_items wants; a folder
---@param options? {bs: integer, val_bs: integer, seed: integer, workers: integer, shuffle: boolean, drop_last: boolean, on_bad_image: "error"|"skip", device: string, cache: "auto"|boolean|integer|{memory: integer, disk: integer|boolean, folder: string}}
---@return DataLoaders
---@example block:dataloaders(path, {bs = 8})
function DataBlock:dataloaders(source, options)
  local o = loader_arguments(options or {})
  if o.device then core.set("device", o.device) end
  local common, train, valid = open(self, source, o)
  local drop = o.drop_last
  if drop == nil then drop = o.shuffle end
  local first = one(common, {rows = train, train = true, bs = o.bs,
    shuffle = o.shuffle, drop_last = drop, name = "train"})
  warn_of_enlarged_crops(self, first)
  loaders.measure(first)
  common.augment = first.augment
  local second = one(common, {rows = valid, train = false,
    bs = math.min(o.val_bs or o.bs, #valid), shuffle = false,
    drop_last = false, name = "valid"})
  return loaders.pair(first, second, {path = source, block = self})
end

--- Opens the data set and prints what each step made of it: the items, the
--- split, the classes, one item and one batch through every transform.
---@param source any what get_items wants; a folder
---@param options? table as for dataloaders; bs = 4
---@example block:summary(path)
function DataBlock:summary(source, options)
  return require("sota.data.summary").print(self, source, options or {})
end

local function list_text(list)
  local parts = {}
  for i, t in ipairs(list) do parts[i] = tostring(t) end
  return #parts > 0 and table.concat(parts, "\n              ") or "none"
end

function DataBlock:__tostring()
  return ("DataBlock\n  blocks      %s, %s\n  item_tfms   %s\n  batch_tfms  %s")
    :format(tostring(self.blocks[1]), tostring(self.blocks[2]),
      list_text(self.item_tfms), list_text(self.batch_tfms))
end

-- --- ready-made -------------------------------------------------------------

block.ImageDataLoaders = {}

local folder_arguments = check.spec("ImageDataLoaders.from_folder", {
  {"path", "string", required = true}, {"train", "string", "train"},
  {"valid", "string", "valid"}, {"valid_pct", "number", min = 0, max = 1},
  {"seed", "integer", min = 0}, {"item_tfms", "any"}, {"batch_tfms", "any"},
  {"bs", "integer", 64, min = 1}, {"val_bs", "integer", min = 1},
  {"workers", "integer", -1, min = -1}, {"on_bad_image", "string", "error"},
  cache.option,
})

--- Folders of classes: path/train/<class>/..., path/valid/<class>/...; with
--- valid_pct, path/<class>/... and a random share for validation.
---@param path string
---@param options? table item_tfms, batch_tfms, bs, valid_pct, seed, ...
---@field train? string the folder of the training images
---@field valid? string the folder of the validation images
---@example ImageDataLoaders.from_folder(path, {valid = "val", item_tfms = Resize(32), bs = 8})
function block.ImageDataLoaders.from_folder(...)
  local a = folder_arguments(...)
  local splitter = a.valid_pct
      and items.RandomSplitter{valid_pct = a.valid_pct, seed = a.seed}
      or items.GrandparentSplitter{train_name = a.train, valid_name = a.valid}
  local b = block.DataBlock{splitter = splitter, item_tfms = a.item_tfms,
                            batch_tfms = a.batch_tfms}
  return b:dataloaders(a.path, {bs = a.bs, val_bs = a.val_bs, seed = a.seed,
    workers = a.workers, on_bad_image = a.on_bad_image, cache = a.cache})
end

return block
