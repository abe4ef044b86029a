-- container.lua -- modules made of modules.
local nn = require "sota.nn"
local check = require "sota.check"

-- Children are named "0", "1"... as in PyTorch's files; list[1] is the first.
local function indexer(class)
  return function(self, key)
    if math.type(key) == "integer" then
      local n = #self
      return rawget(self, tostring(key > 0 and key - 1 or n + key))
    end
    return class[key]
  end
end

local ModuleList = nn.class "ModuleList"
ModuleList.index_of = indexer
ModuleList.__index = indexer(ModuleList)

ModuleList.__len = function(self)
  local n = 0
  while rawget(self, tostring(n)) do n = n + 1 end
  return n
end

--- nn.ModuleList{a, b}: a list whose modules are found as children.
---@example nn.ModuleList{nn.Linear(2, 2), nn.ReLU()}
function ModuleList:init(...)
  local first = ...
  local plain = type(first) == "table" and not getmetatable(first)
  for _, m in ipairs(plain and first or {...}) do self:append(m) end
end

--- Adds a module, or a function of a tensor, at the end. Returns the list.
function ModuleList:append(m)
  if type(m) == "function" then m = nn.Lambda(m) end
  if not nn.is_module(m) or nn.is_class(m) then
    check.fail("%s: item %d must be a module or a function, not %s", self.name,
      #self + 1, nn.is_class(m) and "a class: call it" or check.describe(m))
  end
  self[tostring(#self)] = m
  return self
end

--- nn.Sequential{a, b}: calls them in turn. seq[1] is the first, #seq their
--- number, seq:slice(2, 3) a new Sequential of some.
---@example nn.Sequential{nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2)}(t)
local Sequential = nn.class("Sequential", ModuleList)

function Sequential:forward(x)
  for i = 0, #self - 1 do x = rawget(self, tostring(i))(x) end
  return x
end

function Sequential:slice(first, last)
  local n, part = #self, {}
  last = last or n
  if last < 0 then last = n + 1 + last end
  for i = first, last do part[#part + 1] = self[i] end
  return nn.Sequential(part)
end

--- nn.Identity(): gives what it gets.
---@example nn.Identity()(t)
local Identity = nn.class "Identity"
function Identity:forward(x) return x end

--- nn.Lambda(f): a function as a module.
---@example nn.Lambda(function(v) return v * 2 end)(t)
local Lambda = nn.class "Lambda"
function Lambda:init(f) self.f = f end
function Lambda:forward(...) return self.f(...) end

return {ModuleList = ModuleList, Sequential = Sequential, Identity = Identity,
        Lambda = Lambda}
