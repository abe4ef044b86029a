#!/bin/bash
# no_spills.sh -- compiles every kernel and reads what ptxas says: no registers
# may be spilled to memory, and no kernel may use more than MOST of them (256
# threads of 128 are half of a multiprocessor's).
#   no_spills.sh NVCC ENGINE_DIR ARCHITECTURE...
set -u
nvcc=$1 engine=$2 most=128 bad=0 kernels=0 top=0
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for arch in "$@"; do
  for file in "$engine"/cuda/*.cu; do
    "$nvcc" -std=c++17 -O3 -cubin -arch="sm_$arch" -Werror=all-warnings \
      -Xptxas=-v -I"$engine" "$file" -o "$work/out.cubin" 2>"$work/log" ||
      { cat "$work/log"; exit 1; }
    # "Used 40 registers" follows "12 bytes spill stores, ..." of its kernel.
    awk -v file="$(basename "$file")" -v arch="$arch" -v most="$most" '
      /Compiling entry function/ {name = $7}
      /bytes spill stores/ {if ($5 + 0 > 0) print "SPILL", file, arch, name, $0}
      /Used [0-9]+ registers/ {
        for (i = 1; i < NF; i++) if ($i == "Used") r = $(i + 1)
        print "KERNEL", r
        if (r > most) print "REGISTERS", file, arch, name, r
      }' "$work/log" >>"$work/all"
  done
done
grep -E "^(SPILL|REGISTERS)" "$work/all" && bad=1
kernels=$(grep -c "^KERNEL" "$work/all")
top=$(awk '/^KERNEL/ && $2 + 0 > m {m = $2 + 0} END {print m + 0}' "$work/all")
echo "$kernels kernels for sm_$*: at most $top registers"
[ "$kernels" -gt 0 ] || bad=1
exit $bad
