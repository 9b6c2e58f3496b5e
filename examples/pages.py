"""Questions to published tables, and their answers as a notebook shows them.

`Page().ask(sql) -> Answer`, `.draw(name, svg) -> Picture`. Opened in an editor, a cell shows what its last line
returns; `render.py` puts everything that was asked and drawn onto a page.

Needs the packages of requirements.txt.
"""

import importlib
import pathlib

import duckdb


def load(connection, name):
    """Loads a DuckDB extension out of its Python package: nothing is downloaded."""
    package = importlib.import_module(f"duckdb_extension_{name}")
    folder = pathlib.Path(package.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    connection.execute(f"LOAD '{folder / f'{name}.duckdb_extension'}'")


def connect():
    """A connection that reads Delta tables, loads nothing by itself and knows no time zone but UTC."""
    connection = duckdb.connect()
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    connection.execute("SET TimeZone = 'UTC'")
    load(connection, "delta")
    return connection


class Answer:
    """The rows of a query."""

    def __init__(self, relation):
        self.columns = relation.columns
        self.rows = relation.fetchall()

    def column(self, name):
        at = self.columns.index(name)
        return [row[at] for row in self.rows]

    def records(self):
        return [dict(zip(self.columns, row)) for row in self.rows]

    def __repr__(self):
        """Aligned text: numbers to the right, a null as nothing."""
        cells = [[shown(value) for value in row] for row in self.rows]
        columns = range(len(self.columns))
        widths = [max(map(len, [self.columns[i], *(row[i] for row in cells)])) for i in columns]
        right = [any(is_number(row[i]) for row in self.rows) for i in columns]
        lines = [[name.center(width) for name, width in zip(self.columns, widths)]]
        for row in cells:
            aligned = zip(row, widths, right)
            lines.append([cell.rjust(w) if number else cell.ljust(w) for cell, w, number in aligned])
        return "\n".join("│ " + " │ ".join(line) + " │" for line in lines)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def shown(value):
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_markdown(sql, answer):
    """What was asked, and the answer where there is one."""
    text = f"```sql\n{sql.strip()}\n```"
    return text if answer is None else f"{text}\n\n```text\n{answer!r}\n```"


class Picture:
    """A chart."""

    def __init__(self, name, svg):
        self.name = name
        self.svg = svg

    def title(self):
        return self.svg.split("<title>")[1].split("</title>")[0]

    def _repr_svg_(self):
        return self.svg


class Page:
    """What was asked and drawn so far."""

    def __init__(self):
        self.connection = connect()
        self.parts = []

    def ask(self, sql):
        """The answer to a query; nothing, where the statements only define something."""
        relation = self.connection.sql(sql)
        answer = None if relation is None else Answer(relation)
        self.parts.append((sql, answer))
        return answer

    def draw(self, name, svg):
        picture = Picture(name, svg)
        self.parts.append(picture)
        return picture
