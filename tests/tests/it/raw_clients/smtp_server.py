"""An SMTP server by aiosmtpd, which wants TLS and a password, and writes a line for each message that it takes."""

import asyncio
import json
import ssl
import sys
from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, messages: Path):
        self.messages = messages

    async def handle_DATA(self, server, session, envelope):
        message = message_from_bytes(envelope.content, policy=policy.default)
        attachment = next(message.iter_attachments())
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": message["Subject"],
            "body": message.get_body().get_content().replace("\r\n", "\n"),
            "attachment": len(attachment.get_content()),
            "encrypted": session.ssl is not None,
        }
        with self.messages.open("a") as file:
            file.write(json.dumps(told) + "\n")
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    is_known = (data.login, data.password) == (b"tool", b"secret")
    return AuthResult(success=is_known, handled=False)


async def main(certificate, key, port, messages):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()

    def session():
        return SMTP(
            Handler(Path(messages)),
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
            hostname="mail.test",
            loop=loop,
        )

    server = await loop.create_server(session, "127.0.0.1", int(port))
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
