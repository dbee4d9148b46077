# One file, three images:
#   docker build -t cricket-inference .                              CPU: any x86-64-v2 or arm64 node (the last stage)
#   docker build -t cricket-inference:0.1.0-cuda --target cuda .     the same with a CUDA backend: not ready without a GPU
#   docker build -t cricket-inference:0.1.0-train --target train .   training, conversion and publishing (with torch)
#
# No step needs BuildKit, which `az acr build` does not use. A builder without it builds every stage that stands before its
# target, so the stages stand in this order, and `serve` is the CPU image for such builders: --target serve.
#
# The bases are named by tag, because their digests could not be looked up where this was written. Pin them at your
# registry with --build-arg PYTHON_IMAGE=...@sha256:... and the CUDA ones likewise.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm
ARG CUDA_DEVEL_IMAGE=docker.io/nvidia/cuda:12.8.1-devel-ubuntu22.04
ARG CUDA_RUNTIME_IMAGE=docker.io/nvidia/cuda:12.8.1-runtime-ubuntu22.04

# Wheels built before, instead of compiling: --build-context wheels=FOLDER. Empty by itself.
FROM scratch AS wheels
COPY requirements.lock /requirements.lock


# --- llama-cpp-python with one library a CPU generation: the best one that the node can run is loaded at start ---------
FROM ${PYTHON_IMAGE} AS compile-cpu
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements.lock .
ARG BUILD_JOBS=
# No pip cache here: a wheel in it would not say with which flags it was built. mtmd (images, sound) is not served.
# arm64 gets one set of instructions, that of AKS's Ampere nodes and every later one: for all variants, llama.cpp wants a
# compiler that knows SME, which this Debian's does not.
# Wheels are copied and not mounted from stage to stage, so that another wheel is another layer for every builder's cache.
COPY --from=wheels . /prebuilt/
RUN mkdir /wheels; cp /prebuilt/llama_cpp_python-*.whl /wheels 2> /dev/null && exit 0; \
    awk '/^llama-cpp-python/ {on=1} on {print} on && !/\\$/ {exit}' requirements.lock > llama.txt \
    && case "$(uname -m)" in \
         aarch64) variants="-DGGML_CPU_ARM_ARCH=armv8.2-a+dotprod+fp16" ;; \
         *) variants="-DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON" ;; \
       esac \
    && CMAKE_BUILD_PARALLEL_LEVEL="${BUILD_JOBS:-$(nproc)}" CMAKE_ARGS="-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF ${variants}" \
       pip wheel --no-cache-dir --no-deps --wheel-dir /wheels --requirement llama.txt


# --- the environment of the CPU image ----------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS venv
WORKDIR /build
COPY requirements.lock .
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# llama-cpp-python goes in first, so that the second pip finds it there and checks the hashes of everything else.
COPY --from=compile-cpu /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/llama_cpp_python-*.whl \
    && pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY k8s/slim_venv.py .
RUN python slim_venv.py /opt/venv


# --- what every image that serves has ----------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS runtime
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 cricket && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp cricket \
    && install -d -o 10001 -g 10001 /models /state
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    MODEL_PATH=/models/demo \
    HF_HOME=/models/.cache/huggingface \
    FEEDBACK_DB=/state/feedback.sqlite
COPY pyproject.toml .
COPY data data
COPY convert convert
COPY agents agents
COPY serve serve
RUN python -m compileall -q /app
USER 10001:10001
VOLUME ["/models", "/state"]
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 CMD ["python", "-m", "serve.healthcheck"]
ENTRYPOINT ["python", "-m", "serve"]


