# smsgw with its embedded PostgreSQL. Data live in the volume /var/lib/smsgw; give [database] dsn to use a server of yours.
#   docker build -t smsgw .        docker run -p 2775:2775 -p 127.0.0.1:8080:8080 -v smsgw:/var/lib/smsgw smsgw
ARG BASE=python:3.13-slim
FROM ${BASE} AS build
WORKDIR /src
# A compiler for the fast build, which makes machine code of the data path: half the CPU a message. It stays in this stage.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/smsgw
COPY pyproject.toml README.md hatch_build.py ./
COPY smsgw ./smsgw
RUN HATCH_BUILD_HOOKS_ENABLE=1 /opt/smsgw/bin/pip install --no-cache-dir --only-binary :all: '.[embedded,documents]'

FROM ${BASE}
# A number for those who check that it is not root, and a name because PostgreSQL's peer authentication asks for one.
RUN groupadd --gid 10001 smsgw \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/smsgw --shell /usr/sbin/nologin smsgw \
 && install -d -m 0750 -o 10001 -g 10001 /var/lib/smsgw
COPY --from=build /opt/smsgw /opt/smsgw
COPY config /etc/smsgw
# What the settings keep on this host has to be reached from outside the container.
RUN sed -i 's/"127\.0\.0\.1:/"0.0.0.0:/' /etc/smsgw/smsgw.toml
USER 10001:10001
WORKDIR /var/lib/smsgw
VOLUME /var/lib/smsgw
ENV PATH=/opt/smsgw/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 2775 8080
# SIGTERM drains: no new submits, unanswered requests finish, the database stops. Give it longer than the drain's 10 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
ENTRYPOINT ["smsgw"]
CMD ["serve", "--config", "/etc/smsgw/smsgw.toml"]
