"""`termios`: there is no terminal, as under a scheduler or in a container without one."""

import errno
from typing import Any


class error(Exception):
    """What `termios` raises."""


# Numbers of Linux, those that packages and `tty` name.
TCSANOW, TCSADRAIN, TCSAFLUSH = range(3)
TCIFLUSH, TCOFLUSH, TCIOFLUSH = range(3)
IGNBRK, BRKINT, IGNPAR, PARMRK, INPCK, ISTRIP, INLCR, IGNCR, ICRNL = (1 << bit for bit in range(9))
IXON, IXANY, IXOFF = 0o2000, 0o4000, 0o10000
OPOST, ONLCR = 1, 4
CSIZE, CS5, CS6, CS7, CS8 = 0o60, 0, 0o20, 0o40, 0o60
CSTOPB, CREAD, PARENB, PARODD, HUPCL, CLOCAL = (1 << bit for bit in range(6, 12))
ISIG, ICANON, ECHO, ECHOE, ECHOK, ECHONL, NOFLSH, TOSTOP, IEXTEN = 1, 2, 8, 16, 32, 64, 128, 256, 0o100000
VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSWTC, VSTART, VSTOP, VSUSP, VEOL = range(12)
NCCS = 32
TIOCGWINSZ, TIOCSWINSZ, FIONREAD, TIOCSCTTY = 0x5413, 0x5414, 0x541B, 0x540E
B0, B9600, B19200, B38400, B115200 = 0, 13, 14, 15, 4098


def _no_terminal(fd: Any, *rest: Any) -> Any:
    raise error(errno.ENOTTY, "Inappropriate ioctl for device: the sandbox has no terminal")


tcgetattr = tcsetattr = tcsendbreak = tcdrain = tcflush = tcflow = tcgetwinsize = tcsetwinsize = _no_terminal
