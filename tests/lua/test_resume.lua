-- test_resume.lua -- Checkpoint: a training that dies anywhere and is started
-- again ends with the same bits; damage, other options, a full disk.
require "sota.all"
local core = require "sota.core"
local sota = require "sota"
local check = require "check"
local batches = require "batches"

core.set("precision", "f32")
local folder = os.tmpname()
os.remove(folder)

local function clear(path)
  for _, name in ipairs(core.list_dir(path) or {}) do
    os.remove(path .. "/" .. name)
  end
  os.remove(path)
end

local function model()
  return nn.Sequential{nn.Linear(4, 8), nn.BatchNorm(8), nn.ReLU(),
                       nn.Dropout(0.3), nn.Linear(8, 3)}
end

-- Dies at the n-th training batch of this process, or in its n-th epoch's end.
local function killer(at)
  local n, epochs = 0, 0
  return {order = 96, name = "killer",
    after_batch = function(_, learn)
      if not learn.training then return end
      n = n + 1
      if n == at.batch then error("killed", 0) end
    end,
    before_validate = function(_, learn)
      if at.validation == learn.epoch then error("killed", 0) end
    end,
    after_epoch = function()
      epochs = epochs + 1
      if epochs == at.epoch then error("killed", 0) end
    end}
end

-- Two fits of one script; returns what it leaves, or nil if it was killed.
local function script(at, o)
  o = o or {}
  sota.set("seed", 5)
  local net = model()
  local dls = {train = batches(7, 1), valid = batches(3, 2), c = 3}
  local checkpoint = Checkpoint{folder, every = o.every or "2 batches",
    keep = o.keep, resume = o.resume ~= false, settings = o.settings}
  local learn = Learner(dls, net, {quiet = true, metrics = accuracy,
    history = folder .. ".csv", opt_func = o.opt_func,
    cbs = {o.cbs and o.cbs() or {}, checkpoint, killer(at or {})}})
  local ok, why = pcall(function()
    learn:fit_one_cycle(3, 1e-2)
    learn:fit(2, 1e-3)
  end)
  if not ok then
    if not tostring(why):find "^killed" then error(why, 0) end
    learn.opt:close()
    return nil
  end
  local result = {state = {}, losses = learn.recorder.losses,
    epochs = learn.epochs_done, draw = core.uniform({1}):item(), rows = {}}
  for _, e in ipairs(net:state_dict()) do
    result.state[e.name] = e.tensor:totable()
  end
  for name, t in pairs(learn.opt:state().tensors) do
    result.state["opt " .. name] = t:totable()
  end
  for line in io.lines(folder .. ".csv") do
    result.rows[#result.rows + 1] = line:gsub(",[%d:]*$", "")
  end
  learn.opt:close()
  return result, checkpoint
end

local setups = {
  plain = {},
  ["all callbacks"] = {cbs = function()
    return {Mixup(), EMA(0.9), GradientAccumulation(12), GradientClip(1),
            EarlyStopping("valid_loss", {patience = 9})}
  end},
  ["RAdam and Lookahead"] = {opt_func = ranger, cbs = function()
    return {LookaheadEMA(0.9, {k = 3}), ReduceLROnPlateau "valid_loss"}
  end},
}

for name, o in pairs(setups) do
  check.test("killed anywhere, the same bits: " .. name, function()
    clear(folder)
    local want = script(nil, o)
    for _, at in ipairs {{batch = 1}, {batch = 2}, {batch = 5}, {batch = 7},
                         {batch = 8}, {batch = 20}, {batch = 21}, {batch = 22},
                         {batch = 29}, {batch = 35}, {epoch = 1}, {epoch = 4},
                         {epoch = 5}, {validation = 1}, {validation = 3}} do
      clear(folder)
      assert(script(at, o) == nil, "was not killed")
      check.equal(script(nil, o), want,
        ("killed at batch %s, epoch %s, validation %s"):format(at.batch, at.epoch,
          at.validation))
    end
    clear(folder)
  end)
end

check.test("killed again and again", function()
  clear(folder)
  local o = setups["all callbacks"]
  local want, got = script(nil, o), nil
  clear(folder)
  for k = 1, 40 do
    got = script({batch = 3 + k % 4}, o)
    if got then break end
  end
  check.equal(got, want)
  clear(folder)
end)

check.test("a report has what was before the end of the earlier process", function()
  local report
  local o = {cbs = function()
    report = Report{fname = folder .. ".html", results = false}
    return report
  end}
  clear(folder)
  script(nil, o)
  local want = report.record.recorder
  check.equal({#want.losses, #want.values}, {35, 5})
  for _, at in ipairs{{batch = 5}, {batch = 21}, {batch = 29}, {epoch = 2},
                      {epoch = 4}} do
    clear(folder)
    script(at, o)
    script(nil, o)
    local got = report.record.recorder
    for _, series in ipairs{"losses", "lrs", "moms", "iters", "names"} do
      check.equal(got[series], want[series], series)
    end
    for i, row in ipairs(want.values) do
      check.equal({got.values[i].epoch, got.values[i].valid_loss},
        {row.epoch, row.valid_loss})
    end
    check.equal(report.record.n_epoch, 5)
  end
  clear(folder)
  os.remove(folder .. ".html")
end)

local function newest()
  local list = core.list_dir(folder) -- the last one is the lock
  return folder .. "/" .. list[#list - 1]
end

check.test("a damaged file: the one before it", function()
  clear(folder)
  local want = script()
  clear(folder)
  script {batch = 6}
  for _, damage in ipairs {
    function(text) return text:sub(1, #text // 2) end,
    function(text) return text:sub(1, -9) .. "\255" .. text:sub(-7) end,
    function() return "" end,
  } do
    local path = newest()
    local file = io.open(path, "rb")
    local text = file:read "a"
    file:close()
    file = io.open(path, "wb")
    file:write(damage(text))
    file:close()
    check.equal(script(), want)
    clear(folder)
    script {batch = 6}
  end
  clear(folder)
end)

check.test("what is damaged or half written does not stay in the way", function()
  local o = {keep = 1}
  clear(folder)
  local want = script(nil, o)
  clear(folder)
  script({batch = 6}, o)
  local path = newest()
  local file <close> = io.open(path, "r+b")
  file:write "no such file"
  file:close()
  local half = folder .. "/fit1-000001-00000001.safetensors.123-0.tmp"
  io.open(half, "wb"):close()
  assert(script({batch = 3}, o) == nil)
  check.equal(io.open(half), nil)
  -- the new one is kept, though the damaged one has a later name
  check.equal(core.list_dir(folder), {"fit1-000001-00000002.safetensors",
    path:match "[^/]*$" .. ".damaged", "lock"})
  check.equal(script(nil, o), want)
  clear(folder)
end)

check.test("other options say so; --no-resume keeps the old run", function()
  clear(folder)
  script({batch = 4}, {settings = {lr = 1}})
  check.fails("was written with option lr = 1, this run has 2",
    script, nil, {settings = {lr = 2}})
  check.fails("with option lr = 1, this run has nil", script)
  local before = core.list_dir(folder)
  local want = script(nil, {resume = false})
  check.equal(core.list_dir(folder .. ".1"), {table.unpack(before, 1, #before - 1)})
  clear(folder .. ".1")
  check.equal(script(), want) -- both fits are done, and read
  local _, checkpoint = script()
  checkpoint:finish()
  check.equal(core.list_dir(folder), nil)
end)

check.test("where nothing can be written the fit does not begin", function()
  clear(folder)
  local file = io.open(folder, "w")
  file:close()
  check.fails("make", script)
  os.remove(folder)
end)

check.test("an end that cannot be written leaves the files before it", function()
  clear(folder)
  local function block() -- no file can take its place
    core.make_dirs(folder .. "/fit1.safetensors/x")
  end
  local sleep, waited = core.sleep, 0
  core.sleep = function() waited = waited + 1 return waited < 3 end
  local restore <close> = setmetatable({}, {__close = function()
    core.sleep = sleep
  end})
  assert(script(nil, {cbs = function() return {before_epoch = block} end}))
  check.equal(waited, 3)
  local left = 0
  for _, name in ipairs(core.list_dir(folder)) do
    if name:find "^fit1%-" then left = left + 1 end
  end
  check.equal(left, 3) -- keep
  os.remove(folder .. "/fit1.safetensors/x")
  clear(folder)
end)

check.test("keep; mistakes", function()
  clear(folder)
  script({batch = 14}, {every = "1 batches"})
  check.equal(#core.list_dir(folder), 3 + 1) -- and the lock
  clear(folder)
  check.fails("every = 'soon'", Checkpoint, {every = "soon"})
  check.fails("keep", Checkpoint, {keep = 0})
  check.fails("did you mean", Checkpoint, {folde = "x"})
end)

os.remove(folder .. ".csv")
check.done()
