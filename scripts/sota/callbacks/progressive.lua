-- callbacks/progressive.lua -- ProgressiveResize: small images first.
--
-- Epochs cost in proportion to the images' area, and a network learns much from
-- small ones; it then needs some epochs at the full size. The size grows from
-- epoch to epoch in one fit, under one schedule of the learning rate:
--
--   size
--    to |             ______
--       |         ___/
--       |     ___/
--  from |____/
--       +----|---------|---- share of the epochs
--          start     finish
--
-- The training loader is changed from its files on: the item transforms scale
-- with the batch transforms, so small images are decoded at a small size too.
-- Validation is always at the full size.
local check = require "sota.check"
local base = require "sota.callbacks.base"
local resize = require "sota.data.resize"

--- ProgressiveResize{from = 128, to =, start = 0.3, finish = 0.8, step = 32, bs =
--- "fixed"}: trains on small images first; between these shares of the training
--- they grow to the full size. Validation is always at the full size.
---@example learn:fit(1, {cbs = ProgressiveResize{from = 16, step = 8}})
local ProgressiveResize = base.Callback{
  name = "ProgressiveResize", trial = false,
  options = {
    {"from", "integer", 128, min = 1}, {"to", "integer", min = 1},
    {"start", "number", 0.3, min = 0, max = 1},
    {"finish", "number", 0.8, min = 0, max = 1},
    {"step", "integer", 32, min = 1},
    {"bs", "string", "fixed", choices = {"fixed", "memory"}},
  },
}

function ProgressiveResize:init()
  if self.to and self.from > self.to then
    check.fail("ProgressiveResize: 'from' (%d) is larger than 'to' (%d)",
      self.from, self.to)
  end
  if self.start > self.finish then
    check.fail("ProgressiveResize: 'start' (%g) is after 'finish' (%g)",
      self.start, self.finish)
  end
end

--- The size of an epoch (from 1) of n: `from` up to the share `start` of the
--- epochs, `to` from the share `finish` on and in the last epoch of several,
--- between them in a line, rounded to `from` plus a multiple of `step`.
---@param epoch integer
---@param n integer
---@param to integer
---@return integer
function ProgressiveResize:size_at(epoch, n, to)
  local done = (epoch - 1) / n
  if done >= self.finish or (epoch == n and n > 1) then return to end
  if done <= self.start then return self.from end
  local way = (done - self.start) / (self.finish - self.start)
  local steps = math.floor(way * (to - self.from) / self.step + 0.5)
  return math.min(to, self.from + steps * self.step)
end

-- Images in a batch at a size: with bs = "memory" as many pixels as at the full
-- size, and never more than there are items.
function ProgressiveResize:batch_at(size)
  local full, dl = resize.side(self.full), self.full
  if self.bs == "fixed" then return dl.bs end
  local n = math.floor(dl.bs * (full / size) ^ 2)
  return math.max(1, math.min(n, dl:items()))
end

-- core.fit asks this loader, which passes on to the one of the moment.
function ProgressiveResize:configure(spec, learn)
  local dl = learn.dls.train
  if not (dl.with and dl.augment) then
    check.fail("ProgressiveResize: needs a loader of images, as DataBlock makes"
      .. " them")
  end
  local to = self.to or resize.side(dl)
  if self.from > to then
    check.fail("ProgressiveResize: 'from' is %d, but the training images are "
      .. "only %d: make the data with the full size", self.from, to)
  end
  self.full, self.current, self.size, self.sizes = dl, dl, nil, {}
  self.target = to
  local first = learn.epochs_done
  local function epoch_of(epoch) return first + epoch end
  spec.train = setmetatable({
    batches = function(epoch, start)
      return self.current:spec(epoch_of).batches(epoch, start)
    end,
  }, {__index = function(_, key)
    return key == "n" and #self.current or nil
  end})
end

function ProgressiveResize:leave()
  if self.current ~= self.full then self.current:close() end
  self.current = self.full
end

function ProgressiveResize:before_epoch(learn)
  local size = self:size_at(learn.epoch, learn.n_epoch, self.target)
  self.sizes[#self.sizes + 1] = size
  if size == self.size then return end
  self:leave()
  self.size = size
  if size ~= resize.side(self.full) then
    self.current = resize.loader(self.full, size, self:batch_at(size))
  end
end

ProgressiveResize.after_fit = ProgressiveResize.leave
ProgressiveResize.after_abort = ProgressiveResize.leave

return {ProgressiveResize = ProgressiveResize}
