#compdef zoo
# Completion of zoo in zsh: `source` this, or save it as `_zoo` in a folder of $fpath.
# What fits is asked of zoo itself: see zoo/cli/candidates.py.
_zoo() {
    local line
    local -a lines fitting
    lines=("${(@f)$(${(Q)~words[1]} __complete "${(@Q)words[2,CURRENT]}" 2> /dev/null)}")
    for line in "${(@)lines[2,-1]}"; do
        fitting+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    (( $#fitting )) && _describe -t values zoo fitting
    [[ ${lines[1]} == files ]] && _files
}
if [[ ${funcstack[1]} == _zoo ]]; then
    _zoo "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _zoo zoo
fi
