# Functions that the parts of the demo share: printing, running and checking commands. Sourced; the work folder is $work.

if [[ -t 1 ]]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold="" dim="" plain=""; fi

chapter() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
tell() { printf '%s\n' "$*"; }
indent() { sed "s/^/  /"; }
typed() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; }

fail() {
  printf '\ndemo: %s\n' "$*" >&2
  if [[ -s $work/operator.log ]]; then
    printf 'demo: the end of the operator'"'"'s log:\n' >&2
    tail -n 25 "$work/operator.log" >&2
  fi
  exit 1
}

# Prints a command, runs it, and prints its output.
show() {
  typed "$*"
  local said
  said=$(eval "$*" 2>&1) || { indent <<<"$said"; fail "the command above failed"; }
  [[ -z $said ]] || indent <<<"$said"
}

# The same; fails unless the output contains a text.
shows() {
  local wanted=$1
  shift
  typed "$*"
  local said
  said=$(eval "$*" 2>&1) || { indent <<<"$said"; fail "the command above failed"; }
  indent <<<"$said"
  [[ $said == *"$wanted"* ]] || fail "the output above should contain: $wanted"
}

# The same for a command that must fail.
refuses() {
  local wanted=$1
  shift
  typed "$*"
  local said
  if said=$(eval "$*" 2>&1); then
    indent <<<"$said"
    fail "the command above should have failed"
  fi
  indent <<<"$said"
  [[ $said == *"$wanted"* ]] || fail "the output above should contain: $wanted"
}

# The program of this repository, wherever cargo builds it.
weirkeeper() { "${CARGO:-cargo}" run --quiet --locked -- "$@"; }
