"""A store that is far: serves a folder as a bucket, each request after a while.

python benches/peers/far_s3.py FOLDER SECONDS PORT

Reads only, on loopback, until it is ended. `GET /count` says how many requests there were since the last time, their bytes, and
how many were under way together. Ask a lake in it with AWS_ENDPOINT_URL=http://127.0.0.1:PORT, any keys, and
`--lake s3://bucket` beside ASHIATO_CATALOG=FOLDER/catalog.sqlite.
"""

import json
import pathlib
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FOLDER, WHILE, PORT = pathlib.Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
counted = {"requests": 0, "bytes": 0, "together": 0}
under_way = 0
lock = threading.Lock()


class Bucket(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(is_head=True)

    def do_GET(self):
        if self.path == "/count":
            with lock:
                body = json.dumps(counted).encode()
                counted.update(requests=0, bytes=0, together=0)
            self.send(200, [], body)
        else:
            self.answer(is_head=False)

    def answer(self, is_head):
        global under_way
        with lock:
            under_way += 1
            counted["requests"] += 1
            counted["together"] = max(counted["together"], under_way)
        time.sleep(WHILE)
        key = urllib.parse.unquote(urllib.parse.urlparse(self.path).path).split("/", 2)[2]
        try:
            self.send_part(FOLDER / key, is_head)
        except FileNotFoundError:
            self.send(404, [], b"")
        finally:
            with lock:
                under_way -= 1

    def send_part(self, path, is_head):
        size = path.stat().st_size
        first, last, status = 0, size - 1, 200
        if wanted := self.headers.get("Range"):
            status = 206
            start, end = wanted.removeprefix("bytes=").split("-")
            first = int(start) if start else max(0, size - int(end))
            last = min(size - 1, int(end)) if start and end else size - 1
        head = [("ETag", '"one"'), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")]
        if status == 206:
            head.append(("Content-Range", f"bytes {first}-{last}/{size}"))
        with path.open("rb") as file:
            file.seek(first)
            body = file.read(last - first + 1)
        with lock:
            counted["bytes"] += len(body)
        self.send(status, head, body, is_head)

    def send(self, status, head, body, is_head=False):
        self.send_response(status)
        for name, value in [*head, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        if not is_head:
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


Server(("127.0.0.1", PORT), Bucket).serve_forever()
