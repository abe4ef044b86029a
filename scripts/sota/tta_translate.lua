-- tta_translate.lua -- Learner:tta_translate: test-time augmentation by mirror
-- images and small shifts, as airbench evaluates.
local core = require "sota.core"
local check = require "sota.check"

local tta = {}

-- 1..n moved by k along an axis; what comes in is reflected: for k = 1 and
-- n = 5: 2 1 2 3 4, for -1: 2 3 4 5 4.
local function shifted(n, k)
  local rows = {}
  for i = 1, n do
    local from = i - k
    if from < 1 then from = 2 - from end
    if from > n then from = 2 * n - from end
    rows[i] = from
  end
  return rows
end

local function move_axis(x, dim, k)
  local rows = core.tensor(shifted(x:shape(dim), k), {dtype = "i32"})
  return core.index_select(x, rows:to(x:device()), {dim = dim})
end

--- Images (N, H, W, C) moved down and to the right by k pixels (up and to the
--- left below 0), their borders reflected: crops of an image padded so.
---@param x tensor
---@param k integer
---@return tensor
function tta.translate(x, k)
  if k == 0 then return x end
  local least = math.min(x:shape(2), x:shape(3))
  if math.abs(k) >= least then
    check.fail("tta_translate: images of %d pixels cannot be moved by %d",
      least, math.abs(k))
  end
  return move_axis(move_axis(x, 2, k), 3, k)
end

-- A loader for get_preds: dl's batches, moved and perhaps mirrored.
local function view(dl, k, mirror)
  return {spec = function(_, epoch_of)
    local spec = dl:spec(epoch_of)
    return {n = spec.n, batches = function(epoch, start)
      local step, closing = spec.batches(epoch, start)
      return function()
        local x, y = step()
        if not x then return nil end
        x = tta.translate(x, k)
        return mirror and x:flip{dims = {3}} or x, y
      end, closing
    end}
  end}
end

local arguments = check.spec("tta_translate", {
  {"pad", "integer", 1, min = 0}, {"dl", "table"},
})

--- What the model says of six views of each image: half of it of the image and
--- its mirror image, half of these two moved by `pad` pixels down and right and
--- up and left, over a reflected border. Logits are averaged (weights 1/4, 1/4
--- and four times 1/8), and become probabilities last. With pad = 0: the image
--- and its mirror image.
---@param options? {pad: integer, dl: DataLoader}
---@return tensor preds probabilities (N, C), in the order of the set
---@return tensor? targs class numbers (N)
---@example learn:tta_translate{pad = 1}
function tta.tta_translate(learn, ...)
  local a = arguments(...)
  local dl = a.dl or learn.dls.valid
  if type(dl) ~= "table" or not dl.spec then
    check.fail("tta_translate: dl must be a loader, such as dls.valid, not %s",
      check.describe(dl))
  end
  local moves = a.pad > 0 and {{0, 0.25}, {a.pad, 0.125}, {-a.pad, 0.125}}
    or {{0, 0.5}}
  local sum, targs
  return core.no_grad(function()
    for _, move in ipairs(moves) do
      for _, mirror in ipairs{false, true} do
        local p
        p, targs = learn:get_preds{dl = view(dl, move[1], mirror), act = false}
        sum = sum and sum + p * move[2] or p * move[2]
      end
    end
    local loss = learn.loss_func
    if type(loss) == "table" and loss.activation then
      sum = loss:activation(sum)
    end
    return sum, targs
  end)
end

return tta
