-- make.lua -- constructors of named architectures: models that remember, for
-- their file, what they were made of.
local check = require "sota.check"

local make = {}

local function is_plain(v)
  if type(v) ~= "table" then return type(v) ~= "function" end
  if getmetatable(v) then return false end
  for _, x in pairs(v) do if not is_plain(x) then return false end end
  return true
end

-- What a file says of a model.
local function description(name, options)
  local kept, left_out = {}, {}
  for k, v in pairs(options) do
    if is_plain(v) then kept[k] = v else left_out[#left_out + 1] = k end
  end
  table.sort(left_out)
  return {name = name, options = next(kept) and kept or nil,
          left_out = #left_out > 0 and left_out or nil}
end

--- A function (options) -> model, of class{fixed..., options...}; nobody may
--- give an option that is fixed. The model keeps what it was made of in
--- model.arch: {name =, options =, left_out = names of options that are no
--- plain values}.
---@param name string as in sota.models
---@param class table of a class whose init takes one table
---@param fixed table options that make it this architecture
---@return fun(options?: table): module
function make.constructor(name, class, fixed)
  return function(options)
    if options ~= nil and type(options) ~= "table" then
      check.fail("%s: wants a table of options, such as {n_out = 10}, not %s",
        name, check.describe(options))
    end
    local o = {}
    for k, v in pairs(fixed) do o[k] = v end
    for k, v in pairs(options or {}) do
      if fixed[k] ~= nil or k == 1 then
        check.fail("%s: unknown option '%s'", name, tostring(k))
      end
      o[k] = v
    end
    local model = class(o)
    model.arch = description(name, options or {})
    return model
  end
end

return make
