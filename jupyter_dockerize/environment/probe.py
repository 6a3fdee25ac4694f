"""The probe: one file that looks at the Python it runs in and gives raw facts as JSON.

It runs anywhere: imported here, exec'd in a live kernel, sent over stdin to any interpreter
from 3.8 on (``python - --libraries < probe.py``), inside images. So: standard library only,
nothing written, nothing started, nothing left behind in the process, no exception out of
`gather`; what cannot be read is a fault in the facts. Secrets are cut here, where they are
first seen. The shape of the facts is `facts.py`.
"""

import json
import os
import re
import struct
import sys
import time

SCHEMA = 1
OPTIONS = ("hashes", "libraries", "modules", "requires", "sizes")

HEADERS = 2048  # bytes of METADATA that hold Name and Version
LARGEST = 16 << 20  # bytes of any one file that is read whole
MOST_FILES = 400000  # of one folder tree
UP = 24  # folders that a checkout is looked for upwards


# ---------------------------------------------------------------- secrets

# What is a secret by its shape alone, wherever it stands.
TOKENS = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{10,}|pypi-[\w-]{16,}|hf_[A-Za-z0-9]{16,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}|sk-[\w-]{16,}|[rs]k_live_\w{16,}|xox[abposr]-[\w-]{8,}|AIza[\w-]{30,}"
    r"|npm_[A-Za-z0-9]{30,}|dckr_pat_[\w-]{16,}|ya29\.[\w-]{16,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"
)
HIDDEN = "***"
# Hosts whose credential is a part of the path: repository services hand out such URLs.
PATH_TOKENS = (
    (re.compile(r"(?i)fury\.io(?::\d+)?$"), re.compile(r"^/+[^/]+")),
    (re.compile(r"(?i)cloudsmith\.(?:io|com)(?::\d+)?$"), re.compile(r"^/+(?!(?:public|basic)/)[^/]+")),
    (re.compile(r"(?i)packagecloud\.io(?::\d+)?$"), re.compile(r"(?<=/priv)/+[^/]+")),
)
PORT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^:@]*)(?::\d*)?")  # a host, with its port where it has one


def redact_url(url):
    """``url`` without user, password, token, query and fragment. ``git@`` stays: it names nobody."""
    url = _visible(url)
    if "://" not in url:
        return _redact_plain(url)
    scheme, _, rest = url.partition("://")
    rest = rest.replace("\\", "/")
    if "@" in re.split(r"[?#]", rest.partition("/")[0], maxsplit=1)[-1] and re.match(r"[^/@]*[?#]", rest):
        return scheme + "://" + HIDDEN  # a password with ? or #: nobody can tell where it ends
    authority, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    user, _, host = re.sub("(?i)%40", "@", authority).rpartition("@")
    if not PORT.fullmatch(host):  # "user:pa" of "user:pa/ss@host": what looks like a path is a password
        return scheme.rpartition("@")[2] + "://" + HIDDEN
    keep = "git@" if user == "git" and "ssh" in scheme else ""
    path = slash + path
    for hosts, secret in PATH_TOKENS:
        if hosts.search(host):
            path = secret.sub("/" + HIDDEN, path, count=1)
    path = re.sub(r"/t/+[^/]+", "/t/" + HIDDEN, path)  # conda: /t/TOKEN/channel
    path = re.sub(r"(:/{1,2})[^/@]*@", r"\1", path)  # a URL inside the path
    path = re.sub(r"(?i)(^|/)[^/@]*(?::|%3a)[^/@]*(?:@|%40)", r"\1", path)  # user:password@ further on
    path = re.sub(r";[^/]*", "", path)  # parameters (RFC 2396, section 3.3)
    return TOKENS.sub(HIDDEN, scheme + "://" + keep + host + path)


def _visible(url):
    """Without blanks and control characters, which parsers of URLs drop or stumble over."""
    return re.sub(r"[\s\x00-\x20\x7f-\x9f]+", "", url)


def _redact_plain(url):
    """A path, or git's scp form ``user@host:path``."""
    url = re.split(r"[?#]", url, maxsplit=1)[0]
    user, at, rest = re.sub("(?i)%40", "@", url).rpartition("@")
    if at and (url[:2] in ("//", "\\\\") or not url.startswith(("/", "."))):
        url = ("git@" if user == "git" else "") + rest
    return TOKENS.sub(HIDDEN, url)


def has_credentials(url):
    """Whether `redact_url` takes a credential away. A fragment alone (a hash, ``#egg=``) is none."""
    bare = _visible(url).replace("\\", "/")
    return redact_url(bare).rstrip("/") != bare.partition("#")[0].rstrip("/")


_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:\\\\|//)\S+")


def redact_text(text):
    """``text`` with the URLs in it redacted: requirements, match specifications, messages."""
    return TOKENS.sub(HIDDEN, _URL.sub(lambda match: redact_url(match.group()), text))


# Variables that say how numbers, text and plots come out; everything else stays here.
KEPT = re.compile(
    r"LANG|LANGUAGE|LC_[A-Z]+|TZ|OMP_[A-Z_]+|MKL_[A-Z_]+|OPENBLAS_[A-Z_]+|BLIS_NUM_THREADS|VECLIB_[A-Z_]+"
    r"|NUMEXPR_[A-Z_]+|NUMBA_[A-Z_]+|PYTHONHASHSEED|PYTHONUTF8|PYTHONIOENCODING|PYTHONOPTIMIZE|PYTHONDONTWRITEBYTECODE"
    r"|PYTHONUNBUFFERED|PYTHONWARNINGS|MPLBACKEND|CUDA_VISIBLE_DEVICES|CUBLAS_WORKSPACE_CONFIG|TF_CPP_MIN_LOG_LEVEL"
    r"|TF_ENABLE_ONEDNN_OPTS|TF_DETERMINISTIC_OPS|XLA_FLAGS|JAX_PLATFORMS|JAX_ENABLE_X64|TOKENIZERS_PARALLELISM"
    r"|PYTORCH_CUDA_ALLOC_CONF|POLARS_MAX_THREADS|RAYON_NUM_THREADS|KERAS_BACKEND|DASK_[A-Z_]+__[A-Z_]+"
)
KEPT_VALUE = re.compile(r"[\w .,:;=+%/\[\]-]{0,200}")
SECRET = re.compile(
    r"(?:\w*(?:TOKENS?|KEYS?|SECRETS?|PASS|PASSWORDS?|PASSWD|PASSPHRASE|CREDENTIALS?|AUTH|DATABASE_URL)"
    r"|(?:\w*_)?(?:PWD|COOKIE|DSN))(?:_\w*)?"
)
# What sessions, hubs and images set for themselves, secret or not: it is made anew where the image runs.
SESSION = re.compile(
    r"""
    _.* | [a-z].* | (?:O?LD)?PWD | GPG_KEY | XAUTHORITY | TERM_SESSION_ID |
    (?:JUPYTERHUB|JPY|KUBERNETES|XDG|DBUS|GPG)(?:_\w*)? |
    SSH_(?:CLIENT|CONNECTION|TTY|AUTH_SOCK|AGENT_PID|ASKPASS)
    """,
    re.VERBOSE,
)
# Of shells, desktops, compilers, package managers and containers: nobody would miss them in an image.
PLUMBING = re.compile(
    r"""
    PATH | HOME | USER | USERNAME | LOGNAME | SHELL | SHLVL | HOSTNAME | HOSTTYPE | OSTYPE | MACHTYPE |
    TMPDIR | TEMP | TMP | MAIL | EDITOR | VISUAL | PAGER | MANPATH | INFOPATH | GOPATH | CLASSPATH |
    DISPLAY | COLORTERM | LS_COLORS | NO_COLOR | FORCE_COLOR | CLICOLOR\w* | LESS\w* | PS\d |
    WINDOWID | PROMPT_COMMAND | HIST\w+ | COLUMNS | LINES | LS_OPTIONS | DEBIAN_FRONTEND |
    INVOCATION_ID | JOURNAL_STREAM | MANAGERPID | GOROOT | CI | DEBUGINFOD_URLS | LOCALE_ARCHIVE |
    MEMORY_PRESSURE\w* | CC | CXX | FC | LD | AR | \w*CFLAGS | \w*CXXFLAGS | CPPFLAGS | LDFLAGS |
    MAKEFLAGS | MAKELEVEL | PYTHON\w* | IPYTHON\w* | WSLENV | NODE_\w+ | NVARCH | LD_LIBRARY_PATH |
    OLDPWD | MPLBACKEND | KMP_\w+ | SUDO_\w+ | GRANT_SUDO | CHOWN_\w+ | RESTARTABLE |
    (?:
        TERM | WAYLAND | GNOME | KDE | QT | GTK | GDK | DESKTOP | SESSION | VIRTUAL_ENV | CONDA | MAMBA |
        MINIFORGE | PYENV | JUPYTER | KERNEL | IPY | PYDEVD | VSCODE | GIT | DOCKER | CONTAINER | PIP |
        UV | PIPX | POETRY | NPM | NVM | JAVA | NB | SYSTEMD | WSL | TMUX | STY | PYTEST | HTTPS?_PROXY |
        NO_PROXY | ALL_PROXY | SLURM | PBS | COVERAGE | ELECTRON | CHROME | BASH | ZSH | FISH | CARGO |
        RUST | RUSTUP | NVIDIA | NV | NVPL | CUDA | NCCL | LIBRARY | GCC | CMAKE | PKG_CONFIG | GO |
        DOTNET | HOMEBREW | PERL\w* | RUBY\w* | GEM | JULIA | ANDROID | GPU | CODESPACES | PLAYWRIGHT |
        CLOUDSDK | CLOUD_SDK | TF_CLI | NIX | GRPC | XPC | COMMAND_MODE | SECURITYSESSIONID | APPDATA |
        LOCALAPPDATA | PROGRAM\w* | COMMONPROGRAM\w* | WINDIR | SYSTEMROOT | SYSTEMDRIVE | COMSPEC |
        PATHEXT | OS | PROCESSOR | NUMBER_OF_PROCESSORS | USERPROFILE | USERDOMAIN | HOMEDRIVE | HOMEPATH |
        PUBLIC | ALLUSERSPROFILE | COMPUTERNAME
    )(?:_\w*)? |
    \w+_(?:SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_\w+) |
    \w*(?:SSL_CERT|CA_BUNDLE|CA_CERT|CACERT|CAINFO|SSL_ROOTS)\w*
    """,
    re.VERBOSE,
)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def environ_facts(environ):
    """The allow-list's variables with their values; of the others the names that somebody set on purpose."""
    kept, withheld = {}, []
    for name, value in environ.items():
        if not NAME.fullmatch(name):
            continue
        secret = SECRET.fullmatch(name) is not None
        if KEPT.fullmatch(name) and not secret and harmless(value):
            kept[name] = value
        elif not SESSION.fullmatch(name) and (secret or not PLUMBING.fullmatch(name)):
            withheld.append(name)
    return {"kept": kept, "withheld": sorted(withheld)}


