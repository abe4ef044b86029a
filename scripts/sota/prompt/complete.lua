-- prompt/complete.lua -- what TAB gives. Nothing of the user's runs: fields are
-- read raw, and an __index that is a function is left alone, but for the
-- library's own parts that are loaded when first used.
local core = require "sota.core"
local lexer = require "sota.prompt.lexer"

local complete = {}

-- --- looking at values ---------------------------------------------------------

-- The tables in which a value's fields are found, raw.
local function homes(v)
  local list = {}
  for _ = 1, 10 do
    if type(v) == "table" then list[#list + 1] = v end
    local meta = debug.getmetatable(v)
    if type(meta) ~= "table" then return list end
    local index = rawget(meta, "__index")
    if type(index) == "function" then
      local methods = rawget(meta, "methods") -- a tensor's
      if type(methods) == "table" then return {methods} end
      index = meta -- our classes are their instances' metatables
    end
    if type(index) ~= "table" then return list end
    v = index
  end
  return list
end

-- Parts of the library that a function loads: sota.nn, nn.Conv2d...
local function is_lazy(v)
  for _, part in ipairs{"sota", "sota.nn", "sota.models"} do
    if rawequal(v, package.loaded[part]) then return true end
  end
  return false
end

local function field(v, name)
  if is_lazy(v) then return v[name] end
  if name == "dls" and type(v) == "table" and rawget(v, "loaders") then
    return rawget(v, "loaders") -- learn.dls lies under that name
  end
  for _, home in ipairs(homes(v)) do
    local found = rawget(home, name)
    if found ~= nil then return found end
  end
end

-- Names of fields; of a method call only those that can be called.
local function fields(v, only_functions)
  local names, hidden = {}, {}
  for _, home in ipairs(homes(v)) do
    for k, x in next, home do
      local meta = debug.getmetatable(x)
      local can = type(x) == "function"
        or type(meta) == "table" and rawget(meta, "__call") ~= nil
      if type(k) == "string" and not k:find "^_" and k:find "^[%a_][%w_]*$"
        and (can or not only_functions) then
        names[k] = true
      end
    end
  end
  if is_lazy(v) then
    for _, name in ipairs(require "sota.help.names".of(v)) do
      names[name] = true
    end
  end
  if type(v) == "table" and rawget(v, "loaders") then
    hidden.loaders = true
    if not only_functions then names.dls = true end
  end
  local list = {}
  for name in next, names do
    if not hidden[name] then list[#list + 1] = name end
  end
  return list
end

-- --- looking at the text -------------------------------------------------------

-- The value of the chain of names that ends at token i (a.b:c), which begins at
-- the token returned second; nil when it is not known without running code.
local function chain_value(tokens, i)
  local names, k = {}, i
  while true do
    if not tokens[k] or tokens[k].kind ~= "name" then return nil end
    table.insert(names, 1, tokens[k].text)
    local dot = tokens[k - 1]
    if not dot or (dot.text ~= "." and dot.text ~= ":") then break end
    k = k - 2
  end
  local v = rawget(_G, names[1])
  for n = 2, #names do
    if v == nil then return nil end
    v = field(v, names[n])
  end
  return v, names
end

-- The token of the innermost "{" or "(" that is open at the end.
local function open_bracket(tokens, last)
  local depth = 0
  for i = last, 1, -1 do
    local text = tokens[i].kind == "symbol" and tokens[i].text
    if text == "}" or text == ")" or text == "]" then depth = depth + 1 end
    if text == "{" or text == "(" or text == "[" then
      if depth == 0 then return i end
      depth = depth - 1
    end
  end
end

-- Inside f{, f({ or f(a, {: the names of f's options.
local function option_names(tokens, last)
  local brace = open_bracket(tokens, last)
  if not brace or tokens[brace].text ~= "{" then return nil end
  local callee = brace - 1
  if tokens[callee] and tokens[callee].text ~= "(" then
    local round = open_bracket(tokens, brace - 1)
    local direct = tokens[callee].kind == "name"
    if not direct then callee = round and round - 1 or 0 end
  else
    callee = callee - 1
  end
  local value, names = chain_value(tokens, callee)
  if value == nil then return nil end
  return require "sota.help.names".options(value, names[#names])
end

--- The value of a name such as "learn.model", read raw; nil: none.
---@param text string
function complete.value_of(text)
  local tokens = lexer.tokens(text)
  return (chain_value(tokens, #tokens))
end

--- The names of the fields of what a text ends with: "learn", "sota.losses".
---@param text string
---@return string[]
function complete.fields_of(text)
  local v = complete.value_of(text)
  return v ~= nil and fields(v) or {}
end

-- --- candidates ----------------------------------------------------------------

local function globals()
  local list = {}
  for k in next, _G do
    if type(k) == "string" and not k:find "^_" then list[#list + 1] = k end
  end
  for word in next, lexer.keywords do list[#list + 1] = word end
  return list
end

-- Files that begin as the string does; folders with "/" behind.
local function paths(text)
  local folder, start = text:match "^(.*/)([^/]*)$"
  folder, start = folder or "", start or text
  local real = folder == "" and "." or folder
  local home = os.getenv "HOME"
  if home and real:find "^~/" then real = home .. real:sub(2) end
  local list = {}
  for _, name in ipairs(core.list_dir(real) or {}) do
    local is_dir = core.list_dir(real .. "/" .. name) ~= nil
    list[#list + 1] = name .. (is_dir and "/" or "")
  end
  return list, start
end

local function in_string(tokens)
  local t, before = tokens[#tokens], tokens[#tokens - 1]
  if not t or not t.open then return nil end
  local text = t.text:sub(t.inside - t.first + 1)
  if before and before.text == "help" or before and before.text == "("
    and tokens[#tokens - 2] and tokens[#tokens - 2].text == "help" then
    return require "sota.help.names".all(), text, t.open
  end
  local list, start = paths(text)
  return list, start, t.open
end

-- The candidates for the word at the end of text, that word, and what goes
-- behind it when it is the only one.
local function candidates(text)
  local tokens = lexer.tokens(text)
  if tokens.in_comment then return {}, "" end
  local names, word, quote = in_string(tokens)
  if names then
    return names, word, function(name) return name:find "/$" and "" or quote end
  end
  local asked = text:match "^%s*%?%s*([%w_.:]*)$"
  local owner, part = (asked or ""):match "^(.*)[.:]([%w_]*)$"
  if owner and complete.value_of(owner) ~= nil then
    return complete.fields_of(owner), part
  end
  if asked then return require "sota.help.names".all(), asked end
  local last = tokens[#tokens]
  local at_word = last and last.last == #text
    and (last.kind == "name" or last.kind == "keyword")
  word = at_word and last.text or ""
  local before = at_word and #tokens - 1 or #tokens
  local dot = tokens[before]
  if dot and (dot.text == "." or dot.text == ":") then
    local v = chain_value(tokens, before - 1)
    if v == nil then return {}, word end
    return fields(v, dot.text == ":"), word
  end
  local options = dot and (dot.text == "{" or dot.text == ",")
    and option_names(tokens, before)
  if options and (word == "" or #options > 0) then
    local with = {}
    for i, name in ipairs(options) do with[i] = name .. " = " end
    if word == "" then return with, word end
    table.move(globals(), 1, #globals(), #with + 1, with)
    return with, word
  end
  return globals(), word
end

complete.globals = globals

local function matching(names, word)
  local list, seen = {}, {}
  for _, name in ipairs(names) do
    if name:sub(1, #word) == word and not seen[name] then
      seen[name] = true
      list[#list + 1] = name
    end
  end
  table.sort(list)
  return list
end

local function common(list)
  local prefix = list[1]
  for _, name in ipairs(list) do
    while name:sub(1, #prefix) ~= prefix do prefix = prefix:sub(1, -2) end
  end
  return prefix
end

-- Columns, read downwards.
local function columns(list, width)
  local most, limit = 0, 200
  local left = #list - limit
  list = table.move(list, 1, math.min(#list, limit), 1, {})
  for i, name in ipairs(list) do
    list[i] = name:gsub(" = $", "")
    most = math.max(most, #list[i])
  end
  local across = math.max(1, (width + 2) // (most + 2))
  local rows, lines = (#list + across - 1) // across, {}
  for r = 1, rows do
    local parts = {}
    for c = 0, across - 1 do
      local name = list[c * rows + r]
      if name then
        parts[#parts + 1] = name .. (" "):rep(most - #name)
      end
    end
    lines[r] = (table.concat(parts, "  "):gsub("%s+$", ""))
  end
  if left > 0 then lines[#lines + 1] = ("... and %d more"):format(left) end
  return table.concat(lines, "\n")
end

--- What TAB gives at the end of text, whose last line is `line`.
---@param text string
---@param line string
---@param width integer of the terminal
---@return {insert: string?, list: string?}
function complete.at(text, line, width)
  if not line:find "%S" then return {insert = "  "} end
  local names, word, suffix = candidates(text)
  local list = matching(names, word)
  if #list == 0 then return {} end
  local prefix = common(list)
  if #list == 1 then
    return {insert = prefix:sub(#word + 1) .. (suffix and suffix(prefix) or "")}
  end
  if #prefix > #word then return {insert = prefix:sub(#word + 1)} end
  return {list = columns(list, width)}
end

return complete
