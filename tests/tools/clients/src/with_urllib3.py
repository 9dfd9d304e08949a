import told
import urllib3


def works(ports) -> dict:
    api = f"https://api.test:{ports['https']}"
    with urllib3.PoolManager(retries=urllib3.Retry(2, backoff_factor=0)) as pool:
        squeezed = pool.request("GET", f"{api}/gzip", headers={"Accept-Encoding": "gzip"}).json()
        redirected = pool.request("GET", f"{api}/redirect")
        form = pool.request("POST", f"{api}/form", fields={"name": "value", "file": ("a.bin", b"y" * 1000)}).json()
        streamed = pool.request("GET", f"{api}/chunked", preload_content=False)
        received = sum(map(len, streamed.stream(4096)))
        chunked = pool.request("POST", f"{api}/", body=iter([b"x" * 500] * 4), chunked=True).json()
        connections = pool.connection_from_url(api).num_connections
    return {
        "gzip": squeezed["path"],
        "redirected": [redirected.status, redirected.geturl().endswith("/echo")],
        "form": form,
        "streamed": received,
        "chunked": chunked["size"],
        "connections": connections,
    }


def fails(ports) -> dict:
    api = f"https://api.test:{ports['https']}"
    pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=0.3))
    unverified = urllib3.PoolManager(retries=False, cert_reqs="CERT_NONE")
    return {
        "never": told.by(pool.request, "GET", f"{api}/never"),
        "slow": told.by(pool.request, "GET", f"{api}/slow"),
        "unverified": told.by(unverified.request, "GET", f"{api}/"),
        **{name: told.by(pool.request, "GET", url) for name, url in told.origins(ports).items()},
    }
