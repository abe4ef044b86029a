-- data_in.lua -- what a learner asks of its data: loaders; the same classes
-- when they are replaced; as many outputs of the model as there are classes.
local check = require "sota.check"

local data_in = {}

--- Loaders are the library's (data/loaders.lua), or any object with
--- spec(epoch_of), items() and # (batches), and a table of two: {train =, valid
--- =}. vocab and c, where there are classes.
function data_in.check_loaders(dls, what)
  if type(dls) ~= "table" or type(dls.train) ~= "table" then
    check.fail("%s must be DataLoaders, not %s", what, check.describe(dls))
  end
  for _, name in ipairs{"train", "valid"} do
    local dl = dls[name]
    if dl and not (type(dl) == "table" and dl.spec and dl.items) then
      check.fail("%s: dls.%s must be a loader, not %s", what, name,
        check.describe(dl))
    end
  end
end

local function list_text(vocab)
  local names = {}
  for k = 1, math.min(#vocab, 12) do names[k] = vocab[k] end
  if #vocab > 12 then names[13] = ("... (%d)"):format(#vocab) end
  return table.concat(names, ", ")
end

--- New loaders in the place of old ones must have their classes.
function data_in.check_classes(old, new)
  if not (old and old.vocab and new.vocab) then return end
  local same = #old.vocab == #new.vocab
  for k = 1, #new.vocab do same = same and old.vocab[k] == new.vocab[k] end
  if same then return end
  check.fail("learn.dls: the model was made for the classes %s; the new data "
    .. "has %s", list_text(old.vocab), list_text(new.vocab))
end

-- Losses for which the outputs of a model stand for classes.
local of_classes = {CrossEntropyLossFlat = true, FocalLossFlat = true,
                    LabelSmoothingCrossEntropy = true}

--- The loss of guessing, ln of the number of classes; nil for losses of another
--- kind.
---@example sota.data_in.chance_loss(learn)
function data_in.chance_loss(learn)
  local loss = learn.loss_func
  if not learn.dls.c or not of_classes[type(loss) == "table" and loss.name] then
    return nil
  end
  return math.log(learn.dls.c)
end

--- The outputs of a model against the classes of the data; both numbers are
--- named when they cannot go together. More outputs than classes can be
--- trained, but are seldom meant: a warning.
---@param pred tensor (N, K)
function data_in.check_outputs(learn, pred)
  local c, loss = learn.dls.c, learn.loss_func
  local name = type(loss) == "table" and loss.name
  local multi = name == "BCEWithLogitsLossFlat" and learn.dls.train.multi
  if not c or not (of_classes[name] or multi) then return end
  local k = pred:shape(-1)
  if k < c or multi and k ~= c then
    check.fail("the model has %d output%s, but the data has %d classes: make "
      .. "it with n_out = dls.c", k, k == 1 and "" or "s", c)
  elseif k > c then
    warn(("the model has %d outputs, but the data has %d classes: n_out = dls.c"
      .. " makes as many as are needed"):format(k, c))
  end
end

return data_in
