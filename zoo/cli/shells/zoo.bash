# Completion of zoo in bash: `source` this, or put it where bash-completion looks for a file called zoo.
# What fits is asked of zoo itself: see zoo/cli/candidates.py.
_zoo() {
    local line first=yes
    COMPREPLY=()
    while IFS= read -r line; do
        if [ -n "$first" ]; then
            first=
            if [ "$line" = files ]; then
                compopt -o filenames 2> /dev/null
                while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$2")
            fi
        else
            COMPREPLY+=("${line%%$'\t'*}")
        fi
    done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
}
complete -o bashdefault -o default -F _zoo zoo
