-- draw/activations.lua -- what callbacks/activations.lua recorded, as pictures.
local core = require "sota.core"
local check = require "sota.check"
local Chart = require "sota.draw.chart"
local style = require "sota.draw.style"
local to = require "sota.draw.to"

local activations = {}

local MOST_COLUMNS = 240 -- of an image; more batches are put together

local LAYERS = {"layers", "string table",
                help = "their paths, or places in stats.names; all unless given"}

-- Paths of the wanted layers.
local function chosen(stats, layers, what)
  local list = {}
  if type(layers) ~= "table" then layers = {layers} end
  if #layers == 0 then layers = stats.names end
  for i, at in ipairs(layers) do
    stats:layer_stats(at) -- fails for unknown ones
    list[i] = math.type(at) == "integer" and stats.names[at] or at
  end
  if #list == 0 then
    check.fail("%s: nothing is recorded yet; fit first", what)
  end
  return list
end

-- --- the colourful dimension ---------------------------------------------------

-- Columns of counts, neighbours added up so that there are at most `most`.
local function thinned(columns, most)
  local together = math.ceil(#columns / most)
  if together == 1 then return columns end
  local out = {}
  for i, column in ipairs(columns) do
    local k = (i - 1) // together + 1
    out[k] = out[k] or {}
    for bin, n in ipairs(column) do out[k][bin] = (out[k][bin] or 0) + n end
  end
  return out
end

--- The histograms of a layer as an image: high values at the top, a column for
--- each batch, ln(1 + count) as colour; u8 (bins, columns, 3).
---@param columns integer[][]
---@return tensor
function activations.image(columns)
  columns = thinned(columns, MOST_COLUMNS)
  local bins, most, rows = #columns[1], 0, {}
  for _, column in ipairs(columns) do
    for _, n in ipairs(column) do most = math.max(most, n) end
  end
  local full = math.log(1 + math.max(most, 1))
  for r = 1, bins do
    rows[r] = {}
    for c, column in ipairs(columns) do
      rows[r][c] = {style.scale(math.log(1 + column[bins + 1 - r]) / full)}
    end
  end
  return core.tensor(rows, {dtype = "u8"})
end

local dim_arguments = check.public("color_dim", {
  LAYERS, {"ncol", "integer", 4, min = 1, help = "layers in a row"}, to.option,
}, {
  help = "How often each value occurs in what a layer gives, batch by batch: "
    .. "from dark blue (never) to yellow (most), on a logarithmic scale. Healthy "
    .. "layers spread out smoothly; a bright line at zero is dead units. Of an "
    .. "ActivationStats, after a fit.",
  example = 'learn:activations(); learn:fit(1); learn:activations():color_dim()',
})

--- A panel for each layer.
---@return Picture
function activations.color_dim(stats, ...)
  local a = dim_arguments(...)
  local charts = {}
  for i, path in ipairs(chosen(stats, a.layers, "color_dim")) do
    if not stats.hist then stats:histograms(path) end -- says why there are none
    local chart = Chart.new{title = path, xlabel = "batch",
      ylabel = "value", xwhole = true, width = 260, height = 190,
      xlim = {0, stats.batches * stats.every}, ylim = stats.range}
    chart:image(activations.image(stats.of[path].hist),
      {x0 = 0, x1 = stats.batches * stats.every, y0 = stats.range[1],
       y1 = stats.range[2]})
    charts[i] = chart
  end
  local pic = Chart.panels(charts, {ncol = a.ncol, title = "Activations",
    heading = #charts > 1 and "How often each value occurs: dark never, bright "
      .. "most" or nil})
  return to.finish(pic, a.to)
end

-- --- curves ----------------------------------------------------------------------

local stats_arguments = check.public("plot_layer_stats", {LAYERS, to.option}, {
  help = "Mean, standard deviation and share near zero of what each layer gives, "
    .. "batch by batch; the layers from the first (dark blue) to the last "
    .. "(yellow). Of an ActivationStats, after a fit.",
  example = 'learn:activations(); learn:fit(1); learn:activations():plot_layer_stats()',
})

local MOST_NAMED = 7 -- the legend has their names

-- Colours by depth, or those of the palette, which are easier to tell apart.
local function colour_of(i, n)
  if n <= MOST_NAMED then return style.of(i) end
  local r, g, b = style.scale((i - 1) / (n - 1) * 0.9)
  return r << 24 | g << 16 | b << 8 | 0xff
end

--- Three charts: mean, standard deviation, share near zero.
---@return Picture
function activations.plot_layer_stats(stats, ...)
  local a = stats_arguments(...)
  local layers = chosen(stats, a.layers, "plot_layer_stats")
  local xs, charts = {}, {}
  for i = 1, stats.batches do xs[i] = (i - 1) * stats.every + 1 end
  for i, s in ipairs{{"mean", "Mean"}, {"std", "Standard deviation"},
                     {"near_zero", "Share near zero"}} do
    local chart = Chart.new{title = s[2], xlabel = "batch", width = 360,
      height = 280, ylim = s[1] == "near_zero" and {0, 1} or nil}
    for k, path in ipairs(layers) do
      chart:line(xs, stats.of[path][s[1]], {colour = colour_of(k, #layers),
        width = 1.5, label = #layers <= MOST_NAMED and path or nil,
        dots = stats.batches == 1})
    end
    charts[i] = chart
  end
  local pic = Chart.panels(charts, {title = "Activations",
    heading = #layers > MOST_NAMED and ("%d layers, from the first (dark) to the "
      .. "last (bright)"):format(#layers) or nil})
  return to.finish(pic, a.to)
end

return activations
