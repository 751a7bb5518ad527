"""The scripts that bash, zsh and fish load. They know nothing: each key asks ``__complete``."""

_BASH = r"""# bash completion for PROGRAM
_PROGRAM_complete() {
    local rest=${COMP_LINE:0:COMP_POINT} line value current cut i directive=0
    local -a words=() found=()
    # readline begins a word at each = and :, for us only white space does.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        value=${rest#"${rest%%[![:space:]]*}"}
        if [[ $i == 0 || $value != "$rest" || -z $value ]]; then words+=(""); fi
        if ((i == COMP_CWORD)); then words[-1]+=$value; else words[-1]+=${COMP_WORDS[i]}; fi
        rest=${value#"${COMP_WORDS[i]}"}
    done
    while IFS= read -r line; do
        case $line in
        :[0-9]*) directive=${line#:} ;;
        ?*) found+=("${line%%$'\t'*}") ;;
        esac
    done < <("${words[0]}" __completeNoDesc "${words[@]:1}" 2>/dev/null)
    current=${words[-1]}
    cut=
    [[ $COMP_WORDBREAKS != *[=:]* ]] || cut=${current%"${current##*[=:]}"}
    COMPREPLY=()
    for value in "${found[@]}"; do COMPREPLY+=("${value#"$cut"}"); done
    if ((directive & 2)); then compopt -o nospace 2>/dev/null; fi
    if ((!(directive & 4))); then
        while IFS= read -r value; do
            COMPREPLY+=("$value")
        done < <(compgen -f -- "${current#"$cut"}")
        compopt -o filenames 2>/dev/null
    fi
}
complete -F _PROGRAM_complete PROGRAM
"""

_ZSH = r"""#compdef PROGRAM
_PROGRAM_complete() {
    local line value directive=0
    local -a values behind
    while IFS= read -r line; do
        case $line in
        :[0-9]*) directive=${line#:} ;;
        ?*)
            value=${${line%%$'\t'*}//:/\\:}
            [[ $line != *$'\t'* ]] || value+=:${line#*$'\t'}
            values+=("$value")
            ;;
        esac
    done < <("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    ((directive & 2)) && behind=(-S '')
    ((!${#values})) || _describe -V value values "${behind[@]}"
    ((directive & 4)) || _files
}
compdef _PROGRAM_complete PROGRAM
[[ ${funcstack[1]} != _PROGRAM ]] || _PROGRAM_complete "$@"
"""

_FISH = r"""# fish completion for PROGRAM
function __PROGRAM_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (command $words[1] __complete $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':*'
                if test (math (string sub -s 2 -- $line) % 8) -lt 4
                    __fish_complete_path "$current"
                end
            case '*'
                echo $line
        end
    end
end
complete -c PROGRAM -f -a '(__PROGRAM_complete)'
"""

SHELLS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

_PLACES = {
    "bash": "share/bash-completion/completions/PROGRAM",
    "zsh": "share/zsh/site-functions/_PROGRAM",
    "fish": "share/fish/vendor_completions.d/PROGRAM.fish",
}
"""Where the shells look, below the prefix."""


def script(shell: str, program: str) -> str:
    """Return the script that completes ``program`` in a shell of ``SHELLS``."""
    return SHELLS[shell].replace("PROGRAM", program)


def scripts(program: str) -> dict[str, bytes]:
    """Return all shells' scripts, by the path below the prefix where each is looked for."""
    return {
        _PLACES[shell].replace("PROGRAM", program): script(shell, program).encode()
        for shell in SHELLS
    }
