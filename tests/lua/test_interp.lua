-- Confusion, figures of classes as metrics and functions, and Interpretation.
local core = require "sota.core"
local check = require "check"
local mlp = require "mlp"
local metrics = require "sota.metrics"
local Learner = require "sota.learner"
local Interpretation = require "sota.interpretation"

local golden = check.golden "interp"

local function from_one(list) -- class numbers from 1
  local t = {}
  for i, v in ipairs(list) do t[i] = v + 1 end
  return core.tensor(t, {dtype = "i32"})
end

local function interpretation()
  return Interpretation.new{preds = from_one(golden.preds), targs = from_one(golden.targets),
    losses = core.tensor(golden.losses), vocab = golden.vocab}
end

check.test("confusion and most confused are fastai's", function()
  local interp = interpretation()
  check.equal(interp:confusion_matrix():totable(), golden.confusion)
  check.equal(interp:most_confused(), golden.most_confused)
  check.equal(interp:most_confused(2), {{"c", "a", 2}})
  check.close(interp:confusion_matrix{normalize = true},
    {{2 / 3, 1 / 3, 0}, {0, 2 / 3, 1 / 3}, {0.5, 0.25, 0.25}}, 1e-6)
end)

check.test("top losses are fastai's", function()
  local top = interpretation():top_losses(4)
  check.equal(#top, 4)
  for i, e in ipairs(top) do
    check.equal(e.index, golden.top4_idx[i] + 1)
    check.close(e.loss, golden.top4_loss[i], 1e-6)
  end
  check.equal(top[1].actual, "c")
  check.equal(top[1].predicted, "a")
  assert(tostring(top):find("a/c / 3.00 / 1.00", 1, true), tostring(top))
  check.equal(interpretation():top_losses(1, {largest = false})[1].index, 8)
  check.equal(#interpretation():top_losses(), 10)
end)

-- By hand from the golden confusion {{2,1,0},{0,2,1},{2,1,1}}.
local precision, recall, f1 = {1 / 2, 1 / 2, 1 / 2}, {2 / 3, 2 / 3, 1 / 4}, {4 / 7, 4 / 7, 1 / 3}

local function mean(list, w)
  local sum, all = 0, 0
  for i, v in ipairs(list) do sum, all = sum + v * (w and w[i] or 1), all + (w and w[i] or 1) end
  return sum / all
end

check.test("figures as functions of (preds, targs)", function()
  local p, t = from_one(golden.preds), from_one(golden.targets)
  for name, want in pairs{precision = precision, recall = recall, f1_score = f1} do
    local m = metrics[name]
    check.close(m(p, t), mean(want), 1e-6, name)
    check.close(m(p, t, {average = "micro"}), 0.5, 1e-6, name)
    check.close(m(p, t, {average = "weighted"}), mean(want, {3, 3, 4}), 1e-6, name)
    check.close(m(p, t, {average = "none"}), want, 1e-6, name)
    check.close(m(p, t, {class = 3}), want[3], 1e-6, name)
  end
  check.close(metrics.confusion_matrix(p, t), golden.confusion, 0)
  local scores = core.tensor{{0.1, 0.9}, {0.8, 0.2}}
  check.equal(metrics.confusion_matrix(scores, core.tensor({1, 1}, {dtype = "i32"})):totable(), {{1, 1}, {0, 0}})
end)

-- Items 1..4, classes 1..3; by hand, and by scikit-learn 1.9 with
-- zero_division = 0.
check.test("several labels an item", function()
  local scores = core.tensor{{2, -1, -1}, {1, 1, -2}, {-1, 3, -1}, {0, 1, -3}}
  local targs = core.tensor{{1, 0, 1}, {1, 0, 0}, {1, 1, 0}, {0, 1, 0}}
  local want = {
    precision_multi = {{1, 2 / 3, 0}, 4 / 5, (3 * 1 + 2 * 2 / 3) / 6},
    recall_multi = {{2 / 3, 1, 0}, 4 / 6, (3 * 2 / 3 + 2 * 1) / 6},
    f1_score_multi = {{4 / 5, 4 / 5, 0}, 8 / 11, (3 * 4 / 5 + 2 * 4 / 5) / 6},
  }
  for name, w in pairs(want) do
    local m = metrics[name]
    check.close(m(scores, targs), mean(w[1]), 1e-6, name)
    check.close(m(scores, targs, {average = "none"}), w[1], 1e-6, name)
    check.close(m(scores, targs, {average = "micro"}), w[2], 1e-6, name)
    check.close(m(scores, targs, {average = "weighted"}), w[3], 1e-6, name)
    check.close(m(scores:sigmoid(), targs, {sigmoid = false}), mean(w[1]), 1e-6)
    check.close(m(scores, targs, {class = 2}), w[1][2], 1e-6, name)
  end
  check.close(metrics.recall_multi(scores, targs, {thresh = 0.99}), 0, 1e-6)
  check.fails("preds are (4, 3), targs (2, 3)", metrics.recall_multi, scores,
    core.zeros(2, 3))
  check.fails("targs: a tensor (N, K) is wanted", metrics.recall_multi, scores,
    core.tensor({1, 2, 3, 1}, {dtype = "i32"}))

  local report = metrics.ClassReport()
  local learn = {dls = {train = {multi = true}, vocab = {"a", "b", "c"}}}
  for i = 1, 2 do -- in two batches
    learn.pred = scores:slice{first = 2 * i - 1, last = 2 * i}
    learn.yb = targs:slice{first = 2 * i - 1, last = 2 * i}
    report:accumulate(learn)
  end
  check.close(report:value(), mean{4 / 5, 4 / 5, 0}, 1e-6)
  check.equal(report:matrix():totable(),
    {{{1, 0}, {1, 2}}, {{1, 1}, {0, 2}}, {{3, 0}, {1, 0}}})
  local text = tostring(report)
  assert(text:find("micro mean     0.8000     0.6667     0.7273          4", 1, true), text)
  report:reset()
  check.equal(report:value(), 0)
end)

check.test("classes that never occur do not count", function()
  local p = core.tensor({1, 1}, {dtype = "i32"})
  check.equal(metrics.f1_score(p, p):item(), 1.0)
  local scores = core.tensor{{9, 0, 0}, {9, 0, 0}}
  check.equal(metrics.recall(scores, p):item(), 1.0)
  check.equal(metrics.precision(scores, p, {class = 2}):item(), 0.0)
end)

check.test("metrics of a whole validation set, not means of batches", function()
  local report = metrics.ClassReport()
  local learn = mlp.learner{metrics = {metrics.accuracy, metrics.precision,
    metrics.recall{class = 2}, metrics.f1_score{average = "micro"}, report}}
  local row = learn:validate()
  local preds, targs = learn:get_preds()
  check.close(row.precision, metrics.precision(preds, targs):item(), 1e-6)
  check.close(row.recall_2, metrics.recall(preds, targs, {class = 2}):item(), 1e-6)
  check.close(row.f1_score_micro, row.accuracy, 1e-6)
  check.close(row.f1_score, metrics.f1_score(preds, targs):item(), 1e-6)
  check.equal(report:matrix():totable(), metrics.confusion_matrix(preds, targs):totable())
  local again = learn:validate()
  check.equal(again.precision, row.precision)
  assert(tostring(report):find "weighted mean")
end)

check.test("a class by its name", function()
  local learn = mlp.learner{metrics = {metrics.recall{class = "cat"}}}
  learn.dls.vocab = {"bird", "cat", "dog"}
  assert(learn:validate().recall_cat)
  learn = mlp.learner{metrics = {metrics.recall{class = "cta"}}}
  learn.dls.vocab = {"bird", "cat", "dog"}
  check.fails("recall_cta: there is no class 'cta'; did you mean 'cat'?", learn.validate, learn)
end)

check.test("Interpretation.from_learner", function()
  local learn = mlp.learner()
  local interp = Interpretation.from_learner(learn)
  local preds, targs = learn:get_preds()
  check.close(interp.preds, preds, 1e-6)
  check.equal(interp:confusion_matrix():totable(), metrics.confusion_matrix(preds, targs):totable())
  local sum = 0
  for _, e in ipairs(interp:top_losses()) do
    sum = sum + e.loss
    check.close(e.loss, -math.log(preds[e.index][targs[e.index]]), 1e-5)
    assert(e.probability >= 1 / 3)
  end
  check.close(sum / 6, learn:validate().valid_loss, 1e-5)
  check.equal(learn.loss_func.reduction, "mean")
end)

check.test("the report", function()
  local text = interpretation():classification_report()
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  check.equal(#lines, 7)
  assert(lines[4]:match "^%s+c%s+0.5000%s+0.2500%s+0.3333%s+4$", lines[4])
  assert(lines[5]:match "^%s+mean%s+0.5000%s+0.5278%s+0.4921%s+10$", lines[5])
  assert(lines[7]:match "^%s+accuracy%s+0.5000%s+10$", lines[7])
  local width = #lines[1]
  for _, line in ipairs(lines) do check.equal(#line, width) end
  check.equal(tostring(interpretation()), text)
end)

check.test("mistakes", function()
  local p = core.tensor({1, 2}, {dtype = "i32"})
  check.fails("2 predictions for 1 targets", metrics.f1_score, p, core.tensor({1}, {dtype = "i32"}))
  check.fails("class numbers count from 1, not 0", metrics.recall, p, core.tensor({0, 1}, {dtype = "i32"}))
  check.fails("'average' must be one of macro, micro, weighted, none, not \"marco\"; did you mean 'macro'?",
    metrics.f1_score, {average = "marco"})
  check.fails("one number for each class", metrics.recall, {average = "none"})
  check.fails("wants a Learner, not 3", Interpretation.from_learner, 3)
  local several = mlp.learner{metrics = metrics.f1_score}
  several.dls.train.multi = true
  check.fails("f1_score: is for items of one class each", several.validate, several)
  several.metrics = mlp.learner{metrics = metrics.recall_multi}.metrics
  several.dls.train.multi = nil
  check.fails("recall_multi: is for items with several labels; these are of "
    .. "one class each, for which there is recall", several.validate, several)
  local interp = Interpretation.new{preds = p, targs = p}
  check.fails("the loss of each item is not known", interp.top_losses, interp, 3)
  local learn = Learner(mlp.loaders(), mlp.model(), {quiet = true, loss_func = function(x, y)
    return core.cross_entropy(x, y)
  end})
  local found = Interpretation.from_learner(learn)
  check.fails("must be one of sota.losses", found.top_losses, found, 3)
end)

check.done()
