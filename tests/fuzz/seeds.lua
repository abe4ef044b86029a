-- seeds.lua -- what the fuzzing begins with: sota-lua tests/fuzz/seeds.lua DIR
-- makes DIR/<target>/<seed>.
local core = require "sota.core"
local root = assert(arg[1], "a folder is wanted")

local counts = {}
local function seed(target, bytes)
  counts[target] = (counts[target] or 0) + 1
  core.make_dirs(root .. "/" .. target)
  local name = ("%s/%s/seed-%d"):format(root, target, counts[target])
  local file <close> = assert(io.open(name, "wb"))
  file:write(bytes)
  return name
end

local function all(target, list) for _, bytes in ipairs(list) do seed(target, bytes) end end

-- --- safetensors -----------------------------------------------------------------

local function model(header, data) return string.pack("<I8", #header) .. header .. (data or "") end
local function one(shape, from, to, dtype)
  return ('"a":{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}'):format(dtype or "F32", shape,
    from, to)
end
local four = "\0\0\x80\x3f"
all("safetensors", {
  model "{}", model("{" .. one("[1]", 0, 4) .. "}", four),
  model("{" .. one("[]", 0, 4) .. ',"__metadata__":{"x":"y"}}', four),
  model("{" .. one("[2]", 0, 4, "F16") .. "}", four),
  model("{" .. one("[1,1,2,1]", 0, 2, "U8") .. "}", "ab"),
  model("{" .. one("[1]", 0, 8, "I64") .. "}", four .. four),
  model("{" .. one("[1]", 0, 8, "F64") .. "}", four .. four),
  model("{" .. one("[2]", 0, 4, "BF16") .. "}", four),
  model("{" .. one("[0]", 0, 0) .. ',"b":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}', four),
  -- a product of sizes that wraps to 4: hf.co/rez0
  model("{" .. one("[4194305,4194305,211106198978564]", 0, 4) .. "}", four),
  model('{"a":' .. ("["):rep(100) .. "}"), "\xff\xff\xff\xff\xff\xff\xff\x7f{}",
})

-- --- texts -------------------------------------------------------------------------

all("json", {'{"a":[1,2.5,-1e9,true,null,"x\\u00e9\\n"]}', "[]", "5", ("["):rep(70),
             '{"a":{"a":{"a":{}}}}', '"\\ud83d\\ude00"', "[1e999]", '{"a":1,"a":2}'})
all("csv", {"name,label\na.jpg,cat\n", '"a ""b""",c\r\nd,"e\nf"\r\n', "\xEF\xBB\xBFa;b\n1;2",
            ",a,b,,\n", '"never closed', ";a;b\n", "%a%b", "]a]b"})
all("options", {"--epochs\n3\n--lr=0.1\n--mixup", "--no-mixup\n--stages\na,b", "--help", "--epochz 3",
                "--out=x\n--\nrest", "--item-size=9\n--data", "--lr\nnan"})
all("arguments", {"sota-lua\n-e\nprint(1)\nx.lua", "sota-lua\n--seed=3\n--device\ncpu\n-",
                  "sota-lua\n-i\n-lsota\n--profile=a\n--", "sota-lua\n--check\nx\n-W\n-E\n-v"})
all("tensor", {"{1,2,3}", "{{1,2},{3,4}}, {dtype='i32'}", "{{1},{2,3}}", "{}", "1/0", "{{},{}}",
               "{{{1}},{{2}}}, {dtype='u8'}", "{1e39,-0.0,0/0}, {dtype='bf16'}", "{true}"})

-- --- binary ------------------------------------------------------------------------

all("cifar", {"cat\ndog\n\xff" .. "\1" .. ("x"):rep(3072), "cat\n\xff\0", "\xff"})
all("pixel_file", {"\0", "\4SLPX", "\9" .. ("\xff"):rep(40), "\13" .. ("\0"):rep(80)})
local function exif(order, entry)
  local e = order == "II" and "<" or ">"
  return order .. string.pack(e .. "I2I4I2", 42, 8, 1) .. entry .. "\0\0\0\0"
end
for i = 0, 9 do
  seed("exif", exif("MM", string.pack(">I2I2I4I2I2", 0x112, 3, 1, i, 0)))
  seed("exif", exif("II", string.pack("<I2I2I4I2I2", 0x112, 3, 1, i, 0)))
end

core.data.demo(root .. "/demo", {train = 3, valid = 0, seed = 1})
local files = core.data.scan(root .. "/demo")
for i = 1, #files do
  local file <close> = assert(io.open(files:path(i), "rb"))
  seed("image", file:read "a")
end
if not core.draw.missing then
  local c = core.draw.canvas(8, 8)
  c:rect(1, 1, 5, 5, {fill = 0xff0000ff})
  seed("image", c:png(1))
end
all("image", {"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;",
              "II*\0\8\0\0\0\0\0\0\0", "RIFF\20\0\0\0WEBPVP8L", "\0\0\0\x1cftypheic"})
os.execute("rm -rf '" .. root .. "/demo'")

-- An archive: names and links that lead out.
local function tar(name, kind, link, data)
  local head = name .. ("\0"):rep(100 - #name) .. "0000644\0" .. "0000000\0" .. "0000000\0"
    .. ("%011o\0"):format(#data) .. "00000000000\0" .. "        " .. kind
    .. link .. ("\0"):rep(100 - #link) .. "ustar\00000" .. ("\0"):rep(247)
  head = head:sub(1, 512)
  local sum = 0
  for i = 1, #head do sum = sum + head:byte(i) end
  head = head:sub(1, 148) .. ("%06o\0 "):format(sum) .. head:sub(157)
  return head .. data .. ("\0"):rep(-#data % 512)
end
local ends = ("\0"):rep(1024)
all("unpack", {
  tar("a/b.txt", "0", "", "hello") .. ends, tar("../x", "0", "", "out") .. ends,
  tar("/tmp/x", "0", "", "out") .. ends,
  tar("l", "2", "..", "") .. tar("l/x", "0", "", "out") .. ends,
  tar("l", "2", "/tmp", "") .. ends, tar("h", "1", "../../x", "") .. ends,
  tar("d/l", "2", "../d", "") .. tar("d/l/y", "0", "", "in") .. ends,
  tar("f", "6", "", "") .. ends, "PK\3\4",
})