def harmless(value):
    """Whether the value of a variable is short, and neither an address nor a token."""
    return bool(KEPT_VALUE.fullmatch(value) and "://" not in value and not TOKENS.search(value))


# ---------------------------------------------------------------- reading


class Faults:
    """What could not be read; the probe goes on."""

    def __init__(self):
        self.list = []

    def add(self, where, what, error):
        if len(self.list) < 200:
            text = redact_text("%s: %s" % (type(error).__name__, error))
            self.list.append({"where": where, "what": redact_text(str(what))[:300], "error": text[:300]})


_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # not every system has all of them
    _FLAGS |= getattr(os, _name, 0)


def opened(path):
    """A file descriptor to read from. A FIFO or a device does not hang us."""
    return os.open(path, _FLAGS)


def read(path, limit=LARGEST):
    """At most ``limit`` bytes of a file; raises OSError."""
    fd = opened(path)
    try:
        data = part = os.read(fd, min(limit, 1 << 16))
        if len(data) == limit:
            return data
        parts, size = [data], len(data)
        while part and size < limit:  # files of /proc come in pages
            part = os.read(fd, min(limit - size, 1 << 20))
            parts.append(part)
            size += len(part)
        return b"".join(parts) if len(parts) > 2 else data
    finally:
        os.close(fd)


def read_text(path, limit=LARGEST):
    return read(path, limit).decode("utf-8", "replace")


def first_line(path):
    """The first line of a small file, or None."""
    try:
        return read_text(path, 4096).partition("\n")[0].strip() or None
    except OSError:
        return None


# ---------------------------------------------------------------- python and system


def python_facts():
    import sysconfig

    site = sys.modules.get("site")
    user = None
    if site is not None and getattr(site, "ENABLE_USER_SITE", False):
        user = getattr(site, "USER_SITE", None) or site.getusersitepackages()
    paths = sysconfig.get_paths()
    info = sys.version_info
    suffix = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(info.releaselevel, "")
    return {
        "implementation": sys.implementation.name,
        "version": "%d.%d.%d" % info[:3] + ("%s%d" % (suffix, info.serial) if suffix else ""),
        "executable": sys.executable or "",
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "soabi": sysconfig.get_config_var("SOABI"),
        "platform": sysconfig.get_platform(),
        "path": [redact_text(str(entry)) for entry in sys.path],
        "purelib": paths["purelib"],
        "platlib": paths["platlib"],
        "scripts": paths["scripts"],
        "data": paths["data"],
        "user_site": user,
        "venv": sys.prefix != sys.base_prefix,
    }


def _python_without_sysconfig():
    """What an embedded or broken interpreter still knows of itself."""
    unknown = dict.fromkeys(("executable", "platform", "purelib", "platlib", "scripts", "data"), "")
    return {
        **unknown,
        "implementation": sys.implementation.name,
        "version": "%d.%d.%d" % sys.version_info[:3],
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "soabi": None,
        "path": [],
        "user_site": None,
        "venv": sys.prefix != sys.base_prefix,
    }


def _shell():
    """The IPython shell of this process, where there is one; IPython is never imported for it."""
    module = sys.modules.get("IPython")
    try:
        return module.get_ipython() if module is not None else None
    except Exception:
        return None


def _no_system():
    unknown = dict.fromkeys(("libc", "locale", "timezone", "cpu_model", "cuda", "container", "image"))
    empty = {"machine": "", "kernel": "", "os_release": {}, "cpus": 0, "gpus": []}
    return {**unknown, **empty, "os": sys.platform}


def system_facts(environ, root="/"):
    """The machine below ``root``: what it is called, can, and runs in."""
    machine, kernel, os_release = _platform(root)
    return {
        "os": sys.platform,
        "machine": machine,
        "kernel": kernel,
        "os_release": os_release,
        "libc": _libc(root),
        "locale": _value(environ, "LC_ALL") or _value(environ, "LC_CTYPE") or _value(environ, "LANG"),
        "timezone": _timezone(environ, root),
        "cpus": os.cpu_count() or 0,
        "cpu_model": _cpu_model(root),
        "gpus": _gpus(root),
        "cuda": _cuda(root),
        "container": _container(environ, root),
        "image": _image(environ),
    }


def _platform(root):
    """machine, kernel, os-release. `platform` only where it must be: up to Python 3.8 it starts a process."""
    if hasattr(os, "uname") and sys.platform != "darwin":
        return native(os.uname().machine), os.uname().release, _os_release(root)
    import platform

    if sys.platform == "darwin":
        return os.uname().machine, os.uname().release, {"ID": "macos", "VERSION_ID": platform.mac_ver()[0]}
    return platform.machine(), platform.release(), {"ID": "windows", "VERSION_ID": platform.version()}


def native(machine):
    """A machine as this interpreter knows it: under setarch(8) a 64-bit one hears of a 32-bit machine."""
    return {"i686": "x86_64", "armv8l": "aarch64"}.get(machine, machine) if sys.maxsize >> 32 else machine


def _value(environ, name):
    value = environ.get(name)
    return value if value and harmless(value) else None


