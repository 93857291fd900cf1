# dbt, one adapter and dbt-batch-sync; not root. The dbt project is mounted at /project, or copied by an image built on this one.
#
#     docker build --build-arg ADAPTER=snowflake -t dbt-batch-sync:snowflake .
#     docker run --rm -v "$PWD:/project" --env-file batch.env dbt-batch-sync:snowflake sh -c 'dbt build && dbt-batch-sync push'
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ARG ADAPTER=duckdb
WORKDIR /src
COPY . .
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".[${ADAPTER},otel]"

FROM python:${PYTHON}-slim
RUN useradd --create-home --uid 10001 batch && install -d -o batch /project
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 DBT_SEND_ANONYMOUS_USAGE_STATS=false
USER 10001
WORKDIR /project
CMD ["dbt-batch-sync", "--help"]
