#!/usr/bin/env python3
"""Reads the published tables with DuckDB and with Polars, and prints what they found as JSON.

usage: read_tables.py ROOT [STORAGE_OPTIONS_JSON]

ROOT is a local folder or an s3:// URL. STORAGE_OPTIONS_JSON holds the options of an S3 server by their AWS_ names:
{"AWS_ACCESS_KEY_ID": "...", "AWS_SECRET_ACCESS_KEY": "...", "AWS_REGION": "...", "AWS_ENDPOINT_URL": "http://...",
"AWS_ALLOW_HTTP": "true"}

Printed, with R one of "duckdb" and "polars":
{"R": {"rows": {TABLE: COUNT}, "profiles": {CURRENCY: {"purchase_minor": N, "return_minor": N}},
       "interactions": {CURRENCY: {"purchase_minor": N, "return_minor": N}}}}

Needs the packages duckdb, duckdb-extension-delta and duckdb-extension-httpfs (all of one version), polars and
deltalake.
"""

import json
import pathlib
import sys

import polars as pl

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))

from pages import connect, load

TABLES = [
    "profiles",
    "profiles_marketing",
    "suppression",
    "consent_history",
    "identity_map",
    "identity_changes",
    "interactions",
    "dead_letters",
]


def duckdb_connection(root, options):
    connection = connect()
    if root.startswith("s3://"):
        load(connection, "httpfs")
        endpoint = options.get("AWS_ENDPOINT_URL", "")
        host = endpoint.split("://")[-1]
        ssl = "false" if endpoint.startswith("http://") else "true"
        connection.execute(
            f"""CREATE SECRET (TYPE s3, PROVIDER config,
                KEY_ID '{options["AWS_ACCESS_KEY_ID"]}', SECRET '{options["AWS_SECRET_ACCESS_KEY"]}',
                REGION '{options.get("AWS_REGION", "us-east-1")}',
                ENDPOINT '{host}', USE_SSL {ssl}, URL_STYLE 'path')"""
        )
    return connection


def sums(rows):
    """Rows of (currency, purchases, returns) by currency; those of nothing but zeros left out."""
    found = {}
    for currency, purchases, returns in sorted(rows):
        if purchases or returns:
            found[currency] = {"purchase_minor": int(purchases), "return_minor": int(returns)}
    return found


def by_duckdb(root, options):
    connection = duckdb_connection(root, options)

    def query(sql):
        return connection.execute(sql).fetchall()

    def scan(table):
        return f"delta_scan('{root}/{table}')"

    profiles = query(
        f"""SELECT p.currency, sum(p.purchase_minor), sum(p.return_minor)
            FROM (SELECT unnest(purchases) AS p FROM {scan("profiles")}) GROUP BY ALL"""
    )
    interactions = query(
        f"""SELECT currency,
                   coalesce(sum(amount_minor) FILTER (money_kind = 'purchase'), 0),
                   coalesce(sum(amount_minor) FILTER (money_kind = 'return'), 0)
            FROM {scan("interactions")} WHERE currency IS NOT NULL GROUP BY ALL"""
    )
    counts = {t: query(f"SELECT count(*) FROM {scan(t)}")[0][0] for t in TABLES}
    return {"rows": counts, "profiles": sums(profiles), "interactions": sums(interactions)}


def by_polars(root, options):
    def scan(table):
        return pl.scan_delta(f"{root}/{table}", storage_options=options or None)

    def money(kind):
        return pl.col("amount_minor").filter(pl.col("money_kind") == kind).sum().alias(kind)

    entries = scan("profiles").select(pl.col("purchases").explode()).drop_nulls().unnest("purchases")
    profiles = entries.group_by("currency").agg(
        pl.col("purchase_minor").sum(), pl.col("return_minor").sum()
    )
    interactions = (
        scan("interactions")
        .filter(pl.col("currency").is_not_null())
        .group_by("currency")
        .agg(money("purchase"), money("return"))
    )
    counts = {t: scan(t).select(pl.len()).collect().item() for t in TABLES}
    return {
        "rows": counts,
        "profiles": sums(profiles.collect().rows()),
        "interactions": sums(interactions.collect().rows()),
    }


def main():
    root = sys.argv[1].rstrip("/")
    options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    found = {"duckdb": by_duckdb(root, options), "polars": by_polars(root, options)}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