def _os_release(root):
    """os-release(5): /etc first, then /usr/lib."""
    for name in ("etc/os-release", "usr/lib/os-release"):
        try:
            text = read_text(os.path.join(root, name), 65536)
        except OSError:
            continue
        pairs = re.findall(r"""(?m)^([A-Z_]+)=(?:"([^"\n]*)"|'([^'\n]*)'|(\S*))""", text)
        wanted = ("ID", "ID_LIKE", "VERSION_ID", "VERSION_CODENAME", "UBUNTU_CODENAME", "PRETTY_NAME")
        return {key: a or b or c for key, a, b, c in pairs if key in wanted}
    return {}


def _libc(root):
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        if name:
            return [name, version]
    except (AttributeError, ValueError, OSError):
        pass
    try:
        for entry in os.listdir(os.path.join(root, "lib")):
            if entry.startswith("ld-musl-"):
                return ["musl", ""]
    except OSError:
        pass
    return None


def _timezone(environ, root):
    if _value(environ, "TZ"):
        return environ["TZ"]
    named = first_line(os.path.join(root, "etc/timezone"))
    if named:
        return named
    try:
        return os.readlink(os.path.join(root, "etc/localtime")).partition("zoneinfo/")[2] or None
    except OSError:
        return None


def _cpu_model(root):
    try:
        found = re.search(
            r"(?m)^model name\s*:\s*(.*)$", read_text(os.path.join(root, "proc/cpuinfo"), 65536)
        )
    except OSError:
        return None
    return found.group(1) if found else None


def _gpus(root):
    base = os.path.join(root, "proc/driver/nvidia")
    driver = re.search(
        r"Kernel Module\S*\s+(?:for \S+\s+)?([\d.]+)", first_line(os.path.join(base, "version")) or ""
    )
    found = []
    try:
        for entry in sorted(os.listdir(os.path.join(base, "gpus"))):
            model = re.search(
                r"Model:\s*(.+)", read_text(os.path.join(base, "gpus", entry, "information"), 65536)
            )
            found.append(
                {
                    "model": model.group(1).strip() if model else "?",
                    "driver": driver.group(1) if driver else None,
                }
            )
    except OSError:
        pass
    return found


def _cuda(root):
    """The system's CUDA toolkit, as its own version file says."""
    base = os.path.join(root, "usr/local/cuda")
    try:
        return json.loads(read_text(os.path.join(base, "version.json"), 65536))["cuda"]["version"]
    except Exception:
        match = re.search(r"CUDA Version ([\d.]+)", first_line(os.path.join(base, "version.txt")) or "")
        return match.group(1) if match else None


def _container(environ, root):
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    if os.path.exists(os.path.join(root, ".dockerenv")):
        return "docker"
    if os.path.exists(os.path.join(root, "run/.containerenv")):
        return "podman"
    named = environ.get("container") or first_line(os.path.join(root, "run/systemd/container")) or ""
    return named if re.fullmatch(r"[\w.-]{1,40}", named) else None


def _image(environ):
    """The image that this container was started from, where whoever started it says so; by digest at best.

    KubeSpawner, also DockerSpawners (JUPYTER_IMAGE); Kaggle; the runner of GitLab CI.
    """
    reference = re.compile(r"[\w.-]+(?::\d+)?(?:/[\w.-]+)*(?::[\w.-]+)?(?:@\w+:[0-9a-f]+)?")
    names = ("JUPYTER_IMAGE_SPEC", "JUPYTER_IMAGE", "KAGGLE_DOCKER_IMAGE", "CI_JOB_IMAGE")
    said = [environ.get(name, "") for name in names]
    found = [TOKENS.sub(HIDDEN, image) for image in said if reference.fullmatch(image)]
    return next((image for image in found if "@" in image), found[0] if found else None)


# ---------------------------------------------------------------- pip: folders and scopes


def path_facts(python, faults):
    """The folders that Python imports from, in its order, with their scopes; without the standard library."""
    import sysconfig

    known = sysconfig.get_paths()
    std = {os.path.realpath(known["stdlib"]), os.path.realpath(known["platstdlib"])}
    own = {os.path.realpath(known["purelib"]), os.path.realpath(known["platlib"])}
    user = os.path.realpath(python["user_site"]) if python["user_site"] else None
    found, seen = [], set()
    for entry in map(str, sys.path):
        try:
            folder = os.path.abspath(entry or ".")
            real = os.path.realpath(folder)
        except (OSError, ValueError):  # the current folder is gone; a NUL in a name
            continue
        if real.endswith(".egg") and os.path.isfile(real):
            faults.add("pip", folder, ValueError("a zipped egg: what is in it was not looked at"))
        if real in seen or real in std or os.path.basename(real) == "lib-dynload" or not os.path.isdir(real):
            continue
        seen.add(real)
        if real in own or (real.endswith(".egg") and os.path.dirname(real) in own):
            scope = "env"
        elif real == user:
            scope = "user"
        elif re.search(r"^/usr/lib/python3[^/]*/dist-packages$", real):
            scope = "debian"
        elif _SITE.search(real) and (real.startswith("/usr/local/") or _below(real, python["base_prefix"])):
            scope = "system" if python["venv"] else "env"
        else:
            scope = "path"
        found.append({"path": folder, "scope": scope})
    return found


_SITE = re.compile(r"[/\\](?:site|dist)-packages$")


def _below(path, folder):
    folder = os.path.realpath(folder).rstrip("/")
    return path == folder or path.startswith(folder + os.sep)


# ---------------------------------------------------------------- pip: distributions


def distribution_facts(paths, options, faults):
    """Every installed distribution of ``paths``, and what pip left of interrupted work."""
    found, leftovers = [], []
    for at, place in enumerate(paths):
        try:
            names = os.listdir(place["path"])
        except OSError as error:
            faults.add("pip", place["path"], error)
            continue
        for name in sorted(names):
            if name[0] == "~":
                leftovers.append(name)
            elif name[-10:] == ".dist-info" or name[-9:] in (".egg-info", ".egg-link") or name == "EGG-INFO":
                look = _egg_link if name[-9:] == ".egg-link" else _distribution
                try:
                    found.append(look(at, place["path"], name, options, faults))
                except Exception as error:
                    faults.add("pip", os.path.join(place["path"], name), error)
    _overwritten(found, paths, options)
    return found, leftovers


def _distribution(at, folder, entry, options, faults):
    base = folder + os.sep + entry
    form = "dist-info" if entry[-10:] == ".dist-info" else "egg-info"
    try:
        files = set(os.listdir(base))
        metadata = "METADATA" if form == "dist-info" else "PKG-INFO"
    except NotADirectoryError:  # distutils wrote egg-info as one file
        files, metadata = set(), None
    fact = {
        "at": at,
        "entry": entry,
        "form": form,
        "name": None,
        "version": None,
        "installer": None,
        "requested": "REQUESTED" in files,
        "record": "RECORD" in files or "installed-files.txt" in files,
        "wheel": None,
        "direct_url": None,
        "location": None,
        "checkout": None,
        "requires": None,
        "edited": None,
        "missing": None,
        "content": None,
    }
    whole = "requires" in options
    if metadata is None:
        _metadata(fact, base, whole)
    elif metadata in files:
        _metadata(fact, base + os.sep + metadata, whole)
    for name, look in _ABOUT:
        if name in files:
            try:
                look(fact, base + os.sep + name, options)
            except Exception as error:  # the package stays; what it says here is not known
                faults.add("pip", base + os.sep + name, error)
    return fact


def _metadata(fact, path, whole):
    """Name and Version of the core metadata specification; Requires-Dist where it is asked for."""
    limit = LARGEST if whole else HEADERS
    data = read(path, limit)
    head = _headers(data, len(data) == limit)
    name, version = _NAME.search(head), _VERSION.search(head)
    if len(data) == limit < LARGEST and (name is None or version is None):
        head = _headers(read(path), False)
        name, version = _NAME.search(head), _VERSION.search(head)
    fact["name"] = _header(name)
    fact["version"] = _header(version)
    if whole:
        text = head.decode("utf-8", "replace")
        fact["requires"] = [
            redact_text(line.strip()) for line in re.findall(r"(?mi)^Requires-Dist:(.*)$", text)
        ]


_NAME, _VERSION = re.compile(rb"(?mi)^Name:(.*)$"), re.compile(rb"(?mi)^Version:(.*)$")


