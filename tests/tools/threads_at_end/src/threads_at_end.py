import atexit
import threading
from concurrent.futures import ThreadPoolExecutor


def run(stuck: bool) -> list[str]:
    """Start some threads, and wait for none of them."""
    done: list[str] = []
    event = threading.Event()
    atexit.register(lambda: print("at exit:", sorted(done)))
    threading.Thread(target=done.append, args=("thread",)).start()
    ThreadPoolExecutor().submit(done.append, "task")

    def flush() -> None:
        done.append("daemon")
        event.wait()
        done.append("never")

    threading.Thread(target=flush, daemon=True).start()
    if stuck:
        threading.Thread(target=event.wait, name="stuck").start()
    return done
