-- draw/html.lua -- pieces of a page: text made safe, tables, images and charts
-- that lie in the page itself.
local core = require "sota.core"
local Picture = require "sota.draw.picture"
local style = require "sota.draw.style"

local html = {}

local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
                  ['"'] = "&quot;", ["'"] = "&#39;"}

--- Text for any place of a page. Bytes that are no UTF-8 become "?".
---@param v any
---@return string
function html.text(v)
  local s = tostring(v)
  if not utf8.len(s) then s = s:gsub("[\x80-\xff]", "?") end
  return (s:gsub("[&<>\"']", entities))
end

-- --- images -------------------------------------------------------------------

-- Two characters for each value of twelve bits.
local pairs_of = {}
do
  local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    .. "0123456789+/"
  for v = 0, 4095 do
    local a, b = (v >> 6) + 1, (v & 63) + 1
    pairs_of[v] = letters:sub(a, a) .. letters:sub(b, b)
  end
end

--- RFC 4648.
---@param bytes string
---@return string
function html.base64(bytes)
  local missing = -#bytes % 3
  local s, out = bytes .. ("\0"):rep(missing), {}
  for i = 1, #s, 3 do
    local a, b, c = s:byte(i, i + 2)
    local v = a << 16 | b << 8 | c
    out[#out + 1] = pairs_of[v >> 12] .. pairs_of[v & 4095]
  end
  local text = table.concat(out)
  return text:sub(1, #text - missing) .. ("="):rep(missing)
end

--- An image element with its PNG in it.
---@param png string
---@param alt string what it shows
---@return string
function html.png(png, alt)
  return ('<img alt="%s" src="data:image/png;base64,%s">'):format(
    html.text(alt), html.base64(png))
end

--- The images of a picture of draw/grid.lua, each a PNG of its own, with what
--- is written above it: {png =, title =, right =}.
---@param pic Picture
---@return table[]
function html.cells(pic)
  return core.scope(core.no_grad, function()
    local all, list = pic:pixels(1), {}
    for i, cell in ipairs(pic.cells) do
      local x, y = math.floor(cell.x + 0.5), math.floor(cell.y + 0.5)
      local w, h = math.floor(cell.w), math.floor(cell.h)
      local part = all:slice{dim = 1, first = y + 1, last = y + h}
        :slice{dim = 2, first = x + 1, last = x + w}:contiguous()
      local one = Picture.new(w, h)
      one.canvas:image(part:to "f32" / 255, 0, 0, w, h)
      list[i] = {png = one.canvas:png(1), title = cell.title or "",
                 right = cell.right}
    end
    return list
  end)
end

-- --- charts -------------------------------------------------------------------

-- The colours of charts by the name that they have in the page (report_style),
-- which may be others there: at night paper is dark.
local function named_colours()
  local names = {}
  for i, c in ipairs(style.palette) do names[c >> 8] = "series-" .. i end
  for _, name in ipairs{"ink", "faint", "frame", "rule", "paper"} do
    names[style[name] >> 8] = name
  end
  return names
end

--- Those names: {name, 0xRRGGBB}, in a fixed order.
---@return table[]
function html.colours()
  local list = {}
  for rgb, name in pairs(named_colours()) do list[#list + 1] = {name, rgb} end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

local function channel(percent)
  return math.floor(tonumber(percent) * 2.55 + 0.5)
end

--- An SVG to stand in a page among others: names of its parts are its own, its
--- colours those of the page, its width that of its place.
---@param svg string a whole SVG file
---@param prefix string another one for each SVG of a page
---@return string
function html.svg(svg, prefix)
  local names = named_colours()
  return (svg:gsub("^.-<svg", "<svg", 1)
    :gsub('^(<svg[^>]-) width="[^"]*" height="[^"]*"', "%1", 1)
    :gsub(' id="', ' id="' .. prefix)
    :gsub('href="#', 'href="#' .. prefix)
    :gsub("url%(#", "url(#" .. prefix)
    :gsub("rgb%(([%d.]+)%%, ?([%d.]+)%%, ?([%d.]+)%%%)", function(r, g, b)
      local name = names[channel(r) << 16 | channel(g) << 8 | channel(b)]
      return name and ("var(--%s)"):format(name)
    end))
end

-- --- tables -------------------------------------------------------------------

--- A table. Cells are text, or {html = markup}, {text =, class =}; numeric: from
--- this column on they stand at the right.
---@param head string[]
---@param rows table[][]
---@param options? {numeric: integer, class: string}
---@return string
function html.table(head, rows, options)
  local o = options or {}
  local out = {('<div class="scroll"><table%s>'):format(
    o.class and (' class="%s"'):format(o.class) or "")}
  local function add(fmt, ...) out[#out + 1] = fmt:format(...) end
  local function class_of(i, more)
    local number = o.numeric and i >= o.numeric and "number" or nil
    local class = number and more and number .. " " .. more or number or more
    return class and (' class="%s"'):format(class) or ""
  end
  if #head > 0 then
    add "<thead><tr>"
    for i, name in ipairs(head) do
      add('<th scope="col"%s>%s</th>', class_of(i), html.text(name))
    end
    add "</tr></thead>"
  end
  add "<tbody>"
  for _, row in ipairs(rows) do
    add "<tr>"
    for i, cell in ipairs(row) do
      local tag = i == 1 and "th" or "td"
      local c = type(cell) == "table" and cell or {text = cell}
      add("<%s%s%s>%s</%s>", tag, i == 1 and ' scope="row"' or "",
        class_of(i, c.class), c.html or html.text(c.text), tag)
    end
    add "</tr>"
  end
  add "</tbody></table></div>"
  return table.concat(out)
end

return html
