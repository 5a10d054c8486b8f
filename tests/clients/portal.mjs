// The article's second way, in a real browser: by keyboard alone, from an empty world to an encrypted registry, through
// rotation, revocation and the firewall scenario; then every page looked at by axe, and in pictures.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { ACRITE_URL, PORTAL_MODE = "all", PORTAL_PICTURES, PORTAL_IMAGE, WORK } = process.env;
const executablePath = process.env.PORTAL_CHROMIUM || "/usr/bin/chromium";
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const home = `${ACRITE_URL}/portal/`;

// The words of the article in both languages, and ours beside them.
const WORDS = {
  createResource: ["Create a resource", "リソースの作成"], resourceGroup: ["Resource group", "リソース グループ"],
  name: ["Name", "名前"], create: ["Create", "作成"], managedIdentity: ["Managed identity", "マネージド ID"],
  createIdentity: ["Create user-assigned managed identity", "ユーザー割り当てマネージド ID の作成"],
  reviewCreate: ["Review + create", "確認と作成"], keyVault: ["Key vault", "キー コンテナー"], basics: ["Basics", "基本"],
  purgeProtection: ["Purge protection", "消去保護"], enabled: ["Enabled", "有効"], disabled: ["Disabled", "無効"],
  settings: ["Settings", "設定"], accessPolicies: ["Access policies", "アクセス ポリシー"],
  addPolicy: ["+ Add Access Policy", "+ アクセス ポリシーの追加"], keyPermissions: ["Key permissions", "キーのアクセス許可"],
  get: ["Get", "取得"], unwrap: ["Unwrap Key", "キーの折り返しを解除"], wrap: ["Wrap Key", "キーを折り返す"],
  selectPrincipal: ["Select principal", "プリンシパルの選択"], add: ["Add", "追加"], save: ["Save", "保存"],
  iam: ["Access control (IAM)", "アクセス制御 (IAM)"], addRole: ["Add role assignment", "ロールの割り当ての追加"],
  userAssignedIdentity: ["User assigned managed identity", "ユーザー割り当てマネージド ID"], role: ["Role", "ロール"],
  keys: ["Keys", "キー"], generateImport: ["+ Generate/Import", "+ 生成/インポート"],
  currentVersion: ["CURRENT VERSION", "現在のバージョン"], keyIdentifier: ["Key Identifier", "キー識別子"],
  containers: ["Containers", "コンテナー"], containerRegistry: ["Container Registry", "コンテナー レジストリ"],
  sku: ["SKU", "SKU"], encryption: ["Encryption", "暗号化"], cmk: ["Customer-Managed Key", "顧客が管理するキー"],
  identity: ["Identity", "ID"], fromVault: ["Select from Key Vault", "キー コンテナーから選ぶ"],
  createNew: ["Create new", "新規作成"], keyUri: ["Enter key URI", "キー URI を入力する"], changeKey: ["Change key", "キーの変更"],
  systemAssigned: ["System assigned", "システム割り当て"], status: ["Status", "状態"], on: ["On", "オン"],
  objectId: ["Object ID", "オブジェクト ID"], networking: ["Networking", "ネットワーク"], yes: ["Yes", "はい"], no: ["No", "いいえ"],
  bypass: ["Allow trusted Microsoft services to bypass this firewall?", "信頼された Microsoft サービスがこのファイアウォールをバイパスすることを許可しますか?"],
  allowFrom: ["Allow access from", "許可するアクセス元"], selected: ["Selected networks", "選択されたネットワーク"],
  deployed: ["Your deployment is complete", "デプロイが完了しました"], blocked: ["Blocked", "ブロック"], open: ["Open", "利用可能"],
  accessKeys: ["Access keys", "アクセス キー"], adminUser: ["Admin user", "管理者ユーザー"], username: ["Username", "ユーザー名"],
  newVersion: ["+ New Version", "+ 新しいバージョン"], enableVersion: ["Enable the key version", "キーのバージョンを有効にする"],
  searchPrincipal: ["Search by name or object ID", "名前またはオブジェクト ID で検索"], search: ["Search", "検索"],
  moveClock: ["Move the clock", "時計の変更"], advance: ["Advance", "進める"], remove: ["Remove", "削除"],
  versionDisabled: ["is disabled", "無効"], firewallWhy: ["firewall keeps", "ファイアウォール"], noPolicy: ["no access policy", "アクセス ポリシーがありません"],
  repositories: ["Repositories", "リポジトリ"], validated: ["Validation passed", "検証に成功しました"],
};

