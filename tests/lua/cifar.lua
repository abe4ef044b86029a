-- cifar.lua -- a folder in CIFAR-10's binary form for tests: three classes, each
-- of one colour, a little different in each picture.
local core = require "sota.core"

local cifar = {}

cifar.names = {"red", "green", "blue"}

local colours = {{200, 60, 50}, {50, 190, 70}, {60, 70, 210}}

--- One record: the class (from 0), then the planes.
function cifar.record(class, number)
  local planes = {}
  for c = 1, 3 do
    local row = {}
    for x = 1, 32 do
      row[x] = string.char(colours[class + 1][c] + (x + 5 * number) % 23)
    end
    planes[c] = table.concat(row):rep(32)
  end
  return string.char(class) .. table.concat(planes)
end

--- Writes a file, in a folder that is made at need.
function cifar.put(folder, name, bytes)
  core.make_dirs(folder)
  local file <close> = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(bytes)
end

--- Six files of n records each below `folder`. Returns it.
function cifar.write(folder, n)
  for f = 1, 6 do
    local records = {}
    for r = 1, n do records[r] = cifar.record((r + f) % 3, 10 * f + r) end
    cifar.put(folder, f < 6 and ("data_batch_%d.bin"):format(f)
      or "test_batch.bin", table.concat(records))
  end
  cifar.put(folder, "batches.meta.txt", table.concat(cifar.names, "\n") .. "\n\n")
  return folder
end

return cifar
