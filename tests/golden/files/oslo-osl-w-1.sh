# One text, four verbs, because the engine gives create, update and delete the same standard input:
#   apply   set this node up; the same for the first run and every later one
#   check   read only: how the node stands against what the stack file wants
#   confirm keep the firewall that apply has set, over a connection that it let through
#   remove  restore the node as the first run found it
# Standard output is JSON lines with live values, then one word: changed or unchanged (apply, remove);
# converged, drifted, outdated or absent (check).
# Exit: 0 done, 2 wrong use, 3 not fit (nothing was changed), 4 another run holds the lock,
# 5 the kernel refused a value, 6 a file could not be written. All text sits in functions: a connection lost half-way runs nothing.
set -eu

node=osl-w-1
machine=server
kernel_floor=5.10
kernel_reason='Cilium 1.20.2'
keep_swap=no
firewall=''
updates_apt='APT::Periodic::Enable "1";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
// apt adds up the lists of all its files.
#clear Unattended-Upgrade::Allowed-Origins;
#clear Unattended-Upgrade::Origins-Pattern;
Unattended-Upgrade::Origins-Pattern:: "origin=Debian,codename=${distro_codename},label=Debian-Security";
Unattended-Upgrade::Origins-Pattern:: "origin=Debian,codename=${distro_codename}-security,label=Debian-Security";
Unattended-Upgrade::Origins-Pattern:: "origin=Ubuntu,archive=${distro_codename}-security";
Unattended-Upgrade::Origins-Pattern:: "origin=UbuntuESMApps,archive=${distro_codename}-apps-security";
Unattended-Upgrade::Origins-Pattern:: "origin=UbuntuESM,archive=${distro_codename}-infra-security";
Unattended-Upgrade::Package-Blacklist:: "^containerd$";
Unattended-Upgrade::Package-Blacklist:: "^containerd\\.io$";
Unattended-Upgrade::Package-Blacklist:: "^cri-tools$";
Unattended-Upgrade::Package-Blacklist:: "^kubeadm$";
Unattended-Upgrade::Package-Blacklist:: "^kubectl$";
Unattended-Upgrade::Package-Blacklist:: "^kubelet$";
Unattended-Upgrade::Package-Blacklist:: "^kubernetes-cni$";
// vds reboot does that, one node at a time.
Unattended-Upgrade::Automatic-Reboot "false";'
updates_origins='origin=Debian,codename=${distro_codename},label=Debian-Security
origin=Debian,codename=${distro_codename}-security,label=Debian-Security
origin=Ubuntu,archive=${distro_codename}-security
origin=UbuntuESMApps,archive=${distro_codename}-apps-security
origin=UbuntuESM,archive=${distro_codename}-infra-security'
updates_download='*-*-* 00:00:00 Europe/Oslo'
updates_install='*-*-* 01:00:00 Europe/Oslo'
updates_timezone=Europe/Oslo
digest=c1f0c61985501b19

settings() {
	"$1" fs.file-max /proc/sys/fs/file-max minimum optional 2097152 0
	"$1" kernel.keys.root_maxbytes /proc/sys/kernel/keys/root_maxbytes exact required 25000000 0
	"$1" kernel.keys.root_maxkeys /proc/sys/kernel/keys/root_maxkeys exact required 1000000 0
	"$1" kernel.panic /proc/sys/kernel/panic exact required 10 0
	"$1" kernel.panic_on_oops /proc/sys/kernel/panic_on_oops exact required 1 0
	"$1" net.core.netdev_max_backlog /proc/sys/net/core/netdev_max_backlog minimum optional 5000 0
	"$1" net.core.rmem_max /proc/sys/net/core/rmem_max minimum optional 16777216 0
	"$1" net.core.somaxconn /proc/sys/net/core/somaxconn minimum optional 16384 0
	"$1" net.core.wmem_max /proc/sys/net/core/wmem_max minimum optional 16777216 0
	"$1" net.ipv4.ip_forward /proc/sys/net/ipv4/ip_forward exact required 1 0
	"$1" net.ipv4.ip_local_port_range /proc/sys/net/ipv4/ip_local_port_range exact optional '1024 65535' 0
	"$1" net.ipv4.tcp_fastopen /proc/sys/net/ipv4/tcp_fastopen exact optional 3 0
	"$1" net.ipv4.tcp_keepalive_intvl /proc/sys/net/ipv4/tcp_keepalive_intvl exact optional 60 0
	"$1" net.ipv4.tcp_keepalive_probes /proc/sys/net/ipv4/tcp_keepalive_probes exact optional 10 0
	"$1" net.ipv4.tcp_keepalive_time /proc/sys/net/ipv4/tcp_keepalive_time exact optional 600 0
	"$1" net.ipv4.tcp_max_syn_backlog /proc/sys/net/ipv4/tcp_max_syn_backlog minimum optional 16384 0
	"$1" net.ipv4.tcp_rmem /proc/sys/net/ipv4/tcp_rmem minimum optional '4096 87380 16777216' 0
	"$1" net.ipv4.tcp_wmem /proc/sys/net/ipv4/tcp_wmem minimum optional '4096 65536 16777216' 0
	"$1" net.netfilter.nf_conntrack_max /proc/sys/net/netfilter/nf_conntrack_max minimum optional 262144 0
	"$1" vm.overcommit_memory /proc/sys/vm/overcommit_memory exact required 1 0
	"$1" vm.panic_on_oom /proc/sys/vm/panic_on_oom exact required 0 0
	"$1" net.ipv4.ip_local_reserved_ports /proc/sys/net/ipv4/ip_local_reserved_ports ports optional 2379-2381,4240,6443,7946,10248-10250,10256-10257,10259,30000-32767 0
}

