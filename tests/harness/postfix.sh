#!/usr/bin/env bash
# postfix.sh - Debian's Postfix on loopback, as an instance of its own, for tests.
#
#   postfix.sh install   install Debian's package, where Postfix is missing; start nothing
#   postfix.sh run DIR   configure and start an instance below DIR, print `listening PORT`, and stop
#                        it when the standard input is closed
#
# It takes mail for every mailbox of example.org and of the domains below it but those that are called
# `unknown`, and puts each message into DIR/mail/DOMAIN/LOCAL-PART/new. It delivers nowhere else: it has
# no SMTP client. STARTTLS is offered; DIR/ca.pem has signed the certificate, which is for localhost and
# 127.0.0.1. The log is DIR/log.
#
# Postfix has to be started by root, so each verb asks `sudo` where another user runs it. The
# mailboxes belong to the owner of DIR, or to `nobody` where that is root.
set -euo pipefail
umask 022
# The programs of an administrator are not on everybody's path.
PATH=$PATH:/usr/sbin:/sbin

VERB=${1:-} DIR=${2:-}
case $VERB:$DIR in
    install:) ;;
    run:?*) DIR=$(realpath -m "$DIR") ;;
    *) sed -n '/^#!/d;/^#/!q;p' "$0" >&2; exit 2 ;;
esac

SCRIPT=$(realpath "$0")

say() { printf '[postfix] %s\n' "$*" >&2; }
die() { say "ERROR: $*"; exit 1; }

# Postfix expands $ in its settings, and separates them by commas and blanks.
case $DIR in *[!A-Za-z0-9_./-]*) die "only letters, digits and _./- please: $DIR" ;; esac

# --- installation ------------------------------------------------------------

install() {
    if command -v postfix >/dev/null; then return 0; fi
    as_root
    say "installing Debian's postfix (about 2 MB to download)"
    # Left by an earlier Postfix, this would make the package start the machine's own instance.
    [ ! -e /etc/postfix/main.cf ] || die "there is a configuration, but no Postfix; remove /etc/postfix first"
    local log; log=$(mktemp)
    if ! { get_postfix || { apt-get update -qq && get_postfix; } } >"$log" 2>&1 </dev/null; then
        tail -5 "$log" >&2
        die "cannot install postfix, see $log; run: apt-get install --no-install-recommends postfix"
    fi
    # Should somebody configure that instance one day, it is for them to say when it starts.
    update-rc.d postfix disable >>"$log" 2>&1 || say "cannot disable the machine's own instance, see $log"
    rm -f "$log"
}

# With "No configuration" the package starts nothing: its service and its init script both look for
# /etc/postfix/main.cf first. --no-remove, because a machine has one mail system, and apt would put
# this one in the place of another.
get_postfix() {
    debconf-set-selections <<<'postfix postfix/main_mailer_type select No configuration' &&
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o DPkg::Lock::Timeout=120 \
        --no-install-recommends --no-remove postfix
}

as_root() {
    if [ "$(id -u)" = 0 ]; then return 0; fi
    if sudo -n true 2>/dev/null; then exec sudo -n "$SCRIPT" "$VERB" ${DIR:+"$DIR"}; fi
    die "this takes root, and sudo does not work without a password here; run: sudo $SCRIPT $VERB${DIR:+ $DIR}"
}

# --- configuration -----------------------------------------------------------

# Made anew at each start, and valid for a week.
write_certificates() {
    local request=(openssl req -x509 -config "$DIR/etc/openssl.cnf" -newkey ec
                   -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 7)
    # The system's own file would add extensions that contradict these.
    printf '%s\n' '[req]' 'distinguished_name = name' '[name]' \
        '[authority]' 'basicConstraints = critical, CA:TRUE, pathlen:0' \
        'keyUsage = critical, keyCertSign, cRLSign' 'subjectKeyIdentifier = hash' \
        '[server]' 'basicConstraints = CA:FALSE' 'subjectAltName = DNS:localhost, IP:127.0.0.1' \
        'extendedKeyUsage = serverAuth' 'authorityKeyIdentifier = keyid' >"$DIR/etc/openssl.cnf"
    { "${request[@]}" -extensions authority -subj '/CN=Usher test authority' \
          -keyout "$DIR/etc/ca.key" -out "$DIR/ca.pem"
      "${request[@]}" -extensions server -subj /CN=localhost -CA "$DIR/ca.pem" -CAkey "$DIR/etc/ca.key" \
          -keyout "$DIR/etc/server.key" -out "$DIR/etc/server.pem"
    } 2>"$DIR/etc/openssl.log" || { tail -5 "$DIR/etc/openssl.log" >&2; die "no certificates"; }
}

