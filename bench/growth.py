"""Latencies in a small world and in one that has grown: the same requests, which give pages of the same length.

Rows are multiplied in the database of a stopped emulator, but for manifests, which are sealed each for itself and are pushed.
Must not know: how figures are printed.
"""

import concurrent.futures
import glob
import sqlite3
import time

from peers import MANIFEST, Acrite, Azure, Registry

SMALL = 100


def grown(large):
    """How many there are of each in the large world."""
    return {"registries": large // 10, "tags": large, "key_versions": large, "role_assignments": large // 10}


def multiply(database, table, where, count, changes):
    """Adds copies of one row up to `count` of them; `changes` gives columns as SQL of the number `n`."""
    columns = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]
    columns = [name for name in columns if name != "id"]
    values = ", ".join(changes.get(name, f"t.{name}") for name in columns)
    database.execute(
        f"WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < ?) "
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM c, (SELECT * FROM {table} WHERE {where} LIMIT 1) t",
        (count,),
    )


def push_tags(acrite, token, count):
    """Pushes `count` manifests of their own, each with a tag."""
    registry = Registry(acrite.port, "benchregistry.azurecr.io", token)
    manifest = registry.image()
    workers = 4

    def push(worker):
        own = Registry(acrite.port, "benchregistry.azurecr.io", token)
        for n in range(worker, count, workers):
            content = manifest[:-1] + b', "annotations": {"n": "%d"}}' % n
            own.call("PUT", f"/v2/bench/manifests/t{n}", content, Content_Type=MANIFEST)

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(push, range(workers)))


def ask(acrite, token, host, path, rounds=60):
    """Milliseconds of one request, asked over and over by one client."""
    registry = Registry(acrite.port, host, token)
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        registry.call("GET", path, Accept=MANIFEST)
        took.append((time.perf_counter() - began) * 1000)
    return took[rounds // 6 :]


def requests(acrite, azure):
    subscription = f"/subscriptions/{acrite.environment()['AZURE_SUBSCRIPTION_ID']}"
    group = f"{subscription}/resourceGroups/bench"
    registries = "providers/Microsoft.ContainerRegistry/registries"
    arm = (azure.token("https://management.azure.com"), "management.azure.com")
    vault = (azure.token("https://vault.azure.net"), "benchregistry.vault.azure.net")
    registry = (azure.registry("benchregistry"), "benchregistry.azurecr.io")
    v = "api-version=2025-11-01"
    return {
        "list of registries, a page": (*arm, f"{subscription}/{registries}?{v}"),
        "list of all resources, 100": (*arm, f"{subscription}/resources?{v}&$top=100"),
        "one registry": (*arm, f"{group}/{registries}/benchregistry?{v}"),
        "usage of a registry": (*arm, f"{group}/{registries}/benchregistry/listUsages?{v}"),
        "role assignments of a principal": (
            *arm,
            f"{subscription}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
            "&$filter=principalId%20eq%20'00000000-0000-0000-0000-000000000007'",
        ),
        "versions of a key, a page": (*vault, "/keys/key/versions?api-version=7.4"),
        "one key": (*vault, "/keys/key?api-version=7.4"),
        "tags, a page of 50": (*registry, "/acr/v1/bench/_tags?n=50"),
        "tags by time, a page of 50": (*registry, "/acr/v1/bench/_tags?n=50&orderby=timedesc"),
        "manifests by time, a page of 50": (*registry, "/acr/v1/bench/_manifests?n=50&orderby=timedesc"),
        "tags/list, a page of 50": (*registry, "/v2/bench/tags/list?n=50"),
        "one manifest by tag": (*registry, "/v2/bench/manifests/t7"),
        "portal: all resources": (None, None, "/portal/"),
        "portal: registries": (None, None, "/portal/?type=Microsoft.ContainerRegistry/registries"),
        "portal: registries and keys": (None, None, "/portal/map"),
        "portal: a search": (None, None, "/portal/?q=benchregistry"),
        "portal: tags of a repository": (None, None, f"/portal/resource{group}/{registries}/benchregistry/repository?name=bench"),
    }


def world(bench, name, counts):
    folder = bench.folder(name)
    acrite = Acrite(bench.program, folder)
    token = Azure(acrite).registry("benchregistry")
    push_tags(acrite, token, counts["tags"])
    acrite.stop()
    with sqlite3.connect(glob.glob(f"{folder}/acrite.db")[0]) as database:
        multiply(database, "registries", "name = 'benchregistry'", counts["registries"], {"name": "'grown' || n", "next_look": "t.next_look + n"})
        multiply(database, "key_versions", "TRUE", counts["key_versions"], {"version": "lower(hex(randomblob(16)))", "created_at": "t.created_at - n"})
        guid = "printf('00000000-0000-0000-0000-%012d', n)"
        multiply(database, "role_assignments", "TRUE", counts["role_assignments"], {"name": guid, "principal_id": guid})
    database.close()
    return Acrite(bench.program, folder)


def measure(bench):
    """What was asked, with its milliseconds in the small world and in the large one."""
    large = grown(bench.large)
    small = dict.fromkeys(large, SMALL)
    worlds = [world(bench, name, counts) for name, counts in (("small", small), ("large", large))]
    found = [{}, {}]
    asked = [requests(acrite, Azure(acrite)) for acrite in worlds]
    for what in asked[0]:
        for at, acrite in enumerate(worlds):
            found[at][what] = ask(acrite, *asked[at][what])
    rows = [(what, found[0][what], found[1][what]) for what in found[0]]
    rows.append(("start to first answer", *([acrite.started * 1000] for acrite in worlds)))
    for acrite in worlds:
        acrite.stop()
    return rows