modules() {
	"$1" nf_conntrack
}

# Problems of a node: collected, so that all of them are reported at once. Needs node and problems.

complain() {
	problems="${problems}node $node: $*
"
}

stop_if_problems() { # exit status
	[ -z "$problems" ] || {
		printf '%s' "$problems" >&2
		exit "$1"
	}
}

state=/var/lib/vds-platform
swaps=/proc/swaps
# Boot applies the files of sysctl.d by name and the last value wins: ours comes after 99-sysctl.conf and k8s.conf.
sysctl_file=/etc/sysctl.d/zz-vds-platform.conf
modules_file=/etc/modules-load.d/vds-platform.conf
firewall_file=/etc/vds-platform-firewall.nft
firewall_unit=/etc/systemd/system/vds-platform-firewall.service
firewall_seconds=300
updates_file=/etc/apt/apt.conf.d/zz-vds-platform-updates.conf
updates_timers="apt-daily.timer apt-daily-upgrade.timer"
download_file=/etc/systemd/system/apt-daily.timer.d/zz-vds-platform-download.conf
install_file=/etc/systemd/system/apt-daily-upgrade.timer.d/zz-vds-platform-install.conf
networkd_file=/etc/systemd/networkd.conf.d/zz-vds-platform.conf
networkd=/run/systemd/netif/state
header="# Written by vds-platform for node $node. Do not edit: the next run puts it back."
mark='# set aside by vds-platform: '

# --- facts -----------------------------------------------------------------------------------------------

in_container() {
	if command -v systemd-detect-virt >/dev/null && [ -d /run/systemd/system ]; then
		! systemd-detect-virt --quiet --container || return 0
	fi
	# The kernel registers this key in the initial network namespace only.
	[ -e /proc/sys/net/core/netdev_max_backlog ] || return 0
	# PROC_PID_INIT_INO: a container shares the machine's fs.*, vm.* and kernel.* as well.
	[ "$(readlink /proc/self/ns/pid)" = 'pid:[4026531836]' ] || return 0
	outer=$(readlink /proc/1/ns/net 2>/dev/null) || return 1
	[ "$outer" != "$(readlink /proc/self/ns/net)" ]
}

read_live() { # path; sets live, blanks as one space
	live=$(cat "$1") # not the shell's own read: it asks byte by byte, and a sysctl answers the first byte only
	set -f
	# shellcheck disable=SC2086  # split on purpose
	set -- $live
	set +f
	live=$*
}

reach_of() { # key path; sets reach
	reach=own
	if [ ! -r "$2" ]; then
		reach=not-visible
	elif [ "$container" = true ]; then
		# A network namespace has its own copy in these families, and what is the machine's there is read-only.
		# Everything else is the machine's, even where root could write it. The exception is what the container's program
		# has put in its place, which is no file of the kernel's.
		case $1 in
		net.ipv4.* | net.ipv6.* | net.core.* | net.netfilter.*) [ -w "$2" ] || reach=host-wide-left-alone ;;
		*) [ -w "$2" ] && [ "$(stat -f -c %T "$2")" != proc ] || reach=host-wide-left-alone ;;
		esac
	fi
}

at_least() { # number number: is the first as large as the second? Kernel values pass 2^63, test(1) need not
	case $1$2 in *[!0-9-]*) return 1 ;; esac
	if [ "${#1}" -le 18 ] && [ "${#2}" -le 18 ]; then
		[ "$1" -ge "$2" ]
	elif [ "${#1}" -ne "${#2}" ]; then
		[ "${#1}" -gt "${#2}" ]
	else
		[ "$1" = "$2" ] || expr "n$1" '>' "n$2" >/dev/null
	fi
}

larger() { # value value; sets larger, number by number
	a=$1 b=$2 larger=
	while [ -n "$a$b" ]; do
		x=${a%% *} y=${b%% *}
		case $a in *' '*) a=${a#* } ;; *) a= ;; esac
		case $b in *' '*) b=${b#* } ;; *) b= ;; esac
		if [ -z "$x" ]; then
			x=$y
		elif [ -n "$y" ] && ! at_least "$x" "$y"; then
			x=$y
		fi
		larger="$larger${larger:+ }$x"
	done
}

scaled() { # value per-GiB; sets value: what grows with memory is at least so much for each GiB of it
	value=$1
	[ "$2" != 0 ] || return 0
	while read -r field kib _; do
		[ "$field" != MemTotal: ] || larger "$1" "$(($2 * kib / 1048576))"
	done </proc/meminfo
	value=$larger
}

goal_of() { # how value; needs live; sets goal. A minimum is raised and never lowered, a list of ports only added to
	goal=$2
	case $1 in
	minimum)
		larger "$2" "$live"
		goal=$larger
		;;
	ports) if covers "$live" "$2"; then goal=$live; else goal="$live${live:+,}$2"; fi ;;
	esac
}

covers() { # list list: does the first, as the kernel prints it, have every port of the second?
	for range in $(printf '%s' "$2" | tr , ' '); do
		found=false
		for wider in $(printf '%s' "$1" | tr , ' '); do
			if at_least "${range%-*}" "${wider%-*}" && at_least "${wider#*-}" "${range#*-}"; then found=true; fi
		done
		[ "$found" = true ] || return 1
	done
}

