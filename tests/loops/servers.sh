# shellcheck shell=bash
# The example servers, and how to build, start and end one. For tests/loops/run, tests/autobahn/run and .ci/run, which
# source it in the root of the repository with bash 4 or later and set -u.
# shellcheck disable=SC2034 # some variables are for them

target=${CARGO_TARGET_DIR:-target}
certificates=$target/loops/certificates

servers=()
declare -A server_scheme server_binary server_build server_arguments

# server NAME SCHEME BINARY BUILD [ARGUMENT...]: SCHEME is the one in the server's first line, http or https; http2 or
# https2 if it takes WebSockets by HTTP/2 only. BINARY is its program in the target directory after `cargo build BUILD`.
# It gets an address and the arguments, in which {cert} and {key} are files of a certificate for 127.0.0.1.
server() {
    servers+=("$1")
    server_scheme[$1]=$2
    server_binary[$1]=$3
    server_build[$1]=$4
    server_arguments[$1]=${*:5}
}

server echo_server http release/examples/echo_server '--release --example echo_server' --quiet
server mio http release/example-mio '--release --package example-mio --bin example-mio'
server tokio http release/example-tokio '--release --package example-tokio --bin example-tokio'
server freestanding http freestanding/example-freestanding '--profile freestanding --package example-freestanding'
server io_uring http release/example-io-uring '--release --package example-io-uring'
server axum http release/example-axum '--release --package example-axum'
server rustls https release/example-rustls '--release --package example-rustls' --cert '{cert}' --key '{key}'
http2='--release --package example-http2 --bin example-http2'
server http2 https2 release/example-http2 "$http2" --cert '{cert}' --key '{key}'
# The same by the upgrade of HTTP/1.1.
server http2_upgrade https release/example-http2 "$http2" --cert '{cert}' --key '{key}'

# The other programs, which take arguments, too.
programs=()
declare -A program_binary program_build

# program NAME BINARY BUILD: as of a server.
program() {
    programs+=("$1")
    program_binary[$1]=$2
    program_build[$1]=$3
}

program chat release/example-chat '--release --package example-chat'
program client release/examples/client '--release --example client'
program tokio_client release/tokio-client '--release --package example-tokio --bin tokio-client'
program http2_client release/client '--release --package example-http2 --bin client'

# is_program NAME
is_program() {
    [[ ${program_binary[$1]+set} ]]
}

# build_program NAME
build_program() {
    local words
    read -ra words <<<"${program_build[$1]}"
    cargo build --quiet "${words[@]}"
}

# is_server NAME
is_server() {
    [[ ${server_scheme[$1]+set} ]]
}

# build_server NAME: its program, and what a server with TLS needs.
build_server() {
    local words
    read -ra words <<<"${server_build[$1]}"
    cargo build --quiet "${words[@]}" || return
    if [[ ${server_scheme[$1]} == https* && ! -f $certificates/key.pem ]]; then
        cargo run --quiet --release --package loops --bin certificate "$certificates"
    fi
}

# server_command NAME ADDRESS: sets command to what starts it.
server_command() {
    local words word
    read -ra words <<<"${server_arguments[$1]}"
    command=("$target/${server_binary[$1]}" "$2")
    for word in "${words[@]}"; do
        word=${word//'{cert}'/$certificates/cert.pem}
        command+=("${word//'{key}'/$certificates/key.pem}")
    done
}

# is_plain NAME: whether its WebSockets come in HTTP/1.1 without TLS.
is_plain() {
    [[ ${server_scheme[$1]} == http ]]
}

# start_server NAME FOLDER [ARGUMENT...]: starts it at a free port, with these arguments besides its own. What it says goes
# to stdout.log and stderr.log in the folder. Sets server_pid and server_url; where that fails, server_problem.
start_server() {
    local command line waited scheme=${server_scheme[$1]%2}
    server_command "$1" 127.0.0.1:0
    command+=("${@:3}")
    server_problem='' server_url='' server_log=$2/stderr.log
    # Nothing of an earlier run may be taken for this one's.
    : >"$2/stdout.log"
    : >"$2/stderr.log"
    run_server >>"$2/stdout.log" 2>>"$2/stderr.log" </dev/null &
    server_pid=$!
    for ((waited = 0; waited < 300; waited++)); do
        # The line is whole when its end is there.
        if (($(wc -l <"$2/stdout.log") > 0)); then break; fi
        if ! kill -0 "$server_pid" 2>/dev/null; then
            server_problem="ended before it listened: $(head -n 3 "$server_log")"
            break
        fi
        sleep 0.1
    done
    line=$(head -n 1 "$2/stdout.log")
    server_listens
}

# start_unheard_server NAME FOLDER [ARGUMENT...]: the same, as with 2>&1 | head -n 1: nobody reads any more than the first
# line of all that it says.
start_unheard_server() {
    local command line='' reader scheme=${server_scheme[$1]%2}
    server_command "$1" 127.0.0.1:0
    command+=("${@:3}")
    server_problem='' server_url='' server_log=/dev/null
    rm -f "$2/unheard"
    mkfifo "$2/unheard"
    run_server >"$2/unheard" 2>&1 </dev/null &
    server_pid=$!
    exec {reader}<"$2/unheard"
    read -r -t 30 line <&"$reader" || true
    exec {reader}<&-
    server_listens
}

# run_server: becomes the command. The limit on open files is server_files; unless that is set, it is the soft limit that
# most shells have: who needs more than that has to raise it. With server_closed there is no stderr at all.
run_server() {
    if [[ ${server_files-} ]]; then ulimit -n "$server_files"; else ulimit -Sn 1024 2>/dev/null || true; fi
    if [[ ${server_closed-} ]]; then exec 2>&-; fi
    exec "${command[@]}"
}

# server_listens: takes the URL from the first line.
server_listens() {
    if [[ $line =~ ^listening\ on\ ($scheme://[^/]+/)$ ]]; then
        server_url=${BASH_REMATCH[1]}
        return
    fi
    server_problem=${server_problem:-"the first line is not 'listening on $scheme://HOST:PORT/': $line"}
    end_server
    return 1
}

# stop_server: ends the server. Sets server_problem and fails if it had ended already or had something to complain about.
stop_server() {
    local status=0
    server_problem=''
    if ! kill -0 "$server_pid" 2>/dev/null; then
        wait "$server_pid" || status=$?
        server_problem="ended by itself with status $status: $(head -n 3 "$server_log")"
    elif [[ -s $server_log ]]; then
        server_problem="said on stderr: $(head -n 3 "$server_log")"
    fi
    end_server
    [[ ! $server_problem ]]
}

# end_server: ends it, if there is one, whatever it did. Sets server_problem if that takes it longer than 30 s.
end_server() {
    local waited
    if [[ ! ${server_pid-} ]]; then return; fi
    kill "$server_pid" 2>/dev/null || true
    for ((waited = 0; waited < 300; waited++)); do
        if ! kill -0 "$server_pid" 2>/dev/null; then break; fi
        sleep 0.1
    done
    if kill -KILL "$server_pid" 2>/dev/null; then server_problem='did not end on SIGTERM'; fi
    wait "$server_pid" 2>/dev/null || true
    server_pid=''
}
