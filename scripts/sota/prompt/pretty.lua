-- prompt/pretty.lua -- values as the prompt shows them: tables as Lua would
-- write them, keys sorted, no deeper and no longer than a person reads.
local core = require "sota.core"
local lexer = require "sota.prompt.lexer"

local pretty = {depth = 3, items = 30, width = 80, text = 200}

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

local function scalar_text(v)
  local kind = type(v)
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
  for i = 1, math.min(n, pretty.items) do
    parts[i] = write(rawget(t, i), depth + 1, seen)
  end
  local keys = {}
  for k in next, t do
    local in_list = math.type(k) == "integer" and k >= 1 and k <= n
    if not in_list then keys[#keys + 1] = k end
  end
  table.sort(keys, key_order)
  local room = math.max(0, pretty.items - #parts)
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
  return "{\n" .. indent .. table.concat(parts, ",\n" .. indent) .. "\n"
    .. indent:sub(3) .. "}"
end

function write(v, depth, seen)
  if type(v) ~= "table" then return scalar_text(v) end
  return short_object(v) or table_text(v, depth, seen)
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
  if type(v) ~= "table" then return tostring(v) end
  local meta = debug.getmetatable(v)
  local shows = type(meta) == "table" and rawget(meta, "__show")
  if shows then return tostring(shows(v)) end
  if has_text(v) then return tostring(v) end
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
