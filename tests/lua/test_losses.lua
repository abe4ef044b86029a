-- test_losses.lua -- losses and softmax against PyTorch 2 and fastai 2.8:
-- golden/losses.json. Class numbers in the file count from 0.
local sota = require "sota.core"

local file <close> = assert(io.open(os.getenv "SL_GOLDEN" .. "/losses.json"))
local golden = sota.json.decode(file:read "a")

local logits, weight = golden.logits, sota.tensor(golden.class_weight)
local labels = {}
for i, t in ipairs(golden.targets) do labels[i] = t + 1 end
labels = sota.tensor(labels, {dtype = "i32"})

local function flat(v, out)
  out = out or {}
  if type(v) ~= "table" then out[#out + 1] = v return out end
  for _, x in ipairs(v) do flat(x, out) end
  return out
end

local function close(what, have, want, tol)
  if type(have) == "userdata" then have = have:totable() end
  have, want = flat(have), flat(want)
  assert(#have == #want, what .. ": " .. #have .. " numbers, want " .. #want)
  for i = 1, #want do
    assert(math.abs(have[i] - want[i]) <= tol * (1 + math.abs(want[i])),
           ("%s [%d]: %.9g, want %.9g"):format(what, i, have[i], want[i]))
  end
end

local function leaf(v) return sota.tensor(v, {requires_grad = true}) end

local z = sota.tensor(logits)
close("softmax", sota.softmax(z), golden.softmax, 1e-6)
close("log_softmax", sota.log_softmax(z), golden.log_softmax, 1e-6)

-- loss(x, reduction) in its three forms, and the gradient of its mean.
local function check(name, loss)
  local want, x = golden[name], leaf(logits)
  close(name .. " none", loss(x, "none"), want.none, 2e-6)
  close(name .. " sum", loss(x, "sum"), want.sum, 2e-6)
  local mean = loss(x, "mean")
  close(name .. " mean", mean, want.mean, 2e-6)
  mean:backward()
  close(name .. " gradient", x:grad(), want.grad_mean, 2e-6)
end

local function cross_entropy(smoothing, w)
  return function(x, reduction)
    return sota.cross_entropy(x, labels, w, {label_smoothing = smoothing,
                                             reduction = reduction})
  end
end

check("cross_entropy", cross_entropy(0))
check("cross_entropy_weighted", cross_entropy(0, weight))
check("label_smoothing_eps0.1", cross_entropy(0.1))
check("label_smoothing_eps0.2", cross_entropy(0.2))
check("label_smoothing_eps0.1_weighted", cross_entropy(0.1, weight))
check("torch_ce_label_smoothing0.2", cross_entropy(0.2)) -- no weights: equal

-- A documented difference: PyTorch weights the smoothed term, too.
local ours = cross_entropy(0.1, weight)(z, "mean"):item()
local torchs = golden["torch_ce_label_smoothing0.1_weighted"].mean
assert(math.abs(ours - torchs) > 0.04)

check("bce_with_logits", function(x, reduction)
  return sota.bce_with_logits(x, sota.tensor(golden.bce_with_logits.targets),
                              {reduction = reduction})
end)

do -- focal loss is written over the unreduced loss
  local want, x = golden.focal_gamma2, leaf(logits)
  local ce = sota.cross_entropy(x, labels, {reduction = "none"})
  local miss = 1 - sota.exp(-ce)
  local focal = miss * miss * ce
  close("focal", focal, want.none, 2e-6)
  focal:backward(sota.full({4}, 0.25)) -- of the mean
  close("focal gradient", x:grad(), want.grad_mean, 2e-6)
end

local soft = golden.soft_targets_ce
close("soft targets", sota.cross_entropy(z, sota.tensor(soft.targets)),
      soft.mean, 2e-6)

-- Class numbers and one-hot probabilities are the same thing.
local one_hot = {}
for i, t in ipairs(golden.targets) do
  one_hot[i] = {0, 0, 0, 0, 0}
  one_hot[i][t + 1] = 1
end
for _, w in ipairs {false, weight} do
  for _, reduction in ipairs {"sum", "none"} do
    local opts = {label_smoothing = 0.3, reduction = reduction}
    local a, b = leaf(logits), leaf(logits)
    local la = sota.cross_entropy(a, labels, w, opts)
    local lb = sota.cross_entropy(b, sota.tensor(one_hot), w, opts)
    close("one-hot", la, lb:totable(), 1e-6)
    if reduction == "sum" then
      la:backward()
      lb:backward()
      close("one-hot gradient", a:grad(), b:grad():totable(), 1e-6)
    end
  end
end

do -- a thousand outputs, as in the chapter
  local big = {}
  for i = 1, 2 do
    big[i] = {}
    for k = 1, 1000 do big[i][k] = 0 end
  end
  big[1][4], big[2][8] = 5, -2
  local x, y = sota.tensor(big), sota.tensor({4, 10}, {dtype = "i32"})
  local want = golden.ls_1000_outputs
  close("1000 outputs", sota.cross_entropy(x, y, {label_smoothing = 0.1}),
        want.mean, 2e-6)
  close("1000 outputs", sota.cross_entropy(x, y), want.ce_mean, 2e-6)
end
