-- test_activations.lua -- ActivationStats: its numbers against sums over plain
-- Lua numbers, which batches and layers are recorded, its pictures.
local core = require "sota.core"
local sota = require "sota"
local check = require "check"
local demo = require "demo"
local mlp = require "mlp"
local style = require "sota.draw.style"

local ActivationStats = sota.callbacks.ActivationStats

-- Mean, unbiased deviation, share at most 0.05 of nested numbers.
local function direct(rows)
  local list = {}
  for _, row in ipairs(rows) do for _, v in ipairs(row) do list[#list + 1] = v end end
  local sum, squares, small = 0, 0, 0
  for _, v in ipairs(list) do sum = sum + v end
  local mean = sum / #list
  for _, v in ipairs(list) do
    squares = squares + (v - mean) ^ 2
    small = small + (v <= 0.05 and 1 or 0)
  end
  return mean, math.sqrt(squares / (#list - 1)), small / #list, list
end

-- x * weight^T + bias in Lua's doubles.
local function linear(layer, x)
  local w, b, out = layer.weight:totable(), layer.bias:totable(), {}
  for i, row in ipairs(x:totable()) do
    out[i] = {}
    for o = 1, #w do
      local v = b[o]
      for k, a in ipairs(row) do v = v + a * w[o][k] end
      out[i][o] = v
    end
  end
  return out
end

check.test("its numbers are those of plain sums", function()
  sota.scope(function()
    local learn, first, last = mlp.learner{precision = "f32"}, {}, {}
    local stats = learn:activations()
    learn:fit(2, 0.1, {cbs = {
      before_batch = function(_, l)
        if l.training then first[#first + 1] = linear(l.model["0"], l.xb) end
      end,
      after_pred = function(_, l)
        if l.training then last[#last + 1] = l.pred:totable() end
      end}})
    check.equal(stats.names, {"0", "1", "3"}) -- those with parameters
    check.equal({#first, stats.batches}, {4, 4})
    for path, want in pairs{["0"] = first, ["3"] = last} do
      local got = stats:layer_stats(path)
      for i, rows in ipairs(want) do
        local mean, std, near = direct(rows)
        check.close(got.mean[i], mean, 1e-5, path .. " mean")
        check.close(got.std[i], std, 1e-5, path .. " std")
        check.close(got.near_zero[i], near, 1e-6, path .. " near zero")
      end
    end
    learn.opt:close()
  end)
end)

check.test("histograms", function()
  sota.scope(function()
    local learn, last = mlp.learner{precision = "f32"}, {}
    local stats = learn:activations{layers = "3", bins = 8, range = {-1, 1}}
    learn:fit(1, 0.1, {cbs = {after_pred = function(_, l)
      if l.training then last[#last + 1] = l.pred:totable() end
    end}})
    check.equal(stats.names, {"3"})
    local want = {}
    for b, rows in ipairs(last) do
      local counts, _, _, _, list = {0, 0, 0, 0, 0, 0, 0, 0}, direct(rows)
      for _, v in ipairs(list) do
        local part = math.floor((v + 1) * 4) + 1
        if part >= 1 and part <= 8 then counts[part] = counts[part] + 1 end
      end
      for k, n in ipairs(counts) do
        want[k] = want[k] or {}
        want[k][b] = math.log(1 + n)
      end
    end
    check.close(stats:histograms "3", want, 1e-6)
    learn.opt:close()
  end)
end)

-- numpy.histogram([-1, 0, 0.1, 0.25, 0.5, 0.99, 1, 1.5, 3], 4, (0, 1))
check.test("sota.histogram: ends, and what is outside", function()
  sota.scope(function()
    local t = sota.tensor{-1, 0, 0.1, 0.25, 0.5, 0.99, 1, 1.5, 3}
    check.equal(sota.histogram(t, {bins = 4, low = 0, high = 1}), {2, 1, 1, 2})
    check.equal(sota.histogram(t, 4, 0, 1), {2, 1, 1, 2})
    check.equal(sota.histogram(t:to "bf16", {bins = 1, low = -2, high = 4}), {9})
    local odd = sota.tensor{0 / 0, 1 / 0, -1 / 0, 2}
    check.equal(sota.histogram(odd, {bins = 2, low = 0, high = 4}), {0, 1})
    check.equal(sota.histogram(sota.zeros(0), {bins = 2}), {0, 0})
    check.equal(#sota.histogram(t), 40)
    check.fails("low = 1 must be below high = 1",
      function() sota.histogram(t, {low = 1, high = 1}) end)
    check.fails("unknown option 'bin'; did you mean 'bins'?",
      function() sota.histogram(t, {bin = 4}) end)
  end)
end)

check.test("which batches: of the training, every n-th, over several fits", function()
  sota.scope(function()
    local stats = ActivationStats{every = 3, hist = false}
    local learn = mlp.learner{cbs = stats}
    learn:fit(2, 1e-3)
    check.equal(stats.batches, 2) -- 1 and 4 of 4
    learn:fit(2, 1e-3)
    check.equal(stats.batches, 3) -- 7 of 8
    learn:validate()
    check.equal(stats.batches, 3)
    assert(learn:activations() == stats, "the learner's own is found")
    assert(tostring(stats):find("3 layers, 3 training batches", 1, true))
    check.fails("none were recorded of 0; hist is false",
      function() stats:histograms "0" end)
    assert(learn:activations{every = 1} ~= stats, "a new one for options")
    learn.opt:close()
  end)
end)

check.test("training is the same as without", function()
  sota.scope(function()
    local losses = {}
    for i, cbs in ipairs{{}, {ActivationStats}} do
      core.set("seed", 1)
      local learn = mlp.learner{cbs = cbs}
      learn:fit(2, 1e-2)
      losses[i] = learn.recorder.losses
      learn.opt:close()
    end
    check.equal(losses[1], losses[2])
  end)
end)

check.test("mistakes", function()
  sota.scope(function()
    local learn = mlp.learner{}
    check.fails("nothing is recorded yet; fit first",
      function() learn:activations():layer_stats "0" end)
    check.fails("range must be {low, high}", function() ActivationStats{range = {1, 0}} end)
    check.fails("layer 1 is 3; a path", function() ActivationStats{layers = {3}} end)
    learn:activations{layers = "33"}
    check.fails("no layer '33' that gives a tensor; did you mean '3'?; there are 0 1 2 3",
      function() learn:fit(1) end)
    learn:activations{}
    learn:fit(1)
    check.fails("there are 0 1 3", function() learn:activations():layer_stats "4" end)
    learn.opt:close()
  end)
end)

check.test("layers of a fused network are found once each", function()
  local folder <close> = demo.folder()
  local path = demo.write(folder)
  sota.scope(function()
    local learn = demo.learner(path)
    local stats = learn:activations()
    learn:fit(1, 1e-3)
    local seen = {}
    for _, name in ipairs(stats.names) do
      assert(not seen[name], name)
      seen[name] = true
    end
    assert(seen["0"] and seen["4.0.convpath.1"] and seen["11"] and not seen["4"])
    check.equal(#stats:layer_stats("11").mean, 4)
    learn.dls:close()
    learn.opt:close()
  end)
end)

if not core.draw.missing then
  check.test("color_dim: the colour of each count at its place", function()
    sota.scope(function()
      local learn = mlp.learner{}
      local stats = learn:activations{layers = {"0", "3"}, bins = 4, range = {-2, 2}}
      learn:fit(2, 0.1)
      local pic = stats:color_dim{layers = "3"}
      local pixels, counts = pic:pixels(), stats.of["3"].hist
      local most = 0
      for _, column in ipairs(counts) do most = math.max(most, table.unpack(column)) end
      for b, column in ipairs(counts) do
        for k, n in ipairs(column) do
          local x, y = pic.charts[1]:place(b - 0.5, -2.5 + k)
          local got = pixels[math.floor(y) + 1][math.floor(x) + 1]:totable()
          check.equal(got, {style.scale(math.log(1 + n) / math.log(1 + most))},
            ("batch %d, part %d"):format(b, k))
        end
      end
      check.equal(#stats:color_dim().charts, 2)
      local curves = stats:plot_layer_stats{layers = {1}}
      check.equal(curves.charts[1].series[1].ys, stats:layer_stats(1).mean)
      check.equal(curves.charts[3].series[1].ys, stats:layer_stats("0").near_zero)
      learn.opt:close()
    end)
  end)

  check.test("many batches share columns", function()
    sota.scope(function()
      local columns = {}
      for i = 1, 1000 do columns[i] = {i <= 500 and 1 or 0, 0} end
      local image = require "sota.draw.activations".image(columns)
      check.equal(image:shape(), {2, 200, 3})
      check.equal(image[2][1]:totable(), {style.scale(1)})
      check.equal(image[2][200]:totable(), {style.scale(0)})
    end)
  end)
end

check.done()
