"""An S3 server that has everything again after a kill: moto, with a journal of the requests that changed something.

moto keeps objects in memory. Here every request that changes something, and went well, is written to a file before it is
answered; at the start they are all sent to moto again, in their order. A request that was cut short by a kill is there
or not, as with any store.

    python durable_s3.py PORT JOURNAL
"""

import io
import json
import struct
import sys
import threading

from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

LENGTHS = struct.Struct("<II")
KEPT = ("CONTENT_TYPE", "PATH_INFO", "QUERY_STRING", "RAW_URI", "REQUEST_METHOD", "REQUEST_URI", "SERVER_NAME",
        "SERVER_PORT", "SERVER_PROTOCOL", "SCRIPT_NAME", "wsgi.url_scheme")


class Durable:
    """The application, and the journal behind it."""

    def __init__(self, app, path):
        self.app, self.lock = app, threading.Lock()
        self.journal = open(path, "a+b")
        self.replay()

    def replay(self):
        """Sends what is in the journal again, and leaves in it what still counts."""
        kept = {}
        for number, (head, body) in enumerate(self.records()):
            environ = json.loads(head)
            path = environ["PATH_INFO"]
            if environ["REQUEST_METHOD"] == "DELETE":
                kept.pop(path, None)
                continue
            is_object = environ["REQUEST_METHOD"] == "PUT" and not environ["QUERY_STRING"] and path.count("/") > 1
            if is_object:
                # It took effect: on what condition no longer matters.
                for condition in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
                    environ.pop(condition, None)
                kept.pop(path, None)
            kept[path if is_object else number] = (environ, body)
        self.journal.seek(0)
        self.journal.truncate()
        for environ, body in kept.values():
            self.call(environ, body)
            self.note(environ, body)

    def records(self):
        self.journal.seek(0)
        while len(lengths := self.journal.read(LENGTHS.size)) == LENGTHS.size:
            of_head, of_body = LENGTHS.unpack(lengths)
            head, body = self.journal.read(of_head), self.journal.read(of_body)
            if (len(head), len(body)) != (of_head, of_body):
                return
            yield head, body

    def note(self, environ, body):
        head = json.dumps(environ).encode()
        self.journal.write(LENGTHS.pack(len(head), len(body)) + head + body)
        self.journal.flush()

    def call(self, environ, body):
        """What the application answers: status, headers, body."""
        environ = dict(environ)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"], environ["wsgi.errors"] = io.BytesIO(body), sys.stderr
        environ["wsgi.version"] = (1, 0)
        environ.update({"wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False})
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        told = []
        answer = self.app(environ, lambda status, headers, exc_info=None: told.append((status, headers)))
        content = b"".join(answer)
        return *told[0], content

    def __call__(self, environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "")
        body = environ["wsgi.input"].read() if chunked else environ["wsgi.input"].read(length)
        kept = {key: value for key, value in environ.items() if key in KEPT or key.startswith("HTTP_")}
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            status, headers, content = self.call(kept, body)
        else:
            # The order in the journal is the order in which they took effect.
            with self.lock:
                status, headers, content = self.call(kept, body)
                if status.startswith("2"):
                    self.note(kept, body)
        start_response(status, headers)
        return [content]


if __name__ == "__main__":
    port, journal = int(sys.argv[1]), sys.argv[2]
    app = Durable(DomainDispatcherApplication(create_backend_app), journal)
    run_simple("127.0.0.1", port, app, threaded=True, request_handler=MotoRequestHandler)
