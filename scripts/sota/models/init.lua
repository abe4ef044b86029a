-- models/init.lua -- sota.models.xresnet50{n_out = 10}: each file here returns
-- a table of constructors, loaded when one of its names is first used.
--
-- A new architecture: a file, and a line below with a pattern of its names.
local files = {
  {"^XResNet$", "xresnet"},
  {"^xres", "xresnet"},
  {"^xse_res", "xresnet"},
  {"^ResNet$", "resnet"},
  {"^res", "resnet"},
  {"^wide_res", "resnet"},
  {"^airbench", "airbench"},
}

local models = {}

--- The names of all models, sorted.
---@return string[]
---@example sota.models.list()
function models.list()
  local names, seen = {}, {}
  for _, f in ipairs(files) do
    for name in pairs(require("sota.models." .. f[2])) do
      if name:find "^%l" and not seen[name] then names[#names + 1] = name end
      seen[name] = true
    end
  end
  table.sort(names)
  return names
end

return setmetatable(models, {
  __index = function(_, name)
    if type(name) ~= "string" then return nil end
    for _, f in ipairs(files) do
      if name:find(f[1]) then
        for key, value in pairs(require("sota.models." .. f[2])) do
          rawset(models, key, value)
        end
        return rawget(models, name)
      end
    end
  end,
})
