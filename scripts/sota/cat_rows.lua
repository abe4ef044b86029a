-- cat_rows.lua -- any number of tensors, one below the other: core.cat takes
-- 64 at a time, and a data set may have more batches.
local core = require "sota.core"

local MOST = 64

---@param list tensor[] at least one; equal but for the first size
---@return tensor
local function cat_rows(list)
  if #list <= MOST then return core.cat(list, {dim = 1}) end
  local groups = {}
  for first = 1, #list, MOST do
    local group = table.move(list, first, math.min(first + MOST - 1, #list), 1,
      {})
    groups[#groups + 1] = core.cat(group, {dim = 1})
  end
  return cat_rows(groups)
end

return cat_rows
