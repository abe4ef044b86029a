-- test_help.lua -- help tells about every operation and transform.
local check = require "check"
local sota = require "sota"
require "sota.all"

-- What help(...) prints.
local function printed(...)
  local lines, old = {}, print
  print = function(...) lines[#lines + 1] = table.concat({...}, "\t") end
  local ok, why = pcall(sota.help, ...)
  print = old
  if not ok then error(why, 0) end
  return table.concat(lines, "\n")
end

check.test("every operation has its text", function()
  for _, op in ipairs(sota.ops()) do
    local text = printed(op.name)
    assert(text:find(op.name, 1, true) == 1, op.name)
    assert(text:find(op.help, 1, true), op.name)
    for _, o in ipairs(op.options) do
      assert(text:find(o.name, 1, true), op.name .. "." .. o.name)
    end
  end
end)

check.test("by value and by name; transforms too", function()
  check.equal(printed(sota.conv2d), printed "conv2d")
  check.equal(printed(Resize), printed "Resize")
  assert(printed(Resize):find("item transform", 1, true))
  assert(printed "aug_transforms":find("max_rotate", 1, true))
end)

check.test("no help: a suggestion", function()
  assert(printed "conv2":find("did you mean 'conv2d'", 1, true))
  assert(printed(12):find("no help", 1, true))
  assert(printed():find("softmax", 1, true))
end)

check.done()
