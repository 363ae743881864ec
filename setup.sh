#!/bin/sh
# Makes the Python environment from the lock with hashes: setup.sh PYTHON FOLDER. It writes the file `ready` last, with a
# checksum of the inputs. If a run is killed, the file is missing, and the next run starts again.
set -eu
cd "$(dirname "$0")"
python=$1 folder=$2

# If two runs start at once, the second waits and then finds the environment. The lock is on this file itself, so no lock
# file remains.
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
	touch "$folder/ready" 2>/dev/null || : # only newer, not different; another user's file stays as it is
	exit
fi
if [ -e "$folder" ] && [ ! -w "$folder" ]; then
	folder=$(realpath "$folder")
	echo "error: $folder belongs to another user; run: sudo rm -r $folder" >&2
	exit 1
fi
echo "making the Python environment in $folder (once, about half a minute)"
rm -rf "$folder"
"$python" -m venv "$folder"
# The lock is complete. pip's resolver would ask for a second pin of a package that another one needs with an extra.
"$folder/bin/pip" install --quiet --no-deps --require-hashes -r requirements.txt
"$folder/bin/pip" install --quiet --no-deps --no-build-isolation -e .
"$folder/bin/pip" check --quiet
printf '%s\n' "$made_from" >"$folder/made"
# Without this, only root could change an environment that root has made.
if [ "$(id -u)" = 0 ]; then chown -R "$(stat -c %u:%g .)" "$folder"; fi
mv "$folder/made" "$folder/ready"
