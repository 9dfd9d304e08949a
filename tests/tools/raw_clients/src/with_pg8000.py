import datetime
import decimal
import ssl

import pg8000.dbapi
import pg8000.native


def works(port: int) -> dict:
    """With TLS, and a password that is bound to it (SCRAM-SHA-256-PLUS)."""
    account = {"user": "tool", "password": "secret", "host": "postgres.test", "port": port, "database": "postgres"}
    with pg8000.dbapi.connect(**account, ssl_context=ssl.create_default_context()) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE place (name text, size numeric, tags text[], seen timestamptz, extra jsonb)")
        seen = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
        row = ("Gent", decimal.Decimal("1.50"), ["a", "b"], seen, {"k": [1, None]})
        cursor.executemany("INSERT INTO place VALUES (%s, %s, %s, %s, %s)", [row] * 20)
        connection.commit()
        cursor.execute("SELECT * FROM place LIMIT 1")
        found = cursor.fetchone()
        cursor.execute("SELECT version(), (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())")
        version, encrypted = cursor.fetchone()
        cursor.execute("SELECT n, repeat('x', 100) FROM generate_series(1, 5000) AS n")
        sizes = sum(len(text) for _, text in cursor.fetchall())
        try:
            cursor.execute("SELECT * FROM nowhere")
        except pg8000.dbapi.DatabaseError as error:
            wrong = error.args[0]["M"]
    with pg8000.native.Connection(**account, ssl_context=False) as plain:
        count = plain.run("SELECT count(*) FROM place WHERE name = :name", name="Gent")[0][0]
    return {
        "found": list(found) == list(row),
        "version": version.split()[0],
        "encrypted": encrypted,
        "sizes": sizes,
        "wrong": wrong,
        "count": count,
    }
