-- test_stub.lua -- the editors' stub and the reference say all that help knows.
local check = require "check"
local entries = require "sota.help.entries"
local text = require "sota.help.text"
require "sota.all"

local stub = require "sota.help.stub"()
local reference = require "sota.help.reference"

local function plain(s) return (s:gsub("%p", "%%%0")) end

check.test("the stub is Lua, and LuaCATS", function()
  assert(load(stub, "=stub", "t"))
  assert(stub:find "^%-%-%-@meta")
  for line in stub:gmatch "[^\n]+" do
    local tag = line:match "^%-%-%-@(%w+)"
    local known = {meta = 1, class = 1, field = 1, param = 1, ["return"] = 1,
      overload = 1, alias = 1, operator = 1, type = 1}
    assert(not tag or known[tag], line)
    assert(not line:find "%s$", "blanks at the end: " .. line)
  end
end)

check.test("it has every public name", function()
  local missing = {}
  for _, e in ipairs(entries.all()) do
    local name = plain(e.name:match "[%w_]+$")
    local there = stub:find("function [%w_.:]*%f[%w_]" .. name .. "%(")
      or stub:find("\n[%w_.]*%f[%w_]" .. name .. " = ")
    if not there then missing[#missing + 1] = e.name end
  end
  check.equal(table.concat(missing, " "), "")
end)

-- The lines of a class in the stub.
local function class(name)
  return assert(stub:match("%-%-%-@class " .. name .. "\n(.-)\n\n"), name)
end

check.test("options are fields of a class, that functions take", function()
  local fit = class "LearnerFit_One_CycleOptions"
  assert(fit:find("@field pct_start? number", 1, true), fit)
  assert(fit:find("default 0.25, 0 to 1", 1, true), fit)
  assert(stub:find("---@param options? LearnerFit_One_CycleOptions", 1, true))
  assert(stub:find("---@overload fun(options: ResizeOptions): Transform", 1, true))
  local resize = class "ResizeOptions"
  assert(resize:find('@field method? "crop"|"squish"|"pad"', 1, true), resize)
  local count = 0
  for _, e in ipairs(entries.all()) do
    if not e.same_as and #e.options > 0 then
      count = count + 1
      for _, o in ipairs(e.options) do
        assert(stub:find("---@field " .. o.name .. "? ", 1, true), e.name)
      end
    end
  end
  assert(count > 100)
end)

check.test("classes are declared once", function()
  local seen = {}
  for name in stub:gmatch "%-%-%-@class ([%w_]+)" do
    assert(not seen[name], name .. " twice")
    seen[name] = true
  end
end)

check.test("types that are used are declared", function()
  local known = {any = 1, number = 1, integer = 1, boolean = 1, string = 1,
    table = 1, ["function"] = 1, ["nil"] = 1, userdata = 1, fun = 1}
  for name in stub:gmatch "%-%-%-@class ([%w_]+)" do known[name] = 1 end
  for name in stub:gmatch "%-%-%-@alias ([%w_]+)" do known[name] = 1 end
  for kind in stub:gmatch "%-%-%-@param [%w_.]+%?? ([%a_][%w_]*)" do
    assert(known[kind], "no type " .. kind)
  end
end)

check.test("the reference has all of them", function()
  local markdown, html = reference.markdown(), reference.html()
  for _, e in ipairs(entries.all()) do
    assert(markdown:find("### `" .. text.signature(e) .. "`", 1, true), e.name)
    assert(html:find('id="' .. e.name .. '"', 1, true), e.name)
  end
  assert(not html:find("href=\"http", 1, true), "readable offline")
end)

check.done()
