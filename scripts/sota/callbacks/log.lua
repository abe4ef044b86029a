-- callbacks/log.lua -- CSVLogger, JSONLogger: the epoch table as a file.
local core = require "sota.core"
local check = require "sota.check"
local base = require "sota.callbacks.base"
local persist = require "sota.train.persist"

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
  name = "JSONLogger", trial = false, order = 80, state = {"text"},
  options = {
    {"fname", "string", "history.jsonl",
     help = "the file, in the learner's folder unless it names one"},
    {"append", "boolean", false, help = "keep what is in the file"},
  },
  help = "A line of JSON for each epoch: the columns of the table, and the "
    .. "learning rate. A callback.",
  example = 'Learner(dls, model, {cbs = JSONLogger "out/history.jsonl"})',
}

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a" or ""
end

-- All lines so far: they are few, and a file written whole has no half of one.
local function write(self)
  if self.on_disk == self.text then return end
  local ok, why = core.write_file(self.file, self.text)
  if not ok then error(why, 0) end
  self.on_disk = self.text
end

local function try_to_write(self, learn)
  persist.try(self, learn, "JSONLogger", function() write(self) end)
end

-- That it cannot be written is an error before the first epoch, and later none.
function JSONLogger:configure(_, learn)
  self.file = self.fname:find "/" and self.fname
    or learn.path .. "/" .. self.fname
  self.text = self.text or self.append and read(self.file) or ""
  self.on_disk = nil
  self.fitting = true
  if self.proved then return try_to_write(self, learn) end
  local ok, why = pcall(write, self)
  if not ok then check.fail("JSONLogger: %s", why) end
  self.proved = true
end

-- A run that goes on has the lines from its checkpoint.
function JSONLogger:before_epoch(learn)
  if self.fitting then try_to_write(self, learn) end
end

function JSONLogger:after_epoch(learn)
  if not self.fitting then return end
  local rows, line = learn.recorder.values, {lr = learn.opt:get "lr"}
  for name, v in pairs(rows[#rows]) do line[name] = v end
  self.text = self.text .. core.json.encode(line) .. "\n"
  try_to_write(self, learn)
end

-- The last lines: no epoch follows with which they could be written.
function JSONLogger:after_fit(learn)
  if not self.fitting then return end
  self.fitting = false
  if persist.insist(learn, "JSONLogger", function() write(self) end) then
    self.failing = nil
  end
end

function JSONLogger:after_abort(learn)
  if self.fitting then try_to_write(self, learn) end
  self.fitting = false
end

return {CSVLogger = CSVLogger, JSONLogger = JSONLogger}
