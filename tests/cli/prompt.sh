#!/bin/bash
# prompt.sh -- the prompt, with real keystrokes in a terminal (tmux).
source "$(dirname "$0")/check.sh"
source "$(dirname "$0")/terminal.bash"

terminal s 110 50 "'$sota' -e 'print(1)' -i"
check "banner" '^sota-lua [0-9.]+ \(Lua 5\.4'
await prompt

enter '1 + 1'
check "an expression prints" '^2$'
enter '"a", nil, 3'
check "several values" '^a	?[ ]*nil[ 	]*3$'
enter '= 40 + 2'
check "the old =" '^42$'
enter 'x = 5'
enter 'for i = 1, 2 do'
check "unfinished goes on" '^>> *$'
enter '  print(i * 111)'
enter 'end'
check "several lines" '^222$'
enter 'local y = 1 error "boom"'
check "an error" 'stdin:1: boom'
enter 'x = = 2'
check "wrong syntax" "unexpected symbol near '='"
enter 'error(setmetatable({}, {__tostring = function() error "deep" end}))'
check "a broken error object" 'deep'
enter 'x * 100'
check "the session goes on after errors" '^500$'

keys -l 'this is not finished'
sleep 0.3
keys C-c
await prompt
enter 'x + 1'
check "Ctrl-C clears the line" '^6$'
enter 'print('
check "unfinished again" '^>> *$'
keys C-c
await prompt
enter 'x + 2'
check "Ctrl-C clears an unfinished statement" '^7$'
keys C-c
sleep 0.3
keys C-c
await prompt
enter 'x + 3'
check "Ctrl-C twice at an empty prompt" '^8$'

enter 'print "spinning" while true do end'
check "a loop runs" '^spinning$'
keys C-c
check "Ctrl-C stops a loop" 'interrupted!'
await prompt
enter 'x + 4'
check "and the session goes on" '^9$'

enter 'print "stubborn" while true do pcall(function() while true do end end) end'
check "a loop that catches" '^stubborn$'
for _ in 1 2 3 4 5 6 7 8 9 10; do
  keys C-c
  sleep 0.1
done
await prompt
enter 'x + 5'
check "Ctrl-C often" '^10$'

enter 't = sota.tensor{1, 2}'
enter 't + t'
check "tensors" '2\., 4\.'

# --- in a fit ------------------------------------------------------------------
cat >"$work/fit.lua" <<'END'
require "sota.all"
steps, word = 0, "THREE"
local dblock = DataBlock{
  blocks = {ImageBlock, CategoryBlock}, get_items = get_image_files, get_y = parent_label,
  splitter = GrandparentSplitter{train_name = "train", valid_name = "val"},
  item_tfms = Resize(32), batch_tfms = {Normalize.from_stats(imagenet_stats)},
}
learn = Learner(dblock:dataloaders(open_data "demo", {bs = 16}), xresnet18{n_out = 10}, {
  loss_func = CrossEntropyLossFlat(), metrics = accuracy,
  cbs = {{after_batch = function() steps = steps + 1 if steps == 3 then io.stderr:write(word, "\n") end end}},
})
END
enter "dofile '$work/fit.lua'"
await prompt
enter 'learn:fit(50, 1e-3)'
check "a fit runs" 'THREE'
keys C-c
await prompt
check "Ctrl-C ends a fit" 'interrupted!'
enter 'n, steps, word = steps, 0, "AGAIN"'
enter '"trained for", n'
check "the learner is there" '^trained for'
enter 'learn:fit(50, 1e-3)'
check "and trains again" 'AGAIN$'
keys C-c
keys C-c
await prompt
enter '"still", x'
check "twice in a fit" 'still[ 	]+5'

enter '#sota.draw.Picture.new(10, 10, "tiny").canvas:png(1) > 0'
check "pictures" '^true$'
enter 'sota.draw.Picture.new(10, 10, "tiny")'
check "a picture shows itself, and where it lies" 'tiny, 10 x 10: .*[.]png'

keys C-d
check "Ctrl-D leaves" 'left with 0'
finish
