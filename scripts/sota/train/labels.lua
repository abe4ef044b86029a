-- train/labels.lua -- a label that is out of range: whose it is. A loss knows its
-- value and its place in the batch; the loader knows the file.
local labels = {}

local pattern = "label (%-?%d+) of sample (%d+) is not a class number: 1%.%.(%d+)"

-- What of the failing batch is needed, before its tensors are closed.
local function note(learn, why)
  local rows = learn.dls.train.rows_now
  learn.failed_rows = type(why) == "string" and why:find(pattern) and rows
    and rows:totable() or nil
end

local current
local noting = setmetatable({}, {__close = function(_, why)
  local learn = current
  current = nil
  if why ~= nil then pcall(note, learn, why) end
end})

--- loss_func(pred, y); when it fails, learn remembers which rows these were.
function labels.noted(learn, loss_func, pred, y)
  current = learn
  local guard <close> = noting
  return loss_func(pred, y)
end

--- The message of a failed fit, with the file and its class where a label was out
--- of range.
---@param why string
function labels.explain(learn, why)
  local label, sample, outputs = why:match(pattern)
  local rows, dl = learn.failed_rows, learn.dls.train
  learn.failed_rows = nil
  if not label then return why end
  local more = label == "0" and "; class numbers count from 1" or ""
  local row = rows and rows[tonumber(sample)]
  if row and dl.files then
    local class = dl.vocab and dl.vocab[tonumber(label)]
    more = ("; it is that of %s%s, and the model has %s outputs for %d classes")
      :format(dl.files:path(row), class and (" ('%s')"):format(class) or "",
        outputs, learn.dls.c or 0)
  end
  return (why:gsub("^[^\n]*", function(first) return first .. more end, 1))
end

return labels
