# The explorer in a container, with the CPU build of torch:
#   docker build -t posenet3d . && docker run --rm -p 127.0.0.1:8501:8501 -v "$PWD/runs:/data/runs" posenet3d
FROM python:3.12-slim AS wheel
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheel /source

FROM python:3.12-slim
# libegl1, libgl1-mesa-dri: films are drawn by VTK. libxrender1: VTK is linked against it.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libegl1 libgl1-mesa-dri libgl1 libxrender1 \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu "torch>=2.6,<2.14"
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel pip install --no-cache-dir /wheel/*.whl
RUN useradd --create-home visitor && mkdir /data && chown visitor /data
USER visitor
WORKDIR /data
EXPOSE 8501
# 0.0.0.0 is the container's own network; `docker run -p 127.0.0.1:...` keeps it on this computer.
CMD ["posenet3d", "app", "--headless", "--address", "0.0.0.0"]
