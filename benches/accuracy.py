#!/usr/bin/env python3
"""How accurate is Onefold, and how accurate are the others? Prints the table of the README.

    cargo build --release
    python3 benches/accuracy.py [--data FOLDER] [EVENTS ...] [--splink [PYTHON]]

Each set is matched with one command, without labels and with default settings:

    RECORDS=… onefold backfill pipelines/people.toml        (organisations.toml for organisations)
    EVENTS_DIR=… onefold backfill pipelines/events.toml

and its truth is read only afterwards, by `onefold evaluate`. FOLDER (or the environment's ONEFOLD_DATA) holds a folder
a set, with records.csv or records.parquet and truth.csv; sets that are not there are left out, and those of tests/data
are always there. EVENTS are folders that `onefold demo --only-events` writes, `NAME=FOLDER` to give one a name.

--splink runs Splink beside it (benches/splink_peer.py, with the settings of its own documentation), in a Python that
has `splink==5.0.0 duckdb==2.0.0`; its column has the figures at the documented threshold and, in brackets, at the best
of five, which only the truth can tell. The best published figures are in benches/published.json, each with its source.
"""
import argparse
import collections
import csv
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEOPLE = ("fake_1000", "febrl1", "febrl2", "febrl3", "historical_50k_a")
ORGANISATIONS = ("chicago_childcare",)
VIEWS = ("pairwise", "bcubed", "exact")


def run(command, environment):
    """Runs a command; returns what it printed and the CPU seconds it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(part) for part in command], env={**os.environ, **environment}, cwd=ROOT, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def onefold(program, pipeline, environment, truth):
    """Matches a set and scores the result."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**environment, "OUT": f"{folder}/out", "STATE": f"{folder}/state"}
        report, cpu = run([program, "backfill", pipeline, "--json"], environment)
        scores, _ = run([program, "evaluate", pipeline, "--json", "--errors", "0", "--truth", truth], environment)
    report, scores = json.loads(report), json.loads(scores)
    return {"scores": scores, "records": scores["records"], "cpu": cpu, "expected": expected_precision(report, scores)}


def expected_precision(*answers):
    """The precision that the model itself expects, where it says so."""
    for answer in answers:
        for place in (answer, answer.get("model") or {}, answer.get("parameters") or {}):
            if place.get("expected_precision") is not None:
                return place["expected_precision"]
    return None


def splink(python, name, records, truth):
    """Scores of Splink at the documented threshold and at the best one."""
    with tempfile.TemporaryDirectory() as folder:
        predicted = pathlib.Path(folder) / "predicted.csv"
        _, cpu = run([python, "benches/splink_peer.py", name, records, predicted], {})
        by_threshold = collections.OrderedDict()
        with open(predicted, newline="") as file:
            for row in csv.DictReader(file):
                by_threshold.setdefault(row["threshold"], {})[row["record_id"]] = row["cluster_id"]
    with open(truth, newline="") as file:
        true = {row["record_id"]: row["cluster_id"] for row in csv.DictReader(file)}
    scores = [score(clusters, true) for clusters in by_threshold.values()]
    return {"documented": scores[0], "best": max(scores, key=lambda s: s["pairwise"]["f1"]), "cpu": cpu}


def score(predicted, truth):
    """Pairwise, B-cubed and exact clusters; a record that is not predicted is a cluster of one."""
    cells = collections.Counter()
    predicted_sizes, true_sizes = collections.Counter(), collections.Counter()
    for record, true in truth.items():
        cluster = predicted.get(record, ("alone", record))
        cells[cluster, true] += 1
        predicted_sizes[cluster] += 1
        true_sizes[true] += 1
    pairs = lambda sizes: sum(size * (size - 1) // 2 for size in sizes)
    right = pairs(cells.values())
    same = sum(1 for (c, t), n in cells.items() if n == predicted_sizes[c] == true_sizes[t])
    mean = lambda size: sum(n * n / size(c, t) for (c, t), n in cells.items()) / max(len(truth), 1)
    share = lambda part, whole: part / whole if whole else 1.0
    return {
        "pairwise": prf(share(right, pairs(predicted_sizes.values())), share(right, pairs(true_sizes.values()))),
        "bcubed": prf(mean(lambda c, t: predicted_sizes[c]), mean(lambda c, t: true_sizes[t])),
        "exact": prf(share(same, len(predicted_sizes)), share(same, len(true_sizes))),
    }


def prf(precision, recall):
    total = precision + recall
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / total if total else 0.0}


