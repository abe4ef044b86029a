-- callbacks/blend.lua -- targets for images that are made of two: the part of
-- Mixup and CutMix that is about the loss.
local check = require "sota.check"

local blend = {}

-- One loss per item.
local function each_item(loss_func, pred, y)
  if type(loss_func) ~= "table" or not loss_func.reduction then
    check.fail("Mixup and CutMix need the loss of each item: loss_func must be "
      .. "one of sota.losses, such as CrossEntropyLossFlat(), not a function")
  end
  local before = loss_func.reduction
  loss_func.reduction = "none"
  local ok, loss = pcall(loss_func, pred, y)
  loss_func.reduction = before
  if not ok then error(loss, 0) end
  return loss
end

local function rows_of(share, y)
  if type(share) == "number" then return share end
  local shape = {share:shape(1)}
  for d = 2, y:dim() do shape[d] = 1 end
  return share:reshape(shape)
end

--- Sets the batch's targets: `share` of item i's own, the rest of item
--- order[i]'s. Class numbers stay as they are, and the loss becomes the mean of
--- both losses in these shares; other targets (probabilities, several labels)
--- are interpolated. learn.blended says who met whom, for show_batch.
---@param learn table
---@param order tensor i32 (N)
---@param share tensor|number (N), or one for all
function blend.targets(learn, order, share)
  local y = learn.yb
  learn.blended = {order = order, share = share}
  local other = y:index_select(order, {dim = 1})
  if y:dim() > 1 then
    y, other = y:to "f32", other:to "f32"
    learn.yb = other + (y - other) * rows_of(share, y)
    return
  end
  learn.batch_loss = function(_, pred, own)
    local mine = each_item(learn.loss_func, pred, own)
    local theirs = each_item(learn.loss_func, pred, other)
    return (theirs + (mine - theirs) * share):mean()
  end
end

return blend
