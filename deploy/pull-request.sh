#!/bin/sh
# Takes a pull request through review on any forge; .github/workflows/ runs it too.
#
#   read   COMMIT FILE                           in a checkout of the pull request, WITHOUT secrets:
#                                                its definitions, as data, into FILE
#   sample FILE SAMPLE                           in a checkout of the base branch: what on-demand
#                                                features whose code changed are computed from
#   compute SAMPLE VALUES                        anywhere, WITHOUT secrets: runs their old and new
#                                                code on it
#   review FILE EVENT REVIEWS COMMITS FOLDER     in a checkout of the base branch, with a token of
#                                                role recorder: FOLDER gets comment.md (put it in
#                                                place of the comment that begins with its first
#                                                line), findings.sarif, code-quality.json (the same for
#                                                GitLab) and state (success, pending or failure:
#                                                the check that a merge must wait for)
#   apply  FILE                                  in a checkout of the commit before the merge, with a
#                                                token of role operator; FILE is read of the merge
#
# EVENT, REVIEWS and COMMITS are JSON in the shapes of GitHub's API: the pull request, the list of its
# reviews, the list of its commits. Get them from the forge, never from the pull request's own job.
# PUSHER, if set, is the login that pushed the head; SAMPLE and VALUES, if set, are the files of
# `sample` and `compute`. Give a stranger's code no sample: it has the warehouse's values.
set -eu

fieldhouse=${FIELDHOUSE:-fieldhouse}

read_definitions() {
  home=$(mktemp -d)
  trap 'rm -rf "$home"' EXIT
  # Nothing of the environment reaches what a pull request brings, whatever the job was given.
  env -i PATH="$PATH" HOME="$home" LANG=C.UTF-8 \
    "$fieldhouse" pr definitions --commit "$1" --out "$2"
}

compute() {
  home=$(mktemp -d)
  trap 'rm -rf "$home"' EXIT
  env -i PATH="$PATH" HOME="$home" LANG=C.UTF-8 "$fieldhouse" pr compute --sample "$1" --out "$2"
}

review() {
  definitions=$1 event=$2 reviews=$3 commits=$4 folder=$5
  mkdir -p "$folder"
  code=0
  "$fieldhouse" pr record --json --detailed-exitcode --definitions "$definitions" \
    --event "$event" --reviews "$reviews" --commits "$commits" ${PUSHER:+--pusher "$PUSHER"} \
    > "$folder/recorded.json" || code=$?
  case $code in
    0) echo success > "$folder/state" ;;
    3) echo pending > "$folder/state" ;;
    *) echo failure > "$folder/state"; rm -f "$folder/recorded.json" ;;
  esac
  "$fieldhouse" pr comment --definitions "$definitions" --recorded "$folder/recorded.json" \
    --sarif "$folder/findings.sarif" --code-quality "$folder/code-quality.json" \
    ${SAMPLE:+--sample "$SAMPLE"} ${VALUES:+--values "$VALUES"} > "$folder/comment.md"
}

case ${1:-} in
  read) shift; read_definitions "$@" ;;
  sample) shift; "$fieldhouse" pr sample --definitions "$1" --out "$2" ;;
  compute) shift; compute "$@" ;;
  review) shift; review "$@" ;;
  apply) shift; "$fieldhouse" pr apply --definitions "$1" ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
