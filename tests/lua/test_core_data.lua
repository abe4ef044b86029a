-- test_core_data.lua -- sota.core.data: files, splits, pipelines, loaders.
local core = require "sota.core"

core.set("allow-untrusted-images", true) -- PNM is easy to write
local data = core.data

local function fails(want, f, ...)
  local ok, why = pcall(f, ...)
  assert(not ok, "no error; want: " .. want)
  assert(tostring(why):find(want, 1, true), why)
end

-- A set of 3 x 5 pictures, 6 x 4 pixels; red is the number of the picture.
local root = os.tmpname()
os.remove(root)
local function write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end
for s, set in ipairs { "train", "valid", "other" } do
  for c, class in ipairs { "ant", "bee", "cat", "dog", "eel" } do
    local dir = ("%s/%s/%s"):format(root, set, class)
    assert(os.execute("mkdir -p '" .. dir .. "'"))
    local pixel = string.char(10 * s + c, 0, 0)
    write(dir .. "/1.ppm", "P6\n6 4\n255\n" .. pixel:rep(24))
  end
end
write(root .. "/train/notes.txt", "x")
local cleaner <close> = setmetatable({}, { __close = function()
  os.execute("rm -rf '" .. root .. "'")
end })

-- files
local files, seen = data.scan(root)
assert(#files == 15 and seen.files == 15 and seen.others == 1)
assert(files:path(1) == root .. "/other/ant/1.ppm")
assert(files[1] == files:path(1) and files[0] == nil and files[#files + 1] == nil)
local seen = 0
for i, path in ipairs(files) do
  seen = seen + 1
  assert(path == files:path(i))
end
assert(seen == #files and seen > 0)
assert(files:labels(1) == nil)
files:label_by_folder()
assert(files:labels(2)[1] == "bee")
files:set_label(2, { "x", "y" })
assert(#files:labels(2) == 2)
files:set_label(2, "bee")
assert(tostring(files) == "[15 files]")
assert(data.parent_label "a/b/c.jpg" == "b")
assert(data.parent_label("a/b/c.jpg", 2) == "a")
assert(#data.scan(root, { folders = { "valid" } }) == 5)
assert(#data.scan(root, { extensions = { "txt" } }) == 1)
fails("did you mean 'folders'?", data.scan, root, { folder = {} })
fails("/none: No such file", data.scan, root .. "/none")
fails("option 'recurse' must be true or false, not 1", data.scan, root,
  { recurse = 1 })
fails("there is no such row", files.path, files, 16)
fails("no images in", data.scan, root, { recurse = false })

-- splits
local train, valid = data.split_grandparent(files, "train", "valid")
assert(#train == 5 and train[1] == 6 and valid[5] == 15 and valid[6] == nil)
fails("the folders there are 'other', 'train', 'valid'",
  data.split_grandparent, files, "train", "val")
local a, b = data.split_random(13, .2, 42)
assert(table.concat(b:totable(), " ") == "6 13")
assert(a[1] == 12 and #a == 11)
local c, d = data.split_rows(4, { 4, 2 })
assert(table.concat(c:totable(), " ") == "1 3")
assert(table.concat(d:totable(), " ") == "4 2")
fails("in [0, 1)", data.split_random, 13, 1, 42)
fails("item 2 is x", data.rows, { 1, "x" })

-- classes
local vocab = data.vocab(files, train)
assert(#vocab == 5 and vocab[1] == "ant" and vocab[6] == nil)
assert(vocab:find "eel" == 5 and vocab:find "fox" == nil)
assert(tostring(vocab) == "[5 classes: ant, bee, cat, dog, eel]")
assert(data.vocab { "z", "a" }[1] == "z")
fails("twice", data.vocab, { "z", "z" })
fails("row 16 is not in a list of 15 files", data.vocab, files, { 16 })

-- pipelines
local pipe = data.pipeline { { "Resize", 4 }, { "FlipItem", p = 0.5 } }
local h, w = pipe:size(true)
assert(h == 4 and w == 4)
assert(select(2, data.pipeline { { "Resize", size = { 4, 6 } } }:size()) == 6)
fails("did you mean 'Resize'?", data.pipeline, { { "Resise", 4 } })
fails("did you mean 'method'?", data.pipeline, { { "Resize", 4, metod = 1 } })
fails("must be a whole number", data.pipeline, { { "Resize", 4.5 } })
fails("squish", data.pipeline, { { "Resize", 4, method = "squash" } })
fails("a table that begins with its name", data.pipeline, { "Resize" })
local names = {}
for _, t in ipairs(data.transforms()) do names[t.name] = t end
assert(names.Resize.options[1].name == "size" and names.FlipItem.help)

-- loaders
local function make(options)
  local o = { files = files, pipeline = pipe, rows = train, vocab = vocab,
              train = true, batch_size = 2, seed = 3, workers = 2 }
  for k, v in pairs(options or {}) do o[k] = v end
  return data.loader(o)
end
local loader <close> = make()
assert(#loader == 2 and loader:items() == 4 and loader:workers() == 2)
assert(tostring(loader) == "[loader: 4 items, 2 batches of 2, 2 workers]")
assert(table.concat(loader:counts(), " ") == "1 1 1 1 1")

local function record(l, epoch, first)
  local text = {}
  for i, x, y, rows in l:batches(epoch, first) do
    local n = #rows
    assert(x:shape(1) == n and x:shape(2) == 4 and x:shape(4) == 3)
    local pixels, classes = x:totable(), y:totable()
    for j = 1, n do
      local row = rows[j]
      assert(pixels[j][1][1][1] == 10 + row - 5, "red names the picture")
      assert(vocab[classes[j]] == files:labels(row)[1])
      text[#text + 1] = ("%d:%d"):format(i, row)
    end
  end
  return table.concat(text, " ")
end
local first = record(loader, 1)
assert(first == record(loader, 1) and first ~= record(loader, 2))
assert(first == record(make { workers = 0 }, 1))
assert(first:sub(-7) == record(loader, 1, 2))

-- leaving early, by break and by an error, ends the epoch's threads
for i in loader:batches(1) do if i == 1 then break end end
fails("was not started", loader.next, loader)
fails("inside", function()
  for _ in loader:batches(1) do error "inside" end
end)
fails("was not started", loader.next, loader)
fails("was ended", function()
  for _ in loader:batches(1) do loader:start(2) end
end)
loader:start(3)
local i, x, y, rows = loader:next()
assert(i == 1 and x and y and #rows == 2)
loader:stop()

-- multi-hot, no labels, the odd last batch
local many = data.scan(root, { folders = { "train" } })
for r = 1, 5 do many:set_label(r, r == 1 and { "a", "b" } or { "b" }) end
local l <close> = data.loader { files = many, pipeline = pipe, multi = true,
                                vocab = data.vocab(many), batch_size = 3 }
local sizes = {}
for _, mx, my in l:batches() do
  sizes[#sizes + 1] = mx:shape(1)
  assert(my:shape(2) == 2)
  if #sizes == 1 then assert(my:totable()[1][1] == 1) end
end
assert(sizes[1] == 3 and sizes[2] == 2 and #sizes == 2)
for _, _, none in data.loader({ files = many, pipeline = pipe }):batches() do
  assert(none == false)
end
fails("feeds a loader", many.add, many, "x.jpg")

-- bad images
write(root .. "/train/bee/1.ppm", "P6\n6 4\n255\nshort")
fails("bee/1.ppm", record, make { shuffle = false }, 1)
local quiet <close> = make { on_bad = "skip", shuffle = false,
                             drop_last = false }
assert(record(quiet, 1) == "1:6 2:8 2:9 3:10")
local bad = quiet:bad()
assert(#bad == 1 and bad[1].row == 7 and bad[1].path:find "bee/1.ppm$")
assert(quiet:waited() >= 0)

-- errors
fails("option 'files' is missing", data.loader, {})
fails("did you mean 'batch_size'?", make, { batchsize = 3 })
fails("on_bad is", make, { on_bad = "ignore" })
fails("must be 1 or more, not 0", make, { batch_size = 0 })
fails("has class 'bee'", make, { vocab = data.vocab { "ant" } })
quiet:close()
fails("has been closed", function() return #quiet end)
assert(tostring(quiet) == "[closed loader]")

-- downloads, without a network
local cache = root .. "/cache"
os.execute("mkdir -p '" .. cache .. "/set'")
assert(data.untar("http://127.0.0.1:9/set.tgz", { cache = cache })
  == cache .. "/set")
fails("--data DIR", data.untar, "http://127.0.0.1:9/no.tgz", { cache = cache })
fails("did you mean 'sha256'?", data.untar, "http://x/a.tgz", { sha25 = "" })
assert(type(data.can_download()) == "boolean")
