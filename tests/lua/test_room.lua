-- What large requests and large batches come to when memory is short.
local core = require "sota.core"
local sota = require "sota"
local check = require "check"
local demo = require "demo"

local folder <close> = demo.folder()
local path = folder.path .. "/demo"
core.data.demo(path, {train = 600, valid = 10, seed = 1})

check.test("a request for more than the limit says what there is", function()
  core.set("memory-limit", "1GB")
  check.fails("no memory on cpu for a tensor of 3814.7 MiB", core.zeros, {1000, 1000, 1000})
  check.fails("are free", core.zeros, {1000, 1000, 1000})
  check.equal(core.get "memory-limit", 1 << 30)
  core.set("memory-limit", 0)
  core.zeros{1000, 1000}:close()
  check.fails("a size such as 4GB or 500MB is wanted, not 'much'", core.set, "memory-limit", "much")
  check.fails("not '-1'", core.set, "memory-limit", -1)
end)

check.test("a step without memory says which batch size fits", function()
  local learn = demo.learner(path, {dls = {bs = 600}, precision = "f32"})
  learn.model = sota.models.xresnet18{n_out = 10}
  local file <close> = assert(io.open "/proc/self/statm")
  local resident = select(2, file:read("n", "n")) * 4096
  core.set("memory-limit", resident + (280 << 20))
  local ok, why = pcall(learn.fit, learn, 1, 1e-3)
  core.set("memory-limit", 0)
  learn.dls:close()
  assert(not ok, "it had the memory")
  local fits = tonumber(why:match "a batch of (%d+) fits instead of 600")
  assert(fits and fits >= 8 and fits < 600, why)
end)

check.done()
