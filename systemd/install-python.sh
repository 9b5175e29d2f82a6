#!/bin/sh
# install-python.sh PREFIX PYTHON: dkimgate and what it needs, into a virtual environment at PREFIX. Run in a clone; `make install` does.
#
# The environment belongs to one minor version of Python: after an upgrade of the host (3.11 to 3.13) its packages are where the new one
# doesn't look, nothing in it runs, and pip is gone with it. So one that doesn't run is built anew, aside, and takes the old one's place
# only when it is whole: a daemon that still runs goes on, and a build that fails changes nothing.
set -eu
umask 022 # root's own may be 027 or 077, and the daemon is another user
prefix=$1 python=$2

runs() {
	"$1/bin/python" - "$1" <<-'END' 2>/dev/null
	import os, sys
	import pip
	lib = os.path.join(sys.argv[1], "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
	sys.exit(not (os.path.isdir(lib) and os.path.realpath(pip.__file__).startswith(os.path.realpath(lib) + os.sep)))
	END
}

# what stands in $1, installed with its own pip
fill() {
	"$1/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "dkimgate needs Python 3.11 or later" >&2; exit 2; }
	pip="$1/bin/python -m pip install -qq --disable-pip-version-check"
	$pip --require-hashes -r requirements-build.txt
	$pip --no-build-isolation --require-hashes -r requirements.txt
	# from a copy: what root builds must not stay in the clone, nor modules that are gone in what is installed
	copy=$(mktemp -d)
	trap 'rm -rf "$copy"' EXIT
	cp -r pyproject.toml README.md LICENSE milter "$copy"
	rm -rf "$copy"/milter/*.egg-info
	$pip --no-build-isolation --no-deps --force-reinstall "$copy"
	"$1/bin/python" -c 'import dkimgate.cli'
}

if [ ! -e "$prefix/pyvenv.cfg" ] && [ ! -e "$prefix/bin" ]; then
	"$python" -m venv "$prefix"
elif ! runs "$prefix"; then
	echo "$prefix was made for another Python and doesn't run any more: building it anew"
	new=$prefix.new
	rm -rf "$new"
	"$python" -m venv "$new"
	fill "$new"
	# programs in bin/ name their Python by its path, which is the other one from here on
	grep -rlIF "$new" "$new/bin" "$new/pyvenv.cfg" | xargs -r sed -i "s,$new,$prefix,g"
	for part in bin lib lib64 include pyvenv.cfg; do
		rm -rf "$prefix.old.$part"
		if [ -e "$prefix/$part" ] || [ -L "$prefix/$part" ]; then mv "$prefix/$part" "$prefix.old.$part"; fi
		if [ -e "$new/$part" ] || [ -L "$new/$part" ]; then mv "$new/$part" "$prefix/$part"; fi
	done
	rm -rf "$new" "$prefix".old.*
	"$prefix/bin/dkimgate" --version >/dev/null
	exit 0
fi
fill "$prefix"
