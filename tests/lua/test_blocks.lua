-- test_blocks.lua -- DataBlock with everything that can be in it: labels from
-- tables and functions, several labels an item, transforms in both forms,
-- statistics, the summary; and what it says to each mistake.
local core = require "sota.core"
local check = require "check"
local demo = require "demo"
local csv = require "sota.data.csv"
require "sota.all"

local temporary <close> = demo.folder()
local folder = demo.write(temporary)

local by_folder = GrandparentSplitter{valid_name = "val"}

local function open(parts, options)
  local o = {bs = 8, workers = 0, seed = 3}
  for k, v in pairs(options or {}) do o[k] = v end
  parts.item_tfms = parts.item_tfms or Resize(32)
  parts.splitter = parts.splitter or by_folder
  return DataBlock(parts):dataloaders(folder, o)
end

-- Writes a file into the folder.
local function write(name, text)
  local path = folder .. "/" .. name
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  return path
end

-- What f prints.
local function printed(f, ...)
  local lines, old = {}, print
  local restore <close> = setmetatable({}, {__close = function()
    print = old
  end})
  print = function(...)
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    lines[#lines + 1] = table.concat(parts, "\t")
  end
  f(...)
  return table.concat(lines, "\n")
end

-- --- CSV --------------------------------------------------------------------

check.test("csv: quotes, line breaks, CRLF, byte order mark", function()
  check.equal(csv.parse "a,b\r\n1,2\r\n", {{"a", "b"}, {"1", "2"}})
  check.equal(csv.parse 'x,"a, ""b""",y\n', {{"x", 'a, "b"', "y"}})
  check.equal(csv.parse '"two\nlines",2', {{"two\nlines", "2"}})
  check.equal(csv.parse "a,,\n\n,b,\n", {{"a", "", ""}, {"", "b", ""}})
  check.equal(csv.parse "\xEF\xBB\xBFa,b", {{"a", "b"}})
  check.equal(csv.parse "a,", {{"a", ""}})
  check.equal(csv.parse('"",""', ","), {{"", ""}})
  check.equal(csv.parse("a\t1\rb\t2", "\t"), {{"a", "1"}, {"b", "2"}})
  check.equal(csv.parse "", {})
  check.equal(csv.parse("a^b%c", "^"), {{"a", "b%c"}})
  check.fails("row 2: a quote is never closed", csv.parse, 'a\n"b')
  check.fails("row 1: text after a closing quote", csv.parse, '"a"b,c')
end)

check.test("csv: columns by name; wrong files", function()
  local path = write("t.csv", "name,label\none,1\n")
  local rows, header = read_csv(path)
  check.equal(header, {"name", "label"})
  check.equal(rows[1].label, "1")
  check.equal(rows[1].nothing, nil)
  check.equal(#read_csv(path, {header = false}), 2)
  write("t.csv", "a,b\n1,2,3\n")
  check.fails("row 2 has 3 fields, the header 2", read_csv, path)
  check.fails("No such file", read_csv, folder .. "/none.csv")
end)

-- --- ready-made loaders -----------------------------------------------------

-- name,labels,is_valid of all pictures.
local function table_text(label_of)
  local lines = {"name,labels,is_valid"}
  local files = get_image_files(folder)
  for i = 1, #files do
    local path = files:path(i)
    lines[i + 1] = ("%s,%s,%s"):format(path:sub(#folder + 2), label_of(path),
      path:find "/val/" and "True" or "False")
  end
  return table.concat(lines, "\r\n") .. "\r\n"
end

check.test("from_csv", function()
  write("labels.csv", table_text(parent_label))
  local dls = ImageDataLoaders.from_csv(folder, {valid_col = "is_valid",
    item_tfms = Resize(32), bs = 8, workers = 0})
  check.equal({dls.train:items(), dls.valid:items(), dls.c}, {40, 20, 10})
  local want = open{}
  check.equal(dls.vocab:totable(), want.vocab:totable())
  local _, y = dls.valid:one_batch()
  local _, y2 = want.valid:one_batch()
  check.equal(y, y2:totable())
  local half = ImageDataLoaders.from_csv(folder, {valid_pct = 0.5,
    item_tfms = Resize(32), seed = 1, bs = 8, workers = 0})
  check.equal(half.valid:items(), 30)
end)

check.test("from_name_func, from_path_func, from_lists", function()
  local o = {item_tfms = Resize(32), bs = 8, workers = 0, seed = 1}
  local files = get_image_files(folder)
  local names = ImageDataLoaders.from_name_func(folder, files,
    function(name) return name:match "(%d)%.jpg$" end, o)
  check.equal(names.vocab:totable(), {"1", "2", "3", "4"})
  local paths = ImageDataLoaders.from_path_func(folder, files,
    function(path) return path:match "/val/" and "val" or "train" end, o)
  check.equal(paths.vocab:totable(), {"train", "val"})
  local list, labels = {}, {}
  for i = 1, #files do list[i], labels[i] = files:path(i), i % 2 end
  local lists = ImageDataLoaders.from_lists(folder, list, labels, o)
  check.equal(lists.vocab:totable(), {"0", "1"})
  check.fails("60 files, but 1 labels", ImageDataLoaders.from_lists, folder,
    list, {"a"}, o)
end)

-- --- several labels an item -------------------------------------------------

local function form_and_place(path)
  local number = tonumber(path:match "(%d+)%.jpg$")
  return {parent_label(path), number % 2 == 0 and "even" or "odd"}
end

local function train_multi(dls)
  local learn = Learner(dls, demo.model(dls.c),
    {metrics = accuracy_multi, quiet = true})
  assert(tostring(learn.loss_func):find "BCEWithLogits")
  learn:fit(1, 1e-3)
  local row = learn:validate()
  assert(row.accuracy_multi > 0.3 and row.accuracy_multi <= 1)
  local preds, targs = learn:tta{n = 1}
  check.equal(preds:shape(), {20, 12})
  check.equal(targs:shape(), {20, 12})
  check.close(targs:sum(-1), core.full({20}, 2), 0)
  local names, numbers, p = learn:predict(get_image_files(folder):path(1))
  check.equal(#names, #numbers)
  check.equal(p:shape(), {12})
end

check.test("MultiCategoryBlock by a function", function()
  train_multi(open{blocks = {ImageBlock, MultiCategoryBlock},
                   get_y = form_and_place})
end)

check.test("MultiCategoryBlock from a table with a delimiter", function()
  write("multi.csv", table_text(function(path)
    return table.concat(form_and_place(path), " ")
  end))
  local dls = ImageDataLoaders.from_csv(folder, {csv_fname = "multi.csv",
    label_delim = " ", valid_col = 3, item_tfms = Resize(32), bs = 8,
    workers = 0})
  check.equal(dls.c, 12)
  train_multi(dls)
end)

-- --- transforms -------------------------------------------------------------

-- Each in training and in validation form: the size of what a model sees; is
-- training random (another epoch, other pixels) and validation not?
local forms = {
  {"Resize crop", Resize(24), nil, {24, 24}, true},
  {"Resize squish", Resize{24, method = "squish"}, nil, {24, 24}, false},
  {"Resize pad zeros", Resize{{24, 32}, method = "pad", pad_mode = "zeros"},
   nil, {24, 32}, nil},
  {"Resize pad border", Resize{{24, 32}, method = "pad", pad_mode = "border"},
   nil, {24, 32}, nil},
  {"Resize pad reflection",
   Resize{{32, 24}, method = "pad", pad_mode = "reflection"}, nil, {32, 24}},
  {"RandomResizedCrop", RandomResizedCrop(24), nil, {24, 24}, true},
  {"RandomCrop", RandomCrop(24), nil, {24, 24}, true},
  {"CropPad", CropPad(120), nil, {120, 120}, false},
  {"FlipItem", {Resize{24, method = "squish"}, FlipItem()}, nil, {24, 24},
   true},
  {"RandomResizedCropGPU", Resize(32), RandomResizedCropGPU(24), {24, 24},
   true},
  {"RandomErasing", Resize(32), RandomErasing{p = 1}, {32, 32}, true},
  {"aug_transforms", Resize(32), aug_transforms{size = 24, min_scale = 0.5},
   {24, 24}, true},
}

-- The first batch of an epoch without shuffling.
local function first_batch(dl, epoch)
  for _, x in dl:batches(epoch) do return x end
end

local function differ(a, b) return (a - b):abs():max():item() > 1e-6 end

for _, f in ipairs(forms) do
  check.test(f[1] .. ": training and validation form", function()
    local dls = open({item_tfms = f[2], batch_tfms = f[3]}, {shuffle = false})
    for _, dl in ipairs{dls.train, dls.valid} do
      local x = first_batch(dl, 1)
      check.equal({x:shape(2), x:shape(3)}, f[4])
      assert(not differ(x, first_batch(dl, 1)), "an epoch is not repeatable")
    end
    assert(not differ(first_batch(dls.valid, 1), first_batch(dls.valid, 2)),
      "validation is random")
    if f[5] ~= nil then
      local random = differ(first_batch(dls.train, 1),
        first_batch(dls.train, 2))
      check.equal(random, f[5], "is training random?")
    end
  end)
end

-- --- statistics -------------------------------------------------------------

check.test("Normalize() measures the first batch", function()
  local dls = open({batch_tfms = Normalize()}, {shuffle = false, bs = 40})
  local x = first_batch(dls.train, 1)
  check.close(x:mean{1, 2, 3}, {0, 0, 0}, 1e-4)
  check.close(x:std{1, 2, 3}, {1, 1, 1}, 1e-4)
  check.equal({dls.valid.augment:statistics()},
    {dls.train.augment:statistics()})
end)

check.test("from_data: over k batches, pooled as one", function()
  local whole = open({batch_tfms = Normalize()}, {shuffle = false, bs = 40})
  local parts = open({batch_tfms = Normalize.from_data{batches = 5}},
    {shuffle = false, bs = 8})
  local mean, std = whole.train.augment:statistics()
  local mean2, std2 = parts.train.augment:statistics()
  check.close(mean2, mean, 1e-6)
  check.close(std2, std, 1e-6)
  check.equal({parts.valid.augment:statistics()}, {mean2, std2})
  local one = open({batch_tfms = Normalize.from_data{}}, {shuffle = false})
  assert(math.abs(one.train.augment:statistics()[1] - mean[1]) > 1e-6)
  check.fails("'batches' must be at least 1", Normalize.from_data,
    {batches = 0})
end)

check.test("predict and tta use the training set's statistics", function()
  local dls = open({item_tfms = Resize{32, method = "squish"},
    batch_tfms = Normalize()}, {shuffle = false})
  local learn = Learner(dls, demo.model(dls.c), {quiet = true})
  local preds = learn:get_preds()
  local path = dls.valid.files:path(dls.valid.o.rows[1])
  local _, _, p = learn:predict(path)
  check.close(p, preds[1], 1e-5)
  check.close(learn:tta{n = 1}, preds, 1e-5)
end)

check.test("load tells of other statistics and another size", function()
  local function learner(size, stats)
    local dls = open{item_tfms = Resize(size), batch_tfms = stats}
    return Learner(dls, demo.model(dls.c), {quiet = true})
  end
  local file = learner(32, Normalize.from_stats(imagenet_stats))
    :save(temporary.path .. "/model.safetensors")
  local told, old = {}, warn
  local restore <close> = setmetatable({}, {__close = function()
    warn = old
  end})
  warn = function(text) told[#told + 1] = text end
  learner(32, Normalize.from_stats(imagenet_stats)):load(file)
  check.equal(told, {})
  learner(40, Normalize.from_stats(cifar_stats)):load(file)
  check.equal(#told, 2)
  assert(told[1]:find("mean 0.485 0.456 0.406", 1, true)
    and told[1]:find("than dls has (mean 0.491", 1, true), told[1])
  assert(told[2]:find("on images of 32x32 pixels, from Resize{size = 32}; "
    .. "those of dls are of 40x40 pixels", 1, true), told[2])
end)

-- --- the summary ------------------------------------------------------------

check.test("summary shows every step", function()
  local block = DataBlock{splitter = by_folder,
    item_tfms = {FlipItem(), Resize(40)},
    batch_tfms = {aug_transforms{size = 32}, Normalize()}}
  local text = printed(block.summary, block, folder)
  for _, want in ipairs{"60; the first: ", "40 for training, 20 for validation",
      "10: checkers, cross", "One item: ", "pixels (height x width)",
      "no fixed size yet", "40 x 40", "u8 4x40x40x3", "f32 4x32x32x3",
      "mean 0.000 0.000 0.000"} do
    assert(text:find(want, 1, true), want .. " is not in:\n" .. text)
  end
end)

check.test("show_training_loop names who acts where", function()
  local dls = open{}
  local learn = Learner(dls, demo.model(dls.c), {cbs = Mixup()})
  local text = printed(learn.show_training_loop, learn,
    GradientClip())
  assert(text:find("before_batch           [Mixup]", 1, true), text)
  assert(text:find("before_step            [GradientClip]", 1, true), text)
  local valid = text:match "Start Validate(.*)End Validate"
  assert(not valid:find "Mixup", valid)
end)

-- --- mistakes ---------------------------------------------------------------

check.test("each mistake gets one sentence", function()
  check.fails("unknown option 'get_why'; did you mean 'get_y'?", DataBlock,
    {get_why = parent_label})
  check.fails("unknown option 'min_scal'; did you mean 'min_scale'?",
    aug_transforms, {min_scal = 0.75})
  check.fails("get_y gave nil for " .. folder, open,
    {get_y = function() end})
  check.fails("get_items gave nil", open, {get_items = function() end})
  check.fails("get_items found no items", open,
    {get_items = function() return {} end})
  check.fails("No such file or directory", get_image_files, folder .. "/none")
  os.execute("mkdir " .. folder .. "/empty")
  check.fails("no images in " .. folder .. "/empty", get_image_files,
    folder .. "/empty")
  check.fails("has class 'late', which is not one of the 1 classes", open,
    {get_y = function(p) return p:find "/val/" and "late" or "early" end})
  check.fails("no file lies two levels below a folder named 'valid'", open,
    {splitter = GrandparentSplitter()})
  check.fails("size must be from 1 to 16384, not 0", Resize, 0)
  check.fails("'size' must be a number from 1", aug_transforms, {size = 0})
  check.fails("'bs' must be at least 1", open, {}, {bs = 0})
  local sizeless = DataBlock{splitter = by_folder}
  check.fails("do not fix the size", sizeless.dataloaders, sizeless, folder)
end)

check.test("a batch larger than the set is one batch of all", function()
  local dls = open({}, {bs = 1000})
  check.equal({#dls.train, dls.train.bs, #dls.valid}, {1, 40, 1})
end)

check.test("a model with too few outputs", function()
  local dls = open{}
  local learn = Learner(dls, demo.model(5), {quiet = true})
  check.fails("the model has 5 outputs, but the data has 10 classes: make it "
    .. "with n_out = dls.c", learn.fit, learn, 1)
  local more = Learner(dls, demo.model(12), {quiet = true})
  local told, old = {}, warn
  local restore <close> = setmetatable({}, {__close = function()
    warn = old
  end})
  warn = function(text) told[#told + 1] = text end
  more:fit(1, 1e-3) -- the book's own model has 1000 for 10 classes
  check.equal(told, {"the model has 12 outputs, but the data has 10 classes: "
    .. "n_out = dls.c makes as many as are needed"})
  check.fails("opt_func must be an optimiser such as Adam", Learner, dls,
    demo.model(10), {opt_func = "Adam"})
  check.fails("RandomResizedCrop: size must be from 1 to 16384, not 0",
    RandomResizedCrop, 0)
end)

check.done()
