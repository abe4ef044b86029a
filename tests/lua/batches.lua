-- batches.lua -- a loader of n batches of four rows of pattern k, classes 1, 2,
-- 3 in turn: what a learner needs of a loader, and no more.
local core = require "sota.core"
local check = require "check"

local Loader = {}
Loader.__index = Loader

function Loader:__len() return self.n end
function Loader:items() return 4 * self.n end

function Loader:spec()
  return {n = self.n, batches = function(_, start)
    local batch = start
    return function()
      if batch >= self.n then return nil end
      batch = batch + 1
      local rows = {dim = 1, first = 4 * batch - 3, last = 4 * batch}
      return self.x:slice(rows), self.y:slice(rows)
    end
  end}
end

return function(n, k)
  local y = {}
  for i = 1, 4 * n do y[i] = (i - 1) % 3 + 1 end
  return setmetatable({n = n, x = check.pattern(k or 1, {4 * n, 4}, 1),
                       y = core.tensor(y, {dtype = "i32"})}, Loader)
end
