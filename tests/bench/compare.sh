#!/bin/bash
# compare.sh -- sota-lua beside PyTorch and fastai, from one run: what is
# compared is run in turns, round after round, and the ratio of the medians is
# printed beside the one we want, as a Markdown table.
#
#   tests/bench/compare.sh [options] ROW...
#
#   rows: step50    training step, xresnet50, 128 px, batch 64: bf16 and f32,
#                   against eager, torch.compile and the study's prototype
#         step224   the same at 224 px, batch 32, bf16, against eager
#         step18    xresnet18, 64 px, batch 64, bf16, against eager
#         memory    peak memory in the runs of step50's bf16
#         loader    images to batches, item size 160 to 128 px and 460 to 224
#         cache     a second epoch out of the decoded-image cache, at 128 px
#         startup   sota-lua -e "", require "sota.all", importing fastai
#         epoch     one epoch of recipes/imagenette.lua, xresnet50, 128 px
#         parity    five epochs, xresnet18, 64 px: time and accuracy
#         all       everything
#
#   --venv DIR      where the Python side is, or is to be installed
#                   (default: the user's cache; some gigabytes)
#   --data DIR      Imagenette: train/<class>/ and val/<class>/
#                   (default: ../shared/data/imagenette2-224)
#   --rounds N      alternations (3; epoch and parity: 1)
#   --steps N       timed steps in each run of a step (5)
#   --images N      images for the loader (1000; 0: all)
#   --workers N     loader threads or processes of both sides (2)
#   --precisions "bf16 f32"   for step50
#   --quick         one round with an eighth of the batch: does every side run?
#
# SOTA_LUA is our binary (build/bin/sota-lua), PROTOTYPE the folder of the
# prototype (../shared/reference/cpu; left out where it does not build). pip
# takes PyTorch from where it is set up to; a CPU build is enough. Nothing else
# should run on the machine. Single results go to stderr as they come.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
sota=${SOTA_LUA:-$root/build/bin/sota-lua}
prototype=${PROTOTYPE:-$root/../shared/reference/cpu}
venv=${XDG_CACHE_HOME:-$HOME/.cache}/sota-lua/compare-venv
data=$root/../shared/data/imagenette2-224
rounds='' steps=5 images=1000 workers=2 precisions="bf16 f32" quick='' share=1
rows=()

die() {
  echo "compare.sh: $*" >&2
  exit 2
}

usage() { tail -n +2 "$0" | sed -n '/^#/!q; s/^# \{0,1\}//p'; }

known=" step50 step224 step18 memory loader cache startup epoch parity "
while [ $# -gt 0 ]; do
  case $1 in
    --venv | --data | --rounds | --steps | --images | --workers | --precisions)
      [ $# -gt 1 ] || die "a value is missing after $1"
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    --quick) quick=1 rounds=1 steps=1 images=128 share=8 ;;
    -h | --help) usage && exit 0 ;;
    all) read -ra rows <<<"$known" ;;
    -*) die "unknown option $1" ;;
    */*) venv=$1 ;;
    *)
      [[ $known = *" $1 "* ]] || die "there is no row '$1'; rows:$known"
      rows+=("$1")
      ;;
  esac
  shift
done
[ ${#rows[@]} -gt 0 ] || { usage >&2 && exit 2; }
[ -x "$sota" ] || die "$sota is not there: build first, or set SOTA_LUA"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$venv/bin/python

# --- the other side ---------------------------------------------------------------

install_peers() {
  if [ -x "$python" ] && "$python" -c 'import timm, torchvision, fastai' \
    2>/dev/null; then
    return
  fi
  echo "installing PyTorch, torchvision, timm and fastai in $venv" >&2
  python3 -m venv "$venv" ||
    die "python3 cannot make a virtual environment; install python3-venv"
  "$python" -m pip install --quiet torch torchvision timm fastai >&2 ||
    die "pip could not install PyTorch, torchvision, timm and fastai"
}

build_prototype() {
  local log=$work/prototype.log
  [ -x "$work/prototype/step_bf16" ] && return
  [ -f "$prototype/Makefile" ] || return 1
  cp -r "$prototype" "$work/prototype"
  make -C "$work/prototype" step_bf16 step_f32 >"$log" 2>&1 && return
  echo "the prototype does not build: $(tail -1 "$log")" >&2
  rm -rf "$work/prototype"
  return 1
}

# --- results: one file of numbers for each key ------------------------------------

# keep KEY NUMBER
keep() {
  [ -n "$2" ] || return 0
  echo "$2" >>"$work/$1.n"
  printf '  %-28s %s\n' "$1" "$2" >&2
}

# A number of a line of JSON.
field() { # NAME
  sed -n "s/.*\"$1\": *\(-\{0,1\}[0-9.e+-]*\).*/\1/p" | head -1
}

