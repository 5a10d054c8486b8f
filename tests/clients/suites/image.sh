# needs: buildah
# exec: self
# The last stage of the Dockerfile, built by buildah from a binary made beside it and a base of this machine's own libraries,
# and run as it is meant to be: as a user of its own, on a root that cannot be written, without capabilities, and with no place to write but its volume.
. "$ACRITE_SUITES/lib.sh"
export STORAGE_DRIVER=vfs
root=$ACRITE_SUITES/../..
runtime=$(command -v crun || command -v runc || PATH=$PATH:/usr/sbin command -v runc) || fail "neither crun nor runc is here"
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n --preserve-env=STORAGE_DRIVER "$@"; fi; }
tool() { as_root buildah --root "$WORK/store" --runroot "$WORK/run" "$@"; }
container() { as_root "$runtime" --root "$WORK/runtime" "$@"; }
at_exit "as_root rm -rf '$WORK'"
at_exit "tool umount --all >/dev/null"

step "build"
base=$WORK/context/base
mkdir -p "$base"/{etc/ssl/certs,data,tmp,proc,dev}
ldd "$ACRITE" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$base$(dirname "$library")"
  cp -L "$library" "$base$library"
done
cp -L /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs/"
echo 'acrite:x:10001:10001::/:/bin/false' >"$base/etc/passwd"
echo 'acrite:x:10001:' >"$base/etc/group"
as_root chown 10001:10001 "$base/data"
cp "$ACRITE" "$WORK/context/acrite"
{
  printf 'FROM scratch\nADD base /\n'
  sed -n '/^COPY --from=build/,$p' "$root/Dockerfile" | sed 's#--from=build [^ ]*#acrite#'
} >"$WORK/context/Dockerfile"
tool bud --quiet --isolation chroot --format docker -t acrite-image "$WORK/context" >/dev/null
told() { tool inspect --type image --format "$1" acrite-image; }
equal "the user" "$(told '{{.OCIv1.Config.User}}')" acrite
equal "the command" "$(told '{{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}}')" "[acrite] [serve]"
equal "the health check" "$(told '{{index .Docker.Config.Healthcheck.Test 1}} {{index .Docker.Config.Healthcheck.Test 2}}')" "acrite status"

step "run"
mounted=$(tool mount "$(tool from acrite-image)")
mkdir -p "$WORK/bundle" "$WORK/volume"
as_root chown 10001:10001 "$WORK/volume"
(cd "$WORK/bundle" && "$runtime" spec)
"$PYTHON" - "$WORK" "$mounted" "$(told '{{range .OCIv1.Config.Env}}{{.}} {{end}}')" <<'SPEC'
import json, pathlib, sys
work, root = pathlib.Path(sys.argv[1]), sys.argv[2]
file = work / "bundle/config.json"
spec = json.loads(file.read_text())
spec["root"] = {"path": root, "readonly": True}
spec["process"] |= {
    "terminal": False, "user": {"uid": 10001, "gid": 10001}, "args": ["acrite", "serve", "--offline"],
    "env": ["PATH=/usr/local/bin:/usr/bin:/bin", *sys.argv[3].split()],
    "capabilities": {name: [] for name in ("bounding", "effective", "permitted")}, "noNewPrivileges": True,
}
spec["mounts"] = [mount for mount in spec["mounts"] if mount["destination"] in ("/proc", "/dev")] + [
    {"destination": "/data", "type": "bind", "source": str(work / "volume"), "options": ["rbind", "rw"]},
]
# With a network of its own: it listens everywhere, and here that is nowhere.
spec["linux"]["namespaces"] = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]
spec["linux"]["resources"] = {}
file.write_text(json.dumps(spec))
SPEC
name=acrite-check-$$
container run --bundle "$WORK/bundle" "$name" >"$WORK/said" 2>&1 &
at_exit "container delete --force '$name'"
for _ in $(seq 100); do grep -q listening "$WORK/said" && break; sleep 0.1; done
match "what it says" "$(cat "$WORK/said")" '(.|\n)*acrite listening on http://127.0.0.1:4443(.|\n)*'
container exec "$name" acrite status >"$WORK/status"
match "its own health check" "$(cat "$WORK/status")" 'no registries(.|\n)*'
container exec "$name" acrite snapshot save one >/dev/null
refused "Read-only file system" container exec "$name" acrite snapshot export one /usr/one.tar
container kill "$name" TERM
wait %1
done_with_suite