def _headers(data, cut):
    """The headers in ``data``; where it was cut, without the line that the cut went through."""
    ends = [end for end in (data.find(b"\n\n"), data.find(b"\n\r\n")) if end >= 0]
    if ends:
        return data[: min(ends)]
    return data[: data.rfind(b"\n") + 1] if cut else data


def _header(match):
    return match.group(1).decode("utf-8", "replace").strip()[:200] or None if match else None


def _requires_txt(fact, path, options):
    """setuptools' requires.txt: sections are ``[extra:marker]``."""
    if "requires" not in options or fact["form"] != "egg-info":
        return
    lines, condition = [], ""
    for line in read_text(path).splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            extra, _, marker = line[1:-1].partition(":")
            parts = (["(%s)" % marker] if marker else []) + (["extra == '%s'" % extra] if extra else [])
            condition = " ; " + " and ".join(parts) if parts else ""
        elif line:
            lines.append(redact_text(line + condition))
    fact["requires"] = lines


def _installer(fact, path, options):
    word = re.match(r"\s*([\w.+-]{1,40})\s*$", read_text(path, 64))
    fact["installer"] = redact_text(word.group(1)) if word else None


def _wheel(fact, path, options):
    pairs = re.findall(r"(?m)^(Tag|Root-Is-Purelib):(.*)$", read_text(path, 65536))
    fact["wheel"] = {
        "tags": [value.strip() for key, value in pairs if key == "Tag"][:200],
        "purelib": dict(pairs).get("Root-Is-Purelib", "").strip().lower() == "true",
    }


def _direct_url(fact, path, options):
    """PEP 610, "Specification"."""
    data = json.loads(read_text(path, 65536))
    url = str(data["url"])
    kind = "vcs" if "vcs_info" in data else "dir" if "dir_info" in data else "archive"
    vcs = data.get("vcs_info") or {}
    archive = data.get("archive_info") or {}
    digest = archive.get("hash") or next(
        ("%s=%s" % item for item in sorted((archive.get("hashes") or {}).items())), None
    )
    sub = data.get("subdirectory") or next(iter(re.findall(r"[#&]subdirectory=([^&]+)", url)), None)
    fact["direct_url"] = {
        "url": redact_url(url),
        "kind": kind,
        "editable": bool((data.get("dir_info") or {}).get("editable")),
        "vcs": _text(vcs.get("vcs")),
        "commit": _text(vcs.get("commit_id")),
        "hash": digest if re.fullmatch(r"\w+=[0-9a-fA-F]+", str(digest)) else None,
        "subdirectory": _text(sub),
    }
    if kind == "dir" and url.startswith("file:"):
        from urllib.parse import unquote, urlsplit

        folder = unquote(urlsplit(url).path).replace("\0", "")
        fact["location"] = folder[1:] if re.match(r"/[A-Za-z]:", folder) else folder  # file:///C:/project
        fact["checkout"] = checkout_facts(fact["location"])


def _text(value):
    return redact_text(str(value))[:200] if value else None


def _egg_link(at, folder, entry, options, faults):
    """``setup.py develop``: the first line is the folder of the source, where an egg-info lies."""
    source = first_line(os.path.join(folder, entry))
    if not source:
        raise ValueError("an egg-link to nowhere")
    location = os.path.join(folder, source)
    for name in sorted(os.listdir(location)):
        if name.endswith(".egg-info"):
            fact = _distribution(at, location, name, options, faults)
            fact.update(form="egg-link", entry=entry, location=location, checkout=checkout_facts(location))
            return fact
    raise ValueError("no egg-info in " + location)


def _edited(fact, record, options):
    """Files that are not what RECORD says, and files that are not there (PEP 376; PEP 427 for the hash).

    By their SHA-256; with ``sizes`` alone by their size, which takes a tenth of the time. The digests of
    what lies beside the metadata make one, ``content``: scripts name the interpreter, and differ.
    """
    if not {"hashes", "sizes"} & set(options):
        return
    own = os.path.basename(os.path.dirname(record)) + "/"
    beside: list[str] = []
    edited: list[str] = []
    missing: list[str] = []
    fact.update(edited=edited, missing=missing)
    for path, row in _recorded(record):
        digest = _sha256(path) if "hashes" in options else _as_large(path, row)
        if digest is None and len(missing) < 100:
            missing.append(row[0])
        elif digest and digest != row[1][7:].rstrip("=") and len(edited) < 100:
            edited.append(row[0])
        if digest and not row[0].startswith(("../", "/", own)):
            beside.append("%s %s" % (digest, row[0]))
    if "hashes" in options:
        from hashlib import sha256

        fact["content"] = sha256("\n".join(sorted(beside)).encode("utf-8", "surrogateescape")).hexdigest()


def _recorded(record):
    """Path and row of every file whose hash RECORD has; but bytecode is compiled anew by installers."""
    import csv

    folder = os.path.dirname(os.path.dirname(record))
    for row in csv.reader(read_text(record, 64 << 20).split("\n")):
        if len(row) > 1 and row[1].startswith("sha256=") and not row[0].endswith(".pyc"):
            yield os.path.join(folder, row[0]), row


def _overwritten(found, paths, options):
    """Takes out of ``edited`` what is as another package installed it: two that bring one file edit none."""
    placed = [(paths[fact["at"]]["path"], fact) for fact in found if fact["edited"] is not None]
    odd = {os.path.join(at, name) for at, fact in placed for name in fact["edited"]}
    sound: set[str] = set()
    for at, fact in placed if odd else ():
        rows = [pair for pair in _recorded(os.path.join(at, fact["entry"], "RECORD")) if pair[0] in odd]
        sound.update(path for path, row in rows if path not in sound and _sound(path, row, options))
    for at, fact in placed:
        fact["edited"] = [name for name in fact["edited"] if os.path.join(at, name) not in sound]


def _sound(path, row, options):
    digest = _sha256(path) if "hashes" in options else _as_large(path, row)
    return digest == row[1][7:].rstrip("=")


def _as_large(path, row):
    """RECORD's hash where the file has RECORD's size, else "edited"; None where it is not there."""
    try:
        size = os.stat(path).st_size
    except PermissionError:
        return ""
    except (OSError, ValueError):
        return None
    return row[1][7:].rstrip("=") if row[2:] in ([""], [str(size)]) else "edited"


def _sha256(path):
    """As RECORD writes it; None where there is no such regular file, "" where it cannot be read."""
    import base64
    import hashlib
    import stat

    try:
        fd = opened(path)
    except PermissionError:
        return ""
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        total, block = hashlib.sha256(), os.read(fd, 1 << 20)
        while block:
            total.update(block)
            block = os.read(fd, 1 << 20)
    except OSError:
        return ""
    finally:
        os.close(fd)
    return base64.urlsafe_b64encode(total.digest()).rstrip(b"=").decode()


# What else a metadata folder may hold, each read for itself.
_ABOUT = (
    ("INSTALLER", _installer), ("WHEEL", _wheel), ("direct_url.json", _direct_url),
    ("requires.txt", _requires_txt), ("RECORD", _edited),
)  # fmt: skip


# ---------------------------------------------------------------- git, without git


def checkout_facts(location):
    """The git checkout that ``location`` lies in, read from its files; None where there is none."""
    folder = os.path.realpath(location)
    for _ in range(UP):
        git = os.path.join(folder, ".git")
        if os.path.exists(git):
            try:
                return _checkout(folder, git)
            except (OSError, ValueError):
                return None
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return None


def _checkout(root, git):
    if os.path.isfile(git):  # a worktree or submodule: "gitdir: PATH"
        git = os.path.join(root, read_text(git, 4096).partition("gitdir:")[2].strip())
    common = first_line(os.path.join(git, "commondir"))
    shared = os.path.join(git, common) if common else git
    head = first_line(os.path.join(git, "HEAD")) or ""
    ref = re.fullmatch(r"ref: (refs/heads/([\w.+@#/-]{1,200}))", head)
    if ref and ".." not in head:  # a hostile HEAD would name any file
        branch, name = redact_text(ref.group(2)), ref.group(1)
        commit = first_line(os.path.join(shared, name)) or _packed(shared, name)
    else:
        branch, commit = None, head
    commit = commit if re.fullmatch(r"[0-9a-f]{40,64}", commit or "") else None
    return {"root": root, "remote": _remote(shared), "commit": commit, "branch": branch}


