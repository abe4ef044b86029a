-- data/csv.lua -- tables as text (RFC 4180): quotes, doubled quotes, line
-- breaks inside quotes, CRLF or LF, a byte order mark.
local check = require "sota.check"

local csv = {}

local arguments = check.spec("read_csv", {
  {"fname", "string", required = true}, {"delim", "string", ","},
  {"header", "boolean", true},
})

-- From the quote at `at`: the text, and where it goes on.
local function quoted(text, at, where)
  local parts, first = {}, at + 1
  while true do
    local close = text:find('"', first, true)
    if not close then
      check.fail("read_csv: %s: a quote is never closed", where())
    end
    parts[#parts + 1] = text:sub(first, close - 1)
    if text:sub(close + 1, close + 1) ~= '"' then
      return table.concat(parts), close + 1
    end
    parts[#parts + 1] = '"'
    first = close + 2
  end
end

-- One field from `at`, and where its end (delimiter, line break) is.
local function field(text, at, stop, where)
  if text:byte(at) == 34 then
    local value, next_at = quoted(text, at, where)
    if next_at <= #text and not text:find("^" .. stop, next_at) then
      check.fail("read_csv: %s: text after a closing quote", where())
    end
    return value, next_at
  end
  local next_at = text:find(stop, at) or #text + 1
  return text:sub(at, next_at - 1), next_at
end

--- The rows of a text, each a list of strings; empty lines are passed over.
---@param text string
---@param delim? string one character, ","
---@param name? string of the file, for messages
---@return string[][]
function csv.parse(text, delim, name)
  delim = delim or ","
  if #delim ~= 1 then
    check.fail("read_csv: 'delim' must be one character, not %q", delim)
  end
  local stop = "[\r\n%" .. delim .. "]"
  local rows, row, at = {}, {}, 1
  if text:sub(1, 3) == "\xEF\xBB\xBF" then at = 4 end
  local function where()
    return ("%s, row %d"):format(name or "text", #rows + 1)
  end
  while at <= #text do
    row[#row + 1], at = field(text, at, stop, where)
    local after = text:sub(at, at)
    at = at + (after == "\r" and text:byte(at + 1) == 10 and 2 or 1)
    if after == delim and at > #text then row[#row + 1] = "" end
    if after ~= delim or at > #text then
      if #row > 1 or row[1] ~= "" then rows[#rows + 1] = row end
      row = {}
    end
  end
  return rows
end

-- row.name for the columns of a header.
local function name_columns(header)
  local index = {}
  for i, name in ipairs(header) do index[name] = i end
  return {__index = function(row, name) return rawget(row, index[name]) end}
end

--- Reads a CSV file: a list of rows, each a list of strings, whose columns are
--- also found by the names in the first line (row.label).
---@param fname string
---@param options? {delim: string, header: boolean} header = false: no names
---@return table rows
---@return string[]? header
---@example read_csv(path .. "/labels.csv")
function csv.read_csv(...)
  local a = arguments(...)
  local file, why = io.open(a.fname, "rb")
  if not file then check.fail("read_csv: %s", why) end
  local rows = csv.parse(file:read "a", a.delim, a.fname)
  file:close()
  if not a.header then return rows, nil end
  local header = table.remove(rows, 1)
  if not header then check.fail("read_csv: %s is empty", a.fname) end
  local named = name_columns(header)
  for i, row in ipairs(rows) do
    if #row ~= #header then
      check.fail("read_csv: %s: row %d has %d fields, the header %d", a.fname,
        i + 1, #row, #header)
    end
    setmetatable(row, named)
  end
  return rows, header
end

return csv
