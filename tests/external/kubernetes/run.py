#!/usr/bin/env python3
"""Holds the manifests of `loadgen kubernetes` and of docker/kubernetes to the schemas of Kubernetes.

kubernetes-validate checks every object against the schemas of each version from the first one that is supported to the newest
one that it knows. No property is allowed that a schema does not have. The option sets include texts that a parser of YAML may
take for something else. PyYAML, which reads YAML 1.1, has to read back what the options said.

With kubectl, its own parser and its types read the manifests too: it builds the overlay, and creates everything with
`--dry-run=client`. Such a dry run asks a server which kinds there are, so a small one here answers that. Nothing is created.

Exit codes: 0 everything is valid; 1 something is not.
"""

import argparse
import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Nothing is written into the source tree.
sys.dont_write_bytecode = True
import kubernetes_validate
import yaml
from kubernetes_validate.utils import all_versions

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docker" / "kubernetes"
# The first version that has all fields without a feature gate: `backoffLimitPerIndex` and `podReplacementPolicy`.
FIRST = (1, 29)
START = "2200-01-01T00:00:00Z"
NASTY = [
    "yes", "No", "null", "~", "0123", "1_000", "1:30:00", "1e3", "0x1F", "- a", "? a", "a: b", "a: ", " #a", "*a", "&a",
    "!!str a", "|", ">", "%a", "@a", "`a", "'", '"', "{a", "[a", "---", "...", "<<", "=", "2026-01-31", "é 😀",
    "$(HOME)", "$$", "$(B", "\\n", "a\tb", " a ",
]


class Wrong(Exception):
    """A manifest is not what it has to be."""


def holds(condition, what):
    if not condition:
        raise Wrong(what)


def run(*command, stdin=None, env=None):
    done = subprocess.run(command, input=stdin, env=env, capture_output=True, text=True, timeout=60)
    holds(done.returncode == 0, f"{shlex.join(map(str, command))} exited with {done.returncode}: {done.stderr}")
    return done.stdout


@functools.cache
def versions():
    supported = {tuple(map(int, version.split(".")[:2])) for version in all_versions()}
    return [f"{major}.{minor}" for major, minor in sorted(supported) if (major, minor) >= FIRST]


def validate(name, text):
    """Returns the objects of a file, each of which is valid in every version."""
    objects = list(yaml.safe_load_all(text))
    holds(objects and all(objects), f"{name}: an empty document")
    for thing in objects:
        for version in versions():
            try:
                kubernetes_validate.validate(thing, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                place = "/".join(map(str, error.path))
                raise Wrong(f"{name}: {thing['kind']} in version {version}: {place}: {error.message}") from None
    kinds = ", ".join(f"{thing['kind']} {thing['metadata']['name']}" for thing in objects)
    print(f"{name}: {kinds}: valid in {versions()[0]} to {versions()[-1]}")
    return objects


def data(objects, kind, ending, field):
    found = [thing for thing in objects if thing["kind"] == kind and thing["metadata"]["name"].endswith(ending)]
    holds(len(found) == 1, f"{len(found)} objects of kind {kind} that end with {ending}")
    return found[0][field]


def kubernetes(loadgen, before, options, **variables):
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOADGEN_")}
    command = [loadgen, "kubernetes", *before, "--", *map(str, options), "--start-at", START]
    return run(*command, env=env | variables)


def option_sets(loadgen, directory):
    """What the command prints for several options, by name."""
    nasty = "\n".join(NASTY)
    (directory / "keys").write_text("".join(f"{key}\n" for key in NASTY if key.strip() == key and "\t" not in key))
    (directory / "body").write_text(f"{{key}}\n{nasty}\n")
    (directory / "events").write_text("# marks\n1s yes =\n2s 'a: b' =\nexpect sent.count > 1\n")
    (directory / "events2").write_text("3s no =\n")
    authority = directory / "ca.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-keyout", directory / "key.pem", "-out", authority)
    both = directory / "both.pem"
    both.write_text(authority.read_text() + (directory / "key.pem").read_text())
    url = "http://ratelimiter:8000"
    yield "plain", kubernetes(loadgen, ["--stripes", "8"], [url])
    yield "many", kubernetes(loadgen, ["--stripes", "10000", "--name", "a" * 40], [url, "--duration", "0"])
    yield "places", kubernetes(
        loadgen,
        ["--stripes", "2", "--name", "load", "--namespace", "tests", "--image", "registry.example.com:5000/a/b@sha256:0f",
         "--storage-class", "nfs.csi", "--storage", "20Gi", "--secret", "own.secret", "--merge-wait", "1h"],
        [url, "--header", "Authorization: Bearer {env:TOKEN}", "--audit", "sliding-window", "--metrics-addr", "[::]:7"],
        TOKEN="t",
    )
    yield "claim", kubernetes(loadgen, ["--stripes", "2", "--claim", "1.shared"], [url, "--join-late"])
    yield "authority", kubernetes(loadgen, ["--stripes", "2", "--name", "authority"], ["https://ratelimiter", "--ca-cert", both])
    yield "files", kubernetes(
        loadgen, ["--stripes", "3", "--name", "files"],
        ["https://ratelimiter", "--ca-cert", authority, "--cert", both, "--keys-file", directory / "keys",
         "--body-file", directory / "body", "--method", "POST", "--header", "Content-Type: text/plain",
         "--events", directory / "events", "--events", directory / "events2",
         "--report", directory / "$(HOME) é.html", "--requests", "r.jsonl"],
    )
    half = len(NASTY) // 2
    for prefix, body in zip(NASTY[:half], NASTY[half:], strict=True):
        yield f"nasty {prefix!r} {body!r}", kubernetes(
            loadgen, ["--stripes", "2", "--name", "nasty"],
            ["--key-prefix", prefix, f"--body={body}", "--method", "POST", "--header", "Content-Type: text/plain",
             "http://a/$(HOME)$$?yes=*a&b=it's", "--threshold", "sent.count > 1"],
        )


