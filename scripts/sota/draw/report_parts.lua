-- draw/report_parts.lua -- the sections of report.html. Each is a function of
-- the record (callbacks/report.lua) and gives markup, or nil when there is
-- nothing to show.
local core = require "sota.core"
local html = require "sota.draw.html"

local parts = {}

local function section(title, ...)
  return ("<section><h2>%s</h2>%s</section>"):format(html.text(title),
    table.concat({...}))
end

-- --- numbers ------------------------------------------------------------------

local function clock(seconds)
  local s = math.floor(seconds + 0.5)
  if s >= 3600 then
    return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60)
  end
  return ("%02d:%02d"):format(s // 60, s % 60)
end

local function falls(name)
  return name:find "loss" ~= nil or name:find "error" ~= nil
end

-- The epoch with the best value of a column, from 1; nil: there is none.
local function best_of(rows, name)
  local best
  for i, row in ipairs(rows) do
    local v = row[name]
    if type(v) == "number" and v == v then
      local b = best and rows[best][name]
      if not b or falls(name) and v < b or not falls(name) and v > b then
        best = i
      end
    end
  end
  return best
end

-- --- the top ------------------------------------------------------------------

local function tile(value, label)
  return ('<div class="tile"><b>%s</b><span>%s</span></div>'):format(
    html.text(value), html.text(label))
end

--- The figures that are looked for first.
function parts.tiles(r)
  local rows, out, seconds = r.recorder.values, {}, 0
  for _, row in ipairs(rows) do seconds = seconds + row.time end
  local columns = table.move(r.recorder.names, 1, #r.recorder.names, 1, {})
  columns[#columns + 1] = "valid_loss"
  for _, name in ipairs(columns) do
    local best, last = best_of(rows, name), rows[#rows]
    if best and last[name] then
      out[#out + 1] = tile(("%.4f"):format(last[name]), best == #rows
        and name .. ", its best" or ("%s; best %.4f in epoch %d"):format(name,
          rows[best][name], rows[best].epoch))
    end
  end
  out[#out + 1] = tile(("%d of %d"):format(#rows, r.n_epoch), "epochs")
  out[#out + 1] = tile(clock(seconds), "in epochs")
  return '<div class="tiles">' .. table.concat(out) .. "</div>"
end

-- --- training -----------------------------------------------------------------

--- The epoch table; the best of each column is bold.
function parts.epochs(r)
  local rows, names = r.recorder.values, {"train_loss", "valid_loss"}
  if #rows == 0 then
    return section("Epochs", '<p class="faint">No epoch is complete yet.</p>')
  end
  table.move(r.recorder.names, 1, #r.recorder.names, 3, names)
  local head, best, lines = {"epoch"}, {}, {}
  for i, name in ipairs(names) do
    head[i + 1], best[i] = name, best_of(rows, name)
  end
  head[#head + 1] = "time"
  for i, row in ipairs(rows) do
    local line = {row.epoch}
    for k, name in ipairs(names) do
      local v = row[name]
      line[k + 1] = {text = v and ("%.6f"):format(v) or "–",
                     class = best[k] == i and #rows > 1 and "best" or nil}
    end
    line[#line + 1] = clock(row.time)
    lines[i] = line
  end
  return section("Epochs", html.table(head, lines, {numeric = 1}))
end

--- Losses, metrics and schedules.
function parts.curves(r)
  local recorder, charts = r.recorder, {}
  if core.draw.missing or #recorder.losses == 0 then return nil end
  charts[1] = recorder:plot_loss().charts[1]
  if #recorder.values > 0 then
    local list = recorder:plot_metrics().charts
    table.move(list, 2, #list, 2, charts)
  end
  for _, chart in ipairs(recorder:plot_sched().charts) do
    charts[#charts + 1] = chart
  end
  local out = {}
  for i, chart in ipairs(charts) do
    chart.width, chart.height = 360, 250
    out[i] = "<div>" .. html.svg(chart:picture().canvas:svg(chart.title),
      ("chart%d-"):format(i)) .. "</div>"
  end
  return section("Curves", '<div class="charts">', table.concat(out), "</div>")
end

local phases = {{"wait", "waiting for data"}, {"train", "training"},
                {"valid", "validation"}, {"other", "other"}}

--- Where the time went, over all epochs.
function parts.times(r)
  local sum, total = {}, 0
  for _, t in ipairs(r.times) do
    for _, p in ipairs(phases) do
      sum[p[1]] = (sum[p[1]] or 0) + t[p[1]]
      total = total + t[p[1]]
    end
  end
  if total <= 0 then return nil end
  local bar, rows = {}, {}
  for i, p in ipairs(phases) do
    local share = sum[p[1]] / total
    bar[i] = ('<i style="width:%.2f%%;background:var(--series-%d)"></i>'):format(
      100 * share, i)
    rows[i] = {{html = ('<span class="key" style="background:var(--series-%d)">'
      .. "</span>%s"):format(i, p[2])}, ("%.1f s"):format(sum[p[1]]),
      ("%.1f %%"):format(100 * share),
      ("%.2f s"):format(sum[p[1]] / #r.times)}
  end
  return section("Time", '<div class="bar" aria-hidden="true">',
    table.concat(bar), "</div>", html.table({"phase", "all", "share",
    "an epoch"}, rows, {numeric = 2}))
end

-- --- images -------------------------------------------------------------------

local function figures(cells, what)
  local out = {}
  for i, c in ipairs(cells) do
    local class = c.right == true and ' class="right"'
      or c.right == false and ' class="wrong"' or ""
    out[i] = ("<figure>%s<figcaption%s>%s</figcaption></figure>"):format(
      html.png(c.png, what .. ": " .. c.title:gsub("\n", ", ")), class,
      html.text(c.title))
  end
  return '<div class="images">' .. table.concat(out) .. "</div>"
end

local function images(title, note, cells, what)
  if not cells or #cells == 0 then return nil end
  return section(title, '<p class="note">', html.text(note), "</p>",
    figures(cells, what))
end

function parts.samples(r)
  return images("Training images", "As the model sees them: augmented, after "
    .. "the callbacks, normalisation undone.", r.samples, "training image")
end

function parts.answers(r)
  return images("Answers", "Label, then what the model says; spread over the "
    .. "validation set.", r.answers, "validation image")
end

function parts.top_losses(r)
  return images("Top losses", "Prediction / actual, then loss / probability of "
    .. "the prediction.", r.top_losses, "image with a large loss")
end

-- --- classes ------------------------------------------------------------------

local MOST_CELLS = 20 -- classes in a matrix that is a table

local function matrix_cell(v, share)
  local full = share > 0.5
  return ('<td%s style="--share:%.3f">%s</td>'):format(
    full and ' class="full"' or "", share, v > 0 and v or "")
end

local function matrix_table(counts, names)
  local out = {'<div class="scroll"><table class="matrix"><thead><tr><td></td>'}
  for _, name in ipairs(names) do
    out[#out + 1] = ('<th scope="col"><span>%s</span></th>'):format(
      html.text(name))
  end
  out[#out + 1] = "</tr></thead><tbody>"
  for i, row in ipairs(counts) do
    local total = 0
    for _, v in ipairs(row) do total = total + v end
    out[#out + 1] = ('<tr><th scope="row">%s</th>'):format(html.text(names[i]))
    for _, v in ipairs(row) do
      out[#out + 1] = matrix_cell(v, total > 0 and v / total or 0)
    end
    out[#out + 1] = "</tr>"
  end
  out[#out + 1] = "</tbody></table></div>"
  return table.concat(out)
end

--- The confusion matrix, and the pairs that are confused most often.
function parts.confusion(r)
  local c = r.confusion
  if not c then return nil end
  local body, rows = "", {}
  if #c.counts <= MOST_CELLS then
    body = matrix_table(c.counts, c.names)
  elseif c.png then
    body = '<div class="scroll sheet">' .. html.png(c.png, "confusion matrix")
      .. "</div>"
  end
  for i = 1, math.min(#c.most_confused, 10) do
    rows[i] = c.most_confused[i]
  end
  if #rows > 0 then
    body = ('<div class="columns"><div>%s</div><div><h3>Most confused</h3>%s'
      .. "</div></div>"):format(body, html.table({"actual", "predicted",
      "times"}, rows, {numeric = 3}))
  end
  return section("Confusion", '<p class="note">Rows are the actual classes, '
    .. "columns the predicted ones; darker is a larger share of its row.</p>",
    body)
end

local function meter(v)
  return {html = ('<span class="meter" style="width:%.1fpx"></span>%.4f'):format(
    40 * v, v)}
end

--- Precision, recall and f1 of each class.
function parts.classes(r)
  local c = r.confusion
  if not c then return nil end
  local rows = {}
  for i, f in ipairs(c.classes) do
    rows[i] = {c.names[i], ("%.4f"):format(f.precision),
               ("%.4f"):format(f.recall), meter(f.f1), f.support}
  end
  return section("Classes", html.table({"class", "precision", "recall", "f1",
    "items"}, rows, {numeric = 2}))
end

-- --- how it was made ----------------------------------------------------------

local function facts(rows)
  return html.table({}, rows, {class = "facts"})
end

--- What the run was told, and its model.
function parts.settings(r)
  local left = "<div><h3>Training</h3>" .. facts(r.settings) .. "</div>"
  local right = #r.options > 0
    and "<div><h3>Options of the script</h3>" .. facts(r.options) .. "</div>"
    or ""
  return section("Settings", '<div class="columns">', left, right, "</div>",
    "<h3>Model</h3><p>", html.text(r.model_line),
    "</p><details><summary>Its layers</summary><pre>", html.text(r.model_text), "</pre></details>")
end

function parts.environment(r) return section("Environment", facts(r.environment)) end

--- What could not be shown, and why.
function parts.notes(r)
  if #r.notes == 0 then return nil end
  local out = {}
  for i, note in ipairs(r.notes) do
    out[i] = '<p class="note">' .. html.text(note) .. "</p>"
  end
  return section("Not shown", table.concat(out))
end

return parts
