#!/bin/bash
# session.sh -- what makes the prompt pleasant, with real keystrokes: values,
# locals, pasted text, completion, help, history, times, Ctrl-C in a fit.
source "$(dirname "$0")/check.sh"
source "$(dirname "$0")/terminal.bash"

mkdir -p "$work/.config/sota-lua" "$work/pictures of cats"
echo 'mine = "from init.lua"' >"$work/.config/sota-lua/init.lua"
: >"$work/pictures of cats/tabby.jpg"
mkdir "$work/bin"
printf '#!/bin/sh\necho "$1" >"%s/opened"\n' "$work" >"$work/bin/xdg-open"
chmod +x "$work/bin/xdg-open"
export PATH=$work/bin:$PATH
cd "$work" || exit 1
terminal s 100 60 "DISPLAY=:0 '$sota'"
check "greeting" 'Ctrl-D leaves'
await prompt

# --- values ----------------------------------------------------------------------

enter 'mine'
check "init.lua" '^from init.lua'
enter '{10, 20, b = {c = {d = {e = 1}}}, a = "x"}'
check "a table, sorted, not too deep" '^\{10, 20, a = "x", b = \{c = \{d = \{\.\.\.\}\}\}\}'
enter 'loop = {} loop.me = loop'
enter 'loop'
check "a cycle" '^\{me = \{<cycle>\}\}'
enter 'long = {} for i = 1, 500 do long[i] = i end'
enter 'long'
check "a long table" '\.\.\. 470 more'
enter '"silent" .. "ly";'
enter '6 * 7'
check "an expression" '^42'
if shows '^silently'; then
  fail "a semicolon silences" "it printed"
else
  pass
fi
enter '_ + 100'
check "the last value" '^142'
enter '__ + 1000'
check "the one before" '^1042'
enter 'sota.tensor{{1, 2}, {3, 4}}'
check "a tensor" '3\., 4\.\].*|\[f32 2x2 cpu\]'
enter 'local kept = 77'
enter 'kept + 1'
check "a local stays" '^78'
check "and that is told" 'it is global here'
enter 'who()'
check "who()" '^kept +number +77'
enter 'weights = sota.zeros(256, 4)'
enter 'who()'
check "who() of a tensor" '^weights +tensor +256x4 +f32 +cpu +4\.0 KiB'
enter 'sota.sleep(1.2)'
check "a time over a second" '^\(1\.[0-9] s\)'

# --- pasted text -----------------------------------------------------------------

cat >"$work/recipe.lua" <<'END'
local total = 0
for i = 1, 4 do
	total = total + i

	if i == 4 then print("sum", total) end
end
local function twice(v)
  return 2 * v
end
twice(total)
END
clear_screen
paste_file "$work/recipe.lua"
check "pasted lines are shown" '^twice\(total\)'
if shows '^sum'; then
  fail "pasted text waits for Enter" "it ran"
else
  pass
fi
keys Enter
check "and run as one chunk" '^sum[ 	]+10'
check "whose last expression is shown" '^20$'
await prompt
enter 'twice(total) + 1'
check "its locals are there" '^21$'
{
  for i in $(seq 1 90); do echo "line$i = $i -- one of more lines than the screen has"; done
  echo 'line1 + line90'
} >"$work/long.lua"
paste_file "$work/long.lua"
check "a long paste" '^line1 \+ line90'
keys Enter
check "more lines than the screen" '^91$'
await prompt

# --- completion ------------------------------------------------------------------

clear_screen
type_in 'string.repl'
keys Tab
check "nothing to complete" 'string\.repl *$'
keys C-c
await prompt
type_in 'tostr'
keys Tab
type_in '(12) .. "!"'
keys Enter
check "a global" '^12!'
await prompt
type_in 'sota.losses.CrossE'
keys Tab
check "a field, of a part that is not loaded" 'CrossEntropyLossFlat'
keys C-c
await prompt
type_in 'weights:requ'
keys Tab
check "a method of a tensor" 'weights:requires_grad'
keys C-c
await prompt
type_in 'Resize{64, met'
keys Tab
check "an option's name" 'Resize\{64, method = *$'
keys C-c
await prompt
type_in 'FocalLossFlat{'
keys Tab
check "all options of a function" 'gamma +reduction +weight'
keys C-c
await prompt
type_in 'f = io.open "pict'
keys Tab
type_in 'ta'
keys Tab
keys Enter
enter 'io.type(f)'
check "a path in a string" '^file'
enter 'trap = setmetatable({}, {__index = function() error("RA" .. "N") end}) trap2 = {trap = trap}'
type_in 'trap.fie'
keys Tab
type_in ' = 1 print "not run"'
keys Enter
check "completion" '^not run'
if shows RAN; then
  fail "completion runs nothing" "it ran __index"