let checks = 0;
const check = (what, ok) => { assert.ok(ok, what); checks += 1; };

// Whoever asks for another host than this machine comes by here.
let foreign = [];
// The browser itself looks for updates and asks its maker about forms; no flag stops all of that. What pages ask is
// noted where they ask it, so nothing of theirs is left out by this.
const own = (url) => /^(https?:\/\/)?([a-z0-9-]+\.)*(google|googleapis|gvt1)\.com[:/]/.test(url);
const noted = (url) => { if (!own(url)) foreign.push(url); };
const proxy = http.createServer((request, answer) => { noted(request.url); answer.destroy(); });
proxy.on("connect", (request, socket) => { noted(request.url); socket.destroy(); });
await new Promise((done) => proxy.listen(0, "127.0.0.1", done));

const browser = await chromium.launch({
  executablePath, args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-gpu"],
  proxy: { server: `http://127.0.0.1:${proxy.address().port}`, bypass: "127.0.0.1" },
});

// A visitor with a keyboard and nothing else. What is looked at is read from the page; what is done is pressed.
class Visitor {
  constructor(page, lang) { this.page = page; this.lang = lang; }
  t(word) { return WORDS[word][this.lang === "ja" ? 1 : 0]; }
  press(key) { return this.page.keyboard.press(key); }
  active() {
    return this.page.evaluate(() => {
      const e = document.activeElement, words = (x) => (x?.textContent || "").replace(/\s+/g, " ").trim();
      const group = words(e.closest("fieldset")?.querySelector("legend"));
      return { tag: e.tagName, type: e.type, name: e.getAttribute("aria-label") || words(e.labels?.[0]) || words(e), group,
        heading: words(e.closest("section")?.querySelector("h2")), current: e.getAttribute("aria-current"),
        option: e.tagName === "SELECT" ? words(e.selectedOptions[0]) : "", checked: e.checked, value: e.value,
        href: e.getAttribute("href") || "", in: e.closest("main") ? "main" : e.closest("nav.menu") ? "menu" : "frame" };
    });
  }
  async focus(what, wanted) {
    const seen = [];
    for (let i = 0; i < 250; i += 1) {
      await this.press("Tab");
      const at = await this.active();
      seen.push(`${at.tag}:${at.group}/${at.name}`);
      if (wanted(at)) return at;
    }
    throw new Error(`no ${what} is reached by Tab on ${this.page.url()}: ${[...new Set(seen)].join(" | ")}`);
  }
  async enter() {
    await Promise.all([this.page.waitForNavigation({ waitUntil: "domcontentloaded" }), this.press("Enter")]);
    check(`an answer at ${this.page.url()}`, await this.page.locator("h1").count() === 1);
  }
  async link(word, where, exact = true) {
    const name = WORDS[word] ? this.t(word) : word;
    await this.focus(`link "${name}"`, (a) => a.tag === "A" && (exact ? a.name === name : a.name.includes(name)) && (!where || a.in === where));
    await this.enter();
  }
  async button(word, section) {
    const name = WORDS[word] ? this.t(word) : word;
    await this.focus(`button "${name}"`, (a) => a.tag === "BUTTON" && (a.name === name || a.name.startsWith(`${name} `)) && a.in === "main" && (!section || a.heading === section));
    await this.enter();
  }
  async frameButton(word) {
    await this.focus(`button ${word}`, (a) => a.tag === "BUTTON" && a.name === this.t(word));
    await this.enter();
  }
  async type(word, text) {
    const name = WORDS[word] ? this.t(word) : word;
    await this.focus(`field "${name}"`, (a) => ["INPUT", "TEXTAREA"].includes(a.tag) && a.name === name && a.in === "main");
    await this.press("Control+A");
    await this.page.keyboard.type(text);
  }
  async select(word, option) {
    const name = this.t(word);
    await this.focus(`choice "${name}"`, (a) => a.tag === "SELECT" && a.name === name);
    if ((await this.active()).option.includes(option)) return;
    await this.press("Home");
    for (let i = 0; i < 500; i += 1) {
      if ((await this.active()).option.includes(option)) return;
      await this.press("ArrowDown");
    }
    throw new Error(`"${name}" has no option "${option}"`);
  }
  async choose(group, option) {
    const [legend, label] = [this.t(group), this.t(option)];
    await this.focus(`choice "${legend}"`, (a) => a.type === "radio" && a.group === legend);
    for (let i = 0; i < 5; i += 1) {
      const at = await this.active();
      if (at.name === label) { if (!at.checked) await this.press("Space"); return; }
      await this.press("ArrowDown");
    }
    throw new Error(`"${legend}" has no "${label}"`);
  }
  async tick(group, option) {
    const [legend, label] = [this.t(group), this.t(option)];
    await this.focus(`box "${label}"`, (a) => a.type === "checkbox" && a.group === legend && a.name === label);
    if (!(await this.active()).checked) await this.press("Space");
  }
  async open(url) { await this.page.goto(url.startsWith("http") ? url : `${ACRITE_URL}${url}`, { waitUntil: "domcontentloaded" }); }
  async says(...words) {
    const text = await this.page.evaluate(() => document.body.innerText + [...document.querySelectorAll("input")].map((i) => `\n${i.value}`).join(""));
    for (const word of words) check(`"${word}" on ${this.page.url()}: ${text.slice(0, 1500)}`, text.includes(word));
  }
  // The line of az for what was done just now.
  async did(line) {
    const shown = await this.page.locator("#c-done-az-0").inputValue();
    check(`${shown} begins with ${line}`, shown.startsWith(line));
  }
  copied(word) { return this.page.getByLabel(WORDS[word] ? this.t(word) : word, { exact: true }).inputValue(); }
  // Home > the resource, through the list of all resources.
  async resource(name) { await this.open(home); await this.link(name, "main"); }
  async blade(word) { await this.link(word, "menu"); }
}

