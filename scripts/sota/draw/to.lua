-- draw/to.lua -- the option `to` of all functions that draw.
local to = {}

to.option = {"to", "string", help = "a file to save it as, .png or .svg"}

--- The picture, saved if a file is named.
function to.finish(pic, file) return file and pic:save(file) or pic end

return to
