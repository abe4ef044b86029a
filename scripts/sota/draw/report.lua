-- draw/report.lua -- report.html of a record (callbacks/report.lua): one file
-- that needs no other and no network.
local html = require "sota.draw.html"
local look = require "sota.draw.report_style"
local parts = require "sota.draw.report_parts"

local order = {"epochs", "curves", "confusion", "classes", "top_losses",
               "answers", "samples", "times", "settings", "environment",
               "notes"}

--- The page.
---@param r table
---@return string
return function(r)
  local out = {[[<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>]], html.text(r.title), "</title><style>", look, "</style></head><body>\n",
    "<header><h1>", html.text(r.title), '</h1><p class="faint">',
    html.text(r.state), "</p>", parts.tiles(r), "</header>\n<main>\n"}
  for _, name in ipairs(order) do
    local markup = parts[name](r)
    if markup then out[#out + 1] = markup .. "\n" end
  end
  out[#out + 1] = ("</main><footer>Written by sota-lua, %s.</footer>"
    .. "</body></html>\n"):format(html.text(r.written))
  return table.concat(out)
end
