-- help/init.lua -- help "conv2d", help(Resize), help(learn.fit): what it does,
-- its options with their defaults and ranges, an example, the guide's page.
local check = require "sota.check"
local entries = require "sota.help.entries"
local pretty = require "sota.prompt.pretty"
local text = require "sota.help.text"

-- Of the terminal: the prompt knows (prompt/init.lua).
local function width() return pretty.width end

-- Groups of names, for help(): those that a user's script calls.
local function contents()
  local lines, title, row = {}, nil, {}
  local function flush()
    if #row > 0 then
      lines[#lines + 1] = title .. "\n  "
        .. text.wrapped(table.concat(row, " "), width() - 2, "  ")
    end
    row = {}
  end
  for _, e in ipairs(entries.all()) do
    if e.title ~= title then
      flush()
      title = e.title
    end
    if not e.inner then row[#row + 1] = e.short end
  end
  flush()
  return table.concat(lines, "\n")
end

local function names_near(name)
  local names = {}
  for _, e in ipairs(entries.all()) do
    names[#names + 1] = e.short
    if e.name ~= e.short then names[#names + 1] = e.name end
  end
  return check.did_you_mean(name, names)
end

-- Entries whose description has the word, by name.
local function mentions(word)
  local list = {}
  for _, e in ipairs(entries.all()) do
    if not e.same_as and e.help and e.help:lower():find(word, 1, true) then
      list[#list + 1] = e.name
    end
  end
  return list
end

local function unknown(what)
  if type(what) ~= "string" then
    print(("There is no help for %s. help() lists what there is."):format(
      check.describe(what)))
    return
  end
  local found = mentions(what:lower())
  local more = #found > 0 and #found <= 40
    and " It is mentioned by: " .. table.concat(found, ", ") or ""
  print(("There is no help for %s%s%s"):format(what, names_near(what), more))
end

-- The methods of a class, a line each.
local function print_methods(class)
  local methods, most = entries.methods(class), 0
  if #methods == 0 then return end
  for _, e in ipairs(methods) do most = math.max(most, #e.short) end
  print(("\nmethods of %s; help \"%s\" tells more"):format(class,
    methods[1].name))
  for _, e in ipairs(methods) do
    local sentence = e.help:match "^(.-%.)%s" or e.help
    local room = width() - most - 4
    if #sentence > room then sentence = sentence:sub(1, room - 3) .. "..." end
    print(("  %s%s  %s"):format(e.short, (" "):rep(most - #e.short), sentence))
  end
end

-- All entries of a short name: fit is one, show_batch is several.
local function all_called(name)
  local first, list = entries.named(name), {}
  for _, e in ipairs(entries.all()) do
    if e.name == name or e.short == name and name == first.short then
      list[#list + 1] = e
    end
  end
  return #list > 0 and list or {first}
end

--- Prints what is known of a function, class, method, operation or transform, by
--- its name or itself; without an argument, the names of all of them.
---@param what? any
---@return nil
---@example help "Resize"
local function help(what)
  if what == nil then
    print("help \"name\" (or ? name) tells about one of these; the guide is in "
      .. "docs/.\n\n" .. contents())
    return
  end
  if type(what) ~= "string" then
    local e, class = entries.of(what), entries.class_of(what)
    if not e and not class then return unknown(what) end
    if e then print(text.help(e, width())) end
    if class then print_methods(class) end
    return
  end
  local is_class = #entries.methods(what) > 0
  if not entries.named(what) then
    if is_class then return print_methods(what) end
    return unknown(what)
  end
  local shown = all_called(what)
  local parts, others = {}, {}
  for i, e in ipairs(shown) do
    if i <= 2 then parts[i] = text.help(e, width()) end
    if i > 2 then others[#others + 1] = e.name end
  end
  if #others > 0 then parts[#parts + 1] = "also: " .. table.concat(others, ", ") end
  print(table.concat(parts, "\n\n"))
  if is_class then print_methods(what) end
end

return help
