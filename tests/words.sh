#!/usr/bin/env bash
# Searches the text files of the repository for the words in words.txt: `words.sh [PATH...]`. Also searches for comments
# that are too long. Prints each line that has one, and what to write instead. Exits with 1 if there is any.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- .
found=0
while IFS=$'\t' read -r words instead; do
  case $words in '' | '#'*) continue ;; esac
  code=0
  git grep --untracked -nIPi -e "$words" -- "$@" ':!*LICENSE*' ':!*.svg' ':!*.lock' ':!*go.sum' ':!tests/words.*' || code=$?
  case $code in
    0) echo "  -> write $instead"; found=1 ;;
    1) ;; # no line has the word
    *) exit "$code" ;; # git cannot search
  esac
done <tests/words.txt

# The formatters limit the lines of code, but not those of comments. A generated file has one line for each option.
if git grep --untracked -nIP '^(?=.{121})\s*//' -- '*.rs' '*.go' '*.cs' ':!*/Names.cs'; then
  echo "  -> write comments of at most 120 columns"
  found=1
fi
exit "$found"
