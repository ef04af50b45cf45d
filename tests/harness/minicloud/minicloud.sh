#!/usr/bin/env bash
# minicloud.sh - real Keystone, Nova, Neutron and Cinder APIs on loopback, for tests and the demo.
#
#   minicloud.sh install VENV install the packages and nothing else
#   minicloud.sh up     DIR   install (if missing), configure, start, wait; prints an openrc
#   minicloud.sh down   DIR   stop what `up` started (by the saved pid files only)
#   minicloud.sh status DIR   one line per service: pid, URL, memory (exit 1 if one is down)
#   minicloud.sh reset  DIR   back to the freshly bootstrapped databases, then up
#   minicloud.sh server DIR PROJECT_ID [NAME [VCPUS [RAM_MB]]]
#                             write a server into Nova's database (there is no hypervisor),
#                             so that it is listed and counted as in use; prints its id
#
# SQLite files, no message broker, no agents, no hypervisor.  API processes only:
# quotas, projects, networks, ports, routers work; nothing is ever scheduled.
#
# The four ports are free ones, chosen at the first `up` and kept in DIR/settings; should another
# program hold one of them later, four others are chosen and the catalog is corrected.
#
# Environment (defaults in brackets; `up` keeps the values in DIR/settings for later calls):
#   MINICLOUD_ADMIN_PASSWORD [adminpw]   user admin, project admin, domain Default
#   MINICLOUD_SERVICE_PASSWORD [servicepw]
#   MINICLOUD_REGION         [RegionOne]
#   MINICLOUD_HASH_ROUNDS    [4]      keystone [identity] password_hash_rounds (bcrypt: 4..31)
#   MINICLOUD_THREADS        [8]      gunicorn threads per service
#   MINICLOUD_SERIALIZE      [1]      1: each service handles one request at a time (SQLite)
#   MINICLOUD_CACHE          [dogpile.cache.memory_pickle]  of keystone; dogpile.cache.null: none
#   MINICLOUD_CINDER_PATH    [/v3/%(project_id)s]  catalog path; /v3 also works
#   MINICLOUD_VENV           [DIR/venv]  may be shared between DIRs
#   MINICLOUD_PYTHON         [python3]
#   MINICLOUD_PIP_ARGS       [-c constraints.txt, which lies next to this script]
#   MINICLOUD_UV             [0]      1: install with uv (itself installed by pip): much faster
#   MINICLOUD_WAIT           [120]    seconds to wait for a service to answer
set -euo pipefail
umask 077

VERB=${1:-} ; DIR=${2:-}
case $VERB in install|up|down|status|reset|server) ;; *) sed -n '/^#!/d;/^#/!q;p' "$0" >&2; exit 2;; esac
[ -n "$DIR" ] || { echo "usage: $0 $VERB DIR" >&2; exit 2; }
DIR=$(realpath -m "$DIR")
HERE=$(dirname "$(realpath "$0")")
# shellcheck disable=SC1091
[ ! -r "$DIR/settings" ] || . "$DIR/settings"

ADMIN_PW=${MINICLOUD_ADMIN_PASSWORD:-adminpw}
SVC_PW=${MINICLOUD_SERVICE_PASSWORD:-servicepw}
REGION=${MINICLOUD_REGION:-RegionOne}
ROUNDS=${MINICLOUD_HASH_ROUNDS:-4}
THREADS=${MINICLOUD_THREADS:-8}
SERIALIZE=${MINICLOUD_SERIALIZE:-1}
CACHE=${MINICLOUD_CACHE:-dogpile.cache.memory_pickle}
CINDER_PATH=${MINICLOUD_CINDER_PATH:-/v3/%(project_id)s}
VENV=${MINICLOUD_VENV:-$DIR/venv}
if [ "$VERB" = install ]; then VENV=$DIR; fi
PYTHON=${MINICLOUD_PYTHON:-python3}
PIP_ARGS=${MINICLOUD_PIP_ARGS-$([ ! -f "$HERE/constraints.txt" ] || echo "-c $HERE/constraints.txt")}
WAIT=${MINICLOUD_WAIT:-120}

