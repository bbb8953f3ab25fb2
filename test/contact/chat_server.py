"""A chat-completions server on this machine that behaves like the servers people run, and like broken ones."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = (
    '{"description": "two people shake hands", "contacts": [{"person_1_part": "hand", "person_2_part": "hand"}]}',
    "They shake hands.\n\n| Person 1 Body Part | Person 2 Body Part |\n|---|---|\n| right hand | left hand |\n",
    'Sure!\n```json\n{"contacts": [{"person_1_part": "hand", "person_2_part": "arm"}]}\n```\nAnything else?',
    '{"description": "nobody touches", "contacts": []}',
)


class Behaviour:
    """How a server answers; subclasses are the servers."""

    def __init__(self):
        self.requests = []
        self.paths = []
        self.lock = threading.Lock()

    def choices(self, request):
        """Texts of the choices."""
        with self.lock:
            first = sum(r.get("n", 1) for r in self.requests[:-1])
        return [ANSWERS[(first + k) % len(ANSWERS)] for k in range(self.count(request))]

    def count(self, request):
        return request.get("n", 1)

    def answer(self, handler, request):
        handler.send_json(200, completion(self.choices(request)))


class VLLM(Behaviour):
    """Gives all n choices, knows json_schema."""


class Ollama(Behaviour):
    """Ignores n; images only as data URIs."""

    def count(self, request):
        return 1

    def answer(self, handler, request):
        parts = [
            part
            for message in request["messages"]
            if isinstance(message["content"], list)
            for part in message["content"]
        ]
        if all(part["image_url"]["url"].startswith("data:") for part in parts):
            super().answer(handler, request)
        else:
            handler.send_json(400, {"error": {"message": "invalid image input"}})


class LlamaCpp(Behaviour):
    """Ignores n, and refuses the OpenAI form of response_format."""

    def count(self, request):
        return 1

    def answer(self, handler, request):
        if "response_format" in request:
            handler.send_json(
                400, {"error": {"message": "response_format.schema expected", "type": "invalid_request_error"}}
            )
        else:
            super().answer(handler, request)


class LMStudio(Behaviour):
    """Refuses n, in its own form of error."""

    def answer(self, handler, request):
        if request.get("n", 1) > 1:
            handler.send_json(400, {"error": "'n' is not supported"})
        else:
            super().answer(handler, request)


class Slow(Behaviour):
    """Thinks before it answers."""

    delay = 1.0

    def answer(self, handler, request):
        handler.stop.wait(self.delay)
        super().answer(handler, request)


class Held(Behaviour):
    """Answers when it is let."""

    def __init__(self):
        super().__init__()
        self.asked = threading.Event()
        self.released = threading.Event()

    def answer(self, handler, request):
        self.asked.set()
        self.released.wait(60)
        super().answer(handler, request)


class Empty(Behaviour):
    """A completion without choices."""

    def answer(self, handler, request):
        handler.send_json(200, {**completion([]), "choices": None})


class Wordless(Behaviour):
    """Choices without words, as from models that only call tools."""

    def choices(self, request):
        return [None] * request.get("n", 1)


class Silent(Behaviour):
    """Takes the request and says nothing."""

    def answer(self, handler, request):
        handler.stop.wait(30)


class Dripping(Behaviour):
    """Sends a byte now and then, so that no read ever times out."""

    def answer(self, handler, request):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not handler.stop.wait(0.1):
                handler.wfile.write(b" ")
                handler.wfile.flush()


class SlowTopUp(Ollama):
    """The first answer at once, the others never."""

    def answer(self, handler, request):
        if len(self.requests) > 1:
            handler.stop.wait(30)
        else:
            super().answer(handler, request)


class Broken(Behaviour):
    """Breaks off in the middle."""

    def answer(self, handler, request):
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b'{"choices": [')
        handler.close_connection = True


class Rude(Behaviour):
    """Answers with a page of its own."""

    def answer(self, handler, request):
        body = b"<html>It works!</html>"
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


class Failing(Behaviour):
    """Is out of order."""

    def answer(self, handler, request):
        handler.send_json(503, {"error": {"message": "loading model"}})


class Talkative(Behaviour):
    """Never lists anything."""

    def choices(self, request):
        return ["What a lovely picture!"] * request.get("n", 1)


class Elsewhere(Behaviour):
    """Sends the client on to another server."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def answer(self, handler, request):
        handler.send_response(307)
        handler.send_header("Location", self.url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


def completion(texts):
    """A chat completion with these choices."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": "test",
        "choices": [
            {"index": k, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            for k, text in enumerate(texts)
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


@contextlib.contextmanager
def serving(behaviour):
    """Run a server; gives its base URL."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.stop = stop
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with behaviour.lock:
                behaviour.requests.append(request)
                behaviour.paths.append(self.path)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                behaviour.answer(self, request)

        def send_json(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
