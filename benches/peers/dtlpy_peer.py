"""The peer: the vendor's SDK. Logs in, prints the token, then "NANOSECONDS RESIDENT_KIB": what it takes to check the
token for its end and to hand it out, the mean of so many calls, and the memory after the login.

BENCH_URL, BENCH_USERNAME, BENCH_PASSWORD and BENCH_CALLS say the rest; REQUESTS_CA_BUNDLE, whom to trust."""

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
    """The token, if it has not ended: what every call of the SDK does first."""
    if dtlpy.token_expired():
        raise SystemExit("dtlpy: the token has ended")
    return dtlpy.token()


calls = int(os.environ["BENCH_CALLS"])
for _ in range(calls // 10):
    checked()
began = time.perf_counter_ns()
for _ in range(calls):
    checked()
print((time.perf_counter_ns() - began) / calls, resident)
