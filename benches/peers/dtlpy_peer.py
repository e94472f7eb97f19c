"""The vendor's SDK. It logs in, prints the token, then "NANOSECONDS RESIDENT_KIB": the time to check that the token has
not expired and to return it, the mean of BENCH_CALLS calls, and the memory after the login.

BENCH_URL, BENCH_USERNAME and BENCH_PASSWORD have the URL and the credentials, REQUESTS_CA_BUNDLE the roots."""

import os
import time

import dtlpy

gate = os.environ["BENCH_URL"].removesuffix("/token?default")
dtlpy.add_environment(environment=gate + "/api/v1", alias="bench", gate_url=gate)
dtlpy.setenv("bench")
if not dtlpy.login_m2m(email=os.environ["BENCH_USERNAME"], password=os.environ["BENCH_PASSWORD"]):
    raise SystemExit("dtlpy: the login failed")
print(dtlpy.token(), flush=True)

with open("/proc/self/status", encoding="ascii") as status:
    resident = next(line.split()[1] for line in status if line.startswith("VmRSS:"))


def checked():
    """The token, if it has not expired: every call of the SDK starts with this."""
    if dtlpy.token_expired():
        raise SystemExit("dtlpy: the token has expired")
    return dtlpy.token()


calls = int(os.environ["BENCH_CALLS"])
for _ in range(calls // 10):
    checked()
began = time.perf_counter_ns()
for _ in range(calls):
    checked()
print((time.perf_counter_ns() - began) / calls, resident)
