-- prompt/lexer.lua -- the tokens of a piece of Lua, finished or not.
--
-- A token is {kind =, text =, first =, last =}: kind is "name", "keyword",
-- "number", "string" or "symbol". A string that does not end has open = its
-- opening quote and inside = where its content begins. Comments give no token; one that does not end
-- gives {kind = "comment"}.
local lexer = {}

local keywords = {}
for word in ("and break do else elseif end false for function goto if in local "
  .. "nil not or repeat return then true until while"):gmatch "%a+" do
  keywords[word] = true
end
lexer.keywords = keywords

local symbols = {"...", "<<", ">>", "//", "==", "~=", "<=", ">=", "::", ".."}

-- Where the long bracket that begins at i ends, and whether it does.
local function long_end(text, i, level)
  local _, last = text:find("]" .. ("="):rep(level) .. "]", i, true)
  return last or #text, last ~= nil
end

local function long_level(text, i)
  local equals = text:match("^%[(=*)%[", i)
  return equals and #equals
end

local function comment(text, i, tokens)
  local level = long_level(text, i + 2)
  if not level then
    local newline = text:find("\n", i, true)
    if not newline then tokens.in_comment = true end
    return newline or #text
  end
  local last, ends = long_end(text, i + 4 + level, level)
  tokens.in_comment = not ends
  return last
end

local function quoted(text, i)
  local quote = text:sub(i, i)
  local k = i + 1
  while k <= #text do
    local c = text:sub(k, k)
    if c == "\\" then
      k = k + 1
    elseif c == quote then
      return {kind = "string", last = k}
    elseif c == "\n" then
      return {kind = "string", last = k - 1}
    end
    k = k + 1
  end
  return {kind = "string", last = #text, open = quote, inside = i + 1}
end

local function symbol(text, i)
  for _, s in ipairs(symbols) do
    if text:sub(i, i + #s - 1) == s then return i + #s - 1 end
  end
  return i
end

local function token(text, i)
  local word = text:match("^[%a_\x80-\xff][%w_\x80-\xff]*", i)
  if word then
    return {kind = keywords[word] and "keyword" or "name", last = i + #word - 1}
  end
  local number = text:match("^0[xX][%x.]*[pP]?[+-]?%x*", i)
    or text:match("^%d[%d.]*[eE][+-]?%d+", i)
    or text:match("^%.?%d[%d.]*", i)
  if number then return {kind = "number", last = i + #number - 1} end
  if text:find("^[\"']", i) then return quoted(text, i) end
  local level = long_level(text, i)
  if level then
    local last, ends = long_end(text, i + 2 + level, level)
    return {kind = "string", last = last, open = not ends and "[[" or nil,
            inside = not ends and i + 2 + level or nil}
  end
  return {kind = "symbol", last = symbol(text, i)}
end

--- All tokens of text. The list has in_comment = true when text ends in one.
---@param text string
---@return table[]
function lexer.tokens(text)
  local tokens, i = {}, 1
  while i <= #text do
    local space = text:match("^%s+()", i)
    if space then
      i = space
    elseif text:find("^%-%-", i) then
      i = comment(text, i, tokens) + 1
    else
      local t = token(text, i)
      t.first, t.text = i, text:sub(i, t.last)
      tokens[#tokens + 1] = t
      i = t.last + 1
    end
  end
  return tokens
end

return lexer
