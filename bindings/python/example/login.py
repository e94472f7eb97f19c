"""Logs in, then reads the cached token. Configured by DL_AUTH_USERNAME, DL_AUTH_PASSWORD and the other variables.

An address as the argument is then asked with the token. (Do not call a program token.py: Python has a module `token`.)
"""

import json
import sys
import time

import dl_auth

try:
    with dl_auth.Auth() as auth:
        started = time.perf_counter()
        jwt = auth.token()
        first = time.perf_counter() - started

        started = time.perf_counter()
        for _ in range(1000):
            auth.token()
        cached = (time.perf_counter() - started) / 1000

        print(f"token   {jwt[:20]}... ({len(jwt)} bytes)")
        print(f"claims  {json.dumps(auth.claims())}")
        print(f"expiry  {dl_auth.jwt_expiry(jwt).timestamp():.0f} (Unix seconds)")
        print(f"first   {first * 1e3:.1f} ms (login over TLS)")
        print(f"cached  {cached * 1e3:.6f} ms (mean of 1000 calls)")

        for url in sys.argv[1:]:
            import requests

            from dl_auth.requests import BearerAuth

            print(f"answer  {requests.get(url, auth=BearerAuth(auth), timeout=30).status_code}")
except dl_auth.Error as error:
    sys.exit(f"{error.status.name}: {error.message}")