def _packed(git, ref):
    try:
        match = re.search(
            r"(?m)^([0-9a-f]{40,64}) %s$" % re.escape(ref), read_text(os.path.join(git, "packed-refs"))
        )
    except OSError:
        return None
    return match.group(1) if match else None


def _remote(git):
    """``remote.origin.url``, else the first remote's."""
    try:
        text = read_text(os.path.join(git, "config"), 1 << 20)
    except OSError:
        return None
    urls = re.findall(r'(?ms)^\[remote "([^"\n]*)"\](?:(?!^\[).)*?^\s*url\s*=\s*([^\n]*)', text)
    chosen = dict(reversed(urls)).get("origin") or (urls[0][1] if urls else None)
    return redact_url(re.split(r"\s[#;]", chosen)[0].strip().strip('"')) if chosen else None


# ---------------------------------------------------------------- pip's and uv's configuration


def index_facts(environ, prefix, faults):
    """The indexes that pip and uv are configured with, and the CA bundle they were told to use."""
    home = os.path.expanduser("~")
    pip = _pip_configuration(environ, home, prefix, faults)
    found = []
    for key, kind in (("index-url", "index"), ("extra-index-url", "extra"), ("find-links", "find-links")):
        found += [_index(url, kind, "pip") for url in _addresses(pip.get(key, ""))]
    for url, kind in _uv_configuration(environ, home, faults):
        found.append(_index(url, kind, "uv"))
    unique = []
    for fact in found:
        if fact not in unique:
            unique.append(fact)
    return unique, _ca(environ, pip)


def _addresses(text):
    """URLs and paths in a setting; what stands behind # or ; may be anything."""
    for word in text.split():
        if word.startswith(("#", ";")):
            return
        if "/" in word or "\\" in word or os.path.isdir(word):
            yield word


def _index(url, kind, tool):
    if "=" in url.partition("://")[0]:  # uv's "name=url"
        url = url.partition("=")[2]
    local = "://" not in url or url.startswith("file:")
    return {
        "url": redact_url(url),
        "kind": kind,
        "tool": tool,
        "local": local,
        "credentials": has_credentials(url),
    }


def _pip_configuration(environ, home, prefix, faults):
    """pip documentation, "Configuration": global, user, site, PIP_CONFIG_FILE, environment; later wins."""
    import configparser

    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    files = [
        os.path.join(d, "pip/pip.conf") for d in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    ]
    files += ["/etc/pip.conf", os.path.join(home, ".pip/pip.conf"), os.path.join(config, "pip/pip.conf")]
    if sys.platform == "darwin":
        files.append(os.path.join(home, "Library/Application Support/pip/pip.conf"))
    files.append(os.path.join(prefix, "pip.conf"))
    if environ.get("PIP_CONFIG_FILE"):
        files = [] if environ["PIP_CONFIG_FILE"] == os.devnull else [*files, environ["PIP_CONFIG_FILE"]]
    values = {}
    for path in files:
        if not os.path.isfile(path):
            continue
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(read_text(path, 1 << 20))
        except Exception as error:
            # The message of a parser quotes the line: it may hold a password.
            faults.add("pip", path, ValueError(type(error).__name__))
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                values.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    for key in ("index-url", "extra-index-url", "find-links", "cert"):
        value = environ.get("PIP_" + key.upper().replace("-", "_"))
        if value:
            values[key] = value
    return values


def _uv_configuration(environ, home, faults):
    """uv documentation, "Settings" and "Environment variables"."""
    found = []
    for name, kind in (
        ("UV_DEFAULT_INDEX", "index"), ("UV_INDEX_URL", "index"),
        ("UV_INDEX", "extra"), ("UV_EXTRA_INDEX_URL", "extra"), ("UV_FIND_LINKS", "find-links"),
    ):  # fmt: skip
        found += [(url, kind) for url in _addresses(environ.get(name, "").replace(",", " "))]
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    for path in ("/etc/uv/uv.toml", os.path.join(config, "uv/uv.toml")):
        if os.path.isfile(path):
            try:
                found += _uv_indexes(read_text(path, 1 << 20))
            except Exception as error:
                faults.add("pip", path, ValueError(type(error).__name__))
    return found


def _uv_indexes(text):
    try:
        settings = __import__("tomllib").loads(text)
    except ImportError:  # before Python 3.11: the addresses, without what TOML says around them
        pairs = re.findall(r"""(?m)^\s*(index-url|url)\s*=\s*["']([^"'\n]+)""", text)
        return [(url, "index" if key == "index-url" else "extra") for key, url in pairs]
    settings = dict(settings.get("pip") or {}, **settings)
    found = [(str(i["url"]), "index" if i.get("default") else "extra") for i in settings.get("index") or []]
    if settings.get("index-url"):
        found.append((str(settings["index-url"]), "index"))
    return found + [(str(url), "extra") for url in settings.get("extra-index-url") or []]


def _ca(environ, pip):
    names = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
    for path in (environ.get("PIP_CERT"), pip.get("cert"), *map(environ.get, names)):
        if path and os.path.isfile(path):
            return path
    return None


# ---------------------------------------------------------------- conda


def conda_facts(prefix, environ, faults):
    """The records of ``prefix``/conda-meta, None where it is no conda prefix."""
    meta = os.path.join(prefix, "conda-meta")
    try:
        names = sorted(os.listdir(meta))
    except OSError:
        return None
    if not any(name == "history" or name.endswith(".json") for name in names):
        return None
    records, unfinished = [], [name for name in names if name.endswith((".c~", ".trash", ".tmp"))]
    for name in names:
        if not name.endswith(".json"):
            continue
        try:
            records.append(_conda_record(prefix, read(os.path.join(meta, name))))
        except ValueError:
            unfinished.append(name)  # a record is written last: an empty or cut one was being written
        except Exception as error:
            faults.add("conda", name, error)
    # conda parks files that it could not remove, and its own half-done moves, under these names.
    unfinished += [trace for trace in (".condatmp", ".trash") if _anything(os.path.join(prefix, trace))]
    return {
        "prefix": prefix,
        "records": records,
        "channels": _channels(environ, prefix),
        "unfinished": unfinished,
    }


def _anything(path):
    try:
        return bool(os.listdir(path))
    except OSError:
        return os.path.exists(path)


_LISTS = (
    re.compile(rb'"files"\s*:\s*\[[^\]]*\]'),
    re.compile(rb'"paths"\s*:\s*\[[^\]]*\](?=\s*,\s*"paths_version")'),
)


def _conda_record(prefix, data):
    short = data
    for pattern in _LISTS:  # nearly all of a record, and parsing them costs ten times the rest
        short = pattern.sub(b'"_":0', short, count=1)
    try:
        record = json.loads(short.decode("utf-8"))
    except ValueError:
        record = json.loads(data.decode("utf-8"))
    infos = sorted(
        {path.decode() for path in re.findall(rb'"([^"\n]*\.(?:dist|egg)-info)/(?:METADATA|PKG-INFO)"', data)}
    )
    return {
        "name": _text(record["name"]) or "",
        "version": _text(record["version"]) or "",
        "build": _text(record.get("build") or record.get("build_string")) or "",
        "channel": redact_url(str(record.get("channel") or "")),
        "subdir": _text(record.get("subdir")) or "",
        "fn": _text(record.get("fn")) or "",
        "url": redact_url(str(record.get("url") or "")),
        "md5": _text(record.get("md5")),
        "sha256": _text(record.get("sha256")),
        "noarch": record["noarch"] if isinstance(record.get("noarch"), str) else None,
        "dist_infos": infos,
        "gone": [info for info in infos if not _installed(prefix, info)],
    }


def _installed(prefix, info):
    """Whether a dist-info that a record lists is on the disk; noarch packages list it below site-packages."""
    if info.startswith("site-packages/"):
        info = "lib/python%d.%d/" % sys.version_info[:2] + info
    return os.path.exists(os.path.join(prefix, info))


