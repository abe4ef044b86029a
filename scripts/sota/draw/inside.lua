-- draw/inside.lua -- what a model sees inside: the maps of a layer, and the
-- places of an image that speak for a class (Grad-CAM).
--
-- Grad-CAM (Selvaraju and others, 2017) of class c at a layer with maps A_k:
--     weight_k = mean over places of d logit_c / d A_k
--     cam      = relu(sum over k of weight_k * A_k)
local core = require "sota.core"
local check = require "sota.check"
local grid = require "sota.draw.grid"
local images = require "sota.draw.images"
local to = require "sota.draw.to"

local inside = {}

local TO, finish = to.option, to.finish

-- --- running a model on one image ----------------------------------------------

-- The image as the model gets it (1, H, W, 3), and as people do (H, W, 3).
local function read(learn, path, what)
  if not learn.dls.test_dl then
    check.fail("%s: these loaders are not of images", what)
  end
  local dl <close> = learn.dls:test_dl(path)
  for _, x in dl:batches(1) do
    local kept = x:to "f32":clone()
    return kept, images.of(images.plain(dl, kept), 1)
  end
  check.fail("%s: %s cannot be read", what, path)
end

-- Evaluation mode, and no gradients of the parameters, until it is closed.
local function still(model)
  local was = {}
  for _, m in model:modules() do was[m] = m.training end
  local trained = {}
  for _, t in model:named_parameters() do
    if t:requires_grad() then trained[#trained + 1] = t end
  end
  model:eval():requires_grad(false)
  return setmetatable({}, {__close = function()
    for m, training in pairs(was) do rawset(m, "training", training) end
    for _, t in ipairs(trained) do t:requires_grad(true) end
  end})
end

-- The module at a path, or the last one that gives maps; and its path.
local function layer_of(model, x, path, what)
  local last, last_path, names = nil, nil, {}
  local wanted
  require "sota.nn".watch(function(m, at, y)
    if not at or not core.is_tensor(y) or y:dim() ~= 4 then return end
    names[#names + 1] = at
    if at == path then wanted = m end
    if y:shape(2) * y:shape(3) > 1 then last, last_path = m, at end
  end, model, x)
  if path and not wanted then
    check.fail("%s: no layer '%s' gives maps; these do: %s", what, path,
      table.concat(names, " ", 1, math.min(#names, 12))
      .. (#names > 12 and " ..." or ""))
  end
  if not path and not last then
    check.fail("%s: no layer of the model gives maps of more than one place",
      what)
  end
  return wanted or last, path or last_path
end

-- model(x), and what the layer gave. With `leaf` the layer's output has
-- gradients, and nothing before it does.
local function run(model, layer, x, leaf)
  local maps
  local before = rawget(layer, "forward")
  local forward = layer.forward
  local restore <close> = setmetatable({}, {__close = function()
    rawset(layer, "forward", before)
  end})
  rawset(layer, "forward", function(self, ...)
    maps = forward(self, ...)
    if leaf then maps = maps:detach():clone():requires_grad(true) end
    return maps
  end)
  return model(x), maps
end

-- --- feature maps --------------------------------------------------------------

local maps_arguments = check.public("show_features", {
  {"path", "string", required = true, help = "an image file"},
  {"layer", "string", help = "such as \"1\"; the last that gives maps"},
  {"n", "integer", 15, min = 1, max = 1024, help = "how many maps, at most"},
  {"ncol", "integer", 8, min = 1, help = "maps in a row"}, TO,
}, {
  help = "An image and the first maps that a layer makes of it, each from its "
    .. "smallest value (black) to its largest (light grey). Of a Learner.",
  example = 'learn:show_features(image, {layer = "1"})',
})

-- One map (h, w) as a grey image; white would be lost on the white page.
local BRIGHTEST = 0.88

local function grey(map)
  local low, high = map:min():item(), map:max():item()
  local h, w = map:shape(1), map:shape(2)
  local plain = (map - low) * (high > low and BRIGHTEST / (high - low) or 0)
  return plain:reshape(h, w, 1):expand(h, w, 3):contiguous()
end

--- The maps of a layer.
---@param learn Learner
---@param path string an image file
---@param options? {layer: string, n: integer, ncol: integer, to: string}
---@return Picture
function inside.show_features(learn, ...)
  local a = maps_arguments(...)
  local quiet <close> = still(learn.model)
  return core.scope(core.no_grad, function()
    local x, image = read(learn, a.path, "show_features")
    local layer, at = layer_of(learn.model, x, a.layer, "show_features")
    local _, maps = run(learn.model, layer, x)
    maps = maps:to "f32":select{dim = 1, index = 1}
    local cells, total = {{image = image, title = "image"}}, maps:shape(3)
    for i = 1, math.min(a.n, total) do
      cells[i + 1] = {image = grey(maps:select{dim = 3, index = i}:contiguous()),
                      title = tostring(i)}
    end
    return finish(grid.picture(cells, {title = "Maps of " .. at,
      heading = ("Layer %s: %d maps of %d x %d"):format(at, total, maps:shape(1),
        maps:shape(2)), ncol = math.min(a.ncol, #cells), side = 128}), a.to)
  end)
end

-- --- Grad-CAM ------------------------------------------------------------------

local cam_arguments = check.public("show_cam", {
  {"path", "string", required = true, help = "an image file"},
  {"class", "any", help = "its name or number; the most likely one"},
  {"layer", "string", help = "such as \"4\"; the last that gives maps"},
  TO,
}, {
  help = "An image and the places that speak for a class (Grad-CAM): blue "
    .. "where nothing does, yellow where most does. Of a Learner.",
  example = 'learn:show_cam(image, {class = "cross"})',
})

local function class_of(learn, class, logits)
  if class == nil then return logits:argmax(1):item() end
  local n, vocab = logits:shape(1), learn.dls.vocab
  if math.type(class) == "integer" and class >= 1 and class <= n then
    return class
  end
  local names = {}
  for k = 1, n do
    names[k] = images.name(vocab, k)
    if names[k] == class then return k end
  end
  check.fail("show_cam: class must be a name or a number from 1 to %d, not %s%s",
    n, check.describe(class),
    type(class) == "string" and check.did_you_mean(class, names) or "")
end

-- (to, from): each of `to` places as a mixture of its two neighbours of `from`.
local function spread(from, n)
  local rows = {}
  for i = 1, n do
    local row = {}
    for k = 1, from do row[k] = 0 end
    local at = math.max(1, math.min(from, (i - 0.5) * from / n + 0.5))
    local first = math.min(math.floor(at), math.max(from - 1, 1))
    row[first] = 1 - (at - first)
    if from > 1 then row[first + 1] = at - first end
    rows[i] = row
  end
  return core.tensor(rows)
end

--- Grad-CAM of a class at a layer, from 0 to 1 (h, w); all 0 where nothing
--- speaks for the class.
---@return tensor cam, tensor logits (C), integer class
function inside.cam(learn, layer, x, class)
  local out, maps = run(learn.model, layer, x, true)
  local logits = out:select{dim = 1, index = 1}
  local k = class_of(learn, class, logits:detach():to "f32")
  logits:select{dim = 1, index = k}:to "f32":backward()
  local weights = maps:grad():to "f32":mean{dims = {2, 3}, keepdim = true}
  local cam = (weights * maps:detach():to "f32"):sum{dims = 4}:relu()
    :select{dim = 1, index = 1}
  local most = cam:max():item()
  return most > 0 and cam / most or cam, logits:detach():to "f32", k
end

local LOW, HIGH = {0, 0.447, 0.698}, {0.941, 0.894, 0.259} -- Okabe and Ito

local function over(image, cam)
  local h, w = image:shape(1), image:shape(2)
  local large = spread(cam:shape(1), h):matmul(cam)
    :matmul(spread(cam:shape(2), w):permute(2, 1):contiguous())
    :reshape(h, w, 1)
  local low, high = core.tensor(LOW), core.tensor(HIGH)
  local colours = large * (high - low) + low
  local grey_image = image:mean{dims = 3, keepdim = true}
  return (grey_image * 0.5 + colours * 0.5):contiguous()
end

--- Which places of an image speak for a class.
---@param learn Learner
---@param path string an image file
---@param options? {class: string|integer, layer: string, to: string}
---@return Picture
function inside.show_cam(learn, ...)
  local a = cam_arguments(...)
  local quiet <close> = still(learn.model)
  return core.scope(function()
    local x, image = read(learn, a.path, "show_cam")
    local layer, at = core.no_grad(function()
      return layer_of(learn.model, x, a.layer, "show_cam")
    end)
    local cam, logits, k = inside.cam(learn, layer, x, a.class)
    local name = images.name(learn.dls.vocab, k)
    local share = logits:softmax(1)[k]
    return finish(grid.picture({{image = image, title = "image"},
      {image = over(image, cam), title = ("%s %.2f"):format(name, share)}},
      {title = ("Grad-CAM for %s at %s"):format(name, at), side = 192}), a.to)
  end)
end

return inside
