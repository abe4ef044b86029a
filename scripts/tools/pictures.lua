--- Draws the pictures of the guide, from the demo data set:
---
---   sota-lua scripts/tools/pictures.lua [folder]
---
--- From the root of the repository; the folder is docs/pictures unless given.
--- Trains a narrow network for some epochs, so it takes minutes. Needs pngquant:
--- few colours make small files. Those of the tour are made by tour.lua.
require "sota.all"

local folder = arg[1] or "docs/pictures"
sota.make_dirs(folder)
sota.set("seed", 3)

local draw = sota.draw

local COLOURS = 48

local function save(pic, name)
  local path = folder .. "/" .. name
  pic:save(path, {scale = 1})
  assert(os.execute(("pngquant --nofs --strip --force --output '%s' %d '%s'")
    :format(path, COLOURS, path)), "pngquant failed")
  local file <close> = assert(io.open(path, "rb"))
  print(("%-24s %6d bytes"):format(name, #file:read "a"))
end

local function loaders(size, options)
  local o = {valid = "val", bs = 64, seed = 3, item_tfms = Resize(size * 5 // 4),
    batch_tfms = {aug_transforms{size = size, min_scale = 0.75},
                  Normalize.from_stats(imagenet_stats)}}
  for k, v in pairs(options or {}) do o[k] = v end
  return ImageDataLoaders.from_folder(demo_data(), o)
end

local function narrow(n_out)
  return xresnet18{n_out = n_out, stem_szs = {8, 8, 64}, widen = 0.25}
end

-- --- batches ------------------------------------------------------------------

local function batches()
  local dls <close> = loaders(64, {seed = 4})
  sota.set("seed", 4)
  local learn = Learner(dls, narrow(dls.c), {cbs = Mixup()})
  save(learn:show_batch{n = 5, ncol = 5}, "mixup.png")
  learn.cbs = {CutMix()}
  save(learn:show_batch{n = 5, ncol = 5}, "cutmix.png")
  save(dls:show_batch{n = 5, ncol = 5, unique = true}, "augmentations.png")
  save(dls:show_batch{n = 3, before = true}, "before-after.png")
end

-- --- plans: what happens epoch by epoch, or to a target ------------------------

local function sizes()
  local n, growing = 20, ProgressiveResize{from = 128, to = 224}
  local xs, ys = {}, {}
  for epoch = 1, n + 1 do -- the last step has a width too
    xs[epoch] = epoch - 0.5
    ys[epoch] = growing:size_at(math.min(epoch, n), n, 224)
  end
  local chart = draw.Chart.new{title = "Size of the training images",
    xlabel = "epoch", ylabel = "pixels", xwhole = true, ylim = {112, 240},
    yticks = {128, 160, 192, 224}, height = 280}
  chart:line(xs, ys, {stairs = true, label = "ProgressiveResize{from = 128}"})
  save(chart:picture(), "sizes.png")
end

local function targets()
  local names, eps, plain, smooth = {}, 0.1, {}, {}
  local dls <close> = loaders(32)
  for k = 1, dls.c do
    names[k] = dls.vocab[k]
    plain[k] = names[k] == "star" and 1 or 0
    smooth[k] = (1 - eps) * plain[k] + eps / dls.c
  end
  local chart = draw.Chart.new{title = "Target of an image of a star",
    categories = names, ylabel = "probability", width = 720, height = 280}
  chart:bars(plain, {label = "cross-entropy"})
  chart:bars(smooth, {label = "label smoothing, eps = 0.1"})
  save(chart:picture(), "label-smoothing.png")
end

-- --- a training ---------------------------------------------------------------

local function training()
  local dls <close> = loaders(32)
  local learn = Learner(dls, narrow(dls.c), {metrics = accuracy})
  learn:activations()
  learn:fit_one_cycle(4, 3e-3)
  save(learn:activations():color_dim{layers = {"0", "4.0.convpath.0",
    "7.1.convpath.1", "11"}}, "activations.png")
  save(learn.recorder:plot_sched(), "schedule.png")
  save(learn:show_results{n = 6, ncol = 6}, "results.png")
  save(learn:show_filters(), "filters.png")
  local _, _, rows = dls.valid:one_batch()
  save(learn:show_tta(dls.valid.files:path(rows[1])), "tta.png")
end

batches()
sizes()
targets()
training()
