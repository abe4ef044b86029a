-- callbacks/checkpoint.lua -- Checkpoint: nothing is lost when a training ends
-- before its time; the same script, run again, goes on where it was.
--
-- A script may call fit several times (fine_tune does it twice). Its fits are
-- numbered; in the folder are
--   fit1.safetensors                     the end of the first: done
--   fit2-000003-00000120.safetensors     the second, in epoch 3 after 120 batches
-- A fit that is done is not run again: its end is read. One that is under way
-- goes on from its newest file that is whole.
local core = require "sota.core"
local check = require "sota.check"
local base = require "sota.callbacks.base"
local persist = require "sota.train.persist"
local run_state = require "sota.train.run_state"

local FIRST_PAUSE, LONGEST_PAUSE = 30, 600 -- seconds, after a failed write

local Checkpoint = base.Callback{
  name = "Checkpoint", order = 95, trial = false,
  options = {
    {"folder", "string", "checkpoint"}, {"every", "string", "5min"},
    {"keep", "integer", 3, min = 1}, {"resume", "boolean", true},
    {"settings", "table"},
  },
}

local units = {s = 1, sec = 1, min = 60, h = 3600}

-- "5min" -> seconds; "100 batches" -> nil, batches; "epoch" -> nil, nil
local function parse_every(text)
  local n, unit = text:match "^%s*([%d.]*)%s*(%a+)%s*$"
  n = tonumber(n) or 1
  if unit and units[unit] then return n * units[unit] end
  if unit == "batches" or unit == "batch" then return nil, math.floor(n) end
  if unit == "epoch" and n == 1 then return nil, nil end
  check.fail("Checkpoint: every = '%s'; it wants a time such as '5min', '30s' "
    .. "or '1h', a number of batches such as '100 batches', or 'epoch'", text)
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- Where an earlier run goes, so that nothing of it is lost.
local function move_aside(folder)
  local k = 1
  while core.list_dir(folder .. "." .. k) do k = k + 1 end
  assert(os.rename(folder, folder .. "." .. k))
  return folder .. "." .. k
end

--- Checkpoint(folder = "checkpoint", {every = "5min", keep = 3, resume = true,
--- settings}): writes the whole state of a training to files, and goes on from
--- them when the script runs again. every: a time, "100 batches" or "epoch".
--- keep: how many files of a fit that is under way. resume = false: begins
--- anew; what was in the folder is moved aside. settings: a table (those of the
--- script) that must be the same when it goes on. :finish() at the end of the
--- script removes the files.
---@example learn:fit(1, {cbs = Checkpoint{folder = "checkpoint", every = "5min"}})
function Checkpoint:init()
  self.seconds, self.batches = parse_every(self.every)
  self.fits, self.pause = 0, FIRST_PAUSE
end

local say, reason = persist.say, persist.reason

-- --- is it the same run? ---------------------------------------------------------

local function text_of(v)
  if type(v) ~= "table" then return tostring(v) end
  return core.json.encode(v)
end

-- Options of scripts that change no bits.
local free = {resume = true, workers = true, out = true, report = true}