# --- report ----------------------------------------------------------------------------------------------

quote() { # text; sets quoted, fit for a JSON string
	case $1 in
	*[[:cntrl:]\\\"]*) quoted=$(printf '%s' "$1" | tr -d '[:cntrl:]' | sed 's/[\\"]/\\&/g') ;;
	*) quoted=$1 ;;
	esac
}

line() { # pairs of name and text; one JSON object
	text=
	while [ $# -gt 0 ]; do
		quote "$2"
		text="$text${text:+, }\"$1\": \"$quoted\""
		shift 2
	done
	printf '{%s}\n' "$text"
}

# --- preflight: everything that is wrong, at once, before any change -------------------------------------

preflight() {
	[ "$(id -u)" = 0 ] ||
		complain "runs as $(id -un), limit root: write ssh.user: root, or a user whose sudo asks for no password"
	for tool in cat cp date flock mkdir mv readlink rm rmdir sort stat sync tr; do
		command -v "$tool" >/dev/null || complain "lacks the tool $tool: install it (util-linux, coreutils)"
	done
	[ -r /proc/sys/kernel/osrelease ] || complain "shows no /proc/sys: mount proc"
}

preflight_apply() {
	read_live /proc/sys/kernel/osrelease
	number=${live%%[!0-9.]*}
	major=${number%%.*} rest=${number#*.}
	minor=${rest%%.*}
	floor_major=${kernel_floor%%.*} floor_minor=${kernel_floor#*.}
	if [ "$major" -lt "$floor_major" ] || { [ "$major" -eq "$floor_major" ] && [ "$minor" -lt "$floor_minor" ]; }; then
		complain "kernel $live, limit $kernel_floor ($kernel_reason): install a newer kernel and reboot, or choose another node"
	fi
	if [ "$container" = true ] && [ "$machine" != container ]; then
		complain "is a container, which shares its host's kernel: rent a virtual machine or a physical server"
	fi
	settings require
	[ -z "$firewall" ] || command -v nft >/dev/null || complain "lacks the tool nft, which sets nodeFirewall: apt-get install nftables"
	[ -z "$firewall" ] || [ -d /run/systemd/system ] || complain "has no systemd, whose timer removes a firewall that locks SSH out"
	if [ -n "$updates_apt" ]; then
		command -v apt-get >/dev/null || complain "lacks the tool apt-get: osUpdates is for Debian and Ubuntu; leave it out"
		[ -d /run/systemd/system ] || complain "has no systemd, whose timers run unattended-upgrades: leave osUpdates out"
	fi
	for folder in /etc /var/lib; do
		[ -w "$folder" ] || complain "$folder is read-only: look for a failing disk (dmesg), or mount it writable"
	done
}

require() { # key path how need value per-GiB
	[ "$4" = required ] || return 0
	case $1 in net.netfilter.* | net.bridge.*) return 0 ;; esac # may come with its module: judged when applied
	reach_of "$1" "$2"
	[ "$reach" = own ] ||
		complain "$1 is required and $reach here: choose a kernel that has it, or a machine of its own"
}

# --- what stood before -----------------------------------------------------------------------------------

save() { # path text; whole or not at all
	temporary=$1.new
	if { printf '%s\n' "$2" >"$temporary"; } 2>/dev/null && { sync "$temporary" 2>/dev/null || sync; } && mv -f "$temporary" "$1"; then
		temporary=
	else
		complain "$1 could not be written: look whether its disk is full or read-only (df ${1%/*}), then run again"
		stop_if_problems 6
	fi
}

keep_copy() { # path path; with owner and mode
	cp -p "$1" "$2.new"
	save "$2" "$(cat "$1")"
}

remember() { # key path; needs live
	[ -e "$state/before/$1" ] || save "$state/before/$1" "$live
$2"
}

recall() { # key; sets before and path
	before='' path=''
	[ -e "$state/before/$1" ] || return 0
	{
		IFS= read -r before || :
		IFS= read -r path || :
	} <"$state/before/$1"
}

restore() { # key
	recall "$1"
	if [ -e "$state/written/$1" ] && [ -w "$path" ]; then
		read_live "$path"
		if [ "$live" != "$before" ]; then
			{ printf '%s\n' "$before" >"$path"; } 2>/dev/null || :
			read_live "$path"
			changed=changed
		fi
		if [ "$live" = "$before" ]; then outcome=restored; else outcome=refused; fi
		line key "$1" before "$before" live "$live" state "$outcome"
	fi
	rm -f "$state/before/$1" "$state/written/$1"
}

# --- other files that set the same keys -------------------------------------------------------------------

sysctl_files() { # name/path of every file that sets kernel values, in the order in which boot applies them
	# By name; of two files with one name only that of the first folder counts (sysctl.d(5)).
	{
		printf '%s/%s\n' "${sysctl_file##*/}" "$sysctl_file"
		for folder in /etc /run /usr/local/lib /usr/lib; do
			for path in "$folder"/sysctl.d/*.conf; do
				[ ! -e "$path" ] || printf '%s/%s\n' "${path##*/}" "$path"
			done
		done
	} | sort -s -t / -k 1,1
	# Boot reads the first as 99-sysctl.conf, if at all, and `sysctl --system` reads it last; ufw has one of its own.
	for path in /etc/sysctl.conf /etc/ufw/sysctl.conf; do
		[ ! -e "$path" ] || printf 'after all/%s\n' "$path"
	done
}

assignment() { # line of such a file; sets key, empty if the line sets none, and value
	key='' value=''
	case $1 in *=*) ;; *) return 0 ;; esac
	value=${1#*=}
	set -f
	# shellcheck disable=SC2086  # split on purpose
	set -- ${1%%=*}
	key=${1-}
	# shellcheck disable=SC2086  # split on purpose
	set -- $value
	set +f
	value=$* key=${key#-}
	# A pattern counts only for keys that no file names, and ours names them.
	case $key in '#'* | ';'* | *[*?[]*) key= ;; esac
	case ${key#"${key%%[./]*}"} in /*) key=$(printf '%s' "$key" | tr ./ /.) ;; esac # net/ipv4/ip_forward
}

read_assignments() { # start of lines that is left out; sets assignments, one a line: before or after us, key, file, value
	assignments='' rank=before previous=
	while IFS=/ read -r name path; do
		[ "$name" != "$previous" ] || [ "$name" = 'after all' ] || continue
		previous=$name
		if [ "$path" = "$sysctl_file" ]; then
			rank=after
			continue
		fi
		while IFS= read -r text || [ -n "$text" ]; do
			assignment "${text#"$1"}"
			[ -z "$key" ] || assignments="$assignments$rank	$key	$path	$value
"
		done <"$path"
	done <<-END
		$(sysctl_files)
	END
}

contradicts() { # how wanted other: would the other value undo ours?
	case $1 in
	minimum) larger "$2" "$3" && [ "$larger" != "$3" ] ;;
	ports) ! covers "$3" "$2" ;;
	*) [ "$2" != "$3" ] ;;
	esac
}

