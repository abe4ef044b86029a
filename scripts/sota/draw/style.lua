-- draw/style.lua -- the look of all pictures: white paper, thin grey lines,
-- dark text, and colours that people with any colour vision tell apart.
local style = {}

local function opaque(rgb) return rgb << 8 | 0xff end

--- 0xRRGGBBAA from 0xRRGGBB and an opacity from 0 to 1.
---@param rgb integer
---@param opacity? number 1
function style.colour(rgb, opacity)
  return rgb << 8 | math.floor(255 * (opacity or 1) + 0.5)
end

--- Okabe and Ito, "Color Universal Design", 2008; the dark ones first, for
--- they are lines on white. Their yellow is too pale for that and is not here.
style.palette = {
  opaque(0x0072b2), -- blue
  opaque(0xd55e00), -- vermilion
  opaque(0x009e73), -- green
  opaque(0xcc79a7), -- purple
  opaque(0xe69f00), -- orange
  opaque(0x56b4e9), -- sky
  opaque(0x000000), -- black
}

style.ink = opaque(0x222222)    -- titles, labels
style.faint = opaque(0x595959)  -- ticks, notes; 7 : 1 on white
style.frame = opaque(0xb0b0b0)
style.rule = opaque(0xe8e8e8)   -- grid lines
style.paper = opaque(0xffffff)
style.right = opaque(0x006b4e)  -- a right answer: green, and darker
style.wrong = opaque(0xb34f00)  -- a wrong one: vermilion, and darker

style.title = {size = 14, bold = true, colour = style.ink}
style.label = {size = 12, colour = style.ink}
style.tick = {size = 11, colour = style.faint}

--- A copy of a style with other fields.
---@param base table
---@param more table
function style.with(base, more)
  local copy = {}
  for k, v in pairs(base) do copy[k] = v end
  for k, v in pairs(more) do copy[k] = v end
  return copy
end

--- The i-th colour of the palette, which begins again after its end.
---@param i integer from 1
function style.of(i) return style.palette[(i - 1) % #style.palette + 1] end

-- A sequence from white to the palette's blue, of even lightness steps.
local light, dark = {0xff, 0xff, 0xff}, {0x00, 0x4c, 0x82}

--- The colour of a share from 0 (paper) to 1 (dark blue).
---@param share number
function style.shade(share)
  local rgb = 0
  for c = 1, 3 do
    local v = light[c] + (dark[c] - light[c]) * share
    rgb = rgb << 8 | math.floor(v + 0.5)
  end
  return opaque(rgb)
end

-- Five colours of cividis (Nunez, Anderton and Renslow, 2018), whose lightness
-- and hue grow evenly for any colour vision.
local scale = {{0x00, 0x22, 0x4e}, {0x41, 0x4d, 0x6b}, {0x7c, 0x7b, 0x78},
               {0xbc, 0xae, 0x6c}, {0xfe, 0xe8, 0x38}}

--- The colour of a share from 0 (dark blue) to 1 (yellow) as r, g, b from 0 to
--- 255.
---@param share number
---@return integer r, integer g, integer b
function style.scale(share)
  local at = math.max(0, math.min(1, share)) * (#scale - 1)
  local i = math.min(math.floor(at), #scale - 2)
  local low, high, rgb = scale[i + 1], scale[i + 2], {}
  for c = 1, 3 do
    rgb[c] = math.floor(low[c] + (high[c] - low[c]) * (at - i) + 0.5)
  end
  return table.unpack(rgb)
end

return style
