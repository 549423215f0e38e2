"""What sieges cost a healthy pair and how much memory they take: a table, one row for each attack."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kit")]

from siege import ATTACKS, House, under  # noqa: E402

SECS = 10


def probe(house, secs):
    """Starts the healthy pair."""
    paths = f"import sys; sys.path[:0] = {sys.path[:2]!r}; sys.argv = ['probe', '{house.port}', '{secs}']; "
    run = "import probe; probe.run(int(sys.argv[1]), float(sys.argv[2]))"
    return subprocess.Popen([sys.executable, "-c", paths + run], stdout=subprocess.PIPE, text=True)


def prefer(pid, priority):
    """Gives a process and all of its threads the processor whenever they want it."""
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.sched_setscheduler(int(thread.name), os.SCHED_FIFO, os.sched_param(priority))


def percentile(micros, percent):
    return sorted(micros)[min(len(micros) - 1, len(micros) * percent // 100)] / 1000


def watched(house, secs, realtime=False):
    """The latencies of a healthy pair, and the most memory meanwhile."""
    pair, most = probe(house, secs), house.rss_mib()
    if realtime:
        prefer(pair.pid, 20)
    while pair.poll() is None:
        most = max(most, house.rss_mib())
        time.sleep(0.1)
    micros = [int(line) for line in pair.stdout.read().split()]
    assert pair.returncode == 0 and micros, "the healthy pair was disturbed"
    return micros, most


def main():
    realtime = "--realtime" in sys.argv[1:]
    wanted = [word for word in sys.argv[1:] if word != "--realtime"]
    print(f"{'attack':40} {'p99 alone':>10} {'p99 under':>10} {'ratio':>6} {'max':>8} {'MiB before':>10} {'peak':>6}  did")
    for name, attack in ATTACKS.items():
        if wanted and not any(word in name for word in wanted):
            continue
        with tempfile.TemporaryDirectory() as directory:
            house = House(pathlib.Path(directory))
            try:
                if realtime:
                    prefer(house.process.pid, 10)
                alone, before = watched(house, SECS, realtime)
                with under(attack, house) as did:
                    time.sleep(2)
                    under_attack, most = watched(house, SECS, realtime)
                calm, siege = percentile(alone, 99), percentile(under_attack, 99)
                print(
                    f"{name:40} {calm:7.2f} ms {siege:7.2f} ms {siege / calm:6.1f} {max(under_attack) / 1000:5.0f} ms"
                    f" {before:10.0f} {most:6.0f}  {', '.join(f'{what} {number}' for what, number in did.items())}",
                    flush=True,
                )
            finally:
                house.stop()


if __name__ == "__main__":
    main()