# The services, the stock client and the mail server of the tests; they resolve together.
PACKAGES="keystone==30.0.0 nova==34.0.0 neutron==29.0.0 cinder==29.0.0 gunicorn==27.0.1 python-openstackclient==10.5.0 aiosmtpd==1.4.6 google-api-python-client==2.202.0 gspread==6.2.1"
SERVICES="keystone nova neutron cinder"

declare -A PORT=()
declare -A WSGI=([keystone]=keystone.wsgi.api:application
                 [nova]=nova.wsgi.osapi_compute:application
                 [neutron]=neutron.wsgi.api:application
                 [cinder]=cinder.wsgi.api:application)
KS=

use_ports() { # use_ports KEYSTONE NOVA NEUTRON CINDER
    PORT=([keystone]=$1 [nova]=$2 [neutron]=$3 [cinder]=$4)
    KS=http://127.0.0.1:$1/v3
}
# shellcheck disable=SC2086
[ -z "${MINICLOUD_PORTS:-}" ] || use_ports $MINICLOUD_PORTS

for x in "$DIR" "$VENV" "$ADMIN_PW" "$SVC_PW" "$REGION"; do   # oslo.config expands $, and so on
    case $x in *[!A-Za-z0-9_./-]*) echo "only letters, digits and _./- please: $x" >&2; exit 2;; esac
done

say() { printf '[minicloud %5ss] %s\n' "$SECONDS" "$*" >&2; }
die() { say "ERROR: $*"; exit 1; }

# --- processes ---------------------------------------------------------------

# pid of a service started from this DIR, or nothing.  A recycled pid does not
# match: the process must still sit in the service's own run directory.
pid_of() {
    local f=$DIR/run/$1.pid p
    [ -s "$f" ] || return 1
    p=$(tr -cd 0-9 <"$f")
    [ -n "$p" ] && [ "$(readlink "/proc/$p/cwd" 2>/dev/null)" = "$DIR/run/$1" ] || return 1
    echo "$p"
}

# Four at once, so that they differ; the system hands out ports that nobody holds.
choose_ports() {
    "$VENV/bin/python" -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(s.getsockname()[1] for s in held))'
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Keeps the ports of last time unless another program has one of them now.
settle_ports() {
    local svc i
    if [ -n "$KS" ]; then
        for svc in $SERVICES; do
            pid_of "$svc" >/dev/null && continue
            for i in $(seq 30); do    # a worker whose master was killed leaves within a second or two
                answers "${PORT[$svc]}" || continue 2
                sleep 0.1
            done
            say "port ${PORT[$svc]} ($svc) is taken by another program: choosing others"
            # shellcheck disable=SC2086
            stop $SERVICES
            KS=
            break
        done
    fi
    # shellcheck disable=SC2046
    [ -n "$KS" ] || use_ports $(choose_ports)
}

stop() { # stop SVC...
    local svc p i; local -A was=()
    for svc in "$@"; do
        if p=$(pid_of "$svc"); then was[$svc]=$p; kill -TERM "$p" 2>/dev/null || true; fi
    done
    for svc in "${!was[@]}"; do
        p=${was[$svc]}
        for i in $(seq 100); do [ -e "/proc/$p" ] || break; sleep 0.1; done
        # setsid made the gunicorn master the leader of its own process group
        if pid_of "$svc" >/dev/null; then kill -KILL -- "-$p" 2>/dev/null || true; fi
        say "stopped $svc (pid $p)"
    done
    for svc in "$@"; do rm -f "$DIR/run/$svc.pid" "$DIR/run/$svc.sum"; done
}

