-- callbacks/report.lua -- Report: report.html, a page about a training run. It
-- is written when a fit begins and after each epoch, with what costs next to
-- nothing; when the fit is over the validation set is looked at once more, for
-- confusion, the worst images, answers. Later fits of the same learner
-- continue it.
local core = require "sota.core"
local check = require "sota.check"
local base = require "sota.callbacks.base"
local look = require "sota.callbacks.look"
local persist = require "sota.train.persist"

--- Report{fname = "report.html", title =, options =, n = 9, results = true}: in
--- the learner's folder (path) unless fname has one.
local Report = base.Callback{
  name = "Report", trial = false, order = 200,
  options = {
    {"fname", "string", "report.html", help = "the file"},
    {"title", "string", help = "the heading; the script's name unless given"},
    {"options", "table",
     help = "what the script was told: what sota.options gave"},
    {"n", "integer", 9, min = 1, max = 100, help = "images of each kind"},
    {"results", "boolean", true,
     help = "look at the validation set when a fit is over"},
  },
  help = "A page about the run, report.html: settings, epochs, curves, "
    .. "confusion, the worst images, classes, time, environment. A callback.",
  example = 'Learner(dls, model, {cbs = Report{fname = "out/report.html"}})',
}

local is_of_images, hold = look.is_of_images, look.hold

local MOST_CLASSES = 300 -- a larger matrix is no picture

-- --- facts --------------------------------------------------------------------

-- Text of a value: what is in a list, but no addresses.
local function value_text(v)
  if type(v) ~= "table" or (getmetatable(v) or {}).__tostring then
    return tostring(v)
  end
  local list = {}
  for i, item in ipairs(v) do list[i] = value_text(item) end
  return table.concat(list, ", ")
end

local function option_rows(options)
  local names, rows = {}, {}
  for name in pairs(options or {}) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    rows[i] = {"--" .. name:gsub("_", "-"), value_text(options[name])}
  end
  return rows
end

local function size_text(dl)
  if not is_of_images(dl) then return nil end
  local h, w = dl:size()
  return ("%d x %d"):format(h, w)
end

