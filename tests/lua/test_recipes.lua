-- test_recipes.lua -- each recipe has its help, and runs on a tiny data set.
local core = require "sota.core"
local check = require "check"
local demo = require "demo"

local temporary <close> = demo.folder()
local folder = demo.write(temporary)

-- This interpreter and the recipes beside it.
local function program()
  local link <close> = assert(io.popen "readlink /proc/$PPID/exe")
  return link:read "l"
end

local here = debug.getinfo(1, "S").source:match "^@(.*)tests/lua/[^/]*$"
local sota_lua, recipes = program(), here .. "recipes/"

local function run(recipe, arguments, environment)
  local out <close> = io.popen(("%s%s %s.lua %s 2>&1"):format(environment or "",
    sota_lua, recipes .. recipe, arguments))
  local text = out:read "a"
  local ok, _, code = out:close()
  return text, ok and 0 or code
end

-- Recipe -> what it must print, and options of its own.
local expected = {
  imagenette = {"accuracy %d", "--out " .. temporary.path .. "/a"},
  normalization = {"normalised\n", "--batches 2 --out " .. temporary.path .. "/e"},
  progressive_resizing = {"sizes: 16 32", "--from 16 --epochs 2 --out "
                          .. temporary.path .. "/f"},
  tta = {"tencrop +%d", "--tta 1 --out " .. temporary.path .. "/g"},
  label_smoothing = {"label smoothing +accuracy %d", "--label-smoothing 0.2 "
                     .. "--out " .. temporary.path .. "/h"},
  mixup = {"accuracy: %d.%d+ with mixup", "--mixup 0.3 --out "
           .. temporary.path .. "/i"},
  chapter7 = {"\n  and tta +%d", "--from 16 --out " .. temporary.path
              .. "/d"},
  leaderboard = {"\naccuracy %d", "--arch xse_resnext18 --pool blur "
                 .. "--size 64 --out " .. temporary.path .. "/c"},
  own_images = {"with test%-time augmentation %d",
                "--out " .. temporary.path .. "/b"},
}

for recipe, row in pairs(expected) do
  check.test(recipe, function()
    local text, code = run(recipe, "--epoch 3")
    assert(code == 2 and text:find("did you mean --epochs?", 1, true), text)
    text, code = run(recipe, "--help")
    assert(code == 0 and text:find("--epochs", 1, true), text)
    local sized = text:find("--item-size", 1, true) and "--item-size 40" or ""
    text, code = run(recipe, ("--data %s --epochs 1 --size 32 %s --bs 10 "
      .. "--seed 1 --workers 0 %s"):format(
      recipe == "own_images" and folder .. "/train" or folder, sized,
      row[2] or ""))
    assert(code == 0 and text:find(row[1]), text)
  end)
end

-- A process that dies after its n-th training batch.
local function write_killer(n)
  local path = temporary.path .. "/killer.lua"
  local file <close> = io.open(path, "w")
  file:write(([[
local class = require "sota.callbacks.checkpoint".Checkpoint
local after_batch, n = class.after_batch, 0
class.after_batch = function(self, learn)
  if learn.training then n = n + 1 end
  if n == %d then os.exit(9) end
  return after_batch(self, learn)
end
]]):format(n))
  return path
end

-- One with two trainings, which dies in the second, and one with one.
for recipe, batch in pairs{mixup = 6, own_images = 2} do
  check.test("interrupted and run again: " .. recipe, function()
    local out = temporary.path .. "/again-" .. recipe
    local arguments = ("--data %s --epochs 1 --size 32 --item-size 40 --bs 10 "
      .. "--seed 1 --workers 0 --precision f32 --out "):format(
      recipe == "own_images" and folder .. "/train" or folder)
    local want = run(recipe, arguments .. out .. "-whole")
    local _, code = run(recipe, arguments .. out,
      ("LUA_INIT=@%s "):format(write_killer(batch)))
    assert(code == 9, code)
    local got
    got, code = run(recipe, arguments .. out)
    assert(code == 0, got)
    assert(got:find "checkpoint: going on from", got)
    local line = "\n(accuracy[^\n]*)"
    check.equal(got:match(line), assert(want:match(line)))
    local left = core.list_dir(out) or {}
    for _, name in ipairs(left) do assert(not name:find "^checkpoint", name) end
  end)
