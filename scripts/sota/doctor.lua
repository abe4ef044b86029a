--- What was found, what is missing, and how to get it: sota-lua --doctor.
--
--   os.exit(require "sota.doctor"())
--
-- Prints to stdout and returns the exit code: 0 when training works, 1 when
-- something that it needs does not.
local core = require "sota.core"

local function line(label, fmt, ...)
  print(("  %-12s %s"):format(label, fmt:format(...)))
end

local function install(package) return "apt-get install " .. package .. ", then build again" end

local function devices(found)
  local chosen = core.get "device"
  for _, d in ipairs(found.devices) do
    if d.name then
      line(d.name, "%s%s", d.text, d.name == chosen and " (in use)" or "")
    else
      line("no GPU", "%s", d.text)
    end
  end
  line("threads", "%d for computing", core.get "threads")
  line("precision", "%s", core.get "precision")
end

local function libraries(found)
  for _, l in ipairs(found.libraries) do
    if l.version then
      line(l.name, "%s", l.version)
    else
      line(l.name, "missing: %s. %s", l.without, install(l.package))
    end
  end
  if found.editing then
    line("libedit", "found")
  else
    line("libedit", "missing: no line editing at the prompt. %s", install "libedit-dev")
  end
end

-- What draws, and what shows it in a terminal.
local function pictures()
  local draw = core.draw
  if draw.missing then
    line("Cairo, Pango", "missing: no pictures. %s", install(draw.missing))
  else
    line("Cairo, Pango", "found")
    if draw.no_terminal then
      line("libchafa", "missing: no pictures inside the terminal. %s", install(draw.no_terminal))
    else
      line("libchafa", "found")
    end
  end
end

local function formats(found)
  local can, cannot, blocked = {}, {}, {}
  for _, f in ipairs(found.formats) do
    local list = not f.readable and cannot or f.blocked and blocked or can
    list[#list + 1] = f.name
  end
  line("reads", "%s", table.concat(can, ", "))
  if #blocked > 0 then
    line("blocked", "%s: only with --allow-untrusted-images", table.concat(blocked, ", "))
  end
  if #cannot > 0 then
    line("cannot read", "%s (this libvips was built without)", table.concat(cannot, ", "))
  end
end

--- The cache folder, tried by writing a file. True if that works.
local function cache()
  local ok, folder = pcall(core.data.cache_dir)
  if not ok then
    line("cache", "%s", folder)
    return false
  end
  local name = folder .. "/.doctor"
  local file, why = io.open(name, "w")
  if not file then
    line("cache", "%s is not writable: %s; set SOTA_DATA to a folder that is", folder, why)
    return false
  end
  file:close()
  os.remove(name)
  line("cache", "%s, writable", folder)
  return true
end

--- One step of training, as a whole.
local function works()
  local w = core.tensor{{1, -2}, {3, 4}}
  w:requires_grad(true)
  local loss = core.cross_entropy(w, core.tensor({1, 2}, {dtype = "i32"}))
  loss:backward()
  local g = w:grad():totable()
  return math.abs(g[1][1] + 0.0237) < 1e-3
end

local function self_test()
  local ok, right = pcall(works)
  if ok and right then
    line("self-test", "a gradient came out right")
    return true
  end
  line("self-test", "FAILED: %s", ok and "a gradient is wrong" or right)
  return false
end

return function()
  local found = core.found()
  print(("sota-lua %s, %s, built with %s"):format(core.version, found.lua, found.compiler))
  print "\ndevices"
  devices(found)
  print "\nlibraries"
  libraries(found)
  pictures()
  print "\nimages"
  formats(found)
  print "\nfiles"
  local writable = cache()
  print ""
  local right = self_test()
  return writable and right and 0 or 1
end
