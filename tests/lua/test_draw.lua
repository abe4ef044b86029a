-- Charts, ticks and Picture: places of what is drawn, files, mistakes.
local core = require "sota.core"
local check = require "check"
local demo = require "demo"

if core.draw.missing then
  -- What every function says then.
  local ok, why = pcall(require("sota.draw.picture").new, 10, 10)
  assert(not ok and why:find("apt-get install libcairo2-dev libpango1.0-dev", 1, true), why)
  print "built without Cairo and Pango: skipped"
  os.exit(0)
end

local Chart = require "sota.draw.chart"
local Picture = require "sota.draw.picture"
local style = require "sota.draw.style"
local ticks = require "sota.draw.ticks"

local function texts(list)
  local out = {}
  for i, m in ipairs(list) do out[i] = m[2] or "" end
  return table.concat(out, " ")
end

check.test("ticks are nice numbers", function()
  check.equal(texts(ticks.linear(0, 1, 5)), "0.0 0.2 0.4 0.6 0.8 1.0")
  check.equal(texts(ticks.linear(0.33, 2.9, 5)), "0.5 1.0 1.5 2.0 2.5")
  check.equal(texts(ticks.linear(-3, 3, 6)), "-3 -2 -1 0 1 2 3")
  check.equal(texts(ticks.linear(1, 3, 8, true)), "1 2 3")
  check.equal(texts(ticks.linear(0, 5e6, 5)), "0 1e+06 2e+06 3e+06 4e+06 5e+06")
  check.equal(texts(ticks.linear(0, 1e-5, 4)), "0 2e-06 4e-06 6e-06 8e-06 1e-05")
  check.equal(texts(ticks.linear(0.85, 0.95, 4)), "0.86 0.88 0.90 0.92 0.94")
end)