write_main() {
    cat >"$DIR/etc/main.cf" <<EOF
compatibility_level = 3.6
queue_directory = $DIR/spool
data_directory = $DIR/data
maillog_file = $DIR/log
maillog_file_prefixes = $DIR

myhostname = mail.example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtputf8_enable = yes
# No test should wait for a name server, or for a delivery to catch up.
smtpd_peername_lookup = no
in_flow_delay = 0

smtpd_tls_security_level = may
smtpd_tls_chain_files = $DIR/etc/server.key, $DIR/etc/server.pem
smtpd_tls_received_header = yes

# Every mailbox exists but one of each domain.
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
virtual_mailbox_domains = regexp:{{/^(.+\.)?example\.org\$\$/ exists}}
virtual_mailbox_maps = regexp:{{!/^unknown@/ exists}}
virtual_transport = maildir
# virtual(8) cannot make a path of any address that it is given (it distrusts patterns), so a
# program delivers; one recipient at a time, as it is told of one mailbox.
maildir_destination_recipient_limit = 1

# Neither relayed nor, as with a bounce to elsewhere, sent by Postfix itself.
smtpd_relay_restrictions = reject_unauth_destination
default_transport = error:5.7.1 this server delivers nowhere else
relay_transport = \$default_transport
local_transport = \$default_transport
notify_classes =
EOF
}

write_master() { # write_master PORT
    cat >"$DIR/etc/master.cf" <<EOF
127.0.0.1:$1 inet n - n - - smtpd
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
anvil     unix  -       -       n       -       1       anvil
postlog   unix-dgram n  -       n       -       1       postlogd
maildir   unix  -       n       n       -       -       pipe
  flags=DORhu user=$OWNER argv=$DIR/etc/deliver \${queue_id} \${domain} \${user}
EOF
}

write_deliver() {
    cat >"$DIR/etc/deliver" <<EOF
#!/bin/sh -e
# deliver QUEUE-ID DOMAIN LOCAL-PART: keeps the message on standard input in the mailbox's Maildir.
umask 022
case \$3 in */*|.*) echo 'this is no name for a folder'; exit 65 ;; esac
cd '$DIR/mail'
mkdir -p "\$2/\$3/tmp" "\$2/\$3/new" "\$2/\$3/cur"
cd "\$2/\$3"
name=\$(date +%s).\$1.mail
cat >"tmp/\$name"
mv "tmp/\$name" "new/\$name"
EOF
    chmod 755 "$DIR/etc/deliver"
}

# --- verbs -------------------------------------------------------------------

# The file stays behind when Postfix ends, but unlocked, which is what `-t` looks for.
running() {
    [ -s "$DIR/spool/pid/master.pid" ] && ! "$(postconf -dh daemon_directory)/master" -c "$DIR/etc" -t 2>/dev/null
}

# A free one. Should another program take it meanwhile, Postfix finds out.
free_port() {
    python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

run() {
    as_root
    # Whatever ends this ends Postfix with it.
    trap down EXIT
    trap 'exit 0' TERM INT HUP
    up
    cat >/dev/null
}

up() {
    command -v postfix >/dev/null || die "there is no Postfix here; run: $SCRIPT install"
    mkdir -p "$DIR/etc" "$DIR/spool" "$DIR/data" "$DIR/mail"
    OWNER=$(stat -c %U "$DIR")
    if [ "$OWNER" = root ]; then OWNER=nobody; fi
    chmod a+x "$DIR"
    # A mailbox is written to without root's rights.
    runuser -u "$OWNER" -- test -x "$DIR/mail" ||
        die "user $OWNER cannot reach $DIR; each folder above it has to be open to others (chmod a+x)"
    chown postfix: "$DIR/data"
    chown "$OWNER": "$DIR/mail"
    write_certificates
    write_main
    write_deliver
    rm -f "$DIR/log"
    for _ in 1 2 3 4 5 6 7 8; do
        local port; port=$(free_port)
        write_master "$port"
        if postfix -c "$DIR/etc" start </dev/null >&2; then echo "listening $port"; return; fi
        # Without a terminal it complains in its log only.
        tail -n 3 "$DIR/log" | grep -q 'Address already in use' || break
    done
    tail -n 5 "$DIR/log" >&2
    die "Postfix does not start, see $DIR/log"
}

down() {
    running || return 0
    local master; master=$(tr -cd 0-9 <"$DIR/spool/pid/master.pid")
    postfix -c "$DIR/etc" stop >/dev/null 2>&1 || true
    # The master leads a group of its own, which ends a little later than itself.
    for _ in $(seq 50); do kill -0 -- "-$master" 2>/dev/null || return 0; sleep 0.1; done
    kill -KILL -- "-$master" 2>/dev/null || true
}

"$VERB"