-- What must be the same for the bits to be the same: name -> text.
local function setup_of(self, learn, n_epoch)
  local dl, setup = learn.dls.train, {}
  local function set(name, value) setup[name] = text_of(value) end
  set("n_epoch", n_epoch)
  set("bs", dl.bs)
  set("seed", dl.seed or core.get "seed")
  set("items", dl.items and dl:items() or #dl)
  set("size", dl.size and {dl:size()} or {})
  set("parameters", (learn.model:count()))
  set("loss_func", learn.loss_func)
  set("opt", learn.opt:state().kind)
  set("precision", learn.precision or core.get "precision")
  for name, value in pairs(self.settings or {}) do
    if not free[name] then set("option " .. name, value) end
  end
  return setup
end

local function check_setup(path, stored, setup)
  local names = {}
  for name in pairs(setup) do names[#names + 1] = name end
  for name in pairs(stored) do
    if setup[name] == nil then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if stored[name] ~= setup[name] then
      check.fail("Checkpoint: %s was written with %s = %s, this run has %s; run "
        .. "it with the same options to go on, or with resume = false "
        .. "(--no-resume) to begin anew", path, name, tostring(stored[name]),
        tostring(setup[name]))
    end
  end
end

-- --- files ------------------------------------------------------------------------

-- Files of fit k that is under way, the newest last; nil where the folder
-- cannot be read.
local function under_way(self, k)
  local list, names = {}, core.list_dir(self.folder)
  if not names then return nil end
  for _, name in ipairs(names) do
    if name:match("^fit" .. k .. "%-%d+%-%d+%.safetensors$") then
      list[#list + 1] = self.folder .. "/" .. name
    end
  end
  return list
end

local function done_file(self, k)
  return ("%s/fit%d.safetensors"):format(self.folder, k)
end

local function remove_all(list, but)
  for i = 1, #(list or {}) - (but or 0) do os.remove(list[i]) end
end

-- Reads one file. If it is of no use: nil, a word to the user, and another name
-- for it, so that it does not count as one of those that are kept.
local function try_to_read(learn, path)
  local ok, s = pcall(run_state.read, path)
  if ok then return s end
  say(learn, "checkpoint: %s cannot be used, trying the one before (%s)", path,
    reason(s))
  os.rename(path, path .. ".damaged")
end

local function newest(self, learn, k)
  local list = under_way(self, k)
  if not list then
    check.fail("Checkpoint: the folder %s cannot be read", self.folder)
  end
  for i = #list, 1, -1 do
    local s = try_to_read(learn, list[i])
    if s then return s, list[i] end
  end
end

-- --- going on ---------------------------------------------------------------------

-- By folder: a process that trains in it keeps others out.
local locks = {}

-- A process that was killed while it wrote leaves half a file behind. Whoever
-- has the lock is alone here.
local function remove_halves(folder)
  for _, name in ipairs(core.list_dir(folder) or {}) do
    if name:find "%.%d+%-%d+%.tmp$" then os.remove(folder .. "/" .. name) end
  end
end

local function lock(folder)
  core.make_dirs(folder)
  if locks[folder] and exists(folder .. "/lock") then return end
  locks[folder] = core.lock(folder .. "/lock")
  if not locks[folder] then
    check.fail("Checkpoint: another process is training in %s; wait for it, or "
      .. "take another folder", folder)
  end
end

local function unlock(folder)
  if locks[folder] then locks[folder]:close() end
  locks[folder] = nil
  os.remove(folder .. "/lock")
end

-- A power cut may undo some of these removals and not others, and a later fit's
-- file must not be read without those before: the mark goes last, when the
-- folder has been synced without the others.
local FINISHED = "finished"

local function remove_run(folder)
  for _, name in ipairs(core.list_dir(folder) or {}) do
    if name:find "^fit%d+.*%.safetensors" then os.remove(folder .. "/" .. name) end
  end
  core.write_file(folder .. "/" .. FINISHED, "")
  os.remove(folder .. "/" .. FINISHED)
end

-- The first fit: the folder, and an earlier run that is not wanted.
local function open_folder(self)
  lock(self.folder)
  remove_halves(self.folder)
  if exists(self.folder .. "/" .. FINISHED) then remove_run(self.folder) end
  if self.resume or #core.list_dir(self.folder) < 2 then return end
  unlock(self.folder)
  local where = move_aside(self.folder)
  io.stderr:write(("checkpoint: the earlier run is now in %s\n"):format(where))
  lock(self.folder)
end

--- The learner calls it when a fit begins. True: that fit had been done.
function Checkpoint:resume_fit(learn, n_epoch)
  if self.fits == 0 then open_folder(self) end
  self.fits = self.fits + 1
  self.setup = setup_of(self, learn, n_epoch)
  local done = done_file(self, self.fits)
  local s = exists(done) and try_to_read(learn, done) or nil
  local path = done
  if not s then s, path = newest(self, learn, self.fits) end
  self.pending = s
  if not s then return false end
  check_setup(path, s.meta.setup, self.setup)
  run_state.restore(learn, s)
  learn.epochs_done = s.meta.base
  if not s.meta.done then
    say(learn, "checkpoint: going on from %s (epoch %d, batch %d)", path,
      s.meta.epoch, s.meta.iter)
    return false
  end
  say(learn, "checkpoint: fit %d is done, read from %s", self.fits, path)
  self:skip(learn, s)
  return true
end

-- A fit that was done: the learner becomes what it was at its end.
function Checkpoint:skip(learn, s)
  learn.epochs_done = s.meta.base + s.meta.epochs
  learn.recorder = core.unpack_recorder(s.tensors.recorder, s.meta.metrics)
  run_state.restore_fields(learn.cbs, s)
  run_state.restore_history(learn.history, s.meta.history)
  learn.history_begun = learn.history ~= nil
  for _, cb in ipairs(learn.cbs) do
    if cb.skipped_fit then cb:skipped_fit(learn) end
  end
  run_state.close(s)
  self.pending = nil
end

local function guard(self)
  return {name = "CheckpointGuard", order = -1000, after_abort = function(_, learn)
    if learn.interrupted then self:interrupted(learn) end
  end}
end

--- The learner calls it when all callbacks are configured.
function Checkpoint:begin(spec, learn)
  self.cbs, self.base = {}, learn.epochs_done
  table.move(spec.cbs, 1, #spec.cbs, 1, self.cbs)
  spec.cbs[#spec.cbs + 1] = guard(self)
  self.metrics = {}
  for i, m in ipairs(spec.metrics) do self.metrics[i] = m[1] end
  self.at = {epoch = 1, iter = 0}
  local s = self.pending
  if not s then return end
  self.at = {epoch = s.meta.epoch, iter = s.meta.iter}
  spec.start_epoch, spec.start_iter = s.meta.epoch - 1, s.meta.iter
  spec.start_state = {recorder = s.tensors.recorder, seconds = s.meta.seconds}
  run_state.restore_history(spec.history, s.meta.history)
  spec.history_append = spec.history_append or s.meta.history ~= nil
end

-- --- writing ----------------------------------------------------------------------

function Checkpoint:write(learn, path, done)
  local s = run_state.gather(learn, {cbs = self.cbs, base = self.base,
    meta = {fit = self.fits, epoch = self.at.epoch,
      iter = self.at.iter, done = done, setup = self.setup,
      epochs = #learn.recorder.values, metrics = self.metrics}})
  run_state.write(path, s)
end

-- Writes where the fit is; errors are raised.
local function save(self, learn)
  local path = ("%s/fit%d-%06d-%08d.safetensors"):format(self.folder, self.fits,
    self.at.epoch, self.at.iter)
  self:write(learn, path, false)
  remove_all(under_way(self, self.fits), self.keep)
  self.last, self.written, self.since = path, core.profile.clock(), 0
end

-- After a failure the next try is later and later.
local function try_to_save(self, learn)
  local hint = ("; the last one is %s"):format(self.last or "none")
  if persist.try(self, learn, "checkpoint", function() save(self, learn) end,
                 hint) then
    self.pause = FIRST_PAUSE
    return
  end
  self.again = core.profile.clock() + self.pause
  self.pause = math.min(2 * self.pause, LONGEST_PAUSE)
end

local function is_time(self, at_epoch)
  if self.failing then return core.profile.clock() >= self.again end
  if self.seconds then
    return core.profile.clock() - self.written >= self.seconds
  end
  if self.batches then return self.since >= self.batches end
  return at_epoch
end

-- The script's first file proves, before hours are spent, that there is room
-- and that it may be written: a failure ends the fit.
function Checkpoint:before_fit(learn)
  if not self.at then return end -- validation on its own
  if self.pending then
    run_state.restore_callbacks(learn, self.cbs, self.pending)
    self.restored = self.pending
    self.pending = nil
  end
  if self.last then return try_to_save(self, learn) end
  save(self, learn)
end

function Checkpoint:before_epoch()
  if not self.restored then return end
  run_state.close(self.restored)
  self.restored = nil
end

function Checkpoint:after_batch(learn)
  if not self.at or not learn.training then return end
  self.at = {epoch = learn.epoch, iter = learn.iter}
  self.since = self.since + 1
  if is_time(self, false) then try_to_save(self, learn) end
end

function Checkpoint:after_epoch(learn)
  if not self.at then return end
  self.at = {epoch = learn.epoch + 1, iter = 0}
  if is_time(self, true) then try_to_save(self, learn) end
end

function Checkpoint:interrupted(learn)
  local ok, why = pcall(save, self, learn)
  if ok then
    say(learn, "checkpoint: %s is written; run the same command again to go on",
      self.last)
  else
    say(learn, "checkpoint: %s; the last one is %s", reason(why),
      self.last or "none")
  end
end

-- True: the end of this fit is written.
local function write_end(self, learn)
  local path = done_file(self, self.fits)
  return persist.insist(learn, "checkpoint", function()
    self:write(learn, path, true)
  end)
end

function Checkpoint:after_fit(learn)
  if not self.at then return end
  self.at = {epoch = learn.n_epoch + 1, iter = 0}
  if write_end(self, learn) then remove_all(under_way(self, self.fits)) end
  self.at = nil
end

function Checkpoint:after_abort() self.at = nil end

--- The script has what it wanted: the files go, so that it begins anew when it
--- runs again.
function Checkpoint:finish()
  core.write_file(self.folder .. "/" .. FINISHED, "")
  remove_run(self.folder)
  unlock(self.folder)
  os.remove(self.folder)
end

return {Checkpoint = Checkpoint}
