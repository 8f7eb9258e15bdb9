"""A fresh Debian (or Ubuntu) to build the container image in, since no image can be pulled where these tests run.

debootstrap makes it, and tests/setup/install.sh, run inside it, installs what the build needs: what a fresh machine
would go through. The folder becomes a docker image by `docker import`.
"""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from support.binary import SOURCE


def import_base(engine, name, folder):
    """Makes the image `name` in `engine`; `folder` is created and removed again."""
    folder = Path(folder)
    try:
        _bootstrap(folder)
        _install(folder)
        _slim(folder)
        archive = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        engine.docker("import", "-", name, stdin=archive.stdout)
        archive.stdout.close()
        assert archive.wait() == 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bootstrap(folder):
    release = platform.freedesktop_os_release()
    components = "main,universe" if release["ID"] == "ubuntu" else "main"
    _run(["debootstrap", "--variant=minbase", f"--components={components}", release["VERSION_CODENAME"], folder,
          _mirror(release["VERSION_CODENAME"])])


def _mirror(codename):
    """The mirror that this machine installs from itself."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages", "Component: main"],
        check=True, capture_output=True, text=True).stdout.split("\n")
    mirrors = [line.split()[1] for line in targets if line.split()[:1] == [codename]]
    assert mirrors, f"apt knows no mirror for {codename}: {targets}"
    return mirrors[0]


def _install(folder):
    script = folder / "install.sh"
    shutil.copy(SOURCE / "tests/setup/install.sh", script)
    # The folder is thrown away: flushing it to the disk would only cost time.
    (folder / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    _run(["chroot", folder, "/install.sh", "static"])
    # A second time there is nothing to do: the build of the image runs it again, without a network.
    again = _run(["chroot", folder, "/install.sh", "static"])
    assert again == "", again
    script.unlink()


def _slim(folder):
    for unneeded in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(folder / unneeded, ignore_errors=True)


def _run(command):
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    environment.pop("DRYDOCK_NO_INSTALL", None)
    result = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, f"{' '.join(map(str, command))}:\n{result.stdout[-5000:]}"
    return result.stdout
