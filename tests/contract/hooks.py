"""How schemathesis sends and reads the bodies of Git's protocol: as the bytes that they are."""

import schemathesis

SERVICES = ["application/x-git-upload-pack", "application/x-git-receive-pack"]
REQUESTS = [f"{service}-request" for service in SERVICES]
ANSWERS = [f"{service}-{kind}" for service in SERVICES for kind in ("advertisement", "result")]


@schemathesis.serializer(*REQUESTS)
def send_bytes(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.deserializer(*ANSWERS)
def read_bytes(context, response):
    return response.content.decode("latin-1")
