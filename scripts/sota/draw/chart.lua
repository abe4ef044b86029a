-- draw/chart.lua -- Chart: lines, points and bars between two axes.
--
--   local chart = Chart.new{title = "loss", xlabel = "batch", ylabel = "loss"}
--   chart:line(xs, ys, {label = "train"})
--   chart:picture():save "loss.svg"
--
-- What is added is kept; axes fit it all when the chart is drawn. The legend
-- stands above the plot, where it covers nothing.
local check = require "sota.check"
local Picture = require "sota.draw.picture"
local style = require "sota.draw.style"
local ticks = require "sota.draw.ticks"

local Chart = {__name = "Chart"}
Chart.__index = Chart

local arguments = check.spec("Chart", {
  {"title", "string"}, {"xlabel", "string"}, {"ylabel", "string"},
  {"xlog", "boolean", false}, {"xwhole", "boolean", false},
  {"xlim", "table"}, {"ylim", "table"}, {"yticks", "table"},
  {"categories", "table"},
  {"width", "number", 560, min = 120, max = 8000},
  {"height", "number", 360, min = 100, max = 8000},
})

--- An empty chart.
---@param options? {title: string, xlabel: string, ylabel: string, xlog: boolean, xwhole: boolean, xlim: number[], ylim: number[], yticks: number[], categories: string[], width: number, height: number}
---@example sota.draw.Chart.new{title = "Loss", xlabel = "batch"}
function Chart.new(options)
  local self = setmetatable(arguments(options or {}), Chart)
  self.series = {}
  return self
end

-- --- what is shown ------------------------------------------------------------

local function finite(v) return v == v and v > -math.huge and v < math.huge end

