"""How many texts a second the client for embeddings carries, and how well it fills the endpoint.

    python -m tests.benchmarks.requests

The server is a process of its own on loopback, with vectors computed beforehand. Threads call
`embed` with a batch each, as an ingest does. The ideal is that of `limit` requests under way all
the time, each taking the latency and nothing else.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

from ragkit.providers.endpoint import EndpointEmbedder
from ragkit.providers.http import HttpClient
from ragkit.providers.throttle import Throttle
from ragkit.text import estimate_tokens
from tests.tempico import EMBEDDING_MODEL, TempicoProcess

TEXTS = 20_000
TOKENS = 200
BATCH = 64
THREADS = 8
WORDS = "the a of ferry harbour invoice contract 1984 delivery quarter, payment. vessel".split()


def texts() -> list[str]:
    dice = random.Random(0)
    made = [" ".join(dice.choices(WORDS, k=TOKENS)) for _ in range(TEXTS)]
    return [f"{number} {text[: len(text) * TOKENS // 230]}" for number, text in enumerate(made)]


def measure(name: str, given: list[str], *, most: int, **attributes: object) -> None:
    with TempicoProcess(precomputed=True, **attributes) as server:
        throttle = Throttle(most=most)
        with HttpClient(base_url=server.base_url, api_key=server.key, throttle=throttle) as http:
            embedder = EndpointEmbedder(http, model=EMBEDDING_MODEL)
            embedder.embed(given[:BATCH], kind="document")  # threads, vectors and connections warm
            batches = [given[at : at + BATCH] for at in range(0, len(given), BATCH)]
            started, cpu = time.perf_counter(), time.process_time()
            with ThreadPoolExecutor(THREADS) as pool:
                for _vectors in pool.map(lambda b: embedder.embed(b, kind="document"), batches):
                    pass
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        counts = server.counts
    rate = len(given) / seconds
    line = f"{name:<36} {rate:>8,.0f} texts/s  {cpu / seconds:>4.0%} CPU of the client"
    latency = attributes.get("latency_seconds")
    if isinstance(latency, float):
        line += f"  {rate / (most * BATCH / latency):>4.0%} of the ideal"
    print(f"{line}  ({counts.refused} of {counts.requests} requests refused)")


def main() -> None:
    given = texts()
    sample = given[:1_000]
    started = time.perf_counter()
    tokens = sum(map(estimate_tokens, sample)) / len(sample)
    micros = (time.perf_counter() - started) / len(sample) * 1e6
    print(f"{TEXTS:,} texts of {tokens:.0f} tokens; estimating one takes {micros:.0f} µs")
    measure("base64, no latency", given, most=THREADS)
    measure("float, no latency", given, most=THREADS, gives_lists=True)
    measure("base64, 50 ms", given, most=THREADS, latency_seconds=0.05)
    measure("base64, 200 ms", given, most=THREADS, latency_seconds=0.2)
    bears = {"max_in_flight": 5, "retry_after": "0.5"}
    measure("base64, 200 ms, bears 5", given, most=THREADS, latency_seconds=0.2, **bears)


if __name__ == "__main__":
    main()
