-- demo.lua -- the tiny data set of the tests: 40 and 20 pictures of ten forms,
-- made once in a temporary folder, removed when the program ends.
local core = require "sota.core"

local demo = {}

local function quoted(path) return "'" .. path .. "'" end

--- The folder, with train/ and val/.
function demo.folder()
  if demo.path then return demo.path end
  local path = os.tmpname()
  os.remove(path)
  core.data.demo(path, {train = 40, valid = 20, seed = 1})
  demo.path = path
  demo.cleaner = setmetatable({}, {__gc = function()
    os.execute("rm -rf " .. quoted(path))
  end})
  return path
end

--- Writes a file into it.
function demo.write(name, text)
  local path = demo.folder() .. "/" .. name
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  return path
end

--- What f prints.
function demo.printed(f, ...)
  local lines, old = {}, print
  print = function(...)
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    lines[#lines + 1] = table.concat(parts, "\t")
  end
  local ok, why = pcall(f, ...)
  print = old
  if not ok then error(why, 0) end
  return table.concat(lines, "\n")
end

return demo
