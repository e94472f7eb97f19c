#!/usr/bin/env bash
# Searches the text files of the repository for the words in words.txt: `words.sh [PATH...]`. Also searches for line
# comments that are too long. Prints each line that has one, and what to write instead. Exits with 1 if there is any.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- .
found=0

# Prints the lines that match, and the advice: `search ADVICE ARGUMENTS...`, with arguments for `git grep`.
search() {
  local code=0
  git grep --untracked -nIP "${@:2}" || code=$?
  case $code in
    0) echo "  -> write $1"; found=1 ;;
    1) ;; # no line matches
    *) exit "$code" ;; # git cannot search
  esac
}

while IFS=$'\t' read -r words instead; do
  case $words in '' | '#'*) continue ;; esac
  search "$instead" -i -e "$words" -- "$@" ':!*LICENSE*' ':!packaging/debian/copyright' ':!*.svg' ':!*.lock' ':!*go.sum' ':!tests/words.*'
done <tests/words.txt

# The formatters limit the lines of code, but not the lines that are comments. A generated file has one line for each
# option.
search 'a line comment (//) of at most 120 characters' -e '^(?=.{121})\s*//' -- "$@" ':!*/Names.cs' ':!tests/words.*'
exit "$found"
