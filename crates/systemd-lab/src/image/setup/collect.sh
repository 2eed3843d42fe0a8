#!/bin/sh
# Run by mmdebstrap on the host, when all packages are downloaded. Takes down what the guest needs to set up the
# additional ones (those that LAB_ADDED has and LAB_BASE has not, with what they depend on), into LAB_OUT:
#
#   order          their names, in the order in which apt would set them up
#   files          all paths that they bring
#   NAME.preinst   the script that one runs before it is unpacked, where many make their user
#   NAME.postinst  the script that sets one up
#   NAME.templates its questions, with the answers that are taken when nobody is asked
#   passwd, group  Debian's list of users and groups with fixed numbers
set -eu
root=$1
mkdir -p "$LAB_OUT"

# Nothing is installed yet, as far as apt knows: it names everything, dependencies first.
in_order() {
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --simulate install "$@" >"$LAB_OUT/simulated"
    sed -n 's/^Conf \([^ :]*\).*/\1/p' "$LAB_OUT/simulated"
}

in_order $LAB_BASE >"$LAB_OUT/base"
in_order $LAB_BASE $LAB_ADDED | grep -vxFf "$LAB_OUT/base" >"$LAB_OUT/order" || true
rm "$LAB_OUT/base" "$LAB_OUT/simulated"

: >"$LAB_OUT/files"
while read -r package; do
    deb=$(echo "$root/var/cache/apt/archives/${package}_"*.deb)
    dpkg-deb --fsys-tarfile "$deb" | tar --list >>"$LAB_OUT/files"
    dpkg-deb --control "$deb" "$LAB_OUT/control"
    for file in preinst postinst templates; do
        [ ! -e "$LAB_OUT/control/$file" ] || mv "$LAB_OUT/control/$file" "$LAB_OUT/$package.$file"
    done
    rm -r "$LAB_OUT/control"
done <"$LAB_OUT/order"

cp "$root/usr/share/base-passwd/passwd.master" "$LAB_OUT/passwd"
cp "$root/usr/share/base-passwd/group.master" "$LAB_OUT/group"
