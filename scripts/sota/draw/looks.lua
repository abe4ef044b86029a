-- draw/looks.lua -- how a model looks at images: the kernels of its first
-- convolution, the versions of an image in test-time augmentation.
local core = require "sota.core"
local check = require "sota.check"
local grid = require "sota.draw.grid"
local images = require "sota.draw.images"
local style = require "sota.draw.style"
local to = require "sota.draw.to"

local looks = {}

local TO, finish = to.option, to.finish

-- --- filters ------------------------------------------------------------------

local filter_arguments = check.public("show_filters", {
  {"n", "integer", 64, min = 1, max = 1024, help = "how many, at most"},
  {"ncol", "integer", 8, min = 1, help = "kernels in a row"}, TO,
}, {
  help = "The kernels of the model's first convolution as small images: grey is "
    .. "0, the strongest weight of all is full or none.",
  example = 'learn:show_filters{to = "filters.png"}',
})

local function first_convolution(model)
  for path, m in model:modules() do
    if m.is_conv and m.weight then return m, path end
  end
  check.fail("show_filters: the model has no convolution")
end

--- The kernels of the first convolution.
---@param learn Learner
---@param options? {n: integer, ncol: integer, to: string}
---@return Picture
function looks.show_filters(learn, ...)
  local a = filter_arguments(...)
  local conv, path = first_convolution(learn.model)
  return core.scope(core.no_grad, function()
    local w = conv.weight:detach():to "f32"
    if w:shape(4) ~= 3 and w:shape(4) ~= 1 then
      check.fail("show_filters: the first convolution, %s, reads %d channels; "
        .. "only kernels over 3 or 1 are images", path, w:shape(4))
    end
    local strongest = math.max(w:abs():max():item(), 1e-12)
    local shown, cells = w / (2 * strongest) + 0.5, {}
    for i = 1, math.min(a.n, w:shape(1)) do
      cells[i] = {image = images.of(shown, i)}
    end
    return finish(grid.picture(cells, {title = "Filters of " .. path,
      heading = ("First convolution (%s), %d kernels"):format(path, w:shape(1)),
      ncol = math.min(a.ncol, #cells), side = 48}), a.to)
  end)
end

-- --- test-time augmentation ----------------------------------------------------

local tta_arguments = check.public("show_tta", {
  {"path", "string", required = true, help = "an image file"},
  {"n", "integer", 4, min = 1, max = 100, help = "augmented versions"},
  {"beta", "number", 0.25, min = 0, max = 1, help = "share of the plain one"},
  {"ncol", "integer", min = 1, help = "images in a row"}, TO,
}, {
  help = "An image, its versions in test-time augmentation, and what the model "
    .. "says of each; above them what it says of all together.",
  example = 'learn:show_tta(image, {n = 7})',
})

-- What the model says of the only item of dl in pass number i, and what it saw.
local function look(learn, dl, i)
  local seen
  local loader = {spec = function()
    dl.pass = i
    return dl:spec(function() return i end)
  end}
  local preds = learn:get_preds{dl = loader, cbs = {
    before_batch = function(_, l) seen = l.xb:clone():keep() end}}
  local image = images.of(images.plain(dl, seen), 1)
  seen:close()
  return preds, image
end

local function said(vocab, preds)
  local row = preds:select{dim = 1, index = 1}
  local class = row:argmax(1):item()
  return ("%s %.2f"):format(images.name(vocab, class), row[class])
end

local function all_looks(learn, plain, a)
  local augmented <close> = plain:with{train = true, shuffle = false,
    drop_last = false, workers = 0, name = "tta"}
  local alone, image = look(learn, plain, 0)
  local vocab, sum = learn.dls.vocab, nil
  local cells = {{image = image, title = "plain\n" .. said(vocab, alone)}}
  for i = 1, a.n do
    local preds, seen = look(learn, augmented, i)
    sum = sum and sum + preds or preds
    cells[i + 1] = {image = seen, colour = style.faint,
                    title = ("version %d\n%s"):format(i, said(vocab, preds))}
  end
  local mean = sum / a.n
  return cells, said(vocab, mean + a.beta * (alone - mean))
end

--- An image as test-time augmentation shows it to the model.
---@param learn Learner
---@param path string an image file
---@param options? {n: integer, beta: number, ncol: integer, to: string}
---@return Picture
function looks.show_tta(learn, ...)
  local a = tta_arguments(...)
  if not learn.dls.test_dl then
    check.fail "show_tta: these loaders are not of images"
  end
  local quiet = learn.quiet
  local restore <close> = setmetatable({}, {__close = function()
    learn.quiet = quiet
  end})
  learn.quiet = true
  return core.scope(core.no_grad, function()
    local plain <close> = learn.dls:test_dl(a.path)
    local cells, together = all_looks(learn, plain, a)
    return finish(grid.picture(cells, {title = "Test-time augmentation",
      heading = "together: " .. together, ncol = a.ncol or math.min(#cells, 5)}),
      a.to)
  end)
end

return looks
