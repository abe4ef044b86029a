-- callbacks/activations.lua -- ActivationStats: what layers give, batch by batch
-- of the training: mean, standard deviation, the share near zero, a histogram.
-- fastai's, with its numbers: near zero is what is at most 0.05, the histogram
-- has 40 parts from 0 to 10.
--
--   local stats = learn:activations()     or cbs = ActivationStats{...}
--   learn:fit_one_cycle(1, 3e-3)
--   print(stats)                          the last batch, a row for each layer
--   stats:color_dim()                     draw/activations.lua
local core = require "sota.core"
local check = require "sota.check"
local base = require "sota.callbacks.base"
local nn = require "sota.nn"

local NEAR_ZERO = 0.05

--- ActivationStats{layers =, every = 1, hist = true, bins = 40, range = {0,
--- 10}}: of each layer that has parameters, unless layers names others by their
--- paths in the model.
---@return ActivationStats
local ActivationStats = base.Callback{
  name = "ActivationStats", trial = false,
  options = {
    {"layers", "string table",
     help = "a path in the model such as \"4.0\", or a list of them"},
    {"every", "integer", 1, min = 1,
     help = "batches between two that are recorded"},
    {"hist", "boolean", true, help = "histograms too, for color_dim"},
    {"bins", "integer", 40, min = 2, max = 1000, help = "of a histogram"},
    {"range", "table", {0, 10}, help = "where histograms begin and end"},
  },
  help = "Records mean, standard deviation, share near zero (at most 0.05) and "
    .. "histogram of what each layer gives, batch by batch. A callback.",
  example = 'learn:fit(1, {cbs = ActivationStats{every = 2}})',
}

local function list_of_layers(layers)
  if type(layers) == "string" then return {layers} end
  for i, at in ipairs(layers or {}) do
    if type(at) ~= "string" then
      check.fail("ActivationStats: layer %d is %s; a path in the model is "
        .. "wanted, such as \"4.0\"", i, check.describe(at))
    end
  end
  return layers
end

function ActivationStats:init()
  local low, high = table.unpack(self.range)
  if type(low) ~= "number" or type(high) ~= "number" or low >= high then
    check.fail "ActivationStats: range must be {low, high}, such as {0, 10}"
  end
  self.layers = list_of_layers(self.layers)
  self.batches, self.seen = 0, 0 -- recorded, and gone by
  self.names, self.of = {}, {} -- paths in order; path -> what was recorded
end

-- --- recording ------------------------------------------------------------------

local function wanted(self, m, path, inner)
  if not self.layers then return not inner[m] and (m:count()) > 0 end
  for _, at in ipairs(self.layers) do if at == path then return true end end
  return false
end

