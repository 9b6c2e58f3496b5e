#!/usr/bin/env python3
"""How fast is the streaming job, and what does it need? One run, through a real broker.

    make test                                                    # once: installs the broker into .venv-test
    target/release/onefold demo --only-events EVENTS --customers 100000
    .venv-test/bin/python benches/stream.py EVENTS [--onefold target/release/onefold] [--backfill]

Puts web.jsonl, email.jsonl, phone.jsonl and store.jsonl of the folder into the topics of a broker of its own, runs
`onefold run pipelines/events-kafka.toml --until-idle` (or, with --backfill, `onefold backfill pipelines/events.toml`),
and prints events/s, CPU seconds, peak memory, bytes of state and tables, the times of the parts, and the scores
against truth.csv. Everything is in a temporary folder.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from broker import producer_to, start_broker

CHANNELS = ("web", "email", "phone", "store")


def feed(address, events):
    """Sends every line of every channel to the channel's topic; returns how many."""
    producer = producer_to(address, CHANNELS)
    lines = 0
    for channel in CHANNELS:
        with open(events / f"{channel}.jsonl", "rb") as file:
            for line in file:
                while True:
                    try:
                        producer.produce(channel, line.rstrip(b"\n"))
                        break
                    except BufferError:
                        producer.poll(0.1)
                lines += 1
    left = producer.flush(120)
    if left:
        raise SystemExit(f"{left} messages were not taken by the broker")
    return lines


def job(command, environment, **options):
    """The report of a job that ends by itself, and what it used."""
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, **options)
    printed = running.stdout.read()
    _, status, usage = os.wait4(running.pid, 0)
    if status != 0:
        raise SystemExit(f"{command} failed: run it by hand to see why")
    return json.loads(printed), usage


def measure(events, onefold, backfill=False):
    """The figures of a run over the events of a folder."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        environment = dict(os.environ, OUT=str(folder / "tables"), STATE=str(folder / "state"))
        broker = None
        if backfill:
            environment["EVENTS_DIR"] = str(events)
            pipeline, command = "pipelines/events.toml", ["backfill"]
        else:
            broker, environment["KAFKA_BROKERS"] = start_broker(folder)
            pipeline, command = "pipelines/events-kafka.toml", ["run", "--until-idle", "5s"]
        try:
            if broker:
                print(f"{feed(environment['KAFKA_BROKERS'], events):,} messages fed", file=sys.stderr)
            started = time.monotonic()
            report, usage = job([onefold, *command, pipeline, "--json"], environment)
            wall = time.monotonic() - started
            scored = subprocess.run([onefold, "evaluate", pipeline, "--json", "--errors", "0", "--truth",
                                     str(events / "truth.csv")], env=environment,
                                    stdout=subprocess.PIPE, check=True)
        finally:
            if broker:
                broker.kill()
                broker.wait()
        cpu = usage.ru_utime + usage.ru_stime
        return {
            "events_per_s": round(report["read"] / wall), "events_per_cpu_s": round(report["read"] / cpu),
            "wall_s": round(wall, 1), "cpu_s": round(cpu, 1), "peak_rss_mib": round(usage.ru_maxrss / 1024),
            "scores": json.loads(scored.stdout), **report,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=pathlib.Path)
    parser.add_argument("--onefold", default="target/release/onefold")
    parser.add_argument("--backfill", action="store_true")
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.events, arguments.onefold, arguments.backfill), indent=1))


if __name__ == "__main__":
    main()
