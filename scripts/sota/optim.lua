-- optim.lua -- optimisers as values: what to make, not yet for which parameters.
--
--   Learner(dls, model, {opt_func = Adam})            with its defaults
--   Learner(dls, model, {opt_func = SGD{mom = 0.9}})
--   optim.make(Adam, model)                           the optimiser itself
local core = require "sota.core"
local check = require "sota.check"

local optim = {}

local Recipe = {}
Recipe.__index = Recipe
Recipe.__name = "Optimiser"

function Recipe:__tostring()
  local parts = {}
  for k, v in pairs(self.options) do
    parts[#parts + 1] = ("%s = %s"):format(k, tostring(v))
  end
  table.sort(parts)
  return ("%s{%s}"):format(self.name, table.concat(parts, ", "))
end

--- Adam{wd = 0.1}: the same kind with other options. The engine checks them.
function Recipe:__call(options)
  local merged = {}
  for k, v in pairs(self.options) do merged[k] = v end
  for k, v in pairs(options or {}) do merged[k] = v end
  local probe = {{name = "p", tensor = core.zeros(1)}}
  local ok, why = pcall(core.optim.new, self.kind, probe, merged)
  if not ok then check.fail("%s", (tostring(why):gsub("^.-:%d+: ", ""))) end
  why:close()
  return setmetatable({name = self.name, kind = self.kind, options = merged},
    Recipe)
end

-- The field's names for the engine's kinds.
local names = {sgd = "SGD", rmsprop = "RMSProp", adam = "Adam", adamw = "AdamW",
               radam = "RAdam", qhadam = "QHAdam", lamb = "Lamb", larc = "Larc",
               lars = "LARS", ranger = "ranger", lookahead = "Lookahead"}
for _, kind in ipairs(core.optim.kinds()) do
  local key = type(kind) == "table" and kind.name or kind
  local name = names[key:lower()] or key
  optim[name] = setmetatable({name = name, kind = key, options = {}}, Recipe)
end

--- Weight decay is for weights: not for norm layers, nor for biases.
local function decays(name, owner, wd_bn_bias)
  if wd_bn_bias then return true end
  return not (owner.is_norm or name == "bias" or name:find "%.bias$")
end

--- Fails unless it is Adam, SGD{...} and the like.
---@param recipe any
---@example sota.optim.check(Adam)
function optim.check(recipe)
  if getmetatable(recipe) == Recipe then return end
  check.fail("opt_func must be an optimiser such as Adam or SGD{mom = 0.9}, "
    .. "not %s", check.describe(recipe))
end

--- The optimiser of a model's parameters.
---@param recipe table Adam, SGD{...}
---@param model module
---@param options? {groups: integer[], wd_bn_bias: boolean} group of each parameter, by name
---@return optimiser
---@example sota.optim.make(Adam, model)
function optim.make(recipe, model, options)
  options = options or {}
  optim.check(recipe)
  local params = {}
  for name, tensor, owner in model:named_parameters() do
    params[#params + 1] = {
      name = name, tensor = tensor,
      group = options.groups and options.groups[name] or 1,
      do_wd = decays(name, owner, options.wd_bn_bias),
    }
  end
  if #params == 0 then check.fail("optim: the model has no parameters") end
  return core.optim.new(recipe.kind, params, recipe.options)
end

optim.slice = require("sota.train.rates").slice
optim.norms_apart = require("sota.train.groups").norms_apart
optim.decoupled_rates = require("sota.train.decoupled").decoupled_rates

return optim
