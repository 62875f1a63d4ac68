"""Whom Azure's tools ask for tokens, for one test: the metadata service of a virtual machine and the token endpoint
of Microsoft Entra, as documented. identity.py DIRECTORY ADDRESS PORT [CERTIFICATE KEY]

DIRECTORY/config is read at each request; each request is a line of DIRECTORY/requests.
"""
import json
import os
import ssl
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

directory, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self, form):
        with open(f"{directory}/requests", "a") as log:
            log.write(json.dumps({"path": self.path, "form": form}) + "\n")
        with open(f"{directory}/config") as file:
            config = json.load(file)
        if config.get("fail"):
            self.reply(*config["fail"])
            return None
        return config

    def do_GET(self):
        config = self.begin({})
        if config is None:
            return
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        wanted = url.path == "/metadata/identity/oauth2/token" and "api-version" in query
        if not wanted or self.headers.get("Metadata") != "true":
            return self.reply(400, {"error": "invalid_request", "error_description": "Required metadata header not specified"})
        if query.get("client_id") != config.get("client_id"):
            return self.reply(400, {"error": "invalid_request", "error_description": "Identity not found"})
        self.reply(200, {
            "access_token": config["token"], "client_id": "0000", "token_type": "Bearer",
            "expires_in": str(config["expires_in"]), "expires_on": str(int(time.time()) + config["expires_in"]),
            "ext_expires_in": "86399", "not_before": str(int(time.time())), "resource": query.get("resource"),
        })

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        config = self.begin(form)
        if config is None:
            return
        if self.path != "/the-tenant/oauth2/v2.0/token":
            return self.entra(90002, "Tenant not found.", 400, "invalid_request")
        if form.get("grant_type") != "client_credentials" or "storage" not in form.get("scope", ""):
            return self.entra(900144, "The request body must contain the following parameter.", 400, "invalid_request")
        if form.get("client_id") != config.get("client_id"):
            return self.entra(700016, "Application was not found in the directory.", 400, "unauthorized_client")
        if "secret" in config and form.get("client_secret") != config["secret"]:
            return self.entra(7000215, "Invalid client secret provided.", 401, "invalid_client")
        if "assertion" in config and form.get("client_assertion") != config["assertion"]:
            return self.entra(700213, "No matching federated identity record found.", 400, "invalid_request")
        self.reply(200, {
            "token_type": "Bearer", "expires_in": config["expires_in"],
            "ext_expires_in": config["expires_in"], "access_token": config["token"],
        })

    def entra(self, code, text, status, error):
        self.reply(status, {
            "error": error, "error_description": f"AADSTS{code}: {text} Trace ID: 1234", "error_codes": [code],
            "timestamp": "2026-01-01 00:00:00Z", "trace_id": "1234", "correlation_id": "1234",
        })


server = ThreadingHTTPServer((address, port), Handler)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(f"{directory}/port.new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(f"{directory}/port.new", f"{directory}/port")
server.serve_forever()
