-- demo.lua -- a small set of real JPEG files for tests, in a folder that the
-- test removes: train/<class>/..., val/<class>/..., ten classes.
local core = require "sota.core"
local sota = require "sota"

local demo = {}

--- A folder of this process's own, removed when the variable is closed:
--- local folder <close> = demo.folder(); folder.path
function demo.folder()
  local path = os.tmpname()
  os.remove(path)
  core.make_dirs(path)
  return setmetatable({path = path}, {__close = function()
    os.execute("rm -rf '" .. path .. "'")
  end})
end

--- 40 training and 20 validation images below folder.path .. "/demo".
function demo.write(folder)
  local path = folder.path .. "/demo"
  core.data.demo(path, {train = 40, valid = 20, seed = 1})
  return path
end

--- DataLoaders of 32x32 images, four of a batch of 10 an epoch.
function demo.loaders(path, options)
  local data = sota.data
  local o = {bs = 10, workers = 0, seed = 1}
  for k, v in pairs(options or {}) do o[k] = v end
  return data.DataBlock{
    splitter = data.GrandparentSplitter{valid_name = "val"},
    item_tfms = data.Resize(40),
    batch_tfms = {data.aug_transforms{size = 32, min_scale = 0.75},
                  data.Normalize.from_stats(data.imagenet_stats)},
  }:dataloaders(path, o)
end

--- A narrow xresnet18.
function demo.model(n_out)
  return sota.models.xresnet18{n_out = n_out, stem_szs = {8, 8, 64},
                               widen = 0.125}
end

--- A quiet Learner; o.dls are options of the loaders, the others its own.
function demo.learner(path, o)
  o = o or {}
  local options = {metrics = sota.metrics.accuracy, quiet = true}
  for k, v in pairs(o) do if k ~= "dls" then options[k] = v end end
  core.set("seed", 1)
  local dls = demo.loaders(path, o.dls)
  return sota.Learner(dls, demo.model(dls.c), options)
end

--- Threads of this process, the main one included.
function demo.threads()
  local list <close> = assert(io.popen(
    "ls /proc/$(ps -o ppid= -p $$ | tr -d ' ')/task | wc -l"))
  return tonumber(list:read "a")
end

return demo
