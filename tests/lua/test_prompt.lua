-- test_prompt.lua -- the parts of the prompt that need no terminal: values as
-- text, statements, tokens, completion, the history file.
local check = require "check"
local sota = require "sota"
local complete = require "sota.prompt.complete"
local history = require "sota.prompt.history"
local lexer = require "sota.prompt.lexer"
local pretty = require "sota.prompt.pretty"
local statement = require "sota.prompt.statement"
require "sota.all"

-- --- values --------------------------------------------------------------------

check.test("tables as Lua writes them", function()
  local show = pretty.show
  check.equal(show{}, "{}")
  check.equal(show{1, 2.5, "a\nb", true}, [[{1, 2.5, "a\nb", true}]])
  check.equal(show{b = 1, a = 2, [10] = 3, ["end"] = 4, ["x y"] = 5},
    '{[10] = 3, a = 2, b = 1, ["end"] = 4, ["x y"] = 5}')
  check.equal(show{1, nil, 3, n = 3}:find "n = 3" ~= nil, true)
  check.equal(show{{{{{}}}}}, "{{{{...}}}}")
  check.equal(show{{{{}}}}, "{{{{}}}}")
  check.equal(show{0.1 + 0.2, 1e20, 3.0, 1 / 0}, "{0.3, 1e+20, 3.0, inf}")
  local t = {1}
  t[2] = t
  check.equal(show(t), "{1, {<cycle>}}")
  local shared = {}
  check.equal(show{shared, shared}, "{{}, {}}")
end)

