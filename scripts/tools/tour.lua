--- Walks docs/tour.md at a real prompt: types its commands into a terminal, and
--- compares what comes out with what the page shows.
---
---   sota-lua scripts/tools/tour.lua            compares
---   sota-lua scripts/tools/tour.lua --write    writes it, and the pictures
---
--- From the root of the repository. Needs tmux, and --write pngquant. A block of
--- the page that begins with "> " is a piece of the session: lines with "> " and
--- ">> " are typed, the others are what comes out. Numbers may differ from the
--- page's, for they do from machine to machine, and so may the width of columns.
--- Of a block before ![...](pictures/NAME.png) the last value is that picture.
local PAGE, PICTURES = "docs/tour.md", "docs/pictures/"
local WIDTH, HEIGHT = 92, 60
local COLOURS = 48 -- of a picture: they are many, and small files
local MOST_WAITS = 1800 -- of 0.1 seconds, for one command

local sota = require "sota"
local write = arg[1] == "--write"

-- --- the shell and files ---------------------------------------------------------

local function quoted(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function output(line)
  local pipe <close> = assert(io.popen(line))
  return pipe:read "a"
end

local function read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write_file(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

if not os.execute "command -v tmux >/dev/null" or sota.draw == nil
  or require "sota.core".draw.missing then
  print "the tour needs tmux, Cairo and Pango: skipped"
  os.exit(77)
end

-- popen's shell is a child of this process, whose binary is wanted.
local binary = output "readlink -f /proc/$PPID/exe":gsub("%s+$", "")
local folder = output "mktemp -d":gsub("%s+$", "")

-- --- the terminal -----------------------------------------------------------------

local function tmux(...)
  local words = {"tmux -S", quoted(folder .. "/tmux"), "-f /dev/null"}
  for _, word in ipairs{...} do words[#words + 1] = quoted(tostring(word)) end
  return output(table.concat(words, " ") .. " 2>&1")
end

local function start()
  local data = os.getenv "SOTA_DATA" or folder .. "/data"
  tmux("new-session", "-d", "-s", "tour", "-x", WIDTH, "-y", HEIGHT,
    ("cd %s && HOME=%s SOTA_DATA=%s TERM=screen LANG=C.UTF-8 XDG_CONFIG_HOME= "
      .. "XDG_STATE_HOME= %s --seed 42; sleep 60"):format(quoted(folder),
      quoted(folder), quoted(data), quoted(binary)))
end

-- The lines on the screen, and above it, without empty ones at the end.
local function screen(visible)
  local text = tmux("capture-pane", "-p", "-J", "-S", visible and 0 or "-", "-t",
    "tour")
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line:match "^(.-)%s*$" end
  while lines[#lines] == "" do lines[#lines] = nil end
  return lines
end

local function wait(what, found, visible)
  for _ = 1, MOST_WAITS do
    local lines = screen(visible)
    if found(lines) then return lines end
    sota.sleep(0.1)
  end
  error(("waited in vain for %s; the screen is\n%s"):format(what,
    table.concat(screen(), "\n")), 0)
end

local function at_prompt(lines) return lines[#lines] == ">" end

local function last_line_is(text)
  return function(lines) return lines[#lines] == text end
end

-- Types the lines of a command; the lines that come out of it.
local function enter(command)
  tmux("send-keys", "-t", "tour", "C-l")
  wait("a clear screen", function(lines)
    return #lines == 1 and at_prompt(lines)
  end, true) -- what was on it is above it now
  tmux("clear-history", "-t", "tour")
  for i, line in ipairs(command) do
    local mark = i == 1 and "> " or ">> "
    tmux("send-keys", "-t", "tour", "-l", "--", (line:gsub(";$", "\\;")))
    wait("the echo of " .. line, last_line_is((mark .. line):match "^(.-)%s*$"))
    tmux("send-keys", "-t", "tour", "Enter")
    if i < #command then wait("another line", last_line_is ">>") end
  end
  local lines = wait("the end of " .. command[1], function(lines)
    return #lines > #command and at_prompt(lines)
  end)
  local out = {}
  for i = #command + 1, #lines - 1 do
    if not lines[i]:find "^%([%d.]+ s%)$" then out[#out + 1] = lines[i] end
  end
  return out
end

-- --- the page ---------------------------------------------------------------------

-- What is the same on all machines.
local function masked(line)
  return (line:gsub("%-?%d[%d.,:]*e?[-+]?%d*", "#"):gsub("%s+", " ")
    :gsub("%[ ", "["))
end

-- The page as a list: strings (lines of text) and blocks {{command = lines, out =
-- lines}..., picture = name}.
local function parse(text)
  local parts, block, step = {}, nil, nil
  for line in text:gmatch "([^\n]*)\n" do
    if block and line == "```" then
      parts[#parts + 1], block = block, nil
    elseif block then
      local first, more = line:match "^> (.*)$", line:match "^>> (.*)$"
      if first then
        step = {command = {first}, out = {}}
        block[#block + 1] = step
      elseif more then
        table.insert(step.command, more)
      else
        table.insert(step.out, line)
      end
    elseif line == "```" then
      block = {}
    else
      parts[#parts + 1] = line
      local name = line:match "^!%[.*%]%(pictures/(.-)%)$"
      if name then parts[#parts - 2].picture = name end -- an empty line between
    end
  end
  return parts
end

local differ = 0

local function compare(step, out)
  local function text(lines)
    local list = {}
    for i, line in ipairs(lines) do list[i] = masked(line) end
    return table.concat(list, "\n")
  end
  if text(step.out) == text(out) then return end
  differ = differ + 1
  print(("DIFFERENT %s\n--- %s\n%s\n--- the prompt\n%s"):format(step.command[1],
    PAGE, table.concat(step.out, "\n"), table.concat(out, "\n")))
end

-- The value that was shown last, as a small file.
local function save(name)
  local path = folder .. "/" .. name
  enter{('_:save(%q, {scale = 1});'):format(name)}
  assert(read_file(path):find "^\x89PNG", name .. " is no picture")
  if not write then return end
  assert(os.execute(("pngquant --nofs --strip --force --output %s %d %s"):format(
    quoted(PICTURES .. name), COLOURS, quoted(path))), "pngquant failed")
  print(("%-20s %6d bytes"):format(name, #read_file(PICTURES .. name)))
end

local function walk(parts)
  for _, block in ipairs(parts) do
    for i, step in ipairs(type(block) == "table" and block or {}) do
      local out = enter(step.command)
      if block.picture and i == #block then
        save(block.picture)
      elseif write then
        step.out = out
      else
        compare(step, out)
      end
    end
  end
end

local function text_of(parts)
  local lines = {}
  local function add(line) lines[#lines + 1] = line end
  for _, part in ipairs(parts) do
    if type(part) == "string" then
      add(part)
    else
      add "```"
      for _, step in ipairs(part) do
        for i, line in ipairs(step.command) do add((i == 1 and "> " or ">> ") .. line) end
        for _, line in ipairs(step.out) do add(line) end
      end
      add "```"
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local parts = parse(read_file(PAGE))
local ok, why = pcall(function()
  start()
  wait("the first prompt", at_prompt)
  walk(parts)
end)
tmux "kill-server"
os.execute("rm -rf " .. quoted(folder))
if not ok then error(why, 0) end
if write then write_file(PAGE, text_of(parts)) end
print(("%d differ"):format(differ))
os.exit(differ == 0, true)
