#!/bin/bash
# run.sh [SECONDS [TARGET...]] -- builds libFuzzer's targets with clang in
# build-fuzz and runs each of them for that long (10 s). What was found is kept
# in build-fuzz/corpus for the next run; a crash ends the script with 1 and
# leaves its input in build-fuzz/crashes.
set -u
cd "$(dirname "$0")/../.." || exit 2
seconds=${1:-10}
shift
build=build-fuzz
mkdir -p $build/crashes
if ! { CC=clang cmake -S . -B $build -G Ninja -DSL_FUZZ=ON -DSL_TESTS=OFF \
  -DSL_CUDA=OFF -DSL_WERROR=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
  ninja -j2 -C $build; } >$build/build.log 2>&1; then
  tail -50 $build/build.log
  exit 1
fi
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
$build/bin/sota-lua tests/fuzz/seeds.lua $build/seeds || exit 1
[ $# -gt 0 ] || set -- $(cd $build/fuzz && ls fuzz_* | sed s/fuzz_//)
status=0
for target in "$@"; do
  mkdir -p $build/corpus/"$target" $build/seeds/"$target"
  dictionary=tests/fuzz/$target.dict mask=0
  [ "$target" != arguments ] || mask=2 # it tells the user what is wrong
  leaks=1 # looked for after each run; where Lua is, whose heap grows, at the end
  case $target in json | csv | options | tensor) leaks=0 ;; esac
  $build/fuzz/fuzz_"$target" -max_total_time="$seconds" -timeout=20 -detect_leaks=$leaks \
    -rss_limit_mb=3000 -max_len=65536 -print_final_stats=1 -close_fd_mask=$mask \
    -artifact_prefix=$build/crashes/"$target"- \
    ${SL_FUZZ_ARGS:-} $([ ! -f "$dictionary" ] || echo -dict="$dictionary") \
    $build/corpus/"$target" $build/seeds/"$target" >$build/"$target".log 2>&1
  code=$?
  printf '%-12s %12s executions' "$target" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' $build/"$target".log)"
  [ $code -eq 0 ] && echo || {
    echo "  FAILED"
    grep -A25 'ERROR: \|runtime error' $build/"$target".log | head -40
    status=1
  }
done
exit $status
