-- learner.lua -- Learner: data, a model, a loss and an optimiser, and the ways
-- to train and to use them. The loop itself is C (core.fit).
local autocast = require "sota.autocast"
local core = require "sota.core"
local callbacks = require "sota.callbacks.base"
local cat_rows = require "sota.cat_rows"
local check = require "sota.check"
local data_in = require "sota.data_in"
local losses = require "sota.losses"
local metrics = require "sota.metrics"
local optim = require "sota.optim"
local model_file = require "sota.model_file"
local groups = require "sota.train.groups"
local guard = require "sota.train.guard"
local labels = require "sota.train.labels"
local rates = require "sota.train.rates"
local room = require "sota.train.room"
local watch = require "sota.train.watch"

local Learner = {}
Learner.__name = "Learner"

-- learn.dls is checked when it is set, so it lies under another name. What the
-- loop sets during fit is nil before.
function Learner.__index(self, key)
  if key == "dls" then return rawget(self, "loaders") end
  return Learner[key]
end

function Learner.__newindex(self, key, value)
  if key == "dls" then
    data_in.check_loaders(value, "learn.dls")
    data_in.check_classes(self.dls, value)
    key, self.outputs_checked = "loaders", nil
  end
  rawset(self, key, value)
end

local arguments = check.spec("Learner", {
  {"loss_func", "any"}, {"opt_func", "any"}, {"lr", "rate", 1e-3},
  {"metrics", "any"}, {"cbs", "any"}, {"wd", "number", min = 0},
  {"wd_bn_bias", "boolean", false}, {"moms", "table", {0.95, 0.85, 0.95}},
  {"path", "string", "."}, {"model_dir", "string", "models"},
  {"quiet", "boolean", false}, {"history", "string"},
  {"splitter", "callable"}, {"train_bn", "boolean", true},
  {"precision", "string", choices = {"f32", "bf16"}},
  {"nan", "string", "stop", choices = guard.modes},
  {"warnings", "boolean", true},
})

local function check_precision(precision)
  if precision == "bf16" and not core.can_bf16() then
    check.fail "precision: this processor has no bf16 arithmetic; use f32"
  end
  return precision
end

local function metric_list(v)
  local list = {}
  if v == nil then return list end
  local stateful = type(v) == "table" and v.accumulate
  if type(v) == "function" or stateful then v = {v} end
  if type(v) ~= "table" then
    check.fail("metrics: a function (preds, targs) or a list of them, not %s",
      check.describe(v))
  end
  for i, m in ipairs(v) do
    if type(m) ~= "function" and not (type(m) == "table" and m.accumulate) then
      check.fail("metrics: item %d is %s, not a function (preds, targs)", i,
        check.describe(m))
    end
    list[i] = {type(m) == "table" and m.name or metrics.name_of(m), m}
  end
  return list
end

--- Data, a model, a loss and an optimiser together, and the ways to train and to
--- use them.
---@param dls DataLoaders
---@param model module
---@class LearnerOptions
---@field loss_func? any CrossEntropyLossFlat(), or BCE for several labels
---@field opt_func? any Adam
---@field lr? any 1e-3: what fit uses unless told; number, slice or list
---@field metrics? any a function (preds, targs), or a list
---@field cbs? any a callback, or a list
---@field wd? number weight decay; the optimiser's own unless given
---@field wd_bn_bias? boolean decay norms and biases too
---@field moms? number[] {0.95, 0.85, 0.95}: of the one-cycle schedule
---@field path? string where models/ goes
---@field history? string file name of history.csv: begun by the first fit, continued by the others
---@field quiet? boolean no table, no progress line
---@field splitter? function model -> list of parameter groups: train/groups.lua
---@field train_bn? boolean true: norm layers of frozen groups are trained
---@field precision? string "f32" or "bf16"; sota.get "precision" unless given
---@field nan? string "stop": what is done when a loss or gradient is not finite; "skip" leaves the batch out, "off" does not look
---@field warnings? boolean true: a line when training goes wrong, train/watch.lua
---@example Learner(dls, xresnet18{n_out = dls.c}, {metrics = accuracy})
local function new(_, dls, model, options)
  local a = arguments(options or {})
  data_in.check_loaders(dls, "Learner: the first argument")
  if type(model) ~= "table" or not model.is_module then
    check.fail("Learner: the second argument must be a model such as "
      .. "xresnet18{n_out = dls.c}, not %s", check.describe(model))
  end
  a.loaders, a.model = dls, model
  check_precision(a.precision)
  a.metrics, a.cbs = metric_list(a.metrics), callbacks.flatten(a.cbs, {})
  a.opt_func = a.opt_func or optim.Adam
  optim.check(a.opt_func)
  a.loss_func = losses.resolve(a.loss_func or (dls.train.multi
    and losses.BCEWithLogitsLossFlat or losses.CrossEntropyLossFlat))
  a.epochs_done = 0
  return setmetatable(a, Learner)