def _channels(environ, prefix):
    """The lists ``channels:`` of .condarc files, read as lines: YAML is not in the standard library."""
    found = []
    for path in (environ.get("CONDARC"), os.path.expanduser("~/.condarc"), os.path.join(prefix, ".condarc")):
        try:
            text = read_text(path, 65536) if path else ""
        except OSError:
            continue
        block = re.search(r"(?m)^channels:[ \t]*\n((?:[ \t]*-[^\n]*(?:\n|$))+)", text)
        if block:
            found += [
                redact_url(line.strip().strip("'\""))
                for line in re.findall(r"-[ \t]*([^\n#]+)", block.group(1))
            ]
    return found


# ---------------------------------------------------------------- apt


def apt_facts(faults, options=(), root="/"):
    """dpkg's status and apt's manual marks (deb-control(5), dpkg(1)); None where there is no dpkg."""
    path = os.path.join(root, "var/lib/dpkg/status")
    try:
        text = read_text(path, 256 << 20)
    except OSError as error:
        if os.path.exists(os.path.dirname(path)):
            faults.add("apt", path, error)
        return None
    automatic = _automatic(root)
    everywhere = {name for name, _ in automatic}  # apt writes the machine's architecture for "all"
    packages, depends = [], {}
    provides: dict[str, str] = {}
    wanted = _FIELDS_AND_DEPENDS if "libraries" in options else _FIELDS
    for paragraph in text.split("\n\n"):
        fields = dict(wanted.findall(paragraph))
        name = fields.get("Package")
        if not name:
            continue
        arch = fields.get("Architecture", "")
        packages.append(
            {
                "name": name,
                "version": fields.get("Version", ""),
                "arch": arch,
                "status": fields.get("Status", ""),
                "manual": (name, arch) not in automatic and not (arch == "all" and name in everywhere),
                "essential": fields.get("Essential") == "yes",
                "priority": fields.get("Priority", ""),
                "source": fields.get("Source", "").partition(" ")[0] or None,  # "gcc-12 (12.2.0-14)"
                "section": fields.get("Section", ""),
            }
        )
        if "libraries" in options and fields.get("Status", "").endswith(" installed"):
            depends[name] = fields.get("Depends", "") + "," + fields.get("Pre-Depends", "")
            for virtual in _package_names(fields.get("Provides", "")):
                provides.setdefault(virtual[0], name)
    resolved = None
    if "libraries" in options:
        resolved = {name: _resolved(text, depends, provides) for name, text in depends.items()}
    return {"packages": packages, "depends": resolved}


_FIELDS = re.compile(r"^(Package|Version|Architecture|Status|Essential|Priority|Source|Section): (.*)", re.M)
_FIELDS_AND_DEPENDS = re.compile(
    _FIELDS.pattern.replace("Section", "Section|Depends|Pre-Depends|Provides"), re.M
)


def _automatic(root):
    try:
        text = read_text(os.path.join(root, "var/lib/apt/extended_states"))
    except OSError:
        return frozenset()
    pattern = re.compile(r"^Package: (.*)\nArchitecture: (.*)\n(?:(?!\n).*\n)*?Auto-Installed: 1", re.M)
    return frozenset(pattern.findall(text))


def _package_names(text):
    """ "a (>= 1) | b:any, c" → [["a", "b"], ["c"]]"""
    groups = []
    for group in text.split(","):
        names = re.findall(r"(?:^|\|)\s*([a-z0-9][a-z0-9+.-]*)", group)
        if names:
            groups.append(names)
    return groups


def _resolved(text, installed, provides):
    """Of each alternative the one that is installed."""
    found = []
    for group in _package_names(text):
        for name in group:
            real = name if name in installed else provides.get(name)
            if real:
                found.append(real)
                break
    return sorted(set(found))


def owners(paths, faults, root="/"):
    """path → Debian package, for those that dpkg's lists hold under any spelling."""
    wanted: dict[bytes, str] = {}
    for path in paths:
        for spelling in _spellings(path):
            wanted.setdefault(spelling.encode("utf-8", "surrogateescape"), path)
    found: dict[str, str] = {}
    names = wanted.keys()
    info = os.path.join(root, "var/lib/dpkg/info")
    try:
        lists = [name for name in os.listdir(info) if name.endswith(".list")]
    except OSError:
        return found
    for name in lists:
        try:
            lines = read(os.path.join(info, name), 64 << 20).split(b"\n")
        except OSError as error:
            faults.add("apt", name, error)
            continue
        for line in names & set(lines):
            found.setdefault(wanted[line], name[:-5].partition(":")[0])
    return found


def _spellings(path):
    """As linked and as resolved, with and without /usr: dpkg may have recorded any of the four."""
    both = {path, os.path.realpath(path)}
    for one in tuple(both):
        if one.startswith("/usr/lib"):
            both.add(one[4:])
        elif one.startswith("/lib"):
            both.add("/usr" + one)
    return both


# ---------------------------------------------------------------- ELF

# System V ABI, edition 4.1 and its update of 2013 ("gABI"): chapter 4 "ELF Header", chapter 5
# "Program Header" and "Dynamic Section".
PT_LOAD, PT_DYNAMIC = 1, 2
DT_NULL, DT_NEEDED, DT_STRTAB, DT_SONAME, DT_RPATH, DT_RUNPATH = 0, 1, 5, 14, 15, 29
MOST_ENTRIES = 4096


def elf(path):
    """``{needed, soname, rpath, runpath, machine, bits}`` of a dynamic ELF file.

    None where the file is no ELF file, is not dynamic, or is broken.
    """
    fd = opened(path)
    try:
        return _elf(fd)
    except (struct.error, ValueError, OverflowError, OSError):
        return None
    finally:
        os.close(fd)


