-- help/text.lua -- an entry in words: its signature, its options with their
-- defaults and ranges. For the terminal, the reference and the stub.
local text = {}

-- 3.0 as 3, lists as Lua writes them.
local function value_text(v)
  if type(v) == "table" then
    local parts = {}
    for i, x in ipairs(v) do parts[i] = value_text(x) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  if type(v) == "string" then return '"' .. v .. '"' end
  if math.type(v) == "float" and v == math.floor(v) and math.abs(v) < 1e15 then
    v = math.tointeger(v)
  end
  return math.type(v) == "float" and ("%.6g"):format(v) or tostring(v)
end

--- "required", "default 64", or nil when there is no default.
---@param o table an option
---@return string?
function text.default(o)
  if o.required then return "required" end
  if o.default == nil then return nil end
  return "default " .. value_text(o.default)
end

--- "0 to 1", "at least 1", "one of mean, sum"; nil: any.
---@param o table
---@return string?
function text.range(o)
  if o.names then return "one of " .. table.concat(o.names, ", ") end
  local lo, hi = o.min, o.max
  if o.type == "boolean" or type(lo) ~= "number" or type(hi) ~= "number"
    or lo >= hi then
    return nil
  end
  if lo <= -1e15 and hi >= 1e15 then return nil end
  if hi > 1e6 then return ("at least %g"):format(lo) end
  if lo <= -1e15 then return ("at most %g"):format(hi) end
  return ("%g to %g"):format(lo, hi)
end

--- What an option's value is, and its default and range: "number, default 1".
---@param o table
---@return string
function text.facts(o)
  local parts = {}
  if o.type and o.type ~= "any" then
    parts[1] = (o.type:gsub("[|%s]+", " or "))
  end
  parts[#parts + 1] = text.default(o)
  parts[#parts + 1] = text.range(o)
  return table.concat(parts, ", ")
end

-- Arguments by place: {name, optional}.
local function by_place(e)
  local list = {}
  for _, p in ipairs(e.params or {}) do
    if p.name ~= "options" then list[#list + 1] = {p.name, p.optional} end
  end
  if #list > 0 then return list end
  for _, o in ipairs(e.spec and e.options or {}) do
    if o.required then list[#list + 1] = {o.name, false} end
  end
  if #list > 0 or e.spec then return list end
  for _, name in ipairs(e.args) do
    if name ~= "options" then list[#list + 1] = {name, false} end
  end
  return list
end

--- "Learner:fit(n_epoch [, lr] [, {options}])"
---@param e table an entry
---@return string
function text.signature(e)
  if e.kind == "value" then return e.name end
  if e.kind == "operation" then
    local args = e.args[1]
    if #e.options == 0 then return ("%s(%s)"):format(e.name, args or "") end
    return args and ("%s(%s [, {options}])"):format(e.name, args)
      or e.name .. "{options}"
  end
  local parts, open = "", ""
  for _, a in ipairs(by_place(e)) do
    local comma = parts == "" and "" or ", "
    if a[2] then
      parts = parts .. (parts == "" and "[" or " [") .. comma .. a[1] .. "]"
    else
      parts = parts .. comma .. a[1]
    end
  end
  local named = #e.options
  for _, o in ipairs(e.options) do if o.required then named = named - 1 end end
  if e.kind == "optimiser" or parts == "" and e.spec and named > 0 then
    return e.name .. "{options}"
  end
  if named > 0 then open = parts == "" and "[{options}]" or " [, {options}]" end
  return ("%s(%s%s)"):format(e.name, parts, open)
end

--- Arguments that have a text and are no options: {name =, text =, type =}.
---@param e table
---@return table[]
function text.arguments(e)
  local known, list = {}, {}
  for _, o in ipairs(e.options) do known[o.name] = true end
  for _, p in ipairs(e.params or {}) do
    if p.name ~= "options" and not known[p.name] then list[#list + 1] = p end
  end
  return list
end

--- The example, as a line to type.
---@param e table
---@return string?
function text.example(e)
  return e.example and (e.example:gsub("^return ", ""))
end

--- Words of a line no longer than width, the following lines indented.
---@param line string
---@param width integer
---@param indent string
---@return string
function text.wrapped(line, width, indent)
  local lines, now = {}, ""
  for word in line:gmatch "%S+" do
    if now ~= "" and #now + #word + 1 > width - (#lines > 0 and #indent or 0) then
      lines[#lines + 1] = now
      now = word
    else
      now = now == "" and word or now .. " " .. word
    end
  end
  lines[#lines + 1] = now
  return table.concat(lines, "\n" .. indent)
end

local wrapped = text.wrapped

local function option_lines(e, lines, width)
  local rows, most = {}, 0
  for _, p in ipairs(text.arguments(e)) do
    rows[#rows + 1] = {p.name, p.text, p.type}
  end
  for _, o in ipairs(e.options) do
    rows[#rows + 1] = {o.name, o.help or "", text.facts(o)}
  end
  for _, r in ipairs(rows) do most = math.max(most, #r[1]) end
  most = math.min(most, 16)
  for _, r in ipairs(rows) do
    local facts = r[3] ~= "" and "(" .. r[3] .. ")" or ""
    local rest = r[2] == "" and facts or r[2] .. " " .. facts
    local head = ("  %s%s  "):format(r[1], (" "):rep(most - #r[1]))
    lines[#lines + 1] = head .. wrapped(rest, width - #head, (" "):rep(most + 4))
  end
end

--- What help() prints.
---@param e table
---@param width? integer of the terminal
---@return string
function text.help(e, width)
  width = math.max(40, math.min(width or 80, 100))
  local lines = {("%s -- %s"):format(text.signature(e), e.kind)}
  if e.same_as then
    lines[#lines + 1] = ("  The same as %s."):format(e.same_as.name)
  end
  lines[#lines + 1] = "  " .. wrapped(e.help or "", width - 2, "  ")
  option_lines(e, lines, width)
  for _, r in ipairs(e.returns or {}) do
    lines[#lines + 1] = "  gives: " .. wrapped(r, width - 9, "         ")
  end
  local example = text.example(e)
  if example then lines[#lines + 1] = "  example: " .. example end
  lines[#lines + 1] = "  guide: docs/" .. e.page
  return table.concat(lines, "\n")
end

return text
