-- draw/report_style.lua -- the look of report.html: by day, by night, on paper.
local html = require "sota.draw.html"

-- By night the colours of charts are lighter; all keep 4.5 : 1 to the paper.
local night = {
  ink = 0xe8e8e8, faint = 0xa8adb5, frame = 0x5a616b, rule = 0x2d323a,
  paper = 0x1c2026, ["series-1"] = 0x4fa8e0, ["series-2"] = 0xff8f4a,
  ["series-3"] = 0x2fc79c, ["series-4"] = 0xe39bc6, ["series-5"] = 0xf0b63a,
  ["series-6"] = 0x9ad6f7, ["series-7"] = 0xe8e8e8,
}

local function variables(colour)
  local out = {}
  for _, c in ipairs(html.colours()) do
    out[#out + 1] = ("--%s:#%06x;"):format(c[1], colour(c[1], c[2]))
  end
  return table.concat(out)
end

local function by_day(_, rgb) return rgb end
local function by_night(name, rgb) return night[name] or rgb end

local rules = [[
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main,header{max-width:1180px;margin:0 auto;padding:0 16px}
header{padding-top:28px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:0 0 12px}
h3{font-size:1rem;margin:16px 0 8px}
p{margin:0 0 10px}
.faint,figcaption,.note{color:var(--faint)}
.note{font-size:.9rem}
section{background:var(--paper);border:1px solid var(--rule);border-radius:10px;
padding:18px;margin:16px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));
gap:12px;margin:16px 0}
.tile{background:var(--paper);border:1px solid var(--rule);border-radius:10px;
padding:12px 16px}
.tile b{display:block;font-size:1.45rem;line-height:1.25;
font-variant-numeric:tabular-nums}
.tile span{color:var(--faint);font-size:.85rem}
.charts{display:grid;gap:16px;
grid-template-columns:repeat(auto-fit,minmax(min(100%,330px),1fr))}
.charts svg{display:block;width:100%;height:auto}
.images{display:grid;gap:14px;
grid-template-columns:repeat(auto-fill,minmax(104px,1fr))}
figure{margin:0}
figure img{display:block;width:100%;height:auto;border-radius:6px}
figcaption{font-size:.8rem;line-height:1.35;margin-top:4px;
overflow-wrap:anywhere;white-space:pre-line}
figcaption.right{color:var(--right)}
figcaption.wrong{color:var(--wrong);font-weight:600}
.scroll{overflow:auto;max-height:32rem}
table{border-collapse:collapse;font-size:.9rem}
th,td{padding:4px 12px 4px 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--rule)}
thead th{position:sticky;top:0;background:var(--paper);color:var(--faint);
font-weight:600;white-space:nowrap}
tbody th{font-weight:400}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;
padding-left:12px;padding-right:12px}
.best{font-weight:700}
.facts th{color:var(--faint);white-space:nowrap}
.facts td{overflow-wrap:anywhere}
.columns{display:grid;gap:8px 32px;
grid-template-columns:repeat(auto-fit,minmax(min(100%,330px),1fr))}
.matrix{border-collapse:separate;border-spacing:2px;font-size:.8rem}
.matrix th,.matrix td{border:0;padding:0}
.matrix tbody th{padding-right:8px;text-align:right;vertical-align:middle;white-space:nowrap;
position:sticky;left:0;background:var(--paper);max-width:9rem;overflow:hidden;
text-overflow:ellipsis}
.matrix thead th{position:static;vertical-align:bottom;height:6.5rem}
.matrix thead th span{writing-mode:vertical-rl;transform:rotate(180deg);
max-height:9rem;overflow:hidden;text-overflow:ellipsis}
.matrix td{width:2.1rem;min-width:2.1rem;height:2.1rem;text-align:center;
vertical-align:middle;border-radius:3px;font-variant-numeric:tabular-nums;
background:rgba(var(--cell),var(--share))}
.matrix td.full{color:var(--on-cell)}
.sheet{background:#fff;border-radius:6px;padding:6px}
.sheet img{display:block;max-width:none}
.bar{display:flex;height:22px;border-radius:5px;overflow:hidden;margin:0 0 10px}
.bar i{display:block;min-width:1px}
.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;
margin-right:6px;vertical-align:-.05em}
.meter{display:inline-block;height:.55em;border-radius:2px;
background:var(--series-1);margin-right:6px}
pre{overflow:auto;max-height:26rem;font:12.5px/1.45 ui-monospace,"DejaVu Sans Mono",
Menlo,Consolas,monospace;margin:0}
summary{cursor:pointer;color:var(--faint)}
footer{max-width:1180px;margin:0 auto 32px;padding:0 16px;color:var(--faint);
font-size:.85rem}
@media screen and (max-width:620px){
body{font-size:15px}
main,header{padding-left:10px;padding-right:10px}
section{padding:14px}
table{font-size:.8rem}
.number{padding-left:5px;padding-right:5px}
.meter{display:none}
.matrix{font-size:.68rem;border-spacing:1px}
.matrix td{width:1.5rem;min-width:1.5rem;height:1.5rem}
.matrix tbody th{max-width:5.5rem;padding-right:4px}
}
@media print{
body{background:#fff;font-size:10.5pt}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
main,header,footer{max-width:none;padding:0}
section,.tile{border-color:#ccc;padding:10px;break-inside:auto}
h2,h3{break-after:avoid}
figure,tr,.charts>*,.bar,.tile{break-inside:avoid}
.scroll,pre{overflow:visible;max-height:none}
thead th,.matrix tbody th{position:static}
.charts{grid-template-columns:1fr 1fr}
details:not([open]){display:none}
}
]]

local day = "--ground:#f4f5f7;--right:#006b4e;--wrong:#b34f00;--cell:0,76,130;"
  .. "--on-cell:#fff;"
local dark = "--ground:#121418;--right:#4fd0a5;--wrong:#ff9d5c;"
  .. "--cell:102,184,240;--on-cell:#0d1014;"

-- A printed page is a page by day, whatever the screen is.
return ":root{color-scheme:light dark;" .. variables(by_day) .. day .. "}\n"
  .. "@media screen and (prefers-color-scheme:dark){:root{"
  .. variables(by_night) .. dark .. "}}\n" .. rules
