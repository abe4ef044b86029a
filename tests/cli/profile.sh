#!/bin/bash
# profile.sh -- sota-lua --profile: the report, the trace, what goes wrong.
source "$(dirname "$0")/check.sh"
cd "$work" || exit 1

cat >fit.lua <<'END'
require "sota.all"
require "sota.core".data.demo("data", {train = 60, valid = 40})
local dls = ImageDataLoaders.from_folder("data", {valid = "val", bs = 20,
  workers = 1, item_tfms = Resize(32), batch_tfms = aug_transforms{size = 24}})
local learn = Learner(dls, xresnet18{n_out = dls.c}, {metrics = accuracy})
learn.quiet = true
learn:fit(1)
END

"$sota" --profile=trace.json fit.lua >out 2>err
code=$?
if [ $code != 0 ]; then fail "a profile of a fit" "$code: $(cat err)"; else pass; fi

# Every line that the page docs/profiling.md shows is there.
for line in '^profile: [0-9.]* s$' \
  '^limits, .* f32 [0-9.]* GFLOP/s.*; copy of .* GB/s$' \
  '^phase ' '^wait for data  *4 ' '^augment  *3 ' '^forward  *3 ' '^loss  *3 ' \
  '^backward  *3 ' '^optimiser step  *3 ' '^validation  *1 ' '^  forward  *2 ' \
  '^other ' '^operation .* GFLOP/s .* of limit$' '^conv_bn_act  .* %$' \
  '^conv_bn_act backward ' '^(update)  *3 ' '^layer .* forward  *backward ' \
  '^7\.1\.convpath\.1  '; do
  if grep -q "$line" err; then
    pass
  else
    fail "the report" "no line like '$line'"
  fi
done

# The phases of the top level are all of the time.
if awk '/^profile: / {all = $2 * 1000}
     /^operation/ {exit}
     /^(wait for|augment|forward|loss|backward|optimiser|validation|other)/ {
       sum += $(NF - 3)}
     END {exit !(sum > 0.98 * all && sum < 1.02 * all)}' err; then
  pass
else
  fail "phases" "their sum is not the time of the whole: $(cat err)"
fi

# The trace is JSON with what viewers need.
cat >trace.lua <<'END'
local t = require "sota".json.decode(io.open(arg[1]):read "a")
local calls, phases = 0, 0
for _, e in ipairs(t.traceEvents) do
  assert(type(e.name) == "string" and (e.ph == "X" or e.ph == "M"))
  if e.ph == "X" then
    assert(e.ts >= 0 and e.dur >= 0 and e.pid == 1)
    if e.cat == "phase" then phases = phases + 1 else calls = calls + 1 end
  end
end
print(calls > 100, phases > 20)
END
try "the trace" 0 $'true\ttrue' '' "$sota" trace.lua trace.json

try "without a trace" 0 '' 'profile: *operation *exp *' "$sota" --profile \
  -e 'require "sota".ones(3):exp()'
try "after an error" 1 '' '*no*profile: *' "$sota" --profile -e 'error "no"'
try "os.exit" 7 'x' 'profile: *exp *' "$sota" --profile \
  -e 'require "sota".ones(3):exp() io.write "x" os.exit(7)'
try "os.exit(true, true)" 0 '' 'profile: *' "$sota" --profile \
  -e 'os.exit(true, true)'
try "a file that cannot be written" 2 '' \
  "sota-lua: --profile: cannot write the trace '/no/such/x.json': No such file*" \
  "$sota" --profile=/no/such/x.json -e 'print(1)'
try "no file's name" 2 '' "*a file's name is missing after '--profile='*" \
  "$sota" --profile= -e 'print(1)'
try "near" 2 '' '*did you mean --profile?*' "$sota" --profil
try "help" 0 '*--profile*' '' "$sota" --help

# --- from Lua ------------------------------------------------------------------
try "sota.profile" 0 '5' 'profile: *exp *' "$sota" -e '
  local sota = require "sota"
  print(sota.profile(function() sota.ones(3):exp() return 5 end, {rows = 3}))'
try "sota.profile of what fails" 1 '' 'profile: *no*' "$sota" -e '
  require "sota".profile(function() error "no" end)'
try "one inside another" 1 '' '*a profile is already being taken*' \
  "$sota" --profile -e 'require "sota".profile(print)'
try "no function" 1 '' '*profile*function*' "$sota" -e '
  require "sota".profile(1)'
try "stop without start" 1 '' '*none is being taken*' "$sota" -e '
  require "sota.core".profile.stop()'
try "to a file" 0 'profile:' '' "$sota" -e '
  local profile, f = require "sota.core".profile, io.open("text", "w")
  profile.start()
  profile.stop(1, f)
  f:close()
  io.write((io.open "text":read "a":match "^profile:"))'

finish
