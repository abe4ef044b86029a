-- help/reference.lua -- the reference: all that help() knows, as Markdown or as
-- one HTML page.
local entries = require "sota.help.entries"
local text = require "sota.help.text"

local reference = {}

local intro = "Made by `sota-lua --reference` from the library's own descriptions, "
  .. "which `help \"name\"` shows at the prompt. Options come by name in a table "
  .. "`f{n = 9}`, the first ones also by place; an unknown option, a wrong type and a "
  .. "value out of range are errors that name the option and what is wanted."

local function cell(s) return (s:gsub("%s+", " "):gsub("|", "\\|")) end

local function rows_of(e)
  local rows = {}
  for _, p in ipairs(text.arguments(e)) do
    rows[#rows + 1] = {p.name, p.text, p.type}
  end
  for _, o in ipairs(e.options) do
    rows[#rows + 1] = {o.name, o.help or "", text.facts(o)}
  end
  return rows
end

-- Groups in their order: {title, entries}.
local function grouped()
  local list, by_title = {}, {}
  for _, e in ipairs(entries.all()) do
    local g = by_title[e.title]
    if not g then
      g = {title = e.title}
      by_title[e.title] = g
      list[#list + 1] = g
    end
    g[#g + 1] = e
  end
  return list
end

local function entry_markdown(e, out)
  out(("### `%s`\n"):format(text.signature(e)))
  if e.same_as then out(("The same as `%s`.\n"):format(e.same_as.name)) return end
  out(e.help .. "\n")
  local rows = rows_of(e)
  if #rows > 0 then
    out "| | | |\n| --- | --- | --- |"
    for _, r in ipairs(rows) do
      out(("| `%s` | %s | %s |"):format(r[1], cell(r[2]), cell(r[3])))
    end
    out ""
  end
  for _, r in ipairs(e.returns or {}) do out("Gives: " .. r .. "\n") end
  out("```lua\n" .. text.example(e) .. "\n```\n")
  out(("Guide: [%s](%s)\n"):format(e.page, e.page))
end

--- As Markdown.
---@return string
function reference.markdown()
  local lines = {"# Reference\n", intro .. "\n"}
  local function out(line) lines[#lines + 1] = line end
  for _, g in ipairs(grouped()) do
    out("## " .. g.title .. "\n")
    for _, e in ipairs(g) do entry_markdown(e, out) end
  end
  return table.concat(lines, "\n")
end

-- --- HTML ----------------------------------------------------------------------

local function escape(s)
  return (s:gsub("[&<>\"]", {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
    ['"'] = "&quot;"}))
end

local style = [[
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--quiet:#595959;--line:#d0d0d0;--box:#f4f4f4;--link:#0b57a4}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#161616;--quiet:#a8a8a8;--line:#3d3d3d;--box:#222;--link:#8ab8f0}}
body{font:16px/1.5 system-ui,sans-serif;max-width:54em;margin:0 auto;padding:1em;color:var(--ink);background:var(--paper)}
a{color:var(--link)}nav a{margin-right:1em;white-space:nowrap}
h3{font:600 1em/1.4 ui-monospace,monospace;border-top:1px solid var(--line);padding-top:.8em;overflow-wrap:anywhere}
pre{background:var(--box);padding:.6em;overflow-x:auto}code,td:first-child{font-family:ui-monospace,monospace}
td{vertical-align:top;padding:.1em .8em .1em 0}td:last-child,.page{color:var(--quiet)}]]

local function entry_html(e, out)
  out(('<h3 id="%s">%s</h3>'):format(escape(e.name), escape(text.signature(e))))
  if e.same_as then
    out(('<p>The same as <a href="#%s">%s</a>.</p>'):format(escape(e.same_as.name),
      escape(e.same_as.name)))
    return
  end
  out("<p>" .. escape(e.help) .. "</p>")
  local rows = rows_of(e)
  if #rows > 0 then
    out "<table>"
    for _, r in ipairs(rows) do
      out(("<tr><td>%s</td><td>%s</td><td>%s</td></tr>"):format(escape(r[1]),
        escape(r[2]), escape(r[3])))
    end
    out "</table>"
  end
  for _, r in ipairs(e.returns or {}) do out("<p>Gives: " .. escape(r) .. "</p>") end
  out("<pre>" .. escape(text.example(e)) .. "</pre>")
  out(('<p class="page">Guide: %s</p>'):format(escape(e.page)))
end

--- As one page of HTML, readable offline.
---@return string
function reference.html()
  local lines = {'<!doctype html><html lang="en"><meta charset="utf-8">'
    .. '<meta name="viewport" content="width=device-width">'
    .. "<title>sota-lua: reference</title><style>" .. style .. "</style>"
    .. "<h1>Reference</h1>",
    "<p>" .. escape(intro):gsub("`(.-)`", "<code>%1</code>") .. "</p><nav>"}
  local function out(line) lines[#lines + 1] = line end
  local groups = grouped()
  for i, g in ipairs(groups) do
    out(('<a href="#g%d">%s</a>'):format(i, escape(g.title)))
  end
  out "</nav>"
  for i, g in ipairs(groups) do
    out(('<h2 id="g%d">%s</h2>'):format(i, escape(g.title)))
    for _, e in ipairs(g) do entry_html(e, out) end
  end
  out "</html>"
  return table.concat(lines, "\n") .. "\n"
end

return reference
