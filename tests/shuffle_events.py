#!/usr/bin/env python3
"""Shuffle a folder of events: the same lines in other orders, and with other neighbours.

    python3 tests/shuffle_events.py EVENTS OUT [--copies 3] [--seed 1]

EVENTS holds web.jsonl, email.jsonl, phone.jsonl and store.jsonl. OUT/1, OUT/2, ... get the same four files,
each with all of its lines in another order, and copies of the .csv files beside them. The same arguments give
the same bytes. Whoever resolves them must find the same customers in each. Standard library only.
"""
import argparse
import pathlib
import random
import shutil

CHANNELS = ("web", "email", "phone", "store")


def shuffle(source, target, seed):
    """Writes one shuffled copy of the folder `source` to the folder `target`."""
    target.mkdir(parents=True, exist_ok=True)
    for channel in CHANNELS:
        name = f"{channel}.jsonl"
        # Lines are bytes: some are malformed, and none may be changed.
        lines = (source / name).read_bytes().split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        random.Random(f"{seed} {channel}").shuffle(lines)
        (target / name).write_bytes(b"".join(line + b"\n" for line in lines))
    for table in sorted(source.glob("*.csv")):
        shutil.copyfile(table, target / table.name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=pathlib.Path, help="the folder with the four files")
    parser.add_argument("out", type=pathlib.Path, help="where the copies go, one folder each")
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--seed", default="1", help="any text")
    args = parser.parse_args()
    missing = [f"{channel}.jsonl" for channel in CHANNELS if not (args.events / f"{channel}.jsonl").is_file()]
    if missing:
        parser.error(f"{args.events} has no {', '.join(missing)}")
    for copy in range(1, args.copies + 1):
        shuffle(args.events, args.out / str(copy), f"{args.seed} {copy}")


if __name__ == "__main__":
    main()
