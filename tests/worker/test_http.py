import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

GREEDY = {"temperature": 0, "ignore_eos": True}


def post(http: urllib3.PoolManager, url: str, **body: object) -> urllib3.BaseHTTPResponse:
    return http.request("POST", f"{url}/v1/completions", json=body)


def completion(http: urllib3.PoolManager, url: str, **body: object) -> dict:
    answer = post(http, url, **body)
    assert answer.status == 200, answer.data
    return answer.json()


def samples(http: urllib3.PoolManager, url: str) -> dict[str, float]:
    text = http.request("GET", f"{url}/metrics").data.decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = sample.labels.get("le") or sample.labels.get("outcome")
            found[f"{sample.name}/{label}" if label else sample.name] = sample.value
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


def events(data: bytes) -> list[dict | str]:
    lines = [block.removeprefix("data: ") for block in data.decode().split("\n\n") if block]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_a_completion_has_openais_shape(http: urllib3.PoolManager, url: str) -> None:
    answer = completion(http, url, prompt="hello", max_tokens=8, **GREEDY)
    assert answer["id"].startswith("cmpl-")
    assert answer["object"] == "text_completion"
    assert answer["model"] == "forewarn-random-llama"
    assert abs(answer["created"] - time.time()) < 60
    assert answer["usage"] == {"prompt_tokens": 6, "completion_tokens": 8, "total_tokens": 14}
    (choice,) = answer["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "length", None)
    assert choice["text"]


def test_token_ids_are_a_prompt_too(http: urllib3.PoolManager, url: str) -> None:
    text = completion(http, url, prompt="hi", max_tokens=6, **GREEDY)
    ids = completion(http, url, prompt=[256, *b"hi"], max_tokens=6, **GREEDY)
    assert ids["choices"] == text["choices"]


def test_a_stream_gives_the_same_text(http: urllib3.PoolManager, url: str) -> None:
    whole = completion(http, url, prompt="stream", max_tokens=40, **GREEDY)
    options = {"include_usage": True}
    answer = post(http, url, prompt="stream", max_tokens=40, stream=True, stream_options=options, **GREEDY)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *parts, usage, done = events(answer.data)
    assert done == "[DONE]"
    assert usage == usage | {"choices": [], "usage": whole["usage"]}
    assert "".join(part["choices"][0]["text"] for part in parts) == whole["choices"][0]["text"]
    assert [part["choices"][0]["finish_reason"] for part in parts][-1] == "length"
    assert len(parts) > 10
    assert len({part["id"] for part in parts}) == 1


@pytest.mark.timed
def test_the_first_piece_of_a_stream_comes_long_before_the_last(http: urllib3.PoolManager, url: str) -> None:
    body = {"prompt": "s", "max_tokens": 400, "stream": True, **GREEDY}
    began = time.monotonic()
    answer = http.request("POST", f"{url}/v1/completions", json=body, preload_content=False)
    parts = answer.stream(64)
    next(parts)
    first = time.monotonic() - began
    assert len(list(parts)) > 100
    answer.release_conn()
    assert first < (time.monotonic() - began) / 3


def test_a_seed_repeats_and_another_differs(http: urllib3.PoolManager, url: str) -> None:
    texts = [
        completion(http, url, prompt="dice", max_tokens=30, temperature=1.5, seed=seed, ignore_eos=True)["choices"]
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_a_stop_string_ends_the_text_before_it(http: urllib3.PoolManager, url: str) -> None:
    whole = completion(http, url, prompt="stop", max_tokens=60, **GREEDY)["choices"][0]["text"]
    stop = whole[8:11]
    choice = completion(http, url, prompt="stop", max_tokens=60, stop=[stop], **GREEDY)["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == (whole[: whole.index(stop)], "stop")


def test_64_at_once_share_batches_and_each_gets_what_it_gets_alone(http: urllib3.PoolManager, url: str) -> None:
    before = samples(http, url)
    prompts = [f"prompt number {i} " + "x" * (i % 13) for i in range(64)]
    with ThreadPoolExecutor(64) as pool:
        together = list(
            pool.map(lambda one: completion(http, url, prompt=one, max_tokens=24, **GREEDY)["choices"], prompts)
        )
    after = samples(http, url)
    name = "forewarn_inference_batch_size"
    large = [now[f"{name}_count"] - now[f"{name}_bucket/8.0"] for now in (before, after)]
    assert large[1] > large[0]
    assert after["forewarn_inference_generation_tokens_total"] - before[
        "forewarn_inference_generation_tokens_total"
    ] == pytest.approx(64 * 24)
    alone = [completion(http, url, prompt=one, max_tokens=24, **GREEDY)["choices"] for one in prompts[::8]]
    assert together[::8] == alone


def test_a_list_of_prompts_is_answered_in_order(http: urllib3.PoolManager, url: str) -> None:
    answer = completion(http, url, prompt=["one", "two", "three"], max_tokens=5, **GREEDY)
    singles = [completion(http, url, prompt=p, max_tokens=5, **GREEDY)["choices"][0] for p in ("one", "two", "three")]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert [choice["text"] for choice in answer["choices"]] == [choice["text"] for choice in singles]
    assert answer["usage"]["completion_tokens"] == 15


@pytest.mark.timed
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_stops_its_work(http: urllib3.PoolManager, url: str, *, stream: bool) -> None:
    cancelled = samples(http, url)["forewarn_inference_requests_total/cancelled"]
    host, port = url.removeprefix("http://").split(":")
    body = json.dumps({"prompt": ["long"] * 40, "max_tokens": 400, "stream": stream, **GREEDY}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n"
    head += "content-type: application/json\r\n\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body)
        wait_for(lambda: samples(http, url)["forewarn_inference_requests_running"] > 0)
        assert samples(http, url)["forewarn_inference_kv_cache_usage_ratio"] > 0.2
    wait_for(lambda: samples(http, url)["forewarn_inference_requests_running"] == 0)
    now = samples(http, url)
    assert now["forewarn_inference_requests_total/cancelled"] == cancelled + 40
    assert now["forewarn_inference_kv_cache_usage_ratio"] == 0


def test_a_full_queue_is_refused_with_429(http: urllib3.PoolManager, url: str) -> None:
    rejected = samples(http, url)["forewarn_inference_requests_total/rejected"]
    body = {"prompt": ["fill"] * 100, "max_tokens": 250, "stream": True, **GREEDY}
    filling = http.request("POST", f"{url}/v1/completions", json=body, preload_content=False)
    parts = filling.stream(16)
    next(parts)
    refused = post(http, url, prompt=["more"] * 90, max_tokens=1)
    small = post(http, url, prompt="one more", max_tokens=1)
    filling.close()
    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "queue_full"
    assert small.status == 200
    assert samples(http, url)["forewarn_inference_requests_total/rejected"] == rejected + 90


FAMILIES = {
    "requests_running",
    "requests_waiting",
    "batch_size",
    "time_to_first_token_seconds",
    "time_per_output_token_seconds",
    "request_duration_seconds",
    "queue_duration_seconds",
    "kv_cache_usage_ratio",
    "prompt_tokens",
    "generation_tokens",
    "requests",
    "model_load_duration_seconds",
}

BAD = [
    ({}, 400, "prompt"),
    ({"prompt": None}, 400, "prompt"),
    ({"prompt": 5}, 400, "prompt"),
    ({"prompt": []}, 400, "prompt"),
    ({"prompt": ["a", 5]}, 400, "prompt"),
    ({"prompt": [258]}, 400, "prompt"),
    ({"prompt": [-1]}, 400, "prompt"),
    ({"prompt": [[]]}, 400, "prompt"),
    ({"prompt": "x" * 2100}, 400, "prompt"),
    ({"prompt": "x", "max_tokens": 0}, 400, "max_tokens"),
    ({"prompt": "x", "max_tokens": 100_000}, 400, "max_tokens"),
    ({"prompt": "x", "max_tokens": "8"}, 400, "max_tokens"),
    ({"prompt": "x", "temperature": -0.1}, 400, "temperature"),
    ({"prompt": "x", "temperature": 2.5}, 400, "temperature"),
    ({"prompt": "x", "top_p": 1.5}, 400, "top_p"),
    ({"prompt": "x", "seed": 2**70}, 400, "seed"),
    ({"prompt": "x", "stop": ["a"] * 5}, 400, "stop"),
    ({"prompt": "x", "stop": ""}, 400, "stop"),
    ({"prompt": "x", "n": 2}, 400, "n"),
    ({"prompt": "x", "echo": True}, 400, "echo"),
    ({"prompt": "x", "logprobs": 3}, 400, "logprobs"),
    ({"prompt": "x", "stream_options": {"include_usage": True}}, 400, "stream_options"),
    ({"prompt": "x", "temprature": 0}, 400, "temprature"),
    ({"prompt": "x", "model": "gpt-4"}, 404, "model"),
]


@pytest.mark.parametrize(("body", "status", "param"), BAD, ids=lambda value: str(value)[:40])
def test_a_wrong_field_is_named_in_openais_error_shape(
    http: urllib3.PoolManager, url: str, body: Any, status: int, param: str
) -> None:
    answer = post(http, url, **body)
    assert answer.status == status
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert param in error["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b" " * (5 * 1024 * 1024), "application/json", 413),
    ],
)
def test_a_body_that_is_no_request_is_refused(
    http: urllib3.PoolManager, url: str, body: Any, kind: str, status: int
) -> None:
    answer = http.request("POST", f"{url}/v1/completions", body=body, headers={"content-type": kind})
    assert answer.status == status
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/completions", 405), ("GET", "/nothing", 404)])
def test_other_paths_have_the_error_shape_too(
    http: urllib3.PoolManager, url: str, method: str, path: str, status: int
) -> None:
    answer = http.request(method, url + path)
    assert answer.status == status
    assert answer.json()["error"]["message"]


def test_a_foreign_host_header_is_refused(http: urllib3.PoolManager, url: str) -> None:
    assert http.request("GET", f"{url}/healthz", headers={"host": "evil.example"}).status == 400
    assert http.request("GET", f"{url}/healthz", headers={"host": "localhost:7471"}).status == 200


def test_health_is_told(http: urllib3.PoolManager, url: str) -> None:
    answer = http.request("GET", f"{url}/healthz")
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


def test_the_model_says_that_it_is_random(http: urllib3.PoolManager, url: str) -> None:
    (card,) = http.request("GET", f"{url}/v1/models").json()["data"]
    assert card["id"] == "forewarn-random-llama"
    assert card["random_weights"] is True
    assert "Random weights" in card["description"]
    assert card["parameters"] > 100_000


def test_the_metrics_are_the_promised_ones(http: urllib3.PoolManager, url: str) -> None:
    completion(http, url, prompt="canary", max_tokens=4, **GREEDY)
    text = http.request("GET", f"{url}/metrics").data.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert set(families) == {f"forewarn_inference_{name}" for name in FAMILIES}
    for family in families.values():
        assert {sample.labels["model_name"] for sample in family.samples} == {"forewarn-random-llama"}
    assert "_created" not in text
    outcomes = {sample.labels["outcome"] for sample in families["forewarn_inference_requests"].samples}
    assert outcomes == {"ok", "error", "timeout", "cancelled", "rejected"}


def test_times_are_counted_once_a_request(http: urllib3.PoolManager, url: str) -> None:
    before = samples(http, url)
    completion(http, url, prompt="canary", max_tokens=4, **GREEDY)
    after = samples(http, url)
    grown = {name: after[name] - before[name] for name in after}
    for name in ("time_to_first_token", "time_per_output_token", "request_duration", "queue_duration"):
        assert grown[f"forewarn_inference_{name}_seconds_count"] == 1
    total = grown["forewarn_inference_request_duration_seconds_sum"]
    first = grown["forewarn_inference_time_to_first_token_seconds_sum"]
    each = grown["forewarn_inference_time_per_output_token_seconds_sum"]
    assert total == pytest.approx(first + 3 * each)
    assert 0 <= grown["forewarn_inference_queue_duration_seconds_sum"] <= first
    assert grown["forewarn_inference_prompt_tokens_total"] == 7
    assert grown["forewarn_inference_requests_total/ok"] == 1


@pytest.mark.prometheus
@pytest.mark.skipif(shutil.which("promtool") is None, reason="the Prometheus package is not installed")
def test_promtool_accepts_the_metrics(http: urllib3.PoolManager, url: str) -> None:
    text = http.request("GET", f"{url}/metrics").data
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (lint.returncode, lint.stdout + lint.stderr) == (0, b"")