missing() { # WHO WHY: told once
  grep -qsF "$1" "$work/missing" || echo "$1: $2" | tee -a "$work/missing" >&2
}

# Runs a command; prints its stdout. When it fails, says so once.
attempt() { # WHO command...
  local who=$1
  shift
  if "$@" 2>"$work/err"; then return; fi
  missing "$who" "$(grep -v '^ ' "$work/err" | tail -1)"
}

median() { # KEY
  [ -s "$work/$1.n" ] || return 0
  sort -g "$work/$1.n" | awk '{v[NR] = $1} END {
    print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

most() { # KEY
  [ -s "$work/$1.n" ] || return 0
  sort -g "$work/$1.n" | tail -1
}

# A row of the table. The ratio is of ours to theirs, or the other way round
# for times, so that more is better; "at most" turns that for memory.
#   row NAME UNIT ours theirs higher|lower|most TARGET
table=()
row() {
  table+=("$(awk -v name="$1" -v unit="$2" -v a="${3:-}" -v b="${4:-}" \
    -v kind="$5" -v target="$6" 'BEGIN {
      ratio = verdict = "-"
      if (a != "" && b != "" && a > 0 && b > 0) {
        r = kind == "lower" ? b / a : a / b
        ratio = sprintf("%.2fx", r)
        if (target != "")
          verdict = (kind == "most" ? r <= target : r >= target) ? "yes" : "no"
      }
      limit = target == "" ? "" : (kind == "most" ? "at most " : "") target "x"
      printf "| %s | %s | %s | %s | %s | %s |", name,
        a == "" ? "not run" : sprintf("%.4g %s", a, unit),
        b == "" ? "not run" : sprintf("%.4g %s", b, unit), ratio, limit, verdict
    }')")
}

# A row with a limit of its own instead of another side.
#   alone NAME UNIT ours higher|lower TARGET
alone() {
  table+=("$(awk -v name="$1" -v unit="$2" -v a="${3:-}" -v kind="$4" \
    -v target="$5" 'BEGIN {
      reached = kind == "lower" ? a + 0 < target : a + 0 > target
      verdict = a == "" ? "-" : reached ? "yes" : "no"
      printf "| %s | %s | | | %s %s %s | %s |", name,
        a == "" ? "not run" : sprintf("%.4g %s", a, unit),
        kind == "lower" ? "under" : "over", target, unit, verdict
    }')")
}

# --- what is run ------------------------------------------------------------------

# KEY ARCH SIZE BS PRECISION
step_ours() {
  local json
  json=$(attempt "sota-lua $5" "$sota" "$here/train_step.lua" --arch "$2" \
    --size "$3" --bs $(($4 / share)) --precision "$5" --steps "$steps" --json)
  keep_step "$1" "$json"
}

# KEY ARCH SIZE BS PRECISION eager|compile
step_torch() {
  local json
  json=$(attempt "PyTorch $5 $6" "$python" -W ignore \
    "$here/peers/torch_step.py" --arch "$2" --size "$3" \
    --bs $(($4 / share)) --precision "$5" --mode "$6" --steps "$steps")
  keep_step "$1" "$json"
}

keep_step() { # KEY JSON
  keep "$1.median" "$(field median <<<"$2")"
  keep "$1.best" "$(field best <<<"$2")"
  keep "$1.memory" "$(field peak_rss_mib <<<"$2")"
  keep "$1.before" "$(field rss_before_mib <<<"$2")"
}

# KEY bf16|f32: it knows xresnet50, 128 px, batch 64 alone
step_prototype() {
  local line
  line=$(cd "$work/prototype" && attempt "prototype $2" env PARTS=0 \
    OMP_WAIT_POLICY=active "./step_$2" "$steps" | tail -1)
  keep "$1.median" "$(sed -n 's/.*median \([0-9.]*\).*/\1/p' <<<"$line")"
  keep "$1.best" "$(sed -n 's/.*best \([0-9.]*\).*/\1/p' <<<"$line")"
}

each_round() { # DEFAULT function arguments...
  local n=${rounds:-$1} i
  shift
  for ((i = 1; i <= n; i++)); do
    echo "$* ($i of $n)" >&2
    "$@"
  done
}

steps_did=
step50_round() {
  local p
  for p in $precisions; do
    step_ours "ours.$p" xresnet50 128 64 "$p"
    step_torch "eager.$p" xresnet50 128 64 "$p" eager
    step_torch "compile.$p" xresnet50 128 64 "$p" compile
    if build_prototype; then step_prototype "prototype.$p" "$p"; fi
  done
}

# The runs that both step50 and memory need are made once.
step50_runs() {
  [ -z "$steps_did" ] || return 0
  each_round 3 step50_round
  steps_did=1
}

compare_steps() { # NAME PRECISION PEER unit... : KEY of ours, theirs, targets
  local name=$1 ours=$2 theirs=$3 middle=$4 best=$5
  row "$name, median" img/s "$(median "$ours.median")" \
    "$(median "$theirs.median")" higher "$middle"
  row "$name, best step" img/s "$(most "$ours.best")" "$(most "$theirs.best")" \
    higher "$best"
}

row_step50() {
  step50_runs
  local x="step, xresnet50 128 px bs 64" p
  for p in $precisions; do
    local eager=2.0 eager_best=1.4 compile=1.7 compile_best=1.6
    if [ "$p" = f32 ]; then eager=1.8 eager_best='' compile=1.4 compile_best=''; fi
    compare_steps "$x $p / eager" "ours.$p" "eager.$p" $eager "$eager_best"
    compare_steps "$x $p / compile" "ours.$p" "compile.$p" $compile "$compile_best"
    compare_steps "$x $p / prototype" "ours.$p" "prototype.$p" 1.0 ''
  done
}

row_memory() {
  step50_runs
  local p=${precisions%% *}
  row "peak memory of that run, $p" MiB "$(median "ours.$p.memory")" \
    "$(median "eager.$p.memory")" most 0.6
  row "the same without what was there before the model" MiB \
    "$(difference "ours.$p")" "$(difference "eager.$p")" most ''
}

difference() { # KEY: of its medians of memory and before
  local all before
  all=$(median "$1.memory") before=$(median "$1.before")
  [ -z "$all" ] || awk "BEGIN {print $all - $before}"
}

step224_round() {
  step_ours ours224 xresnet50 224 32 bf16
  step_torch eager224 xresnet50 224 32 bf16 eager
}

row_step224() {
  each_round 3 step224_round
  compare_steps "step, xresnet50 224 px bs 32 bf16 / eager" ours224 eager224 2.0 ''
}

step18_round() {
  step_ours ours18 xresnet18 64 64 bf16
  step_torch eager18 xresnet18 64 64 bf16 eager
}

row_step18() {
  each_round 3 step18_round
  compare_steps "step, xresnet18 64 px bs 64 bf16 / eager" ours18 eager18 2.0 ''
}

# KEY ITEM SIZE
loader_ours() {
  local text
  [ -f "$here/loader.lua" ] || {
    missing "loader.lua" "tests/bench/loader.lua is not there"
    return 0
  }
  text=$(attempt "sota-lua loader" "$sota" "$here/loader.lua" --data "$data" \
    --item-size "$2" --size "$3" --bs 64 --workers "$workers" --images "$images" \
    --epochs "$4" --cache "$5")
  keep "$1" "$(speed_of_epoch "$4" <<<"$text")"
}

# Of loader.lua's rows: "epoch 2   9469 images   5000 img/s ..."
speed_of_epoch() {
  awk -v e="$1" '$1 == "epoch" && $2 == e {
    for (i = 3; i < NF; i++) if ($(i + 1) == "img/s") {print $i; exit}}'
}

