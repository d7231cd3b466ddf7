"""nginx and Caddy from Debian's packages, run with the files of deploy/ before one gateway."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "llm.example.edu"

AROUND = """
daemon off;
worker_processes 1;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/gateways.conf;
    include {folder}/xinghe.conf;
}}
"""
"""What Debian's own nginx.conf is, with everything in one folder."""


@dataclass(frozen=True)
class Ports:
    """Of the gateway, and of the proxy before it."""

    gateway: int
    secure: int
    plain: int


@dataclass(frozen=True)
class Proxy:
    """One that runs."""

    url: str
    """With https."""
    plain_url: str
    log: Path
    """Of its requests, a JSON object a line."""


def certificate(folder: Path) -> tuple[Path, Path]:
    """One for localhost, signed by itself, and its key."""
    files = folder / "fullchain.pem", folder / "privkey.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    out = ["-out", str(files[0]), "-keyout", str(files[1]), "-days", "2"]
    subprocess.run(["openssl", "req", *kind, *out, *subject], check=True, capture_output=True)
    return files


def _edited(file: Path, changes: dict[str, str]) -> str:
    """A file of deploy/ with what an operator changes in it, and ports that are free here."""
    text = file.read_text("utf-8")
    for old, new in changes.items():
        assert old in text, f"{file.name} has no {old!r}"
        text = text.replace(old, new)
    return text


def nginx(folder: Path, ports: Ports) -> tuple[list[str], Path]:
    """Its command, and its log."""
    chain, key = certificate(folder)
    log = folder / "xinghe.log"
    changes = {
        "listen 80;": f"listen 127.0.0.1:{ports.plain};",
        "    listen [::]:80;\n": "",
        "listen 443 ssl": f"listen 127.0.0.1:{ports.secure} ssl",
        "    listen [::]:443 ssl http2;\n": "",
        NAME: "localhost",
        "/etc/ssl/xinghe/fullchain.pem": str(chain),
        "/etc/ssl/xinghe/privkey.pem": str(key),
        "/var/log/nginx/xinghe.log": str(log),
    }
    (folder / "xinghe.conf").write_text(_edited(DEPLOY / "nginx" / "xinghe.conf", changes))
    gateway = {"server 127.0.0.1:8000;": f"server 127.0.0.1:{ports.gateway};"}
    (folder / "gateways.conf").write_text(_edited(DEPLOY / "nginx" / "gateways.conf", gateway))
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return [program, "-c", str(folder / "nginx.conf"), "-p", str(folder)], log


def caddy(folder: Path, ports: Ports) -> tuple[list[str], Path]:
    """Its command, and its log."""
    chain, key = certificate(folder)
    log = folder / "xinghe.log"
    before = f"{{\n\tadmin off\n\thttp_port {ports.plain}\n\thttps_port {ports.secure}\n"
    before += "\tauto_https disable_certs\n\tskip_install_trust\n}\n"
    changes = {
        f"\n{NAME} {{\n": f"\nlocalhost {{\n\tbind 127.0.0.1\n\ttls {chain} {key}\n",
        "reverse_proxy 127.0.0.1:8000": f"reverse_proxy 127.0.0.1:{ports.gateway}",
        "/var/log/caddy/xinghe.log": str(log),
    }
    file = folder / "Caddyfile"
    file.write_text(before + _edited(DEPLOY / "caddy" / "Caddyfile", changes))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(file)], log


PROXIES = {"nginx": nginx, "caddy": caddy}


@contextmanager
def running(kind: str, folder: Path, ports: Ports) -> Iterator[Proxy]:
    """One of them, until the block is left."""
    command, log = PROXIES[kind](folder, ports)
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    told = folder / "told"
    with told.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={"PATH": "/usr/sbin:/usr/bin:/bin", **homes},
        )
    try:
        _wait(ports.secure, process, told)
        host = "localhost"
        yield Proxy(f"https://{host}:{ports.secure}", f"http://{host}:{ports.plain}", log)
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes], told: Path) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, told.read_text("utf-8")
            assert time.monotonic() < end, told.read_text("utf-8")
            time.sleep(0.05)
        else:
            return
