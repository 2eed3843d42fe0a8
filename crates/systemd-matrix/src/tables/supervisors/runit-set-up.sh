# A service of runit's for each name: a folder with `run`, and `finish`, which runit calls after each end.
# runit-set-up.sh SECONDS NAME...
seconds=$1
shift
for name; do
    mkdir -p "/srv/sv/$name"
    printf '#!/bin/sh\nexec /bin/sh /usr/local/lib/ends.sh echo %s %s\n' "$seconds" "$name" >"/srv/sv/$name/run"
    printf '#!/bin/sh\necho "%s: finish $1 $2"\n' "$name" >"/srv/sv/$name/finish"
    chmod +x "/srv/sv/$name/run" "/srv/sv/$name/finish"
done
