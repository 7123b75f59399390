"""A model on loopback that says what a script tells it, in the streaming form of the Messages API.

Each answer of the script is text or a tool call; when it runs out, the answer is "Done.". Requests are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

Answer = str | dict[str, Any]


class ModelServer:
    """Use as a context manager; ``url`` is the base address, ``requests`` what was asked."""

    def __init__(self, script: list[Answer]) -> None:
        self.script, self.requests, self.lock = list(script), [], Lock()  # type: ignore[var-annotated]
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.reply(server.answer(self.path, json.loads(body or b"{}")))

            def do_GET(self) -> None:
                self.reply((404, "application/json", b"{}"))

            do_HEAD = do_GET

            def reply(self, answer: tuple[int, str, bytes]) -> None:
                status, kind, data = answer
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self) -> ModelServer:
        Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, path: str, asked: dict[str, Any]) -> tuple[int, str, bytes]:
        if "count_tokens" in path:
            return 200, "application/json", b'{"input_tokens": 10}'
        if not path.startswith("/v1/messages"):
            return 200, "application/json", b"{}"
        with self.lock:
            self.requests.append(asked)
            scripted = asked.get("tools") and self.script
            given = self.script.pop(0) if scripted else "Done."
        if not asked.get("stream"):
            return 200, "application/json", json.dumps(message([block(given)], given)).encode()
        return 200, "text/event-stream", "".join(events(given)).encode()


def block(given: Answer) -> dict[str, Any]:
    return (
        {"type": "text", "text": given}
        if isinstance(given, str)
        else {"type": "tool_use", "id": "toolu_1", **given}
    )


def message(content: list[dict[str, Any]], given: Answer) -> dict[str, Any]:
    reason = "end_turn" if isinstance(given, str) else "tool_use"
    usage = {"input_tokens": 10, "output_tokens": 5}
    shape = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "stop_sequence": None,
    }
    return {**shape, "content": content, "stop_reason": reason, "usage": usage}


def events(given: Answer) -> Iterator[str]:
    whole = message([], given)
    yield event("message_start", message={**whole, "stop_reason": None})
    empty = {"type": "text", "text": ""} if isinstance(given, str) else {**block(given), "input": {}}
    delta = (
        {"type": "text_delta", "text": given}
        if isinstance(given, str)
        else {"type": "input_json_delta", "partial_json": json.dumps(given["input"])}
    )
    yield event("content_block_start", index=0, content_block=empty)
    yield event("content_block_delta", index=0, delta=delta)
    yield event("content_block_stop", index=0)
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=ending, usage={"output_tokens": 5})
    yield event("message_stop")


def event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"
