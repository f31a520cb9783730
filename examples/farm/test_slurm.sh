#!/bin/sh
# Slurm on one node of its own: test_slurm.sh MODEL CLIP, with the program in $MAMBO. Exit code 77: it
# is not installed (Debian: slurm-wlm), or its daemons cannot run here.
for program in sbatch slurmctld slurmd munged; do
  PATH=$PATH:/usr/sbin
  command -v "$program" >/dev/null || { echo "skipped: $program is not installed (package slurm-wlm)"; exit 77; }
done
here=$(cd "$(dirname "$0")" && pwd)
. "$here/jobs.sh"
pids=''
stop() {
  for pid in $pids; do kill "$pid" 2>/dev/null || true; done
  for pid in $pids; do wait "$pid" 2>/dev/null || true; done
}
skip() { echo "skipped: $1 cannot run here: $(tail -n 1 "$2")"; exit 77; }

# A key, a port and folders of its own, so that an installed cluster is left alone.
chmod 755 "$work"
node=$(hostname -s)
port=$((20000 + $$ % 20000))
mkdir "$work/munge" "$work/state" "$work/spool"
head -c 1024 /dev/urandom >"$work/munge/key" && chmod 400 "$work/munge/key" && chmod 711 "$work/munge"
munged --foreground --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
  --seed-file="$work/munge/seed" --log-file="$work/munge/log" --force >"$work/munged.log" 2>&1 &
pids=$!
cat >"$work/slurm.conf" <<EOF
ClusterName=mambo
SlurmctldHost=$node(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
SlurmctldPort=$port
SlurmdPort=$((port + 1))
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=1
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=INFINITE State=UP
EOF
export SLURM_CONF="$work/slurm.conf"
slurmctld -D -i >"$work/slurmctld.log" 2>&1 &
pids="$pids $!"
slurmd -D -N "$node" >"$work/slurmd.log" 2>&1 &
pids="$pids $!"
up=''
for _ in $(seq 60); do
  case "$(sinfo -h -o %T 2>/dev/null)" in idle) up=yes; break ;; esac
  sleep 1
done
[ -n "$up" ] || skip slurm "$work/slurmd.log"
export MAMBO
sbatch --wait --array=1-3 --cpus-per-task=1 --output="$work/%a.log" --export=ALL \
  "$here/slurm.sh" --model "$model" --jobs "$work/jobs.csv" -o "$work/parts" || { cat "$work"/*.log; exit 1; }
same_as_whole "$work/parts"
