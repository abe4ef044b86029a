-- module_text.lua -- how a module is printed: the tree of its parts as PyTorch
-- shows it, and the number of parameters.
local nn = require "sota.module"

local Module = nn.Module

--- The text between the parentheses when a layer is printed.
---@example nn.Linear(2, 3):extra()
function Module:extra() return "" end

local function tree(m, lines, indent, label)
  local children = {}
  for name, child in m:children() do children[#children + 1] = {name, child} end
  local head = indent .. label .. m.name .. "(" .. m:extra()
  if #children == 0 then
    lines[#lines + 1] = head .. ")"
    return
  end
  lines[#lines + 1] = head
  for _, c in ipairs(children) do
    tree(c[2], lines, indent .. "  ", "(" .. c[1] .. "): ")
  end
  lines[#lines + 1] = indent .. ")"
end

local function thousands(n)
  local s, k = tostring(n), nil
  repeat s, k = s:gsub("^(%d+)(%d%d%d)", "%1,%2") until k == 0
  return s
end

function Module.__tostring(self)
  local lines, all, trained = {}, self:count()
  tree(self, lines, "", "")
  local note = trained == all and "" or thousands(trained) .. " trained"
  if trained == 0 and all > 0 then note = "all frozen" end
  lines[#lines + 1] = thousands(all) .. " parameters"
    .. (note ~= "" and ", " .. note or "")
  return table.concat(lines, "\n")
end