loader_fastai() {
  keep "$1" "$(attempt "fastai loader" "$python" -W ignore \
    "$here/peers/fastai_loader.py" --data "$data" --item-size "$2" --size "$3" \
    --bs 64 --workers "$workers" --images "$images" | field img_per_s)"
}

loader_round() {
  loader_ours loader.160 160 128 1 no
  loader_fastai fastai.160 160 128
  loader_ours loader.460 460 224 1 no
  loader_fastai fastai.460 460 224
}

row_loader() {
  each_round 3 loader_round
  row "loader, item 160 to 128 px, $workers workers" img/s \
    "$(median loader.160)" "$(median fastai.160)" higher 8
  row "loader, item 460 to 224 px, $workers workers" img/s \
    "$(median loader.460)" "$(median fastai.460)" higher 20
}

row_cache() {
  each_round 3 loader_ours loader.cached 160 128 2 auto
  alone "second epoch with the cache, 128 px" img/s "$(median loader.cached)" \
    higher 4000
}

startup_round() {
  local key ms began
  while read -r key ms; do keep "startup.$key" "$ms"; done < <(
    SOTA_LUA=$sota "$here/startup.sh" --key 21)
  began=${EPOCHREALTIME/./}
  if attempt "fastai import" "$python" -W ignore \
    -c 'from fastai.vision.all import *' >"$work/out"; then
    keep startup.fastai $(((${EPOCHREALTIME/./} - began) / 1000))
  fi
}

