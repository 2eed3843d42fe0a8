#!/bin/bash
# Stands in for the programs of dpkg, debconf, adduser and init-system-helpers that maintainer scripts call, under their
# names. Every package is new here, and nothing is started or enabled: a scenario does that.
set -eu

adduser() {
    local home=/nonexistent shell=/usr/sbin/nologin group= id=- make_home=yes gecos= names=()
    while (($#)); do
        case $1 in
            --home) home=$2 && shift ;;
            --home=*) home=${1#*=} ;;
            --shell) shell=$2 && shift ;;
            --shell=*) shell=${1#*=} ;;
            --uid | --gid) id=$2 && shift ;;
            --ingroup) group=$2 && shift ;;
            --group) group=own ;;
            --gecos | --comment) gecos=$2 && shift ;;
            --no-create-home) make_home=no ;;
            --conf | --firstuid | --lastuid | --firstgid | --lastgid) shift ;;
            -*) ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    if ((${#names[@]} == 2)); then
        systemd-sysusers --inline "m ${names[0]} ${names[1]}"
        return
    fi
    case $group in
        own) ;;
        # Debian's default for a system user.
        '') id=$id:nogroup ;;
        *) id=$id:$group ;;
    esac
    systemd-sysusers --inline "u ${names[0]} $id \"$gecos\" $home $shell"
    if [ $make_home = yes ] && [ "$home" != /nonexistent ] && [ ! -e "$home" ]; then
        install -d -m 755 "$home"
        chown "${names[0]}:" "$home"
    fi
}

addgroup() {
    local name= id=-
    while (($#)); do
        case $1 in
            --gid) id=$2 && shift ;;
            -*) ;;
            *) name=$1 ;;
        esac
        shift
    done
    systemd-sysusers --inline "g $name $id"
}

dpkg() {
    case $1 in
        --print-architecture) echo amd64 ;;
        # No version of any package was here before; it counts as earlier than all others.
        --compare-versions) [ -z "${2-}" ] && [[ $3 == l[te] ]] ;;
        *) return 1 ;;
    esac
}

# dpkg-statoverride --update --add USER GROUP MODE PATH; none is listed.
statoverride() {
    local options=()
    while [[ ${1-} == --* ]]; do
        options+=("$1") && shift
    done
    case " ${options[*]} " in
        *" --list "*) return 1 ;;
        *" --add "*) [ ! -e "$4" ] || { chown "$1:$2" "$4" && chmod "$3" "$4"; } ;;
    esac
}

# ucf [OPTION...] NEW DESTINATION: nobody has edited anything. ucf --purge DESTINATION: it knows of none.
ucf() {
    local names=()
    while (($#)); do
        case $1 in
            -p | --purge) return ;;
            --sum-file | --state-dir | --src-dir) shift ;;
            -*) ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    [ ! -d "${names[1]}" ] || names[1]+=/${names[0]##*/}
    cp "${names[0]}" "${names[1]}"
}

# update-alternatives --install LINK NAME PATH PRIORITY [--slave LINK NAME PATH]...; of those that it lists, there is none. A
# link to what is not there, such as a manual page, is left out.
alternatives() {
    case ${1-} in
        --list | --display | --query) return 2 ;;
    esac
    while (($#)); do
        case $1 in
            --install | --slave | --follower) [ -e "$2" ] || [ ! -e "$4" ] || ln -sf "$4" "$2" ;;
        esac
        shift
    done
}

case ${0##*/} in
    adduser | addgroup | dpkg | ucf) "${0##*/}" "$@" ;;
    dpkg-statoverride) statoverride "$@" ;;
    update-alternatives) alternatives "$@" ;;
    dpkg-query) exit 1 ;;
    # deb-systemd-helper, invoke-rc.d, systemctl and the like: there is nothing to do, and it is done.
    *) ;;
esac
