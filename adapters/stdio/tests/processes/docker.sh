#!/bin/sh
# An engine whose containers are files in a directory: like those of a daemon they outlive the command that has made
# them. It knows what is asked of it here, and refuses the rest as the real one does.
store=${0%/*}/containers
mkdir -p "$store"
echo "$*" >> "${0%/*}/log"
case $1 in
run)
    shift
    id=$$$(date +%N)
    labels=
    while :; do
        case $1 in
        --label) labels="$labels$2
"; shift 2 ;;
        -i | --rm) shift ;;
        -*) echo "unknown flag: $1" >&2; exit 125 ;;
        *) break ;;
        esac
    done
    shift
    printf %s "$labels" > "$store/$id.labels"
    echo "started $id"
    exec "$@"
    ;;
ps)
    [ "$*" = "ps --all --quiet --no-trunc --filter $6" ] || { echo "unknown: $*" >&2; exit 125; }
    for file in "$store"/*.labels; do
        [ -e "$file" ] || continue
        grep -qxF "${6#label=}" "$file" && basename "$file" .labels
    done
    exit 0
    ;;
rm)
    [ "$2 $3" = "--force --volumes" ] || exit 125
    shift 3
    for id; do
        rm "$store/$id.labels"
    done
    ;;
*) echo "unknown command: $1" >&2; exit 125 ;;
esac
