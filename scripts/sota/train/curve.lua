-- train/curve.lua -- from the losses of a sweep over learning rates to
-- suggestions, or to the reason why there are none.
local check = require "sota.check"
local suggest = require "sota.train.suggest"

local curve = {all_rules = suggest.names}

--- {name, function} of each rule asked for: one or a list of names and
--- functions (lrs, losses, num_it) -> rate.
function curve.rules_of(v)
  if type(v) ~= "table" then v = {v} end
  local rules = {}
  for i, rule in ipairs(v) do
    if type(rule) == "function" then
      rules[i] = {"rule_" .. i, rule}
      for _, name in ipairs(suggest.names) do
        if suggest[name] == rule then rules[i][1] = name end
      end
    elseif type(rule) == "string" and suggest[rule]
      and rule ~= "names" and rule ~= "f32" then
      rules[i] = {rule, suggest[rule]}
    else
      local near = type(rule) == "string"
        and check.did_you_mean(rule, suggest.names) or ""
      check.fail("lr_find: suggest_funcs: there is no rule %s%s; there are %s, "
        .. "or a function (lrs, losses, num_it)", check.describe(rule), near,
        table.concat(suggest.names, ", "))
    end
  end
  return rules
end

-- What rules look at: without the first tenth and the last 5, in single
-- precision, up to the first loss that is not a number.
local function usable(lrs, losses, num_it)
  local x, y = {}, {}
  for i = num_it // 10 + 1, #lrs - 5 do
    if losses[i] ~= losses[i] then break end
    x[#x + 1], y[#y + 1] = suggest.f32(lrs[i]), suggest.f32(losses[i])
  end
  return x, y
end

-- Why no rate can be given, or nil.
local function objection(lrs, losses, x, y)
  for i = 1, #losses do
    if #x < 2 and losses[i] ~= losses[i] then
      return ("the loss is not a number from a learning rate of %.3g on; begin "
        .. "with a smaller start_lr"):format(lrs[i])
    end
  end
  if #x < 2 then
    return ("only %d learning rates could be tried before the loss diverged; "
      .. "begin with a smaller start_lr, or use a larger num_it"):format(#lrs)
  end
  for i = 2, #y do if y[i] < y[1] then return nil end end
  return ("the loss never fell between the learning rates %.3g and %.3g")
    :format(x[1], x[#x])
end

local Result = {__name = "lr_find"} -- what learn:lr_find() gives
Result.__index = Result
curve.Result = Result

--- The curve with the suggestions, as a picture: draw/curves.lua.
---@param options? {skip_end: integer, suggestions: boolean, to: string}
---@return Picture
function Result:plot(...)
  return require "sota.draw.curves".plot_found(self, ...)
end

function Result:__tostring()
  local parts = {}
  for _, name in ipairs(self.rules) do
    parts[#parts + 1] = ("%s %s"):format(name,
      self[name] and ("%.3g"):format(self[name]) or "none")
  end
  return table.concat(parts, ", ")
end

--- Suggestions from a curve; see Learner:lr_find.
---@param lrs number[] the rates of num_it batches
---@param losses number[] smoothed
---@return table? suggestions, string? reason
function curve.read(lrs, losses, num_it, rules)
  local x, y = usable(lrs, losses, num_it)
  local reason = objection(lrs, losses, x, y)
  if reason then return nil, reason end
  local result = {lrs = lrs, losses = losses, rules = {}}
  for i, rule in ipairs(curve.rules_of(rules or curve.all_rules)) do
    result.rules[i] = rule[1]
    result[rule[1]] = rule[2](x, y, num_it)
  end
  return setmetatable(result, Result)
end

return curve
