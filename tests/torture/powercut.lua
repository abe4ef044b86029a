-- powercut.lua RECORD FROM TO CUT SEED -- what a disk may hold after a power cut.
-- RECORD is what libfault.so wrote (SOTA_FAULT_RECORD) about the files in FROM;
-- the power goes after its CUT-th call, and what is left is written to TO, which
-- must not exist. Prints the newest checkpoint that had been promised by then, or
-- "finished" when the script had begun to give its checkpoints up.
--
-- Sure is only: a file's bytes at its last fsync, a folder's names at its last
-- fsync. What came later may be there or not. SEED 0: nothing of it. 1: all names
-- and no bytes (files are as long as they were when last synced, new ones empty).
-- Others: for each file and folder by chance, and of a file's bytes a beginning,
-- with or without a hole of zeros.
local core = require "sota.core"

local record, from, to, cut, seed = table.unpack(arg)
cut, seed = math.tointeger(cut), math.tointeger(seed)
math.randomseed(seed)

-- --- the record -------------------------------------------------------------------

local calls = {}

local function read(text)
  local at = 1
  while at <= #text do
    local stop = text:find("\n", at, true)
    local line = text:sub(at, stop - 1)
    at = stop + 1
    local what, rest = line:match "^(%a+) (.*)$"
    local c = {what = what}
    if what == "write" then
      local n, place, path = rest:match "^(%d+) (%d+) (.*)$"
      n = math.tointeger(n)
      c.at, c.path = math.tointeger(place), path
      c.data = text:sub(at, at + n - 1)
      at = at + n
    elseif what == "rename" then
      local n, both = rest:match "^(%d+) (.*)$"
      c.path, c.to = both:sub(1, n), both:sub(n + 2)
    elseif what == "truncate" then
      c.size, c.path = rest:match "^(%d+) (.*)$"
      c.size = math.tointeger(c.size)
    elseif what == "open" then
      c.new, c.path = rest:match "^%d+ (%a+) (.*)$"
    else
      c.path = rest
    end
    calls[#calls + 1] = c
  end
end

local file = assert(io.open(record, "rb"))
read(file:read "a")
file:close()

if cut == 0 then -- how many there are
  print(#calls)
  return
end

-- --- the disk ---------------------------------------------------------------------

-- path -> {now = bytes, sure = bytes at the last fsync} or {folder = true}, as
-- programs see it; folder -> {name -> node} at its last fsync.
local names, sure = {}, {[from] = {}}

local function parent(path) return path:match "^(.*)/[^/]*$" end

local function names_in(folder)
  local list = {}
  for path, node in pairs(names) do
    if parent(path) == folder then list[path:match "[^/]*$"] = node end
  end
  return list
end

local does = {}

function does.open(c)
  local node = names[c.path]
  if not node then
    node = {now = "", sure = ""}
    names[c.path] = node
  end
  if c.new == "new" then node.now = "" end
end

function does.write(c)
  local node = names[c.path]
  local before = node.now:sub(1, c.at)
  before = before .. ("\0"):rep(c.at - #before)
  node.now = before .. c.data .. node.now:sub(c.at + #c.data + 1)
end

function does.truncate(c) names[c.path].now = names[c.path].now:sub(1, c.size) end
function does.fsync(c) names[c.path].sure = names[c.path].now end
function does.folder(c) sure[c.path] = names_in(c.path) end
function does.mkdir(c)
  names[c.path], sure[c.path] = {folder = true}, {}
end
function does.rename(c)
  names[c.to], names[c.path] = names[c.path], nil
end
function does.unlink(c) names[c.path] = nil end

-- A checkpoint is promised once its folder is synced under its name.
local promised, finished
local function look(c)
  if c.what == "unlink" and c.path:find "/fit%d+%.safetensors$" then
    finished = true
  end
  if c.what ~= "folder" or not c.path:find "/checkpoint$" then return end
  for name in pairs(names_in(c.path)) do
    if name:find "%.safetensors$" then
      -- the end of a fit ("fit1.") comes after all of it ("fit1-")
      local key = name:gsub("%.safetensors$", "~"):gsub("%-", " ")
      if not promised or key > promised.key then
        promised = {key = key, name = name}
      end
    end
  end
end

for i = 1, math.min(cut, #calls) do
  does[calls[i].what](calls[i])
  look(calls[i])
end

-- --- what is left -----------------------------------------------------------------

local function bytes_of(node)
  if seed <= 1 or node.now == node.sure then return node.sure end
  local kind = math.random(4)
  if kind == 1 then return node.sure end
  if kind == 2 then return node.now end
  local some = node.now:sub(1, math.random(0, #node.now))
  if kind == 3 or #some < 2 then return some end
  local hole = math.random(#some)
  return some:sub(1, hole - 1) .. ("\0"):rep(#some - hole + 1)
end

-- Name by name: that of the last fsync, or that of now.
local function names_left(folder)
  local then_, now, left = sure[folder] or {}, names_in(folder), {}
  if seed == 1 then return now end
  for name, node in pairs(then_) do left[name] = node end
  if seed == 0 then return left end
  local list = {}
  for name in pairs(then_) do list[name] = true end
  for name in pairs(now) do list[name] = true end
  local sorted = {}
  for name in pairs(list) do sorted[#sorted + 1] = name end
  table.sort(sorted)
  for _, name in ipairs(sorted) do
    if math.random(2) == 1 then left[name] = now[name] end
  end
  return left
end

local function write(folder, place)
  core.make_dirs(place)
  for name, node in pairs(names_left(folder)) do
    if node.folder then
      write(folder .. "/" .. name, place .. "/" .. name)
    else
      local out <close> = assert(io.open(place .. "/" .. name, "wb"))
      out:write(bytes_of(node))
    end
  end
end

write(from, to)
print(finished and "finished" or promised and promised.name or "none")