check.test("powers of ten on a logarithmic axis", function()
  local list, named = ticks.log(1e-7, 10, 5), {}
  for _, m in ipairs(list) do
    if m[2] then named[#named + 1] = m[2] end
  end
  check.equal(table.concat(named, " "), "10⁻⁷ 10⁻⁵ 10⁻³ 10⁻¹ 10")
  named = {}
  for _, m in ipairs(ticks.log(0.01, 1, 8)) do named[#named + 1] = m[2] end
  check.equal(table.concat(named, " "), "0.01 0.1 1")
  check.equal(texts(ticks.log(2, 4, 4)), "2.0 2.5 3.0 3.5 4.0")
end)

-- The pixel of a picture at a place, as 0xRRGGBBff.
local function pixel(x, px, py)
  local p = x[math.floor(py) + 1][math.floor(px) + 1]:totable()
  return p[1] << 24 | p[2] << 16 | p[3] << 8 | 0xff
end

check.test("points are where the axes say", function()
  local chart = Chart.new{title = "t", xlabel = "x", ylabel = "y", xlim = {0, 10}, ylim = {0, 4}}
  chart:points({5, 2.5}, {1, 3}, {radius = 4})
  local pic = chart:picture()
  local x <close> = pic:pixels()
  local left, bottom = chart:place(0, 0)
  local right, top = chart:place(10, 4)
  local cx, cy = chart:place(5, 1)
  check.close(cx, (left + right) / 2, 1e-9)
  check.close(cy, bottom - (bottom - top) / 4, 1e-9)
  check.equal(pixel(x, cx, cy), style.of(1))
  cx, cy = chart:place(2.5, 3)
  check.equal(pixel(x, cx, cy), style.of(1))
  check.equal(pixel(x, cx + 20, cy + 7), style.paper)
  check.equal({x:shape(1), x:shape(2), x:shape(3)}, {360, 560, 3})
end)

check.test("bars are as high as their values", function()
  local chart = Chart.new{categories = {"a", "b", "c"}, ylim = {0, 1}}
  chart:bars({0.5, 1, 0.25})
  local pic = chart:picture()
  local x <close> = pic:pixels()
  for i, v in ipairs{0.5, 1, 0.25} do
    local bx, by = chart:place(i, v)
    check.equal(pixel(x, bx, by + 3), style.of(1))
    if v < 1 then check.equal(pixel(x, bx, by - 6), style.paper) end
  end
end)

check.test("a logarithmic axis is even in powers of ten", function()
  local chart = Chart.new{xlog = true}
  chart:line({1e-4, 1e-2, 1}, {1, 2, 3})
  chart:picture()
  local x1, x2, x3 = (chart:place(1e-4, 1)), (chart:place(1e-2, 1)), (chart:place(1, 1))
  check.close(x2 - x1, x3 - x2, 1e-9)
end)

check.test("odd data: nan, infinite, one point, none, very many", function()
  Chart.new():picture()
  Chart.new{xlog = true}:line({1}, {5}):picture()
  Chart.new():line({1, 2, 3}, {0 / 0, 1, 1 / 0}):picture()
  Chart.new():line({3, 3}, {2, 2}):picture()
  local xs, ys = {}, {}
  for i = 1, 50000 do xs[i], ys[i] = i, i == 25000 and 9 or 0 end
  local chart = Chart.new{ylim = {0, 10}}:line(xs, ys, {width = 2})
  local pic = chart:picture()
  local x <close> = pic:pixels(2)
  local px, py = chart:place(25000, 5) -- the lone peak has not been thinned away
  check.equal(pixel(x, 2 * px, 2 * py), style.of(1))
  assert(#pic.canvas:svg() < 60000)
end)

-- Well formed: tags are closed in their order; returns the text of <desc>.
local function well_formed(svg)
  local open = {}
  for slash, name, rest in svg:gmatch "<(/?)([%w:]+)([^>]*)>" do
    if slash == "/" then
      check.equal(table.remove(open), name)
    elseif rest:sub(-1) ~= "/" then
      open[#open + 1] = name
    end
  end
  check.equal(#open, 0)
  return svg:match "<desc>(.-)</desc>"
end

check.test("an SVG is well formed and has the labels", function()
  local chart = Chart.new{title = "Loss & more", xlabel = "batch", ylabel = "loss"}
  chart:line({1, 2, 3}, {3, 2, 1}, {label = "train"}):line({1, 3}, {2, 1}, {label = "valid", dots = true})
  local text = well_formed(chart:picture().canvas:svg "x < y")
  for _, want in ipairs{"Loss &amp; more", "batch", "loss", "train", "valid", "2.0"} do
    assert(text:find(want, 1, true), want)
  end
end)

check.test("files: the ending decides; scale; decoded again", function()
  local folder <close> = demo.folder()
  local pic = Picture.new(60, 40, "tiny")
  pic.canvas:rect(10, 10, 20, 20, {fill = 0x0072b2ff})
  check.equal(pic:save(folder.path .. "/a.png", {scale = 1}), pic)
  pic:save(folder.path .. "/a.SVG")
  assert(tostring(pic):find("saved as " .. folder.path .. "/a.SVG", 1, true), tostring(pic))
  local files = core.data.files()
  files:add(folder.path .. "/a.png")
  local pipeline = core.data.pipeline{{"Resize", {40, 60}}}
  local loader <close> = core.data.loader{files = files, rows = core.data.rows{1},
    pipeline = pipeline, batch_size = 1, train = false, seed = 1, workers = 0}
  for _, x in loader:batches(1) do
    check.equal({x:shape(2), x:shape(3)}, {40, 60})
    local mine <close> = pic:pixels()
    check.equal(x:select{dim = 1, index = 1}:totable(), mine:totable())
  end
end)

check.test("mistakes", function()
  local pic = Picture.new(10, 10)
  check.fails('the name must end in .png or .svg, not "a.jpg"', pic.save, pic, "a.jpg")
  check.fails("/no/such/folder/a.png cannot be written: No such file or directory",
    pic.save, pic, "/no/such/folder/a.png")
  check.fails("save: unknown option 'scal'; did you mean 'scale'?", pic.save, pic, "a.png", {scal = 2})
  check.fails("a canvas of 0 x 10 points", Picture.new, 0, 10)
  check.fails("Chart: unknown option 'titel'; did you mean 'title'?", Chart.new, {titel = "x"})
  check.fails("rect: unknown option 'filled'", pic.canvas.rect, pic.canvas, 0, 0, 1, 1, {filled = 1})
  check.fails("even number", pic.canvas.path, pic.canvas, {1, 2, 3})
  check.fails("number expected", pic.canvas.path, pic.canvas, {1, "x"})
  check.fails("unclip without a clip", pic.canvas.unclip, pic.canvas)
  local closed = core.draw.canvas(5, 5)
  closed:close()
  closed:close()
  check.fails("this canvas has been closed", closed.size, closed)
end)

check.test("disc full", function()
  if not io.open("/dev/full", "w") then return end
  local pic = Picture.new(10, 10)
  local folder <close> = demo.folder() -- /dev/full has no ending: a link has
  os.execute(("ln -s /dev/full '%s/full.png'"):format(folder.path))
  check.fails("full.png cannot be written: No space left on device", pic.save, pic, folder.path .. "/full.png")
end)

check.test("showing without a terminal gives a file's path", function()
  local pic = Picture.new(10, 10, "tiny")
  local text = pic:__show()
  local path = text:match "^tiny, 10 x 10: (.*%.png)$"
  local file <close> = assert(io.open(path or text, "rb"))
  check.equal(file:read(8), "\137PNG\r\n\26\n")
  check.equal(pic:__show(), text) -- one file, however often
  os.remove(path)
end)

check.done()
