#!/bin/bash
# tour.sh -- what docs/tour.md shows is what comes out of the prompt.
source "$(dirname "$0")/check.sh"
cd "${SOURCE_DIR:?SOURCE_DIR names the source tree}" || exit 1
SOTA_DATA=$work/cache timeout 590 "$sota" scripts/tools/tour.lua
