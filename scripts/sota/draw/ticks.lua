-- draw/ticks.lua -- where an axis has marks, and what they say: 1, 2 or 5 times
-- a power of ten apart, or powers of ten on a logarithmic axis.
local ticks = {}

-- The step of 1, 2 or 5 times a power of ten that is near `rough`.
local function nice_step(rough)
  local power = 10 ^ math.floor(math.log(rough, 10))
  for _, m in ipairs{1, 2, 5} do
    if m * power >= 0.75 * rough then return m * power end
  end
  return 10 * power
end

-- Decimal places that `step` needs.
local function places(step)
  for n = 0, 12 do
    local scaled = step * 10 ^ n
    if math.abs(scaled - math.floor(scaled + 0.5)) < 1e-6 * scaled then
      return n
    end
  end
  return 12
end

local function linear_text(step, most)
  if most >= 1e6 or most < 1e-4 then
    return function(v) return v == 0 and "0" or ("%.3g"):format(v) end
  end
  local form = ("%%.%df"):format(places(step))
  return function(v) return form:format(v == 0 and 0 or v) end
end

--- Marks of a linear axis from lo to hi, about `n` of them: a list of
--- {at, text}.
---@param lo number
---@param hi number above lo
---@param n? integer 5
---@param whole? boolean only whole numbers
function ticks.linear(lo, hi, n, whole)
  local step = nice_step((hi - lo) / (n or 5))
  if whole then step = math.max(1, math.ceil(step)) end
  local text = linear_text(step, math.max(math.abs(lo), math.abs(hi)))
  local list, slack = {}, 1e-9 * step
  for i = math.ceil(lo / step - 1e-9), math.floor(hi / step + 1e-9) do
    local at = i * step
    if at >= lo - slack and at <= hi + slack then
      list[#list + 1] = {at, text(at)}
    end
  end
  return list
end

local superscripts = {["-"] = "⁻", ["0"] = "⁰", ["1"] = "¹", ["2"] = "²",
  ["3"] = "³", ["4"] = "⁴", ["5"] = "⁵", ["6"] = "⁶", ["7"] = "⁷", ["8"] = "⁸",
  ["9"] = "⁹"}

-- How powers of ten from 10^first to 10^last are written.
local function power_text(first, last)
  if first >= -3 and last <= 3 then
    return function(e) return ("%.10g"):format(10.0 ^ e) end
  end
  return function(e)
    if e == 0 or e == 1 then return e == 0 and "1" or "10" end
    return "10" .. (tostring(e):gsub(".", superscripts))
  end
end

--- Marks of a logarithmic axis: powers of ten with text, at most about `n`;
--- between them marks without.
---@param lo number above 0
---@param hi number above lo
---@param n? integer 8
function ticks.log(lo, hi, n)
  local first = math.ceil(math.log(lo, 10) - 1e-9)
  local last = math.floor(math.log(hi, 10) + 1e-9)
  if last <= first then return ticks.linear(lo, hi, n and math.min(n, 5)) end
  local every, list = math.ceil((last - first + 1) / (n or 8)), {}
  local text = power_text(first, last)
  for e = first - 1, last do
    local power = 10.0 ^ e
    if e >= first then
      list[#list + 1] = {power, (e - first) % every == 0 and text(e) or nil}
    end
    for m = 2, 9 do
      if every == 1 and m * power > lo and m * power < hi then
        list[#list + 1] = {m * power}
      end
    end
  end
  return list
end

--- A range a little larger than that of the values, for axes: lo, hi.
---@param lo number
---@param hi number
---@param log? boolean
function ticks.room(lo, hi, log)
  if log then return lo, hi end
  local margin = hi > lo and 0.05 * (hi - lo)
    or (lo == 0 and 1 or 0.1 * math.abs(lo))
  return lo - margin, hi + margin
end

return ticks
