#!/bin/bash
# Run once in the guest, before the snapshot is taken: sets up the additional packages by their own maintainer scripts,
# as dpkg would. What the scripts call that is not here, or is for another system than a lab, stands in stand-in.sh.
set -eu
here=/usr/lib/systemd-lab/packages
export PATH=$here/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
export DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root
export DPKG_MAINTSCRIPT_ARCH=amd64 DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT=

# Debian's users and groups with fixed numbers. Those that the lab has already stay as they are.
for list in passwd group; do
    while IFS= read -r line; do
        grep -q "^${line%%:*}:" /etc/$list || echo "${line/:\*:/:x:}" >>/etc/$list
    done <$here/$list
done
# Nobody can log in with a password; with a key, root can.
cut -d: -f1 /etc/passwd | sed 's/$/:*:19000:0:99999:7:::/' >/etc/shadow
sed 's/^\([^:]*\):.*/\1:*::/' /etc/group >/etc/gshadow
chmod 640 /etc/shadow /etc/gshadow

# What pam-auth-update writes when nothing but pam_unix is there.
for kind in auth account password session session-noninteractive; do
    [ -d /etc/pam.d ] || break
    [ -e /etc/pam.d/common-$kind ] || echo "${kind%-*} required pam_unix.so" >/etc/pam.d/common-$kind
done

# Debian's installer makes these; PAM complains of their absence.
mkdir -p /etc/default
touch /etc/environment /etc/default/locale

# Runs a script of a package, if it has one of this kind.
run() {
    local package=$1 kind=$2
    shift 2
    [ -e "$here/$package.$kind" ] || return 0
    chmod 755 "$here/$package.$kind"
    DPKG_MAINTSCRIPT_PACKAGE=$package DPKG_MAINTSCRIPT_NAME=$kind "$here/$package.$kind" "$@" </dev/null
}

systemd-sysusers
# dpkg would run these before it unpacks the files, which are here already: one that cannot make sense of that does no harm.
while read -r package; do
    run "$package" preinst install || echo "$package: its preinst script failed"
done <$here/order
while read -r package; do
    echo "setting up $package"
    if ! run "$package" postinst configure ""; then
        echo "cannot set up: $package"
        exit 1
    fi
done <$here/order
# The packages' own directories belong to users that did not exist when the guest booted.
systemd-tmpfiles --create || true
# The boot is over: sshd may let people in (systemd-user-sessions.service does this elsewhere).
rm -f /run/nologin
