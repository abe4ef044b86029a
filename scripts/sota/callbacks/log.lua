-- callbacks/log.lua -- CSVLogger: the epoch table as a file.
local check = require "sota.check"
local base = require "sota.callbacks.base"

--- CSVLogger(fname = "history.csv", {append = false}): a row for each epoch,
--- written at once, in the learner's folder (path) unless fname has one. The
--- loop writes it (engine/train/table.h); the learner's option `history` is
--- the same.
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

return {CSVLogger = CSVLogger}