override_of() { # key path how need value per-GiB; adds to overrides what later files set otherwise
	reach_of "$1" "$2"
	[ "$reach" = own ] || return 0
	scaled "$5" "$6"
	wanted=$value
	while IFS='	' read -r rank key path value; do
		if [ "$rank $key" = "after $1" ] && contradicts "$3" "$wanted" "$value"; then
			overrides="$overrides$key	$path	$value
"
		fi
	done <<-END
		$assignments
	END
}

put_aside() { # file; comments out its lines that undo ours, and lets in again those that do no longer
	content='' touched=false
	while IFS= read -r original || [ -n "$original" ]; do
		text=${original#"$mark"}
		assignment "$text"
		case "
$overrides" in
		*"
$key	$1	$value
"*) [ -z "$key" ] || text=$mark$text ;;
		esac
		[ "$text" = "$original" ] || touched=true
		content="$content$text
"
	done <"$1"
	[ "$touched" = true ] || return 0
	place=$(readlink -f "$1")
	cp -p "$place" "$place.new" # with its owner and mode
	save "$place" "${content%?}"
	changed=changed
}

apply_overrides() {
	read_assignments "$mark"
	overrides='' places=''
	settings override_of
	[ ! -e "$state/aside" ] || places=$(cat "$state/aside")
	while IFS='	' read -r key path value; do
		outcome=set-aside
		case $path in
		'') continue ;;
		/etc/*) case "
$places
" in *"
$path
"*) ;; *) places="$places${places:+
}$path" ;; esac ;;
		*)
			outcome=undoes
			complain "$path sets $key = $value at boot, after us: take that line out, or leave the setting out here"
			;;
		esac
		line override "$path" sysctl "$key" value "$value" state "$outcome"
	done <<-END
		$overrides
	END
	[ -z "$places" ] || save "$state/aside" "$places"
	let_in_or_put_aside
}

let_in_or_put_aside() { # needs places and overrides
	while IFS= read -r path; do
		[ ! -f "$path" ] || put_aside "$path"
	done <<-END
		$places
	END
}

check_overrides() {
	read_assignments ''
	overrides=''
	settings override_of
	while IFS='	' read -r key path value; do
		[ -n "$key" ] || continue
		verdict=drifted
		line override "$path" sysctl "$key" value "$value" state undoes
	done <<-END
		$overrides
	END
}

remove_overrides() {
	[ -e "$state/aside" ] || return 0
	overrides='' places=$(cat "$state/aside")
	let_in_or_put_aside
}

# --- settings --------------------------------------------------------------------------------------------

apply_setting() { # key path how need value per-GiB
	scaled "$5" "$6"
	live='' before=''
	reach_of "$1" "$2"
	outcome=$reach
	if [ "$reach" = own ]; then
		read_live "$2"
		remember "$1" "$2"
		recall "$1"
		goal_of "$3" "$value"
		if [ "$live" != "$goal" ]; then
			[ -e "$state/written/$1" ] || save "$state/written/$1" "$goal"
			{ printf '%s\n' "$goal" >"$2"; } 2>/dev/null || :
			read_live "$2"
			changed=changed
		fi
		judge "$1" "$3" "$value"
		if [ "$outcome" = drifted ]; then
			outcome=refused
			complain "the kernel refused $1 = $goal (live: $live): write a value it takes, or leave the setting out"
		fi
	elif [ "$reach" != not-visible ]; then
		read_live "$2"
	fi
	if [ "$4" = required ] && [ "$reach" != own ]; then
		complain "$1 is required and $reach here: choose a kernel that has it, or a machine of its own"
	fi
	line key "$1" how "$3" wanted "$value" before "$before" live "$live" state "$outcome"
}

check_setting() { # key path how need value per-GiB
	scaled "$5" "$6"
	live='' before=''
	reach_of "$1" "$2"
	outcome=$reach
	[ "$reach" = not-visible ] || read_live "$2"
	if [ "$reach" = own ]; then
		recall "$1"
		judge "$1" "$3" "$value"
		[ "$outcome" != drifted ] || verdict=drifted
	fi
	line key "$1" how "$3" wanted "$value" before "$before" live "$live" state "$outcome"
}

judge() { # key how value; needs live; sets outcome
	goal_of "$2" "$3"
	outcome=applied
	if [ "$live" != "$goal" ]; then
		outcome=drifted
	elif [ "$2" != exact ] && [ "$live" != "$3" ] && [ ! -e "$state/written/$1" ]; then
		outcome=raised-already
	fi
}

setting_line() { # key path how need value per-GiB; adds to content what the node must have at its next boot
	scaled "$5" "$6"
	reach_of "$1" "$2"
	recall "$1"
	if [ "$reach" = host-wide-left-alone ]; then
		content="$content
# $1 = $value  (host-wide, left alone: this node is a container)"
		return
	fi
	if [ "$reach" = not-visible ]; then # the minus: systemd and procps go on where the key is missing
		content="$content
-$1 = $value"
		return
	fi
	[ -z "$before" ] || case $3 in
	minimum)
		larger "$value" "$before"
		value=$larger
		if [ "$larger" = "$before" ] && ! lowered_at_boot "$1" "$before"; then # a line might lower it after an upgrade
			content="$content
# $1: $before before us, $5 at least is wanted"
			return
		fi
		;;
	ports) if covers "$before" "$value"; then value=$before; else value="$before,$value"; fi ;;
	esac
	content="$content
$1 = $value"
}

lowered_at_boot() { # key value; does the last of the other files that set the key set less?
	least=
	while IFS='	' read -r rank key path other; do
		[ "$rank $key" != "before $1" ] || least=$other
	done <<-END
		$assignments
	END
	[ -n "$least" ] && contradicts minimum "$2" "$least"
}

# --- modules ---------------------------------------------------------------------------------------------

module_state() { # name; sets outcome
	if [ -d "/sys/module/$1" ]; then
		outcome=loaded
	elif [ "$container" = true ]; then
		outcome=host-wide-left-alone
	else
		outcome=not-available
	fi
}

apply_module() { # name
	module_state "$1"
	if [ "$outcome" = not-available ] && modprobe -q "$1" </dev/null >/dev/null 2>&1; then
		if [ -d "/sys/module/$1" ]; then
			save "$state/modules/$1" loaded-by-us
			outcome=loaded changed=changed
		else
			outcome=built-in
		fi
	fi
	[ -e "$state/modules/$1" ] || save "$state/modules/$1" "$outcome"
	line module "$1" state "$outcome"
}

check_module() { # name
	module_state "$1"
	recorded=
	[ ! -e "$state/modules/$1" ] || IFS= read -r recorded <"$state/modules/$1" || :
	case $outcome:$recorded in
	not-available:loaded*) outcome=drifted verdict=drifted ;;
	not-available:built-in) outcome=built-in ;;
	esac
	line module "$1" state "$outcome"
}

module_line() { # name
	if [ "$container" = true ]; then
		content="$content
# $1  (host-wide, left alone: this node is a container)"
	else
		content="$content
$1"
	fi
}

# --- swap and time ---------------------------------------------------------------------------------------

systemd() { # words; quietly, and only where it is the init
	[ -d /run/systemd/system ] && "$@" </dev/null >/dev/null 2>&1
}

swap_state() { # sets outcome: on, off, left-alone or host-wide-left-alone; and devices, one a line
	devices='' outcome=off
	while read -r device _; do
		case $device in /*) devices="$devices$device
" ;; esac
	done <"$swaps"
	if [ "$keep_swap" = yes ]; then
		outcome=left-alone
	elif [ -n "$devices" ]; then
		outcome=on
		[ "$container" != true ] || outcome=host-wide-left-alone
	fi
}

swap_again() { # needs devices; sets outcome: what we switched off is switched on, and then no longer ours
	outcome=restored
	systemd systemctl unmask swap.target || :
	while IFS= read -r device; do
		case "
$devices" in *"
$device
"*) continue ;; esac # somebody was quicker
		# A device that is no longer there is its owner's doing; one that is there and refused stays on record.
		swapon "$device" </dev/null || [ ! -e "$device" ] || outcome=refused
	done <"$state/swap"
	[ "$outcome" = refused ] || rm -f "$state/swap"
}

apply_swap() {
	swap_state
	if [ "$outcome" = on ]; then
		[ -e "$state/swap" ] || save "$state/swap" "${devices%?}"
		systemd systemctl mask swap.target || : # at boot nothing else asks for it
		if swapoff -a </dev/null; then
			outcome=switched-off changed=changed
		else
			outcome=refused
			complain "swap could not be switched off: free some memory, or write keepSwap: true"
		fi
	elif [ "$outcome" = left-alone ] && [ -e "$state/swap" ]; then # by us, before the stack file kept it
		swap_again
		if [ "$outcome" = refused ]; then
			complain "swap could not be switched on again: see swapon's own words above, and $state/swap"
		else
			outcome=switched-on changed=changed
		fi
	fi
	line service swap state "$outcome"
}

check_swap() {
	swap_state
	[ "$outcome" != on ] || outcome=drifted verdict=drifted
	line service swap state "$outcome"
}

remove_swap() {
	[ -e "$state/swap" ] || return 0
	swap_state
	swap_again
	line service swap state "$outcome"
}

time_service() { # sets outcome: on, off or not-available
	outcome=not-available
	if systemd timedatectl show -p NTP; then
		outcome=off
		[ "$(timedatectl show -p CanNTP --value)" = yes ] || outcome=not-available
		[ "$(timedatectl show -p NTP --value)" != yes ] || outcome=on
	elif pidof chronyd ntpd >/dev/null 2>&1; then
		outcome=on
	fi
	[ "$container" != true ] || outcome=host-wide-left-alone
}

apply_time() {
	time_service
	if [ "$outcome" = off ] && systemd timedatectl set-ntp true; then
		save "$state/time" switched-on
		outcome=switched-on changed=changed
	fi
	line service time state "$outcome"
}

check_time() {
	time_service
	[ "$outcome" != off ] || outcome=drifted verdict=drifted
	line service time state "$outcome"
}

remove_time() {
	[ -e "$state/time" ] || return 0
	outcome=refused
	if systemd timedatectl set-ntp false; then
		rm -f "$state/time"
		outcome=restored
	fi
	line service time state "$outcome"
}

# --- files -----------------------------------------------------------------------------------------------

file_content() { # path; sets content
	content=$header
	case $1 in
	"$sysctl_file") settings setting_line ;;
	"$firewall_file") content=$header"
$firewall" ;;
	"$firewall_unit")
		content="$content
[Unit]
Description=vds-platform: closes the ports of the cluster to the world
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=nft -f $firewall_file
[Install]
WantedBy=multi-user.target"
		;;
	"$updates_file")
		content="$content
$updates_apt"
		;;
	"$download_file") timer_content "$updates_download" ;;
	"$install_file") timer_content "$updates_install" ;;
	"$networkd_file")
		# At a restart systemd-networkd removes routes and rules that it has not set: those of the CNI.
		content="$content
[Network]
ManageForeignRoutes=no
ManageForeignRoutingPolicyRules=no"
		;;
	*) modules module_line ;;
	esac
}

uses_networkd() { # it writes its state when it starts. It reads its settings then, too: it is not restarted for ours
	[ -s "$networkd" ]
}

standing() { # path; sets outcome by comparing with content
	outcome=missing
	[ ! -e "$1" ] || if [ "$(cat "$1")" = "$content" ]; then outcome=as-written; else outcome=differs; fi
}

record_name() { # path; sets folder and name: what the record of a file is called. Two have the same last part
	folder=${1%/*} name=${1##*/}
	[ "$1" != "$networkd_file" ] || name=networkd-$name
}

