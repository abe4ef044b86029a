-- data/transforms.lua -- item and batch transforms as values.
--
-- A transform here is only a name with options: the pixels are C's. Item
-- transforms run on the loader's threads, one image at a time, on u8 pixels;
-- batch transforms run in one fused pass over a whole batch. The names, options
-- and defaults come from the engine's descriptions.
local core = require "sota.core"
local check = require "sota.check"

local transforms = {}

local Transform = {}
Transform.__index = Transform
Transform.__name = "Transform"

local function show(v)
  if type(v) ~= "table" then return tostring(v) end
  local list = {}
  for i, x in ipairs(v) do list[i] = show(x) end
  return "{" .. table.concat(list, ", ") .. "}"
end

function Transform:__tostring()
  local parts = {}
  for _, o in ipairs(self.description.options) do
    local v = self.options[o.name]
    if v ~= nil then parts[#parts + 1] = ("%s = %s"):format(o.name, show(v)) end
  end
  return ("%s{%s}"):format(self.name, table.concat(parts, ", "))
end

--- Is v a transform of that kind ("item" or "batch", or any)?
function transforms.is(v, kind)
  return getmetatable(v) == Transform and (not kind or v.kind == kind)
end

local function option_names(description)
  local names = {}
  for i, o in ipairs(description.options) do names[i] = o.name end
  return names
end

-- Name{option = value}, Name(first, {option = value}) or Name{first, ...}: a
-- value without a name is the first option.
local function read_options(description, ...)
  local first, options = ...
  if type(first) == "table" and select("#", ...) == 1
      and (next(first) == nil or first[1] == nil or not tonumber(first[2])) then
    options, first = first, first[1]
  end
  local names, copy = option_names(description), {}
  local known = {}
  for _, n in ipairs(names) do known[n] = true end
  if options ~= nil and type(options) ~= "table" then
    check.fail("%s: options come in one table, not %s", description.name,
      check.describe(options))
  end
  for k, v in pairs(options or {}) do
    if known[k] then
      copy[k] = v
    elseif k ~= 1 or v ~= first then
      check.fail("%s: unknown option '%s'%s", description.name, tostring(k),
        check.did_you_mean(tostring(k), names))
    end
  end
  if first ~= nil then copy[names[1]] = first end
  return copy
end

local function make(kind, description, ...)
  return setmetatable({kind = kind, name = description.name,
                       description = description,
                       options = read_options(description, ...)}, Transform)
end

-- As the engine wants them.
local function described(t)
  local out = {}
  for k, v in pairs(t.options) do out[k] = v end
  if t.kind == "item" then out[1] = t.name else out.name = t.name end
  return out
end

-- Constructors under the transforms' own names: Resize, FlipItem, Normalize...
local function constructor(kind, description)
  return setmetatable({name = description.name, help = description.help}, {
    __call = function(_, ...)
      local t = make(kind, description, ...)
      -- The engine checks ranges now, at the user's line, not in a loader.
      local ok, why
      if kind == "batch" then
        ok, why = pcall(core.augment.new, {described(t)})
      else
        ok, why = pcall(core.data.pipeline, {described(t), {"Resize", 8}})
      end
      if not ok then check.fail("%s", (tostring(why):gsub("^.-:%d+: ", ""))) end
      return t
    end,
    __tostring = function() return "transform " .. description.name end,
  })
end

for _, d in ipairs(core.data.transforms()) do
  transforms[d.name] = constructor("item", d)
end
for _, d in ipairs(core.augment.transforms()) do
  if not transforms[d.name] then
    transforms[d.name] = constructor("batch", d)
  end
end

--- Imagenet's channel means and standard deviations, of values in [0, 1].
---@example Normalize.from_stats(imagenet_stats)
transforms.imagenet_stats = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}}
--- CIFAR-10's, as fastai has them.
---@example Normalize.from_stats(cifar_stats)
transforms.cifar_stats = {{0.491, 0.482, 0.447}, {0.247, 0.243, 0.261}}

--- Normalize.from_stats(imagenet_stats), or (mean, std): three numbers each.
-- Normalize() measures them on the first training batch.
---@param mean table the means, or {means, deviations}
---@param std? table
---@example Normalize.from_stats(imagenet_stats)
function transforms.Normalize.from_stats(mean, std)
  if type(mean) == "table" and type(mean[1]) == "table" then
    mean, std = mean[1], mean[2]
  end
  if type(mean) ~= "table" or type(std) ~= "table" then
    check.fail("Normalize.from_stats: wants the means and the deviations of "
      .. "the channels, such as imagenet_stats")
  end
  return transforms.Normalize{mean = mean, std = std}
end

local data_arguments = check.spec("Normalize.from_data", {
  {"batches", "integer", 1, min = 1},
})

--- Normalize.from_data{batches = k}: mean and deviation over the first k
--- training batches, measured when the data set is opened.
---@param options? {batches: integer}
---@example Normalize.from_data{batches = 4}
function transforms.Normalize.from_data(...)
  local t = transforms.Normalize{}
  t.batches = data_arguments(...).batches
  return t
end

-- Flattens lists of transforms; anything else in them is an error.
local function flatten(list, kind, where, into)
  if list == nil or list == false then return into end
  if type(list) ~= "table" then
    check.fail("%s: wants a transform or a list of them, not %s", where,
      check.describe(list))
  end
  if getmetatable(list) then list = {list} end
  for i, t in ipairs(list) do
    if transforms.is(t, kind) then
      into[#into + 1] = t
    elseif transforms.is(t) then
      check.fail("%s: %s works on %s; put it in %s_tfms", where, t.name,
        t.kind == "item" and "single images" or "batches", t.kind)
    elseif type(t) == "table" and not getmetatable(t) then
      flatten(t, kind, where, into)
    elseif type(t) == "table" and t.name then
      check.fail("%s: call %s() to get the transform", where, t.name)
    else
      check.fail("%s: item %d is %s, not a transform", where, i,
        check.describe(t))
    end
  end
  return into
end

--- A flat list of transforms of one kind.
---@param list any a transform, a list, or nil
---@param kind "item"|"batch"
---@return table[]
function transforms.list(list, kind)
  return flatten(list, kind, kind .. "_tfms", {})
end

--- The engine's item pipeline for a list from transforms.list.
function transforms.pipeline(list)
  local out = {}
  for i, t in ipairs(list) do out[i] = described(t) end
  return check.call(core.data.pipeline, out)
end

--- The engine's batch transforms for a list from transforms.list. mean and std
--- are what a Normalize without statistics takes, if they are known.
---@param list table[]
---@param mean? number[]
---@param std? number[]
function transforms.augment(list, mean, std)
  local out = {}
  for i, t in ipairs(list) do
    out[i] = described(t)
    if t.name == "Normalize" and not out[i].mean then
      out[i].mean, out[i].std = mean, std
    end
  end
  return check.call(core.augment.new, out)
end

--- Plain tables of a list, and back: for model files.
function transforms.dump(list)
  local out = {}
  for i, t in ipairs(list) do out[i] = {name = t.name, options = t.options} end
  return out
end

function transforms.load(list)
  local out = {}
  for i, t in ipairs(list) do
    local new = transforms[t.name]
    if not new then error("no transform called " .. tostring(t.name), 0) end
    out[i] = new(t.options)
  end
  return out
end

return transforms