conf_sum() { cat "$DIR/etc/$1"/* "$VENV/.minicloud" | sha256sum | cut -c1-64; }

start_one() {
    local svc=$1 p
    if p=$(pid_of "$svc"); then
        [ "$(cat "$DIR/run/$svc.sum" 2>/dev/null)" = "$(conf_sum "$svc")" ] && return 0
        say "configuration of $svc changed: restarting it"
        stop "$svc"
    fi
    mkdir -p "$DIR/run/$svc"
    # 9>&-: the daemon must not hold the lock of this script.  A background job of a script leads
    # no process group, so setsid does not fork and $! is gunicorn's master itself.
    ( cd "$DIR/run/$svc"
      unset "${!OS_@}" GUNICORN_CMD_ARGS
      exec env PYTHONWARNINGS=ignore no_proxy=127.0.0.1 NO_PROXY=127.0.0.1 setsid nohup "$VENV/bin/gunicorn" -c "$DIR/etc/$svc/gunicorn.conf.py" \
          </dev/null >>"$DIR/log/$svc.out" 2>&1 9>&- ) &
    echo $! >"$DIR/run/$svc.pid"
    conf_sum "$svc" >"$DIR/run/$svc.sum"
}

# --- installation ------------------------------------------------------------

# Plain Debian has python3 without the module that makes virtual environments.
need_venv_module() {
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null && return 0
    local sudo=()
    if [ "$(id -u)" != 0 ]; then sudo=(sudo -n); fi
    say "installing Debian's python3-venv"
    if ! { "${sudo[@]}" apt-get install -qq -y python3-venv ||
           { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" apt-get install -qq -y python3-venv; }
         } >"$VENV.log" 2>&1 </dev/null
    then
        tail -5 "$VENV.log" >&2
        die "$PYTHON cannot make virtual environments; run: sudo apt-get install python3-venv"
    fi
}

# Several instances may share the venv, so it has a lock of its own.
install_venv() {
    local want; want=$(echo "$PACKAGES" "$PIP_ARGS" "$(cat "$HERE/constraints.txt")" | sha256sum | cut -c1-64)
    mkdir -p "$(dirname "$VENV")"
    exec 8>"$VENV.lock"; flock 8
    if [ "$(cat "$VENV/.minicloud" 2>/dev/null)" != "$want" ]; then
        say "installing into $VENV (about 90 MB to download)"
        [ -x "$VENV/bin/pip" ] || { need_venv_module; "$PYTHON" -m venv --clear "$VENV"; }
        local pip=("$VENV/bin/pip" install -q --disable-pip-version-check)
        if [ "${MINICLOUD_UV:-0}" = 1 ]; then
            "${pip[@]}" uv >"$VENV.log" 2>&1 || die "no uv, see $VENV.log"
            pip=("$VENV/bin/uv" pip install -q --python "$VENV/bin/python" --compile-bytecode)
        fi
        # shellcheck disable=SC2086
        "${pip[@]}" $PIP_ARGS $PACKAGES >>"$VENV.log" 2>&1 ||
            { tail -20 "$VENV.log" >&2; die "pip failed, see $VENV.log"; }
        echo "$want" >"$VENV/.minicloud"
        say "installed"
    fi
    exec 8>&-
}

# --- configuration -----------------------------------------------------------

service_auth() { # service_auth USER: credentials, for any section that takes them
    cat <<EOF
auth_url = ${KS%/v3}
auth_type = password
username = $1
password = $SVC_PW
user_domain_id = default
project_name = service
project_domain_id = default
region_name = $REGION
EOF
}

authtoken() { # authtoken USER: how a service checks its callers' tokens
    cat <<EOF
[keystone_authtoken]
www_authenticate_uri = ${KS%/v3}
$(service_auth "$1")
service_token_roles = service
service_token_roles_required = true
EOF
}

common() { # DEFAULT section shared by nova, neutron and cinder
    cat <<EOF
[DEFAULT]
transport_url = fake:/
host = minicloud
state_path = $DIR/state/$1
log_file = $DIR/log/$1.log
use_stderr = false
debug = false
EOF
}

database() { # sqlite_synchronous=false: no fsync per commit, these databases are disposable
    printf '[%s]\nconnection = sqlite:///%s/state/%s.db\nsqlite_synchronous = false\n' "$1" "$DIR" "$2"
}

write_configs() {
    local svc args x
    for svc in $SERVICES; do mkdir -p "$DIR/etc/$svc" "$DIR/state/$svc/lock"; done

    { cat <<EOF
[DEFAULT]
log_file = $DIR/log/keystone.log
use_stderr = false
[token]
provider = fernet
[fernet_tokens]
key_repository = $DIR/state/keystone/fernet
[credential]
key_repository = $DIR/state/keystone/credential
[identity]
password_hash_algorithm = bcrypt
password_hash_rounds = $ROUNDS
max_password_length = 72
[cache]
enabled = true
backend = $CACHE
EOF
      database database keystone; } >"$DIR/etc/keystone/keystone.conf"

    { common nova; cat <<EOF
[api]
auth_strategy = keystone
response_validation = ignore
[keystone]
auth_url = ${KS%/v3}
region_name = $REGION
[neutron]
$(service_auth nova)
[glance]
api_servers = http://127.0.0.1:9
[oslo_concurrency]
lock_path = $DIR/state/nova/lock
EOF
      database api_database nova_api; database database nova_cell1; authtoken nova
    } >"$DIR/etc/nova/nova.conf"

    # ml2 with no mechanism driver: networks and ports are rows in the database.
    # service_plugins router: without it the quotas router and floatingip do not exist.
    { common neutron; cat <<EOF
auth_strategy = keystone
api_paste_config = $VENV/etc/neutron/api-paste.ini
core_plugin = ml2
service_plugins = router
dhcp_agent_notification = false
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
[ml2]
type_drivers = local,flat,vlan,vxlan
tenant_network_types = local
mechanism_drivers =
extension_drivers = port_security
[ml2_type_flat]
flat_networks = *
[ml2_type_vlan]
network_vlan_ranges = physnet1:100:199
[ml2_type_vxlan]
vni_ranges = 1:1000
[oslo_concurrency]
lock_path = $DIR/state/neutron/lock
EOF
      database database neutron; authtoken neutron; } >"$DIR/etc/neutron/neutron.conf"

    { common cinder; cat <<EOF
auth_strategy = keystone
api_paste_config = $VENV/etc/cinder/api-paste.ini
resource_query_filters_file = $VENV/etc/cinder/resource_filters.json
glance_api_servers = http://127.0.0.1:9
[coordination]
backend_url = file://$DIR/state/cinder/coordination
[oslo_concurrency]
lock_path = $DIR/state/cinder/lock
EOF
      database database cinder; authtoken cinder; } >"$DIR/etc/cinder/cinder.conf"

    # Every one of these applications hands sys.argv to oslo.config.  post_fork runs in the
    # worker before the application is imported, so gunicorn itself keeps its own argv.
    for svc in $SERVICES; do
        args="'--config-file', '$DIR/etc/$svc/$svc.conf'"
        if [ "$svc" = keystone ]; then args=; fi     # takes no arguments, only the environment
        cat >"$DIR/etc/$svc/gunicorn.conf.py" <<EOF
import io, os, sys, threading
wsgi_app = '${WSGI[$svc]}'
bind = '127.0.0.1:${PORT[$svc]}'
proc_name = 'minicloud-$svc'
workers = 1
worker_class = 'gthread'
threads = $THREADS
keepalive = 75
timeout = 300
graceful_timeout = 1
control_socket_disable = True    # its default path, ~/.gunicorn, is shared by all instances
accesslog = '$DIR/log/$svc.access.log'
errorlog = '-'

def post_fork(server, worker):
    os.environ['OS_${svc^^}_CONFIG_DIR'] = '$DIR/etc/$svc'
    os.environ['OS_${svc^^}_CONFIG_FILES'] = '$svc.conf'
    sys.argv = ['$svc-api', $args]
EOF
        if [ "$svc" = nova ]; then   # its first configuration file must be the paste file
            sed -i "s|'nova.conf'\$|'$VENV/etc/nova/api-paste.ini;nova.conf'|
                    s|sys.argv = .*|sys.argv = ['nova-api']|" "$DIR/etc/nova/gunicorn.conf.py"
        fi
        if [ "$SERIALIZE" = 1 ]; then
            # SQLite has one writer: of two transactions that both read and then write, one
            # fails at once ("database is locked").  Hand requests over one by one.
            cat >>"$DIR/etc/$svc/gunicorn.conf.py" <<'EOF'

def post_worker_init(worker):
    app, lock = worker.wsgi, threading.Lock()

    def one_at_a_time(environ, start_response):
        length = int(environ.get('CONTENT_LENGTH') or 0)
        if length:      # a slow sender must not hold the lock
            environ['wsgi.input'] = io.BytesIO(environ['wsgi.input'].read(length))
        with lock:
            body = app(environ, start_response)
            try:
                return list(body)
            finally:
                if hasattr(body, 'close'):
                    body.close()
    worker.wsgi = one_at_a_time
EOF
        fi
    done

    for x in PORTS="${PORT[keystone]} ${PORT[nova]} ${PORT[neutron]} ${PORT[cinder]}" ADMIN_PASSWORD="$ADMIN_PW" SERVICE_PASSWORD="$SVC_PW" REGION="$REGION" \
             HASH_ROUNDS="$ROUNDS" THREADS="$THREADS" SERIALIZE="$SERIALIZE" CACHE="$CACHE" \
             CINDER_PATH="$CINDER_PATH" VENV="$VENV" PIP_ARGS="$PIP_ARGS"; do
        printf ': "${MINICLOUD_%s=%s}"\n' "${x%%=*}" "${x#*=}"     # the environment goes first
    done >"$DIR/settings"

    cat >"$DIR/openrc" <<EOF
unset OS_CLOUD OS_TOKEN OS_AUTH_TYPE OS_SYSTEM_SCOPE OS_DOMAIN_ID OS_DOMAIN_NAME OS_PROJECT_ID OS_USER_ID OS_TRUST_ID
export OS_AUTH_URL=$KS
export OS_IDENTITY_API_VERSION=3
export OS_USERNAME=admin
export OS_PASSWORD='$ADMIN_PW'
export OS_PROJECT_NAME=admin
export OS_USER_DOMAIN_ID=default
export OS_PROJECT_DOMAIN_ID=default
export OS_REGION_NAME=$REGION
export OS_INTERFACE=public
EOF
    cat >"$DIR/clouds.yaml" <<EOF
clouds:
  minicloud:
    auth:
      auth_url: $KS
      username: admin
      password: '$ADMIN_PW'
      project_name: admin
      user_domain_id: default
      project_domain_id: default
    region_name: $REGION
    identity_api_version: 3
    interface: public
EOF
}

# --- databases ---------------------------------------------------------------

run() { # run SVC COMMAND...: quiet unless it fails
    local svc=$1; shift
    ( unset "${!OS_@}"; PYTHONWARNINGS=ignore "$@" ) >>"$DIR/log/$svc.setup.log" 2>&1 9>&- ||
        { local rc=$?; tail -15 "$DIR/log/$svc.setup.log" >&2; say "failed ($rc): $*"; return "$rc"; }
}

db_keystone() {
    local m=("$VENV/bin/keystone-manage" --config-file "$DIR/etc/keystone/keystone.conf")
    run keystone "${m[@]}" db_sync
    run keystone "${m[@]}" fernet_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
    run keystone "${m[@]}" credential_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
}
db_nova() {
    local m=("$VENV/bin/nova-manage" --config-file "$DIR/etc/nova/nova.conf")
    run nova "${m[@]}" api_db sync
    run nova "${m[@]}" cell_v2 map_cell0 --database_connection "sqlite:///$DIR/state/nova_cell0.db"
    run nova "${m[@]}" db sync
    run nova "${m[@]}" cell_v2 create_cell --name cell1 || [ $? = 2 ]    # 2: it exists
}
db_neutron() {
    run neutron "$VENV/bin/python" "$HERE/neutron_schema.py" "sqlite:///$DIR/state/neutron.db"
    run neutron "$VENV/bin/neutron-db-manage" --config-file "$DIR/etc/neutron/neutron.conf" stamp heads
}
db_cinder() { run cinder "$VENV/bin/cinder-manage" --config-file "$DIR/etc/cinder/cinder.conf" db sync; }

# once NAME KEY COMMAND...: not again until KEY changes
once() {
    local f=$DIR/state/.done-$1 key=$2; shift 2
    [ "$(cat "$f" 2>/dev/null)" = "$key" ] && return 0
    "$@"
    echo "$key" >"$f"
}

bootstrap() { # writes to the database behind keystone's back, so not while it runs
    stop keystone
    run keystone "$VENV/bin/keystone-manage" --config-file "$DIR/etc/keystone/keystone.conf" bootstrap \
        --bootstrap-password "$ADMIN_PW" --bootstrap-region-id "$REGION" \
        --bootstrap-public-url "$KS" --bootstrap-internal-url "$KS" --bootstrap-admin-url "$KS"
}

catalog() {
    KS=$KS REGION=$REGION ADMIN_PW=$ADMIN_PW SVC_PW=$SVC_PW SERVICES_TABLE="
        nova,compute,http://127.0.0.1:${PORT[nova]}/v2.1
        neutron,network,http://127.0.0.1:${PORT[neutron]}
        cinder,volumev3,http://127.0.0.1:${PORT[cinder]}$CINDER_PATH" \
        run keystone "$VENV/bin/python" "$HERE/catalog.py"
}

wait_for() { # wait_for SVC...
    local svc path end=$((SECONDS + WAIT))
    for svc in "$@"; do
        path=/; if [ "$svc" = keystone ]; then path=/v3; fi
        until "$VENV/bin/python" "$HERE/wait.py" "${PORT[$svc]}" "$path" 9>&-; do
            if ! pid_of "$svc" >/dev/null || [ $SECONDS -ge $end ]; then
                tail -15 "$DIR/log/$svc.out" >&2
                die "$svc did not come up, see $DIR/log/$svc.out and $DIR/log/$svc.log"
            fi
        done
    done
}

# --- verbs -------------------------------------------------------------------

up() {
    local svc key job jobs=() pristine=
    install_venv
    settle_ports
    write_configs
    key=$(cat "$VENV/.minicloud")
    [ -e "$DIR/pristine/keystone.db" ] || pristine=1
    for svc in $SERVICES; do once "$svc-db" "$key" "db_$svc" & jobs+=($!); done
    for job in "${jobs[@]}"; do wait "$job" || die "database set-up failed"; done
    key=$(echo "$key ${PORT[keystone]} ${PORT[nova]} ${PORT[neutron]} ${PORT[cinder]} $ADMIN_PW $SVC_PW $REGION $CINDER_PATH $ROUNDS" | sha256sum)
    once bootstrap "$key" bootstrap
    say "databases ready"
    start_one keystone
    for svc in nova neutron cinder; do start_one "$svc"; done
    wait_for keystone
    once catalog "$key" catalog
    if [ -n "$pristine" ]; then "$VENV/bin/python" "$HERE/snapshot.py" "$DIR/state" "$DIR/pristine"; fi
    wait_for $SERVICES
    say "up: $SERVICES"
    cat "$DIR/openrc"
}

status() {
    local svc p rss q rc=0
    for svc in $SERVICES; do
        if p=$(pid_of "$svc"); then
            rss=0
            for q in $p $(cat "/proc/$p/task/$p/children"); do
                rss=$((rss + $(awk '/^VmRSS/{print $2}' "/proc/$q/status")))
            done
            echo "$svc up pid=$p http://127.0.0.1:${PORT[$svc]}/ rss=$((rss/1024))MiB (master and worker)"
        else
            echo "$svc down"; rc=1
        fi
    done
    return $rc
}

if [ "$VERB" = status ]; then status; exit; fi
if [ "$VERB" = server ]; then
    [ -n "${3:-}" ] || die "usage: $0 server DIR PROJECT_ID [NAME [VCPUS [RAM_MB]]]"
    PYTHONWARNINGS=ignore exec "$VENV/bin/python" "$HERE/server.py" "$DIR/etc/nova/nova.conf" \
        "$3" "${4:-server}" "${5:-1}" "${6:-512}"
fi
if [ "$VERB" = install ]; then install_venv; exit; fi
mkdir -p "$DIR/run" "$DIR/log" "$DIR/state"
exec 9>"$DIR/.lock"; flock 9
case $VERB in
    up) up;;
    down) stop $SERVICES;;
    reset)
        [ -e "$DIR/pristine/keystone.db" ] || die "no snapshot yet: run up first"
        stop $SERVICES
        "$VENV/bin/python" "$HERE/snapshot.py" "$DIR/pristine" "$DIR/state"
        up;;
esac
