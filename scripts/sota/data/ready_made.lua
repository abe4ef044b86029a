-- data/ready_made.lua -- ImageDataLoaders: the usual ways to arrange a data
-- set, each a DataBlock in one call.
local cache = require "sota.data.cache"
local check = require "sota.check"
local block = require "sota.data.block"
local items = require "sota.data.items"
local readers = require "sota.data.readers"

local ImageDataLoaders = block.ImageDataLoaders

-- What all of them take besides their own arguments.
local function spec(name, own)
  table.move({
    {"valid_pct", "number", 0.2, min = 0, max = 1},
    {"seed", "integer", min = 0}, {"item_tfms", "any"},
    {"batch_tfms", "any"}, {"bs", "integer", 64, min = 1},
    {"val_bs", "integer", min = 1}, {"workers", "integer", -1, min = -1},
    {"on_bad_image", "string", "error"}, {"y_block", "table"},
    cache.option,
  }, 1, 10, #own + 1, own)
  return check.spec("ImageDataLoaders." .. name, own)
end

-- The loaders of a block with the common options.
local function open(a, source, parts)
  parts.blocks = {block.ImageBlock, a.y_block or parts.y_block
    or block.CategoryBlock}
  parts.y_block = nil
  parts.splitter = parts.splitter
    or items.RandomSplitter{valid_pct = a.valid_pct, seed = a.seed}
  parts.item_tfms, parts.batch_tfms = a.item_tfms, a.batch_tfms
  return block.DataBlock(parts):dataloaders(source, {bs = a.bs,
    val_bs = a.val_bs, seed = a.seed, workers = a.workers,
    on_bad_image = a.on_bad_image, cache = a.cache})
end

local csv_arguments = spec("from_csv", {
  {"path", "string", required = true}, {"csv_fname", "string", "labels.csv"},
  {"folder", "string"}, {"fn_col", "integer string", 1},
  {"label_col", "integer string", 2}, {"suff", "string", ""},
  {"label_delim", "string"}, {"valid_col", "integer string"},
  {"delimiter", "string", ","}, {"header", "boolean", true},
})

--- A table path/labels.csv with a column of file names (in path, or in
--- path/folder) and one of labels; with label_delim several labels an item;
--- valid_col says which rows are for validation.
---@param path string
---@param options? table csv_fname, folder, fn_col, label_col, suff, label_delim, valid_col, delimiter, header; item_tfms, batch_tfms, bs, ...
---@example ImageDataLoaders.from_csv(path, {valid_pct = 0.25, item_tfms = Resize(32), bs = 8})
function ImageDataLoaders.from_csv(...)
  local a = csv_arguments(...)
  local rows = readers.read_csv(a.path .. "/" .. a.csv_fname,
    {delim = a.delimiter, header = a.header})
  local folder = a.path .. "/" .. (a.folder and a.folder .. "/" or "")
  return open(a, a.path, {
    get_items = function() return rows end,
    get_x = readers.ColReader(a.fn_col, {pref = folder, suff = a.suff}),
    get_y = readers.ColReader(a.label_col, {label_delim = a.label_delim}),
    splitter = a.valid_col and readers.ColSplitter(a.valid_col) or nil,
    y_block = a.label_delim and block.MultiCategoryBlock or nil,
  })
end

local func_arguments = spec("from_path_func", {
  {"path", "string", required = true}, {"fnames", "any", required = true},
  {"label_func", "callable", required = true},
})

-- A list that was given may belong to other loaders, with other labels: a copy.
local function paths_of(fnames)
  if type(fnames) == "table" then return fnames end
  local paths = {}
  for i = 1, #fnames do paths[i] = fnames:path(i) end
  return paths
end

local function from_func(a, label_of)
  local paths = paths_of(a.fnames)
  local function get_items() return paths end
  return open(a, a.path, {get_items = get_items, get_y = label_of})
end

local function base_name(path) return path:match "[^/]*$" end

--- Files and a function that gives the label of a path.
---@param path string
---@param fnames files|string[] such as get_image_files(path)
---@param label_func fun(path: string): string|string[]
---@param options? table item_tfms, batch_tfms, bs, valid_pct, seed, y_block, ...
---@example ImageDataLoaders.from_path_func(path, get_image_files(path), parent_label, {item_tfms = Resize(32), bs = 8})
function ImageDataLoaders.from_path_func(...)
  local a = func_arguments(...)
  return from_func(a, a.label_func)
end

--- The same for a function of the file's name without its folders.
---@example ImageDataLoaders.from_name_func(path, get_image_files(path), function(name) return name:sub(-5, -5) end, {item_tfms = Resize(32), bs = 8})
function ImageDataLoaders.from_name_func(...)
  local a = func_arguments(...)
  return from_func(a, function(path) return a.label_func(base_name(path)) end)
end

local lists_arguments = spec("from_lists", {
  {"path", "string", required = true}, {"fnames", "table", required = true},
  {"labels", "table", required = true},
})

--- A list of files and a list of their labels (or lists of labels, with y_block
--- = MultiCategoryBlock).
---@param path string
---@param fnames string[]
---@param labels string[]|string[][]
---@param options? table item_tfms, batch_tfms, bs, valid_pct, seed, y_block, ...
---@example ImageDataLoaders.from_lists(path, {image, image, image, image}, {"a", "a", "a", "a"}, {valid_pct = 0.5, item_tfms = Resize(32), bs = 1})
function ImageDataLoaders.from_lists(...)
  local a = lists_arguments(...)
  if #a.fnames ~= #a.labels then
    check.fail("ImageDataLoaders.from_lists: %d files, but %d labels",
      #a.fnames, #a.labels)
  end
  local rows = {}
  for i, name in ipairs(a.fnames) do rows[i] = {name, a.labels[i]} end
  return open(a, a.path, {
    get_items = function() return rows end,
    get_x = function(row) return row[1] end,
    get_y = function(row) return row[2] end,
  })
end

return {ImageDataLoaders = ImageDataLoaders}
