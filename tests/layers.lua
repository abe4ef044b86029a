-- layers.lua -- fails when a folder of engine/ includes one it may not see, or
-- a library that belongs to another. Run from the root: lua tests/layers.lua
local function set(s)
  local t = {}
  for w in s:gmatch "%S+" do t[w] = true end
  return t
end

local may = {
  base = set "",
  backend = set "base",
  tensor = set "base backend",
  ops = set "base backend tensor",
  cpu = set "base backend tensor ops",
  cuda = set "base backend tensor ops",
  data = set "base backend tensor",
  augment = set "base backend tensor ops",
  draw = set "base backend tensor data",
  train = set "base backend tensor ops augment data",
  lua = set "base backend tensor ops data augment draw train",
}
-- pattern of a system header -> the folder that alone may include it
local owners = {
  ["^l[ua][ua][xl]?i?b?%.h"] = "lua", ["^lua"] = "lua", ["^lauxlib"] = "lua",
  ["^vips/"] = "data", ["^jpeglib"] = "data",
  ["^dnnl"] = "cpu", ["^oneapi/dnnl"] = "cpu",
  ["^cairo"] = "draw", ["^pango/"] = "draw", ["^chafa"] = "draw",
  ["^cuda"] = "cuda", ["^cudnn"] = "cuda", ["^cublas"] = "cuda",
}

local bad, files = 0, 0
local function fault(path, n, fmt, ...)
  print(("%s:%d: " .. fmt):format(path, n, ...))
  bad = bad + 1
end

for path in io.popen("find engine -name '*.[ch]' -o -name '*.cu'"):lines() do
  local dir, n = path:match "engine/([^/]+)/", 0
  files = files + 1
  for line in io.lines(path) do
    n = n + 1
    local to = line:match '^%s*#%s*include "([^/"]+)/'
    if dir and to and to ~= dir and not (may[dir] or {})[to] then
      fault(path, n, "%s/ may not include %s/", dir, to)
    end
    local system = line:match "^%s*#%s*include <([^>]+)>"
    for pattern, owner in pairs(owners) do
      if dir and system and system:match(pattern) and dir ~= owner then
        fault(path, n, "only %s/ includes <%s>", owner, system)
      end
    end
  end
end
print(("%d files, %d forbidden includes"):format(files, bad))
os.exit(bad == 0 and files > 0)
