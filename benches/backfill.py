#!/usr/bin/env python3
"""How long does a backfill take, and how does that grow with the records?

    cargo build --release
    python3 benches/backfill.py FILE[=TRUTH] ... [--model MODEL] [--program PROGRAM ...] [--json OUT] [--baseline EARLIER]

Each FILE holds rows of people, as pipelines/people.toml reads them, and is backfilled into an empty state and empty
tables; TRUTH has record_id,cluster_id. A model makes it a test of matching alone; without one the backfill learns its own
first, of files of up to half a million rows. Several programs are run in turn on each file, so that what else the machine does
hits all of them: compare them with one another, and CPU seconds rather than wall time. `--json` keeps the figures, and
`--baseline` prints theirs beside an earlier run's.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile

from stream import job

ROOT = pathlib.Path(__file__).resolve().parent.parent
PIPELINE = "pipelines/people.toml"
STAGES = ("prepare", "resolve", "commit", "publish")


def measure(program, records, truth, model):
    """Backfills a file; returns the figures of the run."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "RECORDS": str(records), "MODEL": model, "OUT": f"{folder}/out",
                       "STATE": f"{folder}/state"}
        command = [str(program), "backfill", PIPELINE, "--json"]
        report, usage = job(command, environment, cwd=ROOT, stderr=subprocess.DEVNULL)
        seconds, cpu = report["seconds"], usage.ru_utime + usage.ru_stime
        figures = {
            "program": str(program), "file": records.parent.name + "/" + records.name, "records": report["records"],
            "wall_s": seconds["total"], "cpu_s": cpu, "records_per_cpu_s": report["records"] / cpu,
            "peak_mib": usage.ru_maxrss / 1024, "pairs": report["candidates"],
            "pairs_in_components": report["component_pairs"], "identities": report["identities"],
            "state_mib": report["state_bytes"] / 2**20, "tables_mib": report["table_bytes"] / 2**20,
            **{f"{stage}_s": seconds[stage] for stage in STAGES},
        }
        if truth:
            command = [str(program), "evaluate", PIPELINE, "--json", "--errors", "0", "--truth", truth]
            scores = json.loads(subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True).stdout)
            figures.update({f"{view}_f1": scores[view]["f1"] for view in ("pairwise", "bcubed", "exact")})
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE[=TRUTH]")
    parser.add_argument("--model", default="")
    parser.add_argument("--program", nargs="+", default=["target/release/onefold"])
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--baseline", type=pathlib.Path)
    arguments = parser.parse_args()
    earlier = json.loads(arguments.baseline.read_text()) if arguments.baseline else []
    done = []
    for file in arguments.files:
        records, _, truth = file.partition("=")
        for program in arguments.program:
            model = str(pathlib.Path(arguments.model).resolve()) if arguments.model else ""
            truth = str(pathlib.Path(truth).resolve()) if truth else ""
            figures = measure(pathlib.Path(program).resolve(), pathlib.Path(records).resolve(), truth, model)
            before = next((it for it in earlier if it["file"] == figures["file"]), {})
            done.append(figures)
            for name, value in figures.items():
                shown = value if isinstance(value, str) else f"{value:,.3f}" if value < 10 else f"{value:,.0f}"
                ratio = isinstance(before.get(name), (int, float)) and before[name]
                print(f"{name:>20}  {shown}" + (f"  {value / ratio:.2f} of earlier" if ratio else ""))
            print(flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    main()
