#!/bin/sh
# two_hosts.sh PROGRAM ARGUMENT... - runs a program under Open MPI as two processes on two hosts, which are network namespaces of this
# machine: each has its own interfaces and name, and they see each other through one link alone. RATE=100mbit makes that link
# slower. No ssh is needed: the second host's daemon is started in its namespace. Needs root, iproute2 and Open MPI; status 77 says that
# one of these is missing.
set -eu
missing() { echo "two_hosts: $1" >&2; exit 77; }
command -v mpirun >/dev/null 2>&1 || missing "there is no mpirun (Debian: openmpi-bin)"
command -v ip >/dev/null 2>&1 || missing "there is no ip (Debian: iproute2)"
[ $# -gt 0 ] || { echo "usage: two_hosts.sh PROGRAM ARGUMENT..." >&2; exit 2; }

a=trine-a-$$ b=trine-b-$$
work=$(mktemp -d)
# The first namespace makes ip mount the folder of their names on itself: what was not mounted before is not left so.
mountpoint -q /run/netns && mounted=1 || mounted=
clean() {
    ip netns del "$a" 2>/dev/null || true
    ip netns del "$b" 2>/dev/null || true
    [ -n "$mounted" ] || umount -l /run/netns 2>/dev/null || true
    rm -rf "$work"
}
# Enters the namespace alone: `ip netns exec` and `ip -n` also want to mount, which a chroot or a container may not do.
within() { inside=$1; shift; nsenter --net="/var/run/netns/$inside" "$@"; }
trap clean EXIT
trap 'exit 130' INT TERM
{ ip netns add "$a" && ip netns add "$b" && ip link add "ta$$" netns "$a" type veth peer name "tb$$" netns "$b"; } 2>"$work/why" ||
    missing "network namespaces cannot be made here: $(cat "$work/why")"
{ within "$a" true && within "$a" unshare --uts true; } 2>"$work/why" || missing "namespaces cannot be entered here: $(cat "$work/why")"
for side in a b; do
    eval "space=\$$side"
    [ $side = a ] && address=10.77.0.1 || address=10.77.0.2
    within "$space" ip addr add $address/24 dev "t$side$$"
    within "$space" ip link set "t$side$$" up
    within "$space" ip link set lo up
    [ -z "${RATE:-}" ] || within "$space" tc qdisc add dev "t$side$$" root tbf rate "$RATE" burst 256kb latency 50ms
done
# What mpirun starts daemons with, in place of ssh: the first word is the host.
cat >"$work/agent" <<END
#!/bin/sh
shift
exec nsenter --net=/var/run/netns/$b unshare --uts sh -c "hostname host-b; \$*"
END
chmod +x "$work/agent"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
status=0
within "$a" unshare --uts sh -c 'hostname host-a; exec "$@"' sh mpirun --mca plm_rsh_agent "$work/agent" --mca btl tcp,self \
    --mca oob_tcp_if_include 10.77.0.0/24 --mca btl_tcp_if_include 10.77.0.0/24 -H 10.77.0.1:1,10.77.0.2:1 -n 2 --bind-to none \
    ${TRINE_RANKS_TIMEOUT:+-x TRINE_RANKS_TIMEOUT} "$@" || status=$?
exit $status
