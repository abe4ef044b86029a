-- model_file.lua -- models as files: safetensors with PyTorch's names and
-- layout, and in the metadata everything that predicting needs.
local core = require "sota.core"
local check = require "sota.check"
local transforms = require "sota.data.transforms"

local model_file = {}

local FORMAT = "sota-lua 1"

local function statistics_of(dls)
  if not dls.valid.augment then return nil end -- not a loader of images
  local mean, std = dls.valid.augment:statistics()
  return mean and {mean = mean, std = std} or nil
end

--- The probability above which a label holds, where images have several; nil
--- where each has one.
---@example sota.model_file.thresh_of(learn)
function model_file.thresh_of(learn)
  return learn.dls.train.multi and (learn.loss_func.thresh or 0.5) or nil
end

--- Label and class number of probabilities (K); lists of them with a thresh.
---@example sota.model_file.answer(dls.vocab, sota.softmax(model(x)):select{dim = 1, index = 1})
function model_file.answer(vocab, probabilities, thresh)
  if not thresh then
    local k = probabilities:argmax(1):item()
    return vocab[k], k, probabilities
  end
  local labels, classes = {}, {}
  for k, p in ipairs(probabilities:totable()) do
    if p > thresh then
      labels[#labels + 1], classes[#classes + 1] = vocab[k], k
    end
  end
  return labels, classes, probabilities
end

-- How an image becomes the model's input.
local function input_of(dls)
  local dl = dls.valid
  if not dl.augment then return {} end
  return {size = {dl:size()}, statistics = statistics_of(dls),
          item_tfms = transforms.dump(dl.o.item_tfms),
          batch_tfms = transforms.dump(dl.o.batch_tfms)}
end

-- The rows of the table; with --deterministic without times, which no two runs
-- share.
local function rows_of(learn)
  if not learn.recorder then return nil end
  if not core.get "deterministic" then return learn.recorder.values end
  local rows = {}
  for i, row in ipairs(learn.recorder.values) do
    rows[i] = {}
    for name, v in pairs(row) do
      if name ~= "time" then rows[i][name] = v end
    end
  end
  return rows
end

local function metadata_of(learn)
  local dls, json = learn.dls, core.json.encode
  local arch, thresh = learn.model.arch, model_file.thresh_of(learn)
  local metadata = {
    format = FORMAT,
    sota_lua = core.version,
    architecture = arch and json(arch) or nil,
    classes = dls.vocab and json(dls.vocab:totable()) or nil,
    loss = tostring(learn.loss_func),
    thresh = thresh and json(thresh) or nil,
    history = json{epochs = learn.epochs_done,
                   rows = rows_of(learn)},
  }
  for key, value in pairs(input_of(dls)) do metadata[key] = json(value) end
  return metadata
end

-- Makes the folders of a file name.
local function make_folders(file)
  local folder = file:match "^(.*)/[^/]*$"
  if folder and folder ~= "" then core.make_dirs(folder) end
end

--- A name becomes a file in the learner's folder: "best" ->
--- path/models/best.safetensors.
---@example sota.model_file.path_of(learn, "best")
function model_file.path_of(learn, name)
  if name:find "%.safetensors$" then return name end
  return ("%s/%s/%s.safetensors"):format(learn.path, learn.model_dir, name)
end

local function gather(learn, file)
  local m = {file = file, names = {}, tensors = {}, metadata = metadata_of(learn)}
  for i, e in ipairs(learn.model:state_dict()) do
    m.names[i], m.tensors[e.name] = e.name, e.tensor
  end
  return m
end

local function write(m)
  make_folders(m.file)
  core.safetensors.save(m.file, m.names, m.tensors, m.metadata,
    {oihw = true, int64 = true})
end

--- Writes learn's model; see Learner:save.
---@example sota.model_file.save(learn, "model.safetensors")
function model_file.save(learn, file) write(gather(learn, file)) end

local function let_go(m)
  for _, t in pairs(m.tensors) do t:close() end
  m.tensors = {}
end

--- A copy of learn's model as it is now, to be written later: :write(), :close().
---@example sota.model_file.keep(learn, "model.safetensors"):close()
function model_file.keep(learn, file)
  local m = gather(learn, file)
  core.no_grad(function()
    for name, t in pairs(m.tensors) do m.tensors[name] = t:clone():keep() end
  end)
  m.write, m.close = write, let_go
  return m, file
end

local function decoded(metadata, key)
  return metadata[key] and core.json.decode(metadata[key]) or nil
end

local function list_text(list)
  if #list <= 12 then return table.concat(list, ", ") end
  return table.concat(list, ", ", 1, 12) .. (", ... (%d)"):format(#list)
end

local function check_classes(file, classes, vocab)
  if not classes or not vocab then return end
  local same = #classes == #vocab
  for i = 1, #classes do same = same and classes[i] == vocab[i] end
  if same then return end
  check.fail("load: %s was trained for the classes %s; dls has %s", file,
    list_text(classes), list_text(vocab:totable()))
end

-- Other statistics are no error, but the user must know.
local function warn_of_statistics(file, stored, dls)
  local here = statistics_of(dls)
  if not stored and not here then return end
  local function text(s)
    if not s then return "none" end
    return ("mean %.4g %.4g %.4g, std %.4g %.4g %.4g"):format(s.mean[1],
      s.mean[2], s.mean[3], s.std[1], s.std[2], s.std[3])
  end
  if text(stored) ~= text(here) then
    warn(("%s was trained with other statistics (%s) than dls has (%s)")
      :format(file, text(stored), text(here)))
  end
end

-- "224x224 pixels, from Resize{size = 460}"
local function size_text(size, item_tfms)
  local parts = {}
  for i, t in ipairs(item_tfms) do parts[i] = tostring(t) end
  return ("%dx%d pixels, from %s"):format(size[1], size[2],
    #parts > 0 and table.concat(parts, ", ") or "whole images")
end

-- Nor is another size: progressive resizing wants it.
local function warn_of_size(file, metadata, dls)
  local size, tfms = decoded(metadata, "size"), decoded(metadata, "item_tfms")
  if not size or not tfms or not dls.valid.o then return end
  local stored = size_text(size, transforms.load(tfms))
  local here = size_text({dls.valid:size()}, dls.valid.o.item_tfms)
  if stored ~= here then
    warn(("%s was trained on images of %s; those of dls are of %s"):format(
      file, stored, here))
  end
end

--- Reads weights into learn's model; see Learner:load.
---@example sota.model_file.load(learn, learn:save "best", {})
function model_file.load(learn, file, options)
  local tensors, metadata = core.safetensors.load(file, {oihw = true})
  check_classes(file, decoded(metadata, "classes"), learn.dls.vocab)
  warn_of_statistics(file, decoded(metadata, "statistics"), learn.dls)
  warn_of_size(file, metadata, learn.dls)
  learn.model:load_state_dict(tensors, options)
end

-- --- predicting without the data set -----------------------------------------

local Predictor = {}
Predictor.__index = Predictor
Predictor.__name = "Predictor"

--- load_learner(file): a model that knows how to predict, from its file alone.
---@param file string
---@return table predictor  :predict(path) -> label, class, probabilities
---@example local predictor = load_learner(learn:save "best")
function model_file.load_learner(file)
  local tensors, metadata = core.safetensors.load(file, {oihw = true})
  local arch = decoded(metadata, "architecture")
  local classes = decoded(metadata, "classes")
  if not arch or not classes then
    check.fail("load_learner: %s does not say its architecture and classes; "
      .. "make the model and use Learner:load", file)
  end
  if arch.left_out then
    check.fail("load_learner: %s is a %s with the option %s, which a file "
      .. "cannot hold; make the model and use Learner:load", file, arch.name,
      table.concat(arch.left_out, ", "))
  end
  local make = require("sota.models")[arch.name]
  if not make then
    check.fail("load_learner: %s is a %s, which this version does not have",
      file, arch.name)
  end
  local model = make(arch.options)
  model:load_state_dict(tensors)
  model:eval()
  local batch = {}
  for i, t in ipairs(decoded(metadata, "batch_tfms") or {}) do
    local s = decoded(metadata, "statistics")
    if t.name == "Normalize" and s then t.options = s end
    batch[i] = t
  end
  return setmetatable({
    model = model, vocab = classes, thresh = decoded(metadata, "thresh"),
    pipeline = transforms.pipeline(transforms.load(
      decoded(metadata, "item_tfms") or {})),
    augment = transforms.augment(transforms.load(batch)),
  }, Predictor)
end

--- What is in this picture? As Learner:predict.
---@param path string
---@return string|string[] label, integer|integer[] class, tensor probabilities
function Predictor:predict(path)
  local files = core.data.files()
  files:add(path)
  local loader = core.data.loader{files = files, pipeline = self.pipeline,
    rows = core.data.rows{1}, batch_size = 1, workers = 0, name = "predict"}
  for _, x in loader:batches(1) do
    local probabilities = core.no_grad(function()
      local images = self.augment:apply(x, {train = false})
      local logits = self.model(images):select{dim = 1, index = 1}
      return self.thresh and logits:sigmoid() or logits:softmax(-1)
    end)
    return model_file.answer(self.vocab, probabilities, self.thresh)
  end
end

return model_file
