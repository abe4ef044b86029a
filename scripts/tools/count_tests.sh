#!/bin/sh
# count_tests.sh LOG: adds up the tests in CTest's log (LastTest.log) and prints
# one line, "N passed, N failed". Check's programs say "100%: Checks: 31,
# Failures: 0, Errors: 0", ours "31 passed, 0 failed"; what says neither counts
# as one test. Fails if one failed, or if there was none.
set -eu
awk '
  function close_test() {
    if (!name) return
    if (!counted && !skipped) { good ? passed++ : failed++ }
    else if (!good && !bad && !skipped) failed++ # crashed after its count
    name = ""
  }
  /^[0-9]+\/[0-9]+ Testing: / {
    close_test()
    name = $3; counted = bad = good = skipped = 0
  }
  /^[0-9]+%: Checks: / {
    gsub(/,/, "")
    counted = 1; bad += $5 + $7; passed += $3 - $5 - $7; failed += $5 + $7
  }
  /^[0-9]+ passed, [0-9]+ failed/ {
    counted = 1; bad += $3; passed += $1; failed += $3
  }
  /^Test Passed\./ { good = 1 }
  /^Test Skipped/ || /^Test time =.*Skipped/ { skipped = 1 }
  END {
    close_test()
    printf "%d passed, %d failed\n", passed, failed
    exit failed > 0 || passed == 0
  }' "${1:?usage: count_tests.sh LastTest.log}"