def _elf(fd):
    head = os.read(fd, 64)
    if head[:4] != b"\x7fELF" or len(head) < 52:
        return None
    wide = head[4] == 2
    order = "<" if head[5] == 1 else ">"
    machine = struct.unpack_from(order + "H", head, 18)[0]
    if wide:
        phoff, phsize, phnum = (
            struct.unpack_from(order + "Q", head, 32)[0],
            *struct.unpack_from(order + "HH", head, 54),
        )
    else:
        phoff, phsize, phnum = (
            struct.unpack_from(order + "I", head, 28)[0],
            *struct.unpack_from(order + "HH", head, 42),
        )
    if phnum > MOST_ENTRIES or phsize != (56 if wide else 32):
        return None
    table = os.pread(fd, phsize * phnum, phoff)
    loads, dynamic = [], None
    for number in range(phnum):
        if wide:
            kind, _, offset, vaddr, _, size = struct.unpack_from(order + "IIQQQQ", table, number * phsize)
        else:
            kind, offset, vaddr, _, size = struct.unpack_from(order + "IIIII", table, number * phsize)
        if kind == PT_LOAD:
            loads.append((vaddr, offset, size))
        elif kind == PT_DYNAMIC:
            dynamic = (offset, size)
    if dynamic is None:
        return None
    step = 16 if wide else 8
    data = os.pread(fd, min(dynamic[1], MOST_ENTRIES * step), dynamic[0])
    entries = []
    for tag, value in struct.iter_unpack(order + ("QQ" if wide else "II"), data[: len(data) // step * step]):
        if tag == DT_NULL:
            break
        entries.append((tag, value))
    strings = next((value for tag, value in entries if tag == DT_STRTAB), None)
    base = next((o + strings - v for v, o, s in loads if strings is not None and v <= strings < v + s), None)
    if base is None:  # as in files of debug symbols
        return None

    def text(at, most=512):
        return os.pread(fd, most, base + at).partition(b"\0")[0].decode("utf-8", "surrogateescape")

    def one(wanted):  # search paths of wheels are long: a folder per NVIDIA package
        return next((text(value, 16384) for tag, value in entries if tag == wanted), "")

    return {
        "needed": [text(value) for tag, value in entries if tag == DT_NEEDED],
        "soname": one(DT_SONAME) or None,
        "rpath": one(DT_RPATH),
        "runpath": one(DT_RUNPATH),
        "machine": machine,
        "bits": 64 if wide else 32,
    }


def loader_cache(path="/etc/ld.so.cache"):
    """soname → path, as ldconfig wrote it (glibc, elf/dl-cache.h: struct cache_file_new)."""
    try:
        data = read(path, 64 << 20)
    except OSError:
        return {}
    start = data.find(b"glibc-ld.so.cache1.1")
    if start < 0:
        return {}
    found: dict[str, list[str]] = {}
    try:
        count = struct.unpack_from("=I", data, start + 20)[0]
        for number in range(min(count, 200000)):
            _, key, value = struct.unpack_from("=iII", data, start + 48 + number * 24)
            name = data[start + key : data.index(b"\0", start + key)].decode("utf-8", "replace")
            found.setdefault(name, []).append(
                data[start + value : data.index(b"\0", start + value)].decode("utf-8", "replace")
            )
    except (struct.error, ValueError):
        pass
    return found


class Loader:
    """Where ld.so would find a library (ld.so(8)): DT_RPATH, LD_LIBRARY_PATH, DT_RUNPATH, cache, defaults."""

    def __init__(self, environ, multiarch):
        self.cache = loader_cache()
        self.extra = [folder for folder in re.split("[:;]", environ.get("LD_LIBRARY_PATH", "")) if folder]
        self.lib = ["lib/" + multiarch] * bool(multiarch) + ["lib64", "lib"]  # what $LIB may stand for
        self.defaults = [top + lib for lib in self.lib for top in ("/", "/usr/")] + _musl_path()
        self.read, self.found, self.exists = {}, {}, {}

    def elf(self, path):
        if path not in self.read:
            try:
                self.read[path] = elf(path)
            except OSError:
                self.read[path] = None
        return self.read[path]

    def find(self, soname, path, about):
        """The file that ``soname`` means to the file at ``path``; None where there is none that fits."""
        if "/" in soname:
            return soname if self._fits(soname, about) else None
        rpath = [] if about["runpath"] else self._expand(about["rpath"], path, about)
        for folder in [*rpath, *self.extra, *self._expand(about["runpath"], path, about)]:
            if self._fits(folder + "/" + soname, about):
                return folder + "/" + soname
        key = (soname, about["machine"], about["bits"])
        if key not in self.found:
            places = self.cache.get(soname, []) + [folder + "/" + soname for folder in self.defaults]
            self.found[key] = next((place for place in places if self._fits(place, about)), None)
        return self.found[key]

    def _fits(self, path, about):
        if path not in self.exists:
            self.exists[path] = os.path.isfile(path)
        if not self.exists[path]:
            return False
        other = self.elf(path)
        return other is not None and (other["machine"], other["bits"]) == (about["machine"], about["bits"])

    def _expand(self, text, path, about):
        """The folders of a search path (ld.so(8), "Dynamic string tokens")."""
        if not text:
            return []
        platform = {62: "x86_64", 183: "aarch64", 3: "i686", 21: "ppc64le", 22: "s390x"}.get(
            about["machine"], ""
        )
        for token, value in (("ORIGIN", os.path.dirname(os.path.abspath(path))), ("PLATFORM", platform)):
            text = text.replace("${%s}" % token, value).replace("$" + token, value)
        text = text.replace("${LIB}", "$LIB")
        found = []
        for folder in filter(None, text.split(":")):
            found += [folder.replace("$LIB", lib) for lib in self.lib] if "$LIB" in folder else [folder]
        return [os.path.normpath(folder) for folder in found]


def _musl_path():
    """Where musl's loader looks (musl, ldso/dynlink.c: its file, else three folders); nothing on glibc."""
    import glob

    if not glob.glob("/lib/ld-musl-*"):
        return []
    for path in glob.glob("/etc/ld-musl-*.path"):
        try:
            return re.split("[:\n]", read_text(path, 65536).strip())
        except OSError:
            break
    return ["/lib", "/usr/local/lib", "/usr/lib"]


# ---------------------------------------------------------------- libraries


def library_facts(python, paths, environ, faults, pid="self"):
    """What the environment's ELF files need from outside it, what is not there; what ``pid`` has loaded."""
    import sysconfig

    loader = Loader(
        environ, sysconfig.get_config_var("MULTIARCH") or native(os.uname().machine) + "-linux-gnu"
    )
    conda = os.path.isdir(os.path.join(python["prefix"], "conda-meta"))
    files = _elf_files(python, paths, conda, faults)
    inside = _Inside(python, paths, files, conda)
    loaded = _mapped(faults, pid)
    system = {}
    missing, queue = [], []
    for at, relative, path in files:
        about = loader.elf(path)
        if about is None:
            continue
        for soname in about["needed"]:
            target = loader.find(soname, path, about)
            if target is None and soname in inside.names:
                continue  # found at run time next to, or loaded before, the file that needs it
            if target is None:
                missing.append({"at": at, "file": relative, "soname": soname})
            elif (at >= 0 or conda) and not inside.has(target):  # any other interpreter is replaced whole
                if soname not in system:
                    system[soname] = _outside(target)
                if len(system[soname]["by"]) < 3:
                    system[soname]["by"].append(relative)
                queue.append((target, at, relative))
    missing += _missing_below(loader, queue, inside)
    others = sorted(path for path in loaded if not inside.has(path))
    owner = owners([fact["path"] for fact in system.values()] + others, faults)
    real = {os.path.realpath(path) for path in loaded}
    for fact in system.values():
        fact["owner"] = owner.get(fact["path"])
        fact["loaded"] = os.path.realpath(fact["path"]) in real
    known = {os.path.realpath(fact["path"]) for fact in system.values()}
    return {
        "files": len(files),
        "system": system,
        "missing": missing[:2000],
        "loaded": [path for path in others if os.path.realpath(path) not in known],
        "owners": {path: owner[path] for path in others if path in owner},
    }


def _outside(path):
    return {"path": path, "owner": None, "loaded": False, "by": []}


def _missing_below(loader, queue, inside):
    """What the libraries of the system themselves do not find."""
    missing, seen = [], set()
    while queue:
        path, at, file = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        about = loader.elf(path)
        for soname in about["needed"] if about else ():
            target = loader.find(soname, path, about)
            if target is not None:
                queue.append((target, at, file))
            elif soname not in inside.names:
                missing.append({"at": at, "file": file, "soname": soname})
    return missing


class _Inside:
    """The environment's own folders, and the names of the libraries that lie in them."""

    def __init__(self, python, paths, files, conda):
        site = ("env", "user", "system")
        folders = [place["path"] for place in paths if place["scope"] in site or _holds_packages(place)]
        folders += [python["prefix"], python["base_prefix"]]
        real = {os.path.realpath(folder).rstrip("/") + "/" for folder in folders}
        self.folders = tuple(
            real - {"/", "/usr/", "/usr/local/"}
            | ({os.path.realpath(python["prefix"]).rstrip("/") + "/"} if conda else set())
        )
        self.names = {path.rpartition("/")[2] for _, _, path in files}
        self.python: set[str] = set()  # libpython of an interpreter in /usr/local is no library of the system
        for folder in {python["base_prefix"], python["prefix"]}:
            try:
                names = [
                    name
                    for name in os.listdir(os.path.join(folder, "lib"))
                    if name[:3] == "lib" and ".so" in name
                ]
            except OSError:
                continue
            self.names.update(names)
            self.python.update(name for name in names if name[:9] == "libpython")

    def has(self, path):
        return path.rpartition("/")[2] in self.python or os.path.realpath(path).startswith(self.folders)


def _elf_files(python, paths, conda, faults):
    """(index into paths or -1, relative path, path) of everything that may be an ELF file."""
    found, budget = [], [MOST_FILES]
    for at, place in enumerate(paths):
        if place["scope"] in ("env", "user", "system") or _holds_packages(place):
            found += [
                (at, path[len(place["path"]) + 1 :], path) for path in _libraries_below(place["path"], budget)
            ]
    std = os.path.dirname(os.__file__)
    found += [
        (-1, path[len(std) + 1 :], path)
        for path in _libraries_below(os.path.join(std, "lib-dynload"), budget)
    ]
    if conda:
        lib = os.path.join(python["prefix"], "lib")
        site = [place["path"] for place in paths]
        own = _libraries_below(lib, budget, {std, *site})
        found += [(-1, "lib" + path[len(lib) :], path) for path in own]
    if budget[0] <= 0:
        faults.add(
            "libraries",
            python["prefix"],
            ValueError("more than %d files: the rest was not looked at" % MOST_FILES),
        )
    return found


def _holds_packages(place):
    """A folder of PYTHONPATH that packages were installed into, and not somebody's home."""
    try:
        return place["scope"] == "path" and any(
            name.endswith(".dist-info") for name in os.listdir(place["path"])
        )
    except OSError:
        return False


_LIBRARY = re.compile(r"\.so(?:\.[0-9.]+)?$")
# What a name with a dot nearly always is, and then no folder: asking each would cost more than the walk.
_NO_FOLDER = frozenset(
    [
        "py",
        "pyc",
        "pyi",
        "pyx",
        "h",
        "hpp",
        "txt",
        "md",
        "json",
        "csv",
        "gz",
        "npy",
        "mat",
        "png",
        "svg",
        "js",
        "css",
    ]
)


def _libraries_below(folder, budget, without=()):
    """Regular files named as shared libraries, and what packages have in their ``bin``.

    Links only where they lead out of the folder (uv's link mode); folders of ``without`` not at all.
    """
    found, stack, without = [], [folder], {os.path.realpath(path) for path in without}
    while stack and budget[0] > 0:
        current = stack.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    budget[0] -= 1
                    name = entry.name
                    dot, ending = name.rpartition(".")[1:]
                    if ".so" in name and _LIBRARY.search(name):
                        path = current + "/" + name
                        if entry.is_file(follow_symlinks=False) or _leads_out(path, folder):
                            found.append(path)
                    elif ending not in _NO_FOLDER and ending[-5:] != "-info" and name != "__pycache__":
                        if entry.is_dir(follow_symlinks=False):
                            if not without or os.path.realpath(current + "/" + name) not in without:
                                stack.append(current + "/" + name)
                        elif not dot and current[-4:] == "/bin" and entry.is_file(follow_symlinks=False):
                            found.append(current + "/" + name)
        except OSError:
            continue
    found.sort()
    return found


def _leads_out(path, folder):
    try:
        return os.path.isabs(os.readlink(path)) and not os.path.realpath(path).startswith(
            os.path.realpath(folder) + os.sep
        )
    except OSError:
        return False


def _mapped(faults, pid="self"):
    """The shared libraries in a process's memory: proc_pid_maps(5)."""
    try:
        text = read_text("/proc/%s/maps" % pid, 64 << 20)
    except OSError as error:
        if sys.platform == "linux":
            faults.add("libraries", "/proc/%s/maps" % pid, error)
        return set()
    return {path for path in re.findall(r"(?m) (/[^\n]*?\.so[.0-9]*)$", text) if os.path.exists(path)}


# ---------------------------------------------------------------- what is imported


def module_facts(paths, distributions, faults):
    """Which distributions this process has imported from, by RECORD; what it imported from elsewhere."""
    places = [(os.path.realpath(place["path"]).rstrip(os.sep) + os.sep, at) for at, place in enumerate(paths)]
    places.sort(key=lambda place: -len(place[0]))  # of nested folders the inner one
    std = os.path.realpath(os.path.dirname(os.__file__)) + os.sep
    wanted: dict[int, dict[str, list[str]]] = {at: {} for at in range(len(paths))}
    elsewhere = {}
    for name, real in _imported():
        place = next(((folder, at) for folder, at in places if real.startswith(folder)), None)
        if place:
            wanted[place[1]].setdefault(real[len(place[0]) :].replace(os.sep, "/"), []).append(name)
        foreign = paths[place[1]]["scope"] == "path" if place else not real.startswith(std)
        if foreign and "." in os.path.basename(real):
            elsewhere[name] = real
    used = set()
    for fact in distributions:
        if not fact["name"]:
            continue
        if fact["location"] and (fact["form"] == "egg-link" or (fact["direct_url"] or {}).get("editable")):
            base = os.path.realpath(fact["location"]).rstrip(os.sep) + os.sep
            mine = [module for module, file in elsewhere.items() if file.startswith(base)]
        else:
            files = wanted[fact["at"]]
            owned = _owned(paths[fact["at"]]["path"], fact, files.keys(), faults) if files else ()
            mine = [module for file in owned for module in files[file]]
        if mine:
            used.add(fact["name"])
        for module in mine:
            elsewhere.pop(module, None)
    files = {module: file for module, file in elsewhere.items() if "/ipykernel_" not in file}
    shell = _shell()
    count = getattr(shell, "execution_count", 1) - 1 if shell is not None else 0
    return {"distributions": sorted(used), "files": files, "executed": max(0, count)}


def _imported():
    """(module, its real file). The dictionary is read past any ``__getattr__``: a lazy module would load."""
    for name, module in list(sys.modules.items()):
        try:
            file = object.__getattribute__(module, "__dict__").get("__file__")
        except Exception:
            continue
        if isinstance(file, str) and isinstance(name, str) and name != "__main__" and "\0" not in file:
            yield name, os.path.realpath(file)


def _owned(folder, fact, files, faults):
    """Those of ``files`` that the distribution has installed."""
    base = os.path.join(folder, fact["entry"])
    for name, prefix in (("RECORD", ""), ("installed-files.txt", "../")):
        try:
            text = read_text(os.path.join(base, name), 64 << 20)
        except NotADirectoryError:
            break
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                faults.add("modules", os.path.join(base, name), error)
            continue
        lines = text.replace("\r", "").split("\n")
        found = {line[1:].partition('",')[0] if line[:1] == '"' else line.partition(",")[0] for line in lines}
        if prefix:
            found = {path[len(prefix) :] if path.startswith(prefix) else path for path in found}
        return files & found
    try:
        tops = read_text(os.path.join(base, "top_level.txt"), 65536).split()
    except OSError:
        tops = [fact["name"], fact["name"].lower().replace("-", "_")]
    starts = tuple(top + end for top in tops for end in ("/", "."))
    return [file for file in files if file.startswith(starts)]


# ---------------------------------------------------------------- all of it


def gather(options=(), pid="self"):
    """The facts of this process's environment. Never raises; see `facts.Facts` for the shape.

    ``pid`` is the process whose loaded libraries count, where this one only stands in for it.
    """
    began = time.perf_counter()
    options = [option for option in OPTIONS if option in options]
    faults = Faults()
    environ = dict(os.environ)

    def part(where, otherwise, work, *arguments):
        try:
            return work(*arguments)
        except Exception as error:
            faults.add(where, "", error)
            return otherwise

    python = part("python", _python_without_sysconfig(), python_facts)
    paths = part("pip", [], path_facts, python, faults)
    distributions, leftovers = part("pip", ([], []), distribution_facts, paths, options, faults)
    prefix = python.get("prefix", sys.prefix)
    indexes, ca = part("pip", ([], None), index_facts, environ, prefix, faults)
    facts = {
        "schema": SCHEMA,
        "python": python,
        "system": part("system", _no_system(), system_facts, environ),
        "environ": part("environ", {"kept": {}, "withheld": []}, environ_facts, environ),
        "pip": {
            "paths": paths,
            "distributions": distributions,
            "indexes": indexes,
            "ca": ca,
            "leftovers": leftovers,
        },
        "conda": part("conda", None, _conda, python, environ, faults),
        "apt": part("apt", None, apt_facts, faults, options),
        "libraries": None,
        "modules": None,
    }
    if "libraries" in options and sys.platform == "linux":
        facts["libraries"] = part("libraries", None, library_facts, python, paths, environ, faults, pid)
    if "modules" in options:
        facts["modules"] = part("modules", None, module_facts, paths, distributions, faults)
    facts["probe"] = {
        "options": options,
        "pid": os.getpid() if pid == "self" else int(pid),
        "seconds": round(time.perf_counter() - began, 4),
        "faults": faults.list,
    }
    return facts


def _conda(python, environ, faults):
    """The prefix's own records, or those of the base that a virtual environment stands on."""
    return conda_facts(python["prefix"], environ, faults) or (
        conda_facts(python["base_prefix"], environ, faults) if python["venv"] else None
    )


def main(argv):
    """Prints the facts as one line of ASCII JSON."""
    options = [word[2:] for word in argv if word.startswith("--")]
    pid = next((word[4:] for word in options if re.fullmatch(r"pid=\d+", word)), "self")
    sys.stdout.write(json.dumps(gather(options, pid), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
