-- Learner on a small set of real images: training, determinism, memory, files,
-- errors.
local core = require "sota.core"
local sota = require "sota"
local check = require "check"
local demo = require "demo"

core.set("precision", "f32") -- numbers are compared

local folder <close> = demo.folder()
local path = demo.write(folder)

local function state(learn)
  local values = {}
  for i, e in ipairs(learn.model:state_dict()) do
    values[i] = {e.name, e.tensor:totable()}
  end
  return values
end

-- --- training ---------------------------------------------------------------

check.test("fit_one_cycle makes the loss fall", function()
  local learn, sums = demo.learner(path), {}
  learn.cbs[1] = {run_valid = false, after_batch = function(_, l)
    sums[l.epoch] = (sums[l.epoch] or 0) + l.loss / l.n_iter
  end}
  learn:fit_one_cycle(6, 1e-2)
  assert(sums[6] < sums[1] - 0.2, sums[6] .. " from " .. sums[1])
  check.equal({#learn.recorder.losses, #learn.recorder.values}, {24, 6})
  check.equal(learn.recorder.values[6].epoch, 6)
  check.equal(learn.recorder.names, {"accuracy"})
end)

check.test("the same seed gives the same bits, for any number of workers",
  function()
    local first
    for _, workers in ipairs{0, 0, 1, 4} do
      local learn = demo.learner(path, {dls = {workers = workers},
                                        cbs = sota.callbacks.Mixup()})
      learn:fit_one_cycle(2, 1e-2)
      local got = {state(learn), learn.recorder.losses,
                   learn.recorder.values[2].valid_loss}
      first = first or got
      check.equal(got, first, workers .. " workers")
      learn.dls:close()
    end
  end)

check.test("a fit that was cut short counts the epochs it completed", function()
  local learn = demo.learner(path)
  local function stop(epoch)
    return {after_batch = function(_, l)
      if l.epoch == epoch then error(core.cancel.fit) end
    end}
  end
  learn:fit(4, 1e-3, {cbs = stop(3)})
  check.equal({learn.epochs_done, #learn.recorder.values}, {2, 2})
  check.fails("the order of a callback must be a number", learn.fit, learn, 1,
    {cbs = {order = "x", after_fit = print}})
  check.equal(learn.epochs_done, 2)
end)

check.test("a second fit goes on with the order of the training set", function()
  local function batches(...)
    local seen, learn = {}, demo.learner(path)
    learn.cbs[1] = {run_valid = false, before_batch = function(_, l)
      seen[#seen + 1] = table.concat(l.yb:totable(), " ")
    end}
    for _, n in ipairs{...} do learn:fit(n, 0) end
    check.equal(learn.epochs_done, 3)
    return seen
  end
  local whole = batches(3)
  check.equal(batches(1, 2), whole)
  assert(whole[1] ~= whole[5], "each epoch has its own order")
end)

check.test("memory is flat from the second epoch on", function()
  local learn, bytes = demo.learner(path), {}
  learn.cbs[1] = {order = 70, after_epoch = function()
    collectgarbage()
    collectgarbage()
    bytes[#bytes + 1] = core.memory()
  end}
  learn:fit_one_cycle(4, 1e-3)
  check.equal(bytes[3], bytes[2])
  check.equal(bytes[4], bytes[2])
end)

-- --- the table and history.csv ----------------------------------------------

check.test("history.csv: a row an epoch, counted from 1", function()
  local file = folder.path .. "/history.csv"
  local learn = demo.learner(path, {history = file})
  learn:fit(2, 1e-3)
  local lines = {}
  for line in io.lines(file) do lines[#lines + 1] = line end
  check.equal(lines[1], "epoch,train_loss,valid_loss,accuracy,time")
  check.equal(#lines, 3)
  assert(lines[2]:find "^1," and lines[3]:find "^2,", lines[2])
  local row = learn.recorder.values[2]
  local train, valid = lines[3]:match "^2,([^,]+),([^,]+),"
  check.equal({tonumber(train), tonumber(valid)},
    {row.train_loss, row.valid_loss})
end)

-- --- using ------------------------------------------------------------------

check.test("validate, get_preds and metrics of any kind agree", function()
  local learn = demo.learner(path, {metrics = {
    sota.metrics.accuracy, sota.metrics.error_rate,
    sota.metrics.named("constant", function() return 7 end),
    sota.metrics.top_k_accuracy{k = 3},
  }})
  learn:fit(1, 1e-2)
  local recorder = learn.recorder
  local row = learn:validate()
  check.equal(learn.recorder, recorder)
  check.close({row.valid_loss, row.accuracy}, {recorder.values[1].valid_loss,
    recorder.values[1].accuracy}, 1e-6)
  check.equal({row[1], row[2], row[4]}, {row.valid_loss, row.accuracy, 7})
  check.close(row.accuracy + row.error_rate, 1, 1e-6)
  local preds, targs = learn:get_preds()
  check.equal({preds:shape(), targs:shape()}, {{20, 10}, {20}})
  check.close(preds:sum{2}, core.ones{20}, 1e-5, "probabilities")
  check.close(sota.metrics.accuracy(preds, targs), row.accuracy, 1e-6)
  check.equal(row.top_3_accuracy >= row.accuracy, true)
  local logits = learn:get_preds{act = false}
  check.close(logits:softmax(-1), preds, 1e-6)
  for i, targ in ipairs(targs:totable()) do -- in the order of the set
    local name = learn.dls.valid.files:labels(learn.dls.valid.o.rows[i])[1]
    check.equal(learn.dls.vocab[targ], name)
  end
end)

check.test("loaders over unlabelled files", function()
  local learn = demo.learner(path)
  local files = learn.dls.valid.files
  local list = {files:path(41), files:path(60), files:path(1)}
  local preds, targs = learn:get_preds{dl = learn.dls:test_dl(list)}
  check.equal(preds:shape(), {3, 10})
  check.equal(targs, nil)
  local all = learn:get_preds()
  check.close(preds:select{dim = 1, index = 2},
    all:select{dim = 1, index = 20}, 1e-5, "as in validation")
end)

-- --- files ------------------------------------------------------------------

check.test("save, load and load_learner give the same answers", function()
  local learn = demo.learner(path, {path = folder.path})
  learn:fit_one_cycle(2, 1e-2)
  local image = learn.dls.valid.files:path(45)
  local label, k, wanted = learn:predict(image)
  check.equal(learn.dls.vocab[k], label)
  check.close(wanted:sum(), 1, 1e-5)
  local file = learn:save "net"
  check.equal(file, folder.path .. "/models/net.safetensors")

  core.set("seed", 99)
  local other = sota.Learner(demo.loaders(path), demo.model(10),
    {quiet = true, path = folder.path})
  assert(not pcall(check.equal, state(other), state(learn)), "another seed")
  other:load "net"
  check.equal(state(other), state(learn))
  local _, _, probabilities = other:predict(image)
  check.equal(probabilities, wanted:totable())

  local alone = sota.model_file.load_learner(file)
  local name, class, third = alone:predict(image)
  check.equal({name, class}, {label, k})
  check.equal(third, wanted:totable())
end)

check.test("measured statistics are in the file", function()
  local data = sota.data
  core.set("seed", 1)
  local dls = data.DataBlock{
    splitter = data.GrandparentSplitter{valid_name = "val"},
    item_tfms = data.RandomResizedCrop(32, {min_scale = 0.5}),
    batch_tfms = data.Normalize(),
  }:dataloaders(path, {bs = 20, workers = 0})
  local learn = sota.Learner(dls, demo.model(10), {quiet = true})
  local file = learn:save(folder.path .. "/measured.safetensors")
  local image = dls.valid.files:path(41)
  local label, _, wanted = learn:predict(image)
  local name, _, got = sota.model_file.load_learner(file):predict(image)
  check.equal(name, label)
  check.equal(got, wanted:totable())
end)

check.test("the file says what predicting needs", function()
  local learn = demo.learner(path)
  local file = learn:save(folder.path .. "/says.safetensors")
  local _, metadata = core.safetensors.load(file, {oihw = true})
  local arch = core.json.decode(metadata.architecture)
  check.equal(arch, {name = "xresnet18", options = {n_out = 10,
    stem_szs = {8, 8, 64}, widen = 0.125}})
  check.equal(core.json.decode(metadata.classes), learn.dls.vocab:totable())
  check.equal(core.json.decode(metadata.size), {32, 32})
  check.close(core.json.decode(metadata.statistics).mean,
    sota.data.imagenet_stats[1], 1e-6)
end)

check.test("a model made with functions needs its maker", function()
  local model = sota.models.xresnet18{n_out = 10, stem_pool = sota.nn.Identity}
  check.equal(model.arch.left_out, {"stem_pool"})
  local learn = sota.Learner(demo.loaders(path), model, {quiet = true})
  local file = learn:save(folder.path .. "/made.safetensors")
  check.fails("with the option stem_pool, which a file cannot hold",
    sota.model_file.load_learner, file)
end)

check.test("a model for other classes is refused, with both lists", function()
  local learn = demo.learner(path)
  local file = learn:save(folder.path .. "/ten.safetensors")
  local two = folder.path .. "/two"
  for _, set in ipairs{"train", "val"} do
    core.make_dirs(two .. "/" .. set)
    os.execute(("cp -r '%s/%s/ring' '%s/%s/star' '%s/%s/'"):format(path, set,
      path, set, two, set))
  end
  local dls = demo.loaders(two, {bs = 4})
  local other = sota.Learner(dls, demo.model(2), {quiet = true})
  check.fails("was trained for the classes checkers, cross, disc, dots, ring, "
    .. "spiral, square, star, stripes, triangle; dls has ring, star",
    other.load, other, file)
end)

check.test("files that are none, or not ours", function()
  local learn = demo.learner(path)
  check.fails("nothing.safetensors", learn.load, learn,
    folder.path .. "/nothing.safetensors")
  local junk = folder.path .. "/junk.safetensors"
  local f <close> = assert(io.open(junk, "wb"))
  f:write(("x"):rep(100))
  f:close()
  check.fails("junk.safetensors", learn.load, learn, junk)
  core.safetensors.save(junk, {"w"}, {w = core.ones{2}}, {})
  check.fails("does not say its architecture and classes",
    sota.model_file.load_learner, junk)
  check.fails("predict: wants the name of an image file, not 3", learn.predict,
    learn, 3)
  check.fails("none.jpg", learn.predict, learn, folder.path .. "/none.jpg")
  check.equal(learn.quiet, true)
end)

-- --- mistakes ---------------------------------------------------------------

check.test("wrong arguments are told in one sentence", function()
  local dls = demo.loaders(path)
  local model, Learner = demo.model(10), sota.Learner
  local function fails(want, ...) check.fails(want, Learner, ...) end
  fails("unknown option 'los_func'; did you mean 'loss_func'?", dls, model,
    {los_func = 1})
  fails("the first argument must be DataLoaders, not \"x\"", "x", model)
  fails("the second argument must be a model", dls, 3)
  fails("dls.valid must be a loader", {train = dls.train, valid = {}}, model)
  fails("metrics: item 1 is \"accuracy\", not a function", dls, model,
    {metrics = {"accuracy"}})
  fails("loss_func must be a loss", dls, model, {loss_func = 3})
  local learn = Learner(dls, model, {quiet = true})
  check.fails("fit: 'n_epoch' is missing", learn.fit, learn)
  check.fails("'n_epoch' must be at least 1, not 0", learn.fit, learn, 0)
  check.fails("'n_epoch' must be a whole number, not 1.5", learn.fit_one_cycle,
    learn, 1.5)
  check.fails("unknown option 'pct_strat'; did you mean 'pct_start'?",
    learn.fit_one_cycle, learn, 1, {pct_strat = 0.1})
  check.fails("validate: dl must be a loader", learn.validate, learn, {dl = {}})
  learn.opt_func = "adam"
  check.fails("opt_func must be an optimiser", learn.fit, learn, 1)
end)

check.test("a model of the wrong size says so", function()
  local learn = sota.Learner(demo.loaders(path), demo.model(3), {quiet = true})
  check.fails("the model has 3 outputs, but the data has 10 classes", learn.fit,
    learn, 1)
end)

local function failing_callback() error "callback has a bug" end

check.test("an error in a callback ends the fit and its threads", function()
  local learn = demo.learner(path, {dls = {workers = 3, bs = 2}})
  learn:validate() -- starts the compute threads
  local before, seen = demo.threads(), 0
  learn.cbs[1] = {after_loss = function(_, l)
    if l.iter == 2 then
      seen = demo.threads()
      failing_callback()
    end
  end}
  local why = check.fails("callback has a bug", learn.fit, learn, 1)
  assert(why:find "stack traceback" and why:find "failing_callback", why)
  assert(seen > before, "workers were running")
  check.equal(demo.threads(), before)
  learn.cbs[1] = nil
  learn:fit(1, 1e-3) -- and all is usable
  check.equal(#learn.recorder.values, 1)
end)

check.test("predictions of more batches than an operation takes tensors", function()
  local learn = demo.learner(path)
  local files = {}
  for i = 1, 130 do
    files[i] = learn.dls.valid.files:path(41 + (i - 1) % 20)
  end
  local many = learn.dls:test_dl(files):with{bs = 1}
  check.equal(#many, 130)
  local preds = learn:get_preds{dl = many}
  local once = learn:get_preds()
  check.equal(preds:shape(), {130, 10})
  check.close(preds:slice{dim = 1, first = 101, last = 120}, once, 1e-5)
end)

check.test("leaving a loop over batches ends its threads", function()
  local dls = demo.loaders(path, {workers = 3, bs = 2})
  local before, seen = demo.threads(), 0
  for i, x, y in dls.train:batches() do
    seen = demo.threads()
    check.equal({i, x:shape(), y:shape()}, {1, {2, 32, 32, 3}, {2}})
    break
  end
  assert(seen > before)
  check.equal(demo.threads(), before)
  check.fails("in the loop", function()
    for _ in dls.train:batches() do error "in the loop" end
  end)
  check.equal(demo.threads(), before)
  local n = 0
  for _ in dls.valid:batches() do n = n + 1 end
  check.equal(n, 10)
end)

check.done()