function run(command, ...args) {
  const done = spawnSync(command, args, { encoding: "utf8" });
  return { ok: done.status === 0, out: `${done.stdout}${done.stderr}` };
}
const skopeo = (...args) => run("skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", ...args);
function pull(names) {
  const dir = `${WORK}/pulled-${names.registry}`;
  run("rm", "-rf", dir);
  const done = skopeo("--src-creds", names.creds, `docker://${names.registry}.azurecr.io/app:v1`, `oci:${dir}:image`);
  return done.ok ? run("python3", `${process.env.ACRITE_SUITES}/image.py`, "same", PORTAL_IMAGE, dir) : done;
}
const step = (v, what) => console.log(`${new Date().toISOString().slice(11, 19)} ${v.lang} ${v.label}: ${what}`);

async function create(v, category, kind) {
  await v.open(home);
  await v.link(`+ ${v.t("createResource")}`);
  if (category) await v.says(v.t(category));
  await v.link(kind, "main");
}

async function policy(v, vault, search, option) {
  await v.resource(vault);
  await v.says(v.t("settings"));
  await v.blade("accessPolicies");
  await v.link("addPolicy", "main");
  for (const permission of ["get", "unwrap", "wrap"]) await v.tick("keyPermissions", permission);
  if (search) { await v.type("searchPrincipal", search); await v.button("search"); await v.says(v.t("get")); }
  await v.select("selectPrincipal", option);
  await v.button("add");
  await v.button("save");
  await v.says("get, unwrapKey, wrapKey");
  await v.did(`az keyvault set-policy --name ${vault} --object-id`);
}

async function vault(v, name, group) {
  await create(v, null, "keyVault");
  await v.says(v.t("basics"));
  await v.select("resourceGroup", group);
  await v.type("name", name);
  await v.choose("purgeProtection", "enabled");
  await v.button("reviewCreate");
  await v.button("create");
  await v.says(`https://${name}.vault.azure.net`);
}

async function key(v, vault, name) {
  await v.resource(vault);
  await v.blade("keys");
  await v.link("generateImport", "main");
  await v.type("name", name);
  await v.button("create");
  await v.says(v.t("currentVersion"));
}

async function version(v, vault, name) {
  await v.resource(vault);
  await v.blade("keys");
  await v.link(name, "main");
  await v.focus("the current version", (a) => a.tag === "A" && a.in === "main" && /\/key\/[^/]+\/[0-9a-f]{32}/.test(a.href));
  await v.enter();
  return v.copied("keyIdentifier");
}

async function state(v, names, word) {
  await v.resource(names.registry);
  await v.blade("encryption");
  await v.says(v.t(word));
}

