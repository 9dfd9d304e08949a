"""A web API to try tools on: exchange rates, for those who have the key.

    RATES_KEY=open-sesame python3 examples/rates_api.py 8090
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RATES = {"EUR": 1.0, "JPY": 160.0, "USD": 1.1}


class Rates(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_known = self.headers["Authorization"] == f"Bearer {os.environ['RATES_KEY']}"
        body = json.dumps(RATES if is_known else {"error": "who are you?"}).encode()
        self.send_response(200 if is_known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Rates).serve_forever()