is_ours() { # path
	grep -q -s -F '# Written by vds-platform for node ' "$1"
}

apply_file() { # path
	record_name "$1"
	if [ ! -d "$folder" ]; then
		mkdir -p "$folder"
		: >"$state/files/made-${folder##*/}"
	fi
	if [ ! -e "$state/files/known-$name" ]; then # a file of our name that is not ours is kept and restored
		[ ! -e "$1" ] || is_ours "$1" || keep_copy "$1" "$state/files/$name"
		: >"$state/files/known-$name"
	fi
	file_content "$1"
	standing "$1"
	if [ "$outcome" != as-written ]; then
		save "$1" "$content"
		changed=changed outcome=written
	fi
	line file "$1" state "$outcome"
}

check_file() { # path
	file_content "$1"
	standing "$1"
	[ "$outcome" = as-written ] || verdict=drifted
	line file "$1" state "$outcome"
}

remove_file() { # path
	record_name "$1"
	[ -e "$state/files/known-$name" ] || is_ours "$1" || return 0 # an earlier release had one record for both
	if [ -e "$state/files/$name" ]; then
		keep_copy "$state/files/$name" "$1"
	else
		rm -f "$1"
	fi
	[ ! -e "$state/files/made-${folder##*/}" ] || rmdir "$folder" 2>/dev/null || :
	changed=changed
	line file "$1" state restored
}

