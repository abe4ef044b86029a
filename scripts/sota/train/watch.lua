-- train/watch.lua -- says when a training goes wrong: one line for each kind of
-- trouble, once in a fit. It only looks; not a bit of the training changes.
local core = require "sota.core"
local data_in = require "sota.data_in"
local nn = require "sota.nn"

local watch = {}

-- Chosen so that healthy trainings are silent: tests/lua/test_watch.lua.
local NORMS, FEW_NORMS, EXPLODED, IN_ROW = 50, 20, 30, 3
local FIRST, SETTLED, ABOVE, MARGIN = 5, 40, 50, 1.1
local DEAD, DEAD_AFTER = 0.99, 30
local FLAT = 1e-3 -- a standard deviation, of normalised pixels

local Watch = {order = 60, name = "Watch", trial = false}
Watch.__index = Watch

function Watch:say(kind, fmt, ...)
  if self.said[kind] then return end
  self.said[kind] = true
  warn(fmt:format(...))
end

-- --- the data --------------------------------------------------------------------

local told = setmetatable({}, {__mode = "k"}) -- loaders

-- Classes without items, of a loader that can count them.
local function missing(dl, vocab)
  local names = {}
  local counts = dl and vocab and dl.counts and dl:counts()
  for k = 1, counts and #vocab or 0 do
    if counts[k] == 0 then names[#names + 1] = vocab[k] end
  end
  return names
end

local function list_text(names)
  local most = math.min(#names, 8)
  return table.concat(names, ", ", 1, most)
    .. (#names > most and (", ... (%d)"):format(#names) or "")
end

local sets = {{"train", "training"}, {"valid", "validation"}}

local function check_classes(self, dls)
  if told[dls] then return end
  told[dls] = true
  for _, set in ipairs(sets) do
    local names = missing(dls[set[1]], dls.vocab)
    if #names > 0 then
      self:say(set[1], "%d of %d classes have no item in the %s set: %s", #names,
        dls.c, set[2], list_text(names))
    end
  end
end

-- Is each image of one colour, in nearly all of this batch?
local function check_colours(self, x)
  if not core.is_tensor(x) or x:dim() ~= 4 or x:dtype() == "i32" then return end
  local flat = core.no_grad(core.scope, function()
    local spread = x:cast{dtype = "f32"}:std{2, 3}:max(2)
    return spread:lt(FLAT):cast{dtype = "f32"}:mean():item()
  end)
  if flat < 0.9 then return end
  self:say("colours", "%.0f %% of the images of the first batch are of one "
    .. "colour each: are these the right files? dls:show_batch() shows them",
    100 * flat)
end

-- --- the gradients ---------------------------------------------------------------

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  return sorted[#sorted // 2 + 1]
end

-- Norms far above the median of those before do not become part of it.
local function check_norm(self, learn)
  local norm, norms = learn.grad_norm, self.norms
  if not norm or norm ~= norm then return end
  if #norms >= FEW_NORMS and norm > EXPLODED * self.median then
    self.high = self.high + 1
    if self.high >= IN_ROW then
      self:say("norm", "gradients explode: their norm is %.3g, %.0f times its "
        .. "median, in epoch %d, batch %d; GradientClip(%.2g) or a smaller "
        .. "learning rate (now %.3g) helps", norm, norm / self.median,
        learn.epoch, learn.iter, 4 * self.median, learn.opt:get "lr")
    end
    return
  end
  self.high, self.seen = 0, self.seen + 1
  norms[(self.seen - 1) % NORMS + 1] = norm
  if self.seen % 10 == 0 then self.median = median(norms) end
end

-- --- the loss --------------------------------------------------------------------

-- Above which the loss must not stay: where it began, or that of guessing if
-- that is more (a trained network begins with less).
local function limit_of(self, learn)
  local chance = data_in.chance_loss(learn)
  local start = math.max(self.start, learn.start_loss or self.start)
  learn.start_loss = start
  if chance then return MARGIN * math.max(start, chance) end
  return start > 0 and 2 * start or math.huge
end

local function check_loss(self, learn)
  self.steps = self.steps + 1
  if self.steps <= FIRST then
    self.start = (self.start or 0) + learn.loss / FIRST
    return
  end
  self.limit = self.limit or limit_of(self, learn)
  local above = self.steps > SETTLED and learn.smooth_loss > self.limit
  self.above = above and self.above + 1 or 0
  if self.above < ABOVE then return end
  self:say("rate", "the loss has been above its start (%.3g) for %d steps and is "
    .. "%.3g in epoch %d, batch %d: the learning rate, %.3g, is too high; "
    .. "learn:lr_find() suggests one", self.limit / MARGIN, self.above,
    learn.smooth_loss, learn.epoch, learn.iter, learn.opt:get "lr")
end

-- --- the activations -------------------------------------------------------------

local function is_relu(m) return nn.is_module(m) and m:isa(nn.ReLU) end

local function ends_in_relu(m)
  return is_relu(m) or is_relu(m.act)
    or m:isa(nn.Sequential) and #m > 0 and is_relu(m[-1])
end

-- For nn.watch; the first that is found is the innermost.
local function look_at(self, learn, m, path, y)
  if self.said.dead or not core.is_tensor(y) or not ends_in_relu(m) then return end
  local zeros = core.scope(function()
    return 1 - y:ne(0):cast{dtype = "f32"}:mean():item()
  end)
  if zeros < DEAD then return end
  self:say("dead", "activations die: %.1f %% of the results of %s (%s) are zero "
    .. "in epoch %d; a smaller learning rate, or another initialisation, helps",
    100 * zeros, path or "the model", m.name, learn.epoch)
end

-- The first batch of each validation, where layers have results of their own
-- and statistics have settled.
local function looks(self, learn)
  return not learn.training and learn.iter == 1 and self.steps >= DEAD_AFTER
    and not self.said.dead
end

-- --- events ----------------------------------------------------------------------

function Watch:before_fit(learn) check_classes(self, learn.dls) end

function Watch:before_batch(learn)
  if not learn.training or self.begun then return end
  self.begun = true
  check_colours(self, learn.xb)
end

function Watch:after_step(learn) check_norm(self, learn) end

function Watch:after_batch(learn)
  if learn.training and learn.loss and learn.loss == learn.loss then
    check_loss(self, learn)
  end
end

--- Makes a fit be watched, unless spec.warnings is false.
---@param spec table for core.fit
function watch.install(spec)
  local wanted = spec.warnings
  spec.warnings = nil
  if not wanted then return end
  local self = setmetatable({said = {}, norms = {}, seen = 0, high = 0, steps = 0,
                             above = 0}, Watch)
  local forward = spec.forward
  function spec.forward(learn, x)
    if not looks(self, learn) then return forward(learn, x) end
    return nn.watch(function(m, path, y)
      return look_at(self, learn, m, path, y)
    end, forward, learn, x)
  end
  spec.cbs[#spec.cbs + 1] = self
end

return watch
