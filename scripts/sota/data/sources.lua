-- data/sources.lua -- data sets by name: fastai's archives, and the demo set.
local core = require "sota.core"
local check = require "sota.check"

local sources = {}

local base = "https://s3.amazonaws.com/fast-ai-imageclas/"

--- Archives of fastai's image data sets, and CIFAR-10 (the binary version, from
--- its authors).
---@example URLs.IMAGENETTE_160
sources.URLs = setmetatable({
  CIFAR10 = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
  IMAGENETTE = base .. "imagenette2.tgz",
  IMAGENETTE_320 = base .. "imagenette2-320.tgz",
  IMAGENETTE_160 = base .. "imagenette2-160.tgz",
  IMAGEWOOF = base .. "imagewoof2.tgz",
  IMAGEWOOF_320 = base .. "imagewoof2-320.tgz",
  IMAGEWOOF_160 = base .. "imagewoof2-160.tgz",
}, {__index = function(t, name)
  local names = {}
  for k in pairs(t) do names[#names + 1] = k end
  check.fail("URLs: there is no '%s'%s", tostring(name),
    check.did_you_mean(tostring(name), names))
end})

-- A progress line for functions that are told (done, total). The total of a
-- download may be known only later.
local function teller(label, unit)
  local line, of
  return function(done, total)
    if not line or total ~= of then
      if line then line:clear() end
      line, of = core.progress(label, total or 0, unit), total
    end
    line:update(done)
  end, function() if line then line:clear() end end
end

--- Downloads an archive once, unpacks it into the cache ($SOTA_DATA, else
--- XDG's), and returns the folder. A cut download is resumed.
---@param url string one of URLs, or your own .tgz
---@param options? {cache: string, size: integer, md5: string, sha256: string}
---@return string folder
---@example untar_data(URLs.IMAGENETTE_160) -- downloads
function sources.untar_data(url, options)
  local o = {}
  for k, v in pairs(options or {}) do o[k] = v end
  local name = url:match "[^/]*$"
  local fetched, clear_fetched = teller("downloading " .. name, "B")
  local unpacked, clear_unpacked = teller("unpacking " .. name, "B")
  local first = true
  o.progress = o.progress or fetched
  o.unpacking = o.unpacking or function(...)
    if first then clear_fetched() end
    first = false
    unpacked(...)
  end
  local ok, folder = pcall(core.data.untar, url, o)
  clear_fetched()
  clear_unpacked()
  if not ok then error(folder, 0) end
  return folder
end

--- The built-in data set: ten forms in random colours, sizes and places, as
--- JPEG files in train/ and val/. Rendered once, in seconds, into the cache.
---@return string folder
---@example demo_data()
function sources.demo_data()
  local folder = core.data.cache_dir() .. "/demo-1"
  local tell, clear = teller("rendering the demo data set", "img")
  local ok, why = pcall(core.data.demo, folder, {progress = tell})
  clear()
  if not ok then error(why, 0) end
  return folder
end

local named = {
  demo = sources.demo_data,
  cifar10 = function()
    return sources.untar_data(sources.URLs.CIFAR10,
      {md5 = "c32a1d4ab5d03f1284b67883e8d87530"})
  end,
  imagenette = function() return sources.untar_data(sources.URLs.IMAGENETTE) end,
  ["imagenette-320"] = function()
    return sources.untar_data(sources.URLs.IMAGENETTE_320)
  end,
  ["imagenette-160"] = function()
    return sources.untar_data(sources.URLs.IMAGENETTE_160)
  end,
}

--- What a --data option means: "demo", "imagenette" (or -320, -160), "cifar10"
--- (these are downloaded), or a folder.
---@param name string
---@return string folder
---@example open_data "demo"
function sources.open_data(name)
  return named[name] and named[name]() or name
end

return sources
