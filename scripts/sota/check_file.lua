--- Is it sound? sota-lua --check PATH, for a model file or a folder of images.
--
--   os.exit(require "sota.check_file"(path))
--
-- Prints what was found to stdout; returns 0, or 1 if there are problems.
local core = require "sota.core"

local function line(label, fmt, ...) print(("  %-12s %s"):format(label, fmt:format(...))) end

local function plural(n, what) return ("%d %s%s"):format(n, what, n == 1 and "" or "s") end

-- --- a model -------------------------------------------------------------------

local function decoded(metadata, key)
  local text = metadata[key]
  if not text then return nil end
  local value, why = core.json.decode(text)
  if value == nil then return nil, ("metadata '%s' is no JSON: %s"):format(key, why) end
  return value
end

local function some(list)
  local parts = {}
  for i = 1, math.min(#list, 12) do parts[i] = tostring(list[i]) end
  return table.concat(parts, ", ") .. (#list > 12 and ", ..." or "")
end

local function floats_only(t)
  local d = t:dtype()
  return d == "f32" or d == "bf16"
end

--- Numbers of a tensor that are NaN or infinite.
local function not_finite(t)
  local x = t:cast("f32"):abs()
  return math.tointeger(((x:lt(math.huge)):cast("f32")):neg():add(1):sum():item() // 1)
end

local function describe(metadata, problems)
  local function read(key)
    local value, why = decoded(metadata, key)
    if why then problems[#problems + 1] = why end
    return value
  end
  local arch, classes, size = read "architecture", read "classes", read "size"
  local statistics, history = read "statistics", read "history"
  if type(arch) == "table" then line("architecture", "%s", tostring(arch.name)) end
  if type(classes) == "table" then line("classes", "%d: %s", #classes, some(classes)) end
  if type(size) == "table" then line("image size", "%s", some(size)) end
  if type(statistics) == "table" and type(statistics.mean) == "table" then
    line("normalised", "mean %s, std %s", some(statistics.mean), some(statistics.std or {}))
  end
  if type(history) == "table" then line("trained", "%s epochs", tostring(history.epochs)) end
  if metadata.sota_lua then line("written by", "sota-lua %s", metadata.sota_lua) end
end

local function scan(tensors, names, problems)
  local numbers = 0
  for _, name in ipairs(names) do
    core.scope(function()
      local t = tensors[name]
      numbers = numbers + t:numel()
      local bad = floats_only(t) and t:numel() > 0 and not_finite(t) or 0
      if bad > 0 then
        problems[#problems + 1] = ("%s: %d of its %d numbers are NaN or infinite"):format(name, bad,
          t:numel())
      end
    end)
  end
  line("tensors", "%d, of %d numbers", #names, numbers)
end

local function finish(problems)
  for _, p in ipairs(problems) do print("  problem      " .. p) end
  print(#problems == 0 and "sound" or plural(#problems, "problem"))
  return #problems == 0 and 0 or 1
end

local function check_model(path)
  print(path)
  local ok, tensors, metadata, names = pcall(core.safetensors.load, path)
  if not ok then return finish{tensors} end
  local problems = {}
  line("structure", "every byte is accounted for")
  describe(metadata, problems)
  scan(tensors, names, problems)
  return finish(problems)
end

-- --- a folder of images -----------------------------------------------------------

-- All of them decoded, by the loader's threads. Returns the list of bad ones.
local function decode(files)
  local Resize = require("sota.data").Resize
  local pipeline = require("sota.data.transforms").pipeline{Resize(16)}
  local loader <close> = core.data.loader{files = files, pipeline = pipeline, batch_size = 64,
    shuffle = false, on_bad = "list", name = "check"}
  local progress, done = core.progress("checking", #files, "img"), 0
  for _, x in loader:batches(1) do
    done = done + x:shape()[1]
    x:close()
    progress:update(math.min(done, #files))
  end
  progress:clear()
  return loader:bad()
end

local function size_of(path)
  local file <close> = io.open(path, "rb")
  return file and file:seek "end"
end

-- Groups of files with the same bytes; only those of one size are read.
local function copies(files)
  local by_size, by_hash, groups = {}, {}, {}
  for i = 1, #files do
    local path = files:path(i)
    local n = size_of(path)
    if n then
      by_size[n] = by_size[n] or {}
      table.insert(by_size[n], path)
    end
  end
  for n, paths in pairs(by_size) do
    for _, path in ipairs(#paths > 1 and n > 0 and paths or {}) do
      local hash = core.data.content_hash(path)
      if hash then
        by_hash[hash] = by_hash[hash] or {}
        table.insert(by_hash[hash], path)
      end
    end
  end
  for _, paths in pairs(by_hash) do
    if #paths > 1 then groups[#groups + 1] = paths end
  end
  for _, paths in ipairs(groups) do table.sort(paths) end
  table.sort(groups, function(a, b) return a[1] < b[1] end)
  return groups
end

local parts = {train = "train", training = "train", val = "valid", valid = "valid",
               validation = "valid", test = "test"}

-- "train", "valid", "test" or nil, and the class: folders below root.
local function place_of(root, path)
  local below = path:sub(#root + 2)
  local first = below:match "^([^/]+)/"
  return first and parts[first:lower()], below:match "([^/]+)/[^/]*$"
end

local function count(root, files)
  local counts, names = {}, {}
  for i = 1, #files do
    local part, class = place_of(root, files:path(i))
    class = class or "(no folder)"
    if not counts[class] then
      counts[class] = {}
      names[#names + 1] = class
    end
    part = part or "all"
    counts[class][part] = (counts[class][part] or 0) + 1
  end
  table.sort(names)
  return counts, names
end

local function show_counts(counts, names, problems)
  line("classes", "%d", #names)
  local split = false
  for _, c in pairs(counts) do split = split or c.train ~= nil end
  for i, name in ipairs(names) do
    local texts = {}
    for _, part in ipairs{"train", "valid", "test", "all"} do
      local n = counts[name][part]
      if n then texts[#texts + 1] = ("%s %d"):format(part, n) end
    end
    if i <= 50 then line("", "%s: %s", name, table.concat(texts, ", ")) end
    if split and not counts[name].train then
      problems[#problems + 1] = ("class %s has no training images"):format(name)
    end
  end
  if #names > 50 then line("", "... and %d more", #names - 50) end
end

local function show_copies(root, groups, problems)
  for _, paths in ipairs(groups) do
    local in_parts, classes, n = {}, {}, 0
    for _, path in ipairs(paths) do
      local part, class = place_of(root, path)
      in_parts[part or "all"] = true
      if class and not classes[class] then classes[class], n = true, n + 1 end
    end
    local leak = in_parts.train and (in_parts.valid or in_parts.test)
    problems[#problems + 1] = ("%s: %s"):format(
      leak and "leakage: the same image is for training and for validation"
        or n > 1 and "the same image in several classes" or "copies", table.concat(paths, ", "))
  end
end

local function check_folder(root)
  root = #root > 1 and root:gsub("/+$", "") or root
  print(root)
  local ok, files, seen = pcall(core.data.scan, root)
  if not ok then return finish{files} end
  if #files == 0 then return finish{"there is no image in it"} end
  local problems = {}
  line("images", "%d, and %s", #files, plural(seen.others, "other file"))
  if seen.unreadable > 0 then
    problems[1] = plural(seen.unreadable, "folder") .. " could not be read"
  end
  local bad = decode(files)
  for _, b in ipairs(bad) do problems[#problems + 1] = b.reason end
  line("decoded", "%d, %d cannot be", #files - #bad, #bad)
  local counts, names = count(root, files)
  show_counts(counts, names, problems)
  local groups = copies(files)
  line("copies", "%s", #groups == 0 and "none" or plural(#groups, "group"))
  show_copies(root, groups, problems)
  return finish(problems)
end

local function is_folder(path)
  local file <close> = io.open(path, "rb")
  return file and (select(3, file:read(1))) == 21 -- EISDIR
end

return function(path)
  if is_folder(path) then return check_folder(path) end
  return check_model(path)
end
