-- norm.lua -- batch normalisation over all but the last dimension.
local nn = require "sota.nn"
local core = require "sota.core"
local check = require "sota.check"
local recompute = require "sota.recompute"

local BatchNorm = nn.class "BatchNorm"
BatchNorm.is_norm = true -- freezing and weight decay ask for it

local arguments = check.spec("BatchNorm", {
  {"num_features", "integer", required = true, min = 1},
  {"eps", "number", 1e-5, min = 0},
  {"momentum", "number", 0.1, min = 0, max = 1},
  {"gamma", "number", 1},
  {"beta", "number", 0},
})

--- nn.BatchNorm(channels, {eps = 1e-5, momentum = 0.1, gamma = 1, beta = 0});
--- gamma and beta are what weight and bias start with. x is (.., channels).
---@example nn.BatchNorm(3)(x)
function BatchNorm:init(...)
  local a = arguments(...)
  local c = a.num_features
  self.num_features, self.eps, self.momentum = c, a.eps, a.momentum
  self.weight = nn.Parameter(core.full({c}, a.gamma))
  self.bias = nn.Parameter(core.full({c}, a.beta))
  self:register_buffer("running_mean", core.zeros(c))
  self:register_buffer("running_var", core.ones(c))
  self:register_buffer("num_batches_tracked", core.tensor(0, {dtype = "i32"}))
  self.batches = 0 -- counted here: a tensor is too dear for it in each step
end

function BatchNorm:before_save()
  self.num_batches_tracked:fill_(self.batches)
end

function BatchNorm:after_load()
  self.batches = self.num_batches_tracked:item()
end

--- Counts a batch when training, and gives the share that it has in the running
--- statistics: none if backward computes it again. For layers that fuse the
--- norm, too.
function BatchNorm:count_batch()
  if recompute.running() then return 0 end
  if self.training then self.batches = self.batches + 1 end
  return self.momentum
end

function BatchNorm:forward(x)
  return core.batch_norm(x, self.weight, self.bias, self.running_mean,
    self.running_var, {eps = self.eps, momentum = self:count_batch(),
                       training = self.training})
end

function BatchNorm:extra()
  return ("%d, eps=%g, momentum=%g"):format(self.num_features, self.eps,
    self.momentum)
end

--- BatchNorm under PyTorch's name for rows; the maths is one.
---@example nn.BatchNorm1d(2)(t)
local BatchNorm1d = nn.class("BatchNorm1d", BatchNorm)

--- BatchNorm under PyTorch's name for images; the maths is one.
---@example nn.BatchNorm2d(3)(x)
local BatchNorm2d = nn.class("BatchNorm2d", BatchNorm)

return {BatchNorm = BatchNorm, BatchNorm1d = BatchNorm1d,
        BatchNorm2d = BatchNorm2d}
