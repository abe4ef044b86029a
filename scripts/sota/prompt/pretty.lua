-- prompt/pretty.lua -- values as the prompt shows them: tables as Lua would
-- write them, keys sorted, no deeper and no longer than a person reads.
local core = require "sota.core"
local lexer = require "sota.prompt.lexer"

-- Of tables inside of others fewer items are shown.
local pretty = {depth = 3, items = 30, inner_items = 12, width = 80, text = 200}

local function key_order(a, b)
  local ta, tb = type(a), type(b)
  if ta == tb and (ta == "number" or ta == "string") then return a < b end
  if ta == "number" or tb == "number" then return ta == "number" end
  if ta == "string" or tb == "string" then return ta == "string" end
  return tostring(ta) < tostring(tb)
end

local function function_text(f)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return "function (C)" end
  return ("function (%s:%d)"):format(info.short_src:match "[^/]*$",
    info.linedefined)
end

-- The user's __tostring may fail; that is for show(value) alone to tell.
local function object_text(v)
  local ok, text = pcall(tostring, v)
  return ok and text or "?"
end

local function tensor_text(t)
  if not t:is_open() then return "[closed tensor]" end
  local size = table.concat(t:shape(), "x")
  return ("[%s %s%s]"):format(t:dtype(), size ~= "" and size .. " " or "",
    t:device())
end

local function string_text(s)
  if #s > pretty.text then s = s:sub(1, pretty.text) .. "..." end
  return (("%q"):format(s):gsub("\\\n", "\\n"):gsub("\\9", "\\t"))
end

-- Six digits are enough to read; whole ones are all shown.
local function float_text(v)
  if v ~= v then return "nan" end -- printf knows a -nan too
  if v == math.floor(v) and math.abs(v) < 1e15 then return ("%.1f"):format(v) end
  return ("%.6g"):format(v)
end

local function scalar_text(v)
  local kind = type(v)
  if math.type(v) == "float" then return float_text(v) end
  if kind == "string" then return string_text(v) end
  if kind == "function" then return function_text(v) end
  if core.is_tensor(v) then return tensor_text(v) end
  return object_text(v)
end

-- A table that says what it is; its first line.
local function short_object(v)
  local meta = debug.getmetatable(v)
  if type(meta) ~= "table" then return nil end
  if rawget(meta, "__tostring") then
    local text = object_text(v)
    local line = text:match "^[^\n]*"
    return #line < #text and line .. " ..." or line
  end
  local name = rawget(meta, "__name")
  return type(name) == "string" and name .. " {...}" or nil
end

-- A class: what is inside is for its instances.
local function class_name(v)
  local name = rawget(v, "__name")
  return type(name) == "string" and rawget(v, "__index") ~= nil
    and "class " .. name or nil
end

local function key_text(k)
  if type(k) == "string" and k:find "^[%a_][%w_]*$" and not lexer.keywords[k]
  then
    return k .. " = "
  end
  return "[" .. scalar_text(k) .. "] = "
end

local write

-- The fields' texts, list part first; the last may say how many are left out.
local function fields(t, depth, seen)
  local parts, n = {}, rawlen(t)
  local most = depth == 1 and pretty.items or pretty.inner_items
  for i = 1, math.min(n, most) do
    parts[i] = write(rawget(t, i), depth + 1, seen)
  end
  local keys = {}
  for k in next, t do
    local in_list = math.type(k) == "integer" and k >= 1 and k <= n
    if not in_list then keys[#keys + 1] = k end
  end
  table.sort(keys, key_order)
  local room = math.max(0, most - #parts)
  for i = 1, math.min(#keys, room) do
    local k = keys[i]
    parts[#parts + 1] = key_text(k) .. write(rawget(t, k), depth + 1, seen)
  end
  local left = n + #keys - #parts
  if left > 0 then parts[#parts + 1] = ("... %d more"):format(left) end
  return parts
end

local function is_short(parts, indent)
  local total = indent
  for _, p in ipairs(parts) do
    total = total + #p + 2
    if p:find("\n", 1, true) then return false end
  end
  return total + 2 <= pretty.width
end

-- Short items share lines; an item with lines of its own stands alone.
local function filled(parts, indent)
  local lines, now = {}, nil
  for i, p in ipairs(parts) do
    local item = i < #parts and p .. "," or p
    local fits = now and #indent + #now + 1 + #item <= pretty.width
    if fits and not item:find "\n" and not item:find "=" then
      now = now .. " " .. item
    else
      lines[#lines + 1] = now
      now = item
    end
  end
  lines[#lines + 1] = now
  return table.concat(lines, "\n" .. indent)
end

local function table_text(t, depth, seen)
  if seen[t] then return "{<cycle>}" end
  if depth > pretty.depth then return next(t) == nil and "{}" or "{...}" end
  seen[t] = true
  local parts = fields(t, depth, seen)
  seen[t] = nil
  if is_short(parts, 2 * depth) then
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  local indent = ("  "):rep(depth)
  return "{\n" .. indent .. filled(parts, indent) .. "\n" .. indent:sub(3)
    .. "}"
end

function write(v, depth, seen)
  if type(v) ~= "table" then return scalar_text(v) end
  return short_object(v) or class_name(v) or table_text(v, depth, seen)
end

local function has_text(v)
  local meta = debug.getmetatable(v)
  return type(meta) == "table" and (meta.__tostring or meta.__show)
end

--- The text of a value that a line gave. What has a text of its own
--- (__tostring) is shown by it, and its errors are the line's.
---@param v any
---@return string
function pretty.show(v)
  if type(v) == "function" then return function_text(v) end
  if v ~= v then return "nan" end
  if type(v) ~= "table" then return tostring(v) end
  local meta = debug.getmetatable(v)
  local shows = type(meta) == "table" and rawget(meta, "__show")
  if shows then return tostring(shows(v)) end
  if has_text(v) then return tostring(v) end
  if class_name(v) then return class_name(v) end
  local text = table_text(v, 1, {})
  local name = type(meta) == "table" and rawget(meta, "__name")
  return type(name) == "string" and name .. " " .. text or text
end

--- The text of several values, beside each other if they are short.
---@param values table with n
---@return string
function pretty.all(values)
  local parts, lines = {}, false
  for i = 1, values.n do
    parts[i] = pretty.show(values[i])
    lines = lines or parts[i]:find("\n", 1, true)
  end
  return table.concat(parts, lines and "\n" or "\t")
end

return pretty
