#!/usr/bin/env python3
"""Follows the changes of identities as a page says, and checks that the keys are those of the map.

usage: follow.py PAGE FOLDER DATABASE [read]
    replays identity_changes of the tables in FOLDER; with `read` also reads on in DATABASE, which stays

Prints how many keys there are. Needs the packages of read_tables.py.
"""

import pathlib
import re
import sys

from read_tables import duckdb_connection

SHOWN = "onefold-demo/tables"


def blocks(page, folder):
    """The SQL of the page by the comment that it begins with."""
    found = re.findall(r"^```sql\n-- (.*?)\n(.*?)^```$", pathlib.Path(page).read_text(), re.M | re.S)
    return {name: sql.replace(SHOWN, folder) for name, sql in found}


def main():
    page, folder, database = sys.argv[1:4]
    connection = duckdb_connection(folder, {})
    sql = blocks(page, folder)
    replay = sql["replay"].rstrip().rstrip(";")
    columns = "record_key, source, record_id, identity_id"
    expected = f"SELECT {columns} FROM delta_scan('{folder}/identity_map')"

    def check(keys, what):
        for left, right in ((keys, expected), (expected, keys)):
            more = connection.execute(f"({left}) EXCEPT ALL ({right})").fetchall()
            assert not more, f"{what}: {more[:5]}"

    check(replay, "replayed")
    if sys.argv[4:] == ["read"]:
        is_new = not pathlib.Path(database).exists()
        connection.execute(f"ATTACH '{database}' AS warehouse; USE warehouse")
        if is_new:
            connection.execute(sql["once"])
        connection.execute(sql["each time"])
        check(f"SELECT {columns} FROM keys", "read on")
    print(connection.execute(f"SELECT count(*) FROM ({expected})").fetchone()[0])


main()
