#!/usr/bin/env python3
"""Splink on one labelled set, with the settings that its own documentation gives; accuracy.py runs this.

    python benches/splink_peer.py SET RECORDS PREDICTED.csv

Needs splink and duckdb. Writes threshold,record_id,cluster_id for each threshold; the first is the one that the
documentation uses for that set. Nothing here knows the truth.

Settings: the demos of the Splink repository (docs/demos/examples/duckdb, version 5.0.0): `deduplicate_50k_synthetic`,
`febrl3` and `accuracy_analysis_from_labels_column`. `chicago_childcare` has none: its settings
are ours, after the tutorial, with comparisons of the library for names, addresses and exact values, and not tuned.
"""
import csv
import logging
import sys

import duckdb
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

THRESHOLDS = (0.5, 0.9, 0.99, 0.999)


def exact(column):
    return cl.ExactMatch(column).configure(term_frequency_adjustments=True)


def historical_50k():
    part = "substr({}, 1, {})".format
    return {
        "columns": "*, first_name || ' ' || surname AS first_and_last",
        "block": [
            (part("first_name", 3), part("surname", 4)), ("surname", "dob"), ("first_name", "dob"),
            ("postcode_fake", "first_name"), ("postcode_fake", "surname"), ("dob", "birth_place"),
            (part("postcode_fake", 3), "dob"), (part("postcode_fake", 3), "first_name"),
            (part("postcode_fake", 3), "surname"),
            (part("first_name", 2), part("surname", 2), part("dob", 4)),
        ],
        "compare": [
            cl.ForenameSurnameComparison("first_name", "surname", forename_surname_concat_col_name="first_and_last"),
            cl.DateOfBirthComparison("dob", input_is_string=True), cl.PostcodeComparison("postcode_fake"),
            exact("birth_place"), exact("occupation"),
        ],
        "certain": [
            block_on("first_name", "surname", "dob"),
            block_on(part("first_name", 2), "surname", part("postcode_fake", 2)), block_on("dob", "postcode_fake"),
        ],
        "recall": 0.6, "pairs": 1e7, "seed": 1, "train": [("first_name", "surname"), ("dob",)], "plain": True,
    }


def febrl():
    return {
        "columns": "*",
        "block": [("soc_sec_id",), ("given_name",), ("surname",), ("date_of_birth",), ("postcode",)],
        "compare": [
            cl.NameComparison("given_name"), cl.NameComparison("surname"),
            cl.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [2]), exact("street_number"), exact("postcode"),
        ],
        "certain": [
            block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth"),
            "l.given_name = r.surname AND l.surname = r.given_name AND l.date_of_birth = r.date_of_birth",
        ],
        "recall": 0.9, "pairs": 1e6, "seed": 2, "train": [("date_of_birth",), ("postcode",)], "plain": False,
    }


def fake_1000():
    near = "levenshtein(r.{0}, l.{0}) <= {1}".format
    return {
        "columns": "*",
        "block": [("first_name",), ("surname",), ("dob",), ("email",)],
        "compare": [
            cl.ForenameSurnameComparison("first_name", "surname"),
            cl.DateOfBirthComparison("dob", input_is_string=True), exact("city"), cl.EmailComparison("email"),
        ],
        "certain": [
            "l.first_name = r.first_name AND " + near("dob", 1), "l.surname = r.surname AND " + near("dob", 1),
            "l.first_name = r.first_name AND " + near("surname", 2), "l.email = r.email",
        ],
        "recall": 0.7, "pairs": 1e6, "seed": 5, "train": [("dob",), ("email",), ("first_name", "surname")], "plain": True,
    }


def chicago_childcare():
    return {
        "columns": """record_id, lower(trim(regexp_replace("Site name", '\\s+', ' ', 'g'))) AS name,
                      lower(trim(Address)) AS address, trim(Zip) AS zip, trim(Phone) AS phone""",
        "block": [("phone",), ("address",), ("name",), ("zip", "substr(name, 1, 4)"), ("zip", "substr(address, 1, 4)")],
        "compare": [
            cl.JaroWinklerAtThresholds("name", [0.95, 0.88, 0.8]), cl.JaroWinklerAtThresholds("address", [0.95, 0.88, 0.8]),
            exact("zip"), cl.LevenshteinAtThresholds("phone", [1]),
        ],
        "certain": [block_on("name", "address"), block_on("phone", "address"), block_on("name", "phone")],
        "recall": 0.7, "pairs": 1e6, "seed": 1, "train": [("phone",), ("address",)], "plain": True,
    }


SETS = {
    "fake_1000": fake_1000, "febrl1": febrl, "febrl2": febrl, "febrl3": febrl,
    "historical_50k_a": historical_50k, "chicago_childcare": chicago_childcare,
}
DOCUMENTED = 0.95


def table(connection, records, columns):
    """The records as texts, stripped, blanks as nulls."""
    if str(records).endswith(".parquet"):
        source = f"read_parquet('{records}')"
    else:
        source = f"read_csv('{records}', all_varchar = true)"
    names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    clean = ", ".join(f'nullif(trim("{name}"::VARCHAR), \'\') AS "{name}"' for name in names)
    connection.execute(f"CREATE TABLE cleaned AS SELECT {clean} FROM {source}")
    connection.execute(f"CREATE TABLE records AS SELECT {columns} FROM cleaned")


def main():
    name, records, predicted = sys.argv[1:4]
    logging.getLogger("splink").setLevel(logging.ERROR)
    settings = SETS[name]()
    connection = duckdb.connect()
    table(connection, records, settings["columns"])
    api = DuckDBAPI(connection=connection)
    linker = Linker(api.register("records"), SettingsCreator(
        unique_id_column_name="record_id", link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in settings["block"]],
        comparisons=settings["compare"], retain_intermediate_calculation_columns=False, retain_matching_columns=False))
    train = linker.training
    train.estimate_probability_two_random_records_match(settings["certain"], recall=settings["recall"])
    train.estimate_u_using_random_sampling(max_pairs=settings["pairs"], seed=settings["seed"])
    for rule in settings["train"]:
        train.estimate_parameters_using_expectation_maximisation(
            block_on(*rule), estimate_without_term_frequencies=settings["plain"])
    pairs = linker.inference.predict(threshold_match_probability=min(THRESHOLDS))
    with open(predicted, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["threshold", "record_id", "cluster_id"])
        for threshold in (DOCUMENTED, *THRESHOLDS):
            clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
                pairs, threshold_match_probability=threshold)
            found = connection.sql(f"SELECT record_id, cluster_id FROM {clusters.physical_name}").fetchall()
            rows.writerows([threshold, *row] for row in found)


if __name__ == "__main__":
    main()
