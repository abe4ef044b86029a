--- Runs the code blocks of the documentation: what readers copy must work.
--
--   sota-lua scripts/tools/check_docs.lua README.md docs/*.md engine/*.md
--
-- From the root of the repository. A ```lua block runs as a script of its own in
-- an empty folder; a ```sh block in the root, line by line as sh -eu reads it,
-- with this sota-lua in the PATH. A line of sh that ends with
-- "# not run by CI: why" is left out; when it is only that comment, so is the
-- rest of its block. Prints each block's place, and "N passed, N failed".
local MARK = "#%s*not run by CI"

--- A list of {language, text, file, line}.
local function blocks(path)
  local found, open, n = {}, nil, 0
  for line in io.lines(path) do
    n = n + 1
    local fence = line:match "^%s*```(%S*)"
    if fence and open then
      open.text = table.concat(open, "\n") .. "\n"
      found[#found + 1], open = open, nil
    elseif fence then
      open = {language = fence, file = path, line = n}
    elseif open then
      open[#open + 1] = line
    end
  end
  assert(not open, path .. ": a block has no end")
  return found
end

--- The lines of sh that CI runs; nil when there are none.
local function to_run(block)
  local kept = {}
  for _, line in ipairs(block) do
    if line:match("^%s*" .. MARK) then break end
    if not line:match(MARK) then kept[#kept + 1] = line end
  end
  local text = table.concat(kept, "\n")
  return text:match "%S" and text .. "\n" or nil
end

local function quoted(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function command(line)
  local pipe = assert(io.popen(line))
  local text = pipe:read "a"
  return pipe:close(), text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- popen's shell is a child of this process, whose binary is wanted.
local binary = select(2, command "readlink -f /proc/$PPID/exe"):gsub("%s+$", "")
local folder = select(2, command "mktemp -d"):gsub("%s+$", "")

--- Runs one block; true, or false and the output; nil when it is not for CI.
local function run(block)
  local script = folder .. "/block"
  if block.language == "lua" then
    write(script, block.text)
    return command(("mkdir -p %s/empty && cd %s/empty && timeout 300 %s %s 2>&1 </dev/null")
      :format(folder, folder, quoted(binary), script))
  elseif block.language == "sh" then
    local text = to_run(block)
    if not text then return nil end
    write(script, text)
    return command(("PATH=%s:$PATH timeout 300 sh -eu %s 2>&1 </dev/null")
      :format(quoted(binary:match "^(.*)/"), script))
  end
end

local passed, failed = 0, 0
for _, path in ipairs(arg) do
  for _, block in ipairs(blocks(path)) do
    local began = os.time()
    local ok, output = run(block)
    if ok then passed = passed + 1 end
    if ok == false or (ok == nil and output) then
      failed = failed + 1
      print(("FAILED %s:%d\n%s"):format(block.file, block.line, output))
    elseif ok then
      print(("%s:%d: %s, %d s"):format(block.file, block.line, block.language, os.time() - began))
    end
  end
end
os.execute("rm -rf " .. quoted(folder))
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0, true)
