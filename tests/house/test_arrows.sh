#!/bin/sh
# test_arrows.sh SOURCE BUILD - who may include whom. The rule is the table in docs/ARCHITECTURE.md, read from there: a room
# may include itself, base, the rooms after its arrow, and the public header. Outside libraries stay in the rooms listed below.
set -eu
cd "$1"

awk -v files="$(find src apps -name '*.[ch]' | sort | tr '\n' ' ')" '
# "    src/models/   what it is  -> blocks, checkpoint (find by name), quant"
/^    src\/[a-z]+\// {
    split($1, part, "/"); room = part[2]; known[room] = 1; n_rooms++
    if (split($0, side, "->") < 2) { fault(FILENAME ": no arrow for room " room); next }
    gsub(/\([^)]*\)|,/, " ", side[2])
    n = split(side[2], word, " ")
    for (i = 1; i <= n; i++) may[room, word[i]] = 1
}
function fault(text) { print text; n_faults++ }
# Which outside headers belong to certain rooms alone; all others (the C library, POSIX, omp.h) are free.
function homes(header) {
    if (header ~ /intrin\.h$/) return "src/kernels/x86/"
    if (header == "cpuid.h") return "src/base/cpu.c"
    if (header == "jansson.h") return "src/checkpoint/ src/tokenizer/ src/models/ src/load/ src/tasks/ src/train/ src/plan/ src/compare/ apps/"
    if (header ~ /^utf8proc/) return "src/tokenizer/ src/tasks/template_unicode.c"
    if (header ~ /^pcre2/ || header ~ /^protobuf-c/) return "src/tokenizer/"
    if (header ~ /^(zlib|lzma|zstd|zstd_errors)\.h/) return "src/base/"
    if (header == "sqlite3.h") return "src/record/"
    if (header ~ /^(editline|histedit|readline)/) return "apps/"
    if (header == "mpi.h") return "apps/mpi/mpi_ranks.c"
    if (header ~ /^microhttpd|^sys\/socket|^netdb|^netinet/) return "apps/server/"
    return ""
}
END {
    if (n_rooms < 8) fault("docs/ARCHITECTURE.md: found " n_rooms + 0 " rooms in the table, expected all of them")
    n_files = split(files, file, " ")
    for (f = 1; f <= n_files; f++) {
        path = file[f]; split(path, part, "/"); own = part[1] == "src" ? part[2] : ""
        if (own != "" && !known[own]) fault(path ": room " own " is not in the table of docs/ARCHITECTURE.md")
        for (line = 1; (getline text < path) > 0; line++) {
            if (text !~ /^[ \t]*#[ \t]*include/) continue
            where = path ":" line ": "
            if (match(text, /<[^>]*>/)) {
                header = substr(text, RSTART + 1, RLENGTH - 2); home = homes(header)
                if (home == "") continue
                n = split(home, place, " ")
                for (i = ok = 0; i++ < n;) if (index(path, place[i]) == 1) ok = 1
                if (!ok) fault(where "<" header "> belongs to " home)
                continue
            }
            match(text, /"[^"]*"/); header = substr(text, RSTART + 1, RLENGTH - 2); n_seen++
            if (header == "trine.h" || (own != "" && header ~ /^trine\//)) continue   # a room takes the parts it needs
            if (header == "trine/ranks.h" && path ~ /^apps\/mpi\//) continue      # a module of its own
            split(header, to, "/")
            if (own == "" && header !~ /\//) continue                        # the command and its own headers
            if (own == "") fault(where "an app includes \"" header "\"; it may see trine.h alone")
            else if (header !~ /\//) fault(where "\"" header "\" without its room")
            else if (to[1] != own && to[1] != "base" && !((own, to[1]) in may)) fault(where own " may not include " to[1])
        }
        close(path)
    }
    print n_rooms " rooms, " n_files " files, " n_seen " arrows, " n_faults + 0 " faults"
    exit n_faults > 0 || n_seen == 0
}' docs/ARCHITECTURE.md
