-- train/suggest.lua -- learning rates read from the curve of lr_find: four
-- rules, as fastai has them, in its single precision.
--
-- A rule is a function (lrs, losses, num_it) -> rate, or nil when the curve is
-- too short for it.
local suggest = {}

-- The nearest single-precision number.
local function f32(x) return (string.unpack("f", string.pack("f", x))) end
suggest.f32 = f32

-- Length of the longest falling sequence of losses that ends at each place, and
-- of the longest of all its start (0: before the first) and end.
local function longest_fall(losses)
  local length, first, last = {}, 1, 1
  for i = 1, #losses do length[i] = 1 end
  for i = 2, #losses do
    for j = 1, i - 1 do
      if losses[i] < losses[j] and length[i] < length[j] + 1 then
        length[i] = length[j] + 1
      end
      if length[last] < length[i] then
        last = i
        first = last - length[i]
      end
    end
  end
  return first, last
end

--- Two thirds into the longest fall of the curve.
function suggest.valley(lrs, losses)
  local first, last = longest_fall(losses)
  local third = (last - first) / 3
  local at = first + third // 1 + third // 2
  return lrs[math.tointeger(at < 1 and at + #lrs or at)]
end

--- Where the loss falls fastest along the logarithm of the rate.
function suggest.steep(lrs, losses)
  local best, slope
  for i = 1, #lrs - 1 do
    local step = f32(f32(math.log(lrs[i + 1])) - f32(math.log(lrs[i])))
    local s = f32(f32(losses[i + 1] - losses[i]) / step)
    if not slope or s < slope then best, slope = i, s end
  end
  return best and lrs[best]
end

--- A tenth of the rate with the smallest loss.
function suggest.minimum(lrs, losses)
  local best = 1
  for i = 2, #losses do
    if losses[i] < losses[best] then best = i end
  end
  return #lrs > 0 and lrs[best] / 10 or nil
end

local function gradients(losses)
  local g, n = {}, #losses
  g[1], g[n] = f32(losses[2] - losses[1]), f32(losses[n] - losses[n - 1])
  for i = 2, n - 1 do g[i] = f32(f32(losses[i + 1] - losses[i - 1]) / 2) end
  return g
end

local LR_DIFF, THRESHOLD = 15, 0.005

--- Slides an interval of 15 rates down from the end, until the slopes at its
--- two ends agree: its lower end.
function suggest.slide(lrs, losses)
  local right, left = #lrs, #lrs - LR_DIFF
  if left < 1 then return nil end
  local g, best = gradients(losses), lrs[left]
  while left >= 1 and math.abs(f32(g[right] - g[left])) > THRESHOLD do
    best = lrs[left]
    right, left = right - 1, left - 1
  end
  return best
end

suggest.names = {"valley", "steep", "minimum", "slide"}

return suggest