# --- firewall --------------------------------------------------------------------------------------------
# Two steps. apply loads the rules, and a timer that takes them back. The next connection has come through them: confirm
# stops the timer and writes the files that load them at boot.

loaded_rules() { # sets rules: our table as the kernel has it, empty if it is not there
	rules=$(nft list table inet vds_platform 2>/dev/null </dev/null) || rules=
}

firewall_stands() { # is the wanted rule set confirmed, and loaded as it was then?
	[ -e "$state/firewall" ] && [ -e "$firewall_file" ] || return 1
	loaded_rules
	file_content "$firewall_file"
	[ -n "$rules" ] && [ "$rules" = "$(cat "$state/firewall")" ] && [ "$(cat "$firewall_file")" = "$content" ]
}

apply_firewall() {
	if [ -z "$firewall" ]; then
		remove_firewall
		return 0
	fi
	outcome=as-written
	if ! firewall_stands; then
		outcome=loaded changed=changed
		loaded_rules
		save "$state/firewall-before" "table inet vds_platform
delete table inet vds_platform
$rules"
		systemctl stop vds-platform-firewall-back.timer >/dev/null 2>&1 </dev/null || :
		if ! systemd-run --quiet --collect --unit=vds-platform-firewall-back --on-active="$firewall_seconds" \
			nft -f "$state/firewall-before" </dev/null; then
			outcome=refused
			complain "systemd-run could not set the timer that takes the firewall back: see its own words above"
		elif ! printf '%s\n' "$firewall" | nft -f -; then
			outcome=refused
			complain "nft refused the rules of nodeFirewall: see its own words above"
		fi
	fi
	line service firewall state "$outcome"
}