# --- the CPU image, early: what `cpu` at the end is, line by line -------------------------------------------------------
FROM runtime AS serve
COPY --from=venv /opt/venv /opt/venv
RUN ["python", "-m", "serve.check_libraries"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cricket-inference" \
      org.opencontainers.image.description="Answers cricket questions with a fine-tuned GGUF model" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"


# --- CUDA: the CPU image's environment with libraries that also have a CUDA backend -------------------------------------
FROM ${CUDA_DEVEL_IMAGE} AS compile-cuda
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements.lock .
ARG BUILD_JOBS=
# Machine code (real) for each GPU that clouds rent, so that no start compiles kernels, and PTX of the last two for their
# successors: 75 T4, 80 A100, 86 A10, 89 L4 and L40S, 90 H100 and H200, 100 B200 (its PTX: B300), 120 RTX PRO 6000 (its
# PTX: later ones). V100 (70) is left out: CUDA 13 has dropped it. CUDA 12.8 is the first that knows 100 and 120, and asks
# for driver 525 or newer. "native" would ask for a GPU in the build.
ARG CUDA_ARCHITECTURES=75-real;80-real;86-real;89-real;90-real;100;120
# The glibc of this base is older than the runtime's, so what is linked here loads there. x86-64 only: arm64 nodes with
# NVIDIA GPUs (GH200, GB200) are not supported. NCCL joins several GPUs' results: the devel image has it and llama.cpp
# would link it, but the image below has not, and the backend would not load.
RUN awk '/^llama-cpp-python/ {on=1} on {print} on && !/\\$/ {exit}' requirements.lock > llama.txt \
    && CMAKE_BUILD_PARALLEL_LEVEL="${BUILD_JOBS:-$(nproc)}" \
       CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON -DLLAVA_BUILD=OFF -DGGML_CUDA=ON -DGGML_CUDA_NCCL=OFF -DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES}" \
       pip wheel --no-cache-dir --no-deps --wheel-dir /wheels --requirement llama.txt

FROM venv AS venv-cuda
COPY --from=compile-cuda /wheels /cuda-wheels
RUN python -m venv /opt/pip && /opt/pip/bin/pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --force-reinstall \
      /cuda-wheels/llama_cpp_python-*.whl \
    && python slim_venv.py /opt/venv

FROM ${CUDA_RUNTIME_IMAGE} AS cuda-libraries

FROM runtime AS cuda
COPY --from=cuda-libraries /usr/local/cuda/lib64/libcudart.so.12 /usr/local/cuda/lib64/libcublas.so.12 \
     /usr/local/cuda/lib64/libcublasLt.so.12 /usr/local/cuda/lib64/
COPY --from=venv-cuda /opt/venv /opt/venv
# Without a GPU or its driver the CUDA library does not load: the service says so and is not ready, unless GPU_REQUIRED is
# false.
ENV LD_LIBRARY_PATH=/usr/local/cuda/lib64 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    N_GPU_LAYERS=-1
# The build fails where a library lacks anything but the driver's, which the node brings.
RUN ["python", "-m", "serve.check_libraries", "--allow", "libcuda.so.1"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cricket-inference (CUDA)" \
      org.opencontainers.image.description="Answers cricket questions with a fine-tuned GGUF model" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"


# --- training, conversion, publishing: a Job, not a service --------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS train
# Triton compiles small kernels while it runs.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends g++ libgomp1 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements-train.lock .
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 HF_HOME=/work/huggingface
COPY --from=compile-cpu /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/llama_cpp_python-*.whl \
    && pip install --no-cache-dir --require-hashes --requirement requirements-train.lock
COPY pyproject.toml .
COPY data data
COPY train train
COPY convert convert
COPY agents agents
COPY serve serve
RUN groupadd --gid 10001 cricket && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp cricket \
    && install -d -o 10001 -g 10001 /app/runs /app/models /work
USER 10001:10001
ENTRYPOINT ["python", "-m"]
CMD ["train"]


# --- the CPU image, last: what `docker build .` makes --------------------------------------------------------------------
FROM runtime AS cpu
COPY --from=venv /opt/venv /opt/venv
RUN ["python", "-m", "serve.check_libraries"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cricket-inference" \
      org.opencontainers.image.description="Answers cricket questions with a fine-tuned GGUF model" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
