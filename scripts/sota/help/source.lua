-- help/source.lua -- the descriptions that stand in the library's own files:
-- the lines "--- ..." above a function or a class.
--
--   --- Trains with a constant learning rate.
--   ---@param n_epoch integer
--   ---@param options? {wd: number, cbs: any} what the options are
--   ---@return Learner
--   ---@example learn:fit(1, 1e-3)
--
-- The tags are LuaCATS's, which editors read; @example is ours.
local source = {}

local files = {} -- path -> list of blocks

-- {name =, type =, optional =, text =} of "name? type text".
local function read_param(rest)
  local name, optional, after = rest:match "^([%w_.]+)(%??)%s+(.*)$"
  if not name then return nil end
  local depth, at = 0, #after
  for i = 1, #after do
    local c = after:sub(i, i)
    if c:find "[{(<]" then depth = depth + 1 end
    if c:find "[})>]" then depth = depth - 1 end
    if depth == 0 and c == " " and not after:sub(i - 1, i - 1):find "[:,]" then
      at = i - 1
      break
    end
  end
  return {name = name, optional = optional == "?", type = after:sub(1, at),
          text = after:sub(at + 2)}
end

local function read_tag(block, tag, rest)
  if tag == "param" or tag == "field" then
    local list = tag == "param" and block.params or block.fields
    list[#list + 1] = read_param(rest)
  elseif tag == "return" then
    block.returns[#block.returns + 1] = rest
  elseif tag == "example" then
    block.example = block.example and block.example .. "\n" .. rest or rest
  end
end

-- The names under which a definition can be asked for.
local function names_of(line)
  local names = {}
  local named = line:match "^%s*local function ([%w_]+)"
    or line:match "^%s*function ([%w_.:]+)"
    or line:match "^%s*local ([%w_]+)%s*=" or line:match "^%s*([%w_.]+)%s*="
  if named then
    names[named] = true
    names[named:match "[%w_]+$"] = true
    if line:find "^%s*local function" then names["local"] = true end
  end
  local quoted = line:match '["\']([%a_][%w_]*)["\']'
  if quoted then names[quoted] = true end
  return names
end

local function new_block()
  return {text = {}, params = {}, fields = {}, returns = {}}
end

local function add_line(block, line)
  local tag, rest = line:match "^%-%-%-@(%w+)%s*(.*)$"
  if tag then
    read_tag(block, tag, rest)
  else
    block.text[#block.text + 1] = line:match "^%-%-%-? ?(.*)$"
  end
end

-- All blocks of a file, each with the line of what it describes.
local function read(path)
  local blocks, open, n = {}, nil, 0
  local file = io.open(path)
  if not file then return blocks end
  for line in file:lines() do
    n = n + 1
    local bare = line:match "^%s*(.-)%s*$"
    if bare:find "^%-%-%-" and not bare:find "^%-%-%-%-" then
      open = open or new_block()
      add_line(open, bare)
    elseif open and bare:find "^%-%-" and not bare:find "^%-%-%[" then
      add_line(open, bare)
    elseif open then
      open.line, open.names, open.path = n, names_of(bare), path
      open.text = table.concat(open.text, " "):gsub("%s+", " ")
      blocks[#blocks + 1], open = open, nil
    end
  end
  file:close()
  return blocks
end

--- The descriptions in a file.
---@param path string
---@return table[]
function source.blocks(path)
  files[path] = files[path] or read(path)
  return files[path]
end

--- The description above a function of Lua, or nil.
---@param f function
---@return table?
function source.of_function(f)
  local info = debug.getinfo(f, "S")
  local path = info.source:match "^@(.*)$"
  if not path then return nil end
  for _, block in ipairs(source.blocks(path)) do
    if block.line == info.linedefined then return block end
  end
end

--- The description of that name in a file, or nil.
---@param path string
---@param name string
---@return table?
function source.named(path, name)
  for _, block in ipairs(source.blocks(path)) do
    if block.names[name] then return block end
  end
end

return source
