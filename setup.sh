#!/bin/sh
# Make the Python environment from the hashed lock: setup.sh PYTHON FOLDER. Whole or not at all: a run that is
# killed leaves no `ready` mark, and the next one starts anew. The mark says what the environment was made from.
set -eu
cd "$(dirname "$0")"
python=$1 folder=$2

# Two runs at once: the second waits, then finds it made. The lock is on this file, so that none is left behind.
exec 9<setup.sh
if command -v flock >/dev/null; then flock 9; fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "installing Debian's python3-venv"
		apt-get -qq update
		DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv >/dev/null
	else
		echo "error: Python with its venv module is needed; run: apt-get install python3-venv" >&2
		exit 1
	fi
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
	echo "error: Python 3.11 or newer is needed; run: make PYTHON=/path/to/python3 …" >&2
	exit 1
fi

made_from=$(pwd && "$python" --version && cat requirements.txt pyproject.toml setup.sh | cksum)
if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/ready" 2>/dev/null)" = "$made_from" ]; then
	touch "$folder/ready" 2>/dev/null || : # the files are only newer, not different; another user's is used as it is
	exit
fi
if [ -e "$folder" ] && [ ! -w "$folder" ]; then
	folder=$(realpath "$folder")
	echo "error: $folder cannot be made anew: it is another user's; run: sudo rm -r $folder" >&2
	exit 1
fi
echo "making the Python environment in $folder (once, about half a minute)"
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/pip" install --quiet --require-hashes -r requirements.txt
"$folder/bin/pip" install --quiet --no-deps --no-build-isolation -e .
printf '%s\n' "$made_from" >"$folder/made"
# What root makes would be root's, and nobody else could make it anew.
if [ "$(id -u)" = 0 ]; then chown -R "$(stat -c %u:%g .)" "$folder"; fi
mv "$folder/made" "$folder/ready"
