-- test_augment.lua -- batch transforms as scripts see them.
local sota = require "sota.core"
local augment = sota.augment

local function fails(want, f, ...)
  local ok, why = pcall(f, ...)
  assert(not ok, "no error; want: " .. want)
  why = tostring(why)
  assert(why:find(want, 1, true), "got: " .. why .. "; want: " .. want)
end

local function new_fails(want, list) fails(want, augment.new, list) end

local function flat(t) return t:reshape(-1):totable() end

local function same(a, b)
  a, b = flat(a), flat(b)
  assert(#a == #b)
  for i = 1, #a do if a[i] ~= b[i] then return false end end
  return true
end

-- Four images of 12 x 10 that differ.
local values = {}
for i = 1, 4 * 12 * 10 * 3 do values[i] = (i * 7919) % 251 end
local images = sota.tensor(values, {dtype = "u8"}):reshape(4, 12, 10, 3)

local stats = {mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225}}
local normalize = {name = "Normalize", mean = stats.mean, std = stats.std}
local aug <close> = augment.new{
  {name = "aug_transforms", size = 8, min_scale = 0.75}, normalize}

-- What comes out, and its size.
local h, w = aug:size(12, 10)
assert(h == 8 and w == 8)
local where = {seed = 3, epoch = 1, items = {5, 9, 2, 70}, train = true}
local x = aug:apply(images, where)
assert(table.concat(x:shape(), "x") == "4x8x8x3" and x:dtype() == "f32")
assert(aug:apply(images, {dtype = "bf16"}):dtype() == "bf16")

-- Draws are a function of seed, epoch, pass and rows, and of nothing else.
assert(same(x, aug:apply(images, where)))
assert(where.items[1] == 5 and where.seed == 3) -- the table is left alone
local changes = {{seed = 4}, {epoch = 2}, {pass = 1}, {items = {1, 2, 3, 4}}}
for _, change in ipairs(changes) do
  local other = {seed = 3, epoch = 1, items = where.items}
  for k, v in pairs(change) do other[k] = v end
  assert(not same(x, aug:apply(images, other)))
end
local rows = sota.tensor({5, 9, 2, 70}, {dtype = "i32"})
assert(same(x, aug:apply(images, {seed = 3, epoch = 1, items = rows})))
assert(same(aug:apply(images), aug:apply(images, {items = {1, 2, 3, 4}})))

-- Validation does not draw.
local plain = aug:apply(images, {train = false})
assert(same(plain, aug:apply(images, {train = false, seed = 9, epoch = 7})))

-- Only normalised, and back again.
do
  local norm <close> = augment.new{normalize}
  local y = norm:apply(images, {train = true})
  local first = flat(y)
  for i = 1, 9 do
    local c = (i - 1) % 3 + 1
    local want = (values[i] / 255 - stats.mean[c]) / stats.std[c]
    assert(math.abs(first[i] - want) < 1e-6)
  end
  assert(same(norm:decode(y), images))
  local mean, std = norm:statistics()
  assert(math.abs(mean[2] - 0.456) < 1e-7 and math.abs(std[3] - 0.225) < 1e-7)
end

-- Statistics from the first batch.
do
  local own <close> = augment.new{{name = "Flip"}, {name = "Normalize"}}
  assert(own:needs_statistics() and own:statistics() == nil)
  fails("no mean and std yet", own.apply, own, images)
  local mean, std = own:measure(images, {seed = 1})
  assert(not own:needs_statistics() and #std == 3)
  local sum, n = {0, 0, 0}, 4 * 12 * 10
  for i, v in ipairs(values) do
    local c = (i - 1) % 3 + 1
    sum[c] = sum[c] + v / 255
  end
  for c = 1, 3 do assert(math.abs(mean[c] - sum[c] / n) < 1e-5) end
end
fails("there is no Normalize", function()
  augment.new{{name = "Flip"}}:measure(images)
end)

-- Printing, descriptions.
assert(tostring(aug):find("Rotate p=0.75 max_deg=10\n", 1, true))
assert(tostring(aug):find("Normalize mean=0.485,0.456,0.406", 1, true))
assert(tostring(augment.new{}) == "no batch transforms")
local described = {}
for _, t in ipairs(augment.transforms()) do described[t.name] = t end
assert(described.RandomErasing.help and #described.RandomErasing.options == 5)
assert(described.Normalize.options[1].type == "number[]")

-- What users get wrong.
new_fails("no batch transform 'Rotat'; did you mean 'Rotate'?",
          {{name = "Rotat"}})
new_fails("there is no batch transform 'Posterize'", {{name = "Posterize"}})
new_fails("batch transform 2 has no name", {{name = "Flip"}, {}})
new_fails("batch transform 1 is no table: string", {"Flip"})
new_fails("aug_transforms: unknown option 'max_rotat'; did you mean " ..
          "'max_rotate'?", {{name = "aug_transforms", max_rotat = 5}})
new_fails("option 'max_rotate' must be a number from 0 to 180, not 500",
          {{name = "aug_transforms", max_rotate = 500}})
new_fails('\'pad_mode\' must be one of "reflection", "border", "zeros"',
          {{name = "Flip", pad_mode = "mirror"}})
new_fails("RandomResizedCropGPU: option 'size' is missing",
          {{name = "RandomResizedCropGPU"}})
new_fails("3 numbers in mean but 2 in std",
          {{name = "Normalize", mean = {0, 0, 0}, std = {1, 1}}})
new_fails("Normalize is there twice", {normalize, normalize})
local function apply_fails(want, batch, opts)
  fails(want, aug.apply, aug, batch, opts)
end
apply_fails("3 items for 4 images", images, {items = {1, 2, 3}})
apply_fails("items are rows counted from 1, not 0", images,
            {items = {0, 1, 2, 3}})
apply_fails("items must be i32 (4)", images, {items = images})
apply_fails("unknown option 'epochs'; did you mean 'epoch'?", images,
            {epochs = 1})
apply_fails("images must be u8 or f32 (N, H, W, 3), not u8 (4, 12, 30)",
            images:reshape(4, 12, 30))

-- Closed.
local gone = augment.new{{name = "Flip"}}
gone:close()
gone:close()
fails("batch transforms have been closed", gone.apply, gone, images)
