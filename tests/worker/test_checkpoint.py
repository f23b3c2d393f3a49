import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import urllib3

from tests.support.worker_process import WorkerProcess, running_worker
from worker.errors import ModelError

WORDS = ["the", "node", "has", "eight", "cards", "every", "card", "is", "warm", "today", "but", "cool", "at", "night"]


@pytest.fixture(scope="module")
def checkpoint(torch: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers.models.llama.configuration_llama import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaForCausalLM

    directory = tmp_path_factory.mktemp("models") / "wordy-llama"
    vocabulary = {word: index for index, word in enumerate(["[UNK]", *dict.fromkeys(WORDS)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=8192,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory


@pytest.fixture(scope="module")
def served(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    settings = {"model": str(checkpoint), "device": "cuda", "request_timeout": "1.5s", "max_tokens": 8000}
    with running_worker(tmp_path_factory.mktemp("data"), settings, {"CUDA_VISIBLE_DEVICES": ""}) as process:
        process.ready = process.first_frame()
        yield process


def ask(http: urllib3.PoolManager, served: WorkerProcess, **body: object) -> urllib3.BaseHTTPResponse:
    return http.request("POST", f"{served.ready['url']}/v1/completions", json=body)


def test_a_checkpoint_is_served_under_its_name_with_its_tokenizer(
    http: urllib3.PoolManager, served: WorkerProcess, checkpoint: Path, torch: ModuleType, load: Any
) -> None:
    assert (served.ready["model"], served.ready["random_weights"]) == ("wordy-llama", False)
    answer = ask(http, served, prompt="the card is warm", max_tokens=6, temperature=0, model="wordy-llama").json()
    assert answer["usage"]["prompt_tokens"] == 4

    loaded = load(checkpoint, checkpoint, "cpu")
    prompt = torch.tensor([loaded.tokenizer.encode("the card is warm")])
    ids = loaded.model.generate(prompt, do_sample=False, max_new_tokens=6, pad_token_id=0)[0, 4:].tolist()
    spoken = [word for word in loaded.tokenizer.decode(ids).split() if word != "[UNK]"]
    assert answer["choices"][0]["text"].replace("[UNK]", "").split() == spoken
    assert set(spoken) <= set(WORDS)


def test_without_a_usable_gpu_the_model_runs_on_the_cpu_and_one_line_says_so(served: WorkerProcess) -> None:
    assert served.ready["device"] == "cpu"
    (line,) = [json.loads(line) for line in served.log if "worker.device is cuda" in line]
    assert line["level"].lower() == "warning"
    assert line["reason"]


def test_the_log_holds_only_our_own_lines(served: WorkerProcess) -> None:
    assert [line for line in served.log if not json.loads(line)["logger"].startswith("worker.")] == []


@pytest.mark.timed
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_takes_too_long_ends_with_a_timeout(
    http: urllib3.PoolManager, served: WorkerProcess, *, stream: bool
) -> None:
    began = time.monotonic()
    answer = ask(http, served, prompt="the", max_tokens=8000, stream=stream, temperature=0)
    assert 1.2 < time.monotonic() - began < 4
    if stream:
        last = json.loads(answer.data.decode().strip().split("\n\n")[-1].removeprefix("data: "))
    else:
        assert answer.status == 504
        last = answer.json()
    assert last["error"]["type"] == "timeout_error"


def test_timeouts_are_counted(http: urllib3.PoolManager, served: WorkerProcess) -> None:
    ask(http, served, prompt="the", max_tokens=8000, temperature=0)
    text = http.request("GET", f"{served.ready['url']}/metrics").data.decode()
    (line,) = [line for line in text.splitlines() if 'outcome="timeout"' in line]
    assert float(line.split()[-1]) >= 1


def without_weight(directory: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(directory / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def edit_config(**change: object) -> Callable[[Path], None]:
    def edit(directory: Path) -> None:
        path = directory / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))

    return edit


DAMAGE = [
    (lambda d: (d / "config.json").unlink(), "config.json"),
    (lambda d: (d / "config.json").write_text("{"), "config.json"),
    (lambda d: (d / "model.safetensors").unlink(), "cannot load the model"),
    (lambda d: (d / "model.safetensors").write_bytes(b"\0" * 100), "cannot load the model"),
    (lambda d: (d / "tokenizer.json").write_text("{}"), "tokenizer.json"),
    (without_weight, "lacks 1 weights, model.layers.1.mlp.up_proj.weight"),
    (edit_config(model_type="mixtral"), "'mixtral'"),
    (edit_config(hidden_size=60), "cannot load the model"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGE)
def test_a_checkpoint_that_is_not_whole_is_refused(
    checkpoint: Path, load: Any, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    damage(copy)
    with pytest.raises(ModelError) as refused:
        load(copy, tmp_path, "cpu")
    assert said in refused.value.message
    assert "\n" not in refused.value.message


def test_a_directory_without_a_tokenizer_needs_a_vocabulary_of_bytes(
    checkpoint: Path, load: Any, tmp_path: Path
) -> None:
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    (copy / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="too small for bytes"):
        load(copy, tmp_path, "cpu")
