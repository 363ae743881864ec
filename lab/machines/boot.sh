# The first process of a machine, before systemd replaces it. systemd-nspawn has made the namespaces. This script gives
# the machine its own view of the kernel, so that its settings do not reach the host.
set -eu

mount --make-rprivate /

# Kernel values outside net.* belong to the host (kernel.*, vm.*, fs.*, user.*, …). They are replaced with copies, so
# software reads what it has written, and each boot starts with the host's values. net.* belongs to the network
# namespace and is not copied.
copies=/run/vdslab
mkdir $copies
mount -t tmpfs -o mode=755,size=8m tmpfs $copies
for folder in /proc/sys/*/; do
	name=${folder#/proc/sys/}
	[ "$name" != net/ ] || continue
	# cp skips a value that can't be read. Mounts in this folder belong to the host.
	cp -rx "$folder" "$copies/$name" 2>/dev/null || :
done
for key in $(cd /proc/sys && find . -xdev -path ./net -prune -o -type f ! -perm -400 -print); do
	: >"$copies/$key" # write-only, as vm.drop_caches
done
cat /proc/sys/kernel/random/boot_id >$copies/kernel/random/boot_id # systemd-nspawn's, new at each boot
# These belong to the machine's own namespaces (UTS, IPC, PID); uuid is new at each reading.
for key in hostname domainname auto_msgmni msgmax msgmnb msgmni msg_next_id sem sem_next_id shmall shmmax shmmni \
	shm_next_id shm_rmid_forced ns_last_pid random/uuid; do
	[ ! -e /proc/sys/kernel/$key ] || mount --bind /proc/sys/kernel/$key $copies/kernel/$key
done
[ ! -d /proc/sys/fs/mqueue ] || mount --bind /proc/sys/fs/mqueue $copies/fs/mqueue
for folder in "$copies"/*/; do
	mount --rbind "$folder" "/proc/sys/${folder#"$copies"/}"
done
echo 'Filename				Type		Size		Used		Priority' >$copies/swaps
mount --bind $copies/swaps /proc/swaps # swapoff -a must find none
umount -R $copies
rmdir $copies

for path in acpi bus fs irq scsi sysrq-trigger; do
	[ -e /proc/$path ] || continue
	mount --bind /proc/$path /proc/$path
	mount -o remount,bind,ro /proc/$path
done

# /sys of the machine's network namespace, with the machine's links. It is read-only, except for links, cgroups and the
# machine's own BPF file system. With a read-only /sys, systemd does not start udev, which would set up devices.
new=/run/sys
mkdir $new
mount -t sysfs -o nosuid,nodev,noexec sysfs $new
mount --bind $new/devices/virtual/net $new/devices/virtual/net
mount -o remount,bind,ro $new
mount --move /sys/fs/cgroup $new/fs/cgroup
mount -t bpf -o nosuid,nodev,noexec bpf $new/fs/bpf
umount -R -l /sys
mount --move $new /sys
rmdir $new

# systemd-nspawn leaves cgroup v1 read-only. A remount with other options needs the bind mount; otherwise it is "busy".
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
	mount -o remount,bind,rw /sys/fs/cgroup
	for hierarchy in /sys/fs/cgroup/*/; do
		! mountpoint -q "$hierarchy" || mount -o remount,bind,rw,nosuid,nodev,noexec "$hierarchy"
	done
fi

mount --make-rshared / # otherwise mounts by the kubelet and Cilium do not reach pods
exec /lib/systemd/systemd
