-- tta.lua -- Learner:tta, test-time augmentation: what a model says of several
-- versions of each image, together.
local cat_rows = require "sota.cat_rows"
local core = require "sota.core"
local check = require "sota.check"
local views = require "sota.data.views"

local tta = {}

local function larger(a, b) return core.maximum(a, b) end
local function added(a, b) return a + b end

-- The list's tensors together, by the mean, or the largest of each element.
local function together(list, use_max)
  local all = list[1]
  for i = 2, #list do all = (use_max and larger or added)(all, list[i]) end
  return use_max and all or all / #list
end

-- --- one bar over all passes ------------------------------------------------

local Passes = {}
Passes.__index = Passes

-- total: batches of all passes.
local function start_passes(learn, total)
  local self = setmetatable({learn = learn, quiet = learn.quiet, done = 0,
                             items = 0}, Passes)
  self.bar = not learn.quiet and core.progress("tta", total, "img")
  learn.quiet = true -- no bar for each pass
  return self
end

function Passes:__close()
  self.learn.quiet = self.quiet
  if self.bar then self.bar:clear() end
end

-- get_preds of one pass.
function Passes:preds(loader)
  local count = {order = 1001, after_batch = function(_, learn)
    self.done, self.items = self.done + 1, self.items + learn.bs
    if self.bar then self.bar:update(self.done, self.items) end
  end}
  return self.learn:get_preds{dl = loader, cbs = count}
end

-- --- passes -----------------------------------------------------------------

local function form_of(train)
  return {train = train, shuffle = false, drop_last = false, name = "tta"}
end

-- dl in training form and plainly, in its own order and whole; both keep the
-- decoded images for each other. A loader that cannot be changed stays as it
-- is.
local function forms(dl, megabytes)
  if not dl.with then return dl, dl end
  local augmented = dl.kept and dl:kept(form_of(true), megabytes)
    or dl:with(form_of(true))
  return augmented, augmented:with(form_of(false))
end

-- A pass draws by its number, as training does by its epoch.
local function of_pass(dl, number)
  return {spec = function()
    dl.pass = number
    return dl:spec(function() return number end)
  end}
end

local function batches_of(dl) return dl:spec(function() return 1 end).n end

local function same_size(preds, first)
  local n, want = preds:shape(1), first:shape(1)
  if n ~= want then
    check.fail("tta: one pass gave %d items, another %d; every pass must see "
      .. "the same images", want, n)
  end
  return preds
end

-- The mean (or the largest) of n passes in training form, and the plain one.
local function random_passes(learn, dl, a)
  local augmented, plain = forms(dl, a.cache)
  local passes <close> = start_passes(learn, a.n * batches_of(augmented)
    + batches_of(plain))
  local list, targs = {}, nil
  for i = 1, a.n do
    list[i] = passes:preds(of_pass(augmented, i))
    list[i] = same_size(list[i], list[1])
  end
  local last
  last, targs = passes:preds(of_pass(plain, 0))
  same_size(last, list[1])
  return together(list, a.use_max), last, targs
end

local function view_passes(learn, dl, a)
  if not (dl.source and dl.transform) then
    check.fail("tta: views need a loader of images, such as dls.valid")
  end
  local plain = dl:with(form_of(false))
  local loader, sizes = views.loader(plain, a.views)
  local n = views.count(a.views)
  local passes <close> = start_passes(learn, n * #plain)
  local all, targs = passes:preds(loader)
  local out, at = {}, 1
  for b, size in ipairs(sizes) do
    local list = {}
    for v = 1, n do
      list[v] = all:slice{dim = 1, first = at, last = at + size - 1}
      at = at + size
    end
    out[b] = together(list, a.use_max)
  end
  return cat_rows(out), targs
end

-- --- Learner:tta ------------------------------------------------------------

local arguments = check.spec("tta", {
  {"n", "integer", 4, min = 1}, {"beta", "number boolean", 0.25, min = 0,
                                 max = 1},
  {"use_max", "boolean", false}, {"dl", "table"},
  {"ds_idx", "integer", 2, min = 1, max = 2},
  {"views", "string", choices = views.names},
  {"cache", "integer", min = 0},
  {"item_tfms", "any"}, {"batch_tfms", "any"},
})

local function loader_of(learn, a)
  local dl = a.dl or (a.ds_idx == 1 and learn.dls.train or learn.dls.valid)
  if type(dl) ~= "table" or not dl.spec then
    check.fail("tta: dl must be a loader, such as dls.valid or "
      .. "dls:test_dl(paths), not %s", check.describe(dl))
  end
  if not (a.item_tfms or a.batch_tfms) then return dl end
  if not dl.with_tfms then
    check.fail("tta: item_tfms and batch_tfms need a loader of images, such as "
      .. "dls.valid")
  end
  return dl:with_tfms(a.item_tfms, a.batch_tfms)
end

--- Test-time augmentation: n passes over a loader with the transforms of
--- training (the model in evaluation mode), and a plain one. Gives
--- (1 - beta) * mean of the n + beta * plain, or with use_max the largest of
--- all; with beta = false the augmented and the plain predictions, apart.
--- views instead takes fixed versions of the plain image, all alike: "flip" (it
--- and its mirror image), "fivecrop" (corners and middle, 7/8 of each side),
--- "tencrop" (those, mirrored too). cache: megabytes for decoded images, which
--- passes share; a quarter of the free memory unless told, 0 for none. item_tfms
--- and batch_tfms replace the loader's in all passes; its Normalize stays unless
--- there is one in them.
---@param options? {n: integer, beta: number|false, use_max: boolean, dl: DataLoader, ds_idx: integer, views: "flip"|"fivecrop"|"tencrop", cache: integer, item_tfms: any, batch_tfms: any}
---@return tensor preds probabilities (N, C), in the order of the set
---@return tensor? targs class numbers (N); after preds, plain with beta = false
---@example learn:tta{n = 2}
function tta.tta(learn, ...)
  local a = arguments(...)
  if a.beta == true then check.fail("tta: beta is a number, or false") end
  local dl = loader_of(learn, a)
  return core.no_grad(function()
    if a.views then return view_passes(learn, dl, a) end
    local augmented, plain, targs = random_passes(learn, dl, a)
    if a.use_max then return larger(augmented, plain), targs end
    if not a.beta then return augmented, plain, targs end
    return augmented + a.beta * (plain - augmented), targs
  end)
end

return tta