local function add(self, kind, xs, ys, options)
  local s = {kind = kind, xs = xs, ys = ys}
  for k, v in pairs(options or {}) do s[k] = v end
  if not s.colour then
    self.colours = (self.colours or 0) + 1
    s.colour = style.of(self.colours)
  end
  self.series[#self.series + 1] = s
  return self
end

--- A line through points; one that is not finite interrupts it.
---@param xs number[]
---@param ys number[]
---@param options? {label: string, colour: integer, width: number, dash: number, stairs: boolean, dots: boolean}
---@example chart:line({1, 2, 3}, {3, 1, 2}, {label = "loss"})
function Chart:line(xs, ys, options) return add(self, "line", xs, ys, options) end

--- Points that are not joined; text: one of each, beside it.
---@param options? {label: string, colour: integer, radius: number, text: string[]}
---@example chart:points({1, 2}, {1, 2})
function Chart:points(xs, ys, options)
  return add(self, "points", xs, ys, options)
end

--- Bars from 0, one of each category.
---@param values number[]
---@param options? {label: string, colour: integer}
---@example chart:bars({3, 1, 2}, {label = "counts"})
function Chart:bars(values, options)
  local xs = {}
  for i = 1, #values do xs[i] = i end
  self.bar_series = (self.bar_series or 0) + 1
  return add(self, "bars", xs, values, options)
end

--- An image whose edges are at these values of the axes; its first row is at the
--- top.
---@param image tensor (H, W, 3)
---@param edges {x0: number, x1: number, y0: number, y1: number}
---@example chart:image(sota.zeros(2, 3, 3), {x0 = 0, x1 = 3, y0 = 0, y1 = 2})
function Chart:image(image, edges)
  return add(self, "image", {edges.x0, edges.x1}, {edges.y0, edges.y1},
    {image = image:keep(), colour = style.paper})
end

-- --- axes ---------------------------------------------------------------------

-- The least and the largest of the finite values under `key` ("xs", "ys").
local function range_of(self, key, positive)
  local lo, hi = math.huge, -math.huge
  for _, s in ipairs(self.series) do
    for i, v in ipairs(s[key]) do
      local other = s[key == "xs" and "ys" or "xs"][i]
      if finite(v) and other and finite(other) and (not positive or v > 0) then
        lo, hi = math.min(lo, v), math.max(hi, v)
      end
    end
  end
  if lo > hi then return 0, 1 end
  return lo, hi
end

local function set_ranges(self)
  local lo, hi = range_of(self, "xs", self.xlog)
  if self.xlim then
    self.x0, self.x1 = self.xlim[1], self.xlim[2]
  elseif self.categories then
    self.x0, self.x1 = 0.5, #self.categories + 0.5
  else
    if lo == hi then lo, hi = self.xlog and lo / 2 or lo - 0.5, hi + 0.5 end
    self.x0, self.x1 = lo, hi
  end
  lo, hi = range_of(self, "ys")
  if self.bar_series then lo, hi = math.min(lo, 0), math.max(hi, 0) end
  self.y0, self.y1 = ticks.room(lo, hi)
  if self.bar_series and lo == 0 then self.y0 = 0 end
  if self.ylim then self.y0, self.y1 = self.ylim[1], self.ylim[2] end
end

local function x_marks(self, width)
  if self.categories then
    local list = {}
    for i, name in ipairs(self.categories) do list[i] = {i, tostring(name)} end
    return list
  end
  local n = math.max(2, width // 75)
  if self.xlog then return ticks.log(self.x0, self.x1, n) end
  return ticks.linear(self.x0, self.x1, n, self.xwhole)
end

local function y_marks(self, height)
  if not self.yticks then
    return ticks.linear(self.y0, self.y1, math.max(2, height // 45))
  end
  local list = {}
  for i, v in ipairs(self.yticks) do list[i] = {v, ("%.10g"):format(v)} end
  return list
end

local function widest(canvas, marks)
  local most = 0
  for _, m in ipairs(marks) do
    if m[2] then most = math.max(most, (canvas:measure(m[2], style.tick))) end
  end
  return most
end

-- The keys of the legend, from left = 0 in rows that are at most `width` wide:
-- a list of {series, x, row}, and how many rows there are.
local function legend_of(self, canvas, width)
  local list, x, row = {}, 0, 1
  for _, s in ipairs(self.series) do
    if s.label then
      local w = 26 + canvas:measure(s.label, style.label)
      if x > 0 and x + w > width then x, row = 0, row + 1 end
      list[#list + 1] = {series = s, x = x, row = row}
      x = x + w + 20
    end
  end
  return list, #list > 0 and row or 0
end

-- Where the plot lies inside the box, and its marks.
local function lay_out(self, canvas, x, y, w, h)
  local top, bottom, left, right = y + 8, y + h - 8, x + 10, x + w - 16
  if self.title then top = top + 24 end
  local rows
  self.legend, rows = legend_of(self, canvas, w - 80)
  top = top + 20 * rows + (rows > 0 and 2 or 0)
  self.legend_top = top - 20 * rows
  if self.xlabel then bottom = bottom - 18 end
  bottom = bottom - 18
  self.y_marks = y_marks(self, bottom - top)
  if self.ylabel then left = left + 18 end
  left = left + widest(canvas, self.y_marks) + 8
  self.px, self.py, self.pw, self.ph = left, top, right - left, bottom - top
  self.x_marks = x_marks(self, self.pw)
end

--- Where a point of the data is in the picture that was drawn last.
---@param x number
---@param y number
---@return number x, number y
---@example chart:line({1, 2}, {1, 2}):picture(); chart:place(1, 1)
function Chart:place(x, y)
  local share
  if self.xlog then
    share = math.log(x / self.x0) / math.log(self.x1 / self.x0)
  else
    share = (x - self.x0) / (self.x1 - self.x0)
  end
  return self.px + share * self.pw,
    self.py + self.ph * (1 - (y - self.y0) / (self.y1 - self.y0))
end

-- --- drawing ------------------------------------------------------------------

local function draw_axes(self, c)
  local bottom = self.py + self.ph
  for _, m in ipairs(self.y_marks) do
    local _, y = self:place(self.x0, m[1])
    c:path({self.px, y, self.px + self.pw, y}, {stroke = style.rule})
    c:text(self.px - 7, y, m[2], style.with(style.tick,
      {align = "right", valign = "middle"}))
  end
  for _, m in ipairs(self.x_marks) do
    local x = self:place(m[1], self.y0)
    if not self.categories then
      c:path({x, bottom, x, bottom + (m[2] and 5 or 3)}, {stroke = style.frame})
    end
    if m[2] then
      c:text(x, bottom + 6, m[2], style.with(style.tick, {align = "centre",
        lines = 1, width = self.categories and self.pw / #self.categories
          or 0}))
    end
  end
  c:path({self.px, self.py, self.px, bottom, self.px + self.pw, bottom},
    {stroke = style.frame})
end

local function draw_titles(self, c, x, y, w, h)
  if self.title then
    c:text(self.px, y + 8, self.title, style.with(style.title, {lines = 1,
      width = math.max(1, x + w - self.px)}))
  end
  if self.xlabel then
    c:text(self.px + self.pw / 2, y + h - 6, self.xlabel,
      style.with(style.label, {align = "centre", valign = "bottom"}))
  end
  if self.ylabel then
    c:text(x + 6, self.py + self.ph / 2, self.ylabel,
      style.with(style.label, {align = "centre", angle = -90}))
  end
end

local function draw_key(c, s, x, y)
  if s.kind == "bars" then
    c:rect(x + 4, y - 5, 12, 10, {fill = s.colour})
  elseif s.kind == "points" then
    c:circle(x + 10, y, s.radius or 3.5, {fill = s.colour})
  else
    c:path({x, y, x + 20, y}, {stroke = s.colour, width = s.width or 2,
                               dash = s.dash or 0})
    if s.dots then c:circle(x + 10, y, 3.5, {fill = s.colour}) end
  end
end

local function draw_legend(self, c)
  for _, e in ipairs(self.legend) do
    local x, y = self.px + e.x, self.legend_top + 20 * e.row - 14
    draw_key(c, e.series, x, y)
    c:text(x + 26, y, e.series.label,
      style.with(style.label, {valign = "middle"}))
  end
end

-- Long lines: of the points that fall into one of the columns only the lowest
-- and the highest are kept.
local function thinned(xs, ys, columns)
  local n = #xs
  if n <= 4 * columns then return xs, ys end
  local out_x, out_y = {}, {}
  local function keep(i) out_x[#out_x + 1], out_y[#out_y + 1] = xs[i], ys[i] end
  for column = 1, columns do
    local first = (column - 1) * n // columns + 1
    local low, high = first, first
    for i = first, column * n // columns do
      if ys[i] < ys[low] then low = i end
      if ys[i] > ys[high] then high = i end
    end
    keep(math.min(low, high))
    if low ~= high then keep(math.max(low, high)) end
  end
  keep(n)
  return out_x, out_y
end

local draw_series = {}

function draw_series.line(self, c, s)
  local xs, ys = thinned(s.xs, s.ys, math.floor(self.pw))
  local points = {}
  for i = 1, #xs do
    local x, y = self:place(xs[i], ys[i])
    if s.stairs and i > 1 then
      points[#points + 1], points[#points + 2] = x, points[#points]
    end
    points[#points + 1], points[#points + 2] = x, y
  end
  c:path(points, {stroke = s.colour, width = s.width or 2, dash = s.dash or 0})
  if s.dots then draw_series.points(self, c, s) end
end

function draw_series.points(self, c, s)
  for i = 1, #s.xs do
    local x, y = self:place(s.xs[i], s.ys[i])
    if finite(x) and finite(y) then
      c:circle(x, y, s.radius or 3.5, {fill = s.colour})
      if s.text and s.text[i] then
        local left = x > self.px + 0.7 * self.pw
        c:text(left and x - 8 or x + 8, y - 4, s.text[i],
          style.with(style.label, {colour = s.colour, valign = "bottom",
                                   align = left and "right" or "left"}))
      end
    end
  end
end

function draw_series.bars(self, c, s, number)
  local width = 0.75 / self.bar_series
  for i, v in ipairs(s.ys) do
    local from = i - 0.375 + (number - 1) * width
    local x0, y0 = self:place(from, 0)
    local x1, y1 = self:place(from + width, v)
    c:rect(x0 + 1, math.min(y0, y1), x1 - x0 - 2, math.abs(y1 - y0),
      {fill = s.colour})
  end
end

function draw_series.image(self, c, s)
  local x0, y0 = self:place(s.xs[1], s.ys[1])
  local x1, y1 = self:place(s.xs[2], s.ys[2])
  c:image(s.image, x0, y1, x1 - x0, y0 - y1)
end

--- Draws the chart into a part of a picture.
---@param canvas userdata the picture's canvas
---@param x number
---@param y number
---@param w number
---@param h number
---@example chart:draw(pic.canvas, 0, 0, 200, 150)
function Chart:draw(canvas, x, y, w, h)
  set_ranges(self)
  lay_out(self, canvas, x, y, w, h)
  draw_axes(self, canvas)
  draw_titles(self, canvas, x, y, w, h)
  draw_legend(self, canvas)
  local bars = 0
  for _, s in ipairs(self.series) do
    if s.kind == "bars" then bars = bars + 1 end
    local whole = s.kind ~= "line" or s.dots -- dots may reach over the edge
    if not whole then
      canvas:clip(self.px, self.py - 2, self.pw + 2, self.ph + 4)
    end
    draw_series[s.kind](self, canvas, s, bars)
    if not whole then canvas:unclip() end
  end
end

--- The chart as a picture of its own.
---@return Picture
---@example chart:line({1, 2}, {1, 2}):picture()
function Chart:picture() return Chart.panels({self}) end

-- At the prompt a chart shows itself.
function Chart:__show() return self:picture():__show() end

--- Several charts in one picture, in rows of `ncol`: 2, or 3 for three. heading
--- stands above them.
---@param charts Chart[]
---@param options? {ncol: integer, title: string, heading: string}
---@return Picture
---@example sota.draw.Chart.panels{chart}
function Chart.panels(charts, options)
  local o = options or {}
  local ncol = math.min(o.ncol or #charts == 3 and 3 or 2, #charts)
  local nrow = (#charts + ncol - 1) // ncol
  local w, h = charts[1].width, charts[1].height
  local top = o.heading and 30 or 0
  local pic = Picture.new(ncol * w, top + nrow * h, o.title or charts[1].title)
  if o.heading then
    pic.canvas:text(10, 8, o.heading, style.with(style.title,
      {lines = 1, width = ncol * w - 20}))
  end
  for i, chart in ipairs(charts) do
    chart:draw(pic.canvas, (i - 1) % ncol * w, top + (i - 1) // ncol * h, w, h)
  end
  pic.charts = charts
  return pic
end

return Chart
