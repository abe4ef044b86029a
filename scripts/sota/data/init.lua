-- data/init.lua -- sota.data: files, splits, transforms, blocks, loaders.
local data = {}

for _, part in ipairs{"items", "transforms", "block", "sources",
                      "readers", "ready_made", "cifar"} do
  for name, value in pairs(require("sota.data." .. part)) do
    data[name] = value
  end
end

-- Helpers of the parts, not for users.
for _, name in ipairs{"is", "list", "pipeline", "augment", "dump", "load"} do
  data[name] = nil
end

return data
