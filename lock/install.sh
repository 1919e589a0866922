#!/bin/sh
# Make the virtual environment $1 hold exactly lock/$2.txt, by hash, and this project, editable.
set -eu
venv=$1 depth=$2
here=$(dirname "$0")
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
echo "== installing lock/$depth.txt into $venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$here/$depth.txt"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e "$here/.."
# A deeper lock holds the shallower ones.
case $depth in
  all) touch "$venv/.demo" "$venv/.test" "$venv/.all" ;;
  test) touch "$venv/.demo" "$venv/.test" ;;
  demo) touch "$venv/.demo" ;;
esac
