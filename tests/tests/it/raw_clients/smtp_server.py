"""An SMTP server by aiosmtpd, which wants TLS and a password. Prints its port, then a line for each message."""

import asyncio
import json
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
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
        print(json.dumps(told), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    is_known = (data.login, data.password) == (b"tool", b"secret")
    return AuthResult(success=is_known, handled=False)


async def main(certificate, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()

    def session():
        return SMTP(
            Handler(),
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
            hostname="mail.test",
            loop=loop,
        )

    server = await loop.create_server(session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
