-- Pictures of batches, trainings and answers.
local core = require "sota.core"
if core.draw.missing then
  print "built without Cairo and Pango: skipped"
  os.exit(0)
end

local sota = require "sota"
local check = require "check"
local demo = require "demo"
local mlp = require "mlp"
local style = require "sota.draw.style"
local images = require "sota.draw.images"
local Interpretation = require "sota.interpretation"

local folder <close> = demo.folder()
local path = demo.write(folder)

local function file_begins(name, bytes)
  local file <close> = assert(io.open(name, "rb"))
  return file:read(#bytes) == bytes
end

local function titles(pic)
  local list = {}
  for i, cell in ipairs(pic.cells) do list[i] = cell.title end
  return list
end

-- The image in a cell of a picture, f32 (H, W, 3) from 0 to 1: the middle of
-- each of its pixels.
local function shown(pic, cell)
  local x = pic:pixels()
  for d, e in ipairs{{cell.y, cell.h, cell.rows}, {cell.x, cell.w, cell.columns}} do
    local places = {}
    for i = 1, e[3] do places[i] = math.floor(e[1] + (i - 0.5) * e[2] / e[3]) + 1 end
    x = x:index_select(core.tensor(places, {dtype = "i32"}), {dim = d})
  end
  return x:to "f32" / 255
end

-- --- batches ------------------------------------------------------------------

check.test("show_batch shows the first images of the batch, with labels", function()
  local dls <close> = demo.loaders(path)
  local again <close> = demo.loaders(path)
  local pic = dls:show_batch{n = 4}
  check.equal(#pic.cells, 4)
  local x, y = again.train:one_batch()
  local seen = images.plain(again.train, x)
  for i, cell in ipairs(pic.cells) do
    check.equal(cell.title, dls.vocab[y[i]])
    check.equal({cell.w, cell.h}, {128, 128}) -- 32 pixels, four times
    check.close(shown(pic, cell), images.of(seen, i), 0.003)
  end
end)

check.test("what a model sees is plain again: normalisation undone", function()
  local dls <close> = demo.loaders(path)
  for _, raw, _, rows in dls.valid.source:batches(1) do
    local bare = dls.valid:with{batch_tfms = {}, augment = require "sota.data.transforms".augment{}}
    local x = images.plain(dls.valid, dls.valid:transform(raw, rows, 1))
    local want = images.plain(bare, bare:transform(raw, rows, 1))
    local h = want:shape(2)
    assert(h == 40 and x:shape(2) == 32)
    check.close(x:mean():item(), want:mean():item(), 0.05)
    bare:close()
    break
  end
end)

check.test("unique: one image in many versions", function()
  local dls <close> = demo.loaders(path)
  local pic = dls:show_batch{n = 5, unique = true}
  local names, differ = titles(pic), false
  for i = 2, 5 do
    check.equal(names[i], names[1])
    differ = differ or (shown(pic, pic.cells[i]) - shown(pic, pic.cells[1])):abs():max():item() > 0.02
  end
  assert(differ)
end)

check.test("before: each image over what became of it", function()
  local dls <close> = demo.loaders(path)
  local pic = dls:show_batch{n = 3, before = true}
  check.equal(#pic.cells, 6)
  for i = 1, 3 do
    check.equal(pic.cells[i].title, "before")
    check.equal(pic.cells[i].rows, 40)
    check.equal(pic.cells[i + 3].rows, 32)
    check.close(pic.cells[i].x + pic.cells[i].w / 2, pic.cells[i + 3].x + pic.cells[i + 3].w / 2, 1e-9)
  end
end)

check.test("of any loader; rows, columns; a file at once", function()
  local dls <close> = demo.loaders(path)
  local file = folder.path .. "/batch.svg"
  local pic = dls.valid:show_batch{n = 6, ncol = 2, to = file, title = "six"}
  assert(file_begins(file, "<?xml"))
  check.equal(pic.cells[1].x, pic.cells[3].x)
  assert(pic.cells[2].x > pic.cells[1].x and pic.cells[3].y > pic.cells[1].y)
  check.equal(#dls:show_batch{n = 400}.cells, 10) -- a batch has no more
  check.equal(#dls:show_batch(2).cells, 2)
  local wide = dls:show_batch{n = 4, nrow = 1}
  check.equal(wide.cells[4].y, wide.cells[1].y)
end)

check.test("training goes on as if nobody had looked", function()
  local function losses(look)
    local learn = demo.learner(path, {cbs = sota.callbacks.Mixup()})
    if look then learn:show_batch{n = 2} end
    learn:fit(1, 1e-3)
    local list = learn.recorder.losses
    learn.dls:close()
    learn.opt:zero_grad()
    learn.opt:close()
    return list
  end
  check.equal(losses(true), losses(false))
end)

check.test("learn:show_batch: what Mixup and CutMix make, and the shares", function()
  for _, cb in ipairs{sota.callbacks.Mixup(5), sota.callbacks.CutMix(5)} do
    local learn = demo.learner(path, {cbs = cb})
    local random = core.random_state()
    local pic, blended = learn:show_batch{n = 9}, 0
    check.equal(core.random_state(), random)
    for _, title in ipairs(titles(pic)) do
      local a, b = title:match "^(%d%.%d%d) %a+\n(%d%.%d%d) %a+$"
      if a then
        blended = blended + 1
        check.close(tonumber(a) + tonumber(b), 1, 0.011)
      end
    end
    assert(blended > 3, blended)
    check.equal(rawget(learn, "xb"), nil)
    check.equal(rawget(learn, "blended"), nil)
    check.equal(rawget(learn, "batch_loss"), nil)
    learn.dls:close()
  end
end)

check.test("several labels, and none", function()
  local y = core.tensor{{1, 0, 1}, {0, 0, 0}, {0.25, 0.75, 0}}
  local vocab = {"cat", "dog", "owl"}
  check.equal(images.label(vocab, y, 1), "cat; owl")
  check.equal(images.label(vocab, y, 2), "none")
  check.equal(images.label(vocab, y, 3), "0.25 cat\n0.75 dog")
  check.equal(images.label(nil, core.tensor({2}, {dtype = "i32"}), 1), "2")
  local dls <close> = demo.loaders(path)
  local dl <close> = dls:test_dl(dls.valid.files:path(1))
  check.equal(dl:show_batch().cells[1].title, nil)
end)

-- --- trainings ----------------------------------------------------------------

local function fitted(n_epoch)
  local learn = demo.learner(path)
  learn:fit_one_cycle(n_epoch, 1e-3)
  return learn
end

local function finish(learn)
  learn.dls:close()
  if learn.opt then
    learn.opt:zero_grad()
    learn.opt:close()
  end
end

check.test("the recorder has momentum, and where epochs ended", function()
  local learn = fitted(2)
  local r = learn.recorder
  check.equal({#r.losses, #r.lrs, #r.moms}, {8, 8, 8})
  check.equal(r.iters, {4, 8})
  check.close({r.moms[1], r.moms[3]}, {0.95, 0.85}, 1e-6)
  finish(learn)
end)

check.test("plot_loss: a point for each batch, one for each epoch", function()
  local learn = fitted(2)
  local r = learn.recorder
  local pic = r:plot_loss{skip_start = 2, to = folder.path .. "/loss.png"}
  assert(file_begins(folder.path .. "/loss.png", "\137PNG"))
  local train, valid = table.unpack(pic.charts[1].series)
  check.equal(train.xs, {3, 4, 5, 6, 7, 8})
  check.equal(train.ys[1], r.losses[3])
  check.equal(valid.xs, {4, 8})
  check.equal(valid.ys, {r.values[1].valid_loss, r.values[2].valid_loss})
  check.equal(#r:plot_loss{with_valid = false}.charts[1].series, 1)
  check.equal(#r:plot_loss{skip_start = 100}.charts[1].series[1].xs, 1)
  finish(learn)
end)

check.test("plot_sched and plot_metrics", function()
  local learn = fitted(2)
  local r = learn.recorder
  local rate, momentum = table.unpack(r:plot_sched().charts)
  check.equal(rate.series[1].ys, r.lrs)
  check.equal(momentum.series[1].ys, r.moms)
  local loss, accuracy = table.unpack(r:plot_metrics().charts)
  check.equal(loss.series[2].ys, {r.values[1].valid_loss, r.values[2].valid_loss})
  check.equal(accuracy.title, "accuracy")
  check.equal(accuracy.series[1].xs, {1, 2})
  finish(learn)
end)

check.test("lr_find: the curve, and its suggestions on it", function()
  local Result = require "sota.train.curve"
  local lrs, losses = {}, {}
  for i = 1, 100 do
    lrs[i] = 1e-7 * 1e8 ^ (i / 100)
    losses[i] = 2 - math.exp(-((i - 70) / 20) ^ 2) + (i > 90 and (i - 90) / 5 or 0)
  end
  local found = assert(Result.read(lrs, losses, 100))
  local chart = found:plot().charts[1]
  assert(chart.xlog)
  check.equal(#chart.series[1].xs, 95)
  check.equal(#chart.series, 5)
  for i, name in ipairs(found.rules) do
    local s = chart.series[i + 1]
    check.equal(s.xs[1], found[name])
    assert(s.label:find(name, 1, true))
    local best = 1
    for k, lr in ipairs(lrs) do
      if math.abs(math.log(lr / found[name])) < math.abs(math.log(lrs[best] / found[name])) then best = k end
    end
    check.close(s.ys[1], losses[best], 1e-9)
  end
  check.equal(#found:plot{suggestions = false}.charts[1].series, 1)
end)

-- --- answers ------------------------------------------------------------------

check.test("show_results: labels and answers of items all over the set", function()
  local learn = demo.learner(path)
  local pic = learn:show_results{n = 5}
  local preds, targs = learn:get_preds()
  for i, item in ipairs{3, 7, 11, 15, 19} do
    local row = preds:select{dim = 1, index = item}
    local class = row:argmax(1):item()
    check.equal(pic.cells[i].title, ("%s\n%s %.2f"):format(learn.dls.vocab[targs[item]],
      learn.dls.vocab[class], row[class]))
    local right = class == targs[item]
    check.equal(pic.cells[i].colour, right and style.right or style.wrong)
  end
  check.equal(#learn:show_results{n = 400}.cells, 20)
  local dl <close> = learn.dls:test_dl(learn.dls.valid.files:path(1))
  check.equal(#learn:show_results{dl = dl}.cells, 1)
  assert(not learn:show_results{dl = dl}.cells[1].title:find "\n")
  finish(learn)
end)

check.test("plot_top_losses: the worst first, with the right images", function()
  local learn = demo.learner(path)
  local interp = Interpretation.from_learner(learn)
  local pic, top = interp:plot_top_losses(3), interp:top_losses(3)
  check.equal(#pic.cells, 3)
  for i, e in ipairs(top) do
    assert(pic.cells[i].title:find(("%.2f / %.2f"):format(e.loss, e.probability), 1, true))
    local wanted = images.read(learn.dls.valid, {e.index})[1]
    check.close(shown(pic, pic.cells[i]), wanted, 0.003)
  end
  finish(learn)
end)

local function counted()
  local i32 = {dtype = "i32"}
  return Interpretation.new{preds = core.tensor({1, 1, 2, 2, 2, 3, 3, 3, 1}, i32),
    targs = core.tensor({1, 1, 2, 2, 2, 3, 3, 1, 3}, i32), vocab = {"cat", "dog", "owl"}}
end

check.test("plot_confusion_matrix: shades by share of the row", function()
  local pic = counted():plot_confusion_matrix{numbers = false}
  local m, x <close> = pic.matrix, pic:pixels()
  local want = {{2 / 3, 0, 1 / 3}, {0, 1, 0}, {1 / 3, 0, 2 / 3}}
  for i = 1, 3 do
    for j = 1, 3 do
      local row = math.floor(m.top + (i - 0.5) * m.side)
      local p = x[row + 1][math.floor(m.left + (j - 0.5) * m.side) + 1]:totable()
      check.equal(p[1] << 24 | p[2] << 16 | p[3] << 8 | 0xff, style.shade(want[i][j]))
    end
  end
  local svg = counted():plot_confusion_matrix{normalize = true, title = "Shares"}.canvas:svg()
  for _, text in ipairs{"Shares", "cat", "dog", "owl", "actual", "predicted", "0.67", "1.00"} do
    assert(svg:match "<desc>(.-)</desc>":find(text, 1, true), text)
  end
  assert(not svg:match "<desc>(.-)</desc>":find "0%.00")
end)

check.test("many classes, long names", function()
  local n, list, vocab = 120, {}, {}
  for i = 1, n do list[i], vocab[i] = i, ("a class with a long name, number %d"):format(i) end
  local classes = core.tensor(list, {dtype = "i32"})
  local pic = Interpretation.new{preds = classes, targs = classes, vocab = vocab}:plot_confusion_matrix()
  local w, h = pic:size()
  assert(w < 1200 and h < 1200, w .. "x" .. h)
end)

check.test("show_filters: grey is zero, the strongest weight is full", function()
  local learn = demo.learner(path)
  local pic = learn:show_filters{n = 4}
  check.equal(#pic.cells, 4)
  local lo, hi = 1, 0
  local all = learn:show_filters()
  for _, cell in ipairs(all.cells) do
    check.equal({cell.rows, cell.columns}, {3, 3})
    local image = shown(all, cell)
    lo, hi = math.min(lo, image:min():item()), math.max(hi, image:max():item())
  end
  check.close(math.max(0.5 - lo, hi - 0.5), 0.5, 0.003)
  finish(learn)
end)

check.test("show_tta: what learn:tta says of the file", function()
  local learn = demo.learner(path)
  local file = learn.dls.valid.files:path(1)
  local pic = learn:show_tta(file, {n = 2})
  check.equal(#pic.cells, 3)
  local dl <close> = learn.dls:test_dl(file)
  local preds = learn:tta{dl = dl, n = 2}
  local row = preds:select{dim = 1, index = 1}
  local class = row:argmax(1):item()
  local svg = pic.canvas:svg()
  assert(svg:find(("together: %s %.2f"):format(learn.dls.vocab[class], row[class]), 1, true))
  check.equal(learn.quiet, true)
  finish(learn)
end)

check.test("Grad-CAM before a mean and a Linear is CAM: weights of the head times maps", function()
  local nn = sota.nn
  core.set("seed", 3)
  local model = nn.Sequential{nn.Conv2d(3, 6, {kernel_size = 3, padding = 1}), nn.ReLU(), nn.AdaptiveAvgPool(1),
                              nn.Flatten(), nn.Linear(6, 4)}:eval()
  core.scope(function()
    local x = check.pattern(5, {1, 3, 5, 7}, 2)
    local maps = model[2](model[1](x)):detach()
    local weight, cells = model[5].weight:detach(), maps:reshape(35, 6)
    local seen = 0
    for class = 1, 4 do
      local scores = cells:matmul(weight:select{dim = 1, index = class}:reshape(6, 1)):reshape(35)
      local most = scores:max():item()
      local want = most > 0 and scores:relu() / most or scores * 0
      if most > 0 then seen = seen + 1 end
      local cam, _, k = require "sota.draw.inside".cam({model = model, dls = {}}, model[2], x, class)
      check.equal({k, cam:shape()}, {class, {5, 7}})
      check.close(cam:reshape(35):totable(), want:totable(), 1e-4)
    end
    assert(seen >= 2)
    model:zero_grad()
  end)
end)

check.test("show_cam: image and places; the model is left as it was", function()
  local learn = demo.learner(path)
  local file = learn.dls.valid.files:path(3)
  learn.model:train()
  local pic = learn:show_cam(file, {class = learn.dls.vocab[2]})
  check.equal(#pic.cells, 2)
  assert(pic.cells[2].title:find(learn.dls.vocab[2], 1, true) == 1)
  assert((shown(pic, pic.cells[1]) - shown(pic, pic.cells[2])):abs():max():item() > 0.05)
  for _, m in learn.model:modules() do
    assert(m.training and rawget(m, "forward") == nil)
  end
  for _, p in learn.model:named_parameters() do
    assert(p:requires_grad() and p:grad() == nil)
  end
  check.fails("class must be a name or a number from 1 to 10, not 11", learn.show_cam, learn, file, {class = 11})
  check.fails("show_cam: no layer 'x' gives maps", learn.show_cam, learn, file, {layer = "x"})
  assert(learn.model.training)
  finish(learn)
end)

check.test("show_features: each map from its smallest value to its largest", function()
  local learn = demo.learner(path)
  local file = learn.dls.valid.files:path(3)
  local maps
  core.scope(function()
    local dl <close> = learn.dls:test_dl(file)
    local x
    for _, xb in dl:batches(1) do x = xb:to "f32":clone() end
    learn.model:eval()
    core.no_grad(function()
      sota.nn.watch(function(_, at, y)
        if at == "1" then maps = y:select{dim = 1, index = 1}:clone():keep() end
      end, learn.model, x)
    end)
  end)
  local pic = learn:show_features(file, {layer = "1", n = 3})
  check.equal(titles(pic), {"image", "1", "2", "3"})
  for i = 1, 3 do
    local map = maps:select{dim = 3, index = i}:contiguous()
    local low, high = map:min():item(), map:max():item()
    local want = (map - low) * (0.88 / math.max(high - low, 1e-12))
    local image = shown(pic, pic.cells[i + 1]):select{dim = 3, index = 1}:contiguous()
    check.close(image, want, 0.004)
  end
  maps:close()
  check.fails("show_features: no layer 'x' gives maps; these do: 0 1 2", learn.show_features, learn, file, {layer = "x"})
  finish(learn)
end)

-- --- mistakes -----------------------------------------------------------------

check.test("mistakes", function()
  local dls <close> = demo.loaders(path)
  check.fails("show_batch: unknown option 'uniqe'; did you mean 'unique'?", dls.show_batch, dls, {uniqe = true})
  check.fails("show_batch: 'n' must be at least 1", dls.show_batch, dls, {n = 0})
  check.fails("must end in .png or .svg", dls.show_batch, dls, {to = "batch.gif"})
  check.fails("cannot be written", dls.show_batch, dls, {to = "/no/such/folder/x.png"})
  local bad = folder.path .. "/bad.jpg"
  local file <close> = assert(io.open(bad, "w"))
  file:write "no image"
  file:close()
  local unreadable <close> = dls:test_dl(bad):with{on_bad = "skip"}
  check.fails("there is no batch", unreadable.show_batch, unreadable)
  local learn = mlp.learner()
  check.fails("show_batch: needs a loader of images", learn.show_batch, learn)
  check.fails("show_results: needs a loader of images", learn.show_results, learn)
  check.fails("the model has no convolution", learn.show_filters, learn)
  check.fails("plot_top_losses: needs a loader of images", counted().plot_top_losses, counted())
  learn:validate()
  local empty_recorder = setmetatable({values = {}, names = {}}, core.recorder_meta)
  check.fails("plot_loss: there are no training batches to plot; fit first", empty_recorder.plot_loss, empty_recorder)
  check.fails("plot_metrics: no epoch is complete", empty_recorder.plot_metrics, empty_recorder)
  check.equal(empty_recorder.nothing, nil)
end)

check.test("each has its help", function()
  local lines, old = {}, print
  for _, name in ipairs{"show_batch", "show_results", "plot_loss", "plot_sched", "plot_metrics", "lr_find:plot",
                        "plot_confusion_matrix", "plot_top_losses", "show_filters", "show_tta", "show_features",
                        "show_cam", "save"} do
    print = function(s) lines[#lines + 1] = s end
    local ok, why = pcall(sota.help, name)
    print = old
    assert(ok, why)
    assert(lines[#lines]:find(name .. "[{(].- %-%- method of "), name)
    assert(lines[#lines]:find("example: ", 1, true), name)
  end
end)

check.done()
