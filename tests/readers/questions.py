#!/usr/bin/env python3
"""Asks tables the questions of a page.

usage: questions.py PAGE FOLDER      runs every block of SQL of the page, its tables in FOLDER, with DuckDB

Prints the rows of each query as tables. Needs the packages of read_tables.py.
"""

import pathlib
import re
import sys

from read_tables import duckdb_connection

SHOWN = "onefold-demo/tables"


def main():
    page, folder = sys.argv[1:]
    connection = duckdb_connection(folder, {})
    for block in re.findall(r"^```sql\n(.*?)^```$", pathlib.Path(page).read_text(), re.M | re.S):
        found = connection.sql(block.replace(SHOWN, folder))
        if found is not None:
            print(found)


main()
