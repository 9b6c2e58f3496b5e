#!/usr/bin/env python3
"""Does the streaming job stay as it is, for hours at a steady rate?

    make test                                                    # once: installs the broker into .venv-test
    target/release/onefold demo --only-events EVENTS --customers 10000
    .venv-test/bin/python benches/soak.py EVENTS SAMPLES.jsonl --minutes 120 --rate 250

Puts the lines of the folder into the topics of a broker of its own, again and again: at once the first time, then at a
steady rate, every event with an id of its own each time. So the customers stay the same and their histories grow. Lines
that are a record of their own each time, for they name nobody for certain, are sent twice only, as the published tables
tell of them: memory holds an index of the records and of what links them, and grows with them by intent.
Watches the job meanwhile: memory, open files, and how long it takes from a message's delivery to the broker until it is
committed and until it is in published tables. Prints one line per tenth of the time; the first pass is left out.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import polars

from broker import producer_to, start_broker

CHANNELS = ("web", "email", "phone", "store")
PROBE_EVERY = 25
TOKEN = "of-a-job-on-this-machine"
EVENT_ID = re.compile(rb'("event_id":\s*")([^"]*)"')


class Feed:
    """Sends lines, and remembers of some of them when the broker had them."""

    def __init__(self, address, events):
        self.producer = producer_to(address, CHANNELS, partitions=1, linger_ms=500)
        self.lines = []
        for channel in CHANNELS:
            lines = (events / f"{channel}.jsonl").read_bytes().splitlines()
            # Channels are mixed as their shares are.
            self.lines += [(at / len(lines), channel, line) for at, line in enumerate(lines)]
        self.lines.sort(key=lambda line: line[0])
        self.sent = self.turn = self.at = 0
        self.probes = collections.deque()
        self.ends = {}

    def send(self, count):
        for _ in range(count):
            if self.at == len(self.lines):
                self.turn, self.at = self.turn + 1, 0
            _, channel, line = self.lines[self.at]
            self.at += 1
            line = EVENT_ID.sub(rb'\g<1>\g<2>-%d"' % self.turn, line)
            while True:
                try:
                    self.producer.produce(channel, line, on_delivery=self.delivered)
                    break
                except BufferError:
                    self.producer.poll(0.1)
            self.sent += 1
        self.producer.poll(0)

    def keep_known(self, interactions):
        """Lets go of lines that were a record of their own when they were sent again, and of broken ones."""
        record_of = {}
        for channel, event, record in interactions:
            line, _, turn = event.rpartition("-")
            record_of.setdefault((channel, line), {})[turn] = record

        def is_known(line):
            found = EVENT_ID.search(line[2])
            records = record_of.get((line[1], found[2].decode()), {}) if found else {}
            return len(records) == 2 and len(set(records.values())) == 1

        self.lines = [line for line in self.lines if is_known(line)]
        self.at = 0

    def delivered(self, error, message):
        if error:
            raise SystemExit(f"the broker refused a message: {error}")
        partition = f"{message.topic()}/{message.partition()}"
        self.ends[partition] = message.offset() + 1
        if message.offset() % PROBE_EVERY == 0:
            self.probes.append((time.monotonic(), partition, message.offset()))


class Watch:
    """Asks the job ten times a second where it stands."""

    def __init__(self, process, address, feed):
        self.process, self.feed = process, feed
        self.request = urllib.request.Request(f"http://{address}/status", headers={"Authorization": f"Bearer {TOKEN}"})
        self.status = {}
        self.waiting = []
        self.latencies = []

    def look(self):
        with urllib.request.urlopen(self.request, timeout=30) as answer:
            self.status = json.load(answer)
        now = time.monotonic()
        positions = {}
        for source in self.status["sources"].values():
            positions.update(source["positions"])
        left = collections.deque()
        while self.feed.probes:
            at, partition, offset = self.feed.probes.popleft()
            if positions.get(partition, 0) > offset:
                self.waiting.append((self.status["sequence"], at, now))
            else:
                left.append((at, partition, offset))
        self.feed.probes.extendleft(reversed(left))
        published = self.status["published"]
        done = [it for it in self.waiting if it[0] <= published]
        self.waiting = [it for it in self.waiting if it[0] > published]
        self.latencies += [(committed - at, now - at) for _, at, committed in done]
        return positions

    def behind(self, positions):
        return sum(end - positions.get(partition, 0) for partition, end in self.feed.ends.items())

    def sample(self, started, positions):
        proc = pathlib.Path("/proc") / str(self.process.pid)
        memory = dict(re.findall(r"^(\w+):\s+(\d+)", (proc / "status").read_text(), re.M))
        cpu = (proc / "stat").read_text().rsplit(")", 1)[1].split()
        latencies, self.latencies = self.latencies, []
        return {
            "seconds": round(time.monotonic() - started, 1), "sent": self.feed.sent, "behind": self.behind(positions),
            "rss_kib": int(memory["VmRSS"]), "anonymous_kib": int(memory["RssAnon"]), "threads": int(memory["Threads"]),
            "open_files": len(list((proc / "fd").iterdir())),
            "cpu_s": (int(cpu[11]) + int(cpu[12])) / os.sysconf("SC_CLK_TCK"),
            **{key: self.status[key] for key in (
                "read", "resolved", "dead_lettered", "records", "identities", "sequence", "published", "state_bytes",
                "table_files", "table_bytes")},
            "latencies": [[round(x, 3) for x in pair] for pair in latencies],
        }


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def summary(samples, parts=10):
    """One line per part: what an operator would look at."""
    print("minutes  rss MiB (max)  anon MiB  files  threads  records  cpu share  "
          "committed p50/p99 s  published p50/p99 s  behind (max)")
    first, last = samples[0]["seconds"], samples[-1]["seconds"]
    for part in range(parts):
        low, high = (first + (last - first) * at / parts for at in (part, part + 1))
        some = [s for s in samples if low <= s["seconds"] <= high]
        if len(some) < 2:
            continue
        mean = lambda key: sum(s[key] for s in some) / len(some) / 1024
        latencies = [pair for s in some for pair in s["latencies"]]
        committed, published = [[pair[at] for pair in latencies] for at in (0, 1)]
        cpu = (some[-1]["cpu_s"] - some[0]["cpu_s"]) / (some[-1]["seconds"] - some[0]["seconds"])
        print(f"{low / 60:5.0f}-{high / 60:<4.0f} {mean('rss_kib'):6.1f} ({max(s['rss_kib'] for s in some) / 1024:.1f})"
              f"  {mean('anonymous_kib'):8.1f}  {max(s['open_files'] for s in some):5}"
              f"  {max(s['threads'] for s in some):7}  {some[-1]['records']:7}  {cpu:9.2f}"
              f"  {quantile(committed, .5):8.2f} / {quantile(committed, .99):<8.2f}"
              f"  {quantile(published, .5):8.2f} / {quantile(published, .99):<8.2f}  {max(s['behind'] for s in some)}")


def endpoint(log):
    """The address that the job says it listens at."""
    for _ in range(600):
        found = re.search(r"address=\"?(127\.0\.0\.1:\d+)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.1)
    raise SystemExit("the job did not start: " + log.read_text())


def soak(arguments, folder):
    text = pathlib.Path("pipelines/events-kafka.toml").read_text()
    assert text.count('interval = "') == 1, "the interval of publishing"
    text = re.sub(r'interval = "[^"]*"', f'interval = "{arguments.interval}"', text)
    # Caches are full soon, so that what still grows is something else.
    assert text.count('memory = "2GiB"') == 1, "the budget of the state"
    text = text.replace('memory = "2GiB"', f'memory = "{arguments.memory}"')
    # This broker looks through all that it has for each request: ask seldom, for much.
    seldom = ', options = { "fetch.min.bytes" = 1000000, "fetch.wait.max.ms" = 500 } }'
    text = text.replace('group = "onefold-retail" }', 'group = "onefold-retail"' + seldom)
    pipeline = folder / "pipeline.toml"
    pipeline.write_text(text + '\n[http]\naddress = "127.0.0.1:0"\n' f'token = "{TOKEN}"\n')
    broker, address = start_broker(folder)
    feed = Feed(address, arguments.events)
    environment = dict(os.environ, OUT=str(folder / "tables"), STATE=str(folder / "state"), KAFKA_BROKERS=address)
    log = folder / "job.log"
    command = [arguments.onefold, "run", pipeline, "--log-format", "text"]
    job = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=open(log, "wb"))
    try:
        watch = Watch(job, endpoint(log), feed)
        for _ in range(2):
            for at in range(0, len(feed.lines), 1000):
                feed.send(min(1000, len(feed.lines) - at))
            feed.producer.flush()
            while watch.behind(watch.look()) or watch.status["published"] < watch.status["sequence"]:
                time.sleep(0.5)
            print(f"sent {feed.sent:,} lines: {watch.status['records']:,} records", file=sys.stderr)
        interactions = polars.read_delta(str(folder / "tables/interactions"), columns=["channel", "event_id", "record_key"])
        feed.keep_known(interactions.iter_rows())
        watch.waiting, watch.latencies = [], []
        print(f"{len(feed.lines):,} lines are sent again and again", file=sys.stderr)
        return steady(arguments, feed, watch)
    finally:
        job.terminate()
        try:
            code = job.wait(60)
        except subprocess.TimeoutExpired:
            job.kill()
            code = "killed"
        broker.kill()
        broker.wait()
        counted = collections.Counter(re.findall(r" (WARN|ERROR) ", log.read_text()))
        print(f"the job ended with {code}; log: {dict(counted)}", file=sys.stderr)
        (arguments.samples.with_suffix(".log")).write_bytes(log.read_bytes())


def steady(arguments, feed, watch):
    started, before, samples = time.monotonic(), feed.sent, []
    end = threading.Event()

    def send():
        while not end.wait(0.05):
            due = before + int((time.monotonic() - started) * arguments.rate)
            feed.send(due - feed.sent)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    with open(arguments.samples, "w") as file:
        while time.monotonic() - started < arguments.minutes * 60:
            if watch.process.poll() is not None:
                raise SystemExit(f"the job ended with {watch.process.returncode}")
            positions = watch.look()
            if time.monotonic() - started >= len(samples) * arguments.every:
                samples.append(watch.sample(started, positions))
                print(json.dumps(samples[-1]), file=file, flush=True)
            time.sleep(0.1)
    end.set()
    sender.join()
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=pathlib.Path)
    parser.add_argument("samples", type=pathlib.Path)
    parser.add_argument("--onefold", default="target/release/onefold")
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--rate", type=float, default=250, help="events a second")
    parser.add_argument("--interval", default="5s", help="how often tables are published")
    parser.add_argument("--memory", default="256MiB", help="the budget of the state, whose caches fill over time")
    parser.add_argument("--every", type=float, default=10, help="seconds between samples")
    parser.add_argument("--again", action="store_true", help="only print the summary of SAMPLES")
    arguments = parser.parse_args()
    if arguments.again:
        return summary([json.loads(line) for line in arguments.samples.read_text().splitlines()])
    with tempfile.TemporaryDirectory() as folder:
        samples = soak(arguments, pathlib.Path(folder))
    summary(samples)


if __name__ == "__main__":
    main()