async function article(v, names) {
  step(v, "a group, a managed identity, a vault");
  await create(v, null, "resourceGroup");
  await v.type("name", names.group);
  await v.button("create");
  await create(v, null, "managedIdentity");
  await v.says(v.t("createIdentity"));
  await v.select("resourceGroup", names.group);
  await v.type("name", names.identity);
  await v.button("reviewCreate");
  await v.button("create");
  await v.says(v.t("objectId"));
  await v.did(`az identity create --resource-group ${names.group} --name ${names.identity}`);
  await vault(v, names.vault, names.group);
  step(v, "access, a key");
  await policy(v, names.vault, null, `${names.identity} (${v.t("userAssignedIdentity")}`);
  await v.blade("iam");
  await v.link(`+ ${v.t("add")} > ${v.t("addRole")}`, "main");
  await v.select("role", "Key Vault Crypto Service Encryption User");
  await v.select("selectPrincipal", `${names.identity} (${v.t("userAssignedIdentity")}`);
  await v.button("save");
  await v.says("Key Vault Crypto Service Encryption User", names.identity);
  await key(v, names.vault, "key");
  check("a key identifier", (await version(v, names.vault, "key")).startsWith(`https://${names.vault}.vault.azure.net/keys/key/`));
  step(v, "the registry");
  await create(v, "containers", "containerRegistry");
  await v.select("resourceGroup", names.group);
  await v.type("name", names.registry);
  await v.select("sku", "Premium");
  await v.button("encryption");
  await v.choose("cmk", "enabled");
  await v.select("identity", names.identity);
  await v.choose("encryption", "fromVault");
  await v.select("fromVault", `${names.vault} / key`);
  await v.button("reviewCreate");
  await v.says(v.t("validated"));
  await v.button("create");
  for (let i = 0; i < 50 && !(await v.page.locator("body").innerText()).includes(v.t("deployed")); i += 1) {
    await v.page.waitForTimeout(200);
    await v.open(v.page.url());
  }
  await v.says(v.t("deployed"));
  await state(v, names, "open");
  await v.says(names.identity);
  step(v, "push and pull");
  await v.blade("accessKeys");
  await v.choose("adminUser", "enabled");
  await v.button("save");
  const password = await v.page.locator("#c-password").inputValue();
  names.creds = `${await v.copied("username")}:${password}`;
  const pushed = skopeo("--dest-creds", names.creds, `oci:${PORTAL_IMAGE}:image`, `docker://${names.registry}.azurecr.io/app:v1`);
  check(`the push: ${pushed.out}`, pushed.ok);
  check("the pull", pull(names).ok);
  await v.blade("repositories");
  await v.link("app", "main");
  await v.link("v1", "main");
  await v.says("sha256:");
  step(v, "a new version is followed within the hour; Change key goes to one by hand");
  const first = await version(v, names.vault, "key");
  await v.resource(names.vault);
  await v.blade("keys");
  await v.link("key", "main");
  await v.link("newVersion", "main");
  await v.button("create");
  const second = await version(v, names.vault, "key");
  check("another version", first !== second);
  await v.focus("the clock", (a) => a.tag === "SUMMARY" && a.name === v.t("moveClock"));
  await v.press("Enter");
  await v.frameButton("advance");
  await state(v, names, "open");
  check("the new version is in use", await v.page.locator("#c-versioned").inputValue() === second);
  await v.link("changeKey", "main");
  await v.choose("encryption", "keyUri");
  await v.type("keyUri", first);
  await v.button("save");
  check("the first version is in use again", await v.page.locator("#c-versioned").inputValue() === first);
  await v.link("changeKey", "main");
  await v.choose("encryption", "fromVault");
  await v.select("fromVault", `${names.vault} / key`);
  await v.button("save");
  check("and the second", await v.page.locator("#c-versioned").inputValue() === second);
  step(v, "revoked by the key, and given back");
  await version(v, names.vault, "key");
  await v.choose("status", "disabled");
  await v.button("save");
  await state(v, names, "blocked");
  await v.says(v.t("versionDisabled"));
  const refused = pull(names);
  check(`blocked: ${refused.out}`, !refused.ok && /forbidden/i.test(refused.out));
  await v.link("enableVersion", "main");
  await v.choose("status", "enabled");
  await v.button("save");
  await state(v, names, "open");
  check("the pull after it", pull(names).ok);
  step(v, "revoked by the access policy, and given back");
  await v.resource(names.vault);
  await v.blade("accessPolicies");
  await v.focus("what removes the policy", (a) => a.tag === "BUTTON" && a.name.startsWith(v.t("remove")) && a.name.includes(names.identity));
  await v.enter();
  await state(v, names, "blocked");
  await v.says(v.t("noPolicy"));
  check("blocked again", !pull(names).ok);
  await policy(v, names.vault, names.identity, names.identity);
  await state(v, names, "open");
  check("the pull after that", pull(names).ok);
}

