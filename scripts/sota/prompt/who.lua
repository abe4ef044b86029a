-- prompt/who.lua -- who(): the user's variables.
local core = require "sota.core"

local who = {}

local before = {}

--- What is global now is not the user's.
function who.begin()
  for name in next, _G do before[name] = true end
end

local function bytes_text(n)
  if n < 1024 then return n .. " B" end
  if n < 1024 * 1024 then return ("%.1f KiB"):format(n / 1024) end
  return ("%.1f MiB"):format(n / (1024 * 1024))
end

local element = {f32 = 4, i32 = 4, bf16 = 2, f16 = 2, u8 = 1, bool = 1}

local function tensor_bytes(t) return t:numel() * (element[t:dtype()] or 4) end

local function tensor_row(t)
  if not t:is_open() then return {"tensor", "closed"} end
  return {"tensor", table.concat(t:shape(), "x"), t:dtype(), t:device(),
          bytes_text(tensor_bytes(t))}
end

-- A module is as large as its parameters and buffers.
local function module_row(m)
  local total, device, kind = 0, "", ""
  for _, list in ipairs{"named_parameters", "named_buffers"} do
    for _, t in m[list](m) do
      total = total + tensor_bytes(t)
      device, kind = t:device(), t:dtype()
    end
  end
  return {m.name, ("%d parameters"):format(m:count()), kind, device,
          bytes_text(total)}
end

local function count(t)
  local n = 0
  for _ in next, t do n = n + 1 end
  return n
end

local function row(v)
  if core.is_tensor(v) then return tensor_row(v) end
  local kind = type(v)
  local meta = debug.getmetatable(v)
  local name = type(meta) == "table" and rawget(meta, "__name")
  if kind == "table" and type(meta) == "table" and meta.is_module == true
    and rawget(v, "_slots") then
    return module_row(v)
  end
  if type(name) == "string" and kind ~= "string" then
    local items = type(v) == "table" and type(rawget(v, "rows")) ~= "nil"
      and rawget(meta, "items")
    return {name, items and ("%d items"):format(v:items()) or ""}
  end
  if kind == "table" then
    local n = count(v)
    return {"table", n == 1 and "1 field" or n .. " fields"}
  end
  if kind == "string" then
    local text = #v > 30 and v:sub(1, 27) .. "..." or v
    return {kind, ("%q"):format(text):gsub("\\\n", "\\n"), "", "",
            #v > 30 and bytes_text(#v) or nil}
  end
  if kind == "function" then return {kind} end
  return {kind, tostring(v)}
end

-- Lines with columns below each other.
local function columns(rows)
  local widths, lines = {}, {}
  for _, r in ipairs(rows) do
    for i = 1, 6 do
      widths[i] = math.max(widths[i] or 0, utf8.len(r[i] or "") or #r[i])
    end
  end
  for n, r in ipairs(rows) do
    local parts = {}
    for i = 1, 6 do
      local text = r[i] or ""
      parts[i] = text .. (" "):rep(widths[i] - (utf8.len(text) or #text))
    end
    lines[n] = (table.concat(parts, "  "):gsub("%s+$", ""))
  end
  return table.concat(lines, "\n")
end

--- Prints the variables that were made at the prompt: name, kind, shape or
--- value, dtype, device, size.
---@example who()
function who.who()
  local names = {}
  for name in next, _G do
    if type(name) == "string" and not before[name] and not name:find "^_" then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  if #names == 0 then
    print "no variables yet"
    return
  end
  local rows = {{"name", "kind", "shape or value", "dtype", "device", "size"}}
  for i, name in ipairs(names) do
    local r = row(rawget(_G, name))
    table.insert(r, 1, name)
    rows[i + 1] = r
  end
  print(columns(rows))
end

return who