check.test("long tables fill lines, and say what is left out", function()
  local list = {}
  for i = 1, 100 do list[i] = i * 1000 end
  pretty.width = 60
  local text = pretty.show(list)
  pretty.width = 80
  assert(text:find("... 70 more", 1, true), text)
  for line in text:gmatch "[^\n]+" do assert(#line <= 60, line) end
  assert(select(2, text:gsub("\n", "")) < 8, text)
end)

check.test("objects in tables: a short text; nothing fails", function()
  local t <close> = sota.zeros(2, 3)
  local bad = setmetatable({}, {__tostring = function() error "no" end})
  local text = pretty.show{t = t, l = nn.Linear(2, 2), bad = bad, f = print}
  assert(text:find("t = [f32 2x3 cpu]", 1, true), text)
  assert(text:find("bad = ?", 1, true), text)
  assert(text:find("f = function (C)", 1, true), text)
  assert(text:find("l = Linear(", 1, true), text)
end)

check.test("no metamethod of a plain table runs", function()
  local t = setmetatable({x = 1}, {__index = function() error "index" end,
    __pairs = function() error "pairs" end, __len = function() error "len" end})
  check.equal(pretty.show(t), "{x = 1}")
end)

-- --- statements ----------------------------------------------------------------

local function globals(text)
  local rest, changed = statement.without_locals(text)
  return changed and rest or nil
end

check.test("locals of the top level become global", function()
  check.equal(globals "local x = 1", "      x = 1")
  check.equal(globals "local x", "      x = nil")
  check.equal(globals "local a, b = 1", "      a, b = 1")
  check.equal(globals "local a <const>, b = 1, 2", "      a        , b = 1, 2")
  check.equal(globals "local function f() local y = 1 end",
    "      function f() local y = 1 end")
  check.equal(globals "do local x = 1 end", nil)
  check.equal(globals "for i = 1, 2 do local x = i end", nil)
  check.equal(globals "if a then local x elseif b then local y else local z end",
    nil)
  check.equal(globals "repeat local x = 1 until x", nil)
  check.equal(globals "f(function() local x = 1 end)", nil)
  check.equal(globals "local f <close> = io.open 'x'", nil)
  check.equal(globals "print 'local x = 1' -- local y = 2", nil)
  check.equal(globals "x = [[\nlocal y = 1\n]]", nil)
  check.equal(globals "if a then b() end local x = 1",
    "if a then b() end       x = 1")
  check.equal(globals "while a do end local x", "while a do end       x = nil")
end)

local function kind(text)
  local piece = statement.compile(text)
  return piece.run and "run" or piece.message and "wrong" or "more"
end

check.test("what is finished, what is not, what is wrong", function()
  check.equal(kind "1 + 1", "run")
  check.equal(kind "x = 1", "run")
  check.equal(kind "for i = 1, 2 do", "more")
  check.equal(kind "f(", "more")
  check.equal(kind "x = [[", "more")
  check.equal(kind "x = = 2", "wrong")
  check.equal(kind "", "run")
  check.equal(kind "-- a comment", "run")
  check.equal(kind "= 1 + 1", "run")
  check.equal(kind "return 5", "run")
end)

check.test("values", function()
  check.equal({statement.compile("1, 2").run()}, {1, 2})
  check.equal(statement.compile("1;").silent, true)
  check.equal(statement.compile("'a;'").silent, false)
  check.equal(statement.compile("1 -- a;").silent, false)
  check.equal(statement.compile("local q = 20\nq + 1").run(), 21)
  check.equal(statement.compile("q = 5\nq").run(), 5)
  check.equal(select("#", statement.compile("q = 5\nlocal r = q").run()), 0)
  check.equal(statement.compile("q = 5\n  - 2").run(), nil)
  check.equal(q, 3, "a line that begins with an operator goes on")
  check.equal(statement.compile("if q then\n  q = 4\nend").run(), nil)
end)

-- --- tokens --------------------------------------------------------------------

check.test("tokens", function()
  local function texts(text)
    local list = {}
    for i, t in ipairs(lexer.tokens(text)) do list[i] = t.kind:sub(1, 1) .. t.text end
    return table.concat(list, " ")
  end
  check.equal(texts "a.b:c{1e-3, 'x\\'y'} -- z",
    "na s. nb s: nc s{ n1e-3 s, s'x\\'y' s}")
  check.equal(texts "x=[==[ ]] ]==]..0xff//3", "nx s= s[==[ ]] ]==] s.. n0xff s// n3")
  check.equal(texts "--[[ long\n comment ]] y", "ny")
  local open = lexer.tokens "f 'ab"
  check.equal(open[2].open, "'")
  check.equal(lexer.tokens("x --[[ y").in_comment, true)
end)

-- --- messages ------------------------------------------------------------------

check.test("a name that is nil: the one that was likely meant, or none", function()
  local prompt = require "sota.prompt"
  local function told(name)
    return prompt.explain(("stdin:1: attempt to call a nil value (global '%s')")
      :format(name)):match "did you mean '(.-)'"
  end
  check.equal(told "Resise", "Resize")
  check.equal(told "printt", "print")
  check.equal(told "dls", nil)   -- "do", "os"
  check.equal(told "learn", nil) -- "warn"
end)

-- --- completion ----------------------------------------------------------------

local function at(text) return complete.at(text, text, 80) end

check.test("completion", function()
  check.equal(at("string.rev").insert, "erse")
  check.equal(at("string.re"), {list = "rep      reverse"})
  check.equal(at("  ").insert, "  ")
  check.equal(at("tostri").insert, "ng")
  check.equal(at("sota.losses.MSE").insert, "LossFlat")
  check.equal(at("nn.SimpleSelfAtt").insert, "ention")
  check.equal(at("sota.models.xse_resnext18_deepe").insert, "r")
  check.equal(at("Resize{64, met").insert, "hod = ")
  check.equal(at("Learner(dls, model, {wd_").insert, "bn_bias = ")
  check.equal(at("x = FocalLossFlat{weight = w, gam").insert, "ma = ")
  check.equal(at("f(FocalLossFlat{weight = g(1, {2}), gam").insert, "ma = ")
  assert(at("ImageDataLoaders.from_folder(path, {").list:find("valid_pct"))
  check.equal(at("help 'fit_one").insert, "_cycle'")
  check.equal(at("? fit_one").insert, "_cycle")
  check.equal(at("-- tostr").insert, nil)
  check.equal(at("'no/such/folder/x").insert, nil)
  check.equal(at("unknown_thing.x").insert, nil)
end)

check.test("fields and methods, of objects too", function()
  thing = {field_of_it = 1, method_of_it = function() end, _hidden = 2}
  check.equal(at("thing.fie").insert, "ld_of_it")
  check.equal(at("thing:fie").insert, nil)
  check.equal(at("thing:meth").insert, "od_of_it")
  check.equal(at("thing._hid").insert, nil)
  number = sota.zeros(2)
  check.equal(at("number:requi").insert, "res_grad")
  number:close()
  net = nn.Sequential{nn.Linear(2, 2)}
  check.equal(at("net:named_par").insert, "ameters")
  thing, number, net = nil, nil, nil
end)

check.test("completion runs nothing", function()
  local ran = false
  local function trap() ran = true end
  victim = setmetatable({deep = setmetatable({}, {__index = trap})},
    {__index = trap, __pairs = trap, __tostring = trap, __len = trap,
     __call = trap, __eq = trap})
  for _, text in ipairs{"victim.", "victim:", "victim.deep.", "victim.none.x",
                        "victim{", "victim.deep{", "victim"} do
    at(text)
  end
  check.equal(ran, false)
  victim = nil
end)

-- --- history -------------------------------------------------------------------

check.test("the history's path", function()
  assert(history.path() == nil or type(history.path()) == "string")
end)

check.test("each statement once, the newest last", function()
  local file = {text = ""}
  local host = {
    append = function(_, text) file.text = file.text .. text end,
    rewrite = function(_, f) file.text = f(file.text) end,
  }
  for _, text in ipairs{"a", "b", "for\n\tx \\n", "a", "  ", "c"} do
    history.add(host, "path", text)
  end
  check.equal(file.text, "a\nb\nfor\\n\tx \\\\n\na\nc\n")
  check.equal(history.read(host, "path"), {"b", "for\n\tx \\n", "a", "c"})
  check.equal(file.text, "b\nfor\\n\tx \\\\n\na\nc\n")
  local most = history.most
  history.most = 2
  check.equal(history.read(host, "path"), {"a", "c"})
  history.most = most
  check.equal(history.read(host, nil), {})
end)

check.done()
