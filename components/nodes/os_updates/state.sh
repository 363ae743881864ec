# Prints what a node knows of its updates and its last boot: one fact a line, a word and its values. Changes nothing.
set -eu
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}
export LC_ALL PATH

root=
run=$root/run
stamps=$root/var/lib/apt/periodic
proc=/proc
library='^[^ ]* r-xp .* \(/usr\)\{0,1\}/lib[^ ]*\.so[^ ]* (deleted)$'

changed_at() { # word, file …; its times in seconds since 1970
	word=$1
	shift
	for file in "$@"; do
		[ ! -e "$file" ] || echo "$word $(stat -c %Z "$file")"
	done
}

kernels() { # the newest, which the boot loader starts by default
	for file in "$root"/boot/vmlinuz-*; do
		case $file in *'*' | *.old | *.dpkg-*) continue ;; esac
		printf '%s\n' "${file##*/vmlinuz-}"
	done | sort -V | tail -n 1
}

deleted() { # units of systemd that run a library which is no longer there; pods have their own
	grep -s -l -e "$library" "$proc"/[0-9]*/maps | while IFS= read -r maps; do
		process=${maps%/maps}
		group=$(sed -n '/kubepods/d; s|.*/system\.slice/\([^/]*\.service\).*|\1|p' "$process/cgroup" 2>/dev/null | head -n 1) || continue
		[ -n "$group" ] || continue
		path=$(sed -n -e "/$library_in_sed/{s/^[^/]*//; s/ (deleted)\$//; p; q;}" "$maps" 2>/dev/null) || continue
		[ ! -e "$path" ] || echo "deleted $(stat -c %Z "$path") $group"
	done | sort -u -k 3
}
library_in_sed=$(printf '%s' "$library" | sed 's|/|\\/|g')

echo "boot $(cat "$proc/sys/kernel/random/boot_id")"
now=$(date +%s)
echo "now $now"
# Of the first process: a container has the uptime of its host.
age=$(ps -o etimes= -p 1 2>/dev/null | tr -d ' ') || age=
[ -n "$age" ] || { read -r age _ <"$proc/uptime" && age=${age%.*}; }
echo "booted $((now - age))"
echo "kernel $(uname -r)"
newest=$(kernels)
# A container boots its host's kernel.
if [ -n "$newest" ] && ! systemd-detect-virt --quiet --container 2>/dev/null; then
	echo "newest $(stat -c %Z "$root/boot/vmlinuz-$newest") $newest"
fi
changed_at required "$run/reboot-required"
[ ! -e "$run/reboot-required.pkgs" ] || sort -u "$run/reboot-required.pkgs" | sed -n 's/^\([a-z0-9][a-z0-9.+-]*\)$/package \1/p'
deleted
dpkg --audit 2>&1 </dev/null | sed -n '/[^ ]/{s/^/broken /p;q;}'
case $(systemctl is-active apt-daily-upgrade.service 2>/dev/null) in activating | active) echo installing ;; esac
changed_at enabled "$root/etc/apt/apt.conf.d/zz-vds-platform-updates.conf"
changed_at updated "$stamps/update-stamp"
changed_at upgraded "$stamps/upgrade-stamp"
echo end
