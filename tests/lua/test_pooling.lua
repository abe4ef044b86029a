-- test_pooling.lua -- pooling against PyTorch 2: golden/layers.json, where
-- images are NCHW, here of one channel.
local sota = require "sota.core"

local file <close> = assert(io.open(os.getenv "SL_GOLDEN" .. "/layers.json"))
local golden = sota.json.decode(file:read "a")

-- The pseudo-random input of the file: see its "hash".
local function hval(k, j)
  local x = ((j + 1) * 2654435761 + (k + 1) * 40503) & 0xffffffff
  x = x ~ (x >> 16)
  x = x * 2246822519 & 0xffffffff
  x = x ~ (x >> 13)
  return 2 * (x / 2 ^ 32) - 1
end

local values = {}
for h = 1, 5 do
  values[h] = {}
  for w = 1, 7 do values[h][w] = {hval(1, (h - 1) * 7 + w - 1)} end
end
local x = sota.tensor {values}

local function check(name, y)
  local have, want = y:totable()[1], golden[name][1][1]
  assert(#have == #want and #have[1] == #want[1], name .. ": size")
  for h = 1, #want do
    for w = 1, #want[h] do
      assert(math.abs(have[h][w][1] - want[h][w]) < 1e-6,
             ("%s [%d][%d]: %.9g, want %.9g"):format(name, h, w, have[h][w][1],
                                                     want[h][w]))
    end
  end
end

check("avgpool2_ceil_5x7",
      sota.avg_pool2d(x, {kernel_size = 2, ceil_mode = true}))
check("maxpool3_s2_p1_5x7",
      sota.max_pool2d(x, {kernel_size = 3, stride = 2, padding = 1}))
check("maxpool2_floor_5x7", x:max_pool2d {kernel_size = 2})
check("adaptive_avg_5x7_to_2x3",
      sota.adaptive_avg_pool2d(x, {output_size = {2, 3}}))
