-- Event files for TensorBoard, and lines of JSON. The golden records were made
-- by the RecordWriter and the messages of tensorboard 2.21.
local core = require "sota.core"
local check = require "check"
local demo = require "demo"
local mlp = require "mlp"
local sota = require "sota"
local EventFile = require "sota.event_file"
local callbacks = sota.callbacks

local folder <close> = demo.folder()

local function hex(s)
  return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

check.test("crc32c: the vectors of RFC 3720", function()
  local up, down = {}, {}
  for i = 0, 31 do up[i + 1], down[32 - i] = string.char(i), string.char(i) end
  for bytes, want in pairs{["123456789"] = 0xe3069283, [("\0"):rep(32)] = 0x8a9136aa,
    [("\xff"):rep(32)] = 0x62a8ab43, [table.concat(up)] = 0x46dd794e, [table.concat(down)] = 0x113fdb5c, [""] = 0} do
    check.equal(EventFile.crc32c(bytes), want)
  end
end)

check.test("records, byte by byte", function()
  check.equal(hex(EventFile.version(1.5)),
    "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c")
  check.equal(hex(EventFile.event(1700000000.25, 300, EventFile.scalar_message("batch/loss", 0.625))),
    "2100000000000000017becf60900001040fc54d94110ac022a130a110a0a62617463682f6c6f7373150000203f184c4dbe")
  check.equal(hex(EventFile.event(2.0, 1, EventFile.image_message("x", "\x89PNG\r\n", 300, 2))),
    "2300000000000000b09f774309000000000000004010012a160a140a0178220f080210ac021803220689504e470d0a194199b2")
  check.equal(hex(EventFile.event(2.0, 7, EventFile.histogram_message("w", {min = -1, max = 2, num = 4, sum = 2,
    squares = 6, limits = {-0.25, 0.5, 1.25, 2.0}, counts = {1, 1, 1, 1}}))),
    "8500000000000000e98acc5909000000000000004010072a780a760a01772a7109000000000000f0bf11000000000000004019000000000000104"
    .. "02100000000000000402900000000000018403220000000000000d0bf000000000000e03f000000000000f43f00000000000000403a20000000"
    .. "000000f03f000000000000f03f000000000000f03f000000000000f03fcedbc258")
end)

