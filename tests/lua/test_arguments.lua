-- How public functions read their arguments (scripts/sota/check.lua).
local read = require "sota.check"
local check = require "check"

local args = read.spec("f", {
  {"size", "size", required = true, min = 1},
  {"p", "number", 0.5, min = 0, max = 1},
  {"mode", "string", "crop", choices = {"crop", "pad"}},
  {"then_", "callable"},
})

local function reads(name, want, ...)
  local given = table.pack(...)
  check.test(name, function()
    check.equal(args(table.unpack(given, 1, given.n)), want)
  end)
end

local default = {size = 3, p = 0.5, mode = "crop"}

reads("by place", default, 3)
reads("by name", default, {size = 3})
reads("by place in a table", default, {3})
reads("values, then options", {size = 3, p = 0.1, mode = "pad"}, 3, 0.1,
  {mode = "pad"})
reads("both in one table", {size = 3, p = 0.1, mode = "pad"},
  {3, 0.1, mode = "pad"})
reads("an empty table of options", default, 3, {})
reads("nil keeps the default", {size = 3, p = 0.5, mode = "pad"}, 3, nil, "pad")
reads("a pair by place", {size = {3, 4}, p = 0.1, mode = "crop"}, {3, 4}, 0.1)
reads("a pair by name", {size = {3, 4}, p = 0.5, mode = "crop"},
  {size = {3, 4}})

local function fails(want, ...)
  local given = table.pack(...)
  check.test(want, function()
    check.fails(want, args, table.unpack(given, 1, given.n))
  end)
end

fails("f: 'size' is missing: a whole number or {height, width}")
fails("f: 'size' must be a whole number or {height, width}, not \"a\"", "a")
fails("f: 'size' must be at least 1, not 0", 0)
fails("f: 'size' must be at least 1, not a table", {size = {1, 0}})
fails("f: 'p' must be at least 0 and at most 1, not 2", 3, 2)
fails("f: 'mode' must be one of crop, pad, not \"crap\"; did you mean "
  .. "'crop'?", 3, {mode = "crap"})
fails("f: unknown option 'sise'; did you mean 'size'?", {sise = 3})
fails("f: unknown option 'zzzzzzz'", 3, {zzzzzzz = 3})
fails("f: too many arguments", 1, 1, "pad", print, 5)
fails("f: too many arguments", {1, 1, "pad", print, 5})
fails("f: 'then_' must be a function, not 3", 3, {then_ = 3})
fails("f: give values by place before the table or in it", 3,
  {0.1, mode = "pad"})
fails("f: option names are strings", {[3] = 1, [print] = 2})

check.done()
