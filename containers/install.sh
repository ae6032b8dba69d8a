#!/bin/sh
# Puts xpflow into a base image; Dockerfile and xpflow.def both run this file, so that they cannot differ.
# It expects the files of the repository that it needs beside it in /opt/xpflow/build, and from the environment:
#   BASE         the base image with its digest, for the record
#   TORCH_LOCK   a lock file with torch (torch-cpu.lock); empty: the base image has torch
#   TORCH_INDEX  the package index that has the builds of TORCH_LOCK, besides pip's own; may be empty
# What is pinned: the base by digest, every Python package by hash. What is not: bubblewrap, which comes from the
# distribution of the base in its present version; the image's record (/opt/xpflow/image.json) says which.
set -eu
build=/opt/xpflow/build
venv=/opt/xpflow/venv
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# bubblewrap: the jail in which generated programs run. venv: a part of Python that Debian packages apart.
missing=
command -v bwrap >/dev/null || missing="$missing bubblewrap"
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing
    rm -rf /var/lib/apt/lists/*
fi

# A venv on top: what the base has (torch) stays visible, what we install neither breaks it nor comes from it.
python3 -m venv --system-site-packages "$venv"
install() { "$venv/bin/pip" install --quiet --no-deps --no-build-isolation --ignore-installed "$@"; }
install --require-hashes -r "$build/build.lock"
if [ -n "${TORCH_LOCK:-}" ]; then
    # shellcheck disable=SC2086
    install --require-hashes ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r "$build/$TORCH_LOCK"
fi
install --require-hashes -r "$build/requirements.lock"
install --no-index "$build/package"

# The record: what is in here. Stops when a package differs from the locks, or torch from images.lock.yaml.
"$venv/bin/xpflow" image stamp --build "$build" --base "$BASE" --out /opt/xpflow/image.json
"$venv/bin/xpflow" problems list >/dev/null
rm -rf "$build/package"
