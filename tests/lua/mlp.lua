-- mlp.lua -- the network and the data of tests/golden/e2e.json: a Learner of
-- Linear(4, 5), BatchNorm, ReLU, Linear(5, 3), filled by the portable hash, on
-- batches of four rows that are never shuffled.
local core = require "sota.core"
local nn = require "sota.nn"
local check = require "check"
local hashed = require "hashed"
local Learner = require "sota.learner"

local mlp = {}

-- What a learner needs of a loader, and no more.
local Loader = {}
Loader.__index = Loader

function Loader:__len() return math.ceil(self.n / 4) end
function Loader:items() return self.n end

function Loader:spec()
  return {n = #self, batches = function(_, start)
    local batch = start
    return function()
      local first = 4 * batch + 1
      if first > self.n then return nil end
      batch = batch + 1
      local rows = {dim = 1, first = first, last = math.min(first + 3, self.n)}
      return self.x:slice(rows), self.y:slice(rows)
    end
  end}
end

-- n rows of pattern k; class_of(row), row and class from 0.
local function loader(k, n, class_of)
  local y = {}
  for i = 1, n do y[i] = class_of(i - 1) + 1 end
  return setmetatable({n = n, x = check.pattern(k, {n, 4}, 1),
                       y = core.tensor(y, {dtype = "i32"})}, Loader)
end

function mlp.model()
  return hashed.fill(nn.Sequential{nn.Linear(4, 5), nn.BatchNorm(5), nn.ReLU(),
                                   nn.Linear(5, 3)}, 200)
end

function mlp.loaders()
  return {
    train = loader(1, 8, function(i) return i % 3 end),
    valid = loader(2, 6, function(i) return (2 * i + 1) % 3 end), c = 3,
  }
end

--- A Learner; options as for it.
function mlp.learner(options)
  local o = {quiet = true}
  for key, value in pairs(options or {}) do o[key] = value end
  return Learner(mlp.loaders(), mlp.model(), o)
end

return mlp