def check_meaning(name, objects):
    """Holds what YAML 1.1 reads to what was typed."""
    plan = data(objects, "ConfigMap", "-plan", "data")
    holds(plan["LOADGEN_START_AT"] == START, f"{name}: the start is {plan['LOADGEN_START_AT']!r}")
    holds(all(isinstance(value, str) for value in plan.values()), f"{name}: {plan}")
    if name.startswith("nasty "):
        prefix, body = next(pair for pair in zip(NASTY, NASTY[len(NASTY) // 2:]) if name == "nasty {!r} {!r}".format(*pair))
        holds(plan["LOADGEN_KEY_PREFIX"] == prefix, f"{name}: the prefix is {plan['LOADGEN_KEY_PREFIX']!r}")
        secrets = data(objects, "Secret", "-secrets", "stringData")
        # A word such as `null` is no secret.
        typed = plan["LOADGEN_BODY"].replace("{env:SECRET_BODY}", secrets.get("SECRET_BODY", ""))
        holds(typed == body, f"{name}: the body is {typed!r}")
    for thing in objects:
        if thing["kind"] in ("ConfigMap", "Secret"):
            holds(thing["immutable"] is True, f"{name}: {thing['kind']} {thing['metadata']['name']} can be changed")
        if thing["kind"] == "ConfigMap":
            holds("PRIVATE KEY" not in str(thing), f"{name}: a private key is in {thing['metadata']['name']}")
    jobs = [thing for thing in objects if thing["kind"] == "Job"]
    holds(len(jobs) == 2, f"{name}: {len(jobs)} Jobs")
    stripes = next(job["spec"] for job in jobs if "completionMode" in job["spec"])
    for field in ("completions", "parallelism"):
        holds(stripes[field] == int(plan["LOADGEN_STRIPES"]), f"{name}: {field} are {stripes[field]}")


class Discovery(BaseHTTPRequestHandler):
    """Answers which kinds there are, as a server of the cluster does, and nothing else."""

    KINDS = {
        "v1": [("configmaps", "ConfigMap"), ("secrets", "Secret"), ("persistentvolumeclaims", "PersistentVolumeClaim"),
               ("pods", "Pod")],
        "batch/v1": [("jobs", "Job")],
    }

    def do_GET(self):
        path = self.path.split("?")[0].strip("/")
        group = path.removeprefix("apis/").removeprefix("api/")
        batch = {"groupVersion": "batch/v1", "version": "v1"}
        if path == "api":
            answer = {"kind": "APIVersions", "versions": ["v1"]}
        elif path == "apis":
            answer = {"kind": "APIGroupList", "apiVersion": "v1",
                      "groups": [{"name": "batch", "versions": [batch], "preferredVersion": batch}]}
        elif path.startswith("api") and group in self.KINDS:
            resources = [{"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["create", "get"]}
                         for name, kind in self.KINDS[group]]
            answer = {"kind": "APIResourceList", "groupVersion": group, "resources": resources}
        else:
            self.send_error(404)
            return
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Kubectl:
    """The client, with a server of its own that knows the kinds."""

    def __init__(self, directory):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Discovery)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{self.server.server_port}"
        self.options = ["--server", address, "--cache-dir", str(directory / "cache")]
        # Neither a configuration nor a proxy of this machine counts.
        self.env = {"PATH": os.environ["PATH"], "HOME": str(directory), "KUBECONFIG": os.devnull}

    def create(self, text):
        """The objects as kubectl reads them, without creating them."""
        printed = run("kubectl", "create", *self.options, "--dry-run=client", "--validate=false", "--output=json", "-f", "-",
                      stdin=text, env=self.env)
        decoder, objects = json.JSONDecoder(), []
        while printed := printed.strip():
            one, end = decoder.raw_decode(printed)
            objects += one["items"] if one["kind"] == "List" else [one]
            printed = printed[end:]
        return objects

    def kustomize(self, folder):
        return run("kubectl", "kustomize", folder, env=self.env)

    def close(self):
        self.server.shutdown()


def without_empty(value):
    """The value without what kubectl adds: empty texts, maps and nulls."""
    if isinstance(value, dict):
        inside = {key: without_empty(one) for key, one in value.items()}
        return {key: one for key, one in inside.items() if one not in (None, {}, [])}
    if isinstance(value, list):
        return [without_empty(one) for one in value]
    return value


def check_with_kubectl(kubectl, name, text, objects):
    read = kubectl.create(text)
    for thing, expected in zip(read, objects, strict=True):
        thing["metadata"].pop("creationTimestamp", None)
        # Without a namespace of its own, an object gets the default one.
        if "namespace" not in expected["metadata"]:
            thing["metadata"].pop("namespace", None)
        holds(without_empty(thing) == without_empty(expected), f"{name}: kubectl read {thing} instead of {expected}")


def check_overlay(objects):
    plan = data(objects, "ConfigMap", "loadgen-plan-1", "data")
    jobs = {job["metadata"]["name"]: job["spec"] for job in objects if job["kind"] == "Job"}
    holds(set(jobs) == {"loadgen-1", "loadgen-merge-1"}, f"the overlay's Jobs are {set(jobs)}")
    count = int(plan["LOADGEN_STRIPES"])
    holds(count != 4, "the overlay has as many stripes as the base")
    for field in ("completions", "parallelism"):
        holds(jobs["loadgen-1"][field] == count, f"the overlay's {field} are {jobs['loadgen-1'][field]}")
    for job in jobs.values():
        pod = job["template"]["spec"]
        holds(pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == "shared-results", f"the volumes are {pod['volumes']}")
        holds(pod["containers"][0]["image"] == "registry.example.com/loadgen:0.1.0", f"{pod['containers'][0]['image']}")
        start = job["template"]["metadata"]["annotations"]["loadgen/start-at"]
        holds(start == plan["LOADGEN_START_AT"], f"the overlay's pods are marked with the start {start}")
        named = re.findall(r"'name': '(loadgen-plan[^']*)'", str(pod))
        holds(set(named) == {"loadgen-plan-1"}, f"the pods refer to {named}")
    claims = [thing for thing in objects if thing["kind"] == "PersistentVolumeClaim"]
    holds(not claims, f"the overlay still has the base's claim: {claims}")


def refuses_what_is_wrong(text):
    """A check that finds nothing wrong in anything would pass, too."""
    objects = list(yaml.safe_load_all(text))
    job = next(thing for thing in objects if thing["kind"] == "Job")
    for place, value in [("completions", "8"), ("completionsX", 8), ("podFailurePolicy", {"rules": [{}]})]:
        wrong = json.loads(json.dumps(job))
        wrong["spec"][place] = value
        try:
            kubernetes_validate.validate(wrong, versions()[-1], strict=True)
        except kubernetes_validate.ValidationError:
            continue
        raise Wrong(f"a Job with {place}: {value!r} counts as valid")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loadgen", required=True, help="the program")
    loadgen = str(Path(parser.parse_args().loadgen).resolve())
    has_kubectl = shutil.which("kubectl") is not None
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        kubectl = Kubectl(directory) if has_kubectl else None
        texts = [(path.name, path.read_text()) for path in (FOLDER / "base" / "loadgen.yaml", FOLDER / "results.yaml")]
        refuses_what_is_wrong(texts[0][1])
        for name, text in texts:
            objects = validate(name, text)
            if kubectl:
                check_with_kubectl(kubectl, name, text, objects)
        for name, text in option_sets(loadgen, directory):
            objects = validate(name, text)
            check_meaning(name, objects)
            if kubectl:
                check_with_kubectl(kubectl, name, text, objects)
        if kubectl:
            text = kubectl.kustomize(FOLDER / "base")
            holds(len(list(yaml.safe_load_all(text))) == len(list(yaml.safe_load_all(texts[0][1]))), "the base is not whole")
            validate("base by kustomize", text)
            text = kubectl.kustomize(FOLDER / "example")
            objects = validate("example by kustomize", text)
            check_with_kubectl(kubectl, "example", text, objects)
            check_overlay(objects)
            kubectl.close()
        else:
            print("kubectl: skipped, since it is not here")


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"{Path(__file__).name}: {wrong}")
