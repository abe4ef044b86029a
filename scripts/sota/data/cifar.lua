-- data/cifar.lua -- CIFAR-10 from its binary files: 60000 images of 32x32
-- pixels, whole in memory, so that an epoch reads no file.
local core = require "sota.core"
local check = require "sota.check"
local block = require "sota.data.block"
local loaders = require "sota.data.loaders"
local transforms = require "sota.data.transforms"

local SIDE = 32

local cifar = {}

--- Means and deviations of CIFAR-10's training images, to four digits
--- (cifar_stats are fastai's, rounded).
---@example Normalize.from_stats(cifar10_stats)
cifar.cifar10_stats = {{0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}}

--- What airbench does to training images of CIFAR-10's size: mirrored in every
--- other epoch, and moved by up to `pad` pixels over a reflected border. Images
--- of other sizes are resized first.
---@param size? integer 32
---@param pad? integer 2
---@return table[] item_tfms
---@example cifar_transforms()
function cifar.cifar_transforms(size, pad)
  size = size or SIDE
  return {transforms.Resize(size), transforms.AlternatingFlip(),
          transforms.RandomCrop{size, pad = pad or 2, pad_mode = "reflection"}}
end

local arguments = check.spec("ImageDataLoaders.from_cifar10", {
  {"path", "string", required = true}, {"item_tfms", "any"},
  {"batch_tfms", "any"}, {"bs", "integer", 1024, min = 1},
  {"val_bs", "integer", min = 1}, {"seed", "integer", min = 0},
  {"workers", "integer", -1, min = -1},
})

-- The rows first..last, for a loader.
local function range(first, last)
  local list = {}
  for row = first, last do list[#list + 1] = row end
  return core.data.rows(list)
end

-- What both loaders have.
local function open(a)
  local files = core.data.files()
  local images, n, names = check.call(core.data.cifar, a.path, files)
  local item = transforms.list(a.item_tfms or cifar.cifar_transforms(), "item")
  local batch = transforms.list(a.batch_tfms
    or transforms.Normalize.from_stats(cifar.cifar10_stats), "batch")
  return {files = files, vocab = core.data.vocab(names), multi = false,
    seed = a.seed or core.get "seed", workers = a.workers, on_bad = "error",
    item_tfms = item, batch_tfms = batch,
    pipeline = transforms.pipeline(item),
    augment = transforms.augment(batch), decoded = images, resident = true}, n
end

local function one(common, own)
  for k, v in pairs(common) do
    if own[k] == nil then own[k] = v end
  end
  return loaders.new(own)
end

--- The folder of CIFAR-10's binary version: data_batch_1.bin to
--- data_batch_5.bin for training, test_batch.bin for validation, names of the
--- classes from batches.meta.txt. Everything is read now and stays in memory
--- (190 MB); the defaults of item_tfms and batch_tfms are airbench's:
--- cifar_transforms() and Normalize.from_stats(cifar10_stats).
---@param path string
---@param options? {item_tfms: any, batch_tfms: any, bs: integer, val_bs: integer, seed: integer, workers: integer}
---@return DataLoaders
---@example ImageDataLoaders.from_cifar10(untar_data(URLs.CIFAR10)) -- downloads
function block.ImageDataLoaders.from_cifar10(...)
  local a = arguments(...)
  local common, n = open(a)
  local train = one(common, {rows = range(1, n), train = true, bs = a.bs,
    shuffle = true, drop_last = true, name = "train"})
  loaders.measure(train)
  common.augment = train.augment
  local valid = range(n + 1, #common.files)
  return loaders.pair(train, one(common, {rows = valid, train = false,
    bs = math.min(a.val_bs or a.bs, #valid), shuffle = false,
    drop_last = false, name = "valid"}), {path = a.path})
end

return cifar