confirm() {
	preflight
	stop_if_problems 3
	if [ -n "$firewall" ] && ! firewall_stands; then
		lock
		loaded_rules
		[ -n "$rules" ] || {
			complain "its firewall is not loaded: the timer took it back after $firewall_seconds s; run again"
			stop_if_problems 5
		}
		systemctl stop vds-platform-firewall-back.timer </dev/null || {
			complain "the timer that takes its firewall back could not be stopped: see systemctl's own words above"
			stop_if_problems 5
		}
		apply_file "$firewall_file"
		apply_file "$firewall_unit"
		systemd systemctl daemon-reload || :
		systemd systemctl enable vds-platform-firewall.service || complain "could not enable vds-platform-firewall.service"
		save "$state/firewall" "$rules"
		rm -f "$state/firewall-before"
		stop_if_problems 5
		changed=changed
	fi
	printf '%s\n' "$changed"
}

check_firewall() {
	[ -n "$firewall" ] || return 0
	outcome=as-written
	firewall_stands || outcome=drifted verdict=drifted
	line service firewall state "$outcome"
}

remove_firewall() {
	[ -e "$state/firewall" ] || [ -e "$state/firewall-before" ] || return 0
	systemctl stop vds-platform-firewall-back.timer >/dev/null 2>&1 </dev/null || :
	systemd systemctl disable vds-platform-firewall.service || :
	nft delete table inet vds_platform >/dev/null 2>&1 </dev/null || : # it is gone already
	remove_file "$firewall_file"
	remove_file "$firewall_unit"
	rm -f "$state/firewall" "$state/firewall-before"
	changed=changed
	line service firewall state restored
}

# --- updates of the operating system ---------------------------------------------------------------------
# unattended-upgrades installs, by Debian's own timers. No node reboots by itself: `vds reboot` does that.

timer_content() { # OnCalendar; adds to content. Spread over half an hour: nodes do not all restart a service at once
	content="$content
[Timer]
OnCalendar=
OnCalendar=$1
RandomizedDelaySec=30m"
}

is_installed() { # package
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

apt() { # what words …; waits for apt's locks. Its output is shown only if it fails
	what=$1 tries=0
	shift
	until said=$(DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=60 -o Acquire::Retries=3 "$@" 2>&1 </dev/null); do
		tries=$((tries + 1))
		case $said in *'get lock'* | *'to lock'*) [ "$tries" -lt 30 ] && sleep 2 && continue ;; esac
		printf '%s\n' "$said" | tail -n 20 >&2
		complain "$what failed, see above: the node's own apt sources must have it; correct that and run again"
		return 1
	done
}

install_updates() {
	missing=
	for package in unattended-upgrades tzdata; do # of the time zone in the timers
		is_installed "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	apt 'apt-get update' update || return 1
	case $missing in *unattended-upgrades*) save "$state/updates-installed" unattended-upgrades ;; esac
	# shellcheck disable=SC2086  # split on purpose
	apt "installing$missing" --no-install-recommends install $missing || return 1
	changed=changed
}

timer_state() { # timer; sets enabled and active
	enabled=$(systemctl is-enabled "$1" 2>/dev/null </dev/null) || :
	active=$(systemctl is-active "$1" 2>/dev/null </dev/null) || :
}

updates_stand() { # are the timers on, and does apt read what we wrote, with all of its files?
	for timer in $updates_timers; do
		timer_state "$timer"
		[ "$enabled $active" = 'enabled active' ] || return 1
	done
	is_installed unattended-upgrades || return 1
	enable='' lists='' upgrade='' reboot=''
	eval "$(apt-config shell enable APT::Periodic::Enable lists APT::Periodic::Update-Package-Lists \
		upgrade APT::Periodic::Unattended-Upgrade reboot Unattended-Upgrade::Automatic-Reboot </dev/null)"
	[ "$enable $lists $upgrade $reboot" = '1 1 1 false' ] || return 1
	[ "$(apt-config dump --format '%v%n' Unattended-Upgrade::Origins-Pattern </dev/null | sed '/^$/d')" = "$updates_origins" ]
}

apply_updates() {
	if [ -z "$updates_apt" ]; then
		remove_updates
		return 0
	fi
	install_updates || return 0
	# The folder of the zones, and not the package alone: an image may have left it out.
	[ -e "/usr/share/zoneinfo/$updates_timezone" ] ||
		complain "does not know the time zone $updates_timezone: apt-get install --reinstall tzdata"
	outcome=on earlier=$changed changed=unchanged
	apply_file "$updates_file"
	apply_file "$download_file"
	apply_file "$install_file"
	outcome=on
	if [ "$changed" = changed ] || ! updates_stand; then
		for timer in $updates_timers; do
			timer_state "$timer"
			[ -e "$state/before-$timer" ] || save "$state/before-$timer" "$enabled"
			systemctl unmask "$timer" >/dev/null 2>&1 </dev/null || :
		done
		systemctl daemon-reload </dev/null || :
		for timer in $updates_timers; do
			systemctl enable "$timer" >/dev/null 2>&1 </dev/null || :
			systemctl restart "$timer" </dev/null || : # it reads its new time
		done
		outcome=switched-on changed=changed
		updates_stand || {
			outcome=refused
			complain "unattended-upgrades could not be switched on: read systemctl status $updates_timers, and look for" \
				"another file in /etc/apt/apt.conf.d that sorts after ours and changes APT::Periodic or Unattended-Upgrade"
		}
	fi
	[ "$earlier" = unchanged ] || changed=changed
	line service os-updates state "$outcome"
}