async function firewall(v, names) {
  step(v, "the firewall: the system-assigned identity");
  await v.resource(names.registry);
  await v.blade("identity");
  await v.choose("status", "on");
  await v.button("save", v.t("systemAssigned"));
  check("an object id", /^[0-9a-f-]{36}$/.test(await v.copied("objectId")));
  await vault(v, names.closed, names.group);
  await key(v, names.closed, "inside");
  await policy(v, names.closed, names.registry, names.registry);
  await v.resource(names.closed);
  await v.blade("networking");
  await v.choose("allowFrom", "selected");
  await v.choose("bypass", "yes");
  await v.button("save");
  step(v, "the firewall: Change key, and without the bypass");
  await v.resource(names.registry);
  await v.blade("encryption");
  await v.link("changeKey", "main");
  await v.select("identity", v.t("systemAssigned"));
  await v.choose("encryption", "fromVault");
  await v.select("fromVault", `${names.closed} / inside`);
  await v.button("save");
  await v.says(v.t("systemAssigned"));
  check("the key inside", (await v.page.locator("#c-versioned").inputValue()).includes(`${names.closed}.vault.azure.net/keys/inside/`));
  check("the pull", pull(names).ok);
  for (const [bypass, word] of [["no", "blocked"], ["yes", "open"]]) {
    await v.resource(names.closed);
    await v.blade("networking");
    await v.choose("bypass", bypass);
    await v.button("save");
    await state(v, names, word);
    check(`the pull with the bypass: ${bypass}`, pull(names).ok === (word === "open"));
  }
}

process.on("uncaughtException", async (error) => {
  // What the visitor saw last.
  for (const context of browser.contexts()) for (const page of context.pages()) {
    const text = await page.locator("main").innerText().catch(() => "");
    console.log(`${page.url()}\n${text.slice(0, 2500)}`);
  }
  console.log(error);
  process.exit(1);
});

async function visitor(lang, scripts, more = {}) {
  const context = await browser.newContext({ locale: lang === "ja" ? "ja-JP" : "en-US", javaScriptEnabled: scripts, ...more });
  context.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (/^(https?|wss?):$/.test(protocol) && hostname !== "127.0.0.1" && hostname !== "localhost") foreign.push(request.url());
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on("console", (m) => { if (m.type() === "error" && !/40[0-9]|favicon/.test(m.text())) throw new Error(`console: ${m.text()}`); });
  const v = new Visitor(page, lang);
  v.label = scripts ? "with scripts" : "without scripts";
  return v;
}

const named = (mark) => ({ group: `rg-${mark}`, identity: `id-${mark}`, vault: `kv-${mark}-open`, closed: `kv-${mark}-closed`, registry: `reg${mark}` });

if (PORTAL_MODE === "all" || PORTAL_MODE === "article") {
  for (const [lang, scripts, mark] of [["en", true, "one"], ["ja", true, "two"], ["en", false, "three"]]) {
    const v = await visitor(lang, scripts);
    const names = named(mark);
    await article(v, names);
    await firewall(v, names);
    await v.page.context().close();
  }
}

