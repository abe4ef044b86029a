-- sota.options: the command lines of scripts.
local options = require "sota.options"
local check = require "check"

local spec = {
  "Trains something.",
  {"data", "demo", "a folder"},
  {"epochs", 5, "how long"},
  {"lr", 3e-3, "learning rate"},
  {"arch", "xresnet18", "the network", choices = {"xresnet18", "xresnet50"}},
  {"item_size", 80, "of images"},
  {"mixup", false, "mix pairs"},
  {"flip", true, "mirror images"},
  {"seed", "integer", "of random numbers", optional = true},
}

local function parse(...) return options(spec, {...}) end

local function refuses(want, ...)
  local values, text = parse(...)
  check.equal(values, nil)
  if not text:find(want, 1, true) then
    error(("got: %s; want: %s"):format(text, want), 2)
  end
end

check.test("defaults", function()
  check.equal(parse(), {data = "demo", epochs = 5, lr = 3e-3,
    arch = "xresnet18", item_size = 80, mixup = false, flip = true})
end)

check.test("types are those of the defaults", function()
  local o = parse("--epochs", "7", "--lr=0.5", "--data", "x y", "--seed", "3",
    "--item-size=20")
  check.equal({o.epochs, o.lr, o.data, o.seed, o.item_size},
    {7, 0.5, "x y", 3, 20})
  check.equal({math.type(o.epochs), math.type(o.lr)}, {"integer", "float"})
  check.equal(parse("--lr", "1e-2").lr, 0.01)
  check.equal(parse("--lr", "-1").lr, -1)
  check.equal(parse("--data=a=b").data, "a=b")
  check.equal(parse("--data=").data, "")
  check.equal(parse("--item_size", "9").item_size, 9)
  check.equal(parse("--epochs", "1", "--epochs", "2").epochs, 2)
  check.equal(math.type(parse("--epochs", "1e1").epochs), "integer")
end)

check.test("switches", function()
  local o = parse("--mixup", "--no-flip")
  check.equal({o.mixup, o.flip}, {true, false})
  o = parse("--mixup=no", "--flip=true")
  check.equal({o.mixup, o.flip}, {false, true})
end)

check.test("one sentence for each mistake", function()
  refuses("unknown option --epoch; did you mean --epochs?", "--epoch", "3")
  refuses("unknown option --item-sise; did you mean --item-size?",
    "--item-sise=3")
  refuses("unknown option --qqqqqqqqq; see --help", "--qqqqqqqqq")
  refuses("unknown option --no-epochs", "--no-epochs")
  refuses("unknown option -e; see --help", "-e")
  refuses("--epochs wants a whole number, not 'x'", "--epochs", "x")
  refuses("--epochs wants a whole number, not '1.5'", "--epochs", "1.5")
  refuses("--lr wants a number, not 'fast'", "--lr=fast")
  refuses("--mixup wants true or false, not 'maybe'", "--mixup=maybe")
  refuses("a value is missing after --epochs", "--epochs")
  refuses("--arch: there is no 'xresnet5', did you mean 'xresnet50'?; there "
    .. "are: xresnet18, xresnet50", "--arch", "xresnet5")
  refuses("unexpected argument 'stray'", "stray")
end)

check.test("other arguments, when they are allowed", function()
  local o = options({"x", {"n", 1, "n"}, rest = true},
    {"a.jpg", "--n", "2", "--", "--n"})
  check.equal({o.n, o[1], o[2], #o}, {2, "a.jpg", "--n", 2})
end)

check.test("--help lists every option, its type and its default", function()
  local values, text = parse("--help")
  check.equal(values, nil)
  for _, want in ipairs{"Trains something.", "--data STR", "(default demo)",
    "--epochs INT", "--item-size INT", "--lr NUM", "xresnet18, xresnet50",
    "--mixup", "--seed INT", "--help", "usage: sota-lua"} do
    if not text:find(want, 1, true) then
      error(want .. " is not in:\n" .. text)
    end
  end
end)

-- --- as a script sees it ----------------------------------------------------

local function interpreter()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

local function run(arguments)
  local script = os.tmpname()
  local f <close> = assert(io.open(script, "w"))
  f:write 'local o = require "sota.options"{"x", {"n", 1, "n"}} print(o.n)'
  f:close()
  local p = io.popen(("%s %s %s 2>&1; echo code $?"):format(interpreter(),
    script, arguments))
  local text = p:read "a"
  p:close()
  os.remove(script)
  return text
end

check.test("exit codes: 0, and 2 for a wrong command line", function()
  check.equal(run "--n 5", "5\ncode 0\n")
  local text = run "--m 5"
  assert(text:find "unknown option %-%-m" and text:find "code 2\n", text)
  assert(not text:find "traceback", text)
  text = run "--help"
  assert(text:find "usage:" and text:find "code 0\n", text)
end)

check.done()