end

check.test("stages of the chapter", function()
  local common = ("--data %s --epochs 1 --size 32 --item-size 40 --bs 10 "
    .. "--from 16 --out %s/d"):format(folder, temporary.path)
  local text, code = run("chapter7", common .. " --stages mixup,tta")
  assert(code == 0 and text:find "\n  and tta +%d" and text:find "\nmixup +%d", text)
  assert(not text:find "baseline", text)
  text, code = run("chapter7", common
    .. " --stages progressive --from-epochs 3 --no-resume")
  assert(code == 0, text)
  check.equal(select(2, text:gsub("\n%d+ +%d+%.%d+ +%d+%.%d+ ", "")), 3 + 1 + 1)
  text, code = run("chapter7", common .. " --stages progresive")
  assert(code == 2 and text:find("did you mean 'progressive'?", 1, true), text)
end)

check.test("own_images recognises a picture with what it saved", function()
  local text, code = run("own_images", ("--out %s/b --image %s"):format(
    temporary.path, folder .. "/val/dots/0001.jpg"))
  assert(code == 0 and text:find "^%w+ %(%d+%.%d %%%)\n$", text)
end)

-- --- what all recipes have in common ----------------------------------------

local function all_recipes()
  local list <close> = io.popen(("ls '%s'"):format(recipes))
  local names = {}
  for name in list:read "a":gmatch "([%w_]+)%.lua" do
    names[#names + 1] = name
  end
  return names
end

-- The comment a file begins with.
local function header(name)
  local lines = {}
  for line in io.lines(recipes .. name .. ".lua") do
    if not line:find "^%-%-" then break end
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n")
end

check.test("each says what it shows, what it reaches and how long it takes", function()
  for _, name in ipairs(all_recipes()) do
    local text = header(name)
    assert(text:find("^%-%- " .. name .. "%.lua %-%- "), name)
    assert(text:find("sota-lua recipes/" .. name .. ".lua", 1, true), name)
    for _, part in ipairs{"Shows", "[Rr]eaches", "0%.%d", "cores"} do
      assert(text:find(part), ("%s.lua does not say: %s"):format(name, part))
    end
    assert(text:find "seconds" or text:find "minutes?" or text:find "an hour",
      name .. ".lua does not say how long it takes")
  end
end)

-- Option -> its type, from --help.
local function options(name)
  local found = {}
  for flag, kind in run(name, "--help"):gmatch "\n  %-%-(%S+) +(%u*)" do
    found[flag] = kind
  end
  return found
end

-- CIFAR-10 has one size, airbench fractions of epochs and a TTA of its own.
local of_its_own = {cifar10_speedrun = {size = true, epochs = true, tta = true}}

check.test("one option has one name and one type in all", function()
  local first = {}
  for _, name in ipairs(all_recipes()) do
    local mine, own = options(name), of_its_own[name] or {}
    for _, flag in ipairs{"data", "arch", "size", "epochs", "bs", "lr", "seed",
                          "workers", "precision", "out", "[no-]resume",
                          "help"} do
      assert(mine[flag] or own[flag], ("%s.lua has no --%s"):format(name, flag))
    end
    for flag, kind in pairs(mine) do
      local before = first[flag]
      assert(own[flag] or not before or before.kind == kind, before and
        ("--%s: %s in %s.lua, %s in %s.lua"):format(flag, before.kind,
          before.name, kind, name))
      first[flag] = before or not own[flag] and {kind = kind, name = name}
        or nil
    end
    -- names that others use for the same
    for other, right in pairs{alpha = "mixup", eps = "label-smoothing",
                              n = "tta", ["batch-size"] = "bs",
                              model = "arch"} do
      assert(not mine[other],
        ("%s.lua: --%s is --%s elsewhere"):format(name, other, right))
    end
  end
end)

check.done()
