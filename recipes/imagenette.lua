-- imagenette.lua -- trains an xresnet on Imagenette, from scratch.
--
--   sota-lua recipes/imagenette.lua                          the demo data set
--   sota-lua recipes/imagenette.lua --data imagenette-160    downloads 94 MB
--   sota-lua recipes/imagenette.lua --data FOLDER --arch xresnet50 --size 128
--
-- Shows the whole way: files, transforms, model, one-cycle training, a model
-- file. RESULTS
require "sota.all"

local opt = sota.options{
  "Trains an xresnet from scratch on ten classes.",
  {"data", "demo", "\"demo\", \"imagenette\", \"imagenette-320\", \"imagenette-160\" or a folder with train/ and val/"},
  {"arch", "xresnet18", "the network", choices = sota.models.list()},
  {"size", 64, "height and width that the network sees"},
  {"item_size", 80, "height and width of images before they are augmented"},
  {"epochs", 5, "how often the training set is seen"},
  {"bs", 64, "images in a batch"},
  {"lr", 3e-3, "largest learning rate of the cycle"},
  {"seed", "integer", "where all random numbers come from", optional = true},
  {"workers", -1, "threads that read images; -1: one per core"},
  {"precision", "auto", "of the arithmetic", choices = {"auto", "f32", "bf16"}},
  {"out", "out", "folder for history.csv and model.safetensors"},
}
if opt.seed then sota.set("seed", opt.seed) end
sota.set("precision", opt.precision)

local dblock = DataBlock{
  blocks = {ImageBlock, CategoryBlock},
  get_items = get_image_files,
  get_y = parent_label,
  splitter = GrandparentSplitter{train_name = "train", valid_name = "val"},
  item_tfms = Resize(opt.item_size),
  batch_tfms = {aug_transforms{size = opt.size, min_scale = 0.75},
                Normalize.from_stats(imagenet_stats)},
}
local dls = dblock:dataloaders(open_data(opt.data),
                               {bs = opt.bs, workers = opt.workers})
print(dls)

sota.make_dirs(opt.out)
local model = sota.models[opt.arch]{n_out = dls.c}
local learn = Learner(dls, model, {
  loss_func = CrossEntropyLossFlat(), metrics = accuracy,
  history = opt.out .. "/history.csv",
})
learn:fit_one_cycle(opt.epochs, opt.lr)

learn:save(opt.out .. "/model.safetensors")
print(("accuracy %.4f"):format(learn:validate().accuracy))
