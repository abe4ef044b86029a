-- train/rates.lua -- learning rates for parameter groups: what a user may give
-- as lr, and what each group gets.
--
--   2e-3               every group the same
--   slice(2e-3)        the last group 2e-3, the others a tenth of it
--   slice(1e-5, 1e-3)  from the first group to the last by equal factors
--   {1e-5, 1e-4, 1e-3} one for each group
local core = require "sota.core"
local check = require "sota.check"

local rates = {}

local Slice = {__name = "slice"}

function Slice:__tostring()
  if not self.first then return ("slice(%g)"):format(self.last) end
  return ("slice(%g, %g)"):format(self.first, self.last)
end

local arguments = check.spec("slice", {
  {"first", "number", required = true, min = 0}, {"last", "number", min = 0},
})

--- slice(last), slice(first, last): rates for groups, as fastai's slice.
---@param first number
---@param last? number
---@example learn:fit(1, slice(1e-5, 1e-3))
function rates.slice(...)
  local a = arguments(...)
  if not a.last then a.first, a.last = nil, a.first end
  if a.first == 0 or a.last == 0 then
    check.fail("slice: a learning rate must be above 0")
  end
  return setmetatable({first = a.first, last = a.last}, Slice)
end

--- Is v something that may be given as a learning rate?
function rates.is_rate(v)
  if type(v) == "number" then return v >= 0 end
  if type(v) ~= "table" then return false end
  if getmetatable(v) == Slice then return true end
  for _, lr in ipairs(v) do
    if type(lr) ~= "number" or lr < 0 then return false end
  end
  return #v > 0
end

local function repeated(v, n)
  local list = {}
  for i = 1, n do list[i] = v end
  return list
end

--- The rate of each of n groups.
---@param lr any number, slice or list
---@param n integer
---@return number[]
function rates.of_groups(lr, n)
  if type(lr) == "number" then return repeated(lr, n) end
  if getmetatable(lr) ~= Slice then
    if #lr == n then return lr end
    check.fail("lr: %d learning rates for %d parameter group%s", #lr, n,
      n == 1 and "" or "s")
  end
  if lr.first then return core.schedule.even_mults(lr.first, lr.last, n) end
  local list = repeated(lr.last / 10, n)
  list[n] = lr.last
  return list
end

check.add_kind("rate", rates.is_rate, "a learning rate of at least 0, "
  .. "slice(lo, hi) or a list with one for each group")

return rates