def f1(scores):
    return " / ".join(figure(scores[view]["f1"]) for view in VIEWS)


def figure(share):
    """A share as it stands in the table: `.984`, `.9995` where three digits would hide the rest."""
    digits = 4 if share > 0.9985 and share < 1 else 3
    return f"{share:.{digits}f}".removeprefix("0")


def best_published(entries, name):
    """The best figures for a set, of those who need no labels, in words."""
    known = [entry for entry in entries if entry["set"] == name and not entry["labels"]]
    if not known:
        return "–"
    best = max(known, key=lambda entry: entry["pairwise"])
    figures = [best[view] for view in VIEWS]
    said = " / ".join("–" if value is None else figure(value) for value in figures)
    return f"{said} ({best['system']})"


def locate(data, name):
    """The records and the truth of a set, where they are."""
    for folder in filter(None, (data, ROOT / "tests/data/people")):
        for records in ("records.csv", "records.parquet"):
            path = pathlib.Path(folder).resolve() / name / records
            if path.is_file():
                return path, path.with_name("truth.csv")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", nargs="*", help="folders of events, NAME=FOLDER to name one")
    parser.add_argument("--data", default=os.environ.get("ONEFOLD_DATA"))
    parser.add_argument("--onefold", default=str(ROOT / "target/release/onefold"))
    parser.add_argument("--splink", nargs="?", const=sys.executable, metavar="PYTHON")
    parser.add_argument("--only", help="these sets alone, with commas")
    parser.add_argument("--json", metavar="FILE", help="also write every figure to a file")
    arguments = parser.parse_args()
    published = json.loads((ROOT / "benches/published.json").read_text())["figures"]

    jobs = []
    for name in PEOPLE + ORGANISATIONS:
        place = locate(arguments.data, name)
        if place is None:
            print(f"{name}: not there, left out", file=sys.stderr)
            continue
        pipeline = "organisations" if name in ORGANISATIONS else "people"
        jobs.append((name, pipeline, {"RECORDS": str(place[0])}, *place))
    for given in arguments.events:
        name, _, folder = given.rpartition("=")
        folder = pathlib.Path(folder).resolve()
        jobs.append((name or folder.name, "events", {"EVENTS_DIR": str(folder)}, None, folder / "truth.csv"))
    if arguments.only:
        jobs = [job for job in jobs if job[0] in arguments.only.split(",")]

    print("| Set (records) | Precision: expected | true | recall | F1: pairwise / B-cubed / exact "
          "| Splink 5.0.0 (its best threshold) | Best other, measured or published |")
    print("|---|---|---|---|---|---|---|")
    figures = {}
    for name, pipeline, environment, records, truth in jobs:
        ours = onefold(arguments.onefold, f"pipelines/{pipeline}.toml", environment, truth)
        theirs = splink(arguments.splink, name, records, truth) if arguments.splink and records else None
        figures[name] = {"onefold": ours, "splink": theirs}
        pairwise = ours["scores"]["pairwise"]
        expected = "–" if ours["expected"] is None else figure(ours["expected"])
        beside = f"{f1(theirs['documented'])} ({figure(theirs['best']['pairwise']['f1'])})" if theirs else "–"
        print(f"| `{name}` ({ours['records']:,}) | {expected} | {figure(pairwise['precision'])} "
              f"| {figure(pairwise['recall'])} | **{f1(ours['scores'])}** | {beside} "
              f"| {best_published(published, name)} |", flush=True)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
