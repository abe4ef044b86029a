-- data/cache.lua -- the option `cache`: where decoded images are kept, and how
-- many. In memory first; a set that does not fit there goes on in a file.
local core = require "sota.core"
local check = require "sota.check"

local cache = {}

local SHARE = 0.25 -- of the free memory, unless told
local SAMPLES = 16 -- images whose sizes stand for those of a set

local function number_in(path, pattern)
  local file <close> = io.open(path)
  return file and math.tointeger(tonumber(file:read "a":match(pattern)))
end

-- A container may have less than the machine.
local function free_megabytes()
  local free = (number_in("/proc/meminfo", "MemAvailable:%s*(%d+)")
    or 4 << 20) >> 10
  local most = number_in("/sys/fs/cgroup/memory.max", "^(%d+)")
  local used = number_in("/sys/fs/cgroup/memory.current", "^(%d+)")
  if most and used then free = math.min(free, (most - used) >> 20) end
  return math.max(free, 0)
end

--- Megabytes of memory that decoded images take unless told.
function cache.memory() return math.floor(free_megabytes() * SHARE) end

-- Bytes of all images decoded at full size, guessed from a few; those that
-- cannot be read do not count.
local function estimate(files)
  local n = math.min(#files, SAMPLES)
  local bytes = 0
  for i = 0, n - 1 do
    local path = files:path(i * #files // n + 1)
    local ok, h, w = pcall(core.data.image_size, path)
    if ok then bytes = bytes + 3 * h * w end
  end
  return bytes * #files // n
end

local arguments = check.spec("cache", {
  {"memory", "integer", min = 0},
  {"disk", "integer boolean", min = 0}, {"folder", "string"},
})

-- The option as {memory =, disk =, folder =}; nil: nothing is kept.
local function settings(value)
  if value == false or value == 0 then return nil end
  if value == nil or value == true or value == "auto" then return {} end
  if math.type(value) == "integer" then
    return {memory = value, disk = false}
  end
  return arguments(value)
end

-- Whether there is to be a file. Of its own accord only if memory is too small:
-- small sets leave nothing behind.
local function wants_file(o, files)
  if o.disk == nil then return estimate(files) > o.memory << 20 end
  return o.disk ~= false and o.disk ~= 0
end

local function folder_of(o)
  if o.folder then return o.folder end
  local ok, folder = pcall(core.data.cache_dir)
  return ok and folder .. "/decoded" or nil
end

--- The images kept for loaders over these files, or nil.
---@param files files
---@param value any the option: "auto" (nil, true), false, megabytes, a table
function cache.open(files, value)
  local o = settings(value)
  if not o then return nil end
  o.memory = o.memory or cache.memory()
  local folder = wants_file(o, files) and folder_of(o) or nil
  local disk = math.type(o.disk) == "integer" and o.disk or 0 -- 0: by itself
  return core.data.decoded(files, o.memory << 20, folder, disk << 20)
end

--- The option's row for check.spec.
cache.option = {"cache", "boolean integer string table", min = 0,
                choices = {"auto"}}

return cache
