import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            webhook.verify(body, headers, json_parse=False)
        except WebhookVerificationError:
            self.send_response(401)
        else:
            try:
                event = json.loads(body)
                print(headers["webhook-id"], event["type"], ascii(event["data"]))
            except (ValueError, RecursionError):
                print(headers["webhook-id"], "cannot be parsed:", body)
            self.send_response(204)
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", 8099), Receiver).serve_forever()