else
  pass
fi
await prompt

# --- help ------------------------------------------------------------------------

clear_screen
enter '? Resize'
check "? name: signature" '^Resize\(size \[, \{options\}\]\) -- item transform'
check "options, defaults and ranges" 'default "crop"'
check "an example" 'example: Resize\(64'
check "the page of the guide" 'guide: docs/data.md'
enter 'help(learn)'
check "no help for nil: the list" 'Making tensors'
clear_screen
enter 'help(weights)'
check "help of an object" 'methods of Tensor'
clear_screen
type_in '? fit_one'
keys Tab
keys Enter
check "help's names are completed" '^Learner:fit_one_cycle\(n_epoch'

# --- errors ----------------------------------------------------------------------

clear_screen
cat >"$work/mine.lua" <<'END'
function inner()
  local made = sota.nn.Linear(3, "many")
  return made
end
function outer() local made = inner() return made end
END
enter 'dofile "mine.lua"'
enter 'made = outer()'
check "an error at the user's line" "mine.lua:2: Linear: 'out_features' must be a whole number"
check "the user's frames" 'mine.lua:5: in .*outer'
check "its caller's" 'stdin:1: in main chunk'
check "the others are counted" '\(and [0-9]+ inside sota-lua'
enter 'sota.set("traceback", "full")'
clear_screen
enter 'made = outer()'
check "all frames on request" 'check.lua:[0-9]+: in'
enter 'sota.set("traceback", "short")'
await prompt
if mux capture-pane -p -e -S - -t s | grep -q $'\033\\[31m.*Linear'; then
  pass
else
  fail "errors are in colour" "$(mux capture-pane -p -e -t s | grep Linear | head -3 | cat -v)"
fi

# --- a fit -----------------------------------------------------------------------

clear_screen
cat >"$work/learn.lua" <<'END'
local core = require "sota.core"
core.data.demo("tiny", {train = 60, valid = 20})
dls = ImageDataLoaders.from_folder("tiny", {valid = "val", item_tfms = Resize(32), bs = 8, workers = 2})
learn = Learner(dls, xresnet18{n_out = dls.c, widen = 0.25}, {metrics = accuracy, cbs = {
  {after_batch = function(_, l) if l.train_iter == 3 then io.stderr:write("THIRD\n") end end}}})
function threads() return #sota.list_dir "/proc/self/task" end
END
enter 'dofile "learn.lua" before = threads()'
await prompt
enter 'learn:fit(100, 1e-3)'
check "it trains" 'THIRD'
check "and shows how far it is" 'train [0-9]+/100 +[0-9]+%.* [0-9]+/7 .* img/s +ETA .* loss '
keys C-c
check "Ctrl-C stops it" 'interrupted!'
await prompt
enter '"threads of the loader:", threads() - before'
check "the loader is closed" '^threads of the loader:[ 	]+0$'
enter '#learn:get_preds()'
check "the model is usable" '^20$'
enter 'epochs = learn.epochs_done'
enter 'learn:fit(1, 1e-3)'
check "another epoch" '^1 +[0-9.]+ +[0-9.]+'
await prompt
if shows '^ +params'; then
  fail "a fit's value is no news" "the learner was printed"
else
  pass
fi
enter 'learn.epochs_done - epochs'
check "and training goes on" '^1$'
clear_screen
enter 'learn'
check "a learner tells about itself" '60 training, 20 validation items, 10 classes'
enter 'learn.recorder'
check "and its recorder" '^Recorder: '
clear_screen
enter 'learn:lr_find{num_it = 20000, stop_div = false}'
check "lr_find shows how far it is" 'lr_find +[0-9]+%.* batches/s +ETA '
keys C-c
await prompt
enter 'learn:tta{n = 2000}'
check "so does tta" 'tta +[0-9]+%.* img/s +ETA '
keys C-c
await prompt
enter 'learn:summary()'
check "the model, layer by layer" '^11 +Linear +8 x 10 +[0-9,]+ +yes'
await prompt
if "$sota" -e 'os.exit(not require "sota.core".draw.missing)'; then
  clear_screen
  enter 'seen = learn.recorder:plot_loss()'
  enter 'seen'
  check "a picture shows itself, and is a file" '^Loss, 560 x 360: /.*\.png'
  await prompt
  enter 'seen:open();'
  if await test -s "$work/opened" && file=$(cat "$work/opened") && [ -s "$file" ]; then
    pass
  else
    fail "it opens in a window" "xdg-open was given '$(cat "$work/opened")'"
  fi
