#!/usr/bin/env bash
# Collects the files of the final image: the program, the shared libraries that it is linked to, certificates, and the user.
#   image/rootfs.sh PROGRAM FOLDER
set -euo pipefail
# The user of the image reads the files, whoever has built it.
umask 022

program=$1 root=$2
[[ -x "$program" ]] || { echo "rootfs: there is no program $program: cargo build --release --locked" >&2; exit 1; }
rm -rf "$root"
mkdir -p "$root/etc/ssl/certs" "$root/tmp"
install -m 0755 "$program" "$root/weirkeeper"

# Each library, and the loader, under the path at which the loader looks for it.
ldd "$program" | grep -o '/[^ ]*' | sort -u | while read -r library; do
  install -D -m 0755 "$(realpath "$library")" "$root$library"
done

install -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'weirkeeper:x:65532:65532::/:/weirkeeper' > "$root/etc/passwd"
echo 'weirkeeper:x:65532:' > "$root/etc/group"
# Names of the cluster come from DNS, those of /etc/hosts before them.
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
chmod 0644 "$root"/etc/{passwd,group,nsswitch.conf}
chmod 0555 "$root/tmp"
find "$root" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
