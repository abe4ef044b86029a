-- core.safetensors: what goes out comes back; what is wrong is named.
local core = require "sota.core"
local st = core.safetensors
local path = os.tmpname()

local function fails(want, f, ...)
  local ok, why = pcall(f, ...)
  assert(not ok, "no error; want: " .. want)
  assert(tostring(why):find(want, 1, true), "got: " .. tostring(why) .. "; want: " .. want)
end

local tensors = {
  ["0.weight"] = core.tensor{{{{1, 2}}, {{3, 4}}, {{5, 6}}}}, -- (1, 3, 1, 2): O H W I
  ["0.bias"] = core.tensor{0.5},
}
st.save(path, {"0.weight", "0.bias"}, tensors, {arch = "x", classes = '["a"]'}, {oihw = true})

local back, meta, names = st.load(path, {oihw = true})
assert(table.concat(names, " ") == "0.weight 0.bias")
assert(meta.arch == "x" and meta.classes == '["a"]')
assert(table.concat(back["0.weight"]:shape(), " ") == "1 3 1 2", table.concat(back["0.weight"]:shape(), " "))
assert(back["0.weight"]:totable()[1][3][1][2] == 6)
assert(back["0.bias"]:item() == 0.5)

local info, meta2 = st.info(path)
assert(info[1].name == "0.weight" and info[1].dtype == "F32")
assert(table.concat(info[1].shape, "x") == "1x2x3x1") -- O I H W
assert(meta2.arch == "x")

fails("did you mean 'oihw'", st.load, path, {oihv = true})
fails("no (open) tensor b", st.save, path, {"b"}, tensors)
fails("metadata must be strings", st.save, path, {"0.bias"}, tensors, {n = 1})
fails("two tensors of the name 0.bias", st.save, path, {"0.bias", "0.bias"}, tensors)
fails("cannot open /nowhere/x", st.load, "/nowhere/x")
assert(st.load(path)["0.bias"]:item() == 0.5, "a failed save must leave the file")

local f = assert(io.open(path, "r+b"))
f:seek("end") f:write("x") f:close()
fails("cut off, or not a safetensors file", st.load, path)
os.remove(path)
