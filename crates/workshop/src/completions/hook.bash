
# What follows `cargo workshop` is completed as what follows `workshop`; all else as it was before.
_cargo_workshop() {
    if [[ ${COMP_WORDS[1]} == workshop && $COMP_CWORD -ge 2 ]]; then
        COMP_WORDS=("${COMP_WORDS[@]:1}")
        COMP_CWORD=$((COMP_CWORD - 1))
        _workshop workshop "$2" "$3"
    else
        if [[ -n $_cargo_workshop_before ]]; then
            "$_cargo_workshop_before" "$@"
        fi
        if [[ $COMP_CWORD -eq 1 && workshop == "$2"* && " ${COMPREPLY[*]} " != *" workshop "* ]]; then
            COMPREPLY+=(workshop)
        fi
    fi
}

# The function that completes cargo now, if there is one.
_cargo_workshop_function() {
    local shown
    shown=$(complete -p cargo 2>/dev/null)
    if [[ $shown =~ -F\ ([^ ]+) ]]; then
        echo "${BASH_REMATCH[1]}"
    fi
}

# Cargo's own completion: loaded already, known to bash-completion, or part of the toolchain, whose one calls functions
# of bash-completion.
if [[ -z $(_cargo_workshop_function) ]]; then
    if declare -F _comp_load >/dev/null; then
        _comp_load cargo
    elif declare -F __load_completion >/dev/null; then
        __load_completion cargo
    fi
fi
if [[ -z $(_cargo_workshop_function) ]] && declare -F _get_comp_words_by_ref >/dev/null; then
    _cargo_workshop_file=$(rustc --print sysroot 2>/dev/null)/etc/bash_completion.d/cargo
    if [[ -f $_cargo_workshop_file ]]; then
        source "$_cargo_workshop_file"
    fi
    unset _cargo_workshop_file
fi
if [[ $(_cargo_workshop_function) != _cargo_workshop ]]; then
    _cargo_workshop_before=$(_cargo_workshop_function)
fi
complete -F _cargo_workshop -o bashdefault -o default cargo
