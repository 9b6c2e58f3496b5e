#!/usr/bin/env python3
"""How fast is the whole pipeline, what does it need, and how near is it to what its first stages alone would reach?

    make bench                                            # events of a few thousand customers, some minutes
    make bench BENCH="--customers 100000 --people people_300000 people_3000000 --model MODEL"

Makes events, and measures: the first stages alone, one more with each pass (the roofline); a backfill of the events; the same
events delivered again under other ids, which is known content; the events through a broker, with the time from the broker's
acknowledgement to the commit and to the tables at a steady rate; records resolved one by one among many; and backfills
of ever more customers. `--people` are folders with records.parquet, and truth.csv if there is one, for the last two.

Prints a table, writes OUT/bench.json and OUT/bench.svg, and compares with OUT/baseline.json, which `--save-baseline` makes
of this run. Compare runs of one machine, and rather CPU seconds than wall time.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import backfill
import soak
import stream

ROOT = pathlib.Path(__file__).resolve().parent.parent
EVENTS = "pipelines/events.toml"
EVENT_ID = re.compile(rb'("event_id":\s*")([^"]*)"')


def bench(name, *arguments, **environment):
    """The lines that one of the benches in Rust prints."""
    command = ["cargo", "bench", "--quiet", "--locked", "--bench", name, "--", *map(str, arguments)]
    ran = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True)
    return ran.stdout.decode().splitlines()


def job(onefold, environment):
    """The figures of one backfill of the events pipeline."""
    report, usage = stream.job([onefold, "backfill", EVENTS, "--json"], {**os.environ, **environment})
    return {"wall_s": report["seconds"]["total"], "cpu_s": usage.ru_utime + usage.ru_stime, **report}


def roofline(onefold, events, folder):
    """The first stages alone, and the whole pipeline: on the same events, on these delivered again, and under other ids."""
    passes = [json.loads(line) for line in bench("roofline", EVENTS, EVENTS_DIR=str(events))]
    figures = {f"through {it['through']}, messages/s": it["per_s"] for it in passes}
    figures |= {f"through {it['through']}, CPU s": it["cpu_s"] for it in passes}
    files = folder / "events"
    files.mkdir()
    environment = {"EVENTS_DIR": str(files), "OUT": str(folder / "out"), "STATE": str(folder / "state")}
    for content, change in (
        ("new content", lambda line: line),
        ("delivered again", lambda line: line),
        ("known content", lambda line: EVENT_ID.sub(rb'\g<1>\g<2>-again"', line)),
    ):
        for file in events.glob("*.jsonl"):
            lines = map(change, file.read_bytes().splitlines(keepends=True))
            # Files are taken by their names: one of a source is never taken twice.
            (files / f"{file.name}.{content.replace(' ', '-')}.jsonl").write_bytes(b"".join(lines))
        done = job(onefold, environment)
        rate = done["messages"] / done["wall_s"]
        figures |= {f"{content}, messages/s": rate, f"{content}, CPU s": done["cpu_s"],
                    f"{content}, % of the roofline": 100 * rate / passes[-1]["per_s"]}
        for stage in ("wait", "prepare", "resolve", "commit", "publish"):
            figures[f"{content}, % of wall time: {stage}"] = 100 * done["seconds"][stage] / done["wall_s"]
    return figures


def streamed(onefold, events):
    done = stream.measure(events, onefold)
    figures = {name: done[name] for name in ("events_per_s", "cpu_s", "peak_rss_mib", "state_bytes", "table_bytes")}
    figures["state bytes a record"] = done["state_bytes"] / done["records"]
    return {**figures, "bcubed_f1": done["scores"]["bcubed"]["f1"]}


def latency(onefold, events, folder, rate, seconds):
    """From the broker's acknowledgement to the commit and to the tables, at a steady rate."""
    samples = folder / "samples.jsonl"
    arguments = argparse.Namespace(events=events, samples=samples, onefold=onefold, minutes=seconds / 60, rate=rate,
                                   interval="5s", memory="2GiB", every=1)
    done = soak.soak(arguments, folder)
    pairs = [pair for sample in done for pair in sample["latencies"]]
    figures = {"events_per_s": rate, "probes": len(pairs), "behind_max": max(sample["behind"] for sample in done)}
    for at, name in enumerate(("committed", "published")):
        for share in (0.5, 0.99):
            figures[f"{name} p{share * 100:.0f}, s"] = soak.quantile([pair[at] for pair in pairs], share)
    return figures


