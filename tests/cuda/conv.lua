-- conv.lua -- a convolution, forward and backward, on the default device.
local s = require "sota"
local x, w = s.uniform{2, 6, 6, 8}, s.uniform{8, 3, 3, 8}
x:requires_grad(true)
w:requires_grad(true)
for _ = 1, 2 do s.sum(s.conv2d(x, w, {padding = 1})):backward() end
print(("%a %a"):format(s.sum(x.grad):item(), s.sum(w.grad):item()))
