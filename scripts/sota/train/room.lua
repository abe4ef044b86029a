-- train/room.lua -- when a training step wants more memory than there is: the
-- error says which batch size fits.
--
-- Two small steps are measured, one of twice as many images as the other. What
-- the second needs more is what images need; the rest is the model's.
local core = require "sota.core"
local labels = require "sota.train.labels"

local room = {}

-- Bytes at the peak of forward and backward with the first n rows.
local function step_bytes(learn, x, y, n)
  collectgarbage()
  core.memory(true) -- the peak begins anew
  core.scope(function()
    local rows = {dim = 1, first = 1, last = n}
    local loss = core.enable_grad(function()
      local pred = learn.model(x:slice(rows):contiguous())
      return learn.loss_func(pred, y:slice(rows):contiguous())
    end)
    loss:backward()
  end)
  local _, peak = core.memory()
  return peak
end

-- The largest batch for which there is memory, with a quarter to spare; nil: it
-- cannot be told.
local function largest_batch(learn)
  local bs = learn.dls.train.bs
  local n = math.max(1, bs // 16)
  if 2 * n >= bs then return nil end
  local x, y = learn.dls:one_batch()
  local small, large = step_bytes(learn, x, y, n), step_bytes(learn, x, y, 2 * n)
  x:close()
  y:close()
  learn.model:zero_grad()
  local each = (large - small) / n
  local used, _, free = core.memory(false, true)
  local whole = used + free
  if each <= 0 then return nil end
  local fits = math.floor(0.75 * (whole - (small - n * each)) / each)
  return fits >= 1 and fits < bs and fits or nil
end

--- core.fit(spec) for learn.
function room.fit(learn, spec)
  local ok, why = pcall(core.fit, spec)
  if ok then return end
  if type(why) ~= "string" then error(why, 0) end
  if not why:find("no memory on", 1, true) then error(labels.explain(learn, why), 0) end
  local bs = learn.dls.train.bs
  local measured, fits = pcall(largest_batch, learn)
  local advice = measured and fits
    and ("a batch of %d fits instead of %s (bs = %d)"):format(fits, tostring(bs), fits)
    or ("try a smaller batch than %s"):format(tostring(bs))
  error(why:gsub("^([^\n]*)", function(first) return first .. "; " .. advice end, 1), 0)
end

return room
