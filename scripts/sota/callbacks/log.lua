-- callbacks/log.lua -- CSVLogger, JSONLogger: the epoch table as a file.
local core = require "sota.core"
local check = require "sota.check"
local base = require "sota.callbacks.base"

--- CSVLogger(fname = "history.csv", {append = false}): a row for each epoch,
--- written at once, in the learner's folder (path) unless fname has one. The
--- loop writes it (engine/train/table.h); the learner's option `history` is
--- the same.
---@example learn:fit(1, {cbs = CSVLogger "history.csv"})
local CSVLogger = base.Callback{
  name = "CSVLogger", trial = false,
  options = {{"fname", "string", "history.csv"}, {"append", "boolean", false}},
}

function CSVLogger:configure(spec, learn)
  if spec.history then
    check.fail("CSVLogger: this fit already writes %s", spec.history)
  end
  spec.history = self.fname:find "/" and self.fname
    or learn.path .. "/" .. self.fname
  spec.history_append = self.append
end

--- JSONLogger(fname = "history.jsonl", {append = false}): a line of JSON for
--- each epoch, written at once: the table's columns and lr, the last learning
--- rate. What is not a number is null. Later fits of the same callback go on.
local JSONLogger = base.Callback{
  name = "JSONLogger", trial = false, order = 180,
  options = {
    {"fname", "string", "history.jsonl",
     help = "the file, in the learner's folder unless it names one"},
    {"append", "boolean", false, help = "keep what is in the file"},
  },
  help = "A line of JSON for each epoch: the columns of the table, and the "
    .. "learning rate. A callback.",
  example = 'Learner(dls, model, {cbs = JSONLogger "out/history.jsonl"})',
}

local function open(self, mode)
  local file, why = io.open(self.file, mode)
  if not file then check.fail("JSONLogger: cannot write %s", why) end
  return file
end

function JSONLogger:configure(_, learn)
  self.file = self.fname:find "/" and self.fname
    or learn.path .. "/" .. self.fname
  open(self, (self.append or self.begun) and "a" or "w"):close()
  self.begun, self.fitting = true, true
end

function JSONLogger:after_epoch(learn)
  if not self.fitting then return end
  local rows, line = learn.recorder.values, {lr = learn.opt:get "lr"}
  for name, v in pairs(rows[#rows]) do line[name] = v end
  local file <close> = open(self, "a")
  local ok, why = file:write(core.json.encode(line), "\n")
  if not ok then check.fail("JSONLogger: %s: %s", self.file, why) end
end

local function stop(self) self.fitting = false end
JSONLogger.after_fit, JSONLogger.after_abort = stop, stop

return {CSVLogger = CSVLogger, JSONLogger = JSONLogger}
