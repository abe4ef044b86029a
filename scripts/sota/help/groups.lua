-- help/groups.lua -- what is public: the tables whose fields help() knows, how
-- their names are written, and the page of the guide that tells about them.
local core = require "sota.core"

-- Fields of `values` are public but for those that begin with "_". separator is
-- ":" for methods. pages: a field's own page. inner: named, but not listed by
-- help().
local function group(title, prefix, page, values, o)
  o = o or {}
  return {title = title, prefix = prefix, page = page, values = values,
          pages = o.pages or {}, hidden = o.hidden or {}, object = o.object,
          inner = o.inner}
end

local function all_of(lazy, names)
  local list = {}
  for k, v in next, lazy do list[k] = v end
  for _, name in ipairs(names) do list[name] = lazy[name] end
  return list
end

-- A class's methods; what is there for Lua alone begins with "_".
local function methods(class)
  local list = {}
  for k, v in next, class do
    if type(v) == "function" then list[k] = v end
  end
  return list
end

-- Those with a group of their own.
local function rest_of_sota(sota, parts, operations)
  local list = {}
  for k, v in next, sota do
    if type(v) == "function" and not operations[k] then list[k] = v end
  end
  for _, name in ipairs{"options", "help", "profile"} do list[name] = sota[name] end
  list.who = require "sota.prompt.who".who
  for _, name in ipairs(parts) do list[name] = nil end
  return list
end

-- What the library itself calls.
local inside = {"fit", "validate", "fit_state", "unpack_recorder", "average",
  "replay", "layer", "library", "hash_fill", "nearest", "list_dir", "make_dirs",
  "lock", "write_file", "grow_file"}

local function inside_functions()
  local list = {}
  for _, name in ipairs(inside) do list[name] = core[name] end
  return list
end

local function functions_of(parent, name, into)
  for k, v in next, parent do
    if type(v) == "function" then into[name .. "." .. k] = v end
  end
  return into
end

local function parts_of_core()
  local list = {}
  for _, name in ipairs{"schedule", "json", "safetensors"} do
    functions_of(core[name], name, list)
  end
  return list
end

-- Methods that are told of elsewhere than their class.
local pages = {show_batch = "pictures.md", show_results = "pictures.md",
  show_filters = "pictures.md", show_tta = "pictures.md",
  show_features = "pictures.md", show_cam = "pictures.md",
  plot_confusion_matrix = "pictures.md", plot_top_losses = "pictures.md",
  activations = "activations.md", summary = "models.md",
  tta = "test-time-augmentation.md", tta_translate = "test-time-augmentation.md"}

--- The groups, in the order of the reference.
---@return table[]
return function()
  local sota = require "sota"
  local nn, models, data, draw = sota.nn, sota.models, sota.data, sota.draw
  local operations = {}
  for _, op in ipairs(core.ops()) do operations[op.name] = core[op.name] end
  local names = require "sota.help.names"
  local loaders = require "sota.data.loaders"
  local tensor = {}
  for k, v in next, core.tensor_meta.methods do
    if not operations[k] then tensor[k] = v end
  end
  return {
    group("Making tensors, and the run", "", "tensors.md",
      rest_of_sota(sota, inside, operations),
      {pages = {help = "prompt.md", who = "prompt.md", options = "command.md",
        profile = "profiling.md", set = "command.md", get = "command.md"}}),
    group("Tensors", "Tensor:", "tensors.md", tensor, {object = "Tensor"}),
    group("Operations", "", "tensors.md", operations),
    group("Data", "", "data.md", all_of(data, {}), {pages = {
      Normalize = "normalization.md", imagenet_stats = "normalization.md",
      cifar_transforms = "cifar10.md", cifar10_stats = "cifar10.md"},
      hidden = {ImageDataLoaders = true}}),
    group("Ready-made data sets", "ImageDataLoaders.", "data.md",
      methods(data.ImageDataLoaders), {object = "ImageDataLoaders"}),
    group("Statistics of Normalize", "Normalize.", "normalization.md",
      methods(data.Normalize), {object = "Normalize"}),
    group("A recipe for data", "DataBlock:", "data.md",
      methods(getmetatable(data.DataBlock{})),
      {object = "DataBlock"}),
    group("Loaders", "DataLoaders:", "data.md", methods(loaders.DataLoaders),
      {object = "DataLoaders", pages = pages}),
    group("One loader", "DataLoader:", "data.md", methods(loaders.DataLoader),
      {object = "DataLoader", pages = pages}),
    group("Learner", "", "training.md", {Learner = sota.Learner}),
    group("Learner", "Learner:", "training.md", methods(sota.Learner),
      {object = "Learner", pages = pages}),
    group("What lr_find gives", "lr_find:", "pictures.md",
      methods(require "sota.train.curve".Result), {object = "lr_find"}),
    group("Recorder", "Recorder:", "pictures.md",
      methods(require "sota.draw.curves".recorder), {object = "Recorder"}),
    group("Optimisers and rates", "", "training.md", sota.optim),
    group("Callbacks", "", "training.md", sota.callbacks, {pages = {
      Mixup = "mixup.md", MixUp = "mixup.md", CutMix = "mixup.md",
      ProgressiveResize = "progressive-resizing.md",
      Checkpoint = "reliability.md", LookaheadEMA = "cifar10.md", ActivationStats = "activations.md"}}),
    group("Activations", "ActivationStats:", "activations.md",
      methods(sota.callbacks.ActivationStats), {object = "ActivationStats",
      hidden = {configure = true, init = true, of_learner = true}}),
    group("Losses", "", "label-smoothing.md", sota.losses),
    group("Metrics", "", "metrics.md", sota.metrics),
    group("Interpretation", "Interpretation:", "metrics.md",
      methods(sota.Interpretation), {object = "Interpretation", pages = pages}),
    group("Layers", "nn.", "models.md", all_of(nn, names.of(nn))),
    group("Modules", "Module:", "models.md", methods(nn.Module),
      {object = "Module"}),
    group("Models", "", "models.md", all_of(models, models.list()),
      {hidden = {list = true}}),
    group("Models", "models.", "models.md", {list = models.list}),
    group("Model files", "", "training.md", sota.model_file),
    group("Pictures", "Picture:", "pictures.md", methods(draw.Picture),
      {object = "Picture"}),
    group("Charts", "Chart:", "pictures.md", methods(draw.Chart),
      {object = "Chart"}),
    group("For the library", "", "tensors.md", inside_functions(),
      {inner = true}),
    group("Smaller parts", "", "tensors.md", parts_of_core(), {inner = true,
      pages = {["schedule.sgdr"] = "training.md"}}),
  }
end
