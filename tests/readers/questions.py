#!/usr/bin/env python3
"""Asks tables the questions of a page, and prints the page with the answers of now.

usage: questions.py PAGE      in the folder from which the page's queries name their tables

A question is a block of SQL; below it, where it has an answer, is that as a block of text. Needs the packages of
examples/requirements.txt.
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))

from pages import Page, as_markdown

QUESTION = re.compile(r"^```sql\n(.*?)^```$(?:\n\n^```text\n.*?^```$)?", re.M | re.S)


def main():
    page = Page()

    def answered(question):
        sql = question[1]
        return as_markdown(sql, page.ask(sql))

    text = pathlib.Path(sys.argv[1]).read_text()
    sys.stdout.write(QUESTION.sub(answered, text))


main()
