-- data/items.lua -- where items come from, what they are called, and which of
-- them are for validation.
local core = require "sota.core"
local check = require "sota.check"

local items = {}

local image_arguments = check.spec("get_image_files", {
  {"path", "string", required = true}, {"recurse", "boolean", true},
  {"folders", "table"},
})

--- All images below a folder, sorted by path; names that begin with a dot are
--- passed over. `folders` names the only first-level folders to look into.
---@param path string
---@return files  #files, files[i], ipairs(files): paths
---@example get_image_files(path)
function items.get_image_files(...)
  local a = image_arguments(...)
  return (check.call(core.data.scan, a.path,
    {recurse = a.recurse, folders = a.folders}))
end

--- The name of the folder that a file lies in: its label, in most data sets.
---@param path string
---@return string
---@example parent_label(image)
function items.parent_label(path) return core.data.parent_label(path, 1) end

--- The name of the folder above that one.
---@example grandparent_label(image)
function items.grandparent_label(path) return core.data.parent_label(path, 2) end

--- RegexLabeller"(%d+)%.jpg$": the first capture of a Lua pattern in the path.
---@param pattern string
---@example RegexLabeller "/(%w+)/[^/]*$"
function items.RegexLabeller(pattern)
  return function(path)
    local label = path:match(pattern)
    if not label then
      check.fail("RegexLabeller: '%s' does not match %s", pattern, path)
    end
    return label
  end
end

-- --- splitters: f(files, items) -> training rows, validation rows -----------

local random_arguments = check.spec("RandomSplitter", {
  {"valid_pct", "number", 0.2, min = 0, max = 1}, {"seed", "integer", min = 0},
})

--- A random share for validation. The same seed gives the same split (and
--- fastai's, if the files are in the same order); the run's seed if none given.
---@param valid_pct? number 0.2
---@param options? {seed: integer}
---@example RandomSplitter(0.2, {seed = 42})
function items.RandomSplitter(...)
  local a = random_arguments(...)
  return function(files)
    return check.call(core.data.split_random, #files, a.valid_pct,
      a.seed or core.get "seed")
  end
end

local folder_arguments = check.spec("GrandparentSplitter", {
  {"train_name", "string", "train"}, {"valid_name", "string", "valid"},
})

--- By the folder above the class folder: path/train/cat/1.jpg.
---@param options? {train_name: string, valid_name: string}
---@example GrandparentSplitter{train_name = "train", valid_name = "val"}
function items.GrandparentSplitter(...)
  local a = folder_arguments(...)
  return function(files)
    return check.call(core.data.split_grandparent, files, a.train_name,
      a.valid_name)
  end
end

--- The rows listed (from 1) are for validation.
---@param rows integer[]
---@example IndexSplitter{1, 5, 9}
function items.IndexSplitter(rows)
  return function(files)
    return check.call(core.data.split_rows, #files, rows)
  end
end

--- f(item) is true for those of validation.
---@param f fun(item): boolean
---@example FuncSplitter(function(path) return path:find "/val/" ~= nil end)
function items.FuncSplitter(f)
  return function(files, list)
    local rows = {}
    for i = 1, #files do
      local v = f(list and list[i] or files:path(i))
      if v then rows[#rows + 1] = i end
    end
    return check.call(core.data.split_rows, #files, rows)
  end
end

return items
