"""The other side of the quick start: a shop with customers and orders, served on loopback.

shop.py free-port    prints {"port": N} for a port that is free
shop.py open PORT    serves until somebody posts to /close (or a minute has passed), prints {"answered": N}
shop.py report       reads customers and orders as JSON from standard input and prints a report
"""

import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CUSTOMERS = [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Grace"}, {"id": 3, "name": "Linus"}]
ORDERS = [
    {"customer": 1, "amount": 120},
    {"customer": 2, "amount": 80},
    {"customer": 1, "amount": 45},
    {"customer": 3, "amount": 5},
]
LONGEST_S = 60.0


class Shop(BaseHTTPRequestHandler):
    """Answers GET /customers and GET /orders with JSON; POST /close ends the server."""

    answered = 0

    def do_GET(self) -> None:
        """Answer one question."""
        pages: dict[str, object] = {"/customers": CUSTOMERS, "/orders": ORDERS}
        Shop.answered += 1
        self._reply(200 if self.path in pages else 404, pages.get(self.path, {"error": "no such page"}))

    def do_POST(self) -> None:
        """Close the shop."""
        self._reply(200, {"closed": True})
        threading.Thread(target=self.server.shutdown).start()

    def _reply(self, status: int, page: object) -> None:
        body = json.dumps(page).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Keep quiet."""


def free_port() -> None:
    """Print a port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        print(json.dumps({"port": probe.getsockname()[1]}))


def open_shop(port: int) -> None:
    """Serve until somebody closes the shop."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Shop)
    timer = threading.Timer(LONGEST_S, server.shutdown)
    timer.daemon = True
    timer.start()
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    print(json.dumps({"answered": Shop.answered}))


def report() -> None:
    """Print who has bought for how much."""
    data = json.load(sys.stdin)
    print(f"A report for {data['for']}")
    for customer in data["customers"]:
        spent = sum(order["amount"] for order in data["orders"] if order["customer"] == customer["id"])
        print(f"  {customer['name']:<8} {spent:>5}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["free-port"]:
            free_port()
        case ["open", port]:
            open_shop(int(port))
        case ["report"]:
            report()
        case _:
            sys.exit(__doc__)
