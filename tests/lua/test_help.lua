-- test_help.lua -- every public name has a description, a page of the guide
-- and an example, and every example runs.
local check = require "check"
local sota = require "sota"
local entries = require "sota.help.entries"
local text = require "sota.help.text"
require "sota.all"

-- What help(...) prints.
local function printed(...)
  local lines, old = {}, print
  print = function(...) lines[#lines + 1] = table.concat({...}, "\t") end
  local ok, why = pcall(sota.help, ...)
  print = old
  if not ok then error(why, 0) end
  return table.concat(lines, "\n")
end

local function contains(got, want)
  if not got:find(want, 1, true) then
    error(("%q is not in %s"):format(want, got), 2)
  end
end

-- --- coverage ------------------------------------------------------------------

-- What a user can reach by name without help's own lists: fields of the library
-- and of its parts, methods of what these make.
local function reachable()
  local seen = {}
  local function take(t, where)
    for k, v in next, t do
      local public = type(k) == "string" and not k:find "^_"
      if public and (type(v) == "function" or where == "global") then
        seen[v] = seen[v] or where .. "." .. k
      end
    end
  end
  for _, part in ipairs{"nn", "models", "losses", "metrics", "data", "optim",
                        "callbacks"} do
    take(sota[part], part)
    for k, v in next, sota[part] do
      local meta = type(v) == "table" and getmetatable(v)
      if type(meta) == "table" and meta.__call and type(k) == "string" then
        seen[v] = part .. "." .. k
      end
    end
  end
  take(sota, "sota")
  take(sota.Learner, "Learner")
  take(sota.Interpretation, "Interpretation")
  take(require "sota.core".tensor_meta.methods, "Tensor")
  take(require "sota.draw.curves".recorder, "Recorder")
  take(require "sota.data.loaders".DataLoaders, "DataLoaders")
  take(require "sota.data.loaders".DataLoader, "DataLoader")
  take(require "sota.train.curve".Result, "lr_find")
  take(sota.draw.Picture, "Picture")
  take(sota.draw.Chart, "Chart")
  take(nn.Module, "Module")
  return seen
end

check.test("every public name is known to help", function()
  local known, missing = {}, {}
  for _, e in ipairs(entries.all()) do known[e.value] = true end
  for v, where in pairs(reachable()) do
    if not known[v] then missing[#missing + 1] = where end
  end
  table.sort(missing)
  check.equal(table.concat(missing, " "), "")
end)

check.test("every global of sota.all too", function()
  local known, missing = {}, {}
  for _, e in ipairs(entries.all()) do known[e.value] = true end
  local parts = {sota = true, nn = true, check = true, Interpretation = true,
                 ImageDataLoaders = true}
  local lua = {}
  for name in ("_G _VERSION arg assert collectgarbage coroutine debug dofile error "
    .. "getmetatable io ipairs load loadfile math next os package pairs pcall "
    .. "print rawequal rawget rawlen rawset require select setmetatable string "
    .. "table tonumber tostring type utf8 warn xpcall"):gmatch "%S+" do
    lua[name] = true
  end
  for name, v in pairs(_G) do
    if not lua[name] and not parts[name] and not known[v] then
      missing[#missing + 1] = name
    end
  end
  table.sort(missing)
  check.equal(table.concat(missing, " "), "")
end)

check.test("each has a description, an example and a page", function()
  local without, pages = {}, {}
  for _, e in ipairs(entries.all()) do
    for _, field in ipairs{"help", "example", "page"} do
      if not e[field] or e[field] == "" then
        without[#without + 1] = e.name .. ": no " .. field
      end
    end
    pages[e.page] = true
  end
  check.equal(table.concat(without, "\n"), "")
  local docs = arg[0]:match "^(.*)tests/lua/[^/]*$" .. "docs/"
  for page in pairs(pages) do
    local file = assert(io.open(docs .. page), page .. " is not in docs/")
    file:close()
  end
  assert(#entries.all() > 400, "so many there are at the least")
end)

-- --- what is said --------------------------------------------------------------

check.test("every operation has its text and its options", function()
  for _, op in ipairs(sota.ops()) do
    local said = printed(op.name)
    contains(said:gsub("%s+", " "), op.help:gsub("%s+", " "))
    for _, o in ipairs(op.options) do contains(said, o.name) end
  end
end)

check.test("signatures", function()
  local function signature(name) return text.signature(entries.named(name)) end
  check.equal(signature "Learner:fit", "Learner:fit(n_epoch [, lr] [, {options}])")
  check.equal(signature "Conv2d",
    "nn.Conv2d(in_channels, out_channels, kernel_size [, {options}])")
  check.equal(signature "conv2d", "conv2d(x, weight [, bias] [, {options}])")
  check.equal(signature "xresnet50", "xresnet50{options}")
  check.equal(signature "Learner", "Learner(dls, model [, {options}])")
  check.equal(signature "item", "Tensor:item()")
  check.equal(signature "imagenet_stats", "imagenet_stats")
end)

check.test("defaults and ranges", function()
  local said = printed "RandomResizedCrop"
  contains(said, "size, required, 1 to 16384")
  contains(said, "number, default 0.08, 1e-06 to 1")
  contains(printed "Resize", "one of crop, squish, pad")
  contains(printed "from_folder", "integer, default 64, at least 1")
  contains(printed "FocalLossFlat", "default 2")
end)

check.test("by value and by name; the guide's page", function()
  check.equal(printed(sota.conv2d), printed "conv2d")
  check.equal(printed(Resize), printed "Resize")
  check.equal(printed(Learner.fit), printed "Learner:fit")
  check.equal(printed "Learner.fit", printed "Learner:fit")
  check.equal(printed "sota.conv2d", printed "conv2d")
  contains(printed(Resize), "item transform")
  contains(printed "aug_transforms", "max_rotate")
  contains(printed "tta", "docs/test-time-augmentation.md")
  contains(printed "SaveModelCallback", "The same as SaveModel.")
  contains(printed "show_batch", "also: Learner:show_batch")
end)

check.test("objects: the methods of their class", function()
  local t <close> = sota.tensor{1}
  contains(printed(t), "methods of Tensor")
  contains(printed(nn.ReLU()), "methods of Module")
  contains(printed "Interpretation", "most_confused")
end)

check.test("help() alone: what scripts call, no line wider than the terminal",
  function()
    local all = printed()
    for line in all:gmatch "[^\n]+" do
      if #line > 80 then error(("too wide: %q"):format(line)) end
    end
    contains(all, "Resize")
    contains(all, "Callbacks\n  ")
    check.equal(all:find("unpack_recorder", 1, true), nil)
  end)

check.test("no help: a suggestion, or where the word stands", function()
  contains(printed "conv2", "did you mean 'conv2d'")
  contains(printed(12), "no help")
  contains(printed "vermilion", "show_results")
  contains(printed "aliasing", "nn.MaxBlurPool")
  contains(printed(), "softmax")
end)

-- --- examples ------------------------------------------------------------------

-- A folder to work in, with a table beside a few images.
local folder = os.tmpname()
os.remove(folder)
sota.make_dirs(folder)

local function globals_of_examples()
  local env = setmetatable({}, {__index = _G})
  env.path = folder .. "/images"
  require "sota.core".data.demo(env.path, {train = 40, valid = 20})
  env.image = get_image_files(env.path):path(1)
  local csv <close> = assert(io.open(env.path .. "/labels.csv", "w"))
  csv:write "name,label\n"
  for i = 1, 12 do
    local file = get_image_files(env.path):path(5 * i)
    csv:write(file:sub(#env.path + 2), ",", i % 2 == 0 and "even" or "odd", "\n")
  end
  env.block = DataBlock{splitter = GrandparentSplitter{valid_name = "val"},
    item_tfms = Resize(32), batch_tfms = Normalize.from_stats(imagenet_stats)}
  env.dls = env.block:dataloaders(env.path, {bs = 8, workers = 0})
  env.model = xresnet18{n_out = env.dls.c, widen = 0.125}
  env.learn = Learner(env.dls, env.model, {metrics = accuracy, quiet = true,
    path = folder, loss_func = CrossEntropyLossFlat()})
  env.x, env.y = env.dls:one_batch()
  env.t = sota.tensor{{1, 2}, {3, 4}}
  env.learn:fit(1)
  local lrs, losses = {}, {}
  for i = 1, 100 do lrs[i], losses[i] = 1e-5 * 1.1 ^ i, (i - 60) ^ 2 + 10 end
  env.found = assert(require "sota.train.curve".read(lrs, losses, 100))
  env.interp = Interpretation.from_learner(env.learn)
  env.pic = sota.draw.Picture.new(200, 150, "example")
  env.who = require "sota.prompt.who".who
  env.chart = sota.draw.Chart.new{title = "example"}
  return env
end

-- What examples print is not to be seen.
local function quiet()
  local before = print
  print = function() end
  return setmetatable({}, {__close = function() print = before end})
end

-- One of each family of models, and of each depth; all 56 would take a minute.
local function is_one_of_many(e)
  local plain = {xresnet18 = 1, xse_resnet34 = 1, xresnext18_deep = 1,
    xse_resnext18_deeper = 1, resnet18 = 1, resnext50_32x4d = 1,
    wide_resnet50_2 = 1, airbench94 = 1, xresnet50 = 1, ResNet = 1, XResNet = 1}
  return e.title == "Models" and e.object == nil and not e.name:find "%."
    and not plain[e.short]
end

check.test("every example runs", function()
  if require "sota.core".draw.missing then return end
  sota.scope(function()
    local env, failed, ran = globals_of_examples(), {}, 0
    local shown <close> = quiet()
    for _, e in ipairs(entries.all()) do
      local line = e.example
      local f, why = load("return " .. line, "=example", "t", env)
      if not f then f, why = load(line, "=example", "t", env) end
      local skip = line:find "%-%- downloads$" or is_one_of_many(e)
      if f and not skip then
        local ok
        ok, why = pcall(sota.scope, f)
        if not ok then f = nil end
        ran = ran + 1
      end
      if not f then
        failed[#failed + 1] = ("%s: %s: %s"):format(e.name, line, tostring(why))
      end
    end
    check.equal(table.concat(failed, "\n"), "")
    assert(ran > 350, ran .. " examples ran")
    env.dls:close()
  end)
end)

os.execute("rm -rf '" .. folder .. "'")
check.done()
