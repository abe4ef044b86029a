-- callbacks/tracker.lua -- what looks at a column of the epoch table after each
-- epoch: EarlyStopping, SaveModel, ReduceLROnPlateau.
local core = require "sota.core"
local check = require "sota.check"
local base = require "sota.callbacks.base"
local model_file = require "sota.model_file"
local persist = require "sota.train.persist"

local MODES = {"auto", "min", "max"}

-- Their common part. self.new_best says whether this epoch's value is better
-- than all before, by more than min_delta.
local Tracker = {}

-- Is a smaller value better?
local function falls(self)
  if self.mode ~= "auto" then return self.mode == "min" end
  return self.monitor:find "loss" ~= nil or self.monitor:find "error" ~= nil
end

function Tracker:configure(_, learn)
  self.fitting = true
  if self.reset_on_fit or not self.best then
    self.best = falls(self) and math.huge or -math.huge
    self.best_epoch = nil
  end
  self.wait = 0
  if self.prepare then self:prepare(learn) end
end

-- This epoch's value of the column.
local function monitored(self, learn)
  local rows = learn.recorder.values
  local row = rows[#rows]
  local v = row[self.monitor]
  if v then return v end
  local columns = {"train_loss", "valid_loss"}
  for _, name in ipairs(learn.recorder.names) do
    columns[#columns + 1] = name
  end
  if not row.valid_loss then
    check.fail("%s: '%s' was not measured: there is no validation set",
      self.name, self.monitor)
  end
  check.fail("%s: there is no column '%s' to monitor%s; there are %s",
    self.name, self.monitor, check.did_you_mean(self.monitor, columns),
    table.concat(columns, ", "))
end

function Tracker:look(learn)
  local v, slack = monitored(self, learn), math.abs(self.min_delta)
  if falls(self) then
    self.new_best = v + slack < self.best
  else
    self.new_best = v - slack > self.best
  end
  if self.new_best then self.best, self.best_epoch = v, learn.epoch end
  self.wait = self.new_best and 0 or self.wait + 1
end

-- Validation on its own (learn:validate()) has these events too.
local function when_fitting(f)
  return function(self, learn) if self.fitting then f(self, learn) end end
end

local function say(learn, fmt, ...)
  if not learn.quiet then print(fmt:format(...)) end
end

local function stop(self) self.fitting = false end

-- A class of callbacks with the options of all trackers, then its own.
local function tracker(class)
  class.trial, class.state = false, {"best", "best_epoch", "wait"}
  local options = {
    {"monitor", "string", "valid_loss"}, table.unpack(class.options),
  }
  options[#options + 1] = {"min_delta", "number", 0}
  options[#options + 1] = {"mode", "string", "auto", choices = MODES}
  options[#options + 1] = {"reset_on_fit", "boolean", true}
  class.options = options
  for name, method in pairs(Tracker) do class[name] = class[name] or method end
  local after_epoch, after_fit = class.after_epoch, class.after_fit or stop
  class.after_epoch = when_fitting(function(self, learn)
    self:look(learn)
    after_epoch(self, learn)
  end)
  class.after_fit = when_fitting(function(self, learn)
    self.fitting = false
    after_fit(self, learn)
  end)
  class.after_abort = stop
  return base.Callback(class)
end

local trackers = {}

--- EarlyStopping(monitor = "valid_loss", patience = 1, {min_delta = 0, mode =
--- "auto", reset_on_fit = true}): ends the fit when there was no new best for
--- patience epochs. Smaller is better for names with loss or error in them
--- (mode "min"), larger for others ("max").
---@example learn:fit(2, {cbs = EarlyStopping{monitor = "valid_loss", patience = 2}})
trackers.EarlyStopping = tracker{
  name = "EarlyStopping", order = 63,
  options = {{"patience", "integer", 1, min = 1}},
  after_epoch = function(self, learn)
    if self.wait < self.patience then return end
    say(learn, "No improvement since epoch %d: early stopping",
      learn.epoch - self.wait)
    error(core.cancel.fit)
  end,
}

--- ReduceLROnPlateau(monitor = "valid_loss", patience = 1, {factor = 10, min_lr
--- = 0, ...}): divides every group's learning rate when there was no new best
--- for patience epochs. For fit: schedules such as fit_one_cycle's set the rate
--- themselves.
---@example learn:fit(1, {cbs = ReduceLROnPlateau{patience = 1}})
trackers.ReduceLROnPlateau = tracker{
  name = "ReduceLROnPlateau", order = 62,
  options = {{"patience", "integer", 1, min = 1},
             {"factor", "number", 10, min = 1},
             {"min_lr", "number", 0, min = 0}},
  after_epoch = function(self, learn)
    if self.wait < self.patience then return end
    self.wait = 0
    local opt, list = learn.opt, {}
    local before = opt:get "lr"
    for g = 1, opt:groups() do
      list[g] = math.max(opt:get("lr", g) / self.factor, self.min_lr)
    end
    opt:set("lr", list)
    if list[#list] < before then
      say(learn, "Epoch %d: reducing lr to %g", learn.epoch, list[#list])
    end
  end,
}

-- What was validated is what is saved: the averages, if there are any.
local function with_averages(learn, f)
  if learn.ema then learn.ema:applied(f) else f() end
end

-- A model that could not be written is kept in memory until it can be; a later
-- one of the same name takes its place.
local function forget(self, name)
  local owed = self.owed and self.owed[name]
  if owed then owed:close() end
  if self.owed then self.owed[name] = nil end
end

local function pay(self, learn)
  for name, model in pairs(self.owed or {}) do
    if persist.try(self, learn, "SaveModel", function() model:write() end) then
      forget(self, name)
    end
  end
end

local function save(self, learn, name)
  forget(self, name)
  with_averages(learn, function()
    local written = persist.try(self, learn, "SaveModel", function()
      self.file = learn:save(name)
    end)
    if written then return end
    self.owed = self.owed or {}
    self.owed[name], self.file = model_file.keep(learn,
      model_file.path_of(learn, name))
  end)
end

-- The end: waits for those that are owed.
local function pay_all(self, learn)
  for name, model in pairs(self.owed or {}) do
    persist.insist(learn, "SaveModel", function() model:write() end)
    forget(self, name)
  end
end

local function save_best(self, learn)
  if not self.new_best then return end
  say(learn, "Better model found at epoch %d with %s value: %.6f.", learn.epoch,
    self.monitor, self.best)
  save(self, learn, self.fname)
end

--- SaveModel(monitor = "valid_loss", fname = "model", {every_epoch = false,
--- at_end = false, ...}): saves the model at each new best, and loads the best
--- one when the fit is over. every_epoch = k saves fname_<epoch> every k epochs
--- instead (true: each), at_end = true the last state as fname.
---@example learn:fit(1, {cbs = SaveModel{monitor = "valid_loss"}})
trackers.SaveModel = tracker{
  name = "SaveModel", order = 61,
  options = {{"fname", "string", "model"},
             {"every_epoch", "boolean|integer", false, min = 1},
             {"at_end", "boolean", false}},
  prepare = function(self)
    self.every = self.every_epoch == true and 1 or self.every_epoch
  end,
  after_epoch = function(self, learn)
    pay(self, learn)
    if self.every then
      if learn.epoch % self.every ~= 0 then return end
      save(self, learn, ("%s_%d"):format(self.fname, learn.epoch))
    else
      save_best(self, learn)
    end
  end,
  after_fit = function(self, learn)
    if self.at_end then save(self, learn, self.fname) end
    pay_all(self, learn)
    if not self.at_end and not self.every and self.best_epoch then
      learn:load(self.fname)
    end
  end,
}

trackers.EarlyStoppingCallback = trackers.EarlyStopping
trackers.SaveModelCallback = trackers.SaveModel

return trackers