-- largest: of the learning rates so far.
local function setting_rows(learn, largest)
  local train, valid, rows = learn.dls.train, learn.dls.valid, {}
  local function add(name, v)
    if v ~= nil then rows[#rows + 1] = {name, value_text(v)} end
  end
  add("items", ("%d for training, %d for validation"):format(train:items(),
    valid and valid:items() or 0))
  add("classes", learn.dls.c)
  add("image size", size_text(train))
  add("batch size", train.bs)
  if is_of_images(train) then
    add("augmentation", (tostring(train.augment):gsub("\n", "; ")))
  end
  add("loss", learn.loss_func)
  add("optimiser", learn.opt_func)
  add("largest learning rate", largest and ("%.4g"):format(largest))
  add("weight decay", learn.wd)
  add("precision", learn.precision or core.get "precision")
  add("seed", core.get "seed")
  for i, cb in ipairs(learn.cbs) do
    if getmetatable(cb) ~= Report then
      add(i == 1 and "callbacks" or "", (getmetatable(cb) or {}).__tostring
        and cb or "a table of events")
    end
  end
  return rows
end

local function largest_of(list)
  local most
  for _, v in ipairs(list) do most = math.max(most or v, v) end
  return most
end

local function environment_rows()
  local found = core.found()
  local rows = {{"sota-lua", core.version}, {"Lua", found.lua},
                {"built with", found.compiler}}
  for _, d in ipairs(found.devices) do rows[#rows + 1] = {d.name, d.text} end
  rows[#rows + 1] = {"device", core.get "device"}
  rows[#rows + 1] = {"threads", core.get "threads"}
  rows[#rows + 1] = {"deterministic", tostring(core.get "deterministic")}
  for _, l in ipairs(found.libraries) do
    rows[#rows + 1] = {l.name, l.version or "missing"}
  end
  return rows
end

-- --- the record ---------------------------------------------------------------

local function new_record(self)
  local script = arg and arg[0] and arg[0]:match "[^/]*$"
  return {title = self.title or script or "Training", n_epoch = 0, times = {},
    notes = {}, options = option_rows(self.options), started = os.time(),
    recorder = setmetatable({values = {}, names = {}, losses = {}, lrs = {},
                             moms = {}, iters = {}}, core.recorder_meta)}
end

-- Runs f, a look at something that a run may not have. What went wrong is told
-- in the page: a training that went well does not fail by its report. Ctrl-C
-- and the like are no strings, and go on.
local function try(self, what, f)
  local ok, why = pcall(f)
  if ok then return end
  if type(why) ~= "string" then error(why, 0) end
  local notes = self.record.notes
  notes[#notes + 1] = ("%s: %s"):format(what, (why:gsub("^[^:]*:%d+: ", "")))
end

-- Raises "cannot write PATH: reason".
local function write(self)
  local r = self.record
  r.written = os.date "%Y-%m-%d %H:%M:%S"
  local ok, why = core.write_file(self.file, require "sota.draw.report"(r))
  if not ok then error(why, 0) end
end

-- The page of a later epoch holds all that this one would have.
local function try_to_write(self, learn)
  persist.try(self, learn, "Report", function() write(self) end)
end

local function state(self, text)
  self.record.state = ("%s; begun %s."):format(text,
    os.date("%Y-%m-%d %H:%M", self.record.started))
end

local function look_at_samples(self, learn)
  local r = self.record
  if core.draw.missing or not is_of_images(learn.dls.train) then return end
  if self.samples_of == learn.dls then return end
  self.samples_of = learn.dls
  try(self, "Training images", function()
    local held <close> = hold(learn, {quiet = true})
    r.samples = require "sota.draw.html".cells(learn:show_batch{n = self.n})
  end)
end

-- Rows and batches of another recorder (of an earlier process) go behind ours;
-- their times are not known.
local function append(self, from)
  local ours = self.record.recorder
  local epochs, batches = #ours.values, #ours.losses
  for _, series in ipairs{"losses", "lrs", "moms"} do
    table.move(from[series], 1, #from[series], #ours[series] + 1, ours[series])
  end
  for i, values in ipairs(from.values) do
    local row = {}
    for k, v in pairs(values) do row[k] = v end
    row.epoch = epochs + i
    ours.values[row.epoch], ours.iters[row.epoch] = row, batches + from.iters[i]
  end
end

-- --- events -------------------------------------------------------------------

local function folder_of(path) return path:match "^(.+)/[^/]*$" end

function Report:configure(spec, learn)
  self.record = self.record or new_record(self)
  self.file = self.fname:find "/" and self.fname
    or learn.path .. "/" .. self.fname
  if folder_of(self.file) then core.make_dirs(folder_of(self.file)) end
  local r = self.record
  r.settings, r.environment = setting_rows(learn), environment_rows()
  r.model_text = tostring(learn.model)
  r.model_line = ("%s, %d parameters"):format(r.model_text:match "^[^\n(]+",
    (learn.model:count()))
  self.before = {epochs = #r.recorder.values}
  self.spec = spec -- Checkpoint has not said yet whether this fit goes on
  self.fitting, self.planned = true, r.n_epoch + spec.n_epoch
  r.n_epoch = self.planned
  look_at_samples(self, learn)
  state(self, "Training has begun")
  if self.proved then return try_to_write(self, learn) end
  local ok, why = pcall(write, self)
  if not ok then check.fail("Report: %s", why) end
  self.proved = true
end

-- A fit that an earlier process had done: Checkpoint tells.
function Report:skipped_fit(learn)
  self.record = self.record or new_record(self)
  append(self, learn.recorder)
  self.record.recorder.names = learn.recorder.names
  self.record.n_epoch = self.record.n_epoch + #learn.recorder.values
end

function Report:before_fit(learn)
  local state = self.fitting and self.spec.start_state
  self.spec = nil
  if not state then return end
  local names = learn.recorder.names
  append(self, core.unpack_recorder(state.recorder, names))
  self.record.recorder.names = names
end

local clock = core.profile.clock

local function waited(learn)
  local dl = learn.dls.train
  return is_of_images(dl) and dl:waited() or 0
end

function Report:before_epoch(learn)
  if not self.fitting then return end
  self.watch = {start = clock(), waited = waited(learn), valid = 0, train = 0}
end

function Report:before_train() if self.watch then self.watch.from = clock() end end

function Report:after_train(learn)
  local w = self.watch
  if not w then return end
  w.wait = waited(learn) - w.waited
  w.train = math.max(0, clock() - w.from - w.wait)
end

function Report:before_validate()
  if self.watch then self.watch.from = clock() end
end

function Report:after_validate()
  if self.watch then self.watch.valid = clock() - self.watch.from end
end

function Report:after_batch(learn)
  if not (self.fitting and learn.training and learn.smooth_loss) then return end
  local recorder = self.record.recorder
  local n = #recorder.losses + 1
  recorder.losses[n], recorder.lrs[n] = learn.smooth_loss, learn.opt:get "lr"
  recorder.moms[n] = learn.opt:get "mom" or 0
end

local function note_time(self)
  local w = self.watch
  self.watch = nil
  if not w then return end
  local wait = w.wait or 0
  local all = clock() - w.start
  local times = self.record.times
  times[#times + 1] = {wait = wait, train = w.train, valid = w.valid,
    other = math.max(0, all - wait - w.train - w.valid)}
end

-- The rows that the loop's recorder has more than ours, and their time.
local function take_rows(self, learn)
  local ours, rows = self.record.recorder, learn.recorder.values
  ours.names = learn.recorder.names
  for i = #ours.values - self.before.epochs + 1, #rows do
    local row = {}
    for k, v in pairs(rows[i]) do row[k] = v end
    row.epoch = self.before.epochs + i
    ours.values[row.epoch], ours.iters[row.epoch] = row, #ours.losses
    note_time(self)
  end
end

function Report:after_epoch(learn)
  if not self.fitting then return end
  take_rows(self, learn)
  local done = #self.record.recorder.values
  state(self, ("Training: %d of %d epochs are complete"):format(done,
    self.planned))
  try_to_write(self, learn)
end

-- --- the end ------------------------------------------------------------------

local function read_confusion(interp)
  local c = {counts = {}, names = {}, classes = interp.confusion:classes(),
             most_confused = interp:most_confused(1)}
  local matrix <close> = interp:confusion_matrix()
  c.counts = matrix:totable()
  for k = 1, #c.counts do
    c.names[k] = tostring(interp.vocab and interp.vocab[k] or k)
  end
  if #c.counts <= MOST_CLASSES and not core.draw.missing then
    c.png = interp:plot_confusion_matrix().canvas:png(1)
  end
  return c
end

local function close(interp)
  for _, key in ipairs{"preds", "targs", "losses"} do
    if interp[key] then interp[key]:close() end
  end
end

local function look_at_results(self, learn)
  local r, dl = self.record, learn.dls.valid
  if not (self.results and dl) then return end
  local held <close> = hold(learn, {})
  try(self, "Confusion", function()
    local interp = require "sota.interpretation".from_learner(learn)
    local closing <close> = setmetatable({}, {__close = function()
      close(interp)
    end})
    r.confusion = read_confusion(interp)
    if core.draw.missing or not is_of_images(dl) then return end
    try(self, "Top losses", function()
      r.top_losses = require "sota.draw.html".cells(
        interp:plot_top_losses(self.n))
    end)
  end)
  if core.draw.missing or not is_of_images(dl) then return end
  try(self, "Answers", function()
    r.answers = require "sota.draw.html".cells(learn:show_results{n = self.n})
  end)
end

local function finish(self, learn, text)
  self.fitting, self.watch = false, nil
  local r = self.record
  r.n_epoch = #r.recorder.values
  state(self, text:format(r.n_epoch))
  r.settings = setting_rows(learn, largest_of(r.recorder.lrs))
  try_to_write(self, learn)
end

function Report:after_fit(learn)
  if not self.fitting then return end
  self.fitting, self.record.notes = false, {}
  if core.draw.missing then
    self.record.notes[1] = "pictures: sota-lua was built without Cairo and "
      .. "Pango"
  end
  take_rows(self, learn)
  if #self.record.recorder.values > 0 then look_at_results(self, learn) end
  local done = #self.record.recorder.values
  finish(self, learn, done < self.planned
    and "Ended early, after %d of " .. self.planned .. " epochs"
    or "Complete: %d epochs")
end

function Report:after_abort(learn)
  if not self.fitting then return end
  take_rows(self, learn)
  finish(self, learn, "Broken off by an error or by Ctrl-C after %d epochs")
end

return {Report = Report}
