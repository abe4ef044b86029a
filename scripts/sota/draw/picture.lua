-- draw/picture.lua -- Picture: something drawn, to be saved or looked at.
--
--   local pic = dls:show_batch()
--   pic:save "batch.png"        or "batch.svg"
--   pic:show()                  in the terminal, else as a file
--
-- At the prompt a picture that is a line's value shows itself.
local core = require "sota.core"
local check = require "sota.check"

local draw = core.draw

local Picture = {__name = "Picture"}
Picture.__index = Picture

--- An empty white picture; pic.canvas has the functions that draw.
---@param width number in points: pixels at scale 1
---@param height number
---@param title? string what it shows, in a few words
---@example sota.draw.Picture.new(100, 50, "empty")
function Picture.new(width, height, title)
  if draw.missing then
    check.fail("pictures need Cairo and Pango, which this sota-lua was built "
      .. "without: apt-get install %s, then build again", draw.missing)
  end
  local canvas = check.call(draw.canvas, math.ceil(width), math.ceil(height))
  return setmetatable({canvas = canvas, title = title or "picture"}, Picture)
end

--- Width and height, in pixels at scale 1.
---@return integer width, integer height
---@example pic:size()
function Picture:size()
  local w, h = self.canvas:size()
  return math.tointeger(w), math.tointeger(h)
end

-- --- files --------------------------------------------------------------------

local writers = {
  png = function(self, scale) return self.canvas:png(scale) end,
  svg = function(self) return self.canvas:svg(self.title) end,
}

local function write(path, bytes)
  local file, why = io.open(path, "wb")
  local ok = file
  if file then
    ok, why = file:write(bytes)
    local closed, why_not = file:close()
    if ok and not closed then ok, why = nil, why_not end
  end
  if not ok then
    check.fail("save: %s cannot be written: %s", path,
      (tostring(why):gsub("^" .. path:gsub("%p", "%%%0") .. ": ", "")))
  end
end

local save_arguments = check.public("save", {
  {"path", "string", required = true, help = "ends in .png or .svg"},
  {"scale", "number", 2, min = 0.1, max = 16,
   help = "PNG: pixels per point"},
}, {
  help = "Writes a picture: pic:save(path).",
  example = 'dls:show_batch():save "batch.png"',
})

--- Writes the picture. The name's ending decides: .png or .svg.
---@param path string
---@param options? {scale: number} PNG: pixels per point, 2 unless told
---@return Picture self
function Picture:save(...)
  local a = save_arguments(...)
  local kind = a.path:lower():match "%.([%w]+)$"
  local writer = writers[kind]
  if not writer then
    check.fail("save: the name must end in .png or .svg, not %q", a.path)
  end
  write(a.path, check.call(writer, self, a.scale))
  self.path = a.path
  return self
end

--- The pixels: u8 (H, W, 3).
---@param scale? number 1
---@return tensor
---@example pic:pixels()
function Picture:pixels(scale)
  return check.call(self.canvas.pixels, self.canvas, scale or 1)
end

-- --- looking at it ------------------------------------------------------------

-- Saved under a name of its own in the folder for temporary files.
local function save_temporary(self)
  if self.temporary then return self.temporary end
  local name = os.tmpname()
  os.remove(name)
  self.temporary = name .. ".png"
  write(self.temporary, self.canvas:png(2))
  return self.temporary
end

local function line_of(self, path)
  local w, h = self:size()
  return ("%s, %d x %d: %s"):format(self.title, w, h, path)
end

-- What the prompt prints in the place of the picture. Blocks are too coarse for
-- letters, so with them goes a file.
function Picture:__show()
  local terminal = draw.terminal and draw.terminal()
  if not terminal or os.getenv "TERM" == "dumb" then
    return line_of(self, save_temporary(self))
  end
  local pixels <close> = self:pixels(terminal.mode == "blocks" and 1 or 2)
  local text = draw.blocks(pixels)
  if terminal.mode ~= "blocks" then return text end
  return text .. "\n" .. line_of(self, save_temporary(self))
end

--- Shows the picture: inside a terminal that can (kitty, iTerm2, sixels, else
--- blocks of colour, with a file), otherwise writes a temporary PNG file and
--- prints its path.
---@return Picture self
---@example pic:show()
function Picture:show()
  print(self:__show())
  return self
end

-- The command that opens a file in a window of its own.
local function opener()
  local function has(command)
    return (os.execute("command -v " .. command .. " >/dev/null 2>&1"))
  end
  for _, command in ipairs{"xdg-open", "open", "wslview"} do
    if has(command) then return command, has "setsid" end
  end
end

-- X11, Wayland, or a system that has one window system of its own.
local function has_display(command)
  local function set(name) return (os.getenv(name) or "") ~= "" end
  return command ~= "xdg-open" or set "DISPLAY" or set "WAYLAND_DISPLAY"
end

--- Opens the picture in the desktop's viewer (xdg-open), as the file it was saved
--- as, or a temporary one. Where there is none it says so, and where the file is.
---@return Picture self
---@example pic:save "seen.png" -- pic:open() shows it in a window
function Picture:open()
  local path = self.path or save_temporary(self)
  local command, apart = opener()
  if not command then
    print(("There is no xdg-open here to show it with (apt-get install "
      .. "xdg-utils); the picture is %s"):format(path))
  elseif not has_display(command) then
    print(("There is no display here to show it on; the picture is %s")
      :format(path))
  else -- apart: Ctrl-C at the prompt is not for the viewer
    os.execute(("%s%s '%s' >/dev/null 2>&1 </dev/null &"):format(
      apart and "setsid " or "", command, (path:gsub("'", "'\\''"))))
  end
  return self
end

function Picture:__tostring()
  local w, h = self:size()
  return ("%s: a picture of %d x %d; pic:save \"x.png\" writes it%s"):format(
    self.title, w, h, self.path and (" (saved as %s)"):format(self.path) or "")
end

return Picture
