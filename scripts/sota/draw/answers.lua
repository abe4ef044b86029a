-- draw/answers.lua -- what a model says: results beside labels, the worst
-- items, the confusion of classes.
local core = require "sota.core"
local check = require "sota.check"
local grid = require "sota.draw.grid"
local images = require "sota.draw.images"
local model_file = require "sota.model_file"
local Picture = require "sota.draw.picture"
local style = require "sota.draw.style"
local to = require "sota.draw.to"

local answers = {}

local TO, finish = to.option, to.finish

-- --- show_results -------------------------------------------------------------

local results_arguments = check.public("show_results", {
  {"n", "integer", 9, min = 1, max = 400, help = "how many images"},
  {"dl", "table", help = "a loader; the validation set unless given"},
  {"nrow", "integer", min = 1, help = "rows of images"},
  {"ncol", "integer", min = 1, help = "images in a row"}, TO,
}, {
  help = "Images with their label and, below it, what the model says: green "
    .. "when it is right, vermilion when not. They are spread over the set.",
  example = 'learn:show_results{n = 12}',
})

-- Loader, and its items `list`, as a loader of its own for get_preds.
local function part_of(dl, list)
  local rows = {}
  for i, item in ipairs(list) do rows[i] = dl.o.rows[item] end
  return dl:with{rows = core.data.rows(rows), bs = math.min(#rows, dl.bs),
    shuffle = false, drop_last = false, workers = 0, train = false,
    decoded = false, name = "show"}
end

local function quietly(learn, f)
  local quiet = learn.quiet
  local restore <close> = setmetatable({}, {__close = function()
    learn.quiet = quiet
  end})
  learn.quiet = true
  return f()
end

-- The text of one answer, and whether it is right (nil: there is no label).
local function verdict(vocab, preds, targs, i, thresh)
  local row = preds:select{dim = 1, index = i}
  if targs and targs:dim() > 1 then
    local said = images.label(vocab, row:gt(thresh):to "f32":reshape{1, -1}, 1)
    local wanted = images.label(vocab, targs, i)
    return wanted, said, said == wanted
  end
  local class = row:argmax(1):item()
  local said = ("%s %.2f"):format(images.name(vocab, class), row[class])
  if not targs then return nil, said, nil end
  return images.name(vocab, targs[i]), said, targs[i] == class
end

--- Images of the validation set with labels and answers.
---@param learn Learner
---@param options? {n: integer, dl: DataLoader, nrow: integer, ncol: integer, to: string}
---@return Picture
function answers.show_results(learn, ...)
  local a = results_arguments(...)
  local dl = images.check_loader(a.dl or learn.dls.valid, "show_results")
  local list = images.spread(dl:items(), a.n)
  return core.scope(core.no_grad, function()
    local part <close> = part_of(dl, list)
    local preds, targs = quietly(learn, function()
      return learn:get_preds{dl = part}
    end)
    local seen, cells = images.read(dl, list), {}
    local thresh = model_file.thresh_of(learn)
    for i, image in ipairs(seen) do
      local wanted, said, right = verdict(learn.dls.vocab, preds, targs, i,
        thresh)
      cells[i] = {image = image,
        title = wanted and wanted .. "\n" .. said or said,
        colour = right == false and style.wrong or right and style.right
          or nil, bold = right == false, right = right}
    end
    return finish(grid.picture(cells, {title = "Results", nrow = a.nrow,
      ncol = a.ncol, heading = targs and "Label, answer" or "Answer"}), a.to)
  end)
end

-- --- plot_top_losses ----------------------------------------------------------

local top_arguments = check.public("plot_top_losses", {
  {"k", "integer", 9, min = 1, max = 400, help = "how many images"},
  {"largest", "boolean", true, help = "false: the smallest losses"},
  {"nrow", "integer", min = 1, help = "rows of images"},
  {"ncol", "integer", min = 1, help = "images in a row"}, TO,
}, {
  help = "The images with the largest losses: what the model says / what is "
    .. "right, then loss and probability. Of an Interpretation.",
  example = 'Interpretation.from_learner(learn):plot_top_losses(9)',
})

--- The images with the largest losses.
---@param interp Interpretation
---@param k? integer 9
---@param options? {largest: boolean, nrow: integer, ncol: integer, to: string}
---@return Picture
function answers.plot_top_losses(interp, ...)
  local a = top_arguments(...)
  local dl = images.check_loader(interp.dl, "plot_top_losses")
  local top, items, cells = interp:top_losses(a.k, {largest = a.largest}), {},
    {}
  for i, e in ipairs(top) do items[i] = e.index end
  return core.scope(core.no_grad, function()
    for i, image in ipairs(images.read(dl, items)) do
      local e = top[i]
      cells[i] = {image = image, title = ("%s / %s\n%.2f / %.2f"):format(
        e.predicted, e.actual, e.loss, e.probability)}
    end
    return finish(grid.picture(cells, {title = "Top losses", nrow = a.nrow,
      ncol = a.ncol, heading = "Prediction / actual, loss / probability"}), a.to)
  end)
end

-- --- plot_confusion_matrix ----------------------------------------------------

local confusion_arguments = check.public("plot_confusion_matrix", {
  {"normalize", "boolean", false, help = "shares of each row, not counts"},
  {"title", "string", "Confusion matrix", help = "the heading"},
  {"numbers", "boolean", help = "in the cells; up to 40 classes unless told"},
  TO,
}, {
  help = "Actual classes (rows) against predicted ones (columns), darker where "
    .. "there are more. Of an Interpretation.",
  example = 'interp:plot_confusion_matrix{to = "confusion.png"}',
})

-- Sizes for k classes: the cell's side, its font's.
local function sizes_for(k)
  local side = math.max(7, math.min(42, 640 // k))
  return side, math.max(6, math.min(12, side * 0.36))
end

local function widest(canvas, names, font)
  local most = 0
  for _, name in ipairs(names) do
    most = math.max(most, (canvas:measure(name, font)))
  end
  return math.min(most, 180)
end

local function draw_cells(c, counts, m)
  for i, row in ipairs(counts) do
    local total = 0
    for _, v in ipairs(row) do total = total + v end
    for j, v in ipairs(row) do
      local share = total > 0 and v / total or 0
      local x, y = m.left + (j - 1) * m.side, m.top + (i - 1) * m.side
      c:rect(x, y, m.side, m.side, {fill = style.shade(share)})
      if m.numbers and v > 0 then
        c:text(x + m.side / 2, y + m.side / 2,
          m.normalize and ("%.2f"):format(v) or ("%d"):format(v),
          {size = m.font, align = "centre", valign = "middle",
           colour = share > 0.5 and style.paper or style.ink})
      end
    end
  end
end

local function draw_names(c, names, m)
  local font = {size = m.name_size, colour = style.ink}
  for i, name in ipairs(names) do
    local at = (i - 0.5) * m.side
    c:text(m.left - 6, m.top + at, name, style.with(font, {align = "right",
      valign = "middle", width = m.room, lines = 1}))
    c:text(m.left + at, m.top + #names * m.side + 6, name, style.with(font,
      {align = "right", valign = "middle", angle = -90, width = m.room,
       lines = 1}))
  end
end

local function draw_matrix(c, counts, names, m, title)
  local size = #names * m.side
  draw_cells(c, counts, m)
  c:rect(m.left, m.top, size, size, {stroke = style.frame})
  draw_names(c, names, m)
  c:text(m.left, 10, title, style.with(style.title, {lines = 1,
    width = math.max(60, size)}))
  c:text(10, m.top + size / 2, "actual", style.with(style.label,
    {align = "centre", angle = -90}))
  c:text(m.left + size / 2, m.top + size + m.room + 12, "predicted",
    style.with(style.label, {align = "centre"}))
end

local function names_of(interp, k)
  local names = {}
  for i = 1, k do names[i] = images.name(interp.vocab, i) end
  return names
end

--- The confusion matrix, rows the actual classes.
---@param interp Interpretation
---@param options? {normalize: boolean, title: string, numbers: boolean, to: string}
---@return Picture
function answers.plot_confusion_matrix(interp, ...)
  local a = confusion_arguments(...)
  local matrix <close> = interp:confusion_matrix{normalize = a.normalize}
  local counts = matrix:totable()
  local k = #counts
  local names, side, font = names_of(interp, k), sizes_for(k)
  local m = {side = side, font = font, normalize = a.normalize, top = 38,
             numbers = a.numbers == nil and k <= 40 or a.numbers,
             name_size = math.max(6, math.min(12, side * 0.8))}
  local ruler = Picture.new(1, 1).canvas
  m.room = widest(ruler, names, {size = m.name_size}) + 2
  m.left = 34 + m.room + 6
  local pic = Picture.new(m.left + k * side + 16,
    m.top + k * side + m.room + 36, a.title)
  draw_matrix(pic.canvas, counts, names, m, a.title)
  pic.matrix = m
  return finish(pic, a.to)
end

return answers