row_startup() {
  each_round 3 startup_round
  alone 'sota-lua -e ""' ms "$(median startup.empty)" lower 30
  alone 'require "sota.all"' ms "$(median startup.all)" lower 60
  row 'the library / importing fastai' ms "$(median startup.all)" \
    "$(median startup.fastai)" lower ''
}

# KEY ARCH SIZE ITEM EPOCHS PRECISION: seconds of training, and accuracy
train_ours() {
  local began out
  began=${EPOCHREALTIME/./}
  out=$(attempt "sota-lua training $6" "$sota" --seed 1 \
    "$root/recipes/imagenette.lua" --data "$data" --arch "$2" --size "$3" \
    --item-size "$4" --epochs "$5" --precision "$6" --workers "$workers" \
    --bs $((64 / share)) \
    --out "$work/trained")
  grep -q '^accuracy' <<<"$out" || return 0
  keep "$1.seconds" "$(awk -v us=$((${EPOCHREALTIME/./} - began)) \
    'BEGIN {print us / 1e6}')"
  keep "$1.accuracy" "$(awk '/^accuracy/ {print $NF}' <<<"$out" | tail -1)"
}

train_fastai() {
  local json
  json=$(attempt "fastai training $6" "$python" -W ignore \
    "$here/peers/fastai_train.py" --data "$data" --arch "$2" --size "$3" \
    --item-size "$4" --epochs "$5" --precision "$6" --workers "$workers" \
    --bs $((64 / share)))
  keep "$1.seconds" "$(field seconds <<<"$json")"
  keep "$1.accuracy" "$(field accuracy <<<"$json")"
}

epoch_round() {
  train_ours epoch.ours xresnet50 128 160 1 auto
  train_fastai epoch.fastai xresnet50 128 160 1 bf16
}

row_epoch() {
  each_round 1 epoch_round
  row "one epoch, xresnet50 128 px, loading and validation" s \
    "$(median epoch.ours.seconds)" "$(median epoch.fastai.seconds)" lower 2
}

parity_round() {
  train_ours parity.ours xresnet18 64 80 5 auto
  train_fastai parity.fastai xresnet18 64 80 5 f32
}

row_parity() {
  each_round 1 parity_round
  row "parity run, xresnet18 64 px, 5 epochs" s \
    "$(median parity.ours.seconds)" "$(median parity.fastai.seconds)" lower 4
  row "its accuracy" '' "$(median parity.ours.accuracy)" \
    "$(median parity.fastai.accuracy)" higher ''
}

# --- the run ----------------------------------------------------------------------

for r in "${rows[@]}"; do
  case $r in
    loader | cache | epoch | parity)
      [ -d "$data/train" ] || die "there is no $data/train: give --data" ;;
  esac
done
install_peers
for r in "${rows[@]}"; do "row_$r"; done

echo
echo "| | sota-lua | other | ratio | at least | reached |"
echo "| --- | --- | --- | --- | --- | --- |"
printf '%s\n' "${table[@]}"
echo
grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //' || true
"$sota" --version
"$python" -c 'import torch, fastai
print("PyTorch", torch.__version__, "fastai", fastai.__version__,
      torch.get_num_threads(), "threads")' 2>/dev/null
[ -z "$quick" ] || echo "--quick: these figures say only that every side runs"
if [ -s "$work/missing" ]; then
  echo "not run:"
  cat "$work/missing"
fi
