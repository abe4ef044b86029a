-- data/readers.lua -- functions for DataBlock's get_x, get_y and splitter, over
-- rows of a table (read_csv).
local check = require "sota.check"
local csv = require "sota.data.csv"
local items = require "sota.data.items"

local readers = {read_csv = csv.read_csv}

local function cell(row, column, what)
  local v = type(row) == "table" and row[column] or nil
  if v == nil then
    check.fail("%s: an item has no column '%s'", what, tostring(column))
  end
  return v
end

local column_arguments = check.spec("ColReader", {
  {"column", "integer string", required = true}, {"pref", "string", ""},
  {"suff", "string", ""}, {"label_delim", "string"},
})

local function parts_of(text, delim)
  local list, at = {}, 1
  while #text > 0 do
    local first, last = text:find(delim, at, true)
    list[#list + 1] = text:sub(at, (first or 0) - 1)
    if not first then break end
    at = last + 1
  end
  return list
end

--- ColReader("name", {pref = path .. "/", suff = ".jpg"}): the text of a
--- column, between two others; with label_delim a list of labels.
---@param column integer|string number from 1, or name
---@param options? {pref: string, suff: string, label_delim: string}
---@example ColReader("labels", {label_delim = " "})
function readers.ColReader(...)
  local a = column_arguments(...)
  return function(row)
    local text = cell(row, a.column, "ColReader")
    if a.label_delim then return parts_of(text, a.label_delim) end
    return a.pref .. text .. a.suff
  end
end

-- What people write in a column that says which rows are for validation.
local yes = {["true"] = true, ["1"] = true, yes = true, valid = true,
             validation = true}

--- ColSplitter("is_valid"): rows with True, 1, yes or valid in that column are
--- for validation.
---@param column? integer|string "is_valid"
---@example ColSplitter "is_valid"
function readers.ColSplitter(column)
  column = column or "is_valid"
  return items.FuncSplitter(function(row)
    return yes[cell(row, column, "ColSplitter"):lower()] or false
  end)
end

return readers