fi
clear_screen
enter '? learn.fit'
check "help of a variable's method" '^Learner:fit\(n_epoch'
enter '? learn'
check "and of a variable" 'methods of Learner'
type_in '? learn.fine_t'
keys Tab
keys Enter
check "their names are completed" '^Learner:fine_tune\('
clear_screen
enter 'lern:fit(1)'
check "a global that is likely meant" "global 'lern'\); did you mean 'learn'\?"
enter 'learn:fit_one_cycel(1)'
check "a method" "method 'fit_one_cycel'\); did you mean 'fit_one_cycle'\?"
enter 'sota.losses.FocalLosFlat()'
check "a field" "field 'FocalLosFlat'\); did you mean 'FocalLossFlat'\?"
enter 'Learner'
check "a class" '^class Learner$'
enter '0 / 0, {0 / 0}'
check "no number" '^nan[ 	]+\{nan\}$'
clear_screen
enter 'dls;'
enter 'who()'
check "who() of objects" '^learn +Learner'
enter 'print "COUNTING" for i = 1, math.huge do i = i + 0 end'
check "a Lua loop" '^COUNTING'
keys C-c
await prompt
enter 'co = coroutine.wrap(function() print "WITHIN" while true do end end) co()'
check "a loop in a coroutine" '^WITHIN'
keys C-c
await prompt
enter '1 + 1'
check "the session goes on" '^2$'
enter 'print "MULTIPLYING" big = sota.ones(512, 512) while true do big = big:matmul(big) end'
check "long operations" '^MULTIPLYING'
keys C-c
await prompt
enter '"alive" .. 1'
check "stop too" '^alive1'

# --- history ---------------------------------------------------------------------

history=$work/.local/state/sota-lua/history
if [ "$(stat -c %a "$history")" = 600 ]; then
  pass
else
  fail "the history is the user's alone" "$(ls -l "$history")"
fi
terminal other 100 30 "'$sota'"
check "another session" 'Ctrl-D leaves'
await prompt
enter 'from_the_other = 1'
await grep -q from_the_other "$history"
window=s
enter 'from_the_first = 1'
await grep -q from_the_first "$history"
window=other
enter 'from_the_other = 2'
await grep -q 'other = 2' "$history"
keys C-d
check "Ctrl-D leaves" 'left with 0'
window=s
keys C-d
check "both" 'left with 0'
for line in 'from_the_other = 1' 'from_the_first = 1' 'from_the_other = 2' 'local kept = 77'; do
  if grep -qxF "$line" "$history"; then
    pass
  else
    fail "both sessions' lines are kept" "no '$line'"
  fi
done
terminal third 100 30 "'$sota'"
check "begun again" 'Ctrl-D leaves'
await prompt
keys Up
check "the last line" '^> from_the_other = 2'
keys C-c
await prompt
for _ in 1 2 3 4 5; do keys Up; done
keys C-c
await prompt
if [ "$(sort "$history" | uniq -d | wc -l)" = 0 ]; then
  pass
else
  fail "each line once" "$(sort "$history" | uniq -d)"
fi
keys C-r
type_in 'twice(total) +'
check "search" 'twice\(total\) \+ 1'
keys Enter
check "a line from before" "global 'twice'|global 'total'"
await prompt
keys C-d
check "leaves" 'left with 0'

# --- without a terminal's comforts -----------------------------------------------

terminal dumb 80 24 "DISPLAY= WAYLAND_DISPLAY= TERM=dumb '$sota'"
check "a dumb terminal" 'Ctrl-D leaves'
await prompt
enter '20 + 3'
check "works" '^23$'
if mux capture-pane -p -t dumb | grep -q '2004'; then
  fail "no escapes on it" "$(mux capture-pane -p -t dumb)"
else
  pass
fi
if "$sota" -e 'os.exit(not require "sota.core".draw.missing)'; then
  enter 'sota.draw.Chart.new{title = "Empty"}:picture():open();'
  check "no display" 'There is no display here to show it on; the picture is /'
fi
type_in 'no'
keys C-c
await prompt
enter '20 + 4'
check "Ctrl-C there" '^24$'
keys C-d
check "Ctrl-D there" 'left with 0'
terminal narrow 40 24 "'$sota'"
check "a narrow one" 'leaves'
await prompt
enter '{first = "a string of some length", second = "another of them"}'
check "tables fit" '^  first = "a string of some length",$'
enter 'help "Resize"'
check "help fits" '^Resize\(size'
keys C-d
check "narrow" 'left with 0'

# Lines from a pipe: what -i does with them, and no history is kept of them.
input=$'local a = 4\na * 2\n{b = a}\nerror "x"\na;\na + 1\n' \
  try "piped" 0 $'*8*{b = 4}*5*' '*stdin:1: x*' "$sota" -i
if grep -q 'a \* 2' "$history"; then
  fail "a pipe leaves no history" "it did"
else
  pass
fi
finish
