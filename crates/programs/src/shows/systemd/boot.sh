# Boots the system in the folder $1. Runs as the first process of namespaces of its own (mount, pid, uts, ipc, net,
# cgroup), and reaches nothing outside of them: not the host's root, /tmp or /run, no other control group, and
# nothing of the kernel that namespaces do not divide.
set -eu
mount --bind "$1" "$1"
cd "$1"
mount -t proc -o nosuid,nodev,noexec proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
if [ -e proc/sysrq-trigger ]; then mount --bind /dev/null proc/sysrq-trigger; fi
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o nosuid,mode=755,size=1m tmpfs dev
for device in null zero full random urandom tty; do
  : >"dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for folder in dev/shm run tmp; do mount -t tmpfs -o nosuid,nodev tmpfs "$folder"; done
chmod 755 run
mkdir run/outside
pivot_root . run/outside
cd /
umount -l run/outside
rmdir run/outside
ip link set lo up
# The kernel's clock, modules and log are the host's: nobody in here may touch them.
exec env -i container=tidegate PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
  setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-syslog,-mknod /lib/systemd/systemd