def one_by_one(arguments, events):
    if arguments.people and arguments.model:
        records = pathlib.Path(arguments.people[-1]).resolve() / "records.parquet"
        lines = bench("latency", backfill.PIPELINE, arguments.model.resolve(), arguments.base, RECORDS=str(records))
    else:
        lines = bench("latency", EVENTS, "built-in", arguments.base, EVENTS_DIR=str(events))
    return {name: float(value) for name, value in (line.split() for line in lines)}


def growth(arguments, folder):
    """Backfills of ever more: figures by size."""
    done = []
    if arguments.people:
        for people in map(pathlib.Path, arguments.people):
            truth = people / "truth.csv"
            model = str(arguments.model.resolve()) if arguments.model else ""
            done.append(backfill.measure(pathlib.Path(arguments.onefold).resolve(), (people / "records.parquet").resolve(),
                                         str(truth.resolve()) if truth.exists() else "", model))
        return done
    for share in (4, 2, 1):
        events = folder / f"grown-{share}"
        make_events(arguments.onefold, events, arguments.customers // share)
        figures = stream.measure(events, arguments.onefold, backfill=True)
        done.append({"records": figures["records"], "records_per_cpu_s": figures["records"] / figures["cpu_s"],
                     "peak_mib": figures["peak_rss_mib"]})
    return done


def make_events(onefold, folder, customers):
    command = [onefold, "demo", "--only-events", str(folder), "--customers", str(customers)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def chart(sizes):
    """Records a CPU second and peak memory by the number of records, as an SVG."""
    width, height, left, top = 360, 220, 60, 30
    most = max(it["records"] for it in sizes)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * (width + left) + 20}" height="{height + 80}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>']
    for number, (key, title) in enumerate((("records_per_cpu_s", "records a CPU second"), ("peak_mib", "peak memory, MiB"))):
        highest = max(it[key] for it in sizes)
        begin = left + number * (width + left)
        points = [(begin + it["records"] / most * (width - 20), top + height - it[key] / highest * height) for it in sizes]
        parts += [f'<text x="{begin}" y="{top - 10}">{title}; up to {highest:,.0f}</text>',
                  f'<path d="M{begin},{top}V{top + height}H{begin + width - 20}" fill="none" stroke="black"/>',
                  '<polyline fill="none" stroke="steelblue" stroke-width="2" points="'
                  + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>']
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="steelblue"/><text x="{x - 40:.1f}" '
                  f'y="{top + height + 16}">{it["records"]:,}</text>' for (x, y), it in zip(points, sizes)]
    return "\n".join([*parts, "</svg>", ""])


def shown(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onefold", default=str(ROOT / "target/release/onefold"))
    parser.add_argument("--customers", type=int, default=5_000, help="of the events")
    parser.add_argument("--people", nargs="*", default=[], help="folders with records.parquet, the smallest first")
    parser.add_argument("--model", type=pathlib.Path, help="for people: a trained model")
    parser.add_argument("--base", type=int, default=500_000, help="records that are there when others come one by one")
    parser.add_argument("--rate", type=float, default=2_000, help="events a second where latency is measured")
    parser.add_argument("--seconds", type=float, default=60, help="how long that is")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target/bench")
    parser.add_argument("--save-baseline", action="store_true")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        events = folder / "made"
        make_events(arguments.onefold, events, arguments.customers)
        for name in ("roofline", "latency"):
            (folder / name).mkdir()
        sizes = growth(arguments, folder)
        figures = {
            "roofline": roofline(arguments.onefold, events, folder / "roofline"),
            "stream": streamed(arguments.onefold, events),
            "latency": latency(arguments.onefold, events, folder / "latency", arguments.rate, arguments.seconds),
            "one by one": one_by_one(arguments, events),
            "growth": {f"{it['records']:,} records, {key}": it[key] for it in sizes for key in ("records_per_cpu_s", "peak_mib")},
        }
    kept = arguments.out / "baseline.json"
    earlier = json.loads(kept.read_text())["figures"] if kept.exists() else {}
    for part, of_part in figures.items():
        print(f"\n{part}")
        for name, value in of_part.items():
            before = earlier.get(part, {}).get(name)
            ratio = f"  {value / before:.2f} of the baseline" if before else ""
            print(f"  {name:<50} {shown(value):>12}{ratio}")
    text = json.dumps({"figures": figures, "sizes": sizes, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                       "options": {name: str(value) for name, value in vars(arguments).items()}}, indent=1) + "\n"
    (arguments.out / "bench.json").write_text(text)
    (arguments.out / "bench.svg").write_text(chart(sizes))
    if arguments.save_baseline:
        kept.write_text(text)
    print(f"\n{arguments.out / 'bench.json'}, {arguments.out / 'bench.svg'}", file=sys.stderr)


if __name__ == "__main__":
    main()
