# shellcheck shell=bash
# The example servers, and functions to build, start and end them. Scripts source this file in the root of the
# repository. It needs bash 4 or later and set -u.
# shellcheck disable=SC2034 # those scripts use some of the variables

target=${CARGO_TARGET_DIR:-target}
certificates=$target/loops/certificates

servers=()
declare -A server_scheme binary build_options arguments_of

# server NAME SCHEME BINARY BUILD [ARGUMENT...]: adds a server. SCHEME is the scheme in the server's first line, http or
# https. A server that accepts WebSockets only over HTTP/2 has http2 or https2. `cargo build BUILD` makes BINARY in the
# target directory. The arguments after the address are ARGUMENTs. In these, {cert} and {key} are files of a certificate
# for 127.0.0.1.
server() {
    servers+=("$1")
    server_scheme[$1]=$2
    binary[$1]=$3
    build_options[$1]=$4
    arguments_of[$1]=${*:5}
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
# The same server with the upgrade of HTTP/1.1.
server http2_upgrade https release/example-http2 "$http2" --cert '{cert}' --key '{key}'

programs=()

# program NAME BINARY BUILD ARGUMENT...: adds another example program. ARGUMENTs are right ones.
program() {
    programs+=("$1")
    binary[$1]=$2
    build_options[$1]=$3
    arguments_of[$1]=${*:4}
}

program chat release/example-chat '--release --package example-chat' 127.0.0.1:0
program client release/examples/client '--release --example client' ws://127.0.0.1:1/
program tokio_client release/tokio-client '--release --package example-tokio --bin tokio-client' ws://127.0.0.1:1/
program http2_client release/client '--release --package example-http2 --bin client' wss://127.0.0.1:1/ --ca /dev/null

# is_server NAME
is_server() {
    [[ ${server_scheme[$1]+set} ]]
}

# is_plain NAME: whether the server speaks HTTP/1.1 without TLS.
is_plain() {
    [[ ${server_scheme[$1]} == http ]]
}

# build NAME: builds a server or another program.
build() {
    local words
    read -ra words <<<"${build_options[$1]}"
    cargo build --quiet "${words[@]}"
}

# build_server NAME: builds a server, and a certificate if it needs one.
build_server() {
    build "$1" || return
    if [[ ${server_scheme[$1]} == https* && ! -f $certificates/key.pem ]]; then
        cargo run --quiet --release --package loops --bin certificate "$certificates"
    fi
}

# server_command NAME ADDRESS: sets command to the command that starts the server.
server_command() {
    local words
    words=${arguments_of[$1]//'{cert}'/$certificates/cert.pem}
    read -ra words <<<"${words//'{key}'/$certificates/key.pem}"
    command=("$target/${binary[$1]}" "$2" "${words[@]}")
}

# start_server NAME FOLDER [ARGUMENT...]: starts a server at a free port, with these arguments besides its own. Its
# output goes to stdout.log and stderr.log in the folder. Sets server_pid and server_url. If that fails, sets
# server_problem.
#
# server_files is the limit on open files. Without it, the soft limit is 1024, as in most shells. With server_closed the
# server has no stderr. With server_unheard, nobody reads more than the first line of its stdout and stderr.
start_server() {
    local command line='' waited scheme=${server_scheme[$1]%2}
    server_command "$1" 127.0.0.1:0
    command+=("${@:3}")
    server_problem='' server_url='' server_log=$2/stderr.log
    # The files must not contain the output of an earlier run.
    : >"$2/stdout.log"
    : >"$server_log"
    if [[ ${server_unheard-} ]]; then
        run_server > >(exec head -n 1 >"$2/stdout.log") 2>&1 </dev/null &
    else
        run_server >>"$2/stdout.log" 2>>"$server_log" </dev/null &
    fi
    server_pid=$!
    for ((waited = 0; waited < 600; waited++)); do
        # This succeeds when the line is complete.
        if read -r line <"$2/stdout.log"; then break; fi
        if ! kill -0 "$server_pid" 2>/dev/null; then
            server_problem="ended before it listened: $(head -n 3 "$server_log")"
            break
        fi
        sleep 0.05
    done
    if [[ $line =~ ^listening\ on\ ($scheme://[^/]+/)$ ]]; then
        server_url=${BASH_REMATCH[1]} server_problem=''
        return
    fi
    server_problem=${server_problem:-"the first line is not 'listening on $scheme://HOST:PORT/': $line"}
    end_server
    return 1
}

# run_server: replaces this shell by the server.
run_server() {
    if [[ ${server_files-} ]]; then ulimit -n "$server_files"; else ulimit -Sn 1024 2>/dev/null || true; fi
    if [[ ${server_closed-} ]]; then exec 2>&-; fi
    exec "${command[@]}"
}

# stop_server: ends the server. Fails and sets server_problem if it had already ended or wrote to stderr.
stop_server() {
    local status=0
    server_problem=''
    if ! kill -0 "$server_pid" 2>/dev/null; then
        wait "$server_pid" || status=$?
        server_problem="ended with status $status: $(head -n 3 "$server_log")"
    elif [[ -s $server_log ]]; then
        server_problem="said on stderr: $(head -n 3 "$server_log")"
    fi
    end_server
    [[ ! $server_problem ]]
}

# end_server: ends the server if there is one. Sets server_status to its exit status. Sets server_problem if that takes
# longer than 30 s.
end_server() {
    local waited
    if [[ ! ${server_pid-} ]]; then return; fi
    kill "$server_pid" 2>/dev/null || true
    for ((waited = 0; waited < 600; waited++)); do
        if ! kill -0 "$server_pid" 2>/dev/null; then break; fi
        sleep 0.05
    done
    if kill -KILL "$server_pid" 2>/dev/null; then server_problem='did not end on SIGTERM'; fi
    server_status=0
    wait "$server_pid" 2>/dev/null || server_status=$?
    server_pid=''
}

# echoes LONG: whether the example client gets echoes of a short text and of the text LONG from the server, a Pong, and
# a clean end. If not, prints what is wrong.
echoes() {
    local heard line
    cargo build --quiet --release --example client || return
    heard=$(printf 'one\n/ping two\n%s\n' "$1" |
        timeout 60 "$target/release/examples/client" "ws${server_url#http}") || return
    [[ $heard == $'open\n'* ]] || { echo 'the client did not open the connection' && return 1; }
    for line in 'text: one' 'pong: two' "text: $1" 'closed 1000 "" clean'; do
        grep -qxF "$line" <<<"$heard" || { echo "the client did not get ${line:0:30}" && return 1; }
    done
}