check_updates() {
	[ -n "$updates_apt" ] || return 0
	check_file "$updates_file"
	check_file "$download_file"
	check_file "$install_file"
	outcome=on
	updates_stand || outcome=drifted verdict=drifted
	line service os-updates state "$outcome"
}

remove_updates() {
	[ -e "$state/files/known-${updates_file##*/}" ] || [ -e "$state/updates-installed" ] || return 0
	remove_file "$updates_file"
	remove_file "$download_file"
	remove_file "$install_file"
	outcome=restored
	if [ -e "$state/updates-installed" ]; then
		problems_before=$problems
		if ! is_installed unattended-upgrades || apt 'removing unattended-upgrades' purge unattended-upgrades; then
			rm -f "$state/updates-installed"
		else
			outcome=refused problems=$problems_before # it stays, and the record of it
		fi
	fi
	systemctl daemon-reload >/dev/null 2>&1 </dev/null || :
	for timer in $updates_timers; do
		before=
		[ ! -e "$state/before-$timer" ] || IFS= read -r before <"$state/before-$timer" || :
		case $before in
		masked) # what wants it stays as it was below the mask
			systemctl stop "$timer" >/dev/null 2>&1 </dev/null || :
			systemctl mask "$timer" >/dev/null 2>&1 </dev/null || :
			;;
		disabled) systemctl disable --now "$timer" >/dev/null 2>&1 </dev/null || : ;;
		enabled) systemctl restart "$timer" >/dev/null 2>&1 </dev/null || : ;;
		esac
		rm -f "$state/before-$timer"
	done
	rm -f "$state/files/known-${updates_file##*/}" "$state/files/known-${download_file##*/}" "$state/files/known-${install_file##*/}"
	changed=changed
	line service os-updates state "$outcome"
}

# --- verbs -----------------------------------------------------------------------------------------------

lock() { # the folder is the lock: nothing is left behind by a run that is killed
	exec 9<"$state"
	flock -w 20 9 || {
		complain "another run of vds-platform holds $state: wait for it to end, or end it"
		stop_if_problems 4
	}
}

is_wanted() { # key path …
	[ "$1" != "$candidate" ] || found=true
}

forget_unwanted() { # what an earlier stack file wanted and this one does not goes back to what it was
	for record in "$state"/before/*; do
		[ -e "$record" ] || continue
		candidate=${record##*/} found=false
		settings is_wanted
		[ "$found" = true ] || restore "$candidate"
	done
}

about() {
	read_live /proc/sys/kernel/osrelease
	line node "$node" kernel "$live" container "$container" at "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
}

apply() {
	preflight
	stop_if_problems 3
	preflight_apply
	stop_if_problems 3
	mkdir -p "$state/before" "$state/written" "$state/modules" "$state/files"
	lock
	rm -f "$state/applied"
	about
	modules apply_module
	apply_swap
	apply_time
	forget_unwanted
	settings apply_setting
	apply_overrides
	apply_file "$sysctl_file"
	apply_file "$modules_file"
	! uses_networkd || apply_file "$networkd_file"
	apply_updates
	apply_firewall
	stop_if_problems 5
	save "$state/applied" "$digest"
	printf '%s\n' "$changed"
}

check() {
	preflight
	stop_if_problems 3
	about
	verdict=absent
	if [ -e "$state/applied" ]; then
		IFS= read -r applied <"$state/applied" || :
		if [ "$applied" = "$digest" ]; then verdict=converged; else verdict=outdated; fi
	fi
	standing_verdict=$verdict
	modules check_module
	check_swap
	check_time
	settings check_setting
	check_overrides
	check_file "$sysctl_file"
	check_file "$modules_file"
	! uses_networkd || check_file "$networkd_file"
	check_updates
	check_firewall
	[ "$standing_verdict" = converged ] || verdict=$standing_verdict # only what was applied can drift
	printf '%s\n' "$verdict"
}

remove() {
	preflight
	stop_if_problems 3
	if [ -d "$state" ]; then
		lock
		about
		for record in "$state"/before/*; do
			[ -e "$record" ] || continue
			restore "${record##*/}"
		done
		for record in "$state"/modules/*; do
			[ -e "$record" ] || continue
			IFS= read -r recorded <"$record" || :
			# In use by something else by now, it stays: that one owns it.
			[ "$recorded" != loaded-by-us ] || modprobe -q -r "${record##*/}" </dev/null >/dev/null 2>&1 || :
		done
		remove_swap
		remove_time
		remove_overrides
		remove_file "$sysctl_file"
		remove_file "$modules_file"
		remove_file "$networkd_file"
		remove_updates
		remove_firewall
		if [ -e "$state/swap" ] || [ -e "$state/time" ] || [ -e "$state/updates-installed" ]; then # refused: what stood before stays known
			rm -rf "$state/before" "$state/written" "$state/modules" "$state/files" "$state/applied" "$state/aside"
		else
			rm -rf "$state"
		fi
		changed=changed
	fi
	printf '%s\n' "$changed"
}

main() {
	LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}
	export LC_ALL PATH
	umask 022
	problems='' changed=unchanged temporary='' container=false
	trap '[ -z "$temporary" ] || rm -f "$temporary"' EXIT
	trap 'exit 143' HUP INT TERM
	if in_container; then container=true; fi
	case ${1:-apply} in
	apply) apply ;;
	check) check ;;
	confirm) confirm ;;
	remove) remove ;;
	*)
		printf 'use: sh -s apply|check|confirm|remove\n' >&2
		exit 2
		;;
	esac
}

main "$@"
