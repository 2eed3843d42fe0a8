#!/usr/bin/bash
# Stands for the service of a policy. FAULT says what goes wrong with it; a drop-in sets it.

read -r now _ </proc/uptime
now=${now%.*}
first=/run/first-start-of-$NAME
[ -e "$first" ] || echo "$now" >"$first"

case $FAULT in
# What it needs is away for a minute, or forever.
away) [ $((now - $(<"$first"))) -ge 60 ] || exit 75 ;;
gone) exit 75 ;;
slow)
    sleep 20
    exit 75
    ;;
configuration) exit 78 ;;
esac

# systemd-notify speaks for its parent: this process.
if [ -n "$NOTIFY_SOCKET" ]; then
    systemd-notify --ready
fi

if [ "$FAULT" = clean ] || [ -z "$NOTIFY_SOCKET" ]; then
    # The work is done: a job's always, a service's by mistake.
    sleep 30
    exit 0
elif [ -n "$WATCHDOG_USEC" ]; then
    while sleep $((WATCHDOG_USEC / 2000000)); do
        systemd-notify WATCHDOG=1
    done
else
    sleep infinity
fi