// Every page: those that are linked from the menus and from home, and forms with something wrong in them.
async function pages() {
  const v = await visitor("en", true);
  const found = new Map([["home", "/portal/"]]);
  for (const slug of ["create", "create-group", "create-identity", "create-vault", "create-registry", "create-deployment", "deleted-vaults", "who", "map", "audit", "requests", "none"]) found.set(slug, `/portal/${slug}`);
  await v.open(home);
  const links = await v.page.locator("main table a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  const kinds = new Set();
  for (const link of links) {
    const kind = link.split("/providers/")[1]?.split("/").slice(0, 2).join("-") ?? "group";
    if (kinds.has(kind)) continue;
    kinds.add(kind);
    await v.open(link);
    const own = await v.page.locator("nav.menu a, main .commands a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
    for (const url of own) found.set(`${kind}-${url.split("?")[0].split("/").pop()}`, url);
  }
  const more = [...found.values()];
  for (const url of more.filter((u) => /\/(keys|repositories|webhooks|deployments|access-policies|encryption|iam)$/.test(u))) {
    await v.open(url);
    const deeper = await v.page.locator("main table a, main .commands a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
    for (const url2 of deeper.slice(0, 3)) {
      const slug = url2.split("?")[0].split("/").slice(9, 10).join() || url2.split("?")[0].split("/").pop();
      if (!found.has(`deep-${url.split("/").pop()}-${slug}`)) found.set(`deep-${url.split("/").pop()}-${slug}`, url2);
    }
  }
  const deep = [...found.values()].filter((u) => /\/(key|repository)[/?]/.test(u));
  for (const url of deep) {
    await v.open(url);
    const deeper = await v.page.locator("main table a, main .commands a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
    for (const url2 of deeper.slice(0, 4)) found.set(`deeper-${url2.split("?")[0].split("/").slice(9).join("-").slice(0, 40)}`, url2);
  }
  await v.page.context().close();
  return found;
}

async function looked(found) {
  mkdirSync(PORTAL_PICTURES, { recursive: true });
  let violations = 0, looked = 0;
  for (const [scheme, width] of [["light", 1280], ["dark", 360], ["light", 360], ["dark", 1280]]) {
    const v = await visitor(scheme === "dark" ? "ja" : "en", true, { colorScheme: scheme, viewport: { width, height: 800 } });
    const audited = width === 1280 && scheme === "light" || width === 360 && scheme === "dark" || PORTAL_MODE === "all";
    for (const [name, url] of found) {
      await v.open(url);
      if (scheme === "light" && width === 1280) await v.page.locator("details").evaluateAll((all) => all.forEach((d) => { d.open = true; }));
      const wide = await v.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) { console.log(`${name} at ${width} px is ${wide} px too wide (${url})`); violations += 1; }
      if (audited) {
        await v.page.evaluate(axe);
        const { violations: bad } = await v.page.evaluate(() => axe.run());
        for (const b of bad) {
          violations += 1;
          console.log(`${name} ${scheme} ${width}: ${b.id}: ${b.help}: ${b.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" || ")}`);
        }
        looked += 1;
      }
      await v.page.screenshot({ path: `${PORTAL_PICTURES}/${scheme}-${width}-${name}.png`, fullPage: true });
    }
    await v.page.context().close();
  }
  console.log(`pages: ${found.size}; axe ran ${looked} times; violations: ${violations}`);
  check("no violation", violations === 0);
}

// How soon an event is on the page after its answer, and the first paint.
async function speed() {
  const v = await visitor("en", true);
  await v.open("/portal/requests");
  const paint = await v.page.evaluate(() => new Promise((done) => {
    new PerformanceObserver((list) => done(list.getEntries()[0].startTime)).observe({ type: "paint", buffered: true });
  }));
  // The newest stands first; the table is full by now, so its length says nothing.
  const newest = () => v.page.evaluate(() => document.querySelector("tbody tr")?.textContent);
  await v.page.waitForTimeout(300);
  const took = [];
  for (let i = 0; i < 10; i += 1) {
    const before = await newest();
    const wait = v.page.waitForFunction((was) => document.querySelector("tbody tr")?.textContent !== was, before, { polling: 5 });
    // Through the proxy, as clients do; the answer is refused for want of a token, which is an answer.
    run("curl", "-sS", "-o", "/dev/null", "https://management.azure.com/subscriptions?api-version=2025-11-01");
    const answered = performance.now();
    await wait;
    took.push(performance.now() - answered);
  }
  took.sort((a, b) => a - b);
  console.log(`first paint: ${paint.toFixed(0)} ms; event on the page after its answer: median ${took[5].toFixed(0)} ms, worst ${took[9].toFixed(0)} ms`);
  await v.page.context().close();
}

if (PORTAL_MODE === "all" || PORTAL_MODE === "looked") {
  const found = await pages();
  await looked(found);
  await speed();
}
console.log(`requests to other hosts: ${foreign.length} ${foreign.slice(0, 5).join(" ")}`);
check("no request leaves", foreign.length === 0);
await browser.close();
proxy.close();
console.log(`checked ${checks}`);
