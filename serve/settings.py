"""Settings of the service: environment variables, or lines of a `.env` file in the working directory.

Every field is one variable of the same name in capitals; an empty variable counts as not set.

    python -m serve.settings        prints the current values, secrets masked
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """All settings. Their descriptions are the documentation: serve/README.md repeats them."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for all addresses of the machine")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")

    season: str = Field("ipl_2024", description="folder below data/seasons that questions are about")
    model_path: Path = Field(Path("models/demo"), description="model folder with manifest.json, or a .gguf file")
    model_repo: str | None = Field(
        None,
        description="repository of the model (owner/name at the hub, or a local folder); used instead of MODEL_PATH",
    )
    model_revision: str | None = Field(None, description="commit, tag or branch of MODEL_REPO; a commit pins it")
    model_file: str | None = Field(None, description="file to serve, if not the manifest's default")
    hf_token: SecretStr | None = Field(None, description="token for a private MODEL_REPO")
    hf_home: Path | None = Field(None, description="where downloads are kept (default ~/.cache/huggingface)")

    n_threads: int = Field(
        0,
        ge=0,
        description="threads for decoding; 0: as many as the cgroup grants, fewer while other processes use the cores",
    )
    n_threads_batch: int = Field(0, ge=0, description="threads for prefill; 0 as above")
    n_ctx: int = Field(4096, ge=256, le=1_048_576, description="tokens of context, shared by all slots")
    n_slots: int = Field(8, ge=1, le=128, description="requests computed at once")
    prefix_cache_mb: int = Field(
        128,
        ge=0,
        description="MiB for prompt prefixes of ended requests, which later requests share (prefix cache); 0: none",
    )
    prefix_cache_file: Path | None = Field(
        None,
        description="file to which the prefix cache is saved when the service stops, for a warm start; none: not saved",
    )
    n_gpu_layers: int = Field(0, ge=-1, description="layers on the GPU; -1 is all")
    gpu_required: bool = Field(
        True,
        description="without a GPU, N_GPU_LAYERS keeps the service from being ready; false: the CPU serves instead",
    )
    flash_attention: bool = Field(
        True, description="faster attention; false: answers depend less on which other requests are in the same batch"
    )
    queue_size: int = Field(32, ge=0, description="requests that may wait for a slot before new ones get 429")
    deadline_s: float = Field(60.0, gt=0, description="longest time for one answer, in seconds")

    openai_base_url: str | None = Field(
        None,
        description="OpenAI-compatible server to generate with, such as "
        "http://127.0.0.1:8080/v1, instead of a model in this process",
    )
    openai_model: str | None = Field(None, description="model name to ask that server for")
    openai_api_key: SecretStr | None = Field(None, description="key for that server")

    api_keys: SecretStr | None = Field(
        None, description="keys that clients must present, comma-separated; none: no key is needed"
    )
    raw_model: bool = Field(
        False, description="serve the language model without the agents, too: `cricket-raw` at /v1, for operators"
    )
    cors_origins: str | None = Field(
        None, description="origins whose pages may call the service, comma-separated, or *; none: its own page alone"
    )
    rate_limit_per_minute: int = Field(0, ge=0, description="requests a minute for each key (or address); 0: no limit")
    max_body_bytes: int = Field(65_536, ge=1024, description="largest request body")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="level of the JSON log")
    log_texts: bool = Field(
        False, description="write question and answer texts to log and traces; they may hold personal data"
    )
    feedback_db: Path = Field(Path("runs/feedback.sqlite"), description="SQLite file for POST /feedback")
    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="OpenTelemetry collector (OTLP over HTTP), such as http://localhost:4318"
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    def keys(self) -> list[str]:
        """The API keys; none where no key is needed."""
        text = self.api_keys.get_secret_value() if self.api_keys else ""
        return [key.strip() for key in text.split(",") if key.strip()]

    def origins(self) -> list[str]:
        """The origins of CORS_ORIGINS."""
        return [origin.strip().rstrip("/") for origin in (self.cors_origins or "").split(",") if origin.strip()]

    def redacted(self) -> dict[str, Any]:
        """All settings that have a value, secrets masked: for the start-up log line."""
        return {name.upper(): value for name, value in self.model_dump(mode="json").items() if value is not None}


def main() -> None:
    print(json.dumps(Settings().redacted(), indent=2))


if __name__ == "__main__":
    main()
