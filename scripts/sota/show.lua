-- show.lua -- how a tensor is printed: PyTorch's rules for the numbers (4
-- places, one width, scientific when the range asks for it, 3 items at each
-- edge past 1000), then what kind of tensor it is: [f32 2x3 cpu].
local core = require "sota.core"

local show = {
  precision = 4,    -- decimal places
  threshold = 1000, -- more elements than that are summarised
  edge = 3,         -- elements shown at each edge then
  width = 80,       -- of a line
}

-- --- values ----------------------------------------------------------------

-- The tensor as nested tables; where a dimension is summarised the table has
-- gap = the index after which the dots stand.
local function values(t, cut)
  if t:dim() == 0 then return t:item() end
  local n, edge = t:shape(1), show.edge
  local gap = cut and n > 2 * edge and edge or nil
  local rows = {gap = gap}
  local function part(first, last)
    if t:dim() == 1 then
      local list = t:slice{dim = 1, first = first, last = last}:totable()
      table.move(list, 1, #list, #rows + 1, rows)
    else
      for i = first, last do rows[#rows + 1] = values(t[i], cut) end
    end
  end
  if n == 0 then return rows end
  if gap then
    part(1, edge)
    part(n - edge + 1, n)
  else
    part(1, n)
  end
  return rows
end

local function each(v, visit)
  if type(v) ~= "table" then return visit(v) end
  for _, item in ipairs(v) do each(item, visit) end
end

-- --- numbers ---------------------------------------------------------------

local function is_finite(v) return v == v and v ~= 1 / 0 and v ~= -1 / 0 end

local function odd_text(v) -- inf and nan, which %f writes as it likes
  if v ~= v then return "nan" end
  return v > 0 and "inf" or "-inf"
end

-- The function that writes a number so that all are equally wide.
local function formatter(all)
  local least, most, whole, any_float = math.huge, 0, true, false
  each(all, function(v)
    any_float = any_float or math.type(v) == "float"
    if is_finite(v) and v ~= 0 then
      local size = math.abs(v)
      least, most = math.min(least, size), math.max(most, size)
      whole = whole and v == math.floor(v)
    end
  end)
  local form = "%." .. show.precision .. "f"
  if not any_float then
    form = "%d"
  elseif most > 0 and (most / least > 1000 or most > 1e8
    or not whole and least < 1e-4) then
    form = "%." .. show.precision .. "e"
  elseif whole then
    form = "%.0f."
  end
  local function text(v)
    return is_finite(v) and form:format(v) or odd_text(v)
  end
  local width = 0
  each(all, function(v) width = math.max(width, #text(v)) end)
  return function(v)
    local s = text(v)
    return (" "):rep(width - #s) .. s
  end
end

-- --- layout ----------------------------------------------------------------

-- One innermost row, wrapped at the line's width.
local function row_text(row, write, indent)
  local margin = "\n" .. (" "):rep(indent + 1)
  local text, column = "[", indent + 1
  local function add(item, last)
    if not last then item = item .. "," end
    if column > indent + 1 and column + 1 + #item > show.width then
      text, column = text .. margin, indent + 1
    elseif column > indent + 1 then
      item = " " .. item
    end
    text, column = text .. item, column + #item
  end
  for i, v in ipairs(row) do
    add(write(v), i == #row)
    if i == row.gap then add("...") end
  end
  return text .. "]"
end

local function depth_of(v)
  local d = 0
  while type(v) == "table" do v, d = v[1], d + 1 end
  return d
end

-- Rows of rows; deeper blocks have an empty line between.
local function block_text(v, write, indent)
  if depth_of(v) <= 1 then return row_text(v, write, indent) end
  local parts = {}
  for i, row in ipairs(v) do
    parts[#parts + 1] = block_text(row, write, indent + 1)
    if i == v.gap then parts[#parts + 1] = "..." end
  end
  local newline = ("\n"):rep(depth_of(v) - 1) .. (" "):rep(indent + 1)
  return "[" .. table.concat(parts, "," .. newline) .. "]"
end

local function trailer(t)
  local size = table.concat(t:shape(), "x")
  return ("[%s %s%s%s]"):format(t:dtype(), size ~= "" and size .. " " or "",
    t:device(), t:requires_grad() and " requires_grad" or "")
end

--- The text of a tensor.
---@param t tensor
---@return string
function show.tensor(t)
  if not t:is_open() then return "[closed tensor]" end
  local all = core.no_grad(values, t, t:numel() > show.threshold)
  local write = formatter(all)
  if t:dim() == 0 then return write(all) .. " " .. trailer(t) end
  local text = block_text(all, write, 0)
  return text .. (text:find "\n" and "\n" or " ") .. trailer(t)
end

core.tensor_meta.__tostring = show.tensor

return show
