#!/usr/bin/env python3
"""What other readers find in one table, version by version, and what other writers do to it.

usage: matrix.py read FOLDER VERSION...     what each reader finds at each version, as JSON
       matrix.py gone FOLDER VERSION...     which of the versions each reader cannot read, as JSON: {R: [VERSION]}
       matrix.py plain FILE                 what readers that know no Delta find in a plain file, as JSON: {R: FOUND}
       matrix.py vacuum FOLDER              delta-rs removes what no version of now needs, files of any name
       matrix.py optimize FOLDER            delta-rs puts the files of the table together
       matrix.py restore FOLDER VERSION     delta-rs puts the table back to a version

Printed by `read`: {R: {VERSION: FOUND}}, with R one of "duckdb", "polars", "delta-rs", of a plain file one of "duckdb",
"polars", "pyarrow"; FOUND is
{"rows": COUNT, "sum": N, "nested": N, "keys": CRC-32 OF THE SORTED KEYS, "some": COUNT}
where "some" counts the rows whose key starts with 0 to 3, found by a filter that files may be skipped by.

Needs the packages of read_tables.py, and pyarrow.
"""

import json
import sys
import zlib

import deltalake
import duckdb
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from read_tables import connect

FILTER = "key < '4'"
TOTALS = "count(*), coalesce(sum(number), 0)"


def found(rows, total, nested, keys, some):
    crc = zlib.crc32("".join(sorted(keys)).encode())
    return {"rows": rows, "sum": int(total), "nested": int(nested or 0), "keys": crc, "some": some}


def by_duckdb(folder, version):
    return found_by_duckdb(connect(), f"delta_scan('{folder}', version={version})")


def found_by_duckdb(connection, table):
    def query(sql):
        return connection.execute(sql).fetchall()

    rows, total = query(f"SELECT {TOTALS} FROM {table}")[0]
    nested = query(f"SELECT sum(i.amount) FROM (SELECT unnest(items) AS i FROM {table})")[0][0]
    keys = [key for (key,) in query(f"SELECT key FROM {table}")]
    some = query(f"SELECT count(*) FROM {table} WHERE {FILTER}")[0][0]
    return found(rows, total, nested, keys, some)


def by_polars(folder, version):
    return found_by_polars(pl.scan_delta(folder, version=version))


def found_by_polars(table):
    rows, total = table.select(pl.len(), pl.col("number").sum()).collect().row(0)
    items = table.select(pl.col("items").explode()).drop_nulls().unnest("items")
    nested = items.select(pl.col("amount").sum()).collect().item()
    keys = table.select("key").collect()["key"].to_list()
    some = table.filter(pl.col("key") < "4").select(pl.len()).collect().item()
    return found(rows, total, nested, keys, some)


def by_delta_rs(folder, version):
    engine = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(folder, version=version))

    def query(sql):
        return pl.DataFrame(engine.execute(sql).read_all()).rows()

    rows, total = query(f"SELECT {TOTALS} FROM t")[0]
    nested = query("SELECT sum(i['amount']) FROM (SELECT unnest(items) AS i FROM t)")[0][0]
    keys = [key for (key,) in query("SELECT key FROM t")]
    some = query(f"SELECT count(*) FROM t WHERE {FILTER}")[0][0]
    return found(rows, total, nested, keys, some)


def found_by_pyarrow(file):
    table = pq.read_table(file)
    items = pc.list_flatten(table["items"].combine_chunks())
    nested = pc.sum(pc.struct_field(items, "amount")).as_py()
    total = pc.sum(table["number"], min_count=0).as_py()
    some = pq.read_table(file, columns=["key"], filters=[("key", "<", "4")]).num_rows
    return found(table.num_rows, total, nested, table["key"].to_pylist(), some)


def in_plain_file(file):
    return {
        "duckdb": found_by_duckdb(duckdb.connect(), f"read_parquet('{file}')"),
        "polars": found_by_polars(pl.scan_parquet(file)),
        "pyarrow": found_by_pyarrow(file),
    }


def is_gone(read, folder, version):
    try:
        read(folder, int(version))
    except Exception:  # each reader has errors of its own
        return True
    return False


READERS = {"duckdb": by_duckdb, "polars": by_polars, "delta-rs": by_delta_rs}


def main():
    act, folder, *versions = sys.argv[1:]
    if act == "plain":
        print(json.dumps(in_plain_file(folder)))
        return
    table = deltalake.DeltaTable(folder)
    if act == "read":
        answer = {
            name: {version: read(folder, int(version)) for version in versions}
            for name, read in READERS.items()
        }
    elif act == "gone":
        answer = {
            name: [version for version in versions if is_gone(read, folder, version)]
            for name, read in READERS.items()
        }
    elif act == "vacuum":
        answer = table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    elif act == "restore":
        answer = table.restore(int(versions[0]))["numRestoredFile"]
    else:
        answer = table.optimize.compact()["numFilesRemoved"]
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
