#!/bin/sh
# Compares this project's DUSt3R network with the reference implementation on random weights.
# The reference is licensed for non-commercial use only. It is installed alone, into a folder of its own, after its licence
# was shown; the package never imports it.
#   usage: tools/parity.sh [folder for the reference]     PYTHON selects the interpreter
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
folder=${1:-out/parity/reference}
version=0.1.2

if [ ! -d "$folder/mini_dust3r" ]; then
    download=$(mktemp -d)
    trap 'rm -rf "$download"' EXIT
    "$python" -m pip download --quiet --no-deps --dest "$download" "mini-dust3r==$version"
    echo "The reference, mini-dust3r $version, comes under this licence:"
    "$python" - "$download" <<'PYTHON'
import pathlib
import sys
import zipfile

(wheel,) = pathlib.Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    (name,) = [n for n in archive.namelist() if n.endswith("LICENSE")]
    print(archive.read(name).decode("utf-8"))
PYTHON
    mkdir -p "$folder"
    # What it imports at the least: three small packages in pure Python.
    "$python" -m pip install --quiet --no-deps --target "$folder" "$download"/*.whl einops roma trimesh tqdm
fi
INTERPOSE_PARITY_REFERENCE=$folder exec "$python" -m pytest -q -p no:cacheprovider test/parity
