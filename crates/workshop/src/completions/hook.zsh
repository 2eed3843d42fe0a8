
# What follows `cargo workshop` is completed as what follows `workshop`; all else as cargo's own completion does it.
_cargo_workshop() {
    if (( CURRENT > 2 )) && [[ ${words[2]} == workshop ]]; then
        shift words
        (( CURRENT-- ))
        _workshop
    elif (( $+functions[_cargo] )); then
        _cargo "$@"
    elif (( CURRENT == 2 )); then
        compadd workshop
    else
        _default
    fi
}
compdef _cargo_workshop cargo
