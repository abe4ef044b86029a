-- prompt/init.lua -- what the prompt does with lines and values. The loop, the
-- keys and Ctrl-C are engine/lua/repl.c's, which calls the functions here.
local core = require "sota.core"
local check = require "sota.check"
local complete = require "sota.prompt.complete"
local history = require "sota.prompt.history"
local pretty = require "sota.prompt.pretty"
local statement = require "sota.prompt.statement"
local who = require "sota.prompt.who"

local prompt = {}

local host, history_path
local piece -- the one that runs, or ran last
local noted -- that a local became global was said

local function dim(text)
  return host.has_colours() and "\27[2m" .. text .. "\27[0m" or text
end

local function greet()
  print(("sota-lua %s (%s). help() lists what there is, Ctrl-D leaves.")
    :format(core.version, _VERSION))
end

local function config_file()
  local config, home = os.getenv "XDG_CONFIG_HOME", os.getenv "HOME"
  if config and config:find "^/" then return config .. "/sota-lua/init.lua" end
  return home and home ~= "" and home .. "/.config/sota-lua/init.lua" or nil
end

-- The user's init.lua, if there is one; its errors do not end the session.
local function run_init()
  local path = config_file()
  local file = path and io.open(path)
  if not file then return end
  file:close()
  local run, why = loadfile(path)
  local ok = run ~= nil
  if run then ok, why = pcall(run) end
  if not ok then io.stderr:write(tostring(why), "\n") end
end

--- Begins a session: the book's names become global, init.lua runs. Returns
--- the history.
---@param c_functions table
---@param ignore_env boolean
---@return string[]
function prompt.begin(c_functions, ignore_env)
  host = c_functions
  if host.is_terminal() then greet() end
  require "sota.all"
  rawset(_G, "who", who.who)
  who.begin()
  if not ignore_env then run_init() end
  history_path = host.is_terminal() and history.path() or nil
  return history.read(host, history_path)
end

--- Appends a statement to the history.
function prompt.remember(text) history.add(host, history_path, text) end

-- `? name`, `name?`, `?`: help.
local function help_wanted(text)
  local name = text:match "^%s*%?%s*([%w_.:]*)%s*$"
    or text:match "^%s*([%a_][%w_.:]*)%s*%?%s*$"
  if not name then return nil end
  return function()
    local help, entries = require "sota.help", require "sota.help.entries"
    if name == "" then return help() end
    local value = not entries.named(name) and complete.value_of(name) or nil
    local is_known = entries.of(value) or entries.class_of(value)
    return help(is_known and value or name) -- a variable: what it is
  end
end

--- The function of a piece of text; nil and nil: it is not finished; nil and a
--- message: it is wrong.
---@param text string
---@return function?, string?
function prompt.compile(text)
  pretty.width = host.width() -- it may have changed
  local help = help_wanted(text)
  piece = help and {run = help} or statement.compile(text)
  piece.text = text
  return piece.run, piece.message
end

-- Of hundreds of globals some is always near: a short name has no neighbours
-- then, others those that begin alike.
local function alike(name, names)
  local list, first = {}, name:sub(1, 1):lower()
  if #name < 4 then return list end
  for _, n in ipairs(names) do
    if n:sub(1, 1):lower() == first then list[#list + 1] = n end
  end
  return list
end

--- A message about a name that is nil, with the name that was likely meant.
---@param message string
---@return string
function prompt.explain(message)
  local first, rest = message:match "^([^\n]*)(.*)$"
  local kind, name = first:match "nil value %((%a+) '([%a_][%w_]*)'%)$"
  local names
  if kind == "global" then
    names = alike(name, complete.globals())
  elseif kind == "field" or kind == "method" then
    local owner = piece.text:match("([%a_][%w_.]*)%s*[.:]%s*" .. name)
    names = owner and complete.fields_of(owner)
  end
  return names and first .. check.did_you_mean(name, names) .. rest or message
end

local function note_locals()
  if noted or not piece.changed then return end
  noted = true
  io.stderr:write(dim "(a local of the top level stays for the next lines: "
    .. "it is global here)\n")
end

local function keep(value)
  if value == nil then return end
  rawset(_G, "__", rawget(_G, "_"))
  rawset(_G, "_", value)
end

-- learn:fit(1) gives learn, for chains of calls: no news.
local function is_itself(values)
  local v = values[1]
  return piece.of and values.n == 1 and type(v) == "table"
    and rawequal(rawget(_G, piece.of), v)
end

--- Shows what a piece gave, and how long it took if that was long.
---@param seconds number
function prompt.show(seconds, ...)
  note_locals()
  local values = table.pack(...)
  keep(values[1])
  if values.n > 0 and not piece.silent and not is_itself(values) then
    print(pretty.all(values))
  end
  if seconds >= 1 then
    print(dim(("(%.1f s)"):format(seconds)))
  end
end

--- What TAB gives: {insert =, list =}.
---@param above? string the lines before, of an unfinished statement
---@param line string up to the cursor
function prompt.complete(above, line)
  return complete.at((above and above .. "\n" or "") .. line, line,
    host.width())
end

return prompt
