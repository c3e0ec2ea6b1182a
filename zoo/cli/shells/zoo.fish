# Completion of zoo in fish: `source` this, or save it as ~/.config/fish/completions/zoo.fish.
# What fits is asked of zoo itself: see zoo/cli/candidates.py.
function __zoo_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($before[1] __complete $before[2..-1] "$current" 2>/dev/null)
    if test "$lines[1]" = files
        __fish_complete_path "$current"
    end
    if test (count $lines) -gt 1
        printf '%s\n' $lines[2..-1]
    end
end
complete -c zoo -f -a '(__zoo_complete)'
