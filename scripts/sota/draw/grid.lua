-- draw/grid.lua -- images in rows, each with a line or two of text above it.
local Picture = require "sota.draw.picture"
local style = require "sota.draw.style"

local grid = {}

local GAP, MARGIN = 10, 14
local caption = style.with(style.label, {align = "centre", valign = "bottom"})

-- Width and height of a tile for images of these sizes: small images magnified
-- by a whole number, large ones made to fit.
local function tile_size(cells, side)
  local h, w = 1, 1
  for _, cell in ipairs(cells) do
    h = math.max(h, cell.image:shape(1))
    w = math.max(w, cell.image:shape(2))
  end
  local most = math.max(h, w)
  local factor = most <= side and math.max(1, side // most) or side / most
  return w * factor, h * factor
end

local function shape_of(n, nrow, ncol)
  if not nrow and not ncol then
    ncol = n <= 3 and n or n <= 4 and 2 or n <= 12 and 3 or n <= 24 and 4 or 6
    if n == 4 or n == 8 or n == 12 then ncol = 4 end
  end
  ncol = ncol or (n + nrow - 1) // nrow
  return (n + ncol - 1) // ncol, ncol
end

-- How many lines the captions take: as many as the longest has.
local function caption_lines(cells)
  local most = 0
  for _, cell in ipairs(cells) do
    if cell.title then
      most = math.max(most, select(2, cell.title:gsub("\n", "\n")) + 1)
    end
  end
  return most
end

local function draw_cell(canvas, cell, x, y, w, h, tile_w)
  if cell.title then
    canvas:text(x + tile_w / 2, y - 3, cell.title, style.with(caption,
      {width = tile_w + GAP - 2, lines = cell.lines, mono = cell.mono,
       colour = cell.colour or style.ink, bold = cell.bold}))
  end
  local ih, iw = cell.image:shape(1), cell.image:shape(2)
  local factor = math.min(w / iw, h / ih)
  local left = x + (tile_w - iw * factor) / 2
  cell.x, cell.y, cell.w, cell.h = left, y, iw * factor, ih * factor
  canvas:image(cell.image, cell.x, cell.y, cell.w, cell.h)
  cell.rows, cell.columns, cell.image = ih, iw, nil -- the canvas has a copy
end

--- A picture of images. Each cell is {image = tensor (H, W, 3), title = text,
--- colour = of the text}; an empty table leaves its place empty. Afterwards it
--- has x, y, w, h in the place of its image: where that is, rows and columns:
--- its pixels.
---@param cells table[]
---@param options? {title: string, nrow: integer, ncol: integer, side: number}
---@return Picture
function grid.picture(cells, options)
  local o = options or {}
  local images = {}
  for _, cell in ipairs(cells) do
    if cell.image then images[#images + 1] = cell end
  end
  local nrow, ncol = shape_of(#cells, o.nrow, o.ncol)
  local w, h = tile_size(images, o.side or 144)
  local lines = caption_lines(images)
  local tile_w, above = lines > 0 and math.max(w, 96) or w, 17 * lines
  local top = MARGIN + (o.heading and 28 or 0)
  local pic = Picture.new(2 * MARGIN + ncol * tile_w + (ncol - 1) * GAP,
    top + nrow * (above + h + GAP) - GAP + MARGIN, o.title)
  if o.heading then
    pic.canvas:text(MARGIN, MARGIN - 4, o.heading, style.with(style.title,
      {lines = 1, width = ncol * tile_w}))
  end
  for i, cell in ipairs(cells) do
    if cell.image then
      cell.lines = lines
      draw_cell(pic.canvas, cell,
        MARGIN + (i - 1) % ncol * (tile_w + GAP),
        top + (i - 1) // ncol * (above + h + GAP) + above, w, h, tile_w)
    end
  end
  pic.cells = images
  return pic
end

return grid
