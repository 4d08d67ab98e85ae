"""Kill a writer at an exact point, and look at what it leaves: used by tests/test_folders.py and benchmarks/kills.py.

A point is counted in calls that change the file system inside one folder (Python's audit events), or in bytes of one
file: the same on any machine."""
import hashlib, os, resource, signal, sys, traceback
from pathlib import Path

from spice_rl.core.folders import finished, held

CHANGES = {
    "os.rename": (0, 1),
    "os.remove": (0,),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.link": (0, 1),
    "os.symlink": (1,),
    "os.truncate": (0,),
}


def _touches(folder, event, args):
    "Does this event change something in the folder?"
    if event == "open":
        path, mode, flags = args
        return (
            isinstance(path, (str, bytes))
            and bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            and os.path.abspath(os.fsdecode(path)).startswith(folder)
        )
    if event not in CHANGES: return False
    # relative to an open folder: shutil.rmtree
    if any(isinstance(a, int) and a >= 0 for a in args[1:]) and event != "os.mkdir": return True
    return any(os.path.abspath(os.fsdecode(args[i])).startswith(folder) for i in CHANGES[event])


def in_a_fork(work, folder, *, at=None, size=None, when=None):
    """Do `work()` in a fork: (what ended it, number of changes). It is killed before change number `at`, before the
    first for which `when(event, arguments)` is true, or in the middle of writing a file, when this has `size` bytes.

    What ended it: 'done', 'killed', or the error as text."""
    folder, (r, w) = os.path.abspath(folder) + os.sep, os.pipe()
    pid = os.fork()
    if pid == 0:
        seen, on = [0], [True]

        def hook(event, args):
            if not on[0] or not _touches(folder, event, args): return
            if seen[0] == at or when is not None and when(event, args): os.kill(os.getpid(), signal.SIGKILL)
            seen[0] += 1

        said = "done"
        try:
            if size is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel ends the process when a file grows beyond
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            sys.addaudithook(hook)
            work()
        except BaseException as e:
            on[0], said = False, "".join(traceback.format_exception_only(e)).strip()
        on[0] = False
        os.write(w, f"{seen[0]} {said}"[:4000].encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as f: told = f.read().decode()
    os.waitpid(pid, 0)
    if not told: return "killed", at
    n, _, said = told.partition(" ")
    return said, int(n)


def files(folder):
    "What somebody sees who lists the folder: {name: digest}, without hidden files and the plan"
    folder = Path(folder)
    return {
        name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
        and (name := p.relative_to(folder).as_posix()) != "UNFINISHED.json"
        and not any(part[0] == "." for part in name.split("/"))
    }


def hidden(folder):
    "What a killed process left half written"
    return sorted(p.name for p in Path(folder).rglob(".*") if p.name.startswith((".unfinished-", ".part-")))


def verdict(folder, old, new, record=None):
    """'old' or 'new': what the folder holds after a kill, bit for bit, once it is opened again. Raises if somebody
    who just looks could see files of two runs, or a record without its result."""
    seen, plan = files(folder), (Path(folder) / "UNFINISHED.json").exists()
    assert seen.items() <= old.items() or seen.items() <= new.items(), f"a mixture: {sorted(seen)}"
    if not plan: assert seen in (old, new), "without a plan the result is whole"
    elif record in seen: assert seen == old or seen == new, "where the record is, the result is whole"
    finished(folder)
    assert not (Path(folder) / "UNFINISHED.json").exists()
    seen = files(folder)
    assert seen in (old, new), "opened again, it is neither the old nor the new result"
    with held(folder): pass
    assert files(folder) == seen and not hidden(folder), hidden(folder)
    return "new" if seen == new else "old"
