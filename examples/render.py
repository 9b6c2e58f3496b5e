#!/usr/bin/env python3
"""Runs a notebook of `# %%` cells on the tables of a folder and writes its page.

usage: render.py NOTEBOOK TABLES PAGE      PAGE is a Markdown file; charts go to images/ beside it

On the page are the notebook's prose, and of its code what was asked, what was answered, and what was drawn.
"""

import os
import pathlib
import re
import sys

from pages import Picture, as_markdown


def cells(text):
    """The cells of a notebook: whether it is prose, and its text. What stands before the first is left out."""
    marks = list(re.finditer(r"^# %%(.*)\n", text, re.M))
    for mark, following in zip(marks, [*marks[1:], None]):
        body = text[mark.end() : following.start() if following else None]
        if "[markdown]" in mark[1]:
            yield True, re.sub(r"^# ?", "", body, flags=re.M)
        else:
            # Errors name lines of the notebook.
            yield False, "\n" * text.count("\n", 0, mark.end()) + body


def shown(part):
    if isinstance(part, Picture):
        return f"![{part.title()}](images/{part.name}.svg)"
    return as_markdown(*part)


def relinked(text, notebook, page):
    """The prose with its links, which are from the notebook, from the page."""
    return re.sub(
        r"(?<=\]\()(?!\w+:|#)[^)]+",
        lambda link: os.path.relpath(notebook.parent / link[0], page.parent),
        text,
    )


def run(notebook, page):
    """The page's text, and its charts by name."""
    names, texts, pictures = {}, [], {}
    for is_prose, body in cells(notebook.read_text()):
        if is_prose:
            texts.append(relinked(body.strip(), notebook, page))
            continue
        exec(compile(body, str(notebook), "exec"), names)
        parts, names["page"].parts = names["page"].parts, []
        texts.extend(map(shown, parts))
        pictures |= {part.name: part.svg for part in parts if isinstance(part, Picture)}
    return "\n\n".join(texts) + "\n", pictures


def main():
    notebook, tables, page = sys.argv[1:]
    notebook, page = pathlib.Path(notebook), pathlib.Path(page)
    os.environ["ONEFOLD_TABLES"] = tables
    text, pictures = run(notebook, page)
    images = page.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    for name, svg in pictures.items():
        (images / f"{name}.svg").write_text(svg)
    page.write_text(text)
    print(f"{page}: {len(pictures)} charts in {images}")


main()
