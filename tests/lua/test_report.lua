-- report.html: what is in it, when it is written, that training does not
-- notice.
local core = require "sota.core"
local check = require "check"
local demo = require "demo"
local mlp = require "mlp"
local sota = require "sota"
local Report = sota.callbacks.Report

local folder <close> = demo.folder()
local path = demo.write(folder)
local draws = not core.draw.missing

local function read(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read "a"
end

local function finish(learn)
  learn.dls:close()
  learn.opt:zero_grad()
  learn.opt:close()
end

-- Elements that have no end.
local void = {meta = true, img = true, br = true}

-- Every element that begins ends, in the right order; ids are unique, and what
-- is referred to is there. Gives the number of elements of each kind.
local function well_formed(page)
  local open, count, ids = {}, {}, {}
  for slash, name, rest in page:gsub("<style>.-</style>", ""):gmatch "<(/?)(%a%w*)([^>]*)>" do
    if slash == "/" then
      check.equal(table.remove(open), name)
    else
      count[name] = (count[name] or 0) + 1
      if not void[name] and not rest:find "/$" then open[#open + 1] = name end
      local id = rest:match ' id="([^"]*)"'
      assert(not id or not ids[id], id)
      ids[id or ""] = true
    end
  end
  check.equal(open, {})
  for _, pattern in ipairs{'href="#([^"]*)"', "url%(#([^)]*)%)"} do
    for id in page:gmatch(pattern) do assert(ids[id], id) end
  end
  return count
end

-- Nothing is fetched: no addresses but names of XML.
local function alone(page)
  for before, address in page:gmatch '(%S-)["\'(](%a+://[^"\')]*)' do
    assert(before:find "^xmlns", before .. address)
  end
  assert(not page:find("<script", 1, true) and not page:find("<link", 1, true))
end

local function decode64(text)
  local value, bits, n, out = {}, 0, 0, {}
  local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  for i = 1, 64 do value[letters:sub(i, i)] = i - 1 end
  for c in text:gmatch "[^=]" do
    bits, n = bits << 6 | value[c], n + 6
    if n >= 8 then
      n = n - 8
      out[#out + 1] = string.char(bits >> n & 255)
    end
  end
  return table.concat(out)
end

if draws then
  local html = require "sota.draw.html"

  check.test("base64: the vectors of RFC 4648", function()
    for text, want in pairs{[""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
                            fooba = "Zm9vYmE=", foobar = "Zm9vYmFy"} do
      check.equal(html.base64(text), want)
    end
    check.equal(html.base64("\xfb\xff\xbf"), "+/+/")
  end)

  check.test("text is safe, whatever is in it", function()
    check.equal(html.text '<b> "a" & \'b\'', "&lt;b&gt; &quot;a&quot; &amp; &#39;b&#39;")
    check.equal(html.text "caf\xe9", "caf?")
    check.equal(html.text "café", "café")
    check.equal(html.text(3), "3")
  end)

  check.test("the colours of a chart are the page's", function()
    local chart = sota.draw.Chart.new{title = "t"}
    chart:line({1, 2}, {1, 2}, {label = "a"})
    local svg = html.svg(chart:picture().canvas:svg "t", "x-")
    assert(svg:find("var(--series-1)", 1, true) and svg:find("var(--paper)", 1, true))
    assert(not svg:find "rgb%([%d.]+%%") -- none is left that the night would hide
    assert(svg:find("<svg", 1, true) == 1 and not svg:match "^<svg[^>]*>":find " width=")
  end)
end

check.test("the page of a run has all its parts and the run's numbers", function()
  local file = folder.path .. "/deep/er/report.html"
  local learn = demo.learner(path, {cbs = Report{fname = file, n = 4, title = "A <run>",
    options = {arch = "xresnet18", item_size = 40, stages = {"a", "b"}}}})
  learn:fit_one_cycle(2, 1e-3)
  local page = read(file)
  local count = well_formed(page)
  alone(page)
  for i, row in ipairs(learn.recorder.values) do
    assert(page:find(('<th scope="row" class="number">%d</th>'):format(i), 1, true))
    for _, name in ipairs{"train_loss", "valid_loss", "accuracy"} do
      assert(page:find(("%.6f</td>"):format(row[name]), 1, true), name)
    end
  end
  for _, title in ipairs{"Epochs", "Confusion", "Classes", "Time", "Settings", "Environment"} do
    assert(page:find("<h2>" .. title .. "</h2>", 1, true), title)
  end
  for _, text in ipairs{"<h1>A &lt;run&gt;</h1>", "Complete: 2 epochs", "--item-size", "a, b", "Adam", "40 for training, 20 for validation",
                        "32 x 32", core.version, learn.dls.vocab[3], "2 of 2"} do
    assert(page:find(text, 1, true), text)
  end
  assert(not page:find("Not shown", 1, true), page:match "Not shown.*")
  if draws then
    check.equal({count.svg, count.img}, {4, 12})
    local loss = page:match '<svg.-<desc>.-</desc>'
    assert(loss:find("train, smoothed", 1, true))
    for png in page:gmatch "base64,([%w+/=]+)" do
      local bytes = decode64(png)
      assert(bytes:find "^\x89PNG" and bytes:find("IEND", -8, true))
    end
  end
  finish(learn)
end)

check.test("the figures of the classes are those of Interpretation", function()
  local file = folder.path .. "/report.html"
  local learn = demo.learner(path, {path = folder.path, cbs = Report()})
  learn:fit(1, 1e-3)
  local page, interp = read(file), sota.Interpretation.from_learner(learn)
  local classes = page:match "<h2>Classes</h2>(.-)</section>"
  for _, f in ipairs(interp.confusion:classes()) do
    assert(classes:find(("%.4f</td>"):format(f.precision), 1, true))
    assert(classes:find(("%.4f</td>"):format(f.recall), 1, true))
  end
  local sum = 0
  for n in page:match '<table class="matrix">(.-)</table>':gmatch ">(%d+)</td>" do sum = sum + n end
  check.equal(sum, 20)
  finish(learn)
end)

check.test("written at the beginning and after each epoch; two fits are one run", function()
  local file, seen = folder.path .. "/twice.html", {}
  local learn = demo.learner(path, {cbs = {Report{fname = file, results = false},
    {order = 300, before_fit = function() seen[#seen + 1] = read(file) end,
     after_epoch = function() seen[#seen + 1] = read(file) end}}})
  learn:fit(1, 1e-3)
  learn:fit(2, 1e-3)
  seen[#seen + 1] = read(file)
  local want = {"No epoch is complete", "1 of 1 epochs are complete", "Training has begun", "2 of 3 epochs are complete",
                "3 of 3 epochs are complete", "Complete: 3 epochs"}
  check.equal(#seen, #want)
  for i, text in ipairs(want) do
    well_formed(seen[i])
    assert(seen[i]:find(text, 1, true), text)
    assert(not seen[i]:find("<h2>Confusion", 1, true))
  end
  assert(seen[6]:find('<th scope="row" class="number">3</th>', 1, true))
  check.equal(#learn.cbs[1].record.recorder.losses, 12)
  check.equal(learn.cbs[1].record.recorder.iters, {4, 8, 12})
  finish(learn)
end)

check.test("training and what it leaves are as without", function()
  local function run(cbs)
    local learn = demo.learner(path, {cbs = {cbs or false, sota.callbacks.Mixup()}})
    learn:fit_one_cycle(2, 1e-3)
    local rows = {}
    for i, row in ipairs(learn.recorder.values) do rows[i] = {row.train_loss, row.valid_loss, row.accuracy} end
    local result = {learn.recorder.losses, rows, core.random_state(), learn.quiet}
    finish(learn)
    return result
  end
  check.equal(run(Report{fname = folder.path .. "/x.html", n = 2}), run(nil))
end)

check.test("the times of an epoch add up to it", function()
  local report = Report{fname = folder.path .. "/x.html", results = false}
  local learn = demo.learner(path, {cbs = report})
  learn:fit(2, 1e-3)
  check.equal(#report.record.times, 2)
  for i, t in ipairs(report.record.times) do
    for _, v in pairs(t) do assert(v >= 0) end
    local all = t.wait + t.train + t.valid + t.other
    check.close(all, learn.recorder.values[i].time, 0.2)
    assert(t.train > 0 and t.valid > 0)
  end
  finish(learn)
end)

check.test("broken off, and ended early", function()
  local file = folder.path .. "/x.html"
  local learn = demo.learner(path, {cbs = {Report{fname = file, results = false},
    {order = 60, after_epoch = function(_, l) if l.epoch == 2 then error "no more" end end}}})
  check.fails("no more", learn.fit, learn, 3)
  assert(read(file):find("Broken off by an error or by Ctrl-C after 2 epochs", 1, true))
  finish(learn)
  learn = demo.learner(path, {cbs = {Report{fname = file, results = false},
    {order = 60, after_epoch = function() error(core.cancel.fit) end}}})
  learn:fit(3)
  check.equal(#learn.cbs[1].record.times, 1)
  assert(read(file):find("Ended early, after 1 of 3 epochs", 1, true))
  finish(learn)
end)

check.test("data that are no images; many classes", function()
  local learn = mlp.learner()
  local file = folder.path .. "/mlp.html"
  learn.cbs = {Report{fname = file}}
  learn:fit(1)
  local page = read(file)
  well_formed(page)
  assert(page:find("<h2>Confusion", 1, true) and not page:find("<img", 1, true))
  assert(not page:find("Not shown", 1, true))
end)

check.test("lr_find and validate write nothing", function()
  local file = folder.path .. "/none.html"
  local learn = demo.learner(path, {cbs = Report{fname = file}})
  learn:lr_find{num_it = 6}
  learn:validate()
  check.equal(io.open(file), nil)
  learn.dls:close()
end)

check.test("mistakes; a look that fails is told in the page", function()
  check.fails("Report: unknown option 'titel'; did you mean 'title'?", Report, {titel = "x"})
  local learn = demo.learner(path, {cbs = Report{fname = folder.path .. "/demo"}})
  check.fails("Report: cannot write " .. folder.path .. "/demo", learn.fit, learn, 1)
  finish(learn)
  local file = folder.path .. "/x.html"
  learn = demo.learner(path, {cbs = Report{fname = file, n = 2}})
  learn.show_results = function() error "out of paint" end
  learn:fit(1)
  assert(not draws or read(file):find("<p class=\"note\">Answers: out of paint</p>", 1, true))
  finish(learn)
end)

check.test("help knows it", function()
  local text, old = "", print
  print = function(s) text = text .. s end
  sota.help "Report"
  print = old
  assert(text:find("Report{options} -- class", 1, true) and text:find("fname", 1, true), text)
end)

check.done()
