-- prompt/statement.lua -- from a piece of text to a function.
--
-- A piece is an expression, whose values are shown, or statements. At its top
-- level `local x = 1` makes a global: the next piece is another chunk, which
-- would not see a local. <close> variables stay local.
local lexer = require "sota.prompt.lexer"

local statement = {}

local opens = {["do"] = true, ["then"] = true, ["repeat"] = true,
               ["function"] = true}
local closes = {["end"] = true, ["until"] = true, ["elseif"] = true}

-- Calls visit(i) for each token outside of all blocks and brackets.
local function each_at_top(tokens, visit)
  local depth = 0
  for i, t in ipairs(tokens) do
    local text = t.kind ~= "string" and t.text or ""
    if depth == 0 then visit(i) end
    if opens[text] or text == "(" or text == "{" or text == "[" then
      depth = depth + 1
    elseif closes[text] or text == ")" or text == "}" or text == "]" then
      depth = depth - 1
    end
  end
end

-- The names behind the `local` at token i: {first and last token of an
-- attribute}..., the number of the last token, whether one is <close>.
local function names_of(tokens, i)
  local attributes, is_close, k = {}, false, i + 1
  while tokens[k] and tokens[k].kind == "name" do
    local open, word, close = tokens[k + 1], tokens[k + 2], tokens[k + 3]
    if open and open.text == "<" and word and close and close.text == ">" then
      attributes[#attributes + 1] = {open.first, close.last}
      is_close = is_close or word.text == "close"
      k = k + 3
    end
    if not tokens[k + 1] or tokens[k + 1].text ~= "," then break end
    k = k + 2
  end
  return attributes, k, is_close
end

--- The text with the top level's `local` words blanked out, and whether there
--- were any. Lines and columns stay.
---@param text string
---@return string text, boolean changed
function statement.without_locals(text)
  local tokens, cuts, adds = lexer.tokens(text), {}, {}
  each_at_top(tokens, function(i)
    local t, after = tokens[i], tokens[i + 1]
    if t.kind ~= "keyword" or t.text ~= "local" or not after then return end
    if after.text == "function" then
      cuts[#cuts + 1] = {t.first, t.last}
      return
    end
    local attributes, last, is_close = names_of(tokens, i)
    if is_close or not tokens[last] then return end
    cuts[#cuts + 1] = {t.first, t.last}
    for _, a in ipairs(attributes) do cuts[#cuts + 1] = a end
    local equals = tokens[last + 1]
    if not equals or equals.text ~= "=" then
      adds[#adds + 1] = tokens[last].last
    end
  end)
  if #cuts == 0 then return text, false end
  for _, c in ipairs(cuts) do
    text = text:sub(1, c[1] - 1) .. (" "):rep(c[2] - c[1] + 1)
      .. text:sub(c[2] + 1)
  end
  for i = #adds, 1, -1 do
    text = text:sub(1, adds[i]) .. " = nil" .. text:sub(adds[i] + 1)
  end
  return text, true
end

local function is_unfinished(message) return message:find "<eof>$" ~= nil end

-- With "return" before its last line, for a piece of several lines that ends
-- with an expression. That line begins with a name: what begins otherwise may
-- belong to the line before.
local function load_last(text)
  local tokens, at = lexer.tokens(text), nil
  each_at_top(tokens, function(i)
    local t = tokens[i]
    local before = i > 1 and text:sub(tokens[i - 1].last + 1, t.first - 1) or ""
    if before:find "\n" then at = t.kind == "name" and t.first or nil end
  end)
  if not at then return nil end
  return load(text:sub(1, at - 1) .. "return " .. text:sub(at), "=stdin", "t")
end

local function ends_with_semicolon(text)
  local tokens = lexer.tokens(text)
  return #tokens > 0 and tokens[#tokens].text == ";"
    and tokens[#tokens].kind == "symbol"
end

---@class Piece
---@field run? function
---@field silent? boolean a trailing ";"
---@field of? string the variable whose method is called
---@field changed? boolean a local was made global
---@field message? string wrong syntax; without run and message: unfinished

--- Compiles a piece of text.
---@param text string
---@return Piece
function statement.compile(text)
  local old = text:match "^%s*=(.*)$" -- =x, as in lua 5.1
  local run = load("return " .. (old or text), "=stdin", "t")
  if run then
    return {run = run, silent = ends_with_semicolon(text),
            of = text:match "^%s*([%a_][%w_]*)%s*:"}
  end
  local rest, changed = statement.without_locals(text)
  local why
  run = load_last(rest)
  if run then
    return {run = run, changed = changed, silent = ends_with_semicolon(text)}
  end
  run, why = load(rest, "=stdin", "t")
  if run then return {run = run, changed = changed} end
  return not is_unfinished(why) and {message = why} or {}
end

return statement
