# terminal.bash -- a terminal for tests: real keystrokes in tmux. Sourced after
# check.sh. Every wait is for text on the screen, up to a minute.
# shellcheck shell=bash disable=SC2154
if ! command -v tmux >/dev/null; then
  echo "tmux is not installed: skipped"
  exit 77
fi

export SOTA_DATA=$work/cache HOME=$work TERM=screen
unset XDG_STATE_HOME XDG_CONFIG_HOME SOTA_LUA_HISTORY NO_COLOR
window=s # the one that keys go to
mux() { tmux -S "$work/tmux" -f /dev/null "$@"; }
trap 'mux kill-server 2>/dev/null; rm -rf "$work"' EXIT

# terminal NAME COLUMNS ROWS COMMAND: a window of that name, which stays open.
terminal() {
  window=$1
  mux new-session -d -s "$1" -x "$2" -y "$3" "$4; echo \"left with \$?\"; sleep 1000"
}

screen() { mux capture-pane -p -J -S - -t "$window"; }
keys() { mux send-keys -t "$window" "$@"; }
# To tmux, a semicolon at the end would end its command.
type_in() { keys -l -- "${1/%;/\\;}"; }
enter() { type_in "$1" && keys Enter; }
shows() { screen | grep -qE -- "$1"; }
lacks() { ! shows "$1"; }
clear_screen() {
  mux send-keys -t "$window" C-l
  mux clear-history -t "$window"
}
# As a terminal pastes: with marks around the text, if they were asked for.
paste_file() {
  mux load-buffer -b pasted "$1" && mux paste-buffer -p -b pasted -t "$window"
}

# check NAME PATTERN: a line like the pattern comes up.
check() {
  if await shows "$2"; then
    pass
  else
    fail "$1" "no line like '$2' on the screen: $(screen | tail -25)"
  fi
}
prompt() { screen | sed '/^$/d' | tail -1 | grep -qE '^> *$'; }
