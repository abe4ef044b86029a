-- draw/curves.lua -- curves of a training: the methods of learn.recorder, and
-- plot() of what learn:lr_find() gives.
local check = require "sota.check"
local Chart = require "sota.draw.chart"
local style = require "sota.draw.style"
local to = require "sota.draw.to"

local curves = {recorder = {}}

local TO, finish = to.option, to.finish

local function span(first, last)
  local list = {}
  for i = first, last do list[#list + 1] = i end
  return list
end

-- The recorder has what a finished (or broken off) fit leaves behind.
local function check_recorder(self, what)
  if not self.losses or #self.losses == 0 then
    check.fail("%s: there are no training batches to plot; fit first", what)
  end
end

-- --- losses -------------------------------------------------------------------

local loss_arguments = check.public("plot_loss", {
  {"skip_start", "integer", 5, min = 0, help = "batches left out at the start"},
  {"with_valid", "boolean", true, help = "the validation loss of each epoch"},
  TO,
}, {
  help = "The smoothed training loss of each batch, and the validation loss at "
    .. "the end of each epoch. Of learn.recorder, after a fit.",
  example = 'learn.recorder:plot_loss{to = "loss.png"}',
})

-- Ends of epochs (in batches) and a column of the table there.
local function of_epochs(self, name)
  local xs, ys = {}, {}
  for i, row in ipairs(self.values) do
    if row[name] and self.iters[i] then
      xs[#xs + 1], ys[#ys + 1] = self.iters[i], row[name]
    end
  end
  return xs, ys
end

--- The training loss of each batch, smoothed; the validation loss.
---@param options? {skip_start: integer, with_valid: boolean, to: string}
---@return Picture
function curves.recorder:plot_loss(...)
  local a = loss_arguments(...)
  check_recorder(self, "plot_loss")
  local first = math.min(a.skip_start + 1, #self.losses)
  local chart = Chart.new{title = "Loss", xlabel = "batch", ylabel = "loss"}
  chart:line(span(first, #self.losses),
    table.move(self.losses, first, #self.losses, 1, {}),
    {label = "train, smoothed", dots = #self.losses == first})
  local xs, ys = of_epochs(self, "valid_loss")
  if a.with_valid and #xs > 0 then
    chart:line(xs, ys, {label = "valid", dots = true})
  end
  return finish(chart:picture(), a.to)
end

-- --- schedules ----------------------------------------------------------------

local sched_arguments = check.public("plot_sched", {TO}, {
  help = "The learning rate (of the last parameter group) and the momentum of "
    .. "each batch. Of learn.recorder, after a fit.",
  example = 'learn.recorder:plot_sched()',
})

--- Learning rate and momentum of each batch.
---@param options? {to: string}
---@return Picture
function curves.recorder:plot_sched(...)
  local a = sched_arguments(...)
  check_recorder(self, "plot_sched")
  local panels = {}
  for i, s in ipairs{{"Learning rate", self.lrs}, {"Momentum", self.moms}} do
    panels[i] = Chart.new{title = s[1], xlabel = "batch", width = 420,
                          height = 280}
    panels[i]:line(span(1, #s[2]), s[2], {colour = style.of(i)})
  end
  return finish(Chart.panels(panels, {title = "Schedules"}), a.to)
end

-- --- metrics ------------------------------------------------------------------

local metrics_arguments = check.public("plot_metrics", {
  {"ncol", "integer", min = 1, help = "charts in a row"}, TO,
}, {
  help = "The losses and each metric, epoch by epoch. Of learn.recorder, after "
    .. "a fit.",
  example = 'learn.recorder:plot_metrics{to = "metrics.svg"}',
})

local function epochs_chart(self, title, columns)
  local chart = Chart.new{title = title, xlabel = "epoch", xwhole = true,
                          width = 420, height = 280}
  for _, column in ipairs(columns) do
    local xs, ys = {}, {}
    for _, row in ipairs(self.values) do
      if row[column[1]] then
        xs[#xs + 1], ys[#ys + 1] = row.epoch, row[column[1]]
      end
    end
    if #xs > 0 then
      chart:line(xs, ys, {label = column[2], dots = #xs <= 40})
    end
  end
  return chart
end

--- Losses and metrics of each epoch, a chart for each.
---@param options? {ncol: integer, to: string}
---@return Picture
function curves.recorder:plot_metrics(...)
  local a = metrics_arguments(...)
  if #self.values == 0 then
    check.fail("plot_metrics: no epoch is complete; fit first")
  end
  local charts = {epochs_chart(self, "loss", {{"train_loss", "train"},
                                              {"valid_loss", "valid"}})}
  for i, name in ipairs(self.names) do
    charts[i + 1] = epochs_chart(self, name, {{name}})
  end
  return finish(Chart.panels(charts, {ncol = a.ncol, title = "Metrics"}), a.to)
end

-- --- lr_find ------------------------------------------------------------------

local find_arguments = check.public("lr_find plot", {
  {"skip_end", "integer", 5, min = 0, help = "batches left out at the end"},
  {"suggestions", "boolean", true, help = "mark the suggested rates"}, TO,
}, {
  help = "Loss against learning rate, with the suggestions: found:plot() for "
    .. "found = learn:lr_find().",
  example = 'found:plot{to = "lr.png"} -- found = learn:lr_find()',
})

-- The loss at the tried rate next to `rate`.
local function loss_at(self, rate)
  local best = 1
  for i, lr in ipairs(self.lrs) do
    if math.abs(math.log(lr / rate)) < math.abs(math.log(self.lrs[best] / rate))
    then best = i end
  end
  return self.losses[best]
end

--- Loss against learning rate, which has a logarithmic axis.
---@param found table what learn:lr_find() gave
---@param options? {skip_end: integer, suggestions: boolean, to: string}
---@return Picture
function curves.plot_found(found, ...)
  local a = find_arguments(...)
  local n = math.max(2, #found.lrs - a.skip_end)
  local chart = Chart.new{title = "Learning rates tried", xlog = true,
                          xlabel = "learning rate", ylabel = "smoothed loss"}
  chart:line(table.move(found.lrs, 1, n, 1, {}),
    table.move(found.losses, 1, n, 1, {}), {colour = style.of(1)})
  for i, name in ipairs(a.suggestions and found.rules or {}) do
    local rate = found[name]
    if rate then
      chart:points({rate}, {loss_at(found, rate)}, {radius = 5,
        colour = style.of(i + 1), label = ("%s %.2g"):format(name, rate)})
    end
  end
  return finish(chart:picture(), a.to)
end

return curves
