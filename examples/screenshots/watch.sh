#!/bin/bash
# The screen of `falseticker watch` over three nodes, after faults by its keys.
# Usage: watch.sh [PICTURE.png]     the screen as text; with a name also as a picture (needs perl and chromium)
# COLUMNS_ and LINES_ give another size than 100 by 30. Needs tmux and python3, and falseticker in the PATH.
set -euo pipefail
picture=${1:-}
work=$(mktemp -d) nodes=$(mktemp -d /dev/shm/falseticker-watch-XXXXXX)
export FALSETICKER_DIR=$nodes LC_ALL=C.UTF-8
terminal=(tmux -u -S "$work/tmux" -f /dev/null)
programs=()
trap '"${terminal[@]}" kill-server 2>/dev/null || true
    kill "${programs[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work" "$nodes"' EXIT

cat > "$work/clock.py" <<'EOF'
import time
while True:
    time.time()
    time.sleep(0.02)
EOF
for node in leader standby witness; do
    falseticker run --node "$node" -- python3 "$work/clock.py" & programs+=($!)
done

shows() { # until the screen shows it
    until "${terminal[@]}" capture-pane -p | grep -qF -- "$1"; do sleep 0.1; done
}
presses() { "${terminal[@]}" send-keys "$@"; }
types() { "${terminal[@]}" send-keys -l -- "$1"; presses Enter; }

env -u TMUX -u NO_COLOR "${terminal[@]}" new-session -d -x "${COLUMNS_:-100}" -y "${LINES_:-30}" falseticker watch
shows '3 nodes'
sleep 20 # so that there is a past to see
presses Down; shows '> standby'
presses d; types 5%; shows 'drift 1.05x in force'
presses Down; shows '> witness'
presses f; types 1m; shows 'witness: 1 process frozen'
presses Home; shows '> leader'
presses j; types -30s; shows 'jump -30s in force'
sleep 15
"${terminal[@]}" capture-pane -p

[ -n "$picture" ] || exit 0
{
    echo '<meta charset="utf-8"><style>body{margin:0;background:#16181d}pre{margin:16px;color:#d8dce3;font:15px/1.25
        "DejaVu Sans Mono",monospace}</style><pre>'
    "${terminal[@]}" capture-pane -p -e -N | perl -Mutf8 -CS -pe '
        s/38;5;/3/g; s/&/&amp;/g; s/</&lt;/g;
        s{\e\[([\d;]*)m}{
            for my $code (split /;/, length $1 ? $1 : "0") {
                %style = () if $code == 0;
                $style{"font-weight:bold"} = 1 if $code == 1;
                $style{"opacity:.6"} = 1 if $code == 2;
                $style{"text-decoration:underline"} = 1 if $code == 4;
                $style{"background:#d8dce3;color:#16181d"} = 1 if $code == 7;
                delete @style{grep { /^color/ } keys %style} if $code >= 30 && $code <= 39;
                $style{"color:" . {31, "#ff7b72", 33, "#e3b341", 36, "#56d4dd"}->{$code}} = 1 if $code =~ /^3[136]$/;
            }
            "</span><span style=\"" . join(";", sort keys %style) . "\">"
        }ge'
    echo '</pre>'
} > "$work/screen.html"
size=$((${COLUMNS_:-100} * 9 + 40)),$((${LINES_:-30} * 19 + 40))
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="$size" \
    --screenshot="$(realpath "$picture")" "file://$work/screen.html" >/dev/null 2>&1
