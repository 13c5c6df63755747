"""An HTTP server of this machine for a folder, with the faults that real ones have. It ends with its context."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Faults:
    """What goes wrong, by the end of a path: how many times yet a request is refused, or its answer cut off.

    left  after so many requests for files the server does not answer any more
    """

    busy: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    status: int = 503
    left: float = float("inf")
    asked: Counter[str] = field(default_factory=Counter)


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, faults: Faults, *args: object, **kwargs: object) -> None:
        self.faults = faults
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path, f = self.path.partition("?")[0], self.faults
        if not path.endswith("/"):
            f.asked[path] += 1
            f.left -= 1
        if f.left < 0:
            self.close_connection = True
            self.connection.close()
            return
        for end, times in f.busy.items():
            if path.endswith(end) and times > 0:
                f.busy[end] -= 1
                self.send_error(f.status)
                return
        for end, times in f.cut.items():
            if path.endswith(end) and times > 0:
                f.cut[end] -= 1
                data = Path(self.translate_path(self.path)).read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return
        super().do_GET()

    def handle(self) -> None:
        with suppress(OSError, ValueError):  # the connection that was closed above
            super().handle()

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[tuple[str, Faults]]:
    """The address of the folder, and what is to go wrong."""
    faults = Faults()
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, faults, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