end

setmetatable(Learner, {__call = new})

-- --- training ----------------------------------------------------------------

--- Makes the optimiser anew: moments forgotten.
---@example learn:create_opt()
function Learner:create_opt()
  if self.opt then self.opt:close() end
  self.opt = optim.make(self.opt_func, self.model,
    {wd_bn_bias = self.wd_bn_bias,
     groups = groups.of(self.model, self.splitter)})
  self.opt:set("lr", rates.of_groups(self.lr, self.opt:groups()))
  if self.wd then self.opt:set("wd", self.wd) end
end

--- The optimiser, made if there is none yet (or anew).
---@param reset? boolean
---@return optimiser
---@example learn:with_opt()
function Learner:with_opt(reset)
  if not self.opt or reset then self:create_opt() end
  return self.opt
end

--- From now on the model's activations are bf16: about twice as fast where
--- the processor has instructions for it, at half the memory. Weights, sums,
--- statistics and the loss stay f32.
---@return Learner
---@example if sota.can_bf16() then learn:to_bf16() end
function Learner:to_bf16()
  self.precision = check_precision "bf16"
  return self
end

--- From now on everything is f32.
---@return Learner
---@example learn:to_f32()
function Learner:to_f32()
  self.precision = "f32"
  return self
end

local function forward(self, x)
  if (self.precision or core.get "precision") == "bf16" then
    return autocast.run(self.model, x)
  end
  return self.model(x)
end

-- batch_loss(learn, pred, y): a callback may set it in before_batch, where the
-- loss of that one batch is another than loss_func(pred, y).
local function compute_loss(self, pred, y)
  if self.outputs_checked ~= self.model then
    data_in.check_outputs(self, pred)
    self.outputs_checked = self.model
  end
  local batch_loss = self.batch_loss
  if not batch_loss then return labels.noted(self, self.loss_func, pred, y) end
  self.batch_loss = nil
  return batch_loss(self, pred, y)
end

local function set_mode(self, training)
  self.batch_loss = nil
  self.model:train(training)
end

