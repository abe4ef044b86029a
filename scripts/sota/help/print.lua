-- help/print.lua -- what --stub, --reference and --luarc write to stdout.
local core = require "sota.core"

local library = debug.getinfo(1, "S").source:match "^@(.*)/lua/5%.4/sota/help/"

local writers = {
  stub = function() return require "sota.help.stub"() end,
  markdown = function() return require "sota.help.reference".markdown() end,
  html = function() return require "sota.help.reference".html() end,
}

-- For lua-language-server: where the stub lies, as it was installed.
function writers.luarc()
  return core.json.encode{
    ["runtime.version"] = "Lua 5.4",
    ["workspace.library"] = {(library or "share") .. "/sota-lua/library"},
    ["diagnostics.disable"] = {"lowercase-global"},
  } .. "\n"
end

--- Writes one of them.
---@param kind "stub"|"markdown"|"html"|"luarc"
return function(kind) io.write(writers[kind]()) end