check.test("histograms: each element in its bucket", function()
  local x = core.arange(0, 59):to "f32" / 2
  local h = EventFile.histogram(x:reshape{4, 15})
  check.equal({h.min, h.max, h.num, #h.limits}, {0.0, 29.5, 60, 30})
  check.close(h.sum, 885, 1e-6)
  check.close(h.squares, 17552.5, 1e-6)
  for i, count in ipairs(h.counts) do check.equal(count, 2, "bucket " .. i) end
  check.equal(h.limits[30], 29.5)
  local same = EventFile.histogram(core.full({5}, 3.0))
  check.equal({same.limits, same.counts}, {{3.0}, {5}})
  check.equal(EventFile.histogram(core.tensor{1.0, 0 / 0}), nil)
  check.equal(EventFile.histogram(core.tensor{1.0, 1 / 0}), nil)
  check.equal(EventFile.histogram(core.zeros{0}), nil)
end)

-- --- reading ------------------------------------------------------------------

local function masked(s)
  local c = EventFile.crc32c(s)
  return ((c >> 15 | c << 17) + 0xa282ead8) & 0xffffffff
end

-- The records of a file, sums checked.
local function records(path)
  local file <close> = assert(io.open(path, "rb"))
  local text, at, list = file:read "a", 1, {}
  while at <= #text do
    local n, crc = ("<I8I4"):unpack(text, at)
    check.equal(crc, masked(text:sub(at, at + 7)))
    local data = text:sub(at + 12, at + 11 + n)
    check.equal(("<I4"):unpack(text, at + 12 + n), masked(data))
    list[#list + 1], at = data, at + 16 + n
  end
  return list
end

-- {field = value, or list of values} of a message.
local function fields(data)
  local at, out = 1, {}
  local function varint()
    local v, shift = 0, 0
    repeat
      local b = data:byte(at)
      v, shift, at = v | (b & 127) << shift, shift + 7, at + 1
    until b < 128
    return v
  end
  while at <= #data do
    local k = varint()
    local kind = k & 7
    if kind == 0 then out[k >> 3] = varint()
    elseif kind == 2 then
      local n = varint()
      out[k >> 3], at = data:sub(at, at + n - 1), at + n
    else
      out[k >> 3], at = (kind == 1 and "<d" or "<f"):unpack(data, at)
    end
  end
  return out
end

-- {tag = {{step, value message}...}} of a file.
local function read(path)
  local list, tags = records(path), {}
  check.equal(fields(list[1])[3], "brain.Event:2")
  for i = 2, #list do
    local event = fields(list[i])
    local value = fields(fields(event[5])[1])
    local tag = value[1]
    tags[tag] = tags[tag] or {}
    table.insert(tags[tag], {event[2] or 0, value})
  end
  return tags
end

local function steps(list)
  local out = {}
  for i, e in ipairs(list) do out[i] = e[1] end
  return out
end

check.test("a training: each batch, each epoch, images, histograms; two fits in one file", function()
  local path = demo.write(folder)
  local tb = callbacks.TensorBoard{folder = folder.path .. "/runs/a", n = 2, histograms = true}
  local learn = demo.learner(path, {cbs = tb})
  learn:fit(2, 1e-3)
  local rows = learn.recorder.values
  learn:validate()
  learn:fit(1, 2e-3)
  tb.events:close()
  local tags = read(tb.events.path)
  check.equal(steps(tags["batch/loss"]), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  check.close(tags["batch/lr"][12][2][2], 2e-3, 1e-9)
  check.close(tags["batch/smooth_loss"][12][2][2], learn.recorder.losses[4], 1e-6)
  for _, name in ipairs{"train_loss", "valid_loss", "accuracy", "time"} do
    local list = tags["epoch/" .. name]
    check.equal(steps(list), {1, 2, 3})
    check.close(list[2][2][2], rows[2][name], 1e-6)
  end
  local count = 0
  for name, t in learn.model:named_parameters() do
    local list = tags["parameters/" .. name]
    check.equal(#list, 3)
    check.equal(fields(list[3][2][5])[3], t:numel() + 0.0)
    count = count + 1
  end
  assert(count > 20)
  if not core.draw.missing then
    check.equal(steps(tags["training batch"]), {0, 2})
    check.equal(steps(tags.answers), {2, 3})
    local image = fields(tags.answers[1][2][4])
    assert(image[4]:find "^\x89PNG")
    check.equal({(">I4I4"):unpack(image[4], 17)}, {image[2], image[1], 25})
  end
  learn.dls:close()
  learn.opt:zero_grad()
  learn.opt:close()
end)

check.test("fewer points; no images; a file for each run", function()
  local list = {}
  for i = 1, 2 do
    local tb = callbacks.TensorBoard{folder = folder.path .. "/runs/b", every = 3}
    local learn = mlp.learner{cbs = tb}
    learn:fit(1)
    list[i] = tb.events.path
    tb.events:close()
    local tags = read(list[i])
    for _, step in ipairs(steps(tags["batch/loss"] or {})) do check.equal(step % 3, 0) end
    check.equal(#(tags["batch/loss"] or {}), tb.steps // 3)
    check.equal(tags["training batch"], nil)
  end
  assert(list[1] ~= list[2])
end)

-- --- lines of JSON ------------------------------------------------------------

check.test("JSONLogger: a line for each epoch", function()
  local file = folder.path .. "/history.jsonl"
  local function lines()
    local list = {}
    for line in io.lines(file) do list[#list + 1] = core.json.decode(line) end
    return list
  end
  local learn = mlp.learner{path = folder.path, cbs = callbacks.JSONLogger}
  learn:fit(2, 0.01)
  local rows, got = learn.recorder.values, lines()
  check.equal(#got, 2)
  for i, row in ipairs(rows) do
    for name, v in pairs(row) do check.close(got[i][name], v, 1e-12, name) end
    check.close(got[i].lr, 0.01, 1e-9)
  end
  learn:validate()
  learn:fit(1)
  check.equal(#lines(), 3)
  mlp.learner{cbs = callbacks.JSONLogger{fname = file, append = true}}:fit(1)
  check.equal(#lines(), 4)
  mlp.learner{cbs = callbacks.JSONLogger{fname = file}}:fit(1)
  check.equal(#lines(), 1)
  local lost = mlp.learner{cbs = callbacks.JSONLogger "/no/such/folder/x.jsonl"}
  check.fails("JSONLogger: cannot write /no/such/folder/x.jsonl", lost.fit, lost, 1)
end)

check.test("help knows them", function()
  local text, old = "", print
  print = function(s) text = text .. s end
  sota.help "TensorBoard"
  sota.help "JSONLogger"
  print = old
  assert(text:find("histograms", 1, true) and text:find("JSONLogger{options} -- class", 1, true), text)
end)

check.done()
