# Counts what passed and failed across the stages of a run. Sourced, never run.
# shellcheck shell=bash

PASSED=0 FAILED=0 SKIPPED=0

# tally STAGE CODE PASSED FAILED SKIPPED: adds a stage; one that broke without naming a failure counts as one.
tally() {
  local failed=$4
  if [ "$2" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  PASSED=$((PASSED + $3)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + $5))
  if [ "$failed" -gt 0 ]; then
    printf '### %s: %d passed, %d FAILED\n' "$1" "$3" "$failed"
  else
    printf '### %s: %d passed\n' "$1" "$3"
  fi
}

# check STAGE COMMAND...: a stage that passes or fails as a whole.
check() {
  local stage=$1 code=0
  shift
  printf '\n### %s\n' "$stage"
  "$@" </dev/null || code=$?
  if [ "$code" -eq 0 ]; then tally "$stage" 0 1 0 0; else tally "$stage" "$code" 0 1 0; fi
  return "$code"
}

# sum REGEX FILE: adds up the numbers that stand before the words of the expression.
sum() { grep -oE "[0-9]+ ($1)" "$2" | awk '{ total += $1 } END { print total + 0 }'; }

# The last line of every run; its code is the code of the run.
tally_line() {
  local skipped=''
  if [ "$SKIPPED" -gt 0 ]; then skipped=", $SKIPPED skipped"; fi
  printf '%d passed, %d failed%s\n' "$PASSED" "$FAILED" "$skipped"
  [ "$FAILED" -eq 0 ]
}