local function new_series(self, m, path)
  self.names[#self.names + 1] = path
  self.of[path] = {kind = m.name, mean = {}, std = {}, near_zero = {}, hist = {}}
  return self.of[path]
end

-- What one layer gave to one batch, as number `at` of its series.
local function record(self, series, at, y)
  y = y:detach():to "f32"
  series.mean[at] = y:mean():item()
  series.std[at] = y:numel() > 1 and y:std():item() or 0
  series.near_zero[at] = core.le(y, NEAR_ZERO):to "f32":mean():item()
  if self.hist then
    series.hist[at] = core.histogram(y, {bins = self.bins, low = self.range[1],
      high = self.range[2]}):totable()
  end
end

local function unknown_layer(self, paths)
  for _, at in ipairs(self.layers or {}) do
    if not self.of[at] then
      check.fail("ActivationStats: the model has no layer '%s' that gives a "
        .. "tensor%s; there are %s", at, check.did_you_mean(at, paths),
        table.concat(paths, " ", 1, math.min(#paths, 12))
        .. (#paths > 12 and " ..." or ""))
    end
  end
end

-- forward(learn, x), watched. A layer is a leaf when no other ran inside it: a
-- ConvLayer is one, whose convolution, norm and activation are one operation.
local function watched(self, forward, learn, x)
  local inner, paths, at = {}, {}, self.batches + 1
  local function hook(m, path, y)
    path = path or m.name
    if m._parent then inner[m._parent] = true end
    if not core.is_tensor(y) then return end
    paths[#paths + 1] = path
    if not wanted(self, m, path, inner) then return end
    core.no_grad(record, self, self.of[path] or new_series(self, m, path), at, y)
  end
  local pred = nn.watch(hook, forward, learn, x)
  unknown_layer(self, paths)
  self.batches = at
  return pred
end

function ActivationStats:configure(spec, learn)
  local forward = spec.forward
  function spec.forward(l, x)
    if not learn.model.training then return forward(l, x) end
    self.seen = self.seen + 1
    if (self.seen - 1) % self.every ~= 0 then return forward(l, x) end
    return watched(self, forward, l, x)
  end
end

-- --- what was recorded -----------------------------------------------------------

local function series_of(self, layer, what)
  if self.batches == 0 then
    check.fail("%s: nothing is recorded yet; fit first", what)
  end
  local path = math.type(layer) == "integer" and self.names[layer] or layer
  local series = self.of[path]
  if series then return series, path end
  check.fail("%s: no layer %s was recorded%s; there are %s", what,
    check.describe(layer), type(layer) == "string"
    and check.did_you_mean(layer, self.names) or "",
    table.concat(self.names, " "))
end

--- The recorded numbers of a layer: lists, one number for each batch.
---@param layer string|integer its path in the model, or its place in stats.names
---@return {mean: number[], std: number[], near_zero: number[]}
---@example learn:activations(); learn:fit(1); print(learn:activations():layer_stats(1).mean[1])
function ActivationStats:layer_stats(layer)
  local s = series_of(self, layer, "layer_stats")
  return {mean = s.mean, std = s.std, near_zero = s.near_zero}
end

--- The histograms of a layer as ln(1 + count), (bins, batches), as fastai's.
---@param layer string|integer its path in the model, or its place in stats.names
---@return tensor
---@example learn:activations(); learn:fit(1); learn:activations():histograms(1)
function ActivationStats:histograms(layer)
  local s, path = series_of(self, layer, "histograms")
  if not self.hist then
    check.fail("histograms: none were recorded of %s; hist is false", path)
  end
  return core.tensor(s.hist):permute(2, 1):contiguous():log1p()
end

--- A picture of how often each value occurs in each layer, batch by batch: the
--- "colourful dimension". draw/activations.lua.
---@param options? {layers: string|string[], ncol: integer, to: string}
---@return Picture
---@example learn:activations(); learn:fit(1); learn:activations():color_dim{ncol = 5}
function ActivationStats:color_dim(...)
  return require "sota.draw.activations".color_dim(self, ...)
end

--- A picture of mean, standard deviation and share near zero of each layer, batch
--- by batch: draw/activations.lua.
---@param options? {layers: string|string[], to: string}
---@return Picture
---@example learn:activations(); learn:fit(1); learn:activations():plot_layer_stats()
function ActivationStats:plot_layer_stats(...)
  return require "sota.draw.activations".plot_layer_stats(self, ...)
end

function ActivationStats:__tostring()
  if self.batches == 0 then
    return "ActivationStats: nothing is recorded yet; the next fit will be"
  end
  local width = 5
  for _, path in ipairs(self.names) do width = math.max(width, #path) end
  local form = "  %-" .. width .. "s  %-12s %9s %9s %9s"
  local lines = {("ActivationStats: %d layers, %d training batches; of the "
    .. "last:"):format(#self.names, self.batches),
    form:format("layer", "kind", "mean", "std", "near zero")}
  for _, path in ipairs(self.names) do
    local s = self.of[path]
    local at = #s.mean
    lines[#lines + 1] = form:format(path, s.kind, ("%.4f"):format(s.mean[at]),
      ("%.4f"):format(s.std[at]), ("%.1f%%"):format(100 * s.near_zero[at]))
  end
  return table.concat(lines, "\n")
end

-- --- Learner:activations -----------------------------------------------------------

-- The learner's own; new with options, or if there is none.
function ActivationStats.of_learner(learn, ...)
  local at = #learn.cbs + 1
  for i, cb in ipairs(learn.cbs) do
    if getmetatable(cb) == ActivationStats then at = i end
  end
  if not learn.cbs[at] or select("#", ...) > 0 then
    learn.cbs[at] = ActivationStats(...)
  end
  return learn.cbs[at]
end

return {ActivationStats = ActivationStats}
