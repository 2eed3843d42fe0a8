
# What follows `cargo workshop` is completed as what follows `workshop`; all else as cargo's own completion does it.
function __cargo_workshop_follows
    set -l words (commandline -opc)
    test (count $words) -ge 2 -a "$words[2]" = workshop
end
function __cargo_workshop_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    complete -C "$words[2..-1] $current"
end
complete -c cargo -n 'test (count (commandline -opc)) -eq 1' -a workshop -d 'Service Resilience with systemd'
complete -c cargo -n __cargo_workshop_follows -f -a '(__cargo_workshop_complete)'
