-- event_file.lua -- EventFile: what TensorBoard reads. A file is a list of
-- records (TFRecord), each a message of protocol buffers: an Event of
-- tensorboard/compat/proto/event.proto, which holds a Summary of values.
--
--   local events = EventFile.open("runs/1")
--   events:scalar("accuracy", 0.93, step)
--   events:close()
local core = require "sota.core"
local check = require "sota.check"

local EventFile = {__name = "EventFile"}
EventFile.__index = EventFile

-- --- records ------------------------------------------------------------------

-- CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, a byte at a time.
local crc_table = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do c = c & 1 == 1 and c >> 1 ~ 0x82f63b78 or c >> 1 end
  crc_table[i] = c
end

--- CRC-32C of bytes (RFC 3720).
---@param bytes string
---@return integer
function EventFile.crc32c(bytes)
  local c = 0xffffffff
  for first = 1, #bytes, 4096 do
    for _, b in ipairs{bytes:byte(first, math.min(first + 4095, #bytes))} do
      c = crc_table[(c ~ b) & 255] ~ c >> 8
    end
  end
  return c ~ 0xffffffff
end

-- Turned by 15 bits and moved, so that sums of data with sums in them differ.
local function masked(bytes)
  local c = EventFile.crc32c(bytes)
  return ((c >> 15 | c << 17) + 0xa282ead8) & 0xffffffff
end

--- A record: length, its sum, the data, their sum.
---@param data string
---@return string
function EventFile.record(data)
  local length = ("<I8"):pack(#data)
  return length .. ("<I4"):pack(masked(length)) .. data
    .. ("<I4"):pack(masked(data))
end

-- --- messages -----------------------------------------------------------------

local VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5 -- how a field is written

local function varint(v)
  local out = {}
  while v > 127 do
    out[#out + 1] = string.char(v & 127 | 128)
    v = v >> 7
  end
  out[#out + 1] = string.char(v)
  return table.concat(out)
end

local function key(field, kind) return varint(field << 3 | kind) end

-- A field that has its default is not written.
local function whole(field, v)
  return v ~= 0 and key(field, VARINT) .. varint(v) or ""
end

local function double(field, v)
  return v ~= 0 and key(field, EIGHT) .. ("<d"):pack(v) or ""
end

local function bytes(field, s) return key(field, BYTES) .. varint(#s) .. s end

local function doubles(field, list)
  local out = {}
  for i, v in ipairs(list) do out[i] = ("<d"):pack(v) end
  return bytes(field, table.concat(out))
end

--- A record of an event: at that time (seconds since 1970), of that step, with
--- the rest of its message.
---@param time number
---@param step integer
---@param rest string
---@return string
function EventFile.event(time, step, rest)
  return EventFile.record(double(1, time) .. whole(2, step) .. rest)
end

--- The first record of a file.
function EventFile.version(time)
  return EventFile.event(time, 0, bytes(3, "brain.Event:2"))
end

-- Field 5 of an event: a summary of one value.
local function summary(tag, value)
  return bytes(5, bytes(1, bytes(1, tag) .. value))
end

--- A number as the rest of an event.
function EventFile.scalar_message(tag, v)
  return summary(tag, key(2, FOUR) .. ("<f"):pack(v))
end

--- A PNG with three channels as the rest of an event.
function EventFile.image_message(tag, png, width, height)
  return summary(tag, bytes(4, whole(1, height) .. whole(2, width)
    .. whole(3, 3) .. bytes(4, png)))
end

--- h = {min, max, num, sum, squares, limits = upper ends of the buckets, counts}
--- as the rest of an event.
function EventFile.histogram_message(tag, h)
  return summary(tag, bytes(5, double(1, h.min) .. double(2, h.max)
    .. double(3, h.num) .. double(4, h.sum) .. double(5, h.squares)
    .. doubles(6, h.limits) .. doubles(7, h.counts)))
end

-- --- histograms ---------------------------------------------------------------

local BUCKETS = 30

--- Counts of a tensor's elements in buckets of equal width, for
--- histogram_message; nil for an empty one, or one with nan or inf in it.
---@param t tensor
---@return table?
function EventFile.histogram(t)
  if t:numel() == 0 then return nil end
  return core.scope(core.no_grad, function()
    local x = t:detach():to "f32":reshape{-1}
    local n, lo, hi = x:numel(), x:min():item(), x:max():item()
    local sum, squares = x:sum():item(), (x * x):sum():item()
    if not (squares < math.huge) then return nil end
    local h = {min = lo, max = hi, num = n, sum = sum, squares = squares,
               limits = {}, counts = {}}
    local below, buckets = 0, hi > lo and BUCKETS or 1
    for i = 1, buckets do
      local limit = lo + (hi - lo) * i / buckets
      local count = n
      if i < buckets then
        count = math.floor(x:lt(limit):to "f32":mean():item() * n + 0.5)
      else
        limit = hi
      end
      h.limits[i], h.counts[i] = limit, math.max(0, count - below)
      below = math.max(below, count)
    end
    return h
  end)
end

-- --- files --------------------------------------------------------------------

local opened = 0 -- by this program: names of files must differ

--- A new file in a folder, which is made if need be.
---@param folder string
---@return EventFile
function EventFile.open(folder)
  core.make_dirs(folder)
  opened = opened + 1
  local path
  repeat -- another program may have begun in this second, too
    path = ("%s/events.out.tfevents.%010d.sota-lua.%d"):format(folder,
      os.time(), opened)
    local there = io.open(path, "rb")
    if there then
      there:close()
      opened = opened + 1
    end
  until not there
  local file, why = core.grow_file(path)
  if not file then check.fail("EventFile: %s", why) end
  local self = setmetatable({path = path, file = file, n = 0}, EventFile)
  return self:write(EventFile.version(os.time())):flush()
end

local MOST = 1 << 16 -- bytes in memory before they are written, if they can be

--- Appends a record.
function EventFile:write(record)
  self.file:add(record)
  self.n = self.n + #record
  if self.n < MOST then return self end
  self.n = 0
  self.file:write() -- what fails is written, and told, by flush
  return self
end

---@param tag string groups are told by a slash: "epoch/accuracy"
---@param v number
---@param step integer
---@return EventFile self
function EventFile:scalar(tag, v, step)
  return self:write(EventFile.event(os.time(), step,
    EventFile.scalar_message(tag, v)))
end

---@param tag string
---@param pic Picture
---@param step integer
---@return EventFile self
function EventFile:picture(tag, pic, step)
  local w, h = pic:size()
  return self:write(EventFile.event(os.time(), step,
    EventFile.image_message(tag, pic.canvas:png(1), w, h)))
end

---@param tag string
---@param t tensor
---@param step integer
---@return EventFile self
function EventFile:histogram_of(tag, t, step)
  local h = EventFile.histogram(t)
  if not h then return self end
  return self:write(EventFile.event(os.time(), step,
    EventFile.histogram_message(tag, h)))
end

--- What was written so far is in the file afterwards. Raises if it cannot be
--- written; the records wait for the next time.
function EventFile:flush()
  local ok, why = self.file:write()
  if not ok then check.fail("EventFile: %s", why) end
  self.n = 0
  return self
end

function EventFile:close()
  if not self.file then return end
  self.file:write()
  self.file:close()
  self.file = nil
end
EventFile.__close = EventFile.close

return EventFile
