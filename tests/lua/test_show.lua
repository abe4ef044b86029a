-- How tensors are printed. Numbers as torch 2 prints them.
local sota = require "sota"
local check = require "check"

local function shows(name, make, want)
  check.test(name, function() check.equal(tostring(make()), want) end)
end

shows("whole numbers have a point", function()
  return sota.tensor{{1, 2}, {3, 4}}
end, "[[1., 2.],\n [3., 4.]]\n[f32 2x2 cpu]")

shows("four places, one width", function()
  return sota.tensor{1.5, -22.25, 3}
end, "[  1.5000, -22.2500,   3.0000] [f32 3 cpu]")

shows("integers", function()
  return sota.tensor({1, -20, 3}, {dtype = "i32"})
end, "[  1, -20,   3] [i32 3 cpu]")

shows("wide ranges are scientific", function()
  return sota.tensor{1e-6, 1, 2}
end, "[1.0000e-06, 1.0000e+00, 2.0000e+00] [f32 3 cpu]")

shows("small numbers too", function() return sota.tensor{0.00001, 0} end,
  "[1.0000e-05, 0.0000e+00] [f32 2 cpu]")

shows("large whole numbers too", function() return sota.tensor{2e8, 1e8} end,
  "[2.0000e+08, 1.0000e+08] [f32 2 cpu]")

shows("not numbers", function()
  return sota.tensor{0 / 0, 1 / 0, -1 / 0, 0.5}
end, "[   nan,    inf,   -inf, 0.5000] [f32 4 cpu]")

shows("one number", function() return sota.tensor(3.14159) end,
  "3.1416 [f32 cpu]")
shows("no numbers", function() return sota.zeros(0) end, "[] [f32 0 cpu]")
shows("no columns", function() return sota.zeros(2, 0) end,
  "[[],\n []]\n[f32 2x0 cpu]")

shows("blocks have an empty line between", function()
  return sota.arange(8):reshape{2, 2, 2}
end, "[[[1., 2.],\n  [3., 4.]],\n\n [[5., 6.],\n  [7., 8.]]]\n[f32 2x2x2 cpu]")

shows("gradients", function()
  return sota.ones(1, {requires_grad = true})
end, "[1.] [f32 1 cpu requires_grad]")

shows("long rows wrap at 80 columns", function()
  return sota.arange(30)
end, "[ 1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12., 13., 14., "
  .. "15., 16.,\n 17., 18., 19., 20., 21., 22., 23., 24., 25., 26., 27., 28., "
  .. "29., 30.]\n[f32 30 cpu]")

shows("more than 1000 are summarised", function()
  return sota.arange(1200):reshape{100, 12}
end, [==[
[[1.0000e+00, 2.0000e+00, 3.0000e+00, ..., 1.0000e+01, 1.1000e+01, 1.2000e+01],
 [1.3000e+01, 1.4000e+01, 1.5000e+01, ..., 2.2000e+01, 2.3000e+01, 2.4000e+01],
 [2.5000e+01, 2.6000e+01, 2.7000e+01, ..., 3.4000e+01, 3.5000e+01, 3.6000e+01],
 ...,
 [1.1650e+03, 1.1660e+03, 1.1670e+03, ..., 1.1740e+03, 1.1750e+03, 1.1760e+03],
 [1.1770e+03, 1.1780e+03, 1.1790e+03, ..., 1.1860e+03, 1.1870e+03, 1.1880e+03],
 [1.1890e+03, 1.1900e+03, 1.1910e+03, ..., 1.1980e+03, 1.1990e+03, 1.2000e+03]]
[f32 100x12 cpu]]==])

check.test("a large tensor prints without being read whole", function()
  local big = sota.ones(1):expand(1000, 1000, 100) -- 400 MB if copied
  assert(tostring(big):find("%[f32 1000x1000x100 cpu%]$"))
end)

check.test("a lazily normalised tensor", function()
  local y = sota.nn.ConvLayer(3, 4)(sota.ones(1, 4, 4, 3))
  assert(tostring(y:detach()):find "%[f32 1x4x4x4 cpu%]$")
end)

check.test("a closed tensor", function()
  local t = sota.ones(2)
  t:close()
  check.equal(tostring(t), "[closed tensor]")
end)

check.done()
