-- callbacks/cutmix.lua -- CutMix: a rectangle of each image is replaced by that
-- of another image of the batch. Yun et al., "CutMix: Regularization Strategy
-- to Train Strong Classifiers with Localizable Features", 2019.
local core = require "sota.core"
local base = require "sota.callbacks.base"
local blend = require "sota.callbacks.blend"

--- CutMix(alpha = 1): pastes a box of one image of the batch into another, and
--- blends the targets by its area.
---@example learn:fit(1, {cbs = CutMix(1)})
local CutMix = base.Callback{
  name = "CutMix", run_valid = false,
  options = {{"alpha", "number", 1, min = 1e-6}},
}

-- To the nearest whole number, halves to the even one.
local function round(x)
  local low = math.floor(x)
  local up = x - low > 0.5 or (x - low == 0.5 and low % 2 == 1)
  return math.tointeger(up and low + 1 or low)
end

local function clamp(v, high) return math.max(0, math.min(v, high)) end

--- The rectangle for an image of w x h whose own share is to be about share,
--- around pixel (cx, cy) from 0: x1, y1, x2, y2 (the last two outside), and
--- the share that remains.
function CutMix.box(w, h, share, cx, cy)
  local r = math.sqrt(1 - share)
  local half_w, half_h = round(w * r) // 2, round(h * r) // 2
  local x1, x2 = clamp(cx - half_w, w), clamp(cx + half_w, w)
  local y1, y2 = clamp(cy - half_h, h), clamp(cy + half_h, h)
  return x1, y1, x2, y2, 1 - (x2 - x1) * (y2 - y1) / (w * h)
end

-- The random numbers of a batch: one share and place for all, who meets whom.
function CutMix:draw(n, w, h)
  local place = core.randint{2, from = 0, to = 2147483646}:totable()
  return core.beta{1, a = self.alpha, b = self.alpha}:item(),
    place[1] % w, place[2] % h, core.permutation(n)
end

-- 1 from first to last of n, counted from 0, last outside; 0 elsewhere.
local function span(n, first, last)
  local at = core.arange(1, n)
  return core.gt(at, first) * core.le(at, last)
end

function CutMix:before_batch(learn)
  local x = learn.xb
  local n, h, w = x:shape(1), x:shape(2), x:shape(3)
  local raw, cx, cy, order = self:draw(n, w, h)
  local x1, y1, x2, y2, share = CutMix.box(w, h, raw, cx, cy)
  local inside = span(h, y1, y2):reshape{1, h, 1, 1}
    * span(w, x1, x2):reshape{1, 1, w, 1}
  learn.xb = core.where(inside, x:index_select(order, {dim = 1}), x)
  blend.targets(learn, order, share)
end

return {CutMix = CutMix}
