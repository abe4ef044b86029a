#!/bin/bash
# no_spills.sh -- compiles every kernel for one architecture and reads what
# ptxas says: no registers may be spilled to memory, and no kernel of a file may
# use more of them than CEILINGS says (file, architecture, registers). Another
# nvcc than the one that the file names has registers of its own: then MOST is
# the ceiling (256 threads of 128 are half of a multiprocessor's).
#   no_spills.sh NVCC ENGINE_DIR CEILINGS ARCHITECTURE
# prints the lines that CEILINGS should have; fails if one is above.
set -u
nvcc=$1 engine=$2 ceilings=$3 arch=$4 most=128
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for file in "$engine"/cuda/*.cu; do
  name=$(basename "$file")
  "$nvcc" -std=c++17 -O3 -cubin -arch="sm_$arch" -Werror=all-warnings \
    -Xptxas=-v -I"$engine" "$file" -o "$work/out.cubin" 2>"$work/log" ||
    { cat "$work/log"; exit 1; }
  # "Used 40 registers" follows "12 bytes spill stores, ..." of its kernel.
  awk -v file="$name" -v arch="$arch" '
    /Compiling entry function/ {name = $7; n++}
    /bytes spill stores/ {if ($5 + $9 > 0) print "SPILL", file, arch, name, $0}
    /Used [0-9]+ registers/ {
      for (i = 1; i < NF; i++) if ($i == "Used" && $(i + 1) + 0 > top + 0) {
        top = $(i + 1); who = name
      }
    }
    END {print "TOP", file, arch, top + 0, n + 0, who}' "$work/log" >>"$work/all"
done

same=$(grep -c "^# nvcc $("$nvcc" --version | grep -o 'V[0-9][0-9.]*')\$" "$ceilings")
awk -v most="$most" -v same="$same" '
  NR == FNR {if ($1 !~ /^#/) limit[$1, $2] = $3; next}
  $1 == "SPILL" {print; bad = 1}
  $1 == "TOP" {
    print $2, $3, $4
    kernels += $5
    most_here = same ? limit[$2, $3] : most
    if ($4 > most_here) {
      printf "REGISTERS %s, sm_%s: %d in %s; the ceiling is %s\n", $2, $3, $4,
        $6, most_here == "" ? "not recorded" : most_here
      bad = 1
    }
  }
  END {
    printf "%d kernels%s\n", kernels, same ? "" : "; another nvcc: at most " most
    exit bad || kernels == 0
  }' "$ceilings" "$work/all"