-- What core.fit and core.validate have in common.
local function spec_of(self, cbs)
  local all = {}
  table.move(self.cbs, 1, #self.cbs, 1, all)
  callbacks.flatten(cbs, all)
  return {learner = self, forward = forward, loss = compute_loss,
          mode = set_mode, cbs = all, metrics = self.metrics}
end

local function check_training_set(self)
  local dl = self.dls.train
  if #dl == 0 then
    check.fail("fit: the training set has %d items and no batch of %s; use a "
      .. "smaller bs", dl:items(), tostring(dl.bs))
  end
end

-- A validation set is the same in every epoch.
local function first_epoch() return 1 end

--- Every way to train ends here. schedule: list for core.fit. Callbacks may have
-- configure(cb, spec, learn), to change what core.fit is told. Epochs that were
-- completed count, however the fit ends: the next one goes on with the order
-- of the training set.
---@example learn:run_schedule(1, nil, {})
local function run(self, n_epoch, schedule, o)
  check_training_set(self)
  self:with_opt(o.reset_opt)
  local wd = o.wd or self.wd
  if wd then self.opt:set("wd", wd) end
  local spec = spec_of(self, o.cbs)
  local checkpoint = callbacks.with(spec.cbs, "resume_fit")
  if checkpoint and checkpoint:resume_fit(self, n_epoch) then return self end
  local base = self.epochs_done
  local function epoch_of(epoch) return base + epoch end
  spec.n_epoch, spec.schedule, spec.optim = n_epoch, schedule, self.opt
  spec.train = self.dls.train:spec(epoch_of)
  self.n_step = o.n_step or n_epoch * spec.train.n -- for callbacks
  spec.valid = self.dls.valid and self.dls.valid:spec(first_epoch)
  spec.table, spec.progress = not self.quiet, not self.quiet
  spec.history, spec.history_append = self.history, self.history_begun
  spec.nan, spec.warnings = self.nan, self.warnings
  self.history_begun = self.history ~= nil
  for _, cb in ipairs(spec.cbs) do
    if cb.configure then cb:configure(spec, self) end
  end
  watch.install(spec)
  local guarded = guard.install(spec, self)
  if checkpoint then checkpoint:begin(spec, self) end
  local before = self.recorder
  local count <close> = setmetatable({}, {__close = function()
    if self.recorder == before then return end -- it never began
    self.epochs_done = base + #self.recorder.values
  end})
  room.fit(self, spec)
  if guarded then guarded:report() end
  return self
end

Learner.run_schedule = run

--- The learning rate's part of a schedule: make(lr) for each group's rate.
---@param lr any number, slice or list; the learner's lr
---@param make fun(lr: number): schedule
---@example learn:lr_schedules(1e-3, function(lr) return sota.schedule.combined_cos(0.5, lr, lr, 0) end)
function Learner:lr_schedules(lr, make)
  local opt, list = self:with_opt(), {}
  for g, rate in ipairs(rates.of_groups(lr or self.lr, opt:groups())) do
    list[g] = {hyper = "lr", group = g, schedule = make(rate)}
  end
  return list
end

local fit_arguments = check.spec("fit", {
  {"n_epoch", "integer", required = true, min = 1},
  {"lr", "rate"}, {"wd", "number", min = 0}, {"cbs", "any"},
  {"reset_opt", "boolean", false},
})

--- Trains with a constant learning rate.
---@param n_epoch integer
---@param lr? any the learner's lr; number, slice or list: train/rates.lua
---@param options? {wd: number, cbs: any, reset_opt: boolean}
---@example learn:fit(1, 1e-3)
function Learner:fit(...)
  local a = fit_arguments(...)
  local opt = self:with_opt(a.reset_opt)
  opt:set("lr", rates.of_groups(a.lr or self.lr, opt:groups()))
  a.reset_opt = false
  return run(self, a.n_epoch, nil, a)
end

local one_cycle_arguments = check.spec("fit_one_cycle", {
  {"n_epoch", "integer", required = true, min = 1},
  {"lr_max", "rate"}, {"div", "number", 25, min = 1},
  {"div_final", "number", 1e5, min = 1},
  {"pct_start", "number", 0.25, min = 0, max = 1}, {"wd", "number", min = 0},
  {"moms", "table"}, {"cbs", "any"}, {"reset_opt", "boolean", false},
})

--- One cycle: the rate goes from lr_max/div up to lr_max and down to
--- lr_max/div_final along cosines, momentum the other way.
---@param n_epoch integer
---@param lr_max? any the learner's lr
---@param options? {div: number, div_final: number, pct_start: number, moms: number[], wd: number, cbs: any, reset_opt: boolean}
---@example learn:fit_one_cycle(1, 3e-3)
function Learner:fit_one_cycle(...)
  local a = one_cycle_arguments(...)
  local moms, cos = a.moms or self.moms, core.schedule.combined_cos
  local schedule = self:lr_schedules(a.lr_max, function(lr)
    return cos(a.pct_start, lr / a.div, lr, lr / a.div_final)
  end)
  schedule[#schedule + 1] = {hyper = "mom",
    schedule = cos(a.pct_start, moms[1], moms[2], moms[3])}
  return run(self, a.n_epoch, schedule, a)
end

local flat_cos_arguments = check.spec("fit_flat_cos", {
  {"n_epoch", "integer", required = true, min = 1}, {"lr", "rate"},
  {"div_final", "number", 1e5, min = 1},
  {"pct_start", "number", 0.75, min = 0, max = 1}, {"wd", "number", min = 0},
  {"cbs", "any"}, {"reset_opt", "boolean", false},
})

--- A constant rate for pct_start of the training, then down to lr/div_final
--- along a cosine.
---@param n_epoch integer
---@param lr? any
---@param options? {div_final: number, pct_start: number, wd: number, cbs: any, reset_opt: boolean}
---@example learn:fit_flat_cos(1, 1e-3)
function Learner:fit_flat_cos(...)
  local a = flat_cos_arguments(...)
  return run(self, a.n_epoch, self:lr_schedules(a.lr, function(lr)
    return core.schedule.combined_cos(a.pct_start, lr, lr, lr / a.div_final)
  end), a)
end

-- --- using -------------------------------------------------------------------

-- One pass over a loader in evaluation mode, with the events of validation.
-- The recorder stays that of the last fit.
local function pass(self, dl, cbs, shown)
  local spec, recorder = spec_of(self, cbs), self.recorder
  spec.valid = dl:spec(first_epoch)
  spec.progress, spec.metrics = not self.quiet, shown
  local restore <close> = setmetatable({}, {__close = function()
    self.recorder = recorder
  end})
  return core.validate(spec)
end

local function loader_of(self, dl, what)
  dl = dl or self.dls.valid
  if type(dl) ~= "table" or not dl.spec then
    check.fail("%s: dl must be a loader, such as dls:test_dl(paths), not %s",
      what, check.describe(dl))
  end
  return dl
end

local validate_arguments = check.spec("validate", {{"dl", "table"},
                                                   {"cbs", "any"}})

--- The loss and the metrics over the validation set, or over a loader: by
--- name, and as a list in the order of the table.
---@param options? {dl: DataLoader, cbs: any}
---@return table {valid_loss =, accuracy =, ..., valid_loss, accuracy, ...}
---@example learn:validate()
function Learner:validate(...)
  local a = validate_arguments(...)
  local row = pass(self, loader_of(self, a.dl, "validate"), a.cbs, self.metrics)
  row[1] = row.valid_loss
  for i, m in ipairs(self.metrics) do row[i + 1] = row[m[1]] end
  return row
end

local preds_arguments = check.spec("get_preds", {
  {"dl", "table"}, {"act", "boolean", true}, {"cbs", "any"},
})

--- What the model says of every item, in the order of the set.
---@param options? {dl: DataLoader, act: boolean} act = false: raw logits
---@return tensor preds probabilities (N, C)
---@return tensor? targs class numbers (N), if the loader has labels
---@example local preds, targs = learn:get_preds()
function Learner:get_preds(...)
  local a = preds_arguments(...)
  local preds, targs = {}, {}
  local collector = {order = 1000, after_pred = function(_, learn)
    local p = learn.pred
    if a.act and type(self.loss_func) == "table"
      and self.loss_func.activation then
      p = self.loss_func:activation(p)
    end
    preds[#preds + 1] = p:clone():keep()
    if learn.yb then targs[#targs + 1] = learn.yb:clone():keep() end
  end}
  pass(self, loader_of(self, a.dl, "get_preds"), {collector, a.cbs})
  if #preds == 0 then check.fail("get_preds: the loader has no items") end
  return cat_rows(preds), #targs > 0 and cat_rows(targs) or nil
end

--- What is in this picture? With several labels, lists of those that are more
--- likely than the loss's thresh.
---@param path string an image file
---@return string|string[] label, integer|integer[] class, tensor probabilities
---@example learn:predict(image)
function Learner:predict(path)
  if type(path) ~= "string" then
    check.fail("predict: wants the name of an image file, not %s",
      check.describe(path))
  end
  if not self.dls.test_dl or not self.dls.vocab then
    check.fail "predict: these loaders are not of images with classes"
  end
  local dl <close> = self.dls:test_dl(path)
  local quiet = self.quiet
  local restore <close> = setmetatable({}, {__close = function()
    self.quiet = quiet
  end})
  self.quiet = true
  local probabilities = self:get_preds{dl = dl}:select{dim = 1, index = 1}
  return model_file.answer(self.dls.vocab, probabilities,
    model_file.thresh_of(self))
end

-- --- pictures ----------------------------------------------------------------

--- A picture of a training batch after the callbacks: draw/batch.lua.
---@param options? {n: integer, before: boolean, nrow: integer, ncol: integer, title: string, to: string}
---@return Picture
function Learner:show_batch(...)
  return require "sota.draw.batch".of_learner(self, ...)
end

--- A picture of images with labels and answers: draw/answers.lua.
---@param options? {n: integer, dl: DataLoader, nrow: integer, ncol: integer, to: string}
---@return Picture
function Learner:show_results(...)
  return require "sota.draw.answers".show_results(self, ...)
end

--- A picture of the kernels of the first convolution: draw/looks.lua.
---@param options? {n: integer, ncol: integer, to: string}
---@return Picture
function Learner:show_filters(...)
  return require "sota.draw.looks".show_filters(self, ...)
end

--- A picture of an image's versions in test-time augmentation, with what the
--- model says of each: draw/looks.lua.
---@param path string an image file
---@param options? {n: integer, beta: number, ncol: integer, to: string}
---@return Picture
function Learner:show_tta(...)
  return require "sota.draw.looks".show_tta(self, ...)
end

--- A picture of the maps that a layer makes of an image: draw/inside.lua.
---@param path string an image file
---@param options? {layer: string, n: integer, ncol: integer, to: string}
---@return Picture
function Learner:show_features(...)
  return require "sota.draw.inside".show_features(self, ...)
end

--- A picture of the places of an image that speak for a class (Grad-CAM):
--- draw/inside.lua.
---@param path string an image file
---@param options? {class: string|integer, layer: string, to: string}
---@return Picture
function Learner:show_cam(...)
  return require "sota.draw.inside".show_cam(self, ...)
end

-- --- looking inside ------------------------------------------------------------

--- From now on each fit records mean, deviation, share near zero and histogram
--- of what each layer gives: callbacks/activations.lua. Without options what was
--- recorded so far is kept, and given again.
---@param options? {layers: string|string[], every: integer, hist: boolean, bins: integer, range: number[]}
---@return ActivationStats
---@example learn:activations(); learn:fit(1); learn:activations()
function Learner:activations(...)
  return require "sota.callbacks.activations".ActivationStats.of_learner(self,
    ...)
end

-- learn.recorder:plot_loss() and its like; loaded when the first is called.
function core.recorder_meta.__index(_, name)
  return require "sota.draw.curves".recorder[name]
end

-- What learn.recorder says of itself: the epochs' rows.
function core.recorder_meta.__tostring(self)
  local lines = {("Recorder: %d batches, %d epochs; fields losses, lrs, moms, "
    .. "iters, values"):format(#(self.losses or {}), #self.values)}
  for _, row in ipairs(self.values) do
    local parts = {("epoch %d"):format(row.epoch)}
    for _, name in ipairs{"train_loss", "valid_loss",
                          table.unpack(self.names or {})} do
      if row[name] then parts[#parts + 1] = ("%s %.6f"):format(name, row[name]) end
    end
    lines[#lines + 1] = "  " .. table.concat(parts, ", ")
  end
  return table.concat(lines, "\n")
end

for _, part in ipairs{"sota.tta", "sota.training_loop", "sota.train.freeze",
                      "sota.train.fine_tune", "sota.train.lr_find",
                      "sota.train.triangular", "sota.train.summary"} do
  for name, f in pairs(require(part)) do Learner[name] = f end
end
Learner.tta_translate = require("sota.tta_translate").tta_translate

-- --- files -------------------------------------------------------------------

--- Saves the model with all that is needed to predict: architecture, classes,
--- sizes, statistics. A name becomes path/models/name.safetensors.
---@param name string a name, or a file name ending in .safetensors
---@return string file
---@example learn:save "best"
function Learner:save(name)
  local file = model_file.path_of(self, name)
  model_file.save(self, file)
  return file
end

--- Loads a model's weights; its classes must be those of dls.
---@param name string
---@param options? {strict: boolean}
---@example learn:save "best"; learn:load "best"
function Learner:load(name, options)
  model_file.load(self, model_file.path_of(self, name), options or {})
  return self
end

function Learner:__tostring()
  local all, trained = self.model:count()
  return ("Learner\n  data    %d training, %d validation items%s\n"
    .. "  loss    %s\n  opt     %s\n  params  %d (%d trained)\n%s"):format(
    self.dls.train:items(), self.dls.valid and self.dls.valid:items() or 0,
    self.dls.c and (", %d classes"):format(self.dls.c) or "",
    tostring(self.loss_func), tostring(self.opt or self.opt_func), all, trained,
    tostring(self.model))
end

return Learner
