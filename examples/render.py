#!/usr/bin/env python3
"""Runs a notebook of `# %%` cells on the tables of a folder and writes its page.

usage: render.py NOTEBOOK TABLES PAGE

On the page are the notebook's prose, and of its code what was asked, what was answered, and what was drawn. A page
whose name ends in .html is one file for a browser; any other is Markdown, with the charts in images/ beside it.
"""

import os
import pathlib
import re
import sys

from pages import Picture, as_markdown

STYLE = (
    ":root{color-scheme:light dark}"
    "body{max-width:860px;margin:2em auto;padding:0 1em;font:16px/1.5 system-ui,sans-serif}"
    "pre{overflow-x:auto;padding:1em;border-radius:8px;background:#80808020;font-size:13px;line-height:1.4}"
)


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


def as_html(text, pictures):
    """The page as one file, its charts within it."""
    import markdown  # Not needed for Markdown.

    body = markdown.markdown(text, extensions=["fenced_code"])
    body = re.sub(r'<img [^>]*src="images/([^"]+)[.]svg"[^>]*>', lambda image: pictures[image[1]], body)
    title = text.split("\n", 1)[0].removeprefix("# ")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def main():
    notebook, tables, page = sys.argv[1:]
    notebook, page = pathlib.Path(notebook), pathlib.Path(page)
    os.environ["ONEFOLD_TABLES"] = tables
    text, pictures = run(notebook, page)
    page.parent.mkdir(parents=True, exist_ok=True)
    if page.suffix == ".html":
        page.write_text(as_html(text, pictures))
    else:
        (page.parent / "images").mkdir(exist_ok=True)
        for name, svg in pictures.items():
            (page.parent / "images" / f"{name}.svg").write_text(svg)
        page.write_text(text)
    print(f"{page}: {len(pictures)} charts")


main()
