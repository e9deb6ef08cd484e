#!/usr/bin/env bash
# Pictures of a history's report as Chromium shows it: light, dark, as narrow as a phone, and on paper.
# examples/screenshots/report.sh HISTORY [FOLDER]
set -euo pipefail
history=${1:?usage: $0 HISTORY [FOLDER]}
folder=$(realpath -m "${2:-screenshots}")
falseticker=${FALSETICKER:-falseticker}
mkdir -p "$folder"
"$falseticker" report "$history" -o "$folder/report.html" --svg "$folder/report.svg" --png "$folder/report.png" --overwrite

shot() {
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars "$@" "file://$folder/report.html" 2>/dev/null
}
shot --screenshot="$folder/light.png" --window-size=1280,2600
shot --screenshot="$folder/dark.png" --window-size=1280,2600 --blink-settings=preferredColorScheme=0
shot --screenshot="$folder/narrow.png" --window-size=500,3200
shot --print-to-pdf="$folder/print.pdf" --no-pdf-header-footer
ls -l "$folder"
