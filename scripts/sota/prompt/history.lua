-- prompt/history.lua -- what was typed, in a file that outlives the session:
-- $SOTA_LUA_HISTORY, else sota-lua/history in XDG's state folder. One statement
-- a line (its own newlines are \n), the newest last. Prompts that are open at
-- the same time append to one file; who begins drops what is there twice.
local core = require "sota.core"

local history = {most = 10000}

local function encode(text)
  return (text:gsub("\\", "\\\\"):gsub("\n", "\\n"))
end

local function decode(line)
  return (line:gsub("\\(.)", {n = "\n", ["\\"] = "\\"}))
end

local function folder()
  local state, home = os.getenv "XDG_STATE_HOME", os.getenv "HOME"
  if state and state:find "^/" then return state .. "/sota-lua" end
  return home and home ~= "" and home .. "/.local/state/sota-lua" or nil
end

--- Where it lies; nil when there is no place for it.
---@return string?
function history.path()
  local own = os.getenv "SOTA_LUA_HISTORY"
  if own then return own ~= "" and own or nil end
  local dir = folder()
  if not dir or not pcall(core.make_dirs, dir) then return nil end
  return dir .. "/history"
end

-- The lines of a text, each once, where it was last; the newest `most`.
local function newest(text)
  local lines, seen, kept = {}, {}, {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  for i = #lines, 1, -1 do
    if not seen[lines[i]] and #kept < history.most then
      seen[lines[i]] = true
      kept[#kept + 1] = lines[i]
    end
  end
  for i = 1, #kept // 2 do
    kept[i], kept[#kept + 1 - i] = kept[#kept + 1 - i], kept[i]
  end
  return kept
end

--- The statements of the file, oldest first; those that stand in it twice
--- leave it.
---@param host table the C functions that engine/lua/repl.c gives
---@param path? string
---@return string[]
function history.read(host, path)
  local kept = {}
  if not path then return kept end
  host.rewrite(path, function(text)
    kept = newest(text)
    return #kept > 0 and table.concat(kept, "\n") .. "\n" or ""
  end)
  for i, line in ipairs(kept) do kept[i] = decode(line) end
  return kept
end

--- Appends a statement.
---@param host table
---@param path? string
---@param text string
function history.add(host, path, text)
  if path and text:find "%S" then host.append(path, encode(text) .. "\n") end
end

return history
