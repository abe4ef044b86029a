-- callbacks/tensorboard.lua -- TensorBoard: what its web page shows of a run.
--
--   Learner(dls, model, {cbs = TensorBoard{folder = "runs/first"}})
--   tensorboard --logdir runs
--
-- Each training batch: batch/loss, batch/smooth_loss, batch/lr, batch/mom. Each
-- epoch: its row of the table, as epoch/<column>. Images: a training batch as
-- the model sees it, when a fit begins; answers, when it is over.
local core = require "sota.core"
local base = require "sota.callbacks.base"
local EventFile = require "sota.event_file"
local look = require "sota.callbacks.look"
local persist = require "sota.train.persist"

local TensorBoard = base.Callback{
  name = "TensorBoard", trial = false, order = 190,
  options = {
    {"folder", "string", "runs",
     help = "where the event file goes; one of its own for each run"},
    {"every", "integer", 1, min = 1, help = "batches between two points"},
    {"n", "integer", 9, min = 0, max = 100, help = "images; 0: none"},
    {"histograms", "boolean", false,
     help = "of each parameter, after each epoch"},
  },
  help = "Writes an event file for TensorBoard: losses, rates, metrics, images, "
    .. "histograms. A callback.",
  example = 'Learner(dls, model, {cbs = TensorBoard{folder = "runs/first"}})',
}

local function show(self, learn, tag, method)
  if self.n == 0 or core.draw.missing then return end
  local dl = learn.dls[method == "show_batch" and "train" or "valid"]
  if not look.is_of_images(dl) then return end
  local held <close> = look.hold(learn, {quiet = true})
  self.events:picture(tag, learn[method](learn, {n = self.n}), self.epochs)
end

local function flush(self, learn)
  persist.try(self, learn, "TensorBoard", function() self.events:flush() end)
end

-- Later fits of the same learner go on in the same file.
function TensorBoard:configure(_, learn)
  self.events = self.events or EventFile.open(self.folder)
  self.steps, self.epochs = self.steps or 0, self.epochs or 0
  self.fitting = true
  show(self, learn, "training batch", "show_batch")
  flush(self, learn)
end

function TensorBoard:after_batch(learn)
  if not (self.fitting and learn.training and learn.loss) then return end
  self.steps = self.steps + 1
  if self.steps % self.every ~= 0 then return end
  local events, step = self.events, self.steps
  events:scalar("batch/loss", learn.loss, step)
  events:scalar("batch/smooth_loss", learn.smooth_loss, step)
  events:scalar("batch/lr", learn.opt:get "lr", step)
  events:scalar("batch/mom", learn.opt:get "mom" or 0, step)
end

function TensorBoard:after_epoch(learn)
  if not self.fitting then return end
  self.epochs = self.epochs + 1
  local rows = learn.recorder.values
  for name, v in pairs(rows[#rows]) do
    if type(v) == "number" and name ~= "epoch" then
      self.events:scalar("epoch/" .. name, v, self.epochs)
    end
  end
  if self.histograms then
    for name, t in learn.model:named_parameters() do
      self.events:histogram_of("parameters/" .. name, t, self.epochs)
    end
  end
  flush(self, learn)
end

function TensorBoard:after_fit(learn)
  if not self.fitting then return end
  self.fitting = false
  if learn.dls.valid and self.epochs > 0 then
    show(self, learn, "answers", "show_results")
  end
  flush(self, learn)
end

function TensorBoard:after_abort(learn)
  if not self.fitting then return end
  self.fitting = false
  flush(self, learn)
end

return {TensorBoard = TensorBoard}
