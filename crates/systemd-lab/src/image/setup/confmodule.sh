# Stands in for debconf's: maintainer scripts include it, ask, and get the answers that the packages themselves propose.
_lab_answer() {
    sed -n "/^Template: $(echo "$1" | sed 's,/,\\/,g')\$/,/^\$/s/^Default: *//p" \
        /usr/lib/systemd-lab/packages/*.templates 2>/dev/null | head -n 1
}
db_get() { RET=$(_lab_answer "$1"); }
db_version() { RET=2.1; }
db_input() { RET=; return 30; }
db_capb() { RET=; }
db_stop() { RET=; }
db_fset() { RET=; }
db_fget() { RET=false; }
db_set() { RET=; }
db_go() { RET=; }
db_subst() { RET=; }
db_reset() { RET=; }
db_register() { RET=; }
db_unregister() { RET=; }
db_purge() { RET=; }
db_title() { RET=; }
db_settitle() { RET=; }
db_metaget() { RET=; }
db_beginblock() { RET=; }
db_endblock() { RET=; }
db_progress() { RET=; }
