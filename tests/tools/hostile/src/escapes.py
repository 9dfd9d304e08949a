"""Tricks that try to leave, or to break what they run in."""

import builtins
import os
import signal
import subprocess
import sys


def an_exit_at_once():
    os._exit(0)


def an_exit_with_a_status():
    os._exit(7)


def an_abort():
    os.abort()


def a_polite_exit():
    sys.exit(3)


def a_system_exit():
    raise SystemExit("bye")


def an_interrupt():
    raise KeyboardInterrupt


def a_base_exception():
    raise BaseException("base")


def a_generator_exit():
    raise GeneratorExit


def a_stop_iteration():
    raise StopIteration


def closed_output():
    sys.stdout.close()
    sys.stderr.close()
    os.close(1)
    os.close(2)
    return "closed"


def replaced_output():
    class Broken:
        def write(self, text):
            raise OSError("broken")

        flush = write

    sys.stdout = sys.stderr = Broken()
    return "replaced"


def no_builtins():
    for name in list(vars(builtins)):
        if name not in ("list", "vars"):
            delattr(builtins, name)
    return "gone"


def no_json():
    import json

    json.dumps = json.loads = None
    return {"a": 1}


def a_patched_sdk():
    import toolplane
    from toolplane import invoking, output

    invoking.to_text = output.to_text = output.plain = lambda value: "patched"
    invoking.invoke = invoking.describe = None
    return "honest"


def a_patched_failure():
    from toolplane import failure, invoking

    failure.describe = invoking.describe = lambda *_: ("Patched", 7, None)
    raise ValueError("honest")


def a_patched_failure_that_is_long():
    from toolplane import failure, invoking

    invoking.describe = lambda *_: failure.Failure("Patched", "\x01" * (8 << 20), [])
    raise ValueError("honest")


def an_output_that_is_no_text():
    from toolplane import invoking

    invoking.to_text = lambda value: 7
    return "honest"


def half_a_character():
    return "\ud800"


def half_a_character_in_an_error():
    raise ValueError("\ud800")


def no_modules():
    sys.modules.clear()
    return "gone"


def a_signal():
    signal.alarm(1)
    return "set"


def a_kill():
    os.kill(os.getpid(), 9)


def a_subprocess():
    return subprocess.check_output(["id"])


def a_shell():
    return str(os.system("id"))


def a_fork():
    return str(os.fork())


def an_exec():
    os.execv("/bin/sh", ["sh"])


def a_null_pointer():
    import ctypes

    return str(ctypes.string_at(0))


def a_library():
    import ctypes

    return str(ctypes.CDLL("libc.so.6"))


def mapped_memory():
    import mmap

    return str(mmap.mmap(-1, 4096))


def code_of_nobody():
    code = play_with_code.__code__.replace(co_code=bytes([255, 0] * 8))
    return str(eval(code))


def play_with_code():
    return 0


def a_write_to_the_library():
    with open("/python/os.py", "w") as file:
        file.write("x")


def a_write_to_the_tool():
    with open("/tool/src/hostile.py", "a") as file:
        file.write("x")


def a_removed_library():
    os.remove("/python/os.py")


def a_renamed_tool():
    os.rename("/tool", "/tmp/tool")


def a_link_out():
    os.symlink("/etc/passwd", "/tmp/passwd")
    return open("/tmp/passwd").read()


def a_hard_link():
    os.link("/python/os.py", "/tmp/os.py")


def a_file_outside():
    with open("/outside", "w") as file:
        file.write("x")
